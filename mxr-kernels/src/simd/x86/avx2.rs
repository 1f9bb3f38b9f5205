//! AVX2 registers.

use std::arch::x86_64::*;

use crate::simd::vector::{MAX_LANES, Vector};

/// All ones in the lanes of `mask`.
#[inline(always)]
unsafe fn lanes32(mask: u32) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let bit = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
        _mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32(mask as i32), bit), bit)
    }
}

/// All ones in the lanes of `mask`.
#[inline(always)]
unsafe fn lanes64(mask: u32) -> __m256i {
    // SAFETY: the caller has AVX2.
    unsafe {
        let bit = _mm256_setr_epi64x(1, 2, 4, 8);
        _mm256_cmpeq_epi64(_mm256_and_si256(_mm256_set1_epi64x(i64::from(mask)), bit), bit)
    }
}

/// [`Vector::settled`]: no instruction, but for the compiler one that makes the register anew and may write any memory.
///
/// # Safety
///
/// The CPU has AVX2.
#[inline]
#[target_feature(enable = "avx2,fma")]
unsafe fn settled(mut x: __m256) -> __m256 {
    // SAFETY: there is no instruction.
    unsafe { std::arch::asm!("/* {0} */", inout(ymm_reg) x, options(nostack, preserves_flags)) };
    x
}

// SAFETY: masked loads, stores and gathers suppress both the access and its faults.
unsafe impl Vector for __m256 {
    type Elem = f32;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller has AVX2 and allows 8 reads.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_over(self, from: *const f32, mask: u32) -> Self {
        // SAFETY: the caller has AVX2 and allows the reads of the mask.
        unsafe {
            let mask = lanes32(mask);
            _mm256_blendv_ps(self, _mm256_maskload_ps(from, mask), _mm256_castsi256_ps(mask))
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the caller has AVX2 and allows 8 reads.
        unsafe { _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the caller has AVX2 and allows 8 writes.
        unsafe {
            let whole = _mm256_cvttps_epi32(self);
            let pairs = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256::<1>(whole));
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(pairs, pairs));
        }
    }

    #[inline(always)]
    unsafe fn gather(from: *const f32, index: *const i32, mask: u32) -> Self {
        // SAFETY: the caller has AVX2 and allows the reads of the mask; `index` has 8 entries.
        unsafe {
            let index = _mm256_loadu_si256(index.cast());
            let mask = _mm256_castsi256_ps(lanes32(mask));
            _mm256_mask_i32gather_ps::<4>(_mm256_setzero_ps(), from, index, mask)
        }
    }

