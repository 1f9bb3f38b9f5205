//! An allocator that counts, per thread, what a piece of code takes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

fn note(change: isize) {
    let live = LIVE.get() + change;
    LIVE.set(live);
    PEAK.set(PEAK.get().max(live));
    CALLS.set(CALLS.get() + usize::from(change > 0));
}

// SAFETY: every call goes to the system's allocator unchanged; the counters are thread-local cells without
// destructors and do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size() as isize);
        // SAFETY: the caller's promise about `layout` is passed on.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        note(-(layout.size() as isize));
        // SAFETY: `pointer` came from `System` through this allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new block may exist together while the content moves.
        note(size as isize);
        note(-(layout.size() as isize));
        // SAFETY: `pointer` came from `System` through this allocator, with this layout; `size` is the caller's.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// What a call gave, the most bytes that this thread held because of it, and how often it asked for memory.
pub(crate) fn measure<T>(call: impl FnOnce() -> T) -> (T, usize, usize) {
    let (live, calls) = (LIVE.get(), CALLS.get());
    PEAK.set(live);
    let result = call();
    (result, (PEAK.get() - live) as usize, CALLS.get() - calls)
}

#[test]
fn the_allocator_counts() {
    let (vector, peak, calls) = measure(|| vec![1u8; 1000]);
    assert_eq!((vector.len(), peak, calls), (1000, 1000, 1));
    let (_, peak, calls) = measure(|| drop(vector));
    assert_eq!((peak, calls), (0, 0));
}
