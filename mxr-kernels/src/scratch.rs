//! Scratch memory for packed operands, reused for the life of the process.
//!
//! A block of a parallel loop borrows one buffer of a pool while it runs and starts no other loop meanwhile, so there is never more than
//! one per pool and thread. All of them are made by the first borrower: later calls allocate nothing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::element::Num;
use crate::par;

/// Bytes to which buffers are aligned: a cache line and the widest register.
const ALIGN: usize = 64;

/// Of all pools.
static BYTES: AtomicUsize = AtomicUsize::new(0);

/// Bytes of scratch memory for packed operands that the process holds. It is no part of a network's plan: its size depends on
/// the kernels that ran and on the number of threads alone, not on shapes or batch.
pub fn scratch_bytes() -> usize {
    BYTES.load(Ordering::Relaxed)
}

/// Buffers of one length.
pub(crate) struct Pool<T> {
    len: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    free: Vec<Vec<T>>,
    made: usize,
}

impl<T: Num> Pool<T> {
    /// A pool of buffers of `len` elements; nothing is allocated yet.
    pub(crate) const fn new(len: usize) -> Self {
        Pool { len, state: Mutex::new(State { free: Vec::new(), made: 0 }) }
    }

    /// Calls `body` with a buffer of the pool's length, aligned to a cache line, whose contents are whatever the last
    /// borrower left.
    pub(crate) fn with<R>(&self, body: impl FnOnce(&mut [T]) -> R) -> R {
        let mut buffer = self.take();
        // Miri may answer that no offset is known; then alignment does not matter either.
        let start = buffer.as_ptr().align_offset(ALIGN).min(ALIGN / size_of::<T>());
        let result = body(&mut buffer[start..start + self.len]);
        self.lock().free.push(buffer);
        result
    }

    fn take(&self) -> Vec<T> {
        let mut state = self.lock();
        // Enough for every thread at the first call from a pool, not when a thread happens to come first.
        let missing = par::threads().saturating_sub(state.made);
        let make = if state.free.is_empty() { missing.max(1) } else { missing };
        state.made += make;
        BYTES.fetch_add(make * (self.len * size_of::<T>() + ALIGN), Ordering::Relaxed);
        let made = state.made;
        state.free.reserve(made);
        for _ in 0..make {
            state.free.push(vec![T::ZERO; self.len + ALIGN / size_of::<T>()]);
        }
        state.free.pop().expect("at least one buffer was just made")
    }

    /// The list is whole at every unlock, so a panic elsewhere cannot have broken it.
    fn lock(&self) -> std::sync::MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_are_distinct_aligned_and_used_again() {
        static POOL: Pool<f32> = Pool::new(100);
        let first = POOL.with(|a| {
            assert_eq!((a.len(), a.as_ptr().align_offset(ALIGN)), (100, 0));
            assert!(scratch_bytes() >= 400);
            let a_at = a.as_ptr() as usize;
            POOL.with(|b| assert!(a_at.abs_diff(b.as_ptr() as usize) >= 400));
            a_at
        });
        assert_eq!(POOL.with(|a| a.as_ptr() as usize), first);
    }
}
