//! Variables: the tags that order operations, each with its own queue.
//!
//! The protocol and the proof that a granted variable is never granted against the rules are in `README.md` beside this
//! file; the comments here name the step of the proof that they rely on.

use std::cell::{Cell, UnsafeCell};
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::error::EngineError;
use super::op::Op;

/// A tag that stands for a resource: operations that list it are ordered by it.
///
/// Cloning gives another handle of the same variable. A variable lives as long as a handle, or an operation that lists
/// it, lives; dropping the last handle is allowed at any time.
#[derive(Clone)]
pub struct Var(pub(super) Arc<VarCell>);

impl Var {
    /// A new variable. It belongs to no engine: its order holds even between operations of two engines.
    pub fn new() -> Var {
        Var(Arc::new(VarCell {
            failed: AtomicBool::new(false),
            done: AtomicU64::new(0),
            state: Mutex::new(State {
                readers: 0,
                writer: false,
                queue: Queue { head: ptr::null(), tail: ptr::null() },
                pushed: 0,
                wake_at: u64::MAX,
                error: None,
            }),
            written: Condvar::new(),
        }))
    }

    /// Whether both handles name the same variable.
    pub fn same(&self, other: &Var) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// The error that the variable carries now, if any; does not wait.
    pub fn error(&self) -> Option<EngineError> {
        self.0.error()
    }
}

impl Default for Var {
    fn default() -> Var {
        Var::new()
    }
}

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Var({:p})", Arc::as_ptr(&self.0))
    }
}

pub(super) struct VarCell {
    /// Whether `state.error` is set, readable without the lock.
    failed: AtomicBool,
    /// Completed writes; changes under the lock, readable without.
    done: AtomicU64,
    state: Mutex<State>,
    written: Condvar,
}

/// Who holds the variable and who waits for it. Invariants (at every unlock):
/// * `writer` implies `readers == 0`;
/// * a waiting head means that it cannot be granted: it is a write while somebody holds the variable, or a read while
///   a writer does.
struct State {
    /// Granted reads that have not completed.
    readers: usize,
    /// Whether a write is granted and has not completed.
    writer: bool,
    queue: Queue,
    /// Writes registered so far.
    pushed: u64,
    /// The number of completed writes at which a thread blocked in [`VarCell::wait`] wants to be woken.
    wake_at: u64,
    error: Option<EngineError>,
}

/// First-in first-out list of waiting dependencies, linked through [`Dep::next`].
struct Queue {
    head: *const Dep,
    tail: *const Dep,
}

// SAFETY: the pointers are dereferenced only under the lock of the variable, and what they point to stays in place until
// it is taken out of the queue (README, "A queued link is alive").
unsafe impl Send for Queue {}

/// One entry of an operation's read and write lists, and its link in the variable's queue.
pub(super) struct Dep {
    pub(super) var: Arc<VarCell>,
    pub(super) write: bool,
    /// How the running operation has borrowed the resource: 0 not, n > 0 shared n times, -1 exclusively.
    pub(super) borrow: Cell<isize>,
    /// The operation that owns this entry; set before it is registered.
    pub(super) op: Cell<*const Op>,
    /// Written under the variable's lock while queued; afterwards only by the thread that took the link out.
    next: UnsafeCell<*const Dep>,
}

impl Dep {
    pub(super) fn new(var: Arc<VarCell>, write: bool) -> Dep {
        Dep {
            var,
            write,
            borrow: Cell::new(0),
            op: Cell::new(ptr::null()),
            next: UnsafeCell::new(ptr::null()),
        }
    }
}

/// Makes lists of variables into entries: sorted by address, a variable that is read and written only written.
pub(super) fn fill_deps(deps: &mut Vec<Dep>, reads: &[&Var], writes: &[&Var]) {
    deps.clear();
    deps.extend(reads.iter().map(|v| Dep::new(Arc::clone(&v.0), false)));
    deps.extend(writes.iter().map(|v| Dep::new(Arc::clone(&v.0), true)));
    deps.sort_unstable_by_key(|d| (Arc::as_ptr(&d.var), !d.write));
    deps.dedup_by(|later, kept| Arc::ptr_eq(&later.var, &kept.var));
}

/// How many variables are locked by one stack frame of [`register`].
const FRAME: usize = 8;

/// Longer lists keep their locks on the heap instead of the stack.
const STACK: usize = 4096;

/// Puts all entries of one operation into the queues of their variables *at one moment*: every lock is taken before the
/// first one is given back, in the order of addresses. Two operations that share several variables are therefore in
/// the same order in all of them, whichever threads push them; without that, each could wait for the other.
///
/// Returns how many entries were granted at once; the others are granted by [`complete`] of somebody else.
pub(super) fn register(deps: &[Dep]) -> usize {
    if deps.len() <= STACK {
        return register_frame(deps);
    }
    let locks: Vec<_> = deps.iter().map(|dep| dep.var.lock()).collect();
    locks.into_iter().zip(deps).map(|(mut state, dep)| usize::from(state.append(dep))).sum()
}

