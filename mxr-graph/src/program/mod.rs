//! The result of compilation: a table of values and steps.
//!
//! `network!` writes it as literals that are read when the network is first bound (`rows.rs`), `Symbol` builds the same; one executor runs both.

mod bind;
mod hoist;
mod layout;
mod print;
mod rows;
mod select;

pub use bind::BindError;
pub use rows::{ROLES, digits, dim, layers, numbers, pairs, steps, values};

use crate::dim::{Dim, Symbol};
use crate::dtype::DType;
use crate::instr::{Instr, Layout, Scalar};
use crate::memory::{Access, InPlace, Problem};
use crate::training::Training;
use alloc::borrow::Cow;
use alloc::vec::Vec;

/// A list that may live in a `static`.
pub type List<T> = Cow<'static, [T]>;
/// A text that may live in a `static`.
pub type Text = Cow<'static, str>;

/// A list that lives in a `static`, for generated code.
pub const fn list<T: Clone>(items: &'static [T]) -> List<T> {
    Cow::Borrowed(items)
}

/// A text that lives in a `static`, for generated code.
pub const fn text(text: &'static str) -> Text {
    Cow::Borrowed(text)
}

/// A compiled network in one mode (training or prediction).
#[derive(Clone, Debug, PartialEq)]
pub struct Program {
    /// Name of the network.
    pub name: Text,
    /// Symbolic dimensions in order of their numbers; those the user binds come first among the named ones in order of
    /// appearance, floors refer to earlier ones.
    pub symbols: List<Symbol>,
    /// All values.
    pub values: List<ProgramValue>,
    /// The forward steps, then the backward steps.
    pub steps: List<Step>,
    /// How many of the steps are forward.
    pub forward: u32,
    /// The scalar expressions of [`Instr::Map`] and [`Instr::MapReduce`].
    pub exprs: List<List<Scalar>>,
    /// The user's calls.
    pub layers: List<ProgramLayer>,
    /// Values fed by the user, in order of declaration.
    pub inputs: List<u32>,
    /// Trained weights in MXNet's order (depth first).
    pub params: List<u32>,
    /// How weights are trained where it is not as the optimizer says: `(weight, how)`.
    pub training: List<(u32, Training)>,
    /// States in MXNet's order.
    pub aux: List<u32>,
    /// What the network returns.
    pub outputs: List<u32>,
    /// What its losses predict.
    pub predictions: List<u32>,
    /// Head gradients: `(output, the value that is fed)`.
    pub heads: List<(u32, u32)>,
    /// Gradients: `(value, its gradient)`.
    pub grads: List<(u32, u32)>,
    /// Floating-point operations of one run, 2 per multiply-add: the forward pass, and in training the backward pass as far as
    /// gradients of weights need it.
    pub flops: Dim,
    /// Facts to check when symbols are bound.
    pub checks: List<ProgramCheck>,
    /// The memory plan for any values of the symbols, where there is one; otherwise it is made at bind.
    pub plan: Option<ProgramPlan>,
}

/// A value of a program.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramValue {
    /// Unique name.
    pub name: Text,
    /// Element type.
    pub dtype: DType,
    /// Extents.
    pub shape: List<Dim>,
    /// Who owns the memory.
    pub role: Role,
    /// How images lie; the extents are those of the memory.
    pub layout: Layout,
}

/// Who owns a value's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Fed by the user.
    Input,
    /// A head gradient, fed or ones.
    HeadGrad,
    /// A trained weight.
    Param,
    /// A state.
    Aux,
    /// Made by a step; in the planned arena, unless it is an output, a prediction or a gradient that outlives the run.
    Internal,
    /// Made by a step of [`Program::prologue`], of weights and states alone; kept from run to run.
    Kept,
}

/// One kernel call.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// What to do.
    pub instr: Instr,
    /// Operands.
    pub reads: List<u32>,
    /// Results. Operands updated in place ([`Instr::mutates`]) are not repeated here.
    pub writes: List<u32>,
    /// The layer, for errors, profiles and tables.
    pub layer: u32,
}

