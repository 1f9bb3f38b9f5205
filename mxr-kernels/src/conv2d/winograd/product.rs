//! The register tiles: a few tiles by two registers of filters, kept in registers over all channels; and for the gradient of the weight
//! half a register of channels by three of filters, kept over all tiles of a block.

use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
use std::sync::atomic::{Ordering, compiler_fence};

use crate::gemm::micro::{Registers, for_rows};
use crate::simd::vector::Vector;

/// What one register tile multiplies and where the products go.
pub(crate) struct Product {
    /// Blocks of channels.
    pub(super) blocks: usize,
    /// Transformed pixels `[block, tile, LANES]` from the first tile on.
    pub(super) v: *const f32,
    /// Elements from one block of channels to the next.
    pub(super) v_block: usize,
    /// Transformed weights `[channel, VECTORS · LANES]`.
    pub(super) u: *const f32,
    /// Products `[vector of filters, tile, LANES]`.
    pub(super) m: *mut f32,
    /// Elements from one vector of filters to the next.
    pub(super) m_vector: usize,
    /// Go on with the sums that are there.
    pub(super) add: bool,
    /// What is soon read: as many elements as `u` has are asked for.
    pub(super) ahead: *const f32,
}

/// A register tile compiled for its instruction set.
///
/// # Safety
///
/// The CPU has the instruction set; the pointers are valid for what [`Product`] says, `ahead` need not be.
pub(crate) type ProductFn = unsafe fn(&Product);

/// The body of every [`ProductFn`].
///
/// # Safety
///
/// As for [`ProductFn`], with `ROWS` tiles and `VECTORS` registers of filters.
#[inline(always)]
unsafe fn product<V: Vector<Elem = f32>, const ROWS: usize, const VECTORS: usize>(p: &Product) {
    let lanes = V::LANES;
    let (mut v, mut u, mut ahead) = (p.v, p.u, p.ahead);
    // SAFETY: the caller allows these accesses; prefetches touch nothing.
    unsafe {
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        if p.add {
            for_rows!(i in ROWS {
                for (vector, sum) in sums[i].iter_mut().enumerate() {
                    *sum = V::load(p.m.add(vector * p.m_vector + i * lanes));
                }
            });
        }
        for _ in 0..p.blocks {
            for channel in 0..lanes {
                for line in 0..(VECTORS * lanes).div_ceil(LINE) {
                    _mm_prefetch::<_MM_HINT_T1>(ahead.wrapping_add(line * LINE).cast());
                }
                let mut w = [V::zero(); VECTORS];
                for (i, w) in w.iter_mut().enumerate() {
                    *w = V::load(u.add(i * lanes));
                }
                for_rows!(i in ROWS {
                    let x = V::splat(*v.add(i * lanes + channel));
                    for (sum, &w) in sums[i].iter_mut().zip(&w) {
                        *sum = x.mul_add(w, *sum);
                    }
                });
                // Loads of later channels stay behind this one: few registers are free. Here, where one is, that does, and the loop
                // over the channels is still unrolled, which it is not where sums are settled.
                compiler_fence(Ordering::SeqCst);
                u = u.add(VECTORS * lanes);
                ahead = ahead.wrapping_add(VECTORS * lanes);
            }
            v = v.wrapping_add(p.v_block);
        }
        for_rows!(i in ROWS {
            for (vector, sum) in sums[i].iter().enumerate() {
                sum.store(p.m.add(vector * p.m_vector + i * lanes));
            }
        });
    }
}

/// What one register tile of the gradient of the weight multiplies and where the sums go.
pub(crate) struct Sums {
    /// Tiles.
    pub(super) tiles: usize,
    /// Transformed pixels of the first of `LANES / 2` channels `[tile, LANES]`.
    pub(super) v: *const f32,
    /// Transformed gradients `[vector of filters, tile, LANES]`.
    pub(super) g: *const f32,
    /// Elements from one vector of filters to the next.
    pub(super) g_vector: usize,
    /// Sums `[vector of filters, channel, LANES]`.
    pub(super) m: *mut f32,
    /// Elements from one vector of filters to the next.
    pub(super) m_vector: usize,
    /// Add to what is there.
    pub(super) add: bool,
    /// What is soon read: a cache line is asked for at every tile.
    pub(super) ahead: *const f32,
}