fn register_frame(deps: &[Dep]) -> usize {
    let (mine, rest) = deps.split_at(deps.len().min(FRAME));
    let mut locks: [Option<MutexGuard<'_, State>>; FRAME] =
        std::array::from_fn(|i| mine.get(i).map(|dep| dep.var.lock()));
    let mut granted = if rest.is_empty() { 0 } else { register_frame(rest) };
    for (state, dep) in locks.iter_mut().flatten().zip(mine) {
        granted += usize::from(state.append(dep));
    }
    granted
}

/// Gives a granted variable back. Yields the operations whose entries are granted by that.
pub(super) fn complete(dep: &Dep) -> Released {
    let var = &*dep.var;
    let mut state = var.lock();
    if dep.write {
        debug_assert!(state.writer, "a write that completes was granted");
        state.writer = false;
        // Only this thread stores now: the lock is held.
        let done = var.done.load(Ordering::Relaxed) + 1;
        var.done.store(done, Ordering::Release);
        if done >= state.wake_at {
            state.wake_at = u64::MAX;
            var.written.notify_all();
        }
    } else {
        debug_assert!(state.readers > 0, "a read that completes was granted");
        state.readers -= 1;
    }
    state.release()
}

impl VarCell {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic runs under the lock, so a poisoned state is still consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn error(&self) -> Option<EngineError> {
        if !self.failed.load(Ordering::Relaxed) {
            return None;
        }
        self.lock().error.clone()
    }

    /// Writes that have completed. Who has the variable granted for reading sees all of those before the grant, and no other
    /// completes before that is given back; a writer sees those before its own.
    pub(super) fn version(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(super) fn set_error(&self, error: Option<EngineError>) -> Option<EngineError> {
        let mut state = self.lock();
        self.failed.store(error.is_some(), Ordering::Relaxed);
        std::mem::replace(&mut state.error, error)
    }

    pub(super) fn has_error(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Blocks until every write that was registered before the call has completed; gives the error, taking it out of
    /// the variable if `clear`.
    pub(super) fn wait(&self, spins: u32, clear: bool) -> Option<EngineError> {
        let mut state = self.lock();
        let target = state.pushed;
        if self.done.load(Ordering::Relaxed) < target {
            drop(state);
            for _ in 0..spins {
                if self.done.load(Ordering::Acquire) >= target {
                    break;
                }
                std::hint::spin_loop();
            }
            state = self.lock();
            while self.done.load(Ordering::Relaxed) < target {
                state.wake_at = state.wake_at.min(target);
                state = self.written.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        if clear {
            self.failed.store(false, Ordering::Relaxed);
            state.error.take()
        } else {
            state.error.clone()
        }
    }
}

impl State {
    /// Grants the entry, or queues it behind the others.
    fn append(&mut self, dep: &Dep) -> bool {
        self.pushed += u64::from(dep.write);
        let free = self.queue.head.is_null() && !self.writer && (!dep.write || self.readers == 0);
        if free {
            self.grant(dep.write);
        } else {
            self.queue.push(dep);
        }
        free
    }

    fn grant(&mut self, write: bool) {
        if write {
            self.writer = true;
        } else {
            self.readers += 1;
        }
    }

    /// Grants what may be granted from the head of the queue: one write, or all reads up to the next write.
    fn release(&mut self) -> Released {
        let first = self.queue.head;
        let mut last = ptr::null();
        while let Some(dep) = self.queue.peek() {
            let write = dep.write;
            if self.writer || (write && self.readers > 0) {
                break;
            }
            self.grant(write);
            last = self.queue.head;
            self.queue.pop();
        }
        if last.is_null() {
            return Released { next: ptr::null() };
        }
        // SAFETY: `last` was just taken out of the queue under the lock, which is still held, so nobody else reads or
        // writes its link; its operation still waits for this grant, so it is alive.
        unsafe { *(*last).next.get() = ptr::null() };
        Released { next: first }
    }
}

impl Queue {
    fn push(&mut self, dep: &Dep) {
        let link: *const Dep = dep;
        // SAFETY: the lock is held; `dep` is not in a queue yet, and `tail` is, so both are alive and their links
        // belong to the holder of the lock.
        unsafe {
            *dep.next.get() = ptr::null();
            if self.tail.is_null() {
                self.head = link;
            } else {
                *(*self.tail).next.get() = link;
            }
        }
        self.tail = link;
    }

    fn peek(&self) -> Option<&Dep> {
        // SAFETY: the lock is held, and a queued link is alive: its operation cannot start before it is granted here.
        unsafe { self.head.as_ref() }
    }

    fn pop(&mut self) {
        if let Some(dep) = self.peek() {
            // SAFETY: as in `peek`; the link belongs to the holder of the lock.
            self.head = unsafe { *dep.next.get() };
            if self.head.is_null() {
                self.tail = ptr::null();
            }
        }
    }
}

/// Operations of which one more entry has been granted; the caller owes each one decrement of its wait count.
pub(super) struct Released {
    next: *const Dep,
}

impl Iterator for Released {
    type Item = *const Op;

    fn next(&mut self) -> Option<*const Op> {
        // SAFETY: the chain was taken out of the queue by this thread, and each of its operations still waits for the
        // decrement that the caller makes after this returns; the link is read before that, so it is alive.
        let dep = unsafe { self.next.as_ref()? };
        // SAFETY: as above; a link outside a queue belongs to the thread that took it out.
        self.next = unsafe { *dep.next.get() };
        Some(dep.op.get())
    }
}
