//! Operations that can start, highest priority first, and the sleep of the workers that take them.

use std::cmp::{Ordering as Order, Reverse};
use std::collections::BinaryHeap;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::op::Op;

/// The ready queue of one lane.
///
/// Adding is lock-free and allocates nothing: operations are linked into an inbox, from which only everything at once is
/// taken, so there is no ABA. Workers move the inbox into a heap; its lock is shared by the workers of the lane only.
pub(super) struct ReadyQueue {
    inbox: AtomicPtr<Op>,
    heap: Mutex<BinaryHeap<Entry>>,
    /// Length of the heap, a hint for spinning workers.
    heaped: AtomicUsize,
    /// Mirror of `Sleep::sleeping`, so that adding to a busy lane takes no lock.
    sleepers: AtomicUsize,
    sleep: Mutex<Sleep>,
    wake: Condvar,
    spins: u32,
}

struct Sleep {
    /// Workers asleep that nobody has called yet.
    sleeping: usize,
    /// Calls that no worker has answered yet. The caller moves the count, so that a burst of operations calls each sleeper once.
    calls: usize,
}

impl ReadyQueue {
    /// `capacity` operations can be ready without the heap growing; `spins` is how often a worker looks before it sleeps.
    pub(super) fn new(capacity: usize, spins: u32) -> ReadyQueue {
        ReadyQueue {
            inbox: AtomicPtr::new(ptr::null_mut()),
            heap: Mutex::new(BinaryHeap::with_capacity(capacity)),
            heaped: AtomicUsize::new(0),
            sleepers: AtomicUsize::new(0),
            sleep: Mutex::new(Sleep { sleeping: 0, calls: 0 }),
            wake: Condvar::new(),
            spins,
        }
    }

    /// Adds an operation and calls a worker if one sleeps.
    pub(super) fn push(&self, op: Box<Op>) {
        let op = Box::into_raw(op);
        let mut head = self.inbox.load(Ordering::Relaxed);
        loop {
            // SAFETY: the operation came in a box and is not in the inbox yet.
            unsafe { (*op).next = head };
            match self.inbox.compare_exchange_weak(head, op, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(seen) => head = seen,
            }
        }
        // Pairs with the fence in `next`: either this sees the sleeper, or the sleeper sees the operation.
        fence(Ordering::SeqCst);
        if self.sleepers.load(Ordering::Relaxed) > 0 {
            self.call(1);
        }
    }

    /// Calls every sleeping worker, so that it looks whether it should stop.
    pub(super) fn call_all(&self) {
        self.call(usize::MAX);
    }

    /// The next operation; sleeps while there is none. `None` once `finished` holds.
    pub(super) fn next(&self, finished: impl Fn() -> bool) -> Option<Box<Op>> {
        loop {
            if let Some(op) = self.pop() {
                return Some(op);
            }
            if self.spin() {
                continue;
            }
            let mut sleep = self.lock_sleep();
            sleep.sleeping += 1;
            self.sleepers.store(sleep.sleeping, Ordering::Relaxed);
            fence(Ordering::SeqCst);
            let stop = finished();
            if stop || self.has_ready() {
                sleep.sleeping -= 1;
                self.sleepers.store(sleep.sleeping, Ordering::Relaxed);
                if stop {
                    return None;
                }
                continue;
            }
            while sleep.calls == 0 {
                sleep = self.wake.wait(sleep).unwrap_or_else(PoisonError::into_inner);
            }
            sleep.calls -= 1;
        }
    }

    fn pop(&self) -> Option<Box<Op>> {
        let mut heap = self.lock_heap();
        let mut link = self.inbox.swap(ptr::null_mut(), Ordering::Acquire);
        while !link.is_null() {
            // SAFETY: `push` made the link from a box, and the swap gave the whole chain to this thread alone.
            let op = unsafe { Box::from_raw(link) };
            link = op.next;
            heap.push(Entry(op));
        }
        let first = heap.pop();
        self.heaped.store(heap.len(), Ordering::Relaxed);
        first.map(|entry| entry.0)
    }

    /// Looks for work for a moment; whether some was seen.
    fn spin(&self) -> bool {
        (0..self.spins).any(|_| {
            std::hint::spin_loop();
            !self.inbox.load(Ordering::Relaxed).is_null() || self.heaped.load(Ordering::Relaxed) > 0
        })
    }

    fn has_ready(&self) -> bool {
        // Under the heap's lock no operation is on its way from the inbox to the heap.
        let heap = self.lock_heap();
        !heap.is_empty() || !self.inbox.load(Ordering::Relaxed).is_null()
    }

    fn call(&self, workers: usize) {
        let mut sleep = self.lock_sleep();
        let called = sleep.sleeping.min(workers);
        sleep.sleeping -= called;
        sleep.calls += called;
        self.sleepers.store(sleep.sleeping, Ordering::Relaxed);
        drop(sleep);
        match called {
            0 => {}
            1 => self.wake.notify_one(),
            _ => self.wake.notify_all(),
        }
    }

    fn lock_sleep(&self) -> MutexGuard<'_, Sleep> {
        self.sleep.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_heap(&self) -> MutexGuard<'_, BinaryHeap<Entry>> {
        self.heap.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ordered by priority, then by age.
struct Entry(Box<Op>);

impl Entry {
    fn key(&self) -> (i32, Reverse<u64>) {
        (self.0.props().priority, Reverse(self.0.seq))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Entry) -> Option<Order> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Entry) -> Order {
        self.key().cmp(&other.key())
    }
}
