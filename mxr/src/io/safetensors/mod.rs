//! safetensors, read and written: a JSON header that names arrays, then their elements.
//!
//! Every rule of the format is checked: the ranges of the arrays fit type and shape, do not overlap, leave no
//! hole and cover the data exactly; names occur once. I16 and U16 become i32, U32 becomes i64; U64 and the 8-bit
//! floats have no counterpart and are refused by name. Files are written with the layout of the reference
//! implementation, byte for byte: wide types first, then by name, the header padded to 8 bytes.

mod header;

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::Path;

use mxr_graph::dtype::DType;

use self::header::{Header, Info};
use super::array::HostArray;
use super::atomic::{Output, write_atomic};
use super::error::{FormatError, FormatErrorKind};
use super::input::{ByteOrder, FileType, Input, MAX_NAME};
use super::named::{NamedArrays, distinct};

/// The content of a safetensors file.
#[derive(Clone, Debug, Default)]
pub struct SafeTensors {
    /// The arrays in the order of the header.
    pub arrays: NamedArrays,
    /// The file's `__metadata__`.
    pub metadata: BTreeMap<String, String>,
}

/// Reads a safetensors file.
///
/// # Errors
/// When the file cannot be read, breaks a rule of the format, or holds a type that has no counterpart.
pub fn read(path: impl AsRef<Path>) -> Result<SafeTensors, FormatError> {
    decode(Input::open(path.as_ref())?)
}

/// Reads a safetensors file that is in memory.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8]) -> Result<SafeTensors, FormatError> {
    decode(Input::exactly(bytes, bytes.len() as u64, "safetensors"))
}

/// Writes arrays, and metadata if there is any, atomically.
///
/// # Errors
/// When two names are equal, a name is `__metadata__`, or the file cannot be written.
pub fn write<'a>(
    path: impl AsRef<Path>,
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), FormatError> {
    let what = path.as_ref().display().to_string();
    let entries = in_order(&what, arrays)?;
    write_atomic(path, |out| encode(&what, out, &entries, metadata))
}

/// The bytes that [`write()`] puts into a file.
///
/// # Errors
/// As [`write()`], except those of the disk.
pub fn to_bytes<'a>(
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, FormatError> {
    let entries = in_order("safetensors", arrays)?;
    let mut bytes = Vec::new();
    encode("safetensors", &mut bytes, &entries, metadata)?;
    Ok(bytes)
}

/// The reference implementation's limit.
const MAX_HEADER: u64 = 100_000_000;

/// Names of the types, and their order in a written file: the reference implementation's, backwards.
const TYPES: [(&str, FileType); 13] = [
    ("U64", FileType::U64),
    ("I64", FileType::Held(DType::I64)),
    ("F64", FileType::Held(DType::F64)),
    ("F32", FileType::Held(DType::F32)),
    ("U32", FileType::U32),
    ("I32", FileType::Held(DType::I32)),
    ("BF16", FileType::Held(DType::Bf16)),
    ("F16", FileType::Held(DType::F16)),
    ("U16", FileType::U16),
    ("I16", FileType::I16),
    ("I8", FileType::Held(DType::I8)),
    ("U8", FileType::Held(DType::U8)),
    ("BOOL", FileType::Held(DType::Bool)),
];

fn decode<R: Read>(mut input: Input<R>) -> Result<SafeTensors, FormatError> {
    let length = input.u64("the header's length")?;
    let json = input.blob(length, MAX_HEADER, "the header")?;
    let header = Header::parse(&json).map_err(|e| {
        // The header is one line in practice, so that its column is a place in the file.
        let at = if e.line() == 1 { 8 + e.column().saturating_sub(1) as u64 } else { 8 };
        input.error_at(
            at,
            FormatErrorKind::Malformed,
            format!("the header is not what safetensors prescribes: {e}"),
            "the file is damaged or of another format",
        )
    })?;

    let mut seen = std::collections::HashSet::new();
    let names = header.tensors.iter().map(|(name, _)| ("arrays", name));
    let keys = header.metadata.iter().map(|(key, _)| ("metadata entries", key));
    if let Some((kind, name)) = names.chain(keys).find(|entry| !seen.insert(*entry)) {
        return Err(input.error_at(
            8,
            FormatErrorKind::Duplicate,
            format!("two {kind} have the name `{name}`"),
            "it is not clear which is meant; write the file again",
        ));
    }
    let plan = plan(&input, &header.tensors)?;

    let mut arrays: Vec<Option<HostArray>> = header.tensors.iter().map(|_| None).collect();
    for Planned { index, file_type, shape } in plan {
        let name = &header.tensors[index].0;
        arrays[index] = Some(input.array(name, file_type, ByteOrder::Little, shape)?);
    }
    input.finish()?;

    let mut result = SafeTensors { metadata: header.metadata.into_iter().collect(), ..Default::default() };
    for ((name, _), array) in header.tensors.into_iter().zip(arrays) {
        result.arrays.push(name, array.expect("the plan names every array once"))?;
    }
    Ok(result)
}

