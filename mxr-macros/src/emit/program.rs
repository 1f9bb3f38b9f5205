//! A [`Program`] as a Rust expression that puts it together.
//!
//! Tables are literals of digits ([`mxr_graph::program::digits`]), because the compiler checks every expression: shapes, instructions and
//! amounts of work occur many times and are numbered (`S`, `INSTRS`, `T`). The text goes to the compiler's own lexer in one piece,
//! which is much faster than to hand over its tokens one by one.

use super::instr::{float64, instr, scalar};
use mxr_graph::dim::{Dim, SymbolDef, Term};
use mxr_graph::fnv;
use mxr_graph::instr::Instr;
use mxr_graph::program::{Program, digits};
use mxr_graph::training::Training;
use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// The text of an expression of type `Program`, for a `LazyLock` beside `use ::mxr::__private::*`.
pub(super) fn program(p: &Program) -> String {
    let mut tables = Tables::default();
    let mut body = String::with_capacity(64 * (p.values.len() + p.steps.len()));
    write(p, &mut tables, &mut body).expect("a string takes any text");
    let mut text = String::with_capacity(body.len() + 4096);
    text.push_str("{ ");
    constant("T", "&[Term]", tables.polynomials.list.iter(), &mut text);
    constant("S", "&[Dim]", tables.shapes.iter(), &mut text);
    constant("INSTRS", "Instr", tables.instrs.iter().map(|(_, written)| written), &mut text);
    text.push_str(&body);
    text.push_str(" }");
    text
}

/// `const NAME: &[TYPE] = &[…]; `
fn constant<'t>(name: &str, ty: &str, entries: impl Iterator<Item = &'t String>, text: &mut String) {
    for part in ["const ", name, ": &[", ty, "] = &["] {
        text.push_str(part);
    }
    for entry in entries {
        text.push_str(entry);
        text.push_str(", ");
    }
    text.push_str("]; ");
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
    /// Instructions and how they are written.
    instrs: Vec<(&'p Instr, String)>,
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

    fn instr(&mut self, i: &'p Instr) -> u32 {
        // Numbers that are equal but for their sign, of zero, are another constant.
        let same = |known: &&Instr| *known == i && !matches!(i, Instr::Fill(_));
        let at = self.instrs.iter().rposition(|(known, _)| same(known)).unwrap_or_else(|| {
            self.instrs.push((i, instr(i)));
            self.instrs.len() - 1
        });
        at as u32
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
    out.push_str("]; ");
    out.push_str("const EXPRS: &[List<Scalar>] = &[");
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
        "Program {{ name: text({:?}), symbols: list(SYMBOLS), values: {}, steps: {}, forward: {}, exprs: list(EXPRS), layers: {}, \
         inputs: {}, params: {}, training: list(&[{}]), aux: {}, outputs: {}, predictions: {}, heads: {}, grads: {}, \
         flops: {flops}, checks: list(CHECKS), plan: ",
        p.name,
        values(p, tables),
        steps(p, tables),
        p.forward,
        layers(p, tables),
        numbers(&p.inputs),
        numbers(&p.params),
        training(p),
        numbers(&p.aux),
        numbers(&p.outputs),
        numbers(&p.predictions),
        pairs(&p.heads),
        pairs(&p.grads),
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

/// [`Program::values`].
fn values<'p>(p: &'p Program, tables: &mut Tables<'p>) -> String {
    let mut names = String::with_capacity(32 * p.values.len());
    let mut rows = String::with_capacity(8 * p.values.len());
    for v in p.values.iter() {
        names.push_str(&v.name);
        row(&[v.name.len() as u32, v.dtype as u32, tables.shape(&v.shape), v.role as u32], &mut rows);
    }
    format!("values(S, {names:?}, br\"{rows}\")")
}

/// [`Program::steps`].
fn steps<'p>(p: &'p Program, tables: &mut Tables<'p>) -> String {
    let mut rows = String::with_capacity(16 * p.steps.len());
    for s in p.steps.iter() {
        digits(tables.instr(&s.instr), &mut rows);
        counted(&s.reads, &mut rows);
        counted(&s.writes, &mut rows);
        digits(s.layer, &mut rows);
    }
    format!("steps(INSTRS, br\"{rows}\")")
}

/// [`Program::layers`].
fn layers<'p>(p: &'p Program, tables: &mut Tables<'p>) -> String {
    let (mut names, mut rows) = (String::with_capacity(32 * p.layers.len()), String::new());
    for l in p.layers.iter() {
        names.push_str(&l.name);
        names.push_str(&l.op);
        let (name, op) = (l.name.len() as u32, l.op.len() as u32);
        row(&[name, op, l.output.map_or(0, |o| o + 1), tables.shape(&l.shape)], &mut rows);
        counted(&l.params, &mut rows);
        counted(&l.operands, &mut rows);
        digits(tables.terms(&l.flops), &mut rows);
    }
    format!("layers(S, T, {names:?}, br\"{rows}\")")
}

fn numbers(list: &[u32]) -> String {
    let mut rows = String::with_capacity(2 * list.len());
    row(list, &mut rows);
    format!("numbers(br\"{rows}\")")
}

fn pairs(list: &[(u32, u32)]) -> String {
    let mut rows = String::with_capacity(4 * list.len());
    for (a, b) in list {
        row(&[*a, *b], &mut rows);
    }
    format!("pairs(br\"{rows}\")")
}

/// How many numbers, and they.
fn counted(list: &[u32], out: &mut String) {
    digits(list.len() as u32, out);
    row(list, out);
}

fn row(numbers: &[u32], out: &mut String) {
    for n in numbers {
        digits(*n, out);
    }
}

/// The rows of [`Program::training`].
fn training(p: &Program) -> String {
    let mut text = String::new();
    for (v, Training { lr_mult, wd_mult, frozen }) in p.training.iter() {
        let _ = write!(
            text,
            "({v}, Training {{ lr_mult: {}, wd_mult: {}, frozen: {frozen} }}), ",
            float64(*lr_mult),
            float64(*wd_mult)
        );
    }
    text
}
