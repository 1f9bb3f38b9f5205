//! The serial engine: operations run on the thread that pushes them, before `push` returns.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::core::Core;
use super::op::Op;

/// Runs what is ready, one operation after the other in push order, on whichever thread comes by; kernels get no other
/// thread either.
///
/// When an operation pushes others, they run after it. When several threads push, one of them runs everything and the
/// others go on; a wait still waits.
pub(super) struct Serial {
    ready: Mutex<VecDeque<Box<Op>>>,
    running: AtomicBool,
}

impl Serial {
    pub(super) fn new() -> Serial {
        Serial { ready: Mutex::new(VecDeque::with_capacity(64)), running: AtomicBool::new(false) }
    }

    pub(super) fn enqueue(&self, op: Box<Op>, core: &Arc<Core>) {
        self.queue().push_back(op);
        // Whoever fails to become the runner is seen by it: the runner looks at the queue again after it has stopped.
        while !self.queue().is_empty() && !self.running.swap(true, Ordering::SeqCst) {
            while let Some(op) = self.next() {
                mxr_kernels::par::alone(|| core.execute(op));
            }
            self.running.store(false, Ordering::SeqCst);
        }
    }

    fn next(&self) -> Option<Box<Op>> {
        self.queue().pop_front()
    }

    fn queue(&self) -> std::sync::MutexGuard<'_, VecDeque<Box<Op>>> {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
