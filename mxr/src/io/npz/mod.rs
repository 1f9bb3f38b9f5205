//! numpy's archives (`.npz`): several `.npy` arrays in a ZIP file, stored or deflated.
//!
//! The ZIP container has a small reader and writer of its own (`zip.rs`) instead of a crate: the common crate brings
//! several more crates and features (encryption, time stamps, other compressors) that archives of arrays never use,
//! while the inflater and the checksum are there anyway for gzipped MNIST files. Memory for a deflated member grows
//! with what really comes out of it, never with the size it claims.

mod zip;

use std::io::{Read, Seek, Write};
use std::path::Path;

use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use flate2::{Compression, Crc, CrcReader};

use self::zip::{Archive, Directory, Member, Method};
use super::array::HostArray;
use super::atomic::{Output, write_atomic};
use super::error::{FormatError, FormatErrorKind};
use super::input::Input;
use super::named::{NamedArrays, distinct};
use super::npy;

/// Reads all arrays of an archive, in its order. Their names are those of the members without `.npy`.
///
/// # Errors
/// When the file cannot be read, is damaged, or has a member that is not an array of a known type.
pub fn read(path: impl AsRef<Path>) -> Result<NamedArrays, FormatError> {
    decode(Input::open(path.as_ref())?)
}

/// Reads an archive that is in memory.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8]) -> Result<NamedArrays, FormatError> {
    decode(Input::exactly(std::io::Cursor::new(bytes), bytes.len() as u64, "npz"))
}

/// Writes arrays without compression, atomically, like numpy's `savez`.
///
/// # Errors
/// When two names are equal, an array is bf16 (which numpy does not have), or the file cannot be written.
pub fn write<'a>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
) -> Result<(), FormatError> {
    write_with(path.as_ref(), arrays, Method::Stored)
}

/// Writes arrays deflated, atomically, like numpy's `savez_compressed`.
///
/// # Errors
/// As [`write()`].
pub fn write_compressed<'a>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
) -> Result<(), FormatError> {
    write_with(path.as_ref(), arrays, Method::Deflated)
}

/// The bytes that [`write()`] puts into a file, or [`write_compressed`] when `compressed`.
///
/// # Errors
/// As [`write()`], except those of the disk.
pub fn to_bytes<'a>(
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
    compressed: bool,
) -> Result<Vec<u8>, FormatError> {
    let entries = distinct("npz", arrays)?;
    let mut bytes = Vec::new();
    encode("npz", &mut bytes, &entries, if compressed { Method::Deflated } else { Method::Stored })?;
    Ok(bytes)
}

fn decode<R: Read + Seek>(mut input: Input<R>) -> Result<NamedArrays, FormatError> {
    let Directory { members } = zip::directory(&mut input)?;
    let mut arrays = NamedArrays::new();
    for member in members {
        let Some(name) = member.name.strip_suffix(".npy") else {
            return Err(input.error_at(
                member.header_at,
                FormatErrorKind::Unsupported,
                format!("the member `{}` is not an array", member.name),
                "an npz archive holds `.npy` members only; remove the others",
            ));
        };
        if arrays.contains(name) {
            return Err(input.error_at(
                member.header_at,
                FormatErrorKind::Duplicate,
                format!("two members have the name `{}`", member.name),
                "it is not clear which array is meant; write the archive again",
            ));
        }
        let array = member_array(&mut input, &member, name)?;
        arrays.push(name, array)?;
    }
    Ok(arrays)
}

fn member_array<R: Read + Seek>(
    input: &mut Input<R>,
    member: &Member,
    name: &str,
) -> Result<HostArray, FormatError> {
    zip::seek_to_content(input, member)?;
    let what = format!("{}, member `{}`", input.what(), member.name);
    let content = input.part().take(member.packed);
    // The member's own reader goes to its end, so that the checksum covers all of it.
    let (array, crc, size, packed) = match member.method {
        Method::Stored => {
            let mut content = CrcReader::new(content);
            let array = npy::decode(&mut Input::exactly(&mut content, member.size, what), name)?;
            (array, content.crc().sum(), member.size, member.packed)
        }
        Method::Deflated => {
            let mut content = CrcReader::new(DeflateDecoder::new(content));
            let array = npy::decode(&mut Input::at_most(&mut content, member.size, what), name)?;
            let inflated = content.get_ref();
            (array, content.crc().sum(), inflated.total_out(), inflated.total_in())
        }
    };
    if (crc, size, packed) != (member.crc, member.size, member.packed) {
        return Err(input.error_at(
            member.header_at,
            FormatErrorKind::Malformed,
            format!(
                "the content of member `{}` does not have the checksum and size of the archive",
                member.name
            ),
            "the file is damaged; copy or write it again",
        ));
    }
    Ok(array)
}

fn write_with<'a>(
    path: &Path,
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
    method: Method,
) -> Result<(), FormatError> {
    let what = path.display().to_string();
    let entries = distinct(&what, arrays)?;
    write_atomic(path, |out| encode(&what, out, &entries, method))
}

fn encode(
    what: &str,
    out: &mut dyn Write,
    entries: &[(&str, &HostArray)],
    method: Method,
) -> Result<(), FormatError> {
    let mut archive = Archive::new(Output::new(out, what), what);
    for (name, array) in entries {
        let header = npy::header(what, array)?;
        let elements = array.le_bytes();
        let mut crc = Crc::new();
        crc.update(&header);
        crc.update(&elements);
        let size = (header.len() + elements.len()) as u64;
        let name = format!("{name}.npy");
        match method {
            Method::Stored => archive.member(name, method, crc.sum(), size, &[&header, &elements])?,
            Method::Deflated => {
                let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
                let packed = encoder.write_all(&header).and_then(|()| encoder.write_all(&elements));
                let packed = packed.and_then(|()| encoder.finish());
                let packed = packed.map_err(|e| FormatError::io(what, "compress it", e))?;
                archive.member(name, method, crc.sum(), size, &[&packed])?;
            }
        }
    }
    archive.finish()
}
