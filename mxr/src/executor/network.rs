//! What `network!` generates is held together by these types.

use super::Executor;
use crate::error::Result;
use crate::op::Operator;
use mxr_graph::dtype::DType;
use mxr_graph::instr::Scalar;
use mxr_graph::program::Program;
use mxr_kernels::map::Function;
use std::fmt;
use std::sync::{Arc, LazyLock};

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

/// The compiled forms of a network, each put together from the macro's tables when it is first asked for, in microseconds.
#[derive(Debug)]
pub struct Programs {
    train: Option<&'static LazyLock<Program>>,
    predict: &'static LazyLock<Program>,
    functions: &'static [Compiled],
    /// What makes the [operators of the user's](crate::op), by the numbers of their calls.
    operators: &'static [fn() -> Arc<dyn Operator>],
}

impl Programs {
    /// Made by `network!`.
    #[doc(hidden)]
    pub const fn new(
        train: Option<&'static LazyLock<Program>>,
        predict: &'static LazyLock<Program>,
        functions: &'static [Compiled],
        operators: &'static [fn() -> Arc<dyn Operator>],
    ) -> Programs {
        Programs { train, predict, functions, operators }
    }

    /// Forward and backward; `None` for a network that only predicts.
    pub fn train(&self) -> Option<&'static Program> {
        self.train.map(|p| &**p)
    }

    /// Forward alone, without what only training needs.
    pub fn predict(&self) -> &'static Program {
        self.predict
    }

    /// Elementwise expressions of both that were compiled as functions.
    pub fn functions(&self) -> &'static [Compiled] {
        self.functions
    }

    /// The same network without its training, which then takes no memory when it is bound.
    pub const fn predicting(&self) -> Programs {
        Programs { train: None, ..*self }
    }

    /// The operators of the user's that both call, by the numbers of their calls.
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
