//! Products with one row or one column: a matrix times a vector, straight from memory, since packing would cost as much as the
//! product.

use std::marker::PhantomData;

use super::Gemm;
use super::micro::Registers;
use crate::element::Num;
use crate::epilogue::Epilogue;
use crate::par;
use crate::simd::Kernel;
use crate::simd::vector::{Vector, first};

/// Results of a stripe: a page of memory of each row, in `f32`.
const RUN: usize = 1024;

/// Rows of a stripe that are added at a time.
const ROWS: usize = 8;

/// Results whose sums run across the rows of the matrix are cut into at least this many blocks, while those have [`LEAST`] results.
const BLOCKS: usize = 16;

/// Shorter runs of memory are read slowly.
const LEAST: usize = 64;

/// Matrix elements per block of the parallel loop, about.
const GRAIN: usize = 1 << 16;

/// One row or one column, the vector operand without gaps.
pub(super) fn accepts(desc: &Gemm) -> bool {
    let contiguous_a = !desc.trans_a || desc.lda == 1 || desc.k <= 1;
    let contiguous_b = desc.trans_b || desc.ldb == 1 || desc.k <= 1;
    desc.m == 1 && contiguous_a || desc.n == 1 && contiguous_b
}

pub(super) fn run<V: Registers>(
    desc: &Gemm,
    a: &[V::Elem],
    b: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    c: &mut [V::Elem],
) {
    let Gemm { m, n, k, .. } = *desc;
    for z in 0..desc.batch {
        let a = a.get(z * desc.stride_a..).unwrap_or_default();
        let b = b.get(z * desc.stride_b..).unwrap_or_default();
        let first = z * desc.stride_c;
        let c = &mut c[first..];
        let row = m == 1 && (!desc.trans_a || desc.lda == 1 || k <= 1);
        let (matrix, ld, along_k, vector, results, step) = if row {
            (b, desc.ldb, desc.trans_b, a, n, 1)
        } else {
            (a, desc.lda, !desc.trans_a, b, m, desc.ldc)
        };
        let few = GRAIN / k.max(1);
        let grain = if along_k { few } else { few.max(results.div_ceil(BLOCKS)).min(RUN) };
        let grain = grain.next_multiple_of(LEAST);
        let accumulate = desc.accumulate;
        // One column: every row has the same bias.
        let one_bias = if row { None } else { epilogue.bias.map(|bias| bias[0]) };
        let bias = if row { epilogue.bias } else { None };
        let c_len = (results - 1) * step + 1;
        par::for_each_mut(&mut c[..c_len], grain * step, |block, out| {
            let start = block * grain;
            let product = Product::<V> {
                matrix,
                ld,
                along_k,
                vector: &vector[..k],
                start,
                end: results.min(start + grain),
                step,
                accumulate,
                bias,
                one_bias,
                epilogue,
                first: first + start * step,
                out,
                v: PhantomData,
            };
            V::enter(product);
        });
    }
}

/// Results `start..end` of a matrix times a vector.
struct Product<'a, V: Vector> {
    matrix: &'a [V::Elem],
    ld: usize,
    /// Sums run along the stored rows of the matrix; else results do.
    along_k: bool,
    vector: &'a [V::Elem],
    start: usize,
    end: usize,
    step: usize,
    accumulate: bool,
    bias: Option<&'a [V::Elem]>,
    one_bias: Option<V::Elem>,
    epilogue: Epilogue<'a, V::Elem>,
    /// The number of the first element of `out`.
    first: usize,
    out: &'a mut [V::Elem],
    v: PhantomData<V>,
}

