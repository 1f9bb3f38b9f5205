//! Memory of arrays: aligned blocks from a pool, and checked views that only a running operation can get.
//!
//! A [`Buffer`] is a piece of memory with its own engine variable. Nothing outside an operation can look at its bytes, and
//! an operation only if it listed the variable; that is checked at run time, so no caller needs unsafe code:
//!
//! ```
//! use mxr::engine::Engine;
//! use mxr::storage::Buffer;
//!
//! let engine = Engine::threaded(2);
//! let (x, y) = (Buffer::from_slice(&[1.0f32, 2.0, 3.0])?, Buffer::new(12)?);
//! let (xs, ys) = (x.clone(), y.clone());
//! engine.push(&[x.var()], &[y.var()], "double", move |ctx| {
//!     let (xs, ys) = (ctx.read_as::<f32>(&xs)?, ctx.write_as::<f32>(&ys)?);
//!     ys.iter_mut().zip(xs).for_each(|(y, x)| *y = 2.0 * x);
//!     Ok(())
//! });
//! // On this thread, when its turn has come:
//! assert_eq!(y.read_with(&engine, |bytes| bytes.len())?, 12);
//! assert_eq!(y.to_vec::<f32>(&engine)?, [2.0, 4.0, 6.0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`RunContext::read`](crate::engine::RunContext::read) and `write` lend a whole buffer until the operation ends. Steps
//! of a plan work on parts of an arena, several of them mutable at once: [`Operands`] is such a list of parts, proven
//! disjoint when it is made, and [`RunContext::with`](crate::engine::RunContext::with) lends them for one call, without
//! allocation, as often as wanted:
//!
//! ```
//! use mxr::engine::Engine;
//! use mxr::storage::{Buffer, Operands};
//!
//! let engine = Engine::serial();
//! let (arena, weight) = (Buffer::zeroed(256)?, Buffer::from_slice(&[3u8; 64])?);
//! let step = Operands::builder().read(&weight, 0..64).write(&arena, 0..64).write(&arena, 128..192).build()?;
//! let vars = step.vars();
//! let prepared = engine.prepare(&vars.reads(), &vars.writes(), "fill", move |ctx| {
//!     ctx.with(&step, |reads, writes| {
//!         writes[0].copy_from_slice(reads[0]);
//!         writes[1].fill(7);
//!     })?;
//!     Ok(())
//! });
//! engine.push_prepared(&prepared);
//! arena.read_with(&engine, |bytes| assert_eq!((bytes[63], bytes[64], bytes[128]), (3, 0, 7)))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Memory comes from one pool for the process. A buffer takes its block when it is first touched, or by
//! [`Buffer::allocate`]; running out of memory is an error value. A freed block is kept for the next buffer of about its
//! size; [`stats`], [`trim`] and [`set_cache_limit`] look after what is kept.

#![allow(unsafe_code)] // Raw blocks and the views into them; each use has its reason beside it.

mod access;
mod buffer;
mod error;
mod operands;
mod plain;
mod pool;

pub use buffer::Buffer;
pub use error::StorageError;
pub use operands::{Operands, OperandsBuilder, VarLists};
pub use plain::{bytes_of, slice_of, slice_of_mut};
pub use pool::{ALIGNMENT, PoolStats, set_cache_limit, stats, trim};
