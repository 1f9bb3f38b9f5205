//! Products of plain matrices: packs from row-major storage, writes rows of C in place.

use std::ops::Range;

use super::Gemm;
use super::driver::{HEIGHT, Lhs, Place, Rhs, Sink, Tiled, multiply};
use super::micro::{Registers, Rows};
use super::pack::{self, AHEAD};
use super::prepared::PackedCols;
use crate::epilogue::Epilogue;

pub(super) fn run<V: Registers>(
    desc: &Gemm,
    a: &[V::Elem],
    b: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    c: &mut [V::Elem],
) {
    // With `k` = 0 the operands may be empty whatever the strides say.
    let rhs = |z: usize| Matrix {
        data: b.get(z * desc.stride_b..).unwrap_or_default(),
        ld: desc.ldb,
        transposed: desc.trans_b,
        in_place: false,
    };
    product::<V, _>(desc, a, rhs, epilogue, c);
}

/// With a matrix B that [`pack`](super::prepared::pack) has packed.
pub(super) fn run_prepared<V: Registers>(
    desc: &Gemm,
    a: &[V::Elem],
    b: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    c: &mut [V::Elem],
) {
    product::<V, _>(desc, a, |_| PackedCols { data: b, k: desc.k }, epilogue, c);
}

fn product<V: Registers, R: Rhs<V>>(
    desc: &Gemm,
    a: &[V::Elem],
    rhs: impl Fn(usize) -> R + Sync,
    epilogue: Epilogue<'_, V::Elem>,
    c: &mut [V::Elem],
) {
    let Gemm { m, n, k, trans_a, lda, ldc, accumulate, .. } = *desc;
    let c = Address::of(c);
    let in_place = !trans_a && rows_can_stay::<V>(m, lda);
    let operands = |z: usize| {
        let lhs = Matrix {
            data: a.get(z * desc.stride_a..).unwrap_or_default(),
            ld: lda,
            transposed: trans_a,
            in_place,
        };
        let at = z * desc.stride_c;
        (lhs, rhs(z), InPlace { c, at, ldc, accumulate, epilogue })
    };
    // SAFETY: `Candidate` has checked that the CPU has the instruction set, that the slices are as long as the descriptor
    // says and that matrices C do not overlap.
    unsafe { multiply::<V, _, _, _>(Rows::new(m, V::ROWS), n, k, desc.batch, operands) }
}

/// Whether rows of A are read where they lie: each of a tile's rows needs a pointer, all of them are to be in one rectangle, which packs its
/// columns of B once, and rows at multiples of a page would compete for the same places in the caches.
pub(crate) fn rows_can_stay<V: Registers>(m: usize, lda: usize) -> bool {
    const PAGE: usize = 4096;
    V::ROWS <= 8 && m <= HEIGHT * V::Elem::MC && !(lda * size_of::<V::Elem>()).is_multiple_of(PAGE)
}

/// Where C starts. Threads write disjoint parts of it.
#[derive(Clone, Copy)]
pub(crate) struct Address<T>(*mut T);

// SAFETY: every element of C is given to one block of a parallel loop, and blocks do not share elements.
unsafe impl<T: Send> Send for Address<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Address<T> {}

impl<T> Address<T> {
    pub(crate) fn of(c: &mut [T]) -> Self {
        Address(c.as_mut_ptr())
    }

    /// The address `elements` further on.
    #[inline(always)]
    pub(crate) fn skip(self, elements: usize) -> Self {
        Address(self.0.wrapping_add(elements))
    }

    #[inline(always)]
    pub(crate) fn start(self) -> *mut T {
        self.0
    }
}

/// A row-major operand; element `(row, column)` as in [`Gemm`].
pub(crate) struct Matrix<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) ld: usize,
    pub(crate) transposed: bool,
    /// Rows of A that are not transposed are read where they lie.
    pub(crate) in_place: bool,
}

