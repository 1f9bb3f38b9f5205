//! The life of an operation, the same for every engine: register, dispatch, run, complete.

use std::any::Any;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam::queue::ArrayQueue;

use super::context::{Inside, RunContext, inside_operation};
use super::error::{EngineError, ErrorKind, OpError};
use super::op::{Body, Op, grant};
use super::profile::{Outcome, Profiler};
use super::properties::Properties;
use super::serial::Serial;
use super::sync::Slot;
use super::tally::Tally;
use super::threaded::Threads;
use super::var::{Var, complete, fill_deps};

/// How many idle blocks of one-shot operations an engine keeps.
const KEPT_BLOCKS: usize = 1024;

/// How many failures are kept for `wait_all` when nobody asks.
const KEPT_FAILURES: usize = 256;

/// What every handle of one engine shares.
pub(super) struct Core {
    pub(super) runner: Runner,
    pub(super) profiler: Profiler,
    /// Operations pushed and not completed.
    pub(super) pending: Tally,
    /// The last handle is gone: stop when nothing is pending.
    closing: AtomicBool,
    seq: AtomicU64,
    idle: ArrayQueue<Box<Op>>,
    failures: Mutex<Vec<EngineError>>,
    /// How often a waiting thread looks before it sleeps.
    pub(super) spins: u32,
}

/// Who runs operations that are ready.
pub(super) enum Runner {
    Threads(Threads),
    Serial(Serial),
}

impl Core {
    pub(super) fn new(runner: Runner, max_pending: usize, spins: u32) -> Core {
        Core {
            runner,
            profiler: Profiler::new(),
            pending: Tally::new(max_pending),
            closing: AtomicBool::new(false),
            seq: AtomicU64::new(0),
            idle: ArrayQueue::new(KEPT_BLOCKS),
            failures: Mutex::new(Vec::new()),
            spins,
        }
    }

    /// A block for an operation that runs once.
    pub(super) fn block(
        self: &Arc<Self>,
        reads: &[&Var],
        writes: &[&Var],
        mut props: Properties,
        site: &'static Location<'static>,
        body: Body,
    ) -> Box<Op> {
        let mut op = self.idle.pop().unwrap_or_else(Op::new);
        fill_deps(&mut op.deps, reads, writes);
        props.site.get_or_insert(site);
        op.props = props;
        op.body = body;
        op.core = Some(Arc::clone(self));
        op
    }

    /// Takes an operation in. Waits for room first, unless the caller is `inside` an operation.
    pub(super) fn push(self: &Arc<Self>, mut op: Box<Op>, inside: bool) {
        self.pending.enter(inside);
        op.seq = self.seq.fetch_add(1, Ordering::Relaxed);
        if let Some(op) = op.submit() {
            self.dispatch(op);
        }
    }

    /// Sends an operation that has been granted everything to whoever runs it, which may be another engine's threads.
    fn dispatch(self: &Arc<Self>, op: Box<Op>) {
        if let Body::Here(slot) = &op.body {
            let slot = Arc::clone(slot);
            return slot.put(op);
        }
        match op.home() {
            Some(home) if !Arc::ptr_eq(home, self) => {
                // The clone keeps the other engine alive until its worker has been called, even if that is the operation's end.
                let home = Arc::clone(home);
                home.enqueue(op);
            }
            _ => self.enqueue(op),
        }
    }

    fn enqueue(self: &Arc<Self>, op: Box<Op>) {
        match &self.runner {
            Runner::Threads(threads) => threads.enqueue(op),
            Runner::Serial(serial) => serial.enqueue(op, self),
        }
    }

    /// Runs an operation that has been granted everything, then completes it.
    pub(super) fn execute(self: &Arc<Self>, mut op: Box<Op>) {
        let start = self.profiler.start();
        let body = std::mem::replace(&mut op.body, Body::Idle);
        let inherited = inherited_error(&op, &body);
        let skipped = inherited.is_some();
        let (body, result) = match (inherited, body) {
            (Some(error), body) => (body, Err(error)),
            (None, Body::Once(once)) => (Body::Idle, self.call(&op, &op.props, once)),
            (None, Body::Prepared(recipe)) => {
                let result = self.call(&op, &recipe.props, |ctx| (recipe.run)(ctx));
                (Body::Prepared(recipe), result)
            }
            (None, other) => (other, Ok(())),
        };
        self.finish(op, body, result, skipped, start);
    }

