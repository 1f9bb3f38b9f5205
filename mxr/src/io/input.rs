//! Reading untrusted bytes: every length is compared with what is left before anything is allocated.

use std::fs::File;
use std::io::{self, BufReader, Cursor, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use mxr_graph::dtype::DType;
use zerocopy::IntoBytes;

use super::array::{Elements, HostArray, Raw, bools, element_count};
use super::error::{FormatError, FormatErrorKind, Place};

/// The most dimensions an array in a file may have (numpy's old limit; MXNet uses at most 8).
pub(crate) const MAX_DIMS: usize = 32;

/// The longest name of an array.
pub(crate) const MAX_NAME: u64 = 64 * 1024;

/// Elements taken per step from a stream whose length is only bounded, not known.
const STREAM_STEP: usize = 16 * 1024;

/// The element types that files hold, some of which have no counterpart in [`DType`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FileType {
    Held(DType),
    I16,
    U16,
    U32,
    U64,
}

impl FileType {
    pub(crate) fn size(self) -> usize {
        match self {
            FileType::Held(dtype) => dtype.size(),
            FileType::I16 | FileType::U16 => 2,
            FileType::U32 => 4,
            FileType::U64 => 8,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ByteOrder {
    Little,
    Big,
}

/// How much input there still is.
#[derive(Clone, Copy, Debug)]
enum Left {
    /// Known: the length of a file or of a slice.
    Exactly(u64),
    /// A bound, for decompressed streams: memory grows only with what really arrives.
    AtMost(u64),
}

/// A reader that knows where it is, what is left, and what it reads.
pub(crate) struct Input<R> {
    reader: R,
    what: String,
    offset: u64,
    left: Left,
}

/// What formats that seek need from a file or a slice.
pub(crate) trait ReadSeek: Read + Seek {}
impl<T: Read + Seek> ReadSeek for T {}

/// Opens `path` and gives a reader with its length. What is not a regular file is read into memory first.
pub(crate) fn open(path: &Path) -> Result<(Box<dyn ReadSeek>, u64), FormatError> {
    let name = path.display().to_string();
    let mut file = File::open(path).map_err(|e| FormatError::io(name.clone(), "open it", e))?;
    let meta = file.metadata().map_err(|e| FormatError::io(name.clone(), "ask for its size", e))?;
    if meta.is_dir() {
        return Err(FormatError::argument(name, "this is a folder", "pass the path of a file in it"));
    }
    if meta.is_file() {
        return Ok((Box::new(BufReader::with_capacity(64 * 1024, file)), meta.len()));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|e| FormatError::io(name, "read it", e))?;
    let len = bytes.len() as u64;
    Ok((Box::new(Cursor::new(bytes)), len))
}

impl Input<Box<dyn ReadSeek>> {
    pub(crate) fn open(path: &Path) -> Result<Self, FormatError> {
        let (reader, len) = open(path)?;
        Ok(Input::exactly(reader, len, path.display().to_string()))
    }
}

impl<R: Read + Seek> Input<R> {
    /// Moves to `offset`; the rest of `end` bytes is what is left.
    pub(crate) fn seek(&mut self, offset: u64, end: u64) -> Result<(), FormatError> {
        self.reader
            .seek(SeekFrom::Start(offset))
            .map_err(|e| FormatError::io(self.what.clone(), "move in it", e))?;
        self.offset = offset;
        self.left = Left::Exactly(end.saturating_sub(offset));
        Ok(())
    }
}

impl<R: Read> Input<R> {
    pub(crate) fn exactly(reader: R, len: u64, what: impl Into<String>) -> Self {
        Input { reader, what: what.into(), offset: 0, left: Left::Exactly(len) }
    }

    /// The reader at the place that was reached, for a part with a reader of its own; [`Input::seek`] comes next.
    pub(crate) fn part(&mut self) -> &mut R {
        &mut self.reader
    }

    /// A stream that gives no more than `bound` bytes.
    pub(crate) fn at_most(reader: R, bound: u64, what: impl Into<String>) -> Self {
        Input { reader, what: what.into(), offset: 0, left: Left::AtMost(bound) }
    }

    /// Refuses what follows the end of the format.
    pub(crate) fn finish(&mut self) -> Result<(), FormatError> {
        let extra = match self.left {
            Left::Exactly(left) => left,
            // Reading on also makes a decompressor compare its checksum.
            Left::AtMost(_) => loop {
                match self.reader.read(&mut [0u8; 1]) {
                    Ok(n) => break n as u64,
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    Err(e) => return Err(self.failed(e, "the end")),
                }
            },
        };
        if extra == 0 {
            return Ok(());
        }
        let amount = match self.left {
            Left::Exactly(left) => format!("{left} bytes follow"),
            Left::AtMost(_) => "more bytes follow".to_string(),
        };
        Err(self.error(
            FormatErrorKind::Trailing,
            format!("{amount} after the end of the content"),
            "the file was damaged, or written by something that appends; write it again",
        ))
    }

    /// Refuses a thing of `n` bytes when fewer are left.
    pub(crate) fn need(&self, n: u64, thing: &str) -> Result<(), FormatError> {
        let left = self.left();
        if n <= left {
            return Ok(());
        }
        let least = if matches!(self.left, Left::Exactly(_)) { "" } else { "at most " };
        Err(self.error(
            FormatErrorKind::Truncated,
            format!("{thing} takes {n} bytes, but {least}{left} bytes are left"),
            "the file is cut off or damaged; copy or write it again",
        ))
    }

    pub(crate) fn bytes<const N: usize>(&mut self, thing: &str) -> Result<[u8; N], FormatError> {
        let mut out = [0; N];
        self.need(N as u64, thing)?;
        self.fill(&mut out, thing)?;
        Ok(out)
    }

    pub(crate) fn u16(&mut self, thing: &str) -> Result<u16, FormatError> {
        self.bytes(thing).map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self, thing: &str) -> Result<u32, FormatError> {
        self.bytes(thing).map(u32::from_le_bytes)
    }

    pub(crate) fn i32(&mut self, thing: &str) -> Result<i32, FormatError> {
        self.bytes(thing).map(i32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self, thing: &str) -> Result<u64, FormatError> {
        self.bytes(thing).map(u64::from_le_bytes)
    }

    pub(crate) fn i64(&mut self, thing: &str) -> Result<i64, FormatError> {
        self.bytes(thing).map(i64::from_le_bytes)
    }

    /// `n` bytes, no more than `limit`.
    pub(crate) fn blob(&mut self, n: u64, limit: u64, thing: &str) -> Result<Vec<u8>, FormatError> {
        self.need(n, thing)?;
        if n > limit {
            return Err(self.error(
                FormatErrorKind::TooLarge,
                format!("{thing} takes {n} bytes, more than the {limit} that are sensible"),
                "the file is damaged or not of this format",
            ));
        }
        self.elements::<u8>(n, ByteOrder::Little, thing)
    }

    /// The elements of an array, in row-major order.
    pub(crate) fn array(
        &mut self,
        name: &str,
        file_type: FileType,
        order: ByteOrder,
        shape: Vec<usize>,
    ) -> Result<HostArray, FormatError> {
        let n = self.count(name, &shape)?;
        let thing = format!("array `{name}` of shape {shape:?}");
        let elements = match file_type {
            FileType::Held(DType::F32) => Elements::F32(self.elements(n, order, &thing)?),
            FileType::Held(DType::F64) => Elements::F64(self.elements(n, order, &thing)?),
            FileType::Held(DType::F16) => Elements::F16(self.elements(n, order, &thing)?),
            FileType::Held(DType::Bf16) => Elements::Bf16(self.elements(n, order, &thing)?),
            FileType::Held(DType::I8) => Elements::I8(self.elements(n, order, &thing)?),
            FileType::Held(DType::U8) => Elements::U8(self.elements(n, order, &thing)?),
            FileType::Held(DType::I32) => Elements::I32(self.elements(n, order, &thing)?),
            FileType::Held(DType::I64) => Elements::I64(self.elements(n, order, &thing)?),
            FileType::Held(DType::Bool) => {
                let start = self.offset;
                let bytes = self.elements::<u8>(n, order, &thing)?;
                Elements::Bool(bools(bytes).map_err(|(at, byte)| {
                    self.error_at(
                        start + at as u64,
                        FormatErrorKind::Malformed,
                        format!("element {at} of the bool {thing} is the byte {byte}"),
                        "a bool is the byte 0 or 1; the file is damaged",
                    )
                })?)
            }
            FileType::I16 => Elements::I32(widen::<i16, i32>(self.elements(n, order, &thing)?)),
            FileType::U16 => Elements::I32(widen::<u16, i32>(self.elements(n, order, &thing)?)),
            FileType::U32 => Elements::I64(widen::<u32, i64>(self.elements(n, order, &thing)?)),
            FileType::U64 => {
                return Err(self.error(
                    FormatErrorKind::Unsupported,
                    format!("{thing} holds u64, which no element type here can hold without loss"),
                    "convert it to i64 where the file is written",
                ));
            }
        };
        Ok(HostArray::from_elements(elements, shape))
    }

    /// The number of elements of `shape`, checked.
    pub(crate) fn count(&self, name: &str, shape: &[usize]) -> Result<u64, FormatError> {
        element_count(shape).map(|n| n as u64).ok_or_else(|| {
            self.error(
                FormatErrorKind::Malformed,
                format!("the shape {shape:?} of array `{name}` is larger than any memory"),
                "the file is damaged",
            )
        })
    }

    /// `n` numbers of the file's byte order.
    pub(crate) fn elements<T: Raw>(
        &mut self,
        n: u64,
        order: ByteOrder,
        thing: &str,
    ) -> Result<Vec<T>, FormatError> {
        let size = size_of::<T>();
        self.need(n.saturating_mul(size as u64), thing)?;
        let n = usize::try_from(n).map_err(|_| self.no_memory(n, thing))?;
        let mut out: Vec<T> = Vec::new();
        while out.len() < n {
            let step = match self.left {
                Left::Exactly(_) => n,
                Left::AtMost(_) => out.len().max(STREAM_STEP).min(n - out.len()),
            };
            out.try_reserve_exact(step).map_err(|_| self.no_memory(n as u64, thing))?;
            let start = out.len();
            out.resize(start + step, T::ZERO);
            self.fill(out[start..].as_mut_bytes(), thing)?;
        }
        let foreign = (order == ByteOrder::Big) != cfg!(target_endian = "big");
        if foreign && size > 1 {
            out.as_mut_bytes().chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        Ok(out)
    }

    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    /// Bytes left: exact for files and slices, a bound for decompressed streams.
    pub(crate) fn left(&self) -> u64 {
        match self.left {
            Left::Exactly(n) | Left::AtMost(n) => n,
        }
    }

    pub(crate) fn what(&self) -> &str {
        &self.what
    }

    /// An error at the place that was reached.
    pub(crate) fn error(
        &self,
        kind: FormatErrorKind,
        problem: impl Into<String>,
        hint: &'static str,
    ) -> FormatError {
        self.error_at(self.offset, kind, problem, hint)
    }

    pub(crate) fn error_at(
        &self,
        offset: u64,
        kind: FormatErrorKind,
        problem: impl Into<String>,
        hint: &'static str,
    ) -> FormatError {
        FormatError::new(kind, self.what.clone(), problem, hint).at(Place::Byte(offset))
    }

    fn fill(&mut self, out: &mut [u8], thing: &str) -> Result<(), FormatError> {
        self.reader.read_exact(out).map_err(|e| self.failed(e, thing))?;
        self.offset += out.len() as u64;
        match &mut self.left {
            Left::Exactly(left) | Left::AtMost(left) => *left -= out.len() as u64,
        }
        Ok(())
    }

    fn failed(&self, cause: io::Error, thing: &str) -> FormatError {
        match cause.kind() {
            ErrorKind::UnexpectedEof => self.error(
                FormatErrorKind::Truncated,
                format!("the content ends within {thing}"),
                "the file is cut off or damaged; copy or write it again",
            ),
            // What decompressors say of damaged streams.
            ErrorKind::InvalidData | ErrorKind::InvalidInput => self.error(
                FormatErrorKind::Malformed,
                format!("the compressed content is damaged within {thing} ({cause})"),
                "copy or write the file again",
            ),
            _ => FormatError::io(self.what.clone(), &format!("read {thing}"), cause),
        }
    }

    fn no_memory(&self, n: u64, thing: &str) -> FormatError {
        self.error(
            FormatErrorKind::TooLarge,
            format!("there is no memory for the {n} elements of {thing}"),
            "free some memory, or split the file",
        )
    }
}

fn widen<A: Copy, B: From<A>>(values: Vec<A>) -> Vec<B> {
    values.into_iter().map(B::from).collect()
}
