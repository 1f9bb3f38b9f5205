//! A program as text: one step a line, with places and bytes.

use super::{Place, Program, ProgramPlan, Role};
use crate::dim::{Dim, Symbol, Symbols};
use crate::expr::Expr;
use crate::instr::Instr;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

impl fmt::Display for Program {
    /// ` 12 relu1: relu1_output: f32[N, 20, 24, 24] = map { max(x0, 0) }(conv1_output)  @ 0 * N, 46080*N bytes`: number, layer,
    /// results with their types, instruction, operands; then where the results lie, at an offset of the arena that scales
    /// with a symbol, of the fixed one, or outside, and their bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let symbols = Symbols::from(self.symbols.to_vec());
        let shape = |dims: &[Dim]| {
            let all: Vec<String> = dims.iter().map(|d| d.display(&symbols).to_string()).collect();
            format!("[{}]", all.join(", "))
        };
        let typed = |v: u32| {
            let value = &self.values[v as usize];
            format!("{}: {}{}", value.name, value.dtype, shape(&value.shape))
        };
        let names = |list: &[u32]| {
            let all: Vec<&str> = list.iter().map(|v| &*self.values[*v as usize].name).collect();
            all.join(", ")
        };
        writeln!(f, "program {} {{", self.name)?;
        for (kind, list) in [("input", &self.inputs), ("param", &self.params), ("state", &self.aux)] {
            for v in list.iter() {
                writeln!(f, "  {kind} {}", typed(*v))?;
            }
        }
        for (_, v) in self.heads.iter() {
            writeln!(f, "  head {}", typed(*v))?;
        }
        for c in self.checks.iter() {
            let sign = if c.exact { "==" } else { ">=" };
            writeln!(f, "  check {} {sign} 0", c.dim.display(&symbols))?;
        }
        let places = crate::memory::symbolic_places(self);
        for (at, s) in self.steps.iter().enumerate() {
            if at == self.forward as usize {
                writeln!(f, "  -- backward")?;
            }
            let results: Vec<String> = s.writes.iter().map(|w| typed(*w)).collect();
            let instr = match &s.instr {
                Instr::Map(e) => self.expr(*e),
                Instr::MapReduce { expr, kind, axes } => {
                    format!("{kind:?}({axes:?}) of {}", self.expr(*expr))
                }
                other => format!("{other:?}"),
            };
            let place = |w| self.place(w, places.as_ref(), &symbols);
            let places: Vec<String> = s.writes.iter().map(|w| place(*w)).collect();
            let layer = self.layers.get(s.layer as usize).map_or("", |l| &l.name);
            writeln!(
                f,
                "  {at:3} {layer}: {} = {instr}({})  @ {}",
                results.join(", "),
                names(&s.reads),
                places.join(", ")
            )?;
        }
        writeln!(f, "  return {}", names(&self.outputs))?;
        if !self.predictions.is_empty() {
            writeln!(f, "  predict {}", names(&self.predictions))?;
        }
        for (of, g) in self.grads.iter() {
            let name = |v: u32| &*self.values[v as usize].name;
            writeln!(f, "  grad {} = {}", name(*of), name(*g))?;
        }
        if let Some(plan) = &self.plan {
            let symbol = self.symbols.get(usize::from(plan.symbol)).map_or("1", |s: &Symbol| &s.name);
            writeln!(f, "  arena {} * {symbol} + {} bytes", plan.per_symbol, plan.fixed)?;
        }
        writeln!(f, "}}")
    }
}

impl Program {
    fn place(&self, value: u32, plan: Option<&(ProgramPlan, Vec<Place>)>, symbols: &Symbols) -> String {
        let v = &self.values[value as usize];
        let bytes = v.shape.iter().fold(Dim::from(v.dtype.size()), |p, d| p.mul(d));
        let bytes = bytes.display(symbols).to_string();
        let Some((plan, places)) = plan else { return format!("{bytes} bytes") };
        match places[value as usize] {
            _ if v.role != Role::Internal => "outside".to_string(),
            Place::Outside => format!("outside, {bytes} bytes"),
            Place::Scaled(offset) => {
                format!("{offset} * {}, {bytes} bytes", symbols.list()[usize::from(plan.symbol)].name)
            }
            Place::Fixed(offset) => format!("fixed {offset}, {bytes} bytes"),
            Place::Within(root, _) => format!("as {}", self.values[root as usize].name),
        }
    }

    /// The expression of this number, as a formula of `x0`, `x1`, ….
    fn expr(&self, number: u32) -> String {
        let lines = self.exprs.get(number as usize).map_or(Vec::new(), |e| e.to_vec());
        let formula = if lines.is_empty() { String::new() } else { Expr { lines }.to_string() };
        format!("map {{ {formula} }}")
    }
}
