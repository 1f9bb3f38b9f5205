//! The dependency engine: closures that read and write variables, run as soon as that is in order.
//!
//! Every operation names the variables it reads and those it writes. Two operations of which one writes a shared
//! variable run in the order in which they were pushed; all others may run at the same time. That is the whole contract, and
//! it is enough to mix eager code and declared graphs, to overlap reading data with computing, and to let errors travel:
//!
//! ```
//! use std::sync::atomic::{AtomicI32, Ordering::Relaxed};
//! use std::sync::Arc;
//! use mxr::engine::{Engine, OpError};
//!
//! let engine = Engine::threaded(2);
//! let (a, b) = (engine.new_var(), engine.new_var());
//! let cell = Arc::new(AtomicI32::new(0));
//!
//! let x = cell.clone();
//! engine.push(&[], &[&a], "set", move |_| { x.store(20, Relaxed); Ok(()) });
//! let x = cell.clone();
//! engine.push(&[&a], &[&b], "add", move |_| { x.fetch_add(1, Relaxed); Ok(()) });
//! engine.wait_for(&b)?;
//! assert_eq!(cell.load(Relaxed), 21);
//!
//! engine.push(&[], &[&a], "fail", |_| Err(OpError::new("out of paper")));
//! engine.push(&[&a], &[&b], "print", |_| unreachable!("what it reads was never made"));
//! let error = engine.wait_for(&b).unwrap_err();
//! assert_eq!((error.operation(), error.message()), ("fail", "out of paper"));
//! # Ok::<(), mxr::engine::EngineError>(())
//! ```
//!
//! **Errors** are values on variables. An operation that fails or panics marks every variable it writes. An operation
//! with a marked variable in either list is skipped and marks what it writes with the same, first error; everything else
//! goes on. [`Engine::wait_for`] gives the error of one variable and leaves it there, since its value still does not
//! exist: it goes when an operation that [overwrites](Properties::overwrites) the variable succeeds, or by
//! [`Engine::clear_error`]. [`Engine::wait_all`] gives the first failure that nobody was told of.
//!
//! **The grant.** A closure gets a [`RunContext`], which knows what the operation has been granted; `mxr::storage` gives
//! out bytes only against it. `README.md` in this folder has the protocol and the proof.

#![allow(unsafe_code)] // Queues of links inside operations; each use has its reason beside it.

mod builder;
mod context;
mod core;
mod error;
mod op;
mod prepared;
mod profile;
mod properties;
mod ready;
mod serial;
mod sync;
mod tally;
mod threaded;
mod var;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

pub use builder::Builder;
pub use context::{Borrow, Denied, RunContext};
pub(crate) use core::panic_text;
pub use error::{EngineError, ErrorKind, OpError, StartError};
pub use prepared::Prepared;
pub use profile::{Outcome, Span, Trace};
pub use properties::{Lane, Properties};
pub use var::Var;

use self::context::inside_operation;
use self::core::{Core, Runner};
use self::op::Body;
use self::sync::Slot;

/// A handle of an engine; clones share it.
///
/// Dropping the last handle waits until everything pushed has run. Inside an operation it does not wait: the engine's own
/// threads finish the rest.
#[derive(Clone)]
pub struct Engine(Arc<Handle>);

/// What the handles own together; its drop is the end of the engine.
struct Handle(Arc<Core>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.close();
    }
}

impl Engine {
    /// An engine with a pool of `threads` threads (0: one per processor) of which one starts operations, and one thread for
    /// [`Lane::Io`].
    ///
    /// # Panics
    ///
    /// If the system refuses the threads, or there are more than 1024. [`Engine::builder`] gives an error instead.
    #[track_caller]
    pub fn threaded(threads: usize) -> Engine {
        Engine::builder().threads(threads).build().unwrap_or_else(|error| panic!("{error}"))
    }

    /// An engine without threads: operations run inside `push`, in push order. The same results, bit for bit; for
    /// debugging.
    pub fn serial() -> Engine {
        builder::serial()
    }

    /// The engine that the environment asks for: `MXR_ENGINE` is `threaded` (default) or `serial`, `MXR_NUM_THREADS` the
    /// number of threads (default: one per processor).
    ///
    /// # Errors
    ///
    /// If one of them has another value, or the system refuses the threads.
    pub fn from_env() -> Result<Engine, StartError> {
        builder::from_env()
    }

