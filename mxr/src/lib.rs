//! mxr: deep learning whose networks are checked, differentiated, fused and planned while they compile.
//!
//! ```
//! use mxr::{Mode, init::Xavier};
//!
//! mxr::network!(
//!     /// A small convolutional network for 8x8 digits.
//!     pub fn Digits(data: Tensor<N, 1, 8, 8>, label: Tensor<N, i64>) {
//!         let conv1 = conv2d(data, 16, kernel = 3, pad = 1);
//!         let pool1 = max_pool(relu(conv1), kernel = 2, stride = 2);
//!         let fc1 = dense(flatten(pool1), 10);
//!         softmax_cross_entropy(fc1, label)
//!     }
//! );
//!
//! let mut net = Digits::bind(32)?; // N = 32
//! net.init(&Xavier::default(), 0)?;
//! net.forward(Mode::Train)?;
//! net.backward()?;
//! assert_eq!(net.grad(Digits::conv1)?.shape(), [16, 1, 3, 3]);
//! # Ok::<(), mxr::Error>(())
//! ```
//!
//! A kernel that does not fit, a misspelt layer or a label of the wrong shape is a compile error on the token that is
//! wrong. See [`network!`] for the language, [`operators`] for what can be called, [`opts`] for the options, [`NDArray`] for eager computing,
//! [`tensor`] for arrays whose shape is a type,
//! [`Symbol`] for networks that are declared at run time, [`train`] for the training loop.
#![deny(unsafe_code)]
#![allow(unused_extern_crates)] // see below: the name is used by generated code

// The generated code says `::mxr::…`, in this crate's own tests as well.
extern crate self as mxr;

#[path = "editor.rs"]
#[doc(hidden)]
pub mod __ide;
mod device;
mod differs;
pub mod engine;
mod error;
mod executor;
pub mod init;
pub mod io;
pub mod metric;
mod ndarray;
pub mod op;
pub mod optimizer;
pub mod opts;
mod passes;
pub mod schedule;
pub mod storage;
mod symbol;
pub mod tensor;
pub mod train;

pub use device::Device;
pub use error::{Error, Result};
pub use executor::{
    BindOptions, Compiled, Executor, GradReq, LayerId, MemoryReport, Mode, Network, Observation, ParamKey,
    Programs, SharedPrograms,
};
pub use mxr_graph::dtype::DType;
pub use mxr_graph::error::ShapeError;
pub use mxr_graph::training::Training;
#[doc = include_str!("language.md")]
pub use mxr_macros::network;
pub use mxr_macros::network_fn;
pub use ndarray::NDArray;
pub use symbol::{Axis, Symbol};

mxr_macros::__operators!(table);

/// The graph compiler: programs, memory plans, schemas of the operators.
pub use mxr_graph as graph;

/// What generated code needs and nobody else.
#[doc(hidden)]
pub mod __private {
    pub use crate::differs::Differs;
    pub use crate::executor::Compiled;
    pub use half::{bf16, f16};
    pub use mxr_graph::dim::{Dim, Mono, Symbol, SymbolDef, Term};
    pub use mxr_graph::dtype::DType;
    pub use mxr_graph::instr::*;
    pub use mxr_graph::memory;
    pub use mxr_graph::program::*;
    pub use mxr_graph::training::Training;
    pub use mxr_kernels::map::Function;
    pub use mxr_kernels::map::function as formula;
    pub use std::sync::LazyLock;
}
