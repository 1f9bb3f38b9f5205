//! Products of a few rows with a matrix that is stored transposed: the forward pass of a dense layer at small batch. Every weight is
//! used a few times only, so it is read where it lies; packing it would double the traffic.

use std::marker::PhantomData;
use std::ops::Range;

use super::Gemm;
use super::dense::Address;
use super::micro::Registers;
use crate::element::Num;
use crate::epilogue::Epilogue;
use crate::par;
use crate::simd::Kernel;
use crate::simd::vector::first;

/// More rows than this are worth packing for.
const MOST_ROWS: usize = 8;

/// The register tile: rows of A by rows of B as stored.
const ROWS: usize = 4;
const COLS: usize = 3;

/// The longest part of a sum: so much of all rows of A stays in L1.
const PART: usize = 1024;

/// Elements of B per block of the parallel loop, about.
const GRAIN: usize = 1 << 16;

pub(super) fn accepts(desc: &Gemm) -> bool {
    desc.m <= MOST_ROWS && desc.trans_b && !desc.trans_a
}

pub(super) fn run<V: Registers>(
    desc: &Gemm,
    a: &[V::Elem],
    b: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    c: &mut [V::Elem],
) {
    let grain = (GRAIN / desc.k.max(1)).max(1).next_multiple_of(COLS);
    let c = Address::of(c);
    for z in 0..desc.batch {
        let a = a.get(z * desc.stride_a..).unwrap_or_default();
        let b = b.get(z * desc.stride_b..).unwrap_or_default();
        par::for_each_chunk(desc.n, grain, |cols| {
            let first = z * desc.stride_c;
            V::enter(Stripe { desc, a, b, epilogue, c, first, cols, v: PhantomData::<V> });
        });
    }
}

/// Some columns of C.
struct Stripe<'a, V: Registers> {
    desc: &'a Gemm,
    a: &'a [V::Elem],
    b: &'a [V::Elem],
    epilogue: Epilogue<'a, V::Elem>,
    c: Address<V::Elem>,
    /// The first element of this product's C.
    first: usize,
    cols: Range<usize>,
    v: PhantomData<V>,
}

impl<V: Registers> Kernel for Stripe<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Gemm { m, k, ldc, accumulate, .. } = *self.desc;
        let parts = k.div_ceil(PART).max(1);
        for col in self.cols.clone().step_by(COLS) {
            let cols = col..self.cols.end.min(col + COLS);
            // C may hold the residual until the sums are complete.
            let mut complete = [[V::Elem::ZERO; COLS]; MOST_ROWS];
            for part in 0..parts {
                let ks = part * PART..k.min((part + 1) * PART);
                for row in (0..m).step_by(ROWS) {
                    let rows = row..m.min(row + ROWS);
                    let sums = self.sums(rows.clone(), cols.clone(), ks.clone());
                    for (i, sums) in rows.clone().zip(sums) {
                        for ((j, sum), kept) in cols.clone().zip(sums).zip(&mut complete[i]) {
                            let at = self.first + i * ldc + j;
                            // SAFETY: `Candidate::run` has checked that C holds row `i` and column `j`; the column is this stripe's.
                            unsafe {
                                let to = self.c.skip(at).start();
                                let mut x = sum;
                                if part > 0 {
                                    x += *kept;
                                } else if accumulate {
                                    x += *to;
                                }
                                if let (0, Some(bias)) = (part, self.epilogue.bias) {
                                    x += bias[j];
                                }
                                *kept = x;
                                if part + 1 == parts {
                                    *to = self.epilogue.last(x, at, *to);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

impl<V: Registers> Stripe<'_, V> {
    /// The part `ks` of the sums of some rows and columns.
    #[inline(always)]
    fn sums(&self, rows: Range<usize>, cols: Range<usize>, ks: Range<usize>) -> [[V::Elem; COLS]; ROWS] {
        let lanes = V::LANES;
        let mut sums = [[V::Elem::ZERO; COLS]; ROWS];
        // SAFETY: below the entry of `V`'s instruction set; `Candidate::run` has checked that A has these rows and B these columns, `k`
        // long. Rows and columns past the end are read as the first one and not used.
        unsafe {
            let row = |i: usize| {
                let row = if rows.start + i < rows.end { rows.start + i } else { rows.start };
                self.a.as_ptr().wrapping_add(row * self.desc.lda)
            };
            let col = |j: usize| {
                let col = if cols.start + j < cols.end { cols.start + j } else { cols.start };
                self.b.as_ptr().wrapping_add(col * self.desc.ldb)
            };
            let (a, b) = ([row(0), row(1), row(2), row(3)], [col(0), col(1), col(2)]);
            let mut acc = [[V::zero(); COLS]; ROWS];
            let mut p = ks.start;
            while p + lanes <= ks.end {
                let w = [V::load(b[0].add(p)), V::load(b[1].add(p)), V::load(b[2].add(p))];
                for (acc, a) in acc.iter_mut().zip(a) {
                    let x = V::load(a.add(p));
                    for (acc, w) in acc.iter_mut().zip(w) {
                        *acc = x.mul_add(w, *acc);
                    }
                }
                p += lanes;
            }
            if p < ks.end {
                let mask = first(ks.end - p);
                let load = |from: *const V::Elem| V::zero().load_over(from.add(p), mask);
                let w = [load(b[0]), load(b[1]), load(b[2])];
                for (acc, a) in acc.iter_mut().zip(a) {
                    let x = load(a);
                    for (acc, w) in acc.iter_mut().zip(w) {
                        *acc = x.mul_add(w, *acc);
                    }
                }
            }
            for (sums, acc) in sums.iter_mut().zip(acc) {
                for (sum, acc) in sums.iter_mut().zip(acc) {
                    *sum = acc.sum();
                }
            }
        }
        sums
    }
}
