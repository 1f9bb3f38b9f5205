//! Operators of one's own: a type that implements [`Operator`] is computed with as those of the library are.
//!
//! | where | how |
//! |---|---|
//! | arrays | [`NDArray::custom`](crate::NDArray::custom), and [`gradients`] of it |
//! | [`Symbol`](crate::Symbol) | [`Symbol::custom`](crate::Symbol::custom) |
//! | [`network!`](crate::network) | a declaration, `extern "Rust" fn swish(x: Tensor, beta: f32) -> Tensor { Swish { beta } }` |
//!
//! An operator states what comes out of what goes in ([`Operator::infer`]), computes it ([`Operator::forward`]), and, where
//! networks with it are to be trained, says what its gradient needs ([`Operator::gradient`]) and computes that
//! ([`Operator::backward`]). Its options are the fields of its type.
//!
//! ```
//! use mxr::op::{ArrayType, Backward, Forward, Misfit, Needs, OpError, Operator, parallel};
//! use mxr::{NDArray, op};
//!
//! /// `y = x · σ(βx)`.
//! struct Swish {
//!     beta: f32,
//! }
//!
//! fn sigmoid(x: f32) -> f32 {
//!     1.0 / (1.0 + (-x).exp())
//! }
//!
//! impl Operator for Swish {
//!     fn name(&self) -> &str {
//!         "swish"
//!     }
//!
//!     fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
//!         match inputs {
//!             [x] => Ok(vec![x.clone()]),
//!             _ => Err("takes one input".into()),
//!         }
//!     }
//!
//!     fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
//!         let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
//!         parallel::for_each_mut(y, 4096, |block, y| {
//!             for (y, x) in y.iter_mut().zip(&x[4096 * block..]) {
//!                 *y = x * sigmoid(self.beta * x);
//!             }
//!         });
//!         Ok(())
//!     }
//!
//!     fn gradient(&self) -> Option<Needs> {
//!         Some(Needs::INPUTS)
//!     }
//!
//!     fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
//!         let (x, dy) = (cx.inputs.get::<f32>(0)?, cx.output_grads.get::<f32>(0)?);
//!         let dx = cx.input_grads.take::<f32>(0)?;
//!         for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
//!             let s = sigmoid(self.beta * x);
//!             *dx = dy * (s + self.beta * x * s * (1.0 - s));
//!         }
//!         Ok(())
//!     }
//! }
//!
//! let x = NDArray::try_from([-1.0f32, 0.0, 2.0])?;
//! let y = NDArray::custom(Swish { beta: 1.0 }, &[&x])?;
//! assert_eq!(y[0].to_vec::<f32>()?[1], 0.0);
//! op::check_gradients(Swish { beta: 1.5 }, &[&x])?;
//! # Ok::<(), mxr::Error>(())
//! ```
//!
//! # What holds
//!
//! * Results are made of inputs and fields alone: a pass may be run again (in the backward pass of a network that is short of memory), with
//!   the same bits. Work is to be cut by shapes, never by the number of threads; [`parallel`] does.
//! * Arrays are dense and row-major, images `[n, c, h, w]`; what is written is not initialised, and nothing else may be expected in it than
//!   some numbers.
//! * An error and a panic of an operator are errors of the step, delivered where its results are waited for, with the layer.
//! * Operators run on the CPU.

mod arrays;
mod check;
pub(crate) mod kernel;
mod rule;

pub use crate::engine::OpError;
pub use crate::ndarray::gradients;
pub use arrays::{ArrayType, Arrays, ArraysMut};
pub use check::check_gradients;
pub use mxr_graph::instr::MAX_EXTERN as MAX_ARRAYS;
pub(crate) use rule::{refused, results};

use std::sync::Arc;

/// An operator of one's own; see [the module](self).
pub trait Operator: Send + Sync + 'static {
    /// What messages, tables and automatic names of layers call it: lower case, with underscores.
    fn name(&self) -> &str;

    /// How many arrays it makes, at most [`MAX_ARRAYS`]; 1 unless it says otherwise.
    fn results(&self) -> usize {
        1
    }

    /// The shape rule: extents and element types of what comes out of these.
    ///
    /// # Errors
    ///
    /// What it does not take.
    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit>;

    /// Compute all outputs; and what is saved for the backward pass, where there is one ([`Forward::saved`] is empty otherwise).
    ///
    /// # Errors
    ///
    /// What goes wrong; the results count as not made.
    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError>;

    /// What [`Operator::backward`] reads besides the gradients of the outputs: it is kept until then. `None`: there is no gradient,
    /// and a network that needs it is refused when it is bound.
    fn gradient(&self) -> Option<Needs> {
        None
    }

    /// Further arrays that the forward pass makes for the backward pass: masks, places, statistics; none unless it says otherwise.
    fn saved(&self, inputs: &[ArrayType]) -> Vec<ArrayType> {
        let _ = inputs;
        Vec::new()
    }

    /// Compute the gradients of the inputs that are wanted: `dL/dx`, given `dL/dy` for every output. All of each is to be written, where
    /// nothing flows, zeros.
    ///
    /// # Errors
    ///
    /// What goes wrong; the gradients count as not made.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
        let _ = cx;
        Err(OpError::new(
            "it says that it has a gradient (`gradient`), but does not compute one (`backward`)",
        ))
    }
}

