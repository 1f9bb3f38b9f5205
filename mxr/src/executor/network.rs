//! What `network!` generates is held together by these types.

use super::{Executor, Mode};
use crate::error::{Error, Result};
use crate::op::Operator;
use crate::tensor::{Batch, Results, results};
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

    /// What it is trained on: its inputs in the order of declaration, one [`Tensor`](crate::tensor::Tensor) or a tuple of them.
    type Inputs;

    /// What a prediction reads: the inputs without those that only losses need.
    type Data;

    /// What it returns in training: its losses, and what else it returns.
    type Outputs: Results;

    /// What it returns in prediction, where losses are replaced by what they predict.
    type Predictions: Results;

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

    /// Fills all inputs. What has another shape or element type than the network was declared with does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use mxr::{Network, tensor::{Tensor, shape}};
    /// # mxr::network!(
    /// #     pub fn Digits(data: Tensor<N, 1, 28, 28>, label: Tensor<N, i64>) {
    /// #         softmax_cross_entropy(dense(flatten(data), 10), label)
    /// #     }
    /// # );
    /// fn feed(net: &Digits, x: &Tensor<f32, shape![N, 1, 32, 32]>, y: &Tensor<i64, shape![N]>) -> mxr::Result<()> {
    ///     net.feed((x, y)) // no batch of `Tensor<f32, (Sym<'N'>, D<1>, D<28>, D<28>)>`
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// When a symbol is not what the network was bound with.
    #[track_caller]
    fn feed<B: Batch<Self::Inputs>>(&self, batch: B) -> Result<()> {
        let program = Self::PROGRAMS.train().unwrap_or_else(|| Self::PROGRAMS.predict());
        feed(self.executor(), program, batch)
    }

    /// One step of training but for the update: fills all inputs, runs the forward and the backward pass and gives what the network
    /// returns, its losses. Returns at once.
    ///
    /// ```
    /// # use mxr::{Network, tensor::{Tensor, shape}, optimizer::{Sgd, Updater}, init::Xavier};
    /// mxr::network!(
    ///     pub fn Digits(data: Tensor<N, 1, 28, 28>, label: Tensor<N, i64>) {
    ///         softmax_cross_entropy(dense(flatten(data), 10), label)
    ///     }
    /// );
    ///
    /// let mut net = Digits::bind(2)?;
    /// let mut updater = Updater::new(&net, Sgd::new(0.1))?;
    /// let pictures = Tensor::<f32, shape![2, 1, 28, 28]>::zeros()?;
    /// let labels = Tensor::<i64, shape![2]>::from_slice(&[3, 7])?;
    /// let loss = net.train((&pictures, &labels))?; // Tensor<f32, shape![]>
    /// updater.update();
    /// assert!((loss.item()? - 10f32.ln()).abs() < 1e-6);
    ///
    /// let probabilities: Tensor<f32, shape![N, 10]> = net.predict(&pictures)?;
    /// assert_eq!(probabilities.shape(), [2, 10]);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Network::feed`], and when the network only predicts.
    #[track_caller]
    fn train<B: Batch<Self::Inputs>>(&mut self, batch: B) -> Result<Self::Outputs> {
        self.feed(batch)?;
        self.executor_mut().forward(Mode::Train)?;
        self.executor_mut().backward()?;
        results(self.executor())
    }

    /// What the network predicts for a batch: fills the inputs that are read, runs the forward pass and gives the results, which are
    /// the network's own arrays, so that the next prediction overwrites them. Returns at once.
    ///
    /// # Errors
    ///
    /// When a symbol is not what the network was bound with, or it was bound for [other results](crate::BindOptions::outputs) than its types
    /// say: another number of them, or of other shapes.
    #[track_caller]
    fn predict<B: Batch<Self::Data>>(&mut self, data: B) -> Result<Self::Predictions> {
        feed(self.executor(), Self::PROGRAMS.predict(), data)?;
        self.executor_mut().forward(Mode::Predict)?;
        results(self.executor())
    }
}

/// Fills the inputs of a program.
#[track_caller]
fn feed<I, B: Batch<I>>(net: &Executor, program: &'static Program, batch: B) -> Result<()> {
    let mut names = program.inputs.iter().map(|v| &*program.values[*v as usize].name);
    batch.feed(net, &mut names)?;
    match names.next() {
        None => Ok(()),
        Some(missing) => Err(Error::invalid(
            format!("{}.feed", net.name()),
            format!("there is no array for input `{missing}`"),
            "give one for each input, in the order of declaration",
        )),
    }
}
