//! Errors of operations as values: what an operation returns, and what a wait delivers.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What an operation returns when it cannot do its work.
///
/// Every error type converts by `?`; a text of one's own is made by [`OpError::new`]. The engine adds the operation's
/// name, its label and the place that pushed it, and delivers the whole as an [`EngineError`].
///
/// ```
/// use mxr::engine::OpError;
///
/// fn parse(text: &str) -> Result<i32, OpError> {
///     let x: i32 = text.parse()?;
///     if x < 0 { Err(OpError::new(format!("{x} is negative"))) } else { Ok(x) }
/// }
/// assert_eq!(parse("-3").unwrap_err().to_string(), "-3 is negative");
/// assert!(parse("x").is_err());
/// ```
// Not an `Error` itself: the conversion from every `Error` would then overlap with `From<T> for T`.
pub struct OpError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl OpError {
    /// An error with this text.
    pub fn new(message: impl Into<String>) -> OpError {
        OpError { message: message.into(), source: None }
    }
}

impl<E: Error + Send + Sync + 'static> From<E> for OpError {
    fn from(error: E) -> OpError {
        OpError { message: error.to_string(), source: Some(Box::new(error)) }
    }
}

impl fmt::Display for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl fmt::Debug for OpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpError({:?})", self.message)
    }
}

/// What kind of thing went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operation returned an error.
    Failed,
    /// The operation panicked; the panic was contained.
    Panicked,
    /// A wait was called from inside an operation, where it could only block the thread that has to do the work.
    WaitInsideOperation,
}

/// The failure of an operation, delivered where somebody waits for what it should have written.
///
/// Cloning is cheap: every variable that the failure reached carries the same value.
#[derive(Clone)]
pub struct EngineError(Arc<Failure>);

struct Failure {
    kind: ErrorKind,
    operation: Cow<'static, str>,
    label: Option<Arc<str>>,
    site: &'static Location<'static>,
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
    seq: u64,
    delivered: AtomicBool,
}

impl EngineError {
    pub(super) fn new(
        kind: ErrorKind,
        operation: Cow<'static, str>,
        label: Option<Arc<str>>,
        site: &'static Location<'static>,
        seq: u64,
        error: OpError,
    ) -> EngineError {
        EngineError(Arc::new(Failure {
            kind,
            operation,
            label,
            site,
            message: error.message,
            source: error.source,
            seq,
            delivered: AtomicBool::new(false),
        }))
    }

    pub(super) fn wait_inside(what: &'static str, site: &'static Location<'static>) -> EngineError {
        let text = "it was called inside an operation and would block the thread that has to do the work; \
                    push an operation that reads the variable instead";
        EngineError::new(ErrorKind::WaitInsideOperation, what.into(), None, site, 0, OpError::new(text))
    }

    /// What kind of thing went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The name of the operation that failed first; its dependants were skipped.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The label of that operation, usually a layer's name.
    pub fn label(&self) -> Option<&str> {
        self.0.label.as_deref()
    }

    /// Where the operation was pushed or prepared (for a wait inside an operation: where it was called).
    pub fn pushed_at(&self) -> &'static Location<'static> {
        self.0.site
    }

    /// The operation's own words.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// Failures are told in push order.
    pub(super) fn seq(&self) -> u64 {
        self.0.seq
    }

    pub(super) fn is_delivered(&self) -> bool {
        self.0.delivered.load(Ordering::Relaxed)
    }

    pub(super) fn mark_delivered(&self) {
        self.0.delivered.store(true, Ordering::Relaxed);
    }
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &*self.0;
        if e.kind == ErrorKind::WaitInsideOperation {
            return write!(f, "`{}` at {} cannot wait: {}", e.operation, e.site, e.message);
        }
        write!(f, "operation `{}`", e.operation)?;
        if let Some(label) = &e.label {
            write!(f, " of `{label}`")?;
        }
        let verb = if e.kind == ErrorKind::Panicked { "panicked" } else { "failed" };
        write!(f, ", pushed at {}, {verb}: {}", e.site, e.message)
    }
}

impl fmt::Debug for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "EngineError({self})")
    }
}

impl Error for EngineError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source.as_deref().map(|e| e as _)
    }
}

/// Why an engine could not be started.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartError {
    /// The system refused the threads.
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The system's words.
        reason: String,
    },
    /// A setting that makes no sense.
    Setting {
        /// The environment variable, or the method of the builder.
        setting: &'static str,
        /// Its value.
        value: String,
        /// What it may be.
        expected: &'static str,
    },
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Threads { threads, reason } => {
                write!(
                    f,
                    "cannot start {threads} engine threads: {reason}; ask for fewer, or set MXR_ENGINE=serial"
                )
            }
            StartError::Setting { setting, value, expected } => {
                write!(f, "{setting} is `{value}`, but must be {expected}")
            }
        }
    }
}

impl Error for StartError {}