/// One of the user's calls.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramLayer {
    /// Its unique name.
    pub name: Text,
    /// The operator's name.
    pub op: Text,
    /// Its first result; `None` where this mode does not make it, or a pass merged it into another layer.
    pub output: Option<u32>,
    /// Extents of its first result.
    pub shape: List<Dim>,
    /// Its weights and states.
    pub params: List<u32>,
    /// What it reads besides, as declared, one number each; see [`ProgramLayer::operands`].
    pub operands: List<u32>,
    /// Floating-point operations of the forward pass, 2 per multiply-add.
    pub flops: Dim,
}

/// Where an operand of a layer comes from, as the network was declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operand {
    /// From the layer of this number in [`Program::layers`].
    Layer(u32),
    /// The fed value of this number in [`Program::values`].
    Fed(u32),
}

impl Operand {
    /// The bit that tells a value from a layer.
    const FED: u32 = 1 << 31;

    /// As a number of [`ProgramLayer::operands`].
    pub(crate) fn number(self) -> u32 {
        match self {
            Operand::Layer(at) => at,
            Operand::Fed(v) => v | Operand::FED,
        }
    }
}

/// A fact that is checked when symbols are bound.
#[derive(Clone, Debug, PartialEq)]
pub struct ProgramCheck {
    /// Must be at least 0 (or exactly 0).
    pub dim: Dim,
    /// Must be 0.
    pub exact: bool,
    /// Layer, operator and what is wrong when it is not.
    pub message: Text,
}

/// What the internal values take, for any values of the symbols: the arena is one block of
/// `per_symbol · symbol` bytes followed by one of `fixed` bytes. Binding plans again, with the kernels' workspaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramPlan {
    /// The symbol (the batch) that scales the first block; no meaning when that block is empty.
    pub symbol: u16,
    /// Bytes of the first block per unit of the symbol.
    pub per_symbol: u64,
    /// Bytes of the second block.
    pub fixed: u64,
}

/// Where a value lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Not in the arena: fed, kept, or never made.
    Outside,
    /// In the block that scales with the symbol, at `offset · symbol` bytes.
    Scaled(u64),
    /// In the fixed block.
    Fixed(u64),
    /// The memory of another value, which lies outside, from this byte on: a view or a part of it, or what it is made from.
    Within(u32, u64),
}

impl Instr {
    /// The number of its scalar expression.
    pub fn expr(&self) -> Option<u32> {
        match *self {
            Instr::Map(expr) | Instr::MapReduce { expr, .. } => Some(expr),
            _ => None,
        }
    }

    /// Reads that the instruction also updates.
    pub fn mutates(&self) -> &'static [usize] {
        match self {
            Instr::BatchNormTrain(..) => &[3, 4],
            _ => &[],
        }
    }
}

impl Program {
    /// Values whose memory is not in the arena: fed or trained ones, results that the user keeps.
    pub fn outside(&self) -> Vec<bool> {
        let mut out: Vec<bool> = self.values.iter().map(|v| v.role != Role::Internal).collect();
        for v in self.outputs.iter().chain(self.predictions.iter()).chain(self.grads.iter().map(|(_, g)| g)) {
            out[*v as usize] = true;
        }
        out
    }

    /// What every step reads and writes, for the memory planner. Parts of arrays that lie in one piece for all values of the
    /// symbols are no copies; where they begin is known when these are given.
    pub fn accesses(&self, symbols: Option<&[i64]>) -> Vec<Access> {
        let access = |s: &Step| Access {
            reads: s.reads.to_vec(),
            writes: s.writes.to_vec(),
            inplace: self.part(s, symbols).unwrap_or(s.instr.inplace()),
        };
        self.steps.iter().map(access).collect()
    }

