//! Operations that run on the thread that asked for them.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

use super::op::Op;

thread_local! {
    // One slot a thread is enough: a thread inside an operation may not ask for another.
    static SLOT: Arc<Slot> = Arc::new(Slot { op: Mutex::new(None), filled: Condvar::new() });
}

/// Where an operation that has been granted everything is handed to the waiting thread.
pub(super) struct Slot {
    op: Mutex<Option<Box<Op>>>,
    filled: Condvar,
}

impl Slot {
    pub(super) fn of_this_thread() -> Arc<Slot> {
        // `try_with`: during thread exit the slot may be gone already.
        SLOT.try_with(Arc::clone)
            .unwrap_or_else(|_| Arc::new(Slot { op: Mutex::new(None), filled: Condvar::new() }))
    }

    pub(super) fn put(&self, op: Box<Op>) {
        *self.op.lock().unwrap_or_else(PoisonError::into_inner) = Some(op);
        self.filled.notify_one();
    }

    pub(super) fn take(&self, spins: u32) -> Box<Op> {
        for _ in 0..spins / 16 {
            if let Some(op) = self.op.lock().unwrap_or_else(PoisonError::into_inner).take() {
                return op;
            }
            (0..16).for_each(|_| std::hint::spin_loop());
        }
        let mut slot = self.op.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match slot.take() {
                Some(op) => return op,
                None => slot = self.filled.wait(slot).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }
}
