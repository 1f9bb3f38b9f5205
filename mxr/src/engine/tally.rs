//! A count of things under way, with a limit at which newcomers wait.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

/// Counts up at [`Tally::enter`] and down at [`Tally::leave`].
///
/// A sleeper and a leaver cannot miss each other: the sleeper announces itself before it looks at the count, the leaver
/// counts before it looks for sleepers, all sequentially consistent. Leavers wake only when the count falls to half the limit
/// or to zero; the count moves by ones, so it cannot jump over these.
pub(super) struct Tally {
    count: AtomicUsize,
    limit: usize,
    sleepers: AtomicUsize,
    lock: Mutex<()>,
    wake: Condvar,
}

impl Tally {
    pub(super) fn new(limit: usize) -> Tally {
        Tally {
            count: AtomicUsize::new(0),
            limit: limit.max(1),
            sleepers: AtomicUsize::new(0),
            lock: Mutex::new(()),
            wake: Condvar::new(),
        }
    }

    /// Counts one more; at the limit it first waits until there is room, unless `unbounded`.
    pub(super) fn enter(&self, unbounded: bool) {
        if unbounded {
            self.count.fetch_add(1, Ordering::SeqCst);
            return;
        }
        let mut now = self.count.load(Ordering::Relaxed);
        loop {
            if now >= self.limit {
                self.sleep_until(|count| count < self.limit);
                now = self.count.load(Ordering::Relaxed);
                continue;
            }
            match self.count.compare_exchange_weak(now, now + 1, Ordering::SeqCst, Ordering::Relaxed) {
                Ok(_) => return,
                Err(seen) => now = seen,
            }
        }
    }

    /// Counts one less and gives the new count.
    pub(super) fn leave(&self) -> usize {
        let now = self.count.fetch_sub(1, Ordering::SeqCst) - 1;
        if (now == 0 || now == self.limit / 2) && self.sleepers.load(Ordering::SeqCst) > 0 {
            drop(self.lock.lock().unwrap_or_else(PoisonError::into_inner));
            self.wake.notify_all();
        }
        now
    }

    pub(super) fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Waits until nothing is under way.
    pub(super) fn wait_zero(&self, spins: u32) {
        for _ in 0..spins {
            if self.count() == 0 {
                return;
            }
            std::hint::spin_loop();
        }
        self.sleep_until(|count| count == 0);
    }

    fn sleep_until(&self, ready: impl Fn(usize) -> bool) {
        let mut lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner);
        self.sleepers.fetch_add(1, Ordering::SeqCst);
        while !ready(self.count.load(Ordering::SeqCst)) {
            lock = self.wake.wait(lock).unwrap_or_else(PoisonError::into_inner);
        }
        self.sleepers.fetch_sub(1, Ordering::SeqCst);
    }
}