impl<V: Registers> Lhs<V> for Matrix<'_, V::Elem> {
    const PACKED: bool = false;

    #[inline(always)]
    fn apart(&self) -> usize {
        if self.in_place { self.ld } else { 0 }
    }

    #[inline(always)]
    unsafe fn pack(&self, rows: &Rows, panels: Range<usize>, ks: Range<usize>, to: *mut V::Elem) {
        if self.in_place {
            return;
        }
        let (a, ld) = (self.data.as_ptr(), self.ld);
        let first = rows.start(panels.start);
        // As for B: of a stored row, all panels are filled before the next row.
        let rows_at_a_time = if self.transposed { 1 } else { ks.len().max(1) };
        for k in ks.clone().step_by(rows_at_a_time) {
            for p in panels.clone() {
                let (row, height) = (rows.start(p), rows.height(p));
                // SAFETY: the descriptor was checked against the slice; `to` has room by the caller's contract.
                unsafe {
                    let to = to.add((row - first) * ks.len() + (k - ks.start) * height);
                    if self.transposed {
                        let at = k * ld + row;
                        // Rows of the panel that come later take back what a whole register writes behind this one.
                        let below = (ks.end - k) * height;
                        if height <= V::LANES && below >= V::LANES && at + V::LANES <= self.data.len() {
                            V::load(a.add(at)).store(to);
                        } else {
                            pack::copied::<V>(height, 1, a.wrapping_add(at), ld, to, height);
                        }
                    } else {
                        pack::transposed::<V>(height, ks.len(), |i| a.add((row + i) * ld + k), to, height);
                    }
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn panel(
        &self,
        rows: &Rows,
        first: usize,
        p: usize,
        ks: &Range<usize>,
        packed: *const V::Elem,
    ) -> *const V::Elem {
        if self.in_place {
            return self.data.as_ptr().wrapping_add(rows.start(p) * self.ld + ks.start);
        }
        packed.wrapping_add((rows.start(p) - rows.start(first)) * ks.len())
    }
}

impl<V: Registers> Rhs<V> for Matrix<'_, V::Elem> {
    #[inline(always)]
    unsafe fn pack(&self, ks: Range<usize>, cols: Range<usize>, to: *mut V::Elem) {
        let (b, ld) = (self.data.as_ptr(), self.ld);
        // Of a row, all panels are filled before the next row: memory is read in long runs.
        let rows_at_a_time = if self.transposed { ks.len().max(1) } else { 1 };
        for k in ks.clone().step_by(rows_at_a_time) {
            for col in cols.clone().step_by(V::COLS) {
                let width = V::COLS.min(cols.end - col);
                // SAFETY: the descriptor was checked against the slice; `to` has room by the caller's contract.
                unsafe {
                    let to = to.add((col - cols.start) * ks.len() + (k - ks.start) * V::COLS);
                    if self.transposed {
                        pack::transposed::<V>(width, ks.len(), |j| b.add((col + j) * ld + k), to, V::COLS);
                    } else {
                        let from = b.wrapping_add(k * ld + col);
                        V::prefetch(from.wrapping_add(AHEAD * ld));
                        pack::copied::<V>(width, 1, from, ld, to, V::COLS);
                    }
                    pack::zeroed(to, rows_at_a_time, V::COLS, width, V::COLS);
                }
            }
        }
    }
}

/// C as the descriptor says.
pub(crate) struct InPlace<'a, T> {
    pub(super) c: Address<T>,
    /// Its first element.
    pub(super) at: usize,
    pub(super) ldc: usize,
    pub(super) accumulate: bool,
    pub(super) epilogue: Epilogue<'a, T>,
}

impl<T> InPlace<'_, T> {
    /// All of `c`, with rows of `ldc` elements.
    pub(crate) fn overwriting(c: &mut [T], ldc: usize) -> Self {
        InPlace { c: Address::of(c), at: 0, ldc, accumulate: false, epilogue: Epilogue::NONE }
    }
}

impl<V: Registers> Sink<V> for InPlace<'_, V::Elem> {
    #[inline(always)]
    unsafe fn place(&self, row: usize, cols: &Range<usize>) -> Option<Place<V::Elem>> {
        let at = self.at + row * self.ldc + cols.start;
        let c = self.c.skip(at).start();
        let (residual, mask) = (self.epilogue.residual_of(at, c), self.epilogue.mask_of(at));
        Some(Place { c, ldc: self.ldc, residual, mask })
    }

    unsafe fn scatter(&self, _: Range<usize>, _: &Range<usize>, _: *const V::Elem, _: bool, _: bool) {
        unreachable!("every tile of a plain matrix has its place");
    }

    fn accumulate(&self) -> bool {
        self.accumulate
    }

    fn holds_residual(&self) -> bool {
        self.epilogue.in_place()
    }

    fn relu(&self) -> bool {
        self.epilogue.relu
    }

    fn row_bias(&self) -> Option<&[V::Elem]> {
        None
    }

    fn col_bias(&self) -> Option<&[V::Elem]> {
        self.epilogue.bias
    }
}
