//! Blocks of aligned memory, and the pool that keeps freed ones.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::StorageError;

/// Every block starts at a multiple of this: a cache line, and a vector of AVX-512.
pub const ALIGNMENT: usize = 64;

/// Sizes per doubling: a block is at most an eighth longer than asked for.
const STEPS: usize = 8;
const MIN_BYTES: usize = 64;
/// Classes from 64 bytes up to any size that [`MAX_BYTES`] allows.
const CLASSES: usize = (MAX_BITS - MIN_BYTES.trailing_zeros() as usize) * STEPS + 1;
const MAX_BITS: usize = usize::BITS as usize - 2;
const MAX_BYTES: usize = 1 << MAX_BITS;

/// Freed memory beyond this goes back to the system.
const DEFAULT_CACHE_LIMIT: usize = 2 << 30;

/// Initialised memory of one owner.
///
/// Bytes of a block are always initialised: a fresh block is zero, a used one has somebody's old numbers.
pub(super) struct Block {
    start: NonNull<u8>,
    class: usize,
    /// What the allocator gave; `start` is the first aligned byte inside.
    base: NonNull<u8>,
    pool: &'static Pool,
}

// SAFETY: a block owns its memory, as a `Vec<u8>` does.
unsafe impl Send for Block {}
// SAFETY: a shared block gives out only its address and size; who dereferences it answers for the order.
unsafe impl Sync for Block {}

/// Freed blocks by size, and counters.
pub(super) struct Pool {
    free: [Mutex<Vec<Freed>>; CLASSES],
    in_use: AtomicUsize,
    peak: AtomicUsize,
    cached: AtomicUsize,
    limit: AtomicUsize,
}

struct Freed {
    start: NonNull<u8>,
    base: NonNull<u8>,
}

// SAFETY: a freed block is unused memory; nobody else has its address.
unsafe impl Send for Freed {}

/// What the pool of the process holds, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolStats {
    /// Blocks that buffers own.
    pub in_use: usize,
    /// The most that `in_use` has been.
    pub peak: usize,
    /// Freed blocks kept for the next buffers.
    pub cached: usize,
}

static GLOBAL: Pool = Pool::new();

/// What the pool of the process holds.
pub fn stats() -> PoolStats {
    GLOBAL.stats()
}

/// Gives all kept blocks back to the system.
pub fn trim() {
    GLOBAL.trim();
}

/// How many bytes of freed blocks may be kept (2 GiB at first); what is kept now beyond that goes at the next free.
pub fn set_cache_limit(bytes: usize) {
    GLOBAL.limit.store(bytes, Ordering::Relaxed);
}

impl Pool {
    const fn new() -> Pool {
        Pool {
            free: [const { Mutex::new(Vec::new()) }; CLASSES],
            in_use: AtomicUsize::new(0),
            peak: AtomicUsize::new(0),
            cached: AtomicUsize::new(0),
            limit: AtomicUsize::new(DEFAULT_CACHE_LIMIT),
        }
    }

    pub(super) fn global() -> &'static Pool {
        &GLOBAL
    }

    /// A block of at least `bytes` bytes, all of them zero if `zeroed`.
    pub(super) fn take(&'static self, bytes: usize, zeroed: bool) -> Result<Block, StorageError> {
        if bytes > MAX_BYTES {
            return Err(StorageError::TooLarge { bytes });
        }
        let class = class_of(bytes);
        let size = class_size(class);
        let freed = self.free[class].lock().unwrap_or_else(PoisonError::into_inner).pop();
        let block = match freed {
            Some(freed) => {
                self.cached.fetch_sub(size, Ordering::Relaxed);
                self.own(class, freed)
            }
            None => {
                let fresh = fresh(size).or_else(|| {
                    self.trim();
                    fresh(size)
                });
                let in_use = self.in_use.load(Ordering::Relaxed);
                return Ok(self.own(class, fresh.ok_or(StorageError::OutOfMemory { bytes, in_use })?));
            }
        };
        if zeroed {
            // SAFETY: the block has at least `bytes` bytes and this function is its only owner.
            unsafe { block.start.as_ptr().write_bytes(0, bytes) };
        }
        Ok(block)
    }

    fn own(&'static self, class: usize, memory: Freed) -> Block {
        let size = class_size(class);
        let now = self.in_use.fetch_add(size, Ordering::Relaxed) + size;
        self.peak.fetch_max(now, Ordering::Relaxed);
        Block { start: memory.start, base: memory.base, class, pool: self }
    }

    fn give(&self, class: usize, memory: Freed) {
        let size = class_size(class);
        self.in_use.fetch_sub(size, Ordering::Relaxed);
        if self.cached.fetch_add(size, Ordering::Relaxed) + size > self.limit.load(Ordering::Relaxed) {
            self.cached.fetch_sub(size, Ordering::Relaxed);
            release(size, memory);
        } else {
            self.free[class].lock().unwrap_or_else(PoisonError::into_inner).push(memory);
        }
    }

    fn trim(&self) {
        for (class, free) in self.free.iter().enumerate() {
            let blocks = std::mem::take(&mut *free.lock().unwrap_or_else(PoisonError::into_inner));
            for memory in blocks {
                self.cached.fetch_sub(class_size(class), Ordering::Relaxed);
                release(class_size(class), memory);
            }
        }
    }

    fn stats(&self) -> PoolStats {
        PoolStats {
            in_use: self.in_use.load(Ordering::Relaxed),
            peak: self.peak.load(Ordering::Relaxed),
            cached: self.cached.load(Ordering::Relaxed),
        }
    }
}