/// A register tile of the gradient of the weight, compiled for its instruction set.
///
/// # Safety
///
/// The CPU has the instruction set; the pointers are valid for what [`Sums`] says, `ahead` need not be.
pub(crate) type SumsFn = unsafe fn(&Sums);

/// The body of every [`SumsFn`].
///
/// # Safety
///
/// As for [`SumsFn`], with `ROWS` channels and `VECTORS` registers of filters.
#[inline(always)]
unsafe fn sums<V: Vector<Elem = f32>, const ROWS: usize, const VECTORS: usize>(s: &Sums) {
    let lanes = V::LANES;
    // SAFETY: the caller allows these accesses; prefetches touch nothing.
    unsafe {
        if s.add {
            for vector in 0..VECTORS {
                for i in 0..ROWS {
                    V::prefetch(s.m.add(vector * s.m_vector + i * lanes));
                }
            }
        }
        let mut sums = [[V::zero(); VECTORS]; ROWS];
        let (mut v, mut g, mut ahead) = (s.v, s.g, s.ahead);
        for _ in 0..s.tiles {
            _mm_prefetch::<_MM_HINT_T1>(ahead.cast());
            let mut w = [V::zero(); VECTORS];
            for (vector, w) in w.iter_mut().enumerate() {
                *w = V::load(g.wrapping_add(vector * s.g_vector));
            }
            for_rows!(i in ROWS {
                let x = V::splat(*v.add(i));
                for (sum, &w) in sums[i].iter_mut().zip(&w) {
                    *sum = x.mul_add(w, *sum).settled();
                }
            });
            (v, g, ahead) = (v.wrapping_add(lanes), g.wrapping_add(lanes), ahead.wrapping_add(LINE));
        }
        for_rows!(i in ROWS {
            for (vector, &sum) in sums[i].iter().enumerate() {
                let to = s.m.add(vector * s.m_vector + i * lanes);
                if s.add { sum.add(V::load(to)).store(to) } else { sum.store(to) }
            }
        });
    }
}

/// `f32` in a cache line.
pub(super) const LINE: usize = 16;

/// Registers with the register tiles of this algorithm.
pub(crate) trait Winograd: Registers<Elem = f32> {
    /// `PRODUCTS[tiles − 1][vectors − 1]`, for as many tiles as [`Registers::ROWS`].
    const PRODUCTS: &'static [[ProductFn; 2]];

    /// `SUMS[vectors − 1]`, for `LANES / 2` channels.
    const SUMS: [SumsFn; 3];
}

macro_rules! winograd {
    ($($vector:ty: $features:tt, $module:ident, [$($rows:literal)*], $half:literal;)*) => {$(
        mod $module {
            use super::*;

            /// # Safety
            ///
            /// As for [`ProductFn`].
            #[target_feature(enable = $features)]
            unsafe fn entry<const ROWS: usize, const VECTORS: usize>(p: &Product) {
                // SAFETY: the caller keeps the contract of `ProductFn`.
                unsafe { product::<$vector, ROWS, VECTORS>(p) }
            }

            /// # Safety
            ///
            /// As for [`SumsFn`].
            #[target_feature(enable = $features)]
            unsafe fn sums_entry<const VECTORS: usize>(s: &Sums) {
                // SAFETY: the caller keeps the contract of `SumsFn`.
                unsafe { sums::<$vector, $half, VECTORS>(s) }
            }

            impl Winograd for $vector {
                const PRODUCTS: &'static [[ProductFn; 2]] = &[$([entry::<$rows, 1>, entry::<$rows, 2>]),*];
                const SUMS: [SumsFn; 3] = [sums_entry::<1>, sums_entry::<2>, sums_entry::<3>];
            }
        }
    )*};
}

winograd! {
    std::arch::x86_64::__m512: "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma", avx512, [1 2 3 4 5 6 7 8 9 10 11 12 13 14], 8;
    std::arch::x86_64::__m256: "avx2,fma", avx2, [1 2 3 4 5 6], 4;
}
