//! numpy's array files (`.npy`), versions 1 to 3: either byte order, row-major or column-major.
//!
//! i2 and u2 arrays become i32, u4 arrays become i64; u8 (64-bit unsigned), complex numbers, text, dates, records
//! and pickled objects are refused by name. Files are written as numpy writes them, byte for byte.

use std::io::{Read, Write};
use std::path::Path;

use mxr_graph::dtype::DType;

use super::array::{HostArray, element_count};
use super::atomic::{Output, write_atomic};
use super::error::{FormatError, FormatErrorKind};
use super::input::{ByteOrder, FileType, Input, MAX_DIMS};

/// Reads a `.npy` file.
///
/// # Errors
/// When the file cannot be read, is damaged, or holds a type that has no counterpart.
pub fn read(path: impl AsRef<Path>) -> Result<HostArray, FormatError> {
    let mut input = Input::open(path.as_ref())?;
    decode(&mut input, "npy")
}

/// Reads a `.npy` file that is in memory.
///
/// # Errors
/// As [`read`].
pub fn from_bytes(bytes: &[u8]) -> Result<HostArray, FormatError> {
    decode(&mut Input::exactly(bytes, bytes.len() as u64, "npy"), "npy")
}

/// Writes an array atomically.
///
/// # Errors
/// When the element type is bf16, which numpy does not have, or the file cannot be written.
pub fn write(path: impl AsRef<Path>, array: &HostArray) -> Result<(), FormatError> {
    let what = path.as_ref().display().to_string();
    let header = header(&what, array)?;
    write_atomic(path, |out| encode(&what, out, &header, array))
}

/// The bytes that [`write()`] puts into a file.
///
/// # Errors
/// When the element type is bf16.
pub fn to_bytes(array: &HostArray) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::new();
    encode("npy", &mut bytes, &header("npy", array)?, array)?;
    Ok(bytes)
}

/// The letters numpy uses for the types; the byte order goes in front.
const TYPES: [(&str, FileType); 12] = [
    ("f4", FileType::Held(DType::F32)),
    ("f8", FileType::Held(DType::F64)),
    ("f2", FileType::Held(DType::F16)),
    ("i1", FileType::Held(DType::I8)),
    ("u1", FileType::Held(DType::U8)),
    ("i4", FileType::Held(DType::I32)),
    ("i8", FileType::Held(DType::I64)),
    ("b1", FileType::Held(DType::Bool)),
    ("i2", FileType::I16),
    ("u2", FileType::U16),
    ("u4", FileType::U32),
    ("u8", FileType::U64),
];

const MAGIC: &[u8; 6] = b"\x93NUMPY";
const MAX_HEADER: u64 = 64 * 1024;

/// Reads to the end of `input`, where the array must end too.
pub(super) fn decode<R: Read>(input: &mut Input<R>, name: &str) -> Result<HostArray, FormatError> {
    let magic: [u8; 6] = input.bytes("numpy's magic number")?;
    if &magic != MAGIC {
        return Err(input.error_at(
            0,
            FormatErrorKind::Malformed,
            "the content does not start with numpy's magic number",
            "this is not a `.npy` file (archives of several are `.npz`)",
        ));
    }
    let [major, minor]: [u8; 2] = input.bytes("the version")?;
    let length = match major {
        1 => u64::from(input.u16("the header's length")?),
        2 | 3 => u64::from(input.u32("the header's length")?),
        _ => {
            return Err(input.error_at(
                6,
                FormatErrorKind::Unsupported,
                format!("version {major}.{minor} of the npy format"),
                "versions 1, 2 and 3 are known; write the file with an older numpy",
            ));
        }
    };
    let start = input.offset();
    let text = input.blob(length, MAX_HEADER, "the header")?;
    let Header { descr, fortran_order, shape } =
        Parser { text: &text, at: 0 }.header().map_err(|(at, problem)| {
            input.error_at(
                start + at as u64,
                FormatErrorKind::Malformed,
                format!("the header is not numpy's: {problem}"),
                "the file is damaged",
            )
        })?;
    let (order, file_type) = element_type(&descr).ok_or_else(|| {
        input.error_at(
            start,
            FormatErrorKind::Unsupported,
            format!("array `{name}` has the element type `{descr}`"),
            "convert it to one of f2 f4 f8 i1 i2 i4 i8 u1 u2 u4 or bool where it is written",
        )
    })?;
    let array = if fortran_order {
        let reversed = shape.iter().rev().copied().collect();
        column_major(input.array(name, file_type, order, reversed)?)
    } else {
        input.array(name, file_type, order, shape)?
    };
    input.finish()?;
    Ok(array)
}

