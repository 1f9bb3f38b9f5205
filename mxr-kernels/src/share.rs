//! One output written by several tasks in pieces that are not contiguous.

use std::marker::PhantomData;

/// A mutable slice from which tasks take disjoint parts.
pub(crate) struct Shared<'a, T> {
    at: *mut T,
    len: usize,
    life: PhantomData<&'a mut [T]>,
}

// SAFETY: parts are only handed out by `part`, whose callers promise that no element is in two of them at once, so
// sharing is the same as sending the parts to the threads.
unsafe impl<T: Send> Sync for Shared<'_, T> {}

impl<'a, T> Shared<'a, T> {
    pub(crate) fn new(whole: &'a mut [T]) -> Self {
        Shared { at: whole.as_mut_ptr(), len: whole.len(), life: PhantomData }
    }

    /// Elements `at..at + len`.
    ///
    /// # Safety
    /// As long as the part lives, no other part may contain one of its elements.
    ///
    /// # Panics
    /// If the part does not lie in the slice.
    #[inline(always)]
    #[allow(clippy::mut_from_ref)] // disjointness is the caller's promise
    pub(crate) unsafe fn part(&self, at: usize, len: usize) -> &mut [T] {
        assert!(at <= self.len && len <= self.len - at, "a part lies in the output");
        // SAFETY: within the slice by the assertion; exclusive by the caller's promise and the borrow held by `life`.
        unsafe { std::slice::from_raw_parts_mut(self.at.add(at), len) }
    }
}
