//! Packing weights into panels of rows, once per call.

use std::marker::PhantomData;
use std::ops::Range;

use crate::gemm::driver::Lhs;
use crate::gemm::micro::{Registers, Rows};
use crate::gemm::pack;
use crate::par;
use crate::simd::Kernel;

/// Fewer elements are packed by one thread.
const SERIAL: usize = 1 << 14;

/// Rows that were packed before, panel after panel of `[k, panel height]`.
pub(super) struct PackedRows<'a, T> {
    pub(super) data: &'a [T],
    pub(super) k: usize,
}

impl<V: Registers> Lhs<V> for PackedRows<'_, V::Elem> {
    const PACKED: bool = true;

    #[inline(always)]
    unsafe fn pack(&self, _: &Rows, _: Range<usize>, _: Range<usize>, _: *mut V::Elem) {}

    #[inline(always)]
    unsafe fn panel(
        &self,
        rows: &Rows,
        _: usize,
        p: usize,
        ks: &Range<usize>,
        _: *const V::Elem,
    ) -> *const V::Elem {
        self.data.as_ptr().wrapping_add(rows.start(p) * self.k + ks.start * rows.height(p))
    }
}

/// Packs a row-major matrix `[rows, k]`.
pub(super) fn pack_rows<V: Registers>(rows: &Rows, k: usize, weight: &[V::Elem], packed: &mut [V::Elem]) {
    assert!(weight.len() >= rows.rows() * k, "a matrix of weights has {} rows of {k}", rows.rows());
    for_each_panel(rows, k, packed, |p, to| {
        let panel = Panel::<V> {
            row: rows.start(p),
            height: rows.height(p),
            source: Source::Rows { weight, k },
            to,
            v: PhantomData,
        };
        V::enter(panel);
    });
}

/// The taps of one phase: `first`, `first + step`, …
#[derive(Clone, Copy, Debug)]
pub(super) struct TapStride {
    pub(super) first: usize,
    pub(super) step: usize,
    pub(super) count: usize,
}

/// Packs the matrix `[channels, (filter, r, s)]` of some taps of weights `[filters, channels, kh, kw]`.
pub(super) fn pack_turned<V: Registers>(
    rows: &Rows,
    filters: usize,
    [kh, kw]: [usize; 2],
    [r, s]: [TapStride; 2],
    weight: &[V::Elem],
    packed: &mut [V::Elem],
) {
    assert!(
        weight.len() >= filters * rows.rows() * kh * kw,
        "weights of {filters} filters and {} channels",
        rows.rows()
    );
    for_each_panel(rows, filters * r.count * s.count, packed, |p, to| {
        let source = Source::Turned { weight, filter: rows.rows() * kh * kw, channel: kh * kw, kw, r, s };
        let panel = Panel::<V> { row: rows.start(p), height: rows.height(p), source, to, v: PhantomData };
        V::enter(panel);
    });
}

fn for_each_panel<T: Send>(rows: &Rows, k: usize, packed: &mut [T], pack: impl Fn(usize, &mut [T]) + Sync) {
    assert_eq!(packed.len(), rows.rows() * k, "packed weights are as many as weights");
    if packed.is_empty() {
        return;
    }
    if packed.len() < SERIAL {
        let mut rest = packed;
        for p in 0..rows.panels() {
            let (panel, others) = rest.split_at_mut(rows.height(p) * k);
            pack(p, panel);
            rest = others;
        }
        return;
    }
    // The first panels are one row higher than the others.
    let tall = rows.rows() % rows.panels();
    let (high, low) = packed.split_at_mut(rows.start(tall) * k);
    par::for_each_mut(high, rows.height(0) * k, |p, panel| pack(p, panel));
    par::for_each_mut(low, rows.height(tall) * k, |p, panel| pack(tall + p, panel));
}

/// Where a panel comes from.
enum Source<'a, T> {
    Rows { weight: &'a [T], k: usize },
    Turned { weight: &'a [T], filter: usize, channel: usize, kw: usize, r: TapStride, s: TapStride },
}

struct Panel<'a, V: Registers> {
    row: usize,
    height: usize,
    source: Source<'a, V::Elem>,
    to: &'a mut [V::Elem],
    v: PhantomData<V>,
}

impl<V: Registers> Kernel for Panel<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Panel { row, height, source, to, .. } = self;
        match source {
            Source::Rows { weight, k } => {
                assert!(to.len() == height * k, "a panel has its rows");
                // SAFETY: below the entry of `V`'s instruction set; `pack_rows` has checked the matrix, and `to` was just.
                unsafe {
                    let from = weight.as_ptr();
                    pack::transposed::<V>(height, k, |i| from.add((row + i) * k), to.as_mut_ptr(), height);
                }
            }
            Source::Turned { weight, filter, channel, kw, r, s } => {
                let mut columns = to.chunks_exact_mut(height);
                for filter in weight.chunks_exact(filter) {
                    for tap_r in 0..r.count {
                        for tap_s in 0..s.count {
                            let tap = (r.first + tap_r * r.step) * kw + s.first + tap_s * s.step;
                            let taps = filter[row * channel + tap..].iter().step_by(channel);
                            if let Some(column) = columns.next() {
                                column.iter_mut().zip(taps).for_each(|(to, &w)| *to = w);
                            }
                        }
                    }
                }
            }
        }
    }
}
