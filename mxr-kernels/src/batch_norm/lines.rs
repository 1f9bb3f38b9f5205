//! How the elements of some neighbouring channels lie: walked a register at a time.

use crate::batch_norm::BatchNorm;
use crate::map::Src;
use crate::simd::vector::{Vector, first};
use crate::stream;

/// The most channels of a group.
pub(super) const WIDE: usize = 64;

/// Elements that a group should have of one outer index, so that memory is read in long pieces.
const LONG: usize = 1024;

/// Some neighbouring channels.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) first: usize,
    pub(super) width: usize,
}

/// Channels of a group.
pub(super) fn width(d: &BatchNorm) -> usize {
    (LONG / d.inner.max(1)).clamp(1, WIDE)
}

/// Where an array starts, whether it is only read or also written, by tasks that have different channels or outer indices.
#[derive(Clone, Copy)]
pub(super) struct Array<T>(*mut T);

// SAFETY: `load` and `store` leave it to their callers that no element is written by one task and used by another.
unsafe impl<T: Send> Send for Array<T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for Array<T> {}

impl<T> Array<T> {
    /// An array that is only loaded from.
    pub(super) fn read(from: &[T]) -> Array<T> {
        Array(from.as_ptr().cast_mut())
    }

    pub(super) fn write(to: &mut [T]) -> Array<T> {
        Array(to.as_mut_ptr())
    }

    /// The operand, or the array that holds it and is written.
    pub(super) fn of(from: Src<'_, T>, out: Array<T>) -> Array<T> {
        match from {
            Src::Slice(from) => Array::read(from),
            Src::Out => out,
        }
    }

    /// Whether both are the same memory.
    pub(super) fn same(self, other: Array<T>) -> bool {
        self.0 == other.0
    }

    /// Whether registers may be [streamed](Vector::stream) to the whole vectors of lines of this many elements.
    pub(super) fn streams(self, inner: usize) -> bool {
        stream::aligned(self.0, inner * size_of::<T>())
    }

    /// Where element `at` lies.
    ///
    /// # Safety
    /// It lies in the array.
    #[inline(always)]
    pub(super) unsafe fn at(self, at: usize) -> *mut T {
        // SAFETY: the caller's promise.
        unsafe { self.0.add(at) }
    }
}

/// Some lanes of a register: all of them, or the first few.
#[derive(Clone, Copy)]
pub(super) enum Part {
    All,
    First(usize),
}

/// Elements from `from` on, and in the lanes of which there are none those of `other`.
///
/// # Safety
/// The elements can be read, and the CPU has the instructions.
#[inline(always)]
pub(super) unsafe fn load<V: Vector>(from: *const V::Elem, part: Part, other: V) -> V {
    // SAFETY: the caller's promise.
    unsafe {
        match part {
            Part::All => V::load(from),
            Part::First(n) => other.load_over(from, first(n)),
        }
    }
}

/// Elements to `to` and on.
///
/// # Safety
/// The elements can be written, and the CPU has the instructions.
#[inline(always)]
pub(super) unsafe fn store<V: Vector>(to: *mut V::Elem, part: Part, v: V) {
    // SAFETY: the caller's promise.
    unsafe {
        match part {
            Part::All => v.store(to),
            Part::First(n) => v.store_masked(to, first(n)),
        }
    }
}

/// How many lines a group has of one outer index: a run per channel, or where channels are neighbours a line per `lanes` of them.
#[inline(always)]
pub(super) fn lines(d: &BatchNorm, g: Group, lanes: usize) -> usize {
    if d.inner == 1 { g.width.div_ceil(lanes) } else { g.width }
}

/// The (first) channel of a line in its group, where it starts in outer index `o`, and its length.
#[inline(always)]
pub(super) fn line(d: &BatchNorm, g: Group, o: usize, i: usize, lanes: usize) -> (usize, usize, usize) {
    let start = (o * d.channels + g.first) * d.inner;
    if d.inner == 1 {
        let c = i * lanes;
        (c, start + c, lanes.min(g.width - c))
    } else {
        (i, start + i * d.inner, d.inner)
    }
}
