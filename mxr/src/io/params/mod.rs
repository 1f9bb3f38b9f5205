//! MXNet's parameter files (`.params`, `.nd`): every version is read, version 2 is written byte for byte as
//! MXNet 1.x writes it.
//!
//! A file holds a list of arrays and either no names or one per array. Checkpoints prefix the names with `arg:`
//! (weights) or `aux:` (running statistics); [`checkpoint::split_roles`](super::checkpoint::split_roles) takes
//! the prefixes off.
//!
//! What a reader should know:
//! * i16 and u16 arrays become i32, u32 arrays become i64; u64 has no counterpart and is refused by name.
//! * Sparse arrays (`row_sparse`, `csr`) become dense. How much memory that may take is bounded, because a few
//!   bytes can describe a huge matrix of zeros: see [`Options::max_dense_bytes`].
//! * An entry that MXNet calls an uninitialised array has no elements; it is read as an empty f32 array, `[0]`.
//! * The device on which an array lived is ignored.

mod read;
mod sparse;
mod write;

use std::path::Path;

use mxr_graph::dtype::DType;

use super::array::HostArray;
use super::error::FormatError;
use super::input::{FileType, Input};
use super::named::NamedArrays;

pub use write::{to_bytes, to_bytes_list, write, write_list};

/// The content of a `.params` file.
#[derive(Clone, Debug)]
pub enum Params {
    /// Arrays with names, as checkpoints have them.
    Named(NamedArrays),
    /// Arrays without names.
    List(Vec<HostArray>),
}

/// How to read a `.params` file.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// The most bytes that the sparse arrays of a file may take together once they are dense. By default 16 MiB
    /// plus 64 times the size of the file.
    pub max_dense_bytes: Option<u64>,
}

/// Reads the named arrays of a `.params` file.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds arrays without names (then use [`read_with`]).
pub fn read(path: impl AsRef<Path>) -> Result<NamedArrays, FormatError> {
    let path = path.as_ref();
    match read_with(path, Options::default())? {
        Params::Named(arrays) => Ok(arrays),
        Params::List(arrays) if arrays.is_empty() => Ok(NamedArrays::new()),
        Params::List(arrays) => Err(FormatError::argument(
            path.display().to_string(),
            format!("its {} arrays have no names", arrays.len()),
            "read it with `params::read_with`, which also gives plain lists",
        )),
    }
}

/// Reads a `.params` file, with or without names.
///
/// # Errors
/// When the file cannot be read or is damaged; see [`Options`] for the limit on sparse arrays.
pub fn read_with(path: impl AsRef<Path>, options: Options) -> Result<Params, FormatError> {
    read::read(Input::open(path.as_ref())?, options)
}

/// Reads a `.params` file that is in memory.
///
/// # Errors
/// As [`read_with`].
pub fn from_bytes(bytes: &[u8], options: Options) -> Result<Params, FormatError> {
    read::read(Input::exactly(bytes, bytes.len() as u64, "params"), options)
}

const LIST_MAGIC: u64 = 0x112;
const V1: u32 = 0xF993_FAC8;
const V2: u32 = 0xF993_FAC9;
const V3: u32 = 0xF993_FACA;
const CPU: i32 = 1;

/// MXNet's element type codes, at their index.
const TYPES: [FileType; 13] = [
    FileType::Held(DType::F32),
    FileType::Held(DType::F64),
    FileType::Held(DType::F16),
    FileType::Held(DType::U8),
    FileType::Held(DType::I32),
    FileType::Held(DType::I8),
    FileType::Held(DType::I64),
    FileType::Held(DType::Bool),
    FileType::I16,
    FileType::U16,
    FileType::U32,
    FileType::U64,
    FileType::Held(DType::Bf16),
];