    #[inline(always)]
    unsafe fn blend(self, over: Self, mask: u32) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_blendv_ps(self, over, _mm256_castsi256_ps(lanes32(mask))) }
    }

    #[inline(always)]
    unsafe fn evens(self, next: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe {
            let pairs = _mm256_castps_pd(_mm256_shuffle_ps::<0x88>(self, next));
            _mm256_castpd_ps(_mm256_permute4x64_pd::<0xD8>(pairs))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller has AVX2 and allows 8 writes.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    /// The first lanes go in halves, quarters and single numbers: a masked store takes some processors many cycles.
    #[inline(always)]
    unsafe fn store_masked(self, mut to: *mut f32, mask: u32) {
        // SAFETY: the caller has AVX2 and allows the writes of the mask.
        unsafe {
            if mask & (mask + 1) != 0 {
                return _mm256_maskstore_ps(to, lanes32(mask), self);
            }
            if mask == 0xFF {
                return self.store(to);
            }
            let mut rest = _mm256_castps256_ps128(self);
            if mask & 0b1000 != 0 {
                _mm_storeu_ps(to, rest);
                rest = _mm256_extractf128_ps::<1>(self);
                to = to.add(4);
            }
            // Of the number of lanes, what is left of a half.
            let lanes = mask.count_ones() & 3;
            if lanes & 2 != 0 {
                _mm_storel_epi64(to.cast(), _mm_castps_si128(rest));
                rest = _mm_movehl_ps(rest, rest);
                to = to.add(2);
            }
            if lanes & 1 != 0 {
                _mm_store_ss(to, rest);
            }
        }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_add_ps(self, b) }
    }

    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_sub_ps(self, b) }
    }

    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_mul_ps(self, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has FMA.
        unsafe { _mm256_fmadd_ps(self, a, b) }
    }

    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_div_ps(self, b) }
    }

    #[inline(always)]
    unsafe fn larger(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe {
            // Of two numbers of which one is NaN, the second.
            let max = _mm256_max_ps(self, b);
            _mm256_blendv_ps(max, self, _mm256_cmp_ps::<_CMP_UNORD_Q>(self, self))
        }
    }

    #[inline(always)]
    unsafe fn follow(self, place: Self, best: Self, best_place: Self) -> [Self; 2] {
        // SAFETY: the caller has AVX2.
        unsafe {
            let above = _mm256_cmp_ps::<_CMP_NLE_UQ>(self, best);
            let wins = _mm256_and_ps(above, _mm256_cmp_ps::<_CMP_ORD_Q>(best, best));
            [_mm256_blendv_ps(best, self, wins), _mm256_blendv_ps(best_place, place, wins)]
        }
    }

    #[inline(always)]
    unsafe fn where_equal(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_and_ps(self, _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)) }
    }

    #[inline(always)]
    unsafe fn interleave(self, b: Self) -> [Self; 2] {
        // SAFETY: the caller has AVX2.
        unsafe {
            let (low, high) = (_mm256_unpacklo_ps(self, b), _mm256_unpackhi_ps(self, b));
            [_mm256_permute2f128_ps::<0x20>(low, high), _mm256_permute2f128_ps::<0x31>(low, high)]
        }
    }

    #[inline(always)]
    unsafe fn where_positive(self, of: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_and_ps(self, _mm256_cmp_ps::<_CMP_GT_OQ>(of, _mm256_setzero_ps())) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_and_ps(self, _mm256_cmp_ps::<_CMP_NLE_UQ>(self, _mm256_setzero_ps())) }
    }

    #[inline(always)]
    unsafe fn settled(self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { settled(self) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: the caller has AVX2 and allows the writes, aligned.
        unsafe { _mm256_stream_ps(to, self) }
    }

    /// Pairs of lanes, pairs of pairs, then halves of the register.
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self; MAX_LANES]) {
        // SAFETY: the caller has AVX2.
        unsafe {
            let mut pairs = [_mm256_setzero_ps(); 8];
            for i in 0..4 {
                pairs[2 * i] = _mm256_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
                pairs[2 * i + 1] = _mm256_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
            }
            let mut fours = [_mm256_setzero_ps(); 8];
            for i in 0..2 {
                for j in 0..2 {
                    let (low, high) = (pairs[4 * i + j], pairs[4 * i + 2 + j]);
                    fours[4 * i + 2 * j] = _mm256_shuffle_ps::<0x44>(low, high);
                    fours[4 * i + 2 * j + 1] = _mm256_shuffle_ps::<0xEE>(low, high);
                }
            }
            for j in 0..4 {
                rows[j] = _mm256_permute2f128_ps::<0x20>(fours[j], fours[4 + j]);
                rows[4 + j] = _mm256_permute2f128_ps::<0x31>(fours[j], fours[4 + j]);
            }
        }
    }
}

