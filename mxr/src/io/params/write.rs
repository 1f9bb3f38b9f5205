//! The writer.

use std::io::Write;
use std::path::Path;

use super::super::array::HostArray;
use super::super::atomic::{Output, write_atomic};
use super::super::error::FormatError;
use super::super::input::FileType;
use super::super::named::distinct;
use super::{CPU, LIST_MAGIC, TYPES, V2, V3};

/// Writes arrays and their names as MXNet 1.x does, atomically.
///
/// Version 2 cannot hold a scalar or an empty array; a file with one of these is written in version 3, which
/// MXNet opens under `npx.set_np()`.
///
/// # Errors
/// When two names are equal or the file cannot be written.
pub fn write<'a>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
) -> Result<(), FormatError> {
    let what = path.as_ref().display().to_string();
    let entries = distinct(&what, arrays)?;
    write_atomic(path, |out| encode(&what, out, &entries, true))
}

/// Writes arrays without names, atomically.
///
/// # Errors
/// When the file cannot be written.
pub fn write_list<'a>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = &'a HostArray>,
) -> Result<(), FormatError> {
    let what = path.as_ref().display().to_string();
    let entries: Vec<_> = arrays.into_iter().map(|array| ("", array)).collect();
    write_atomic(path, |out| encode(&what, out, &entries, false))
}

/// The bytes that [`write()`] puts into a file.
///
/// # Errors
/// When two names are equal.
pub fn to_bytes<'a>(
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
) -> Result<Vec<u8>, FormatError> {
    let entries = distinct("params", arrays)?;
    let mut bytes = Vec::new();
    encode("params", &mut bytes, &entries, true)?;
    Ok(bytes)
}

/// The bytes that [`write_list`] puts into a file.
///
/// # Errors
/// None of its own: a vector takes every write.
pub fn to_bytes_list<'a>(arrays: impl IntoIterator<Item = &'a HostArray>) -> Result<Vec<u8>, FormatError> {
    let entries: Vec<_> = arrays.into_iter().map(|array| ("", array)).collect();
    let mut bytes = Vec::new();
    encode("params", &mut bytes, &entries, false)?;
    Ok(bytes)
}

fn encode(
    what: &str,
    out: &mut dyn Write,
    entries: &[(&str, &HostArray)],
    named: bool,
) -> Result<(), FormatError> {
    let mut out = Output::new(out, what);
    let numpy_shapes = entries.iter().any(|(_, array)| array.shape().is_empty() || array.is_empty());
    out.bytes(&LIST_MAGIC.to_le_bytes())?;
    out.bytes(&0u64.to_le_bytes())?;
    out.bytes(&(entries.len() as u64).to_le_bytes())?;
    for (_, array) in entries {
        out.bytes(&if numpy_shapes { V3 } else { V2 }.to_le_bytes())?;
        out.bytes(&0i32.to_le_bytes())?;
        out.bytes(&(array.shape().len() as i32).to_le_bytes())?;
        for &extent in array.shape() {
            out.bytes(&(extent as i64).to_le_bytes())?;
        }
        out.bytes(&CPU.to_le_bytes())?;
        out.bytes(&0i32.to_le_bytes())?;
        let code = TYPES.iter().position(|&t| t == FileType::Held(array.dtype()));
        out.bytes(&(code.expect("MXNet has a code for every element type") as i32).to_le_bytes())?;
        out.bytes(&array.le_bytes())?;
    }
    if !named {
        return out.bytes(&0u64.to_le_bytes());
    }
    out.bytes(&(entries.len() as u64).to_le_bytes())?;
    for (name, _) in entries {
        out.bytes(&(name.len() as u64).to_le_bytes())?;
        out.bytes(name.as_bytes())?;
    }
    Ok(())
}
