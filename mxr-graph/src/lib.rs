//! The graph compiler of mxr.
//!
//! `network!` runs it inside the compiler, `Symbol` and `NDArray` run it at run time: one implementation of
//! shape rules, gradients, passes and the memory planner, so that both speak the same language and build
//! the same [`Program`](program::Program).
//!
//! ```text
//! graph (ops applied, shapes inferred) -> grad -> passes -> memory -> program
//! ```
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod catalogue;
pub mod compile;
pub mod dim;
pub mod dtype;
pub mod error;
pub mod expr;
pub mod fnv;
pub mod grad;
pub mod graph;
pub mod infer;
pub mod instr;
mod lower;
pub mod memory;
pub mod ops;
pub mod passes;
pub mod program;
pub mod recompute;
pub mod schema;
pub mod shape;
pub mod summary;
#[cfg(test)]
mod testnets;
pub mod training;
pub mod verify;