    /// The planning problem with the symbols bound by [`Program::bind_symbols`]. The executor may change sizes (layouts)
    /// and add workspaces before it plans.
    pub fn problem(&self, symbols: &[i64]) -> Problem {
        Problem {
            sizes: self.sizes(symbols),
            outside: self.outside(),
            steps: self.accesses(Some(symbols)),
            boundary: self.forward,
        }
    }

    /// Slices and concatenations along the outermost axis that has more than one place.
    fn part(&self, step: &Step, symbols: Option<&[i64]>) -> Option<InPlace> {
        let shape = |v: u32| &self.values[v as usize].shape;
        let extent = |d: &Dim| symbols.and_then(|s| d.eval(s)).or(d.as_const());
        let ones = |dims: &[Dim]| dims.iter().all(|d| extent(d) == Some(1));
        match step.instr {
            Instr::Concat { axis } => {
                ones(&shape(step.writes[0])[..usize::from(axis)]).then_some(InPlace::Concat)
            }
            Instr::Slice { begin, step: by } => {
                let (x, y) = (shape(step.reads[0]), shape(step.writes[0]));
                let cut = x.iter().zip(y.iter()).position(|(a, b)| a != b).unwrap_or(0);
                let rest = x.get(cut + 1..)? == y.get(cut + 1..)?;
                if !rest || !ones(&x[..cut]) || by[..x.len()].iter().any(|s| *s != 1) {
                    return None;
                }
                let size = self.values[step.reads[0] as usize].dtype.size() as i64;
                let inner = x[cut + 1..].iter().try_fold(size, |n, d| n.checked_mul(extent(d)?));
                let from = inner.and_then(|n| n.checked_mul(begin[cut]));
                Some(InPlace::Part(from.and_then(|n| u64::try_from(n).ok()).unwrap_or(0)))
            }
            _ => None,
        }
    }
}

impl ProgramValue {
    /// For generated code.
    pub const fn new(name: &'static str, dtype: DType, shape: &'static [Dim], role: Role) -> ProgramValue {
        ProgramValue { name: text(name), dtype, shape: list(shape), role, layout: Layout::Nchw }
    }
}

#[cfg(test)]
impl Step {
    pub(crate) const fn new(instr: Instr, reads: &'static [u32], writes: &'static [u32], layer: u32) -> Step {
        Step { instr, reads: list(reads), writes: list(writes), layer }
    }
}

#[cfg(test)]
impl ProgramLayer {
    pub(crate) const fn new(
        name: &'static str,
        op: &'static str,
        output: Option<u32>,
        shape: &'static [Dim],
        params: &'static [u32],
        operands: &'static [u32],
        flops: Dim,
    ) -> ProgramLayer {
        ProgramLayer {
            name: text(name),
            op: text(op),
            output,
            shape: list(shape),
            params: list(params),
            operands: list(operands),
            flops,
        }
    }
}

impl ProgramLayer {
    /// What it reads besides weights and states, in the order of the call. The declared network is in these: passes change
    /// steps, not layers.
    pub fn operands(&self) -> impl Iterator<Item = Operand> + '_ {
        self.operands.iter().map(|n| match n & Operand::FED {
            0 => Operand::Layer(*n),
            _ => Operand::Fed(n & !Operand::FED),
        })
    }
}

impl ProgramCheck {
    /// For generated code.
    pub const fn new(dim: Dim, exact: bool, message: &'static str) -> ProgramCheck {
        ProgramCheck { dim, exact, message: text(message) }
    }
}

impl ProgramPlan {
    /// For generated code.
    pub const fn new(symbol: u16, per_symbol: u64, fixed: u64) -> ProgramPlan {
        ProgramPlan { symbol, per_symbol, fixed }
    }

    /// Bytes of the arena with the symbol bound.
    pub const fn bytes(&self, symbol: u64) -> u64 {
        self.per_symbol * symbol + self.fixed
    }
}
