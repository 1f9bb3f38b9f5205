//! Copying operands into panels.

use crate::element::Num;
use crate::simd::vector::{MAX_LANES, Vector, first};

/// Rows that are asked for before they are copied.
pub(crate) const AHEAD: usize = 4;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Writes `[len, width]` panel rows from `width` sources that lie along `len`: element `(p, i)` of the panel is element `p` of source
/// `i`, which `source(i)` points to. Columns from `width` up to a multiple of the lanes within `stride` stay as they are.
///
/// # Safety
///
/// Runs below the entry of `V`'s instruction set; sources are valid for `len` reads, `to` for `width` writes at each of `len` rows.
#[inline(always)]
pub(crate) unsafe fn transposed<V: Vector>(
    width: usize,
    len: usize,
    source: impl Fn(usize) -> *const V::Elem,
    to: *mut V::Elem,
    stride: usize,
) {
    let lanes = V::LANES;
    for i in (0..width).step_by(lanes) {
        let columns = lanes.min(width - i);
        // Where there are no more columns the first is read again, so that blocks stay in registers; it is not stored.
        let mut sources = [source(i); MAX_LANES];
        for (j, from) in sources[..columns].iter_mut().enumerate() {
            *from = source(i + j);
        }
        // As a rule, sources lie at one distance from each other, and those that follow are read next.
        let next = columns as isize * (sources[1].addr() as isize - sources[0].addr() as isize);
        let ask = |p: usize| {
            if (p * size_of::<V::Elem>()).is_multiple_of(LINE) {
                for from in &sources[..columns] {
                    V::prefetch(from.wrapping_add(p).wrapping_byte_offset(next));
                }
            }
        };
        // Rows of a panel without gaps that come later take back what a whole register writes behind those before.
        let whole = columns == lanes || width < lanes && stride == width;
        let end = len.saturating_sub(1) * stride + width;
        let mut p = 0;
        while whole && p + lanes <= len && (p + lanes - 1) * stride + i + lanes <= end {
            ask(p);
            // SAFETY: whole registers lie within `len` on the one side and before the end of the last row on the other.
            unsafe {
                let mut block = [V::zero(); MAX_LANES];
                for (row, from) in block[..lanes].iter_mut().zip(&sources) {
                    *row = V::load(from.add(p));
                }
                V::transpose(&mut block);
                let to = to.add(p * stride + i);
                for (q, row) in block[..lanes].iter().enumerate() {
                    row.store(to.add(q * stride));
                }
            }
            p += lanes;
        }
        while p < len {
            let rows = lanes.min(len - p);
            ask(p);
            // SAFETY: masks keep loads within `len` and stores within `width`.
            unsafe {
                let mut block = [V::zero(); MAX_LANES];
                for (row, from) in block[..lanes].iter_mut().zip(&sources) {
                    *row = V::zero().load_over(from.add(p), first(rows));
                }
                V::transpose(&mut block);
                let to = to.add(p * stride + i);
                for (q, row) in block[..rows].iter().enumerate() {
                    row.store_masked(to.add(q * stride), first(columns));
                }
            }
            p += lanes;
        }
    }
}

/// Copies `len` rows of `width` elements, which lie `from_stride` apart, to rows `to_stride` apart.
///
/// # Safety
///
/// Runs below the entry of `V`'s instruction set; both sides are valid for `width` elements at each of `len` rows.
#[inline(always)]
pub(crate) unsafe fn copied<V: Vector>(
    width: usize,
    len: usize,
    from: *const V::Elem,
    from_stride: usize,
    to: *mut V::Elem,
    to_stride: usize,
) {
    let lanes = V::LANES;
    for p in 0..len {
        for i in (0..width).step_by(lanes) {
            // SAFETY: masks keep accesses within `width`.
            unsafe {
                let (from, to) = (from.add(p * from_stride + i), to.add(p * to_stride + i));
                if width - i >= lanes {
                    V::load(from).store(to);
                } else {
                    V::zero().load_over(from, first(width - i)).store_masked(to, first(width - i));
                }
            }
        }
    }
}

/// Writes zeros to columns `from..to` of `len` rows that lie `stride` apart.
///
/// # Safety
///
/// `panel` is valid for the writes.
#[inline(always)]
pub(crate) unsafe fn zeroed<T: Num>(panel: *mut T, len: usize, stride: usize, from: usize, to: usize) {
    for p in 0..len {
        for i in from..to {
            // SAFETY: the caller allows the writes.
            unsafe { *panel.add(p * stride + i) = T::ZERO };
        }
    }
}