impl Block {
    pub(super) fn start(&self) -> NonNull<u8> {
        self.start
    }

    /// The first `len` bytes, for an owner that has not shared the block yet.
    pub(super) fn bytes_mut(&mut self, len: usize) -> &mut [u8] {
        assert!(len <= class_size(self.class), "a block is used within its size");
        // SAFETY: initialised memory of that size (see the type), and `&mut self` is the only way to it.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), len) }
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.pool.give(self.class, Freed { start: self.start, base: self.base });
    }
}

/// The smallest class whose blocks hold `bytes`.
fn class_of(bytes: usize) -> usize {
    if bytes <= MIN_BYTES {
        return 0;
    }
    let doubling = (bytes - 1).ilog2() as usize;
    let step_bytes = (1 << doubling) / STEPS;
    let step = (bytes - (1 << doubling)).div_ceil(step_bytes);
    (doubling - MIN_BYTES.trailing_zeros() as usize) * STEPS + step
}

/// The bytes of a block of this class.
fn class_size(class: usize) -> usize {
    let doubling = MIN_BYTES << (class / STEPS);
    doubling + doubling / STEPS * (class % STEPS)
}

/// Room for the block at any address that the allocator may give.
///
/// The allocator is asked for its own small alignment, because with that a large zeroed block is fresh pages, which nobody
/// has to write; asked for 64 it would write all of them.
fn layout(size: usize) -> Option<Layout> {
    Layout::from_size_align(size.checked_add(ALIGNMENT)?, 16).ok()
}

fn fresh(size: usize) -> Option<Freed> {
    // SAFETY: the layout is not empty.
    let base = NonNull::new(unsafe { alloc_zeroed(layout(size)?) })?;
    let skip = base.as_ptr().align_offset(ALIGNMENT);
    debug_assert!(skip <= ALIGNMENT, "the layout has room for the alignment");
    // SAFETY: `skip` is at most the extra room of the layout.
    let start = unsafe { base.add(skip) };
    Some(Freed { start, base })
}

fn release(size: usize, memory: Freed) {
    if let Some(layout) = layout(size) {
        // SAFETY: `fresh` allocated `base` with the layout of this size, and the block has no owner any more.
        unsafe { dealloc(memory.base.as_ptr(), layout) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> &'static Pool {
        Box::leak(Box::new(Pool::new()))
    }

    #[test]
    fn classes_hold_what_they_are_asked_for_and_waste_an_eighth_at_most() {
        let near = |n: usize| [n - 1, n, n + 1];
        for bytes in (1..5000).chain((7..40).flat_map(|k| near(1 << k))) {
            let size = class_size(class_of(bytes));
            assert!(size >= bytes, "{bytes} in {size}");
            assert!(size <= MIN_BYTES || size <= bytes + bytes / 8 + 1, "{bytes} in {size}");
        }
        assert_eq!(class_size(class_of(MAX_BYTES)), MAX_BYTES);
        assert!(class_of(MAX_BYTES) < CLASSES);
    }

    #[test]
    fn freed_blocks_are_used_again_and_zeroed_on_request() {
        let pool = pool();
        let mut block = pool.take(1000, false).unwrap();
        assert_eq!(block.start().as_ptr() as usize % ALIGNMENT, 0);
        assert!(block.bytes_mut(1000).iter().all(|&b| b == 0), "a fresh block is zero");
        block.bytes_mut(1000).fill(9);
        let address = block.start();
        drop(block);
        assert_eq!(pool.stats().in_use, 0);
        assert!(pool.stats().cached >= 1000);
        let mut block = pool.take(990, true).unwrap();
        assert_eq!(block.start(), address);
        assert!(block.bytes_mut(990).iter().all(|&b| b == 0));
        assert_eq!(pool.stats().cached, 0);
    }

    #[test]
    fn beyond_the_limit_memory_goes_back() {
        let pool = pool();
        pool.limit.store(5000, Ordering::Relaxed);
        let blocks: Vec<_> = (0..4).map(|_| pool.take(2048, false).unwrap()).collect();
        assert_eq!(pool.stats().peak, 4 * 2048);
        drop(blocks);
        assert_eq!(pool.stats().cached, 2 * 2048);
        pool.trim();
        assert_eq!(pool.stats().cached, 0);
    }

    #[test]
    fn absurd_sizes_are_errors() {
        assert_eq!(pool().take(usize::MAX, false).err(), Some(StorageError::TooLarge { bytes: usize::MAX }));
        let bytes = MAX_BYTES;
        assert_eq!(pool().take(bytes, true).err(), Some(StorageError::OutOfMemory { bytes, in_use: 0 }));
    }
}
