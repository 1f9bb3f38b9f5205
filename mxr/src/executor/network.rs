//! What `network!` generates is held together by these types.

use super::Executor;
use crate::error::Result;
use crate::op::Operator;
use mxr_graph::dtype::DType;
use mxr_graph::instr::Scalar;
use mxr_graph::program::Program;
use mxr_kernels::map::Function;
use std::fmt;
use std::sync::Arc;

/// A layer of a network, by number and name: `LeNet::conv1`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct LayerId {
    index: u32,
    name: &'static str,
}

impl LayerId {
    /// Made by `network!`.
    #[doc(hidden)]
    pub const fn new(index: u32, name: &'static str) -> LayerId {
        LayerId { index, name }
    }

    /// Its place in the order of declaration.
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl AsRef<str> for LayerId {
    fn as_ref(&self) -> &str {
        self.name
    }
}

impl fmt::Debug for LayerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The compiled forms of a network.
#[derive(Clone, Copy, Debug)]
pub struct Programs {
    /// Forward and backward; `None` for a network that only predicts.
    pub train: Option<&'static Program>,
    /// Forward alone, without what only training needs.
    pub predict: &'static Program,
    /// Elementwise expressions of both that were compiled as functions.
    pub functions: &'static [Compiled],
    /// What makes the [operators of the user's](crate::op) that both call, by the numbers of their calls.
    pub operators: &'static [fn() -> Arc<dyn Operator>],
}

impl Programs {
    pub(super) fn operators(&self) -> Vec<Arc<dyn Operator>> {
        self.operators.iter().map(|make| make()).collect()
    }
}

/// An elementwise expression with the function that rustc made of it.
#[derive(Clone, Copy, Debug)]
pub struct Compiled {
    expr: &'static [Scalar],
    function: Function,
}

impl Compiled {
    /// Made by `network!`.
    #[doc(hidden)]
    pub const fn new(expr: &'static [Scalar], function: Function) -> Compiled {
        Compiled { expr, function }
    }

    /// The function of an expression over elements of this type, if it is in the list.
    pub(crate) fn of(list: &[Compiled], expr: &[Scalar], dtype: DType) -> Option<Function> {
        // Constants by their bits: −0 is another function than 0.
        let same = |(a, b): (&Scalar, &Scalar)| match (a, b) {
            (Scalar::Const(a), Scalar::Const(b)) => a.to_bits() == b.to_bits(),
            _ => a == b,
        };
        let found = list.iter().find(|c| {
            c.function.dtype() == dtype && c.expr.len() == expr.len() && c.expr.iter().zip(expr).all(same)
        });
        found.map(|c| c.function)
    }
}

/// A network that `network!` declared.
pub trait Network: Sized {
    /// What the macro compiled.
    const PROGRAMS: &'static Programs;

    /// The network around a bound executor.
    fn from_executor(executor: Executor) -> Self;

    /// Its executor.
    fn executor(&self) -> &Executor;

    /// Its executor, to run it.
    fn executor_mut(&mut self) -> &mut Executor;

    /// Bind with the values of the symbols by name, for code that is generic over networks.
    fn bind_symbols(symbols: &[(&str, usize)], options: super::BindOptions) -> Result<Self> {
        Executor::bind(Self::PROGRAMS, symbols, options).map(Self::from_executor)
    }
}
