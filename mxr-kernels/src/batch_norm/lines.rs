//! How the elements of some neighbouring channels lie: walked in pieces of a register or two.

use crate::batch_norm::BatchNorm;
use crate::element::Float;
use crate::map::Src;

/// Elements of a piece.
pub(super) const LANES: usize = 16;

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

    /// Elements `at..at + n`, at most [`LANES`], and zeros.
    ///
    /// # Safety
    /// They lie in the array, and nobody writes them now.
    #[inline(always)]
    pub(super) unsafe fn load(self, at: usize, n: usize) -> [T; LANES]
    where
        T: Float,
    {
        // SAFETY: the caller's promise; for a whole piece all lanes are in the array.
        unsafe {
            if n == LANES {
                return self.0.add(at).cast::<[T; LANES]>().read();
            }
            let mut piece = [T::ZERO; LANES];
            for (l, x) in piece.iter_mut().enumerate().take(n) {
                *x = *self.0.add(at + l);
            }
            piece
        }
    }

    /// The first `n` lanes to elements `at..at + n`.
    ///
    /// # Safety
    /// They lie in the array, which is one that may be written, and nobody else uses them now.
    #[inline(always)]
    pub(super) unsafe fn store(self, at: usize, n: usize, piece: [T; LANES])
    where
        T: Float,
    {
        // SAFETY: as for `load`.
        unsafe {
            if n == LANES {
                self.0.add(at).cast::<[T; LANES]>().write(piece);
            } else {
                for (l, x) in piece.into_iter().enumerate().take(n) {
                    *self.0.add(at + l) = x;
                }
            }
        }
    }
}

/// How many lines a group has of one outer index: a run per channel, or where channels are neighbours a line per [`LANES`] of
/// them.
#[inline(always)]
pub(super) fn lines(d: &BatchNorm, g: Group) -> usize {
    if d.inner == 1 { g.width.div_ceil(LANES) } else { g.width }
}

/// The (first) channel of a line in its group, where it starts in outer index `o`, and its length.
#[inline(always)]
pub(super) fn line(d: &BatchNorm, g: Group, o: usize, i: usize) -> (usize, usize, usize) {
    let start = (o * d.channels + g.first) * d.inner;
    if d.inner == 1 {
        let c = i * LANES;
        (c, start + c, LANES.min(g.width - c))
    } else {
        (i, start + i * d.inner, d.inner)
    }
}