/// An array in the order of the data.
struct Planned {
    index: usize,
    file_type: FileType,
    shape: Vec<usize>,
}

/// Checks types, sizes and ranges of all arrays against each other and the length of the data.
fn plan<R: Read>(input: &Input<R>, tensors: &[(String, Info)]) -> Result<Vec<Planned>, FormatError> {
    let malformed = |problem: String| {
        input.error_at(8, FormatErrorKind::Malformed, problem, "the file is damaged; write or copy it again")
    };
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by_key(|&i| (tensors[i].1.begin, tensors[i].1.end));
    let mut end = 0;
    let mut before = "the start of the data";
    let mut plan = Vec::with_capacity(order.len());
    for index in order {
        let (name, info) = &tensors[index];
        if name.len() as u64 > MAX_NAME {
            return Err(malformed(format!("the name of an array is {} bytes long", name.len())));
        }
        let Some(&(_, file_type)) = TYPES.iter().find(|(type_name, _)| *type_name == info.dtype) else {
            return Err(input.error_at(
                8,
                FormatErrorKind::Unsupported,
                format!("array `{name}` has the element type `{}`", info.dtype),
                "convert it to one of F64 F32 F16 BF16 I64 I32 I16 I8 U32 U16 U8 BOOL where the file is written",
            ));
        };
        let shape = info.shape.iter().map(|&d| usize::try_from(d).ok()).collect::<Option<Vec<_>>>();
        let shape =
            shape.ok_or_else(|| malformed(format!("array `{name}` has the shape {:?}", info.shape)))?;
        let bytes = input.count(name, &shape)?.checked_mul(file_type.size() as u64);
        let range = info.end.checked_sub(info.begin);
        if range.is_none() || bytes != range {
            return Err(malformed(format!(
                "array `{name}`, {} of shape {shape:?}, does not fit its range of bytes {}..{}",
                info.dtype, info.begin, info.end
            )));
        }
        if info.begin != end {
            let fault = if info.begin < end { "overlaps" } else { "leaves a hole after" };
            return Err(malformed(format!(
                "array `{name}` at bytes {}..{} of the data {fault} {before}, which ends at {end}",
                info.begin, info.end
            )));
        }
        end = info.end;
        before = name;
        plan.push(Planned { index, file_type, shape });
    }
    input.need(end, "the data of all arrays")?;
    Ok(plan)
}

fn in_order<'a>(
    what: &str,
    arrays: impl IntoIterator<Item = (&'a str, &'a HostArray)>,
) -> Result<Vec<(&'a str, &'a HostArray)>, FormatError> {
    let mut entries = distinct(what, arrays)?;
    if entries.iter().any(|(name, _)| *name == header::METADATA) {
        return Err(FormatError::argument(
            what,
            format!("an array has the name `{}`", header::METADATA),
            "safetensors keeps this name for metadata; choose another",
        ));
    }
    entries.sort_by_key(|(name, array)| (rank(array.dtype()), *name));
    Ok(entries)
}

fn rank(dtype: DType) -> usize {
    let rank = TYPES.iter().position(|&(_, t)| t == FileType::Held(dtype));
    rank.expect("safetensors has a name for every element type")
}

fn encode(
    what: &str,
    out: &mut dyn Write,
    entries: &[(&str, &HostArray)],
    metadata: &BTreeMap<String, String>,
) -> Result<(), FormatError> {
    let mut header = Header::default();
    header.metadata.extend(metadata.iter().map(|(key, value)| (key.clone(), value.clone())));
    let mut end = 0;
    for (name, array) in entries {
        let begin = end;
        end += array.size_in_bytes() as u64;
        let shape = array.shape().iter().map(|&d| d as u64).collect();
        let dtype = TYPES[rank(array.dtype())].0.to_string();
        header.tensors.push((name.to_string(), Info { dtype, shape, begin, end }));
    }
    let mut json = header.to_json();
    while json.len() % 8 != 0 {
        json.push(' ');
    }
    let mut out = Output::new(out, what);
    out.bytes(&(json.len() as u64).to_le_bytes())?;
    out.bytes(json.as_bytes())?;
    for (_, array) in entries {
        out.bytes(&array.le_bytes())?;
    }
    Ok(())
}