fn element_type(descr: &str) -> Option<(ByteOrder, FileType)> {
    let (mark, letters) = descr.split_at_checked(1)?;
    let file_type = TYPES.iter().find(|(name, _)| *name == letters)?.1;
    let order = match mark {
        "<" => ByteOrder::Little,
        ">" => ByteOrder::Big,
        // "Not applicable": only where one byte is all there is.
        "|" if file_type.size() == 1 => ByteOrder::Little,
        _ => return None,
    };
    Some((order, file_type))
}

/// The row-major array of a column-major file, which was read with its extents reversed: a full transposition.
fn column_major(reversed: HostArray) -> HostArray {
    let shape: Vec<usize> = reversed.shape().iter().rev().copied().collect();
    // Stride of each dimension of the result in the file.
    let mut strides = Vec::with_capacity(shape.len());
    let mut stride = 1usize;
    for &extent in &shape {
        strides.push(stride);
        stride *= extent;
    }
    let mut index = vec![0usize; shape.len()];
    let mut source = 0;
    let extents = shape.clone();
    reversed.permuted(
        || {
            let current = source;
            for d in (0..extents.len()).rev() {
                index[d] += 1;
                source += strides[d];
                if index[d] < extents[d] {
                    break;
                }
                source -= strides[d] * extents[d];
                index[d] = 0;
            }
            current
        },
        shape,
    )
}

