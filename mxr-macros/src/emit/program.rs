//! A [`Program`] as a Rust expression of constants.
//!
//! Rows of numbers, because the compiler checks every expression: shapes, instructions and amounts of work occur many
//! times and are numbered (`S`, `INSTRS`, `T`). The text goes to the compiler's own lexer in one piece, which is much
//! faster than to hand over its tokens one by one.

use super::instr::{instr, scalar};
use super::text::{number, numbers, quoted};
use mxr_graph::dim::{Dim, SymbolDef, Term};
use mxr_graph::dtype::DType;
use mxr_graph::fnv;
use mxr_graph::program::{Program, Role};
use mxr_graph::training::Training;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// The text of an expression of type `Program`, for a `static` beside `use ::mxr::__private::*`.
pub(super) fn program(p: &Program) -> String {
    let mut tables = Tables::default();
    let mut body = String::with_capacity(64 * (p.values.len() + p.steps.len()));
    write(p, &mut tables, &mut body).expect("a string takes any text");
    let mut text = String::with_capacity(body.len() + 4096);
    text.push_str("{ ");
    for (name, ty, table) in [
        ("T", "&[&[Term]]", &tables.polynomials.list),
        ("S", "&[&[Dim]]", &tables.shapes),
        ("INSTRS", "&[Instr]", &tables.instrs.list),
    ] {
        let _ = write!(text, "const {name}: {ty} = &[");
        for entry in table {
            text.push_str(entry);
            text.push_str(", ");
        }
        text.push_str("]; ");
    }
    text.push_str(&body);
    text.push_str(" }");
    text
}

/// Texts that are written once and numbered.
#[derive(Default)]
struct Numbered {
    list: Vec<String>,
    places: BTreeMap<String, u32>,
}

impl Numbered {
    fn number(&mut self, text: String) -> u32 {
        if let Some(at) = self.places.get(&text) {
            return *at;
        }
        let at = self.list.len() as u32;
        self.places.insert(text.clone(), at);
        self.list.push(text);
        at
    }
}

#[derive(Default)]
struct Tables<'p> {
    polynomials: Numbered,
    shapes: Vec<String>,
    /// By a number made of their extents: shapes and where they are written. Most occur many times, so they are compared before
    /// they are written.
    known: BTreeMap<u64, Vec<(&'p [Dim], u32)>>,
    instrs: Numbered,
}

impl<'p> Tables<'p> {
    /// The number of a dimension among the polynomials.
    fn terms(&mut self, d: &Dim) -> u32 {
        let terms: Vec<String> = d.terms().iter().map(term).collect();
        self.polynomials.number(format!("&[{}]", terms.join(", ")))
    }

    fn dim(&mut self, d: &Dim) -> String {
        match d {
            Dim::Const(n) => format!("Dim::Const({n})"),
            Dim::Poly(_) => format!("dim(T[{}])", self.terms(d)),
        }
    }

    fn shape(&mut self, shape: &'p [Dim]) -> u32 {
        let hash = shape.iter().fold(fnv::START, hash);
        if let Some((_, at)) =
            self.known.get(&hash).and_then(|list| list.iter().find(|(known, _)| *known == shape))
        {
            return *at;
        }
        let dims: Vec<String> = shape.iter().map(|d| self.dim(d)).collect();
        self.shapes.push(format!("&[{}]", dims.join(", ")));
        let at = self.shapes.len() as u32 - 1;
        self.known.entry(hash).or_default().push((shape, at));
        at
    }
}

/// FNV-1a over what extents mostly differ in.
fn hash(h: u64, d: &Dim) -> u64 {
    let (degree, number) = match d {
        Dim::Const(n) => (0, *n),
        Dim::Poly(terms) => (1 + terms.len(), terms[0].coef),
    };
    [degree as u64, number as u64].into_iter().fold(h, fnv::mix)
}

fn term(t: &Term) -> String {
    let symbols: Vec<u16> = t.mono.symbols().collect();
    match symbols[..] {
        [] => format!("Term::constant({})", t.coef),
        [s] => format!("Term::linear({}, {s})", t.coef),
        _ => format!("Term {{ mono: Mono({:?}), coef: {} }}", t.mono.0, t.coef),
    }
}