/// Whatever shares an operator is one.
impl<T: Operator + ?Sized> Operator for Arc<T> {
    fn name(&self) -> &str {
        (**self).name()
    }

    fn results(&self) -> usize {
        (**self).results()
    }

    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        (**self).infer(inputs)
    }

    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        (**self).forward(cx)
    }

    fn gradient(&self) -> Option<Needs> {
        (**self).gradient()
    }

    fn saved(&self, inputs: &[ArrayType]) -> Vec<ArrayType> {
        (**self).saved(inputs)
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
        (**self).backward(cx)
    }
}

/// What a gradient reads of the forward pass. What it does not need is not kept for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The inputs.
    pub inputs: bool,
    /// The outputs.
    pub outputs: bool,
}

impl Needs {
    /// Neither: what [`Operator::saved`] says is enough.
    pub const NOTHING: Needs = Needs { inputs: false, outputs: false };
    /// The inputs.
    pub const INPUTS: Needs = Needs { inputs: true, outputs: false };
    /// The outputs.
    pub const OUTPUTS: Needs = Needs { inputs: false, outputs: true };
    /// Inputs and outputs.
    pub const BOTH: Needs = Needs { inputs: true, outputs: true };
}

/// Why an operator does not take its inputs: one sentence that goes on from the operator's name ("needs 4 axes"), and what would work.
///
/// ```
/// use mxr::op::Misfit;
/// let misfit = Misfit::new("needs images, `[n, c, h, w]`").help("`reshape` the input");
/// assert_eq!(misfit.to_string(), "needs images, `[n, c, h, w]`");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    message: String,
    help: Option<String>,
}

impl Misfit {
    /// What is wrong.
    pub fn new(message: impl Into<String>) -> Misfit {
        Misfit { message: message.into(), help: None }
    }

    /// And what would work.
    pub fn help(self, help: impl Into<String>) -> Misfit {
        Misfit { help: Some(help.into()), ..self }
    }
}

impl From<&str> for Misfit {
    fn from(message: &str) -> Misfit {
        Misfit::new(message)
    }
}

impl From<String> for Misfit {
    fn from(message: String) -> Misfit {
        Misfit::new(message)
    }
}

impl std::fmt::Display for Misfit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Misfit {}

/// What [`Operator::forward`] works on.
#[non_exhaustive]
pub struct Forward<'a> {
    /// The inputs.
    pub inputs: Arrays<'a>,
    /// The outputs, to be written.
    pub outputs: ArraysMut<'a>,
    /// What [`Operator::saved`] says, to be written; empty where no backward pass follows.
    pub saved: ArraysMut<'a>,
}

/// What [`Operator::backward`] works on.
#[non_exhaustive]
pub struct Backward<'a> {
    /// The inputs; their numbers only where [`Needs`] says so.
    pub inputs: Arrays<'a>,
    /// The outputs; their numbers only where [`Needs`] says so.
    pub outputs: Arrays<'a>,
    /// What the forward pass saved.
    pub saved: Arrays<'a>,
    /// `dL/dy` of every output; zeros where nothing depends on it.
    pub output_grads: Arrays<'a>,
    /// `dL/dx` of every input, to be written where it is [wanted](ArraysMut::is_wanted): that of an input that is not trained and holds no
    /// floating-point numbers never is.
    pub input_grads: ArraysMut<'a>,
}

/// Loops that use the engine's threads: work is cut by its size alone, so that results have the same bits for any number of
/// threads. Called within an operator they run on its threads; nothing else has to be started.
///
/// ```
/// use mxr::op::parallel;
/// let (x, mut y) = (vec![1.0f32; 1000], vec![0.0f32; 1000]);
/// parallel::for_each_mut(&mut y, 256, |block, y| {
///     y.iter_mut().zip(&x[256 * block..]).for_each(|(y, x)| *y = 2.0 * x);
/// });
/// let sum = parallel::map_reduce(10, |block| y[100 * block..][..100].iter().sum::<f32>(), |a, b| a + b);
/// assert_eq!(sum, Some(2000.0));
/// ```
pub mod parallel {
    pub use mxr_kernels::par::{for_blocks, for_each_chunk, for_each_mut, for_each_mut2, map_reduce};
}
