//! The graph compiler of mxr.
//!
//! `network!` runs it inside the compiler, `Symbol` and `NDArray` run it at run time: one implementation of
//! shape rules, gradients, passes and the memory planner, so that both speak the same language and build
//! the same [`Program`](program::Program).
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod dtype;
pub mod instr;
