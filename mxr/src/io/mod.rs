//! Files and data sources: readers and writers of array formats, iterators over training data, checkpoints.
//!
//! | module | formats |
//! |---|---|
//! | [`params`] | MXNet `.params` (versions 0 to 3 read, 2 written) |
//! | [`safetensors`] | safetensors |
//! | [`npy`], [`npz`] | numpy's array files and archives |
//! | [`idx`] | idx-ubyte (MNIST), plain or gzipped |
//! | [`csv`] | tables of numbers as text |
//! | [`iter`] | batches for training: in memory, MNIST, CSV; seeded shuffling and exact resume |
//! | [`checkpoint`] | the names of a checkpoint's files |
//!
//! Every reader treats its input as hostile: lengths are compared with what the file still has before memory is
//! taken, names occur once, the file ends where its format says. What is wrong comes back as a [`FormatError`]
//! that says what, where and what to do; nothing panics. Files are written atomically ([`write_atomic`]).
//!
//! Element types that have no counterpart are widened where nothing is lost (i16 and u16 to i32, u32 to i64) and
//! refused otherwise (u64, complex numbers, text).

mod array;
mod atomic;
pub mod checkpoint;
pub mod csv;
mod error;
pub mod idx;
mod input;
pub mod iter;
mod named;
pub mod npy;
pub mod npz;
pub mod params;
pub mod safetensors;

pub use array::{HostArray, HostElement};
pub use atomic::write_atomic;
pub use error::{FormatError, FormatErrorKind, Place};
pub use named::{Iter as NamedIter, NamedArrays};