impl<V: Vector> Product<'_, V> {
    #[inline(always)]
    fn put(&mut self, at: usize, mut x: V::Elem) {
        let place = (at - self.start) * self.step;
        let y = &mut self.out[place];
        if self.accumulate {
            x += *y;
        }
        if let Some(bias) = self.bias {
            x += bias[at];
        }
        if let Some(bias) = self.one_bias {
            x += bias;
        }
        *y = self.epilogue.last(x, self.first + place, *y);
    }

    /// Four results at a time, each the sum of two registers of partial sums.
    #[inline(always)]
    fn dots(&mut self) {
        let (k, lanes) = (self.vector.len(), V::LANES);
        let mut at = self.start;
        while at < self.end {
            let rows = 4.min(self.end - at);
            let mut sums = [V::Elem::ZERO; 4];
            // SAFETY: below the entry of `V`'s instruction set; rows `at..at + rows` and `k` lie inside the matrix, which the
            // descriptor's check has shown; a row past the end reads row `at` again.
            unsafe {
                let row = |i: usize| self.matrix.as_ptr().add((at + if i < rows { i } else { 0 }) * self.ld);
                let from = [row(0), row(1), row(2), row(3)];
                let x = self.vector.as_ptr();
                let mut acc = [[V::zero(); 2]; 4];
                let mut p = 0;
                while p + 2 * lanes <= k {
                    let (x0, x1) = (V::load(x.add(p)), V::load(x.add(p + lanes)));
                    for (acc, from) in acc.iter_mut().zip(from) {
                        acc[0] = V::load(from.add(p)).mul_add(x0, acc[0]);
                        acc[1] = V::load(from.add(p + lanes)).mul_add(x1, acc[1]);
                    }
                    p += 2 * lanes;
                }
                while p < k {
                    let mask = first(lanes.min(k - p));
                    let x = V::zero().load_over(x.add(p), mask);
                    for (acc, from) in acc.iter_mut().zip(from) {
                        acc[0] = V::zero().load_over(from.add(p), mask).mul_add(x, acc[0]);
                    }
                    p += lanes;
                }
                for (sum, acc) in sums.iter_mut().zip(acc) {
                    *sum = acc[0].add(acc[1]).sum();
                }
            }
            for (i, &sum) in sums[..rows].iter().enumerate() {
                self.put(at + i, sum);
            }
            at += rows;
        }
    }

    /// A stripe of results at a time, the matrix read a few rows at a time: runs as long as a page of memory, with sums that wait in the first-level
    /// cache.
    #[inline(always)]
    fn stripes(&mut self) {
        for at in (self.start..self.end).step_by(RUN) {
            let mut sums = [V::Elem::ZERO; RUN];
            let sums = &mut sums[..RUN.min(self.end - at)];
            let mut rows = self.vector.chunks_exact(ROWS);
            let mut from = self.matrix.as_ptr().wrapping_add(at);
            // SAFETY: below the entry of `V`'s instruction set; the descriptor's check has shown that the stripe lies inside the matrix in as
            // many rows as the vector is long.
            unsafe {
                for x in &mut rows {
                    self.add_rows::<ROWS>(from, x, sums);
                    from = from.wrapping_add(ROWS * self.ld);
                }
                for x in rows.remainder().chunks_exact(1) {
                    self.add_rows::<1>(from, x, sums);
                    from = from.wrapping_add(self.ld);
                }
            }
            for (i, &sum) in sums.iter().enumerate() {
                self.put(at + i, sum);
            }
        }
    }

    /// Adds `N` rows of the matrix, each times its element of the vector, one after the other.
    ///
    /// # Safety
    ///
    /// Runs below the entry of `V`'s instruction set; `from` is valid for as many reads as there are sums, in `N` rows.
    #[inline(always)]
    unsafe fn add_rows<const N: usize>(&self, from: *const V::Elem, x: &[V::Elem], sums: &mut [V::Elem]) {
        let (lanes, len, to) = (V::LANES, sums.len(), sums.as_mut_ptr());
        let whole = len / lanes * lanes;
        // SAFETY: registers and masks end with the sums.
        unsafe {
            let mut times = [V::zero(); N];
            times.iter_mut().zip(x).for_each(|(times, &x)| *times = V::splat(x));
            for j in (0..whole).step_by(lanes) {
                let mut sum = V::load(to.add(j));
                for (p, &x) in times.iter().enumerate() {
                    sum = V::load(from.add(p * self.ld + j)).mul_add(x, sum);
                }
                sum.store(to.add(j));
            }
            if whole < len {
                let mask = first(len - whole);
                let mut sum = V::zero().load_over(to.add(whole), mask);
                for (p, &x) in times.iter().enumerate() {
                    sum = V::zero().load_over(from.add(p * self.ld + whole), mask).mul_add(x, sum);
                }
                sum.store_masked(to.add(whole), mask);
            }
        }
    }
}

impl<V: Vector> Kernel for Product<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        if self.along_k { self.dots() } else { self.stripes() }
    }
}