// SAFETY: masked loads, stores and gathers suppress both the access and its faults.
unsafe impl Vector for __m256d {
    type Elem = f64;
    const LANES: usize = 4;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_setzero_pd() }
    }

    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_set1_pd(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller has AVX2 and allows 4 reads.
        unsafe { _mm256_loadu_pd(from) }
    }

    #[inline(always)]
    unsafe fn load_over(self, from: *const f64, mask: u32) -> Self {
        // SAFETY: the caller has AVX2 and allows the reads of the mask.
        unsafe {
            let mask = lanes64(mask);
            _mm256_blendv_pd(self, _mm256_maskload_pd(from, mask), _mm256_castsi256_pd(mask))
        }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the caller has AVX2 and allows 4 reads.
        unsafe {
            _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(from.cast::<i32>().read_unaligned())))
        }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the caller has AVX2 and allows 4 writes.
        unsafe {
            let whole = _mm256_cvttpd_epi32(self);
            let pairs = _mm_packs_epi32(whole, whole);
            to.cast::<i32>().write_unaligned(_mm_cvtsi128_si32(_mm_packus_epi16(pairs, pairs)));
        }
    }

    #[inline(always)]
    unsafe fn gather(from: *const f64, index: *const i32, mask: u32) -> Self {
        // SAFETY: the caller has AVX2 and allows the reads of the mask; `index` has 4 entries.
        unsafe {
            let index = _mm_loadu_si128(index.cast());
            let mask = _mm256_castsi256_pd(lanes64(mask));
            _mm256_mask_i32gather_pd::<8>(_mm256_setzero_pd(), from, index, mask)
        }
    }

    #[inline(always)]
    unsafe fn blend(self, over: Self, mask: u32) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_blendv_pd(self, over, _mm256_castsi256_pd(lanes64(mask))) }
    }

    #[inline(always)]
    unsafe fn evens(self, next: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_permute4x64_pd::<0xD8>(_mm256_unpacklo_pd(self, next)) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller has AVX2 and allows 4 writes.
        unsafe { _mm256_storeu_pd(to, self) }
    }

    /// As for `f32`.
    #[inline(always)]
    unsafe fn store_masked(self, mut to: *mut f64, mask: u32) {
        // SAFETY: the caller has AVX2 and allows the writes of the mask.
        unsafe {
            if mask & (mask + 1) != 0 {
                return _mm256_maskstore_pd(to, lanes64(mask), self);
            }
            if mask == 0xF {
                return self.store(to);
            }
            let mut rest = _mm256_castpd256_pd128(self);
            if mask & 0b10 != 0 {
                _mm_storeu_pd(to, rest);
                rest = _mm256_extractf128_pd::<1>(self);
                to = to.add(2);
            }
            if mask.count_ones() & 1 != 0 {
                _mm_store_sd(to, rest);
            }
        }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_add_pd(self, b) }
    }

    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_sub_pd(self, b) }
    }

    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_mul_pd(self, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has FMA.
        unsafe { _mm256_fmadd_pd(self, a, b) }
    }

    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_div_pd(self, b) }
    }

    #[inline(always)]
    unsafe fn larger(self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe {
            // Of two numbers of which one is NaN, the second.
            let max = _mm256_max_pd(self, b);
            _mm256_blendv_pd(max, self, _mm256_cmp_pd::<_CMP_UNORD_Q>(self, self))
        }
    }

    #[inline(always)]
    unsafe fn follow(self, place: Self, best: Self, best_place: Self) -> [Self; 2] {
        // SAFETY: the caller has AVX2.
        unsafe {
            let above = _mm256_cmp_pd::<_CMP_NLE_UQ>(self, best);
            let wins = _mm256_and_pd(above, _mm256_cmp_pd::<_CMP_ORD_Q>(best, best));
            [_mm256_blendv_pd(best, self, wins), _mm256_blendv_pd(best_place, place, wins)]
        }
    }

    #[inline(always)]
    unsafe fn where_equal(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_and_pd(self, _mm256_cmp_pd::<_CMP_EQ_OQ>(a, b)) }
    }

    #[inline(always)]
    unsafe fn interleave(self, b: Self) -> [Self; 2] {
        // SAFETY: the caller has AVX2.
        unsafe {
            let (low, high) = (_mm256_unpacklo_pd(self, b), _mm256_unpackhi_pd(self, b));
            [_mm256_permute2f128_pd::<0x20>(low, high), _mm256_permute2f128_pd::<0x31>(low, high)]
        }
    }

    #[inline(always)]
    unsafe fn where_positive(self, of: Self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_and_pd(self, _mm256_cmp_pd::<_CMP_GT_OQ>(of, _mm256_setzero_pd())) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: the caller has AVX2.
        unsafe { _mm256_and_pd(self, _mm256_cmp_pd::<_CMP_NLE_UQ>(self, _mm256_setzero_pd())) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f64) {
        // SAFETY: the caller has AVX2 and allows the writes, aligned.
        unsafe { _mm256_stream_pd(to, self) }
    }
}
