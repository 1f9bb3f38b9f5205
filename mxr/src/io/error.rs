//! The one error of this layer: what was read, where it went wrong, what is wrong, and what to do about it.

use std::borrow::Cow;
use std::{error, fmt, io};

/// Why a file, a buffer or a data source could not be used.
///
/// ```
/// use mxr::io::{FormatErrorKind, safetensors};
///
/// let error = safetensors::from_bytes(&[9, 0, 0]).unwrap_err();
/// assert_eq!(error.kind(), FormatErrorKind::Truncated);
/// assert!(error.to_string().contains("3 bytes are left"));
/// ```
#[derive(Debug)]
pub struct FormatError {
    kind: FormatErrorKind,
    what: String,
    place: Option<Place>,
    problem: String,
    hint: Cow<'static, str>,
    cause: Option<io::Error>,
}

/// The classes of [`FormatError`], for code that must react to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FormatErrorKind {
    /// The operating system refused: not found, no permission, disk full.
    Io,
    /// The input ends before what it announced. Usually an interrupted copy or download.
    Truncated,
    /// Bytes follow after the end of what the format describes.
    Trailing,
    /// The content breaks a rule of its format.
    Malformed,
    /// Two entries have one name.
    Duplicate,
    /// Well formed, but of a type or variant that has no counterpart here.
    Unsupported,
    /// Larger than a limit that protects memory.
    TooLarge,
    /// The caller's arguments do not fit each other or the data.
    Argument,
}

/// Where in the input the fault lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// Bytes from the start (of the uncompressed content, when the input is compressed).
    Byte(u64),
    /// A line of text and the column (field) in it, both from 1; column 0 stands for the whole line.
    Cell {
        /// Line, from 1.
        line: u64,
        /// Field, from 1; 0 for the whole line.
        column: usize,
    },
}

impl FormatError {
    /// For readers and [`iter::DataIter`](super::iter::DataIter)s of one's own: what was used, what is wrong with it, what
    /// to do about it.
    pub fn new(
        kind: FormatErrorKind,
        what: impl Into<String>,
        problem: impl Into<String>,
        hint: impl Into<Cow<'static, str>>,
    ) -> FormatError {
        FormatError {
            kind,
            what: what.into(),
            place: None,
            problem: problem.into(),
            hint: hint.into(),
            cause: None,
        }
    }

    /// An error of the operating system while `doing` something with `what`.
    pub(crate) fn io(what: impl Into<String>, doing: &str, cause: io::Error) -> FormatError {
        let hint = match cause.kind() {
            io::ErrorKind::NotFound => "check the path",
            io::ErrorKind::PermissionDenied => "check the permissions of the file and its folder",
            io::ErrorKind::StorageFull => "free some space on the disk",
            _ => "see the operating system's message",
        };
        let mut error = FormatError::new(FormatErrorKind::Io, what, format!("cannot {doing}: {cause}"), hint);
        error.cause = Some(cause);
        error
    }

    /// An error of kind [`FormatErrorKind::Argument`].
    pub fn argument(
        what: impl Into<String>,
        problem: impl Into<String>,
        hint: impl Into<Cow<'static, str>>,
    ) -> FormatError {
        FormatError::new(FormatErrorKind::Argument, what, problem, hint)
    }

    pub(crate) fn at(mut self, place: Place) -> FormatError {
        self.place = Some(place);
        self
    }

    /// The class of the error.
    pub fn kind(&self) -> FormatErrorKind {
        self.kind
    }

    /// The file, member or source that was being used.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// Where in it, when there is such a place.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    /// What is wrong.
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// What to do about it.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)?;
        match self.place {
            None => {}
            Some(Place::Byte(offset)) => write!(f, ", at byte {offset}")?,
            Some(Place::Cell { line, column: 0 }) => write!(f, ", line {line}")?,
            Some(Place::Cell { line, column }) => write!(f, ", line {line}, column {column}")?,
        }
        write!(f, ": {}; {}", self.problem, self.hint)
    }
}

impl error::Error for FormatError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.cause.as_ref().map(|cause| cause as _)
    }
}
