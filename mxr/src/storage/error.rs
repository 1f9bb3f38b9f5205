//! What can go wrong with memory.

use std::error::Error;
use std::fmt;
use std::ops::Range;

use crate::engine::Denied;

/// Why memory could not be had or lent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StorageError {
    /// More bytes than any address space has; usually a size that overflowed or a wrong shape.
    TooLarge {
        /// The bytes that were asked for.
        bytes: usize,
    },
    /// The system has no such block left, even after the pool gave everything back.
    OutOfMemory {
        /// The bytes that were asked for.
        bytes: usize,
        /// The bytes in use by other buffers.
        in_use: usize,
    },
    /// The running operation has not been granted the buffer: it did not list its variable, or only for reading, or it
    /// has lent the buffer already.
    Denied {
        /// The reason.
        reason: Denied,
        /// The operation.
        operation: String,
        /// Whether it wanted to write.
        write: bool,
    },
    /// A range reaches beyond its buffer, or ends before it starts.
    OutOfRange {
        /// The range.
        range: Range<usize>,
        /// The length of the buffer.
        len: usize,
    },
    /// A range that is written overlaps another one of the same operand list.
    Overlap {
        /// The range that is written.
        written: Range<usize>,
        /// The other one.
        other: Range<usize>,
        /// Whether the other one is written too.
        other_written: bool,
    },
    /// Bytes that are not a whole number of aligned, valid elements.
    NotElements {
        /// The element type.
        element: &'static str,
        /// What is wrong.
        reason: &'static str,
        /// The number of bytes.
        bytes: usize,
    },
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StorageError::TooLarge { bytes } => {
                write!(f, "{bytes} bytes are more than an address space holds; is a size wrong?")
            }
            StorageError::OutOfMemory { bytes, in_use } => {
                write!(f, "out of memory: {bytes} bytes asked for while {in_use} are in use")
            }
            StorageError::Denied { reason, operation, write } => {
                let wanted = if *write { "write" } else { "read" };
                let reason = match reason {
                    Denied::NotListed => "its variable is in neither of the operation's lists",
                    Denied::ReadOnly => "its variable is in the read list only",
                    Denied::Borrowed => {
                        "the operation has it in use already (take all parts at once with `Operands`)"
                    }
                };
                write!(f, "operation `{operation}` may not {wanted} a buffer: {reason}")
            }
            StorageError::OutOfRange { range, len } => {
                write!(f, "bytes {}..{} are not within a buffer of {len} bytes", range.start, range.end)
            }
            StorageError::Overlap { written, other, other_written } => write!(
                f,
                "bytes {}..{} are written, and bytes {}..{} of the same buffer are {} by the same step",
                written.start,
                written.end,
                other.start,
                other.end,
                if *other_written { "written too" } else { "read" }
            ),
            StorageError::NotElements { element, reason, bytes } => {
                write!(f, "{bytes} bytes cannot be seen as elements of type {element}: {reason}")
            }
        }
    }
}

impl Error for StorageError {}
