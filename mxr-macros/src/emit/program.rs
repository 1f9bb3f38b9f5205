//! A [`Program`] as a Rust expression of constants.
//!
//! The text goes to the compiler's own lexer in one piece, which is an order of magnitude faster than to hand over its
//! tokens one by one. Extents and shapes occur many times and are numbered.

use super::instr::{instr, scalar};
use mxr_graph::dim::{Dim, SymbolDef, Term};
use mxr_graph::dtype::DType;
use mxr_graph::program::{Place, Program, Role};
use std::collections::HashMap;
use std::fmt::{self, Write};

/// The text of an expression of type `Program`, for a `static` beside `use ::mxr::__private::*`.
pub(super) fn program(p: &Program) -> String {
    let mut tables = Tables::default();
    let mut body = String::with_capacity(64 * (p.values.len() + p.steps.len()));
    write(p, &mut tables, &mut body).expect("a string takes any text");
    format!(
        "{{ const T: &[&[Term]] = &[{}]; const S: &[&[Dim]] = &[{}]; {body} }}",
        tables.polynomials.list.join(", "),
        tables.shapes.list.join(", ")
    )
}

/// Texts that are written once and numbered.
#[derive(Default)]
struct Numbered {
    list: Vec<String>,
    places: HashMap<String, usize>,
}

impl Numbered {
    fn number(&mut self, text: String) -> usize {
        if let Some(at) = self.places.get(&text) {
            return *at;
        }
        self.places.insert(text.clone(), self.list.len());
        self.list.push(text);
        self.list.len() - 1
    }
}

#[derive(Default)]
struct Tables {
    polynomials: Numbered,
    shapes: Numbered,
}

impl Tables {
    fn dim(&mut self, d: &Dim) -> String {
        match d {
            Dim::Const(n) => format!("Dim::Const({n})"),
            Dim::Poly(terms) => {
                let terms: Vec<String> = terms.iter().map(term).collect();
                format!(
                    "Dim::terms_static(T[{}])",
                    self.polynomials.number(format!("&[{}]", terms.join(", ")))
                )
            }
        }
    }

    fn shape(&mut self, shape: &[Dim]) -> usize {
        let dims: Vec<String> = shape.iter().map(|d| self.dim(d)).collect();
        self.shapes.number(format!("&[{}]", dims.join(", ")))
    }
}

fn term(t: &Term) -> String {
    let symbols: Vec<u16> = t.mono.symbols().collect();
    match symbols[..] {
        [] => format!("Term::constant({})", t.coef),
        [s] => format!("Term::linear({}, {s})", t.coef),
        _ => format!("Term {{ mono: Mono({:?}), coef: {} }}", t.mono.0, t.coef),
    }
}

fn write(p: &Program, tables: &mut Tables, out: &mut String) -> fmt::Result {
    out.push_str("const SYMBOLS: &[Symbol] = &[");
    for s in p.symbols.iter() {
        let def = match &s.def {
            SymbolDef::Named => "SymbolDef::Named".to_string(),
            SymbolDef::Hole => "SymbolDef::Hole".to_string(),
            SymbolDef::Floor(num, den) => format!("SymbolDef::Floor({}, {den})", tables.dim(num)),
        };
        write!(out, "Symbol {{ name: text({:?}), def: {def} }}, ", s.name)?;
    }
    out.push_str("]; const VALUES: &[ProgramValue] = &[");
    for v in p.values.iter() {
        let (shape, dtype, role) = (tables.shape(&v.shape), dtype(v.dtype), role(v.role));
        write!(out, "ProgramValue::new({:?}, DType::{dtype}, S[{shape}], Role::{role}), ", v.name)?;
    }
    out.push_str("]; const STEPS: &[Step] = &[");
    for s in p.steps.iter() {
        write!(out, "Step::new({}, &{:?}, &{:?}, {}), ", instr(&s.instr), &*s.reads, &*s.writes, s.layer)?;
    }
    out.push_str("]; const EXPRS: &[List<Scalar>] = &[");
    for e in p.exprs.iter() {
        let lines: Vec<String> = e.iter().map(scalar).collect();
        write!(out, "list(&[{}]), ", lines.join(", "))?;
    }
    out.push_str("]; const LAYERS: &[ProgramLayer] = &[");
    for l in p.layers.iter() {
        let (shape, flops) = (tables.shape(&l.shape), tables.dim(&l.flops));
        let (name, op, output, params) = (&l.name, &l.op, l.output, &*l.params);
        write!(out, "ProgramLayer::new({name:?}, {op:?}, {output:?}, S[{shape}], &{params:?}, {flops}), ")?;
    }
    out.push_str("]; const CHECKS: &[ProgramCheck] = &[");
    for c in p.checks.iter() {
        write!(out, "ProgramCheck::new({}, {}, {:?}), ", tables.dim(&c.dim), c.exact, c.message)?;
    }
    write!(
        out,
        "]; Program {{ name: text({:?}), symbols: list(SYMBOLS), values: list(VALUES), steps: list(STEPS), forward: {}, \
         exprs: list(EXPRS), layers: list(LAYERS), inputs: list(&{:?}), params: list(&{:?}), aux: list(&{:?}), outputs: \
         list(&{:?}), predictions: list(&{:?}), heads: list(&{:?}), grads: list(&{:?}), checks: list(CHECKS), plan: ",
        p.name,
        p.forward,
        &*p.inputs,
        &*p.params,
        &*p.aux,
        &*p.outputs,
        &*p.predictions,
        &*p.heads,
        &*p.grads,
    )?;
    match &p.plan {
        None => out.push_str("None"),
        Some(plan) => {
            write!(out, "Some(ProgramPlan::new({}, {}, {}, &[", plan.symbol, plan.per_symbol, plan.fixed)?;
            for place in plan.places.iter() {
                match place {
                    Place::Outside => out.push_str("Place::Outside, "),
                    Place::Scaled(n) => write!(out, "Place::Scaled({n}), ")?,
                    Place::Fixed(n) => write!(out, "Place::Fixed({n}), ")?,
                    Place::Same(v) => write!(out, "Place::Same({v}), ")?,
                }
            }
            out.push_str("]))");
        }
    }
    out.push_str(" }");
    Ok(())
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
    }
}