/// The header with everything before the elements.
pub(super) fn header(what: &str, array: &HostArray) -> Result<Vec<u8>, FormatError> {
    let Some((letters, _)) = TYPES.iter().find(|&&(_, t)| t == FileType::Held(array.dtype())) else {
        return Err(FormatError::argument(
            what,
            format!("numpy has no {}", array.dtype()),
            "convert the array with `to_f32`, or write safetensors, which has the type",
        ));
    };
    let mark = if array.dtype().size() == 1 { '|' } else { '<' };
    let shape = match array.shape() {
        [one] => format!("({one},)"),
        shape => format!("({})", shape.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let mut text = format!("{{'descr': '{mark}{letters}', 'fortran_order': False, 'shape': {shape}, }}");
    // Room for the first extent to grow when a file is appended to, as numpy leaves it.
    if let Some(first) = array.shape().first() {
        let grown = 21usize.saturating_sub(first.to_string().len());
        text.push_str(&" ".repeat(grown));
    }
    let unpadded = MAGIC.len() + 4 + text.len() + 1;
    text.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    text.push('\n');
    let length = u16::try_from(text.len()).map_err(|_| {
        FormatError::argument(what, "the shape has too many dimensions for a header", "reshape the array")
    })?;
    let mut header = MAGIC.to_vec();
    header.extend([1, 0]);
    header.extend(length.to_le_bytes());
    header.extend(text.as_bytes());
    Ok(header)
}

fn encode(what: &str, out: &mut dyn Write, header: &[u8], array: &HostArray) -> Result<(), FormatError> {
    let mut out = Output::new(out, what);
    out.bytes(header)?;
    out.bytes(&array.le_bytes())
}

#[derive(Debug)]
struct Header {
    descr: String,
    fortran_order: bool,
    shape: Vec<usize>,
}

/// A parser of the one Python dictionary that stands in a header.
struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

type Parsed<T> = Result<T, (usize, String)>;

impl Parser<'_> {
    fn header(mut self) -> Parsed<Header> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect(b'{')?;
        while !self.accept(b'}') {
            let key_at = self.at;
            let key = self.string()?;
            self.expect(b':')?;
            let again = match key.as_str() {
                "descr" => descr.replace(self.descr()?).is_some(),
                "fortran_order" => fortran_order.replace(self.bool()?).is_some(),
                "shape" => shape.replace(self.shape()?).is_some(),
                other => return Err((key_at, format!("the key `{other}` is unknown"))),
            };
            if again {
                return Err((key_at, format!("the key `{key}` occurs twice")));
            }
            if !self.accept(b',') {
                self.expect(b'}')?;
                break;
            }
        }
        self.spaces();
        if self.at != self.text.len() {
            return self.fail("something follows the dictionary");
        }
        match (descr, fortran_order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => Ok(Header { descr, fortran_order, shape }),
            _ => self.fail("`descr`, `fortran_order` or `shape` is missing"),
        }
    }

    /// The type; one that is not a plain string (a record) is kept as text for the error.
    fn descr(&mut self) -> Parsed<String> {
        self.spaces();
        if self.text.get(self.at) != Some(&b'[') {
            return self.string();
        }
        let start = self.at;
        let mut depth = 0usize;
        while let Some(&c) = self.text.get(self.at) {
            self.at += 1;
            match c {
                b'[' => depth += 1,
                b']' if depth == 1 => {
                    return Ok(
                        String::from_utf8_lossy(&self.text[start..self.at.min(start + 200)]).into_owned()
                    );
                }
                b']' => depth -= 1,
                _ => {}
            }
        }
        self.fail("a record type does not end")
    }

    fn string(&mut self) -> Parsed<String> {
        self.spaces();
        let quote = match self.text.get(self.at) {
            Some(&c @ (b'\'' | b'"')) => c,
            _ => return self.fail("a quoted word should stand here"),
        };
        let rest = &self.text[self.at + 1..];
        let Some(end) = rest.iter().position(|&c| c == quote) else {
            return self.fail("a quoted word does not end");
        };
        let Ok(word) = std::str::from_utf8(&rest[..end]) else {
            return self.fail("a quoted word is not UTF-8");
        };
        self.at += end + 2;
        Ok(word.to_string())
    }

    fn bool(&mut self) -> Parsed<bool> {
        self.spaces();
        for (word, value) in [(&b"True"[..], true), (b"False", false)] {
            if self.text[self.at..].starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        self.fail("True or False should stand here")
    }

    fn shape(&mut self) -> Parsed<Vec<usize>> {
        let mut shape = Vec::new();
        self.expect(b'(')?;
        while !self.accept(b')') {
            if shape.len() == MAX_DIMS {
                return self.fail("the shape has more than 32 dimensions");
            }
            shape.push(self.extent()?);
            if !self.accept(b',') {
                self.expect(b')')?;
                break;
            }
        }
        if element_count(&shape).is_none() {
            return self.fail("the shape is larger than any memory");
        }
        Ok(shape)
    }

    fn extent(&mut self) -> Parsed<usize> {
        self.spaces();
        let digits = self.text[self.at..].iter().take_while(|c| c.is_ascii_digit()).count();
        let word = std::str::from_utf8(&self.text[self.at..self.at + digits]).ok();
        let Some(extent) = word.and_then(|word| word.parse().ok()) else {
            return self.fail("an extent should stand here");
        };
        self.at += digits;
        // Python 2 marks long integers.
        if self.text.get(self.at) == Some(&b'L') {
            self.at += 1;
        }
        Ok(extent)
    }

    fn accept(&mut self, c: u8) -> bool {
        self.spaces();
        let found = self.text.get(self.at) == Some(&c);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, c: u8) -> Parsed<()> {
        if self.accept(c) {
            return Ok(());
        }
        self.fail(&format!("`{}` should stand here", char::from(c)))
    }

    fn spaces(&mut self) {
        let spaces = self.text[self.at..].iter().take_while(|c| c.is_ascii_whitespace()).count();
        self.at += spaces;
    }

    fn fail<T>(&self, problem: &str) -> Parsed<T> {
        Err((self.at, problem.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Parsed<Header> {
        Parser { text: text.as_bytes(), at: 0 }.header()
    }

    #[test]
    fn headers_are_parsed_whatever_the_spaces_and_order() {
        let header = parse("{\"shape\":(3L,4),'descr' : '<f4','fortran_order':True} \n").unwrap();
        assert_eq!((header.descr.as_str(), header.fortran_order, header.shape), ("<f4", true, vec![3, 4]));
        assert_eq!(
            parse("{'descr': '|u1', 'fortran_order': False, 'shape': (), }").unwrap().shape,
            [0usize; 0]
        );
        let record = parse("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }").unwrap();
        assert_eq!(element_type(&record.descr), None);
    }

    #[test]
    fn wrong_headers_are_refused_with_the_place() {
        for (text, at, problem) in [
            ("", 0, "`{`"),
            ("{'descr': '<f4', 'fortran_order': False}", 40, "missing"),
            ("{'descr': '<f4', 'descr': '<f4'}", 17, "twice"),
            ("{'x': '<f4'}", 1, "unknown"),
            ("{'shape': (3 4)}", 13, "`)`"),
            ("{'shape': (-1,)}", 11, "extent"),
            ("{'shape': (99999999999999999999,)}", 11, "extent"),
            ("{'shape': (9223372036854775807, 9223372036854775807)}", 52, "memory"),
            ("{'fortran_order': 1}", 18, "True or False"),
            ("{'descr': '<f4', 'fortran_order': False, 'shape': (2,)} x", 56, "follows"),
        ] {
            let (found_at, found) = parse(text).unwrap_err();
            assert!(found.contains(problem) && found_at == at, "{text}: {found} at {found_at}");
        }
    }

    #[test]
    fn byte_order_matters_where_there_is_one() {
        assert_eq!(element_type(">f8"), Some((ByteOrder::Big, FileType::Held(DType::F64))));
        assert_eq!(element_type("|b1"), Some((ByteOrder::Little, FileType::Held(DType::Bool))));
        for wrong in ["|f4", "=f4", "f4", "", "<c8", "|O", "<U3", "<f4x", "é4"] {
            assert_eq!(element_type(wrong), None, "{wrong}");
        }
    }
}
