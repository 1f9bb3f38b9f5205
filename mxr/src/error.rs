//! The one error of the crate.

use crate::engine::EngineError;
use crate::io::FormatError;
use mxr_graph::error::ShapeError;
use std::fmt;

/// The result of everything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done: what, where, and what to do about it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// Shapes, element types or options do not fit an operator. The same text comes from `network!` at compile time.
    Shape(ShapeError),
    /// An asynchronous operation failed; delivered where its result is waited for.
    Engine(EngineError),
    /// A file or a data source is not what it should be.
    Format(std::sync::Arc<FormatError>),
    /// A call that does not fit the object it is made on.
    Invalid {
        /// What was asked: a function, a parameter, a file.
        what: String,
        /// What is wrong with it.
        problem: String,
        /// What would work.
        help: String,
    },
}

impl Error {
    /// A call that does not fit: what was asked, what is wrong, what would work.
    pub fn invalid(what: impl Into<String>, problem: impl Into<String>, help: impl Into<String>) -> Error {
        Error::Invalid { what: what.into(), problem: problem.into(), help: help.into() }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Shape(e) => e.fmt(f),
            Error::Engine(e) => e.fmt(f),
            Error::Format(e) => e.fmt(f),
            Error::Invalid { what, problem, help } => {
                write!(f, "{what}: {problem}")?;
                if !help.is_empty() {
                    write!(f, "\n  = help: {help}")?;
                }
                Ok(())
            }
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Shape(e) => Some(e),
            Error::Engine(e) => Some(e),
            Error::Format(e) => Some(&**e),
            Error::Invalid { .. } => None,
        }
    }
}

impl From<ShapeError> for Error {
    fn from(e: ShapeError) -> Error {
        Error::Shape(e)
    }
}

impl From<EngineError> for Error {
    fn from(e: EngineError) -> Error {
        Error::Engine(e)
    }
}

impl From<FormatError> for Error {
    fn from(e: FormatError) -> Error {
        Error::Format(std::sync::Arc::new(e))
    }
}