    /// The engine of the process: [`Engine::from_env`], made at the first call. Where that fails the reason is told once
    /// on stderr and the default is used.
    pub fn global() -> &'static Engine {
        builder::global()
    }

    /// For an engine of other sizes.
    ///
    /// ```
    /// # use mxr::engine::Engine;
    /// let engine = Engine::builder().threads(2).workers(2).max_pending(100).build()?;
    /// # Ok::<(), mxr::engine::StartError>(())
    /// ```
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A new variable, the same as [`Var::new`].
    pub fn new_var(&self) -> Var {
        Var::new()
    }

    /// Whether operations run on the thread that pushes them.
    pub fn is_serial(&self) -> bool {
        matches!(self.core().runner, Runner::Serial(_))
    }

    /// Lets `run` run once everything pushed before that writes what it reads, or uses what it writes, has run.
    ///
    /// A variable may be in the lists several times; one that is in both counts as written. Blocks while
    /// [`max_pending`](Builder::max_pending) operations are pending, except inside an operation.
    #[track_caller]
    pub fn push(
        &self,
        reads: &[&Var],
        writes: &[&Var],
        props: impl Into<Properties>,
        run: impl FnOnce(&RunContext<'_>) -> Result<(), OpError> + Send + 'static,
    ) {
        let body = Body::Once(Box::new(run));
        let op = self.core().block(reads, writes, props.into(), Location::caller(), body);
        self.core().push(op, inside_operation());
    }

    /// An operation to be pushed many times. Allocates everything that its runs need.
    #[track_caller]
    pub fn prepare(
        &self,
        reads: &[&Var],
        writes: &[&Var],
        props: impl Into<Properties>,
        run: impl Fn(&RunContext<'_>) -> Result<(), OpError> + Send + Sync + 'static,
    ) -> Prepared {
        Prepared::new(self, reads, writes, props.into(), Box::new(run))
    }

    /// Pushes one more run of a prepared operation, to the engine that prepared it.
    ///
    /// Neither this nor the run allocates. Blocks while [`run_ahead`](Properties::run_ahead) runs of it are pending; inside
    /// an operation it does not block, but may allocate for one run more.
    pub fn push_prepared(&self, prepared: &Prepared) {
        prepared.push();
    }

    /// Runs a closure on *this* thread when its turn comes, as an operation of these variables, and gives its result. This
    /// is how code outside operations looks at what operations have made.
    ///
    /// # Errors
    ///
    /// The error that a variable carries (the closure does not run then), or the closure's own, which stays on `writes`.
    #[track_caller]
    pub fn run_here<R>(
        &self,
        reads: &[&Var],
        writes: &[&Var],
        props: impl Into<Properties>,
        run: impl FnOnce(&RunContext<'_>) -> Result<R, OpError>,
    ) -> Result<R, EngineError> {
        let site = Location::caller();
        if inside_operation() {
            return Err(EngineError::wait_inside("run_here", site));
        }
        let slot = Slot::of_this_thread();
        let op = self.core().block(reads, writes, props.into(), site, Body::Here(Arc::clone(&slot)));
        self.core().run_here(op, &slot, run)
    }

    /// Waits until everything pushed so far that writes the variable has run.
    ///
    /// # Errors
    ///
    /// The error that the variable carries, at every call until it is cleared; or that the call is inside an operation.
    #[track_caller]
    pub fn wait_for(&self, var: &Var) -> Result<(), EngineError> {
        if inside_operation() {
            return Err(EngineError::wait_inside("wait_for", Location::caller()));
        }
        match var.0.wait(self.core().spins, false) {
            Some(error) => {
                error.mark_delivered();
                Err(error)
            }
            None => Ok(()),
        }
    }

    /// Waits until no operation is pending.
    ///
    /// # Errors
    ///
    /// Of all failures that no wait has told yet, the one pushed first; the others count as told. Or that the call is
    /// inside an operation.
    #[track_caller]
    pub fn wait_all(&self) -> Result<(), EngineError> {
        if inside_operation() {
            return Err(EngineError::wait_inside("wait_all", Location::caller()));
        }
        self.core().pending.wait_zero(self.core().spins);
        self.core().take_failure().map_or(Ok(()), Err)
    }

    /// Waits as [`Engine::wait_for`] does, then takes the error out of the variable, which can be used again. What it
    /// stands for is as the failed operation left it.
    ///
    /// # Errors
    ///
    /// That the call is inside an operation.
    #[track_caller]
    pub fn clear_error(&self, var: &Var) -> Result<Option<EngineError>, EngineError> {
        if inside_operation() {
            return Err(EngineError::wait_inside("clear_error", Location::caller()));
        }
        let error = var.0.wait(self.core().spins, true);
        error.iter().for_each(EngineError::mark_delivered);
        Ok(error)
    }

    /// How many operations have been pushed and not completed.
    pub fn pending(&self) -> usize {
        self.core().pending.count()
    }

    /// Starts recording which operation runs when.
    pub fn profile_start(&self) {
        self.core().profiler.switch_on();
    }

    /// Stops recording, and gives what has been recorded since the last stop.
    pub fn profile_stop(&self) -> Trace {
        self.core().profiler.switch_off()
    }

    fn core(&self) -> &Arc<Core> {
        &self.0.0
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.is_serial() { "serial" } else { "threaded" };
        f.debug_struct("Engine").field("kind", &kind).field("pending", &self.pending()).finish()
    }
}
