//! Products of a column with a row: the gradient of a dense layer's weight for one sample. There is nothing to sum up nor to pack, so C is
//! written as fast as memory takes it, past the caches where it is far larger than they are.

use std::marker::PhantomData;
use std::ops::Range;

use super::Gemm;
use super::dense::Address;
use super::micro::Registers;
use crate::epilogue::Epilogue;
use crate::par;
use crate::simd::Kernel;
use crate::simd::vector::first;
use crate::stream;

/// Elements of C per block of the parallel loop, about.
const GRAIN: usize = 1 << 15;

/// Sums of one product, the row without gaps.
pub(super) fn accepts(desc: &Gemm) -> bool {
    desc.k == 1 && (!desc.trans_b || desc.ldb == 1)
}

pub(super) fn run<V: Registers>(
    desc: &Gemm,
    a: &[V::Elem],
    b: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    c: &mut [V::Elem],
) {
    let size = size_of::<V::Elem>();
    let large = desc.batch * desc.m * desc.n * size >= stream::FROM;
    let fresh = !desc.accumulate && !epilogue.in_place();
    let whole = stream::aligned(c.as_ptr(), desc.ldc * size) && (desc.stride_c * size).is_multiple_of(64);
    let streams = large && fresh && whole;
    let c = Address::of(c);
    for z in 0..desc.batch {
        let (column, row) = (&a[z * desc.stride_a..], &b[z * desc.stride_b..][..desc.n]);
        par::for_each_chunk(desc.m, (GRAIN / desc.n).max(1), |rows| {
            let first = z * desc.stride_c;
            V::enter(Stripe { desc, column, row, epilogue, c, first, rows, streams, v: PhantomData::<V> });
        });
    }
}

/// Some rows of C.
struct Stripe<'a, V: Registers> {
    desc: &'a Gemm,
    column: &'a [V::Elem],
    row: &'a [V::Elem],
    epilogue: Epilogue<'a, V::Elem>,
    c: Address<V::Elem>,
    /// The first element of this product's C.
    first: usize,
    rows: Range<usize>,
    /// Whole registers go past the caches.
    streams: bool,
    v: PhantomData<V>,
}

impl<V: Registers> Kernel for Stripe<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Epilogue { bias, residual, relu, mask } = self.epilogue;
        let plain = bias.is_none() && residual.is_none() && !relu && mask.is_none() && !self.desc.accumulate;
        let apart = if self.desc.trans_a { 1 } else { self.desc.lda };
        for i in self.rows.clone() {
            // SAFETY: below the entry of `V`'s instruction set; row `i` is this stripe's.
            unsafe {
                let x = V::splat(self.column[i * apart]);
                match (plain, self.streams) {
                    (true, false) => self.row::<true, false>(i, x),
                    (true, true) => self.row::<true, true>(i, x),
                    (false, false) => self.row::<false, false>(i, x),
                    (false, true) => self.row::<false, true>(i, x),
                }
            }
        }
        if self.streams {
            stream::fence();
        }
    }
}

impl<V: Registers> Stripe<'_, V> {
    /// Row `i`, whose element of the column is `x`; a `PLAIN` one is nothing but the product.
    ///
    /// # Safety
    ///
    /// Runs below the entry of `V`'s instruction set; no other thread uses row `i` of C.
    #[inline(always)]
    unsafe fn row<const PLAIN: bool, const STREAMS: bool>(&self, i: usize, x: V) {
        let (lanes, n) = (V::LANES, self.row.len());
        let start = self.first + i * self.desc.ldc;
        let whole = n / lanes * lanes;
        // SAFETY: `Candidate::run` has checked that C, the bias, the residual and the mask have this row, and here registers and masks end
        // with it. Streamed rows begin at multiples of a line.
        unsafe {
            let (from, to) = (self.row.as_ptr(), self.c.skip(start).start());
            for j in (0..whole).step_by(lanes) {
                let product = V::load(from.add(j)).mul_add(x, V::zero());
                let value = if PLAIN { product } else { self.complete(product, start, j, first(lanes)) };
                if STREAMS { value.stream(to.add(j)) } else { value.store(to.add(j)) }
            }
            if whole < n {
                let mask = first(n - whole);
                let product = V::zero().load_over(from.add(whole), mask).mul_add(x, V::zero());
                let value = if PLAIN { product } else { self.complete(product, start, whole, mask) };
                value.store_masked(to.add(whole), mask);
            }
        }
    }

    /// What is stored of a product of columns `j..` of the row that begins at element `start`.
    ///
    /// # Safety
    ///
    /// As [`Self::row`]; the row has the columns of the mask.
    #[inline(always)]
    unsafe fn complete(&self, product: V, start: usize, j: usize, mask: u32) -> V {
        let (at, to) = (start + j, self.c.skip(start + j).start());
        let (residual, positive) = (self.epilogue.residual_of(at, to), self.epilogue.mask_of(at));
        // SAFETY: the caller's contract.
        unsafe {
            let mut value = product;
            if self.desc.accumulate {
                value = value.add(V::zero().load_over(to, mask));
            }
            if let Some(bias) = self.epilogue.bias {
                value = value.add(V::zero().load_over(bias.as_ptr().add(j), mask));
            }
            if !residual.is_null() {
                value = value.add(V::zero().load_over(residual, mask));
            }
            if self.epilogue.relu {
                value = value.relu();
            }
            if !positive.is_null() {
                value = value.where_positive(V::zero().load_over(positive, mask));
            }
            value
        }
    }
}
