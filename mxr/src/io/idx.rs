//! idx-ubyte files, the format of MNIST: a few big-endian words, then the elements. Plain or gzipped, which is
//! told by the first bytes and not by the name.
//!
//! The file's i16 becomes i32. Memory for a gzipped file grows with what really comes out of it.

use std::io::{Cursor, Read, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use mxr_graph::dtype::DType;

use super::array::HostArray;
use super::error::{FormatError, FormatErrorKind};
use super::input::{self, ByteOrder, FileType, Input, MAX_DIMS, ReadSeek};

/// Reads an idx file.
///
/// # Errors
/// When the file cannot be read or is damaged.
pub fn read(path: impl AsRef<Path>) -> Result<HostArray, FormatError> {
    let path = path.as_ref();
    let (reader, length) = input::open(path)?;
    decode(reader, length, path.display().to_string())
}

/// Reads an idx file that is in memory.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8]) -> Result<HostArray, FormatError> {
    decode(Cursor::new(bytes), bytes.len() as u64, "idx".to_string())
}

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The largest ratio of deflate: a repeated byte takes 1032 times less.
const MAX_RATIO: u64 = 1032;

fn decode(mut reader: impl ReadSeek, length: u64, what: String) -> Result<HostArray, FormatError> {
    let mut start = Vec::new();
    let sniffed = (&mut reader).take(2).read_to_end(&mut start).and_then(|_| reader.seek(SeekFrom::Start(0)));
    sniffed.map_err(|e| FormatError::io(what.clone(), "read it", e))?;
    if start == GZIP {
        let bound = length.saturating_mul(MAX_RATIO);
        elements(Input::at_most(MultiGzDecoder::new(reader), bound, format!("{what} (unzipped)")))
    } else {
        elements(Input::exactly(reader, length, what))
    }
}

fn elements<R: Read>(mut input: Input<R>) -> Result<HostArray, FormatError> {
    let [zero0, zero1, code, ndim]: [u8; 4] = input.bytes("the magic number")?;
    let file_type = match (zero0, zero1, code) {
        (0, 0, 0x08) => FileType::Held(DType::U8),
        (0, 0, 0x09) => FileType::Held(DType::I8),
        (0, 0, 0x0B) => FileType::I16,
        (0, 0, 0x0C) => FileType::Held(DType::I32),
        (0, 0, 0x0D) => FileType::Held(DType::F32),
        (0, 0, 0x0E) => FileType::Held(DType::F64),
        _ => {
            return Err(input.error_at(
                0,
                FormatErrorKind::Malformed,
                format!("the file starts with {zero0:02x} {zero1:02x} {code:02x}, which names no idx type"),
                "idx files start with two zeros and a type (08 09 0b 0c 0d 0e); MNIST's images with 00 00 08 03",
            ));
        }
    };
    let ndim = usize::from(ndim);
    if ndim > MAX_DIMS {
        return Err(input.error_at(
            3,
            FormatErrorKind::Malformed,
            format!("{ndim} dimensions"),
            "arrays have up to 32 dimensions; the file is damaged",
        ));
    }
    let mut shape = Vec::with_capacity(ndim);
    for _ in 0..ndim {
        let extent = u32::from_be_bytes(input.bytes("an extent")?);
        shape.push(extent as usize);
    }
    let array = input.array("idx", file_type, ByteOrder::Big, shape)?;
    input.finish()?;
    Ok(array)
}