fn write<'p>(p: &'p Program, tables: &mut Tables<'p>, out: &mut String) -> fmt::Result {
    out.push_str("const SYMBOLS: &[Symbol] = &[");
    for s in p.symbols.iter() {
        let def = match &s.def {
            SymbolDef::Named => "SymbolDef::Named".to_string(),
            SymbolDef::Hole => "SymbolDef::Hole".to_string(),
            SymbolDef::Floor(num, den) => format!("SymbolDef::Floor({}, {den})", tables.dim(num)),
        };
        write!(out, "Symbol {{ name: text({:?}), def: {def} }}, ", s.name)?;
    }
    write!(out, "]; static VALUES: [ProgramValue; {}] = values(S, &[", p.values.len())?;
    for v in p.values.iter() {
        let (shape, dtype, role) = (tables.shape(&v.shape), dtype(v.dtype), role(v.role));
        out.push('(');
        quoted(&v.name, out);
        for part in [", DType::", dtype, ", "] {
            out.push_str(part);
        }
        number(shape, out);
        for part in [", Role::", role, "), "] {
            out.push_str(part);
        }
    }
    write!(out, "]); static STEPS: [Step; {}] = steps(INSTRS, &[", p.steps.len())?;
    for s in p.steps.iter() {
        numbers(&s.reads, out);
        numbers(&s.writes, out);
    }
    out.push_str("], &[");
    for s in p.steps.iter() {
        let instr = tables.instrs.number(instr(&s.instr));
        out.push('(');
        numbers(&[instr, s.reads.len() as u32, s.writes.len() as u32, s.layer], out);
        out.push_str("), ");
    }
    write!(out, "]); static LAYERS: [ProgramLayer; {}] = layers(S, T, &[", p.layers.len())?;
    for l in p.layers.iter() {
        numbers(&l.params, out);
        numbers(&l.operands, out);
    }
    out.push_str("], &[");
    for l in p.layers.iter() {
        let (shape, flops, output) =
            (tables.shape(&l.shape), tables.terms(&l.flops), l.output.map_or(0, |o| o + 1));
        out.push('(');
        quoted(&l.name, out);
        out.push_str(", ");
        quoted(&l.op, out);
        out.push_str(", ");
        numbers(&[output, shape, l.params.len() as u32, l.operands.len() as u32, flops], out);
        out.push_str("), ");
    }
    out.push_str("]); const EXPRS: &[List<Scalar>] = &[");
    for e in p.exprs.iter() {
        let lines: Vec<String> = e.iter().map(scalar).collect();
        write!(out, "list(&[{}]), ", lines.join(", "))?;
    }
    out.push_str("]; const CHECKS: &[ProgramCheck] = &[");
    for c in p.checks.iter() {
        write!(out, "ProgramCheck::new({}, {}, {:?}), ", tables.dim(&c.dim), c.exact, c.message)?;
    }
    out.push_str("]; ");
    let flops = tables.dim(&p.flops);
    write!(
        out,
        "Program {{ name: text({:?}), symbols: list(SYMBOLS), values: list(&VALUES), steps: list(&STEPS), forward: {}, \
         exprs: list(EXPRS), layers: list(&LAYERS), inputs: list(&{:?}), params: list(&{:?}), training: list(&[{}]), aux: list(&{:?}), outputs: \
         list(&{:?}), predictions: list(&{:?}), heads: list(&{:?}), grads: list(&{:?}), flops: {flops}, checks: \
         list(CHECKS), plan: ",
        p.name,
        p.forward,
        &*p.inputs,
        &*p.params,
        training(p),
        &*p.aux,
        &*p.outputs,
        &*p.predictions,
        &*p.heads,
        &*p.grads,
    )?;
    match &p.plan {
        None => out.push_str("None }"),
        Some(plan) => {
            let (symbol, scaled, fixed) = (plan.symbol, plan.per_symbol, plan.fixed);
            write!(out, "Some(ProgramPlan::new({symbol}, {scaled}, {fixed})) }}")?;
        }
    }
    Ok(())
}

/// The rows of [`Program::training`].
fn training(p: &Program) -> String {
    let mut text = String::new();
    for (v, Training { lr_mult, wd_mult, frozen }) in p.training.iter() {
        let _ = write!(
            text,
            "({v}, Training {{ lr_mult: {lr_mult:?}, wd_mult: {wd_mult:?}, frozen: {frozen} }}), "
        );
    }
    text
}

fn dtype(d: DType) -> &'static str {
    match d {
        DType::F32 => "F32",
        DType::F64 => "F64",
        DType::F16 => "F16",
        DType::Bf16 => "Bf16",
        DType::I8 => "I8",
        DType::U8 => "U8",
        DType::I32 => "I32",
        DType::I64 => "I64",
        DType::Bool => "Bool",
    }
}

fn role(r: Role) -> &'static str {
    match r {
        Role::Input => "Input",
        Role::HeadGrad => "HeadGrad",
        Role::Param => "Param",
        Role::Aux => "Aux",
        Role::Internal => "Internal",
        Role::Kept => "Kept",
    }
}
