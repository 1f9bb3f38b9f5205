//! One pushed operation: what it waits for, what it does, who runs it.

use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::context::RunContext;
use super::core::Core;
use super::error::OpError;
use super::prepared::Recipe;
use super::properties::Properties;
use super::sync::Slot;
use super::var::{Dep, register};

pub(super) type Once = Box<dyn FnOnce(&RunContext<'_>) -> Result<(), OpError> + Send>;

/// What happens when every variable is granted.
pub(super) enum Body {
    /// Nothing: the block is at rest.
    Idle,
    /// A worker calls it once.
    Once(Once),
    /// A worker calls the closure of a prepared operation.
    Prepared(Arc<Recipe>),
    /// The operation is handed to the thread that blocks on this slot.
    Here(Arc<Slot>),
}

/// An operation on its way from `push` to completion. Blocks are used again, with the memory of their lists.
///
/// At any moment a block has one owner: the pusher, the set of queues it waits in (as a raw pointer, until its wait
/// count reaches zero), a ready queue, the thread that runs it, or a store of idle blocks.
pub(super) struct Op {
    /// Variables not granted yet, plus one while it is being registered.
    wait: AtomicUsize,
    pub(super) deps: Vec<Dep>,
    pub(super) body: Body,
    /// Name, label and place of a one-shot operation; a prepared one has its own.
    pub(super) props: Properties,
    /// The number of the push, engine-wide.
    pub(super) seq: u64,
    /// The engine that runs it (for a prepared operation: see its recipe).
    pub(super) core: Option<Arc<Core>>,
    /// Link of the ready queue's inbox.
    pub(super) next: *mut Op,
}

// SAFETY: the raw pointers and cells inside are used only by the owner described above, and ownership moves between
// threads through a lock or an acquire/release pair on `wait` or on a ready queue. All other fields are `Send`.
unsafe impl Send for Op {}

impl Op {
    pub(super) fn new() -> Box<Op> {
        Box::new(Op {
            wait: AtomicUsize::new(0),
            deps: Vec::new(),
            body: Body::Idle,
            props: Properties::new(""),
            seq: 0,
            core: None,
            next: ptr::null_mut(),
        })
    }

    pub(super) fn props(&self) -> &Properties {
        match &self.body {
            Body::Prepared(recipe) => &recipe.props,
            _ => &self.props,
        }
    }

    /// The engine that the operation was pushed to; `None` only at rest.
    pub(super) fn home(&self) -> Option<&Arc<Core>> {
        match &self.body {
            Body::Prepared(recipe) => Some(&recipe.core),
            _ => self.core.as_ref(),
        }
    }

    /// Enters the queues of all variables; gives the operation back if it can run now.
    pub(super) fn submit(self: Box<Op>) -> Option<Box<Op>> {
        // The extra one keeps the operation waiting while `register` still walks over its entries.
        self.wait.store(self.deps.len() + 1, Ordering::Relaxed);
        let op = Box::into_raw(self);
        // SAFETY: `op` was a box; until the extra count is given back below nobody else turns it into one, and others
        // touch only its wait count and queued links.
        let granted = unsafe {
            let deps = &(*op).deps;
            deps.iter().for_each(|dep| dep.op.set(op));
            register(deps)
        };
        // SAFETY: `op` came from a box, is alive as argued above, and this thread owes it the counts it gives back.
        unsafe { grant(op, granted + 1) }
    }
}

/// Gives back `count` of the operation's wait count; whoever gives back the last one gets the operation.
///
/// # Safety
///
/// `op` comes from [`Op::submit`], and the caller owes it `count`.
pub(super) unsafe fn grant(op: *const Op, count: usize) -> Option<Box<Op>> {
    // SAFETY: the operation is alive while somebody owes it a count. AcqRel: the thread that gets zero sees all that
    // was done before the other grants, in particular what earlier operations wrote.
    let before = unsafe { (*op).wait.fetch_sub(count, Ordering::AcqRel) };
    debug_assert!(before >= count, "no operation is granted more often than it waits");
    // SAFETY: at zero no queue holds a link of the operation and nobody owes it a count, so this is the only pointer.
    (before == count).then(|| unsafe { Box::from_raw(op.cast_mut()) })
}