    /// Calls a closure with the operation's grants, and makes a returned error or a panic into a failure.
    pub(super) fn call<R>(
        &self,
        op: &Op,
        props: &Properties,
        run: impl FnOnce(&RunContext<'_>) -> Result<R, OpError>,
    ) -> Result<R, EngineError> {
        let inside = Inside::enter();
        let result = catch_unwind(AssertUnwindSafe(|| run(&RunContext::new(&op.deps, props))));
        drop(inside);
        let (kind, error) = match result {
            Ok(Ok(value)) => return Ok(value),
            Ok(Err(error)) => (ErrorKind::Failed, error),
            Err(payload) => (ErrorKind::Panicked, OpError::new(panic_text(payload))),
        };
        let site = props.site.unwrap_or(Location::caller());
        let error = EngineError::new(kind, props.name.clone(), props.label.clone(), site, op.seq, error);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.retain(|e| !e.is_delivered());
        if failures.len() < KEPT_FAILURES {
            failures.push(error.clone());
        }
        Err(error)
    }

    /// Completes an operation that ran, or was skipped: marks what it wrote, lets its successors go, puts its block to rest.
    pub(super) fn finish(
        self: &Arc<Self>,
        mut op: Box<Op>,
        body: Body,
        result: Result<(), EngineError>,
        skipped: bool,
        start: Option<std::time::Instant>,
    ) {
        let props = if let Body::Prepared(recipe) = &body { &recipe.props } else { &op.props };
        if let Some(start) = start {
            let outcome = match (&result, skipped) {
                (Ok(()), _) => Outcome::Done,
                (Err(_), true) => Outcome::Skipped,
                (Err(_), false) => Outcome::Failed,
            };
            self.profiler.record(props, start, outcome);
        }
        match &result {
            Err(error) => {
                for dep in op.deps.iter().filter(|dep| dep.write) {
                    dep.var.set_error(Some(error.clone()));
                }
            }
            Ok(()) if props.overwrites => {
                for dep in op.deps.iter().filter(|dep| dep.write && dep.var.has_error()) {
                    dep.var.set_error(None);
                }
            }
            Ok(()) => {}
        }
        match body {
            Body::Prepared(recipe) => {
                self.release(&op);
                recipe.finish(op);
                // Perhaps the last reference to what the closure has captured. It goes before the count does: after
                // `wait_all` nothing is held.
                drop_quietly(recipe);
                self.leave();
            }
            body => {
                // Of a skipped operation. What it has captured goes before its variables do: a successor may count on being
                // the only owner.
                drop_quietly(body);
                self.release(&op);
                op.body = Body::Idle;
                self.rest(op);
                self.leave();
            }
        }
    }

    fn release(self: &Arc<Self>, op: &Op) {
        for dep in &op.deps {
            for next in complete(dep) {
                // SAFETY: `complete` yields an operation for each of its entries that was granted just now, and each
                // grant owes it one count.
                if let Some(op) = unsafe { grant(next, 1) } {
                    self.dispatch(op);
                }
            }
        }
    }

    fn rest(&self, mut op: Box<Op>) {
        op.deps.clear();
        op.core = None;
        drop(self.idle.push(op));
    }

    fn leave(&self) {
        if self.pending.leave() == 0 && self.closing.load(Ordering::SeqCst) {
            self.call_workers();
        }
    }

    /// Runs a closure on this thread when its turn comes.
    pub(super) fn run_here<R>(
        self: &Arc<Self>,
        mut op: Box<Op>,
        slot: &Slot,
        run: impl FnOnce(&RunContext<'_>) -> Result<R, OpError>,
    ) -> Result<R, EngineError> {
        self.pending.enter(true);
        op.seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let op = match op.submit() {
            Some(op) => op,
            None => slot.take(self.spins),
        };
        let start = self.profiler.start();
        let inherited = inherited_error(&op, &op.body);
        let skipped = inherited.is_some();
        let result = match inherited {
            Some(error) => Err(error),
            None => self.call(&op, &op.props, run),
        };
        let (value, result) = match result {
            Ok(value) => (Some(value), Ok(())),
            Err(error) => {
                error.mark_delivered();
                (None, Err(error))
            }
        };
        self.finish(op, Body::Idle, result.clone(), skipped, start);
        match (value, result) {
            (Some(value), _) => Ok(value),
            (None, result) => Err(result.expect_err("a run without a value has an error")),
        }
    }

    /// The first failure that nobody has been told of; all others count as told.
    pub(super) fn take_failure(&self) -> Option<EngineError> {
        let failures = std::mem::take(&mut *self.failures.lock().unwrap_or_else(PoisonError::into_inner));
        let first = failures.iter().filter(|e| !e.is_delivered()).min_by_key(|e| e.seq()).cloned();
        failures.iter().for_each(EngineError::mark_delivered);
        first
    }

    /// The last handle is gone: everything pending still runs, then the workers stop.
    pub(super) fn close(&self) {
        self.closing.store(true, Ordering::SeqCst);
        self.call_workers();
        if !inside_operation() {
            self.pending.wait_zero(self.spins);
        }
    }

    /// Whether a worker that finds nothing to do should stop.
    pub(super) fn finished(&self) -> bool {
        self.closing.load(Ordering::SeqCst) && self.pending.count() == 0
    }

    fn call_workers(&self) {
        if let Runner::Threads(threads) = &self.runner {
            threads.call_all();
        }
    }
}

/// The error that keeps an operation from running: of those on its variables the one that was pushed first, so that
/// the choice does not depend on timing.
fn inherited_error(op: &Op, body: &Body) -> Option<EngineError> {
    let overwrites =
        if let Body::Prepared(recipe) = body { recipe.props.overwrites } else { op.props.overwrites };
    op.deps
        .iter()
        .filter(|dep| !(dep.write && overwrites))
        .filter_map(|dep| dep.var.error())
        .min_by_key(EngineError::seq)
}

pub(crate) fn panic_text(payload: Box<dyn Any + Send>) -> String {
    let text = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "(a panic without a text)".to_owned(),
    };
    drop_quietly(payload);
    text
}

/// Drops something of the user's, whose `drop` may panic; a worker must outlive that.
fn drop_quietly<T>(value: T) {
    // A panic here has been reported by the panic hook, and there is no variable left to carry it. Its payload is leaked:
    // dropping it could panic again.
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(value))) {
        std::mem::forget(payload);
    }
}
