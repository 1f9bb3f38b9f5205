//! AVX-512 registers.

use std::arch::x86_64::*;

use crate::simd::vector::{MAX_LANES, Vector};

// SAFETY: AVX-512 masks suppress both the access and its faults.
unsafe impl Vector for __m512 {
    type Elem = f32;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: the caller has AVX-512 and allows 16 reads.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn load_over(self, from: *const f32, mask: u32) -> Self {
        // SAFETY: the caller has AVX-512 and allows the reads of the mask.
        unsafe { _mm512_mask_loadu_ps(self, mask as __mmask16, from) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the caller has AVX-512 and allows 16 reads.
        unsafe { _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the caller has AVX-512 and allows 16 writes.
        unsafe { _mm_storeu_si128(to.cast(), _mm512_cvtepi32_epi8(_mm512_cvttps_epi32(self))) }
    }

    #[inline(always)]
    unsafe fn gather(from: *const f32, index: *const i32, mask: u32) -> Self {
        // SAFETY: the caller has AVX-512 and allows the reads of the mask; `index` has 16 entries.
        unsafe {
            let index = _mm512_loadu_si512(index.cast());
            _mm512_mask_i32gather_ps::<4>(_mm512_setzero_ps(), mask as __mmask16, index, from)
        }
    }

    #[inline(always)]
    unsafe fn blend(self, over: Self, mask: u32) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_mask_blend_ps(mask as __mmask16, self, over) }
    }

    #[inline(always)]
    unsafe fn evens(self, next: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe {
            let even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
            _mm512_permutex2var_ps(self, even, next)
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: the caller has AVX-512 and allows 16 writes.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn store_masked(self, to: *mut f32, mask: u32) {
        // SAFETY: the caller has AVX-512 and allows the writes of the mask.
        unsafe { _mm512_mask_storeu_ps(to, mask as __mmask16, self) }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_add_ps(self, b) }
    }

    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_sub_ps(self, b) }
    }

    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_mul_ps(self, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_fmadd_ps(self, a, b) }
    }

    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_div_ps(self, b) }
    }

    #[inline(always)]
    unsafe fn larger(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe {
            // Of two numbers of which one is NaN, the second.
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(self, self);
            _mm512_mask_blend_ps(nan, _mm512_max_ps(self, b), self)
        }
    }

    #[inline(always)]
    unsafe fn follow(self, place: Self, best: Self, best_place: Self) -> [Self; 2] {
        // SAFETY: the caller has AVX-512.
        unsafe {
            let wins =
                _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(self, best) & _mm512_cmp_ps_mask::<_CMP_ORD_Q>(best, best);
            [_mm512_mask_blend_ps(wins, best, self), _mm512_mask_blend_ps(wins, best_place, place)]
        }
    }

    #[inline(always)]
    unsafe fn where_equal(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), self) }
    }

    #[inline(always)]
    unsafe fn interleave(self, b: Self) -> [Self; 2] {
        // SAFETY: the caller has AVX-512.
        unsafe {
            let low = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
            let high = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
            [_mm512_permutex2var_ps(self, low, b), _mm512_permutex2var_ps(self, high, b)]
        }
    }

    #[inline(always)]
    unsafe fn where_positive(self, of: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(of, _mm512_setzero_ps()), self) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NLE_UQ>(self, _mm512_setzero_ps()), self) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f32) {
        // SAFETY: the caller has AVX-512 and allows the writes, aligned.
        unsafe { _mm512_stream_ps(to, self) }
    }

    #[inline(always)]
    unsafe fn sum(self) -> f32 {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_reduce_add_ps(self) }
    }

    /// Pairs of lanes, pairs of pairs, then quarters of the register.
    #[inline(always)]
    unsafe fn transpose(rows: &mut [Self; MAX_LANES]) {
        // SAFETY: the caller has AVX-512.
        unsafe {
            let mut pairs = [_mm512_setzero_ps(); 16];
            for i in 0..8 {
                pairs[2 * i] = _mm512_unpacklo_ps(rows[2 * i], rows[2 * i + 1]);
                pairs[2 * i + 1] = _mm512_unpackhi_ps(rows[2 * i], rows[2 * i + 1]);
            }
            let mut fours = [_mm512_setzero_ps(); 16];
            for i in 0..4 {
                for j in 0..2 {
                    let (low, high) = (pairs[4 * i + j], pairs[4 * i + 2 + j]);
                    fours[4 * i + 2 * j] = _mm512_shuffle_ps::<0x44>(low, high);
                    fours[4 * i + 2 * j + 1] = _mm512_shuffle_ps::<0xEE>(low, high);
                }
            }
            for j in 0..4 {
                let (a, b, c, d) = (fours[j], fours[4 + j], fours[8 + j], fours[12 + j]);
                let (ab_even, ab_odd) =
                    (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xDD>(a, b));
                let (cd_even, cd_odd) =
                    (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xDD>(c, d));
                rows[j] = _mm512_shuffle_f32x4::<0x88>(ab_even, cd_even);
                rows[4 + j] = _mm512_shuffle_f32x4::<0x88>(ab_odd, cd_odd);
                rows[8 + j] = _mm512_shuffle_f32x4::<0xDD>(ab_even, cd_even);
                rows[12 + j] = _mm512_shuffle_f32x4::<0xDD>(ab_odd, cd_odd);
            }
        }
    }
}

// SAFETY: AVX-512 masks suppress both the access and its faults.
unsafe impl Vector for __m512d {
    type Elem = f64;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_setzero_pd() }
    }

    #[inline(always)]
    unsafe fn splat(x: f64) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_set1_pd(x) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f64) -> Self {
        // SAFETY: the caller has AVX-512 and allows 8 reads.
        unsafe { _mm512_loadu_pd(from) }
    }

    #[inline(always)]
    unsafe fn load_over(self, from: *const f64, mask: u32) -> Self {
        // SAFETY: the caller has AVX-512 and allows the reads of the mask.
        unsafe { _mm512_mask_loadu_pd(self, mask as __mmask8, from) }
    }

    #[inline(always)]
    unsafe fn load_bytes(from: *const u8) -> Self {
        // SAFETY: the caller has AVX-512 and allows 8 reads.
        unsafe { _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast()))) }
    }

    #[inline(always)]
    unsafe fn store_bytes(self, to: *mut u8) {
        // SAFETY: the caller has AVX-512 and allows 8 writes.
        unsafe { _mm_storel_epi64(to.cast(), _mm256_cvtepi32_epi8(_mm512_cvttpd_epi32(self))) }
    }

    #[inline(always)]
    unsafe fn gather(from: *const f64, index: *const i32, mask: u32) -> Self {
        // SAFETY: the caller has AVX-512 and allows the reads of the mask; `index` has 8 entries.
        unsafe {
            let index = _mm256_loadu_si256(index.cast());
            _mm512_mask_i32gather_pd::<8>(_mm512_setzero_pd(), mask as __mmask8, index, from)
        }
    }

    #[inline(always)]
    unsafe fn blend(self, over: Self, mask: u32) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_mask_blend_pd(mask as __mmask8, self, over) }
    }

    #[inline(always)]
    unsafe fn evens(self, next: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_permutex2var_pd(self, _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14), next) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f64) {
        // SAFETY: the caller has AVX-512 and allows 8 writes.
        unsafe { _mm512_storeu_pd(to, self) }
    }

    #[inline(always)]
    unsafe fn store_masked(self, to: *mut f64, mask: u32) {
        // SAFETY: the caller has AVX-512 and allows the writes of the mask.
        unsafe { _mm512_mask_storeu_pd(to, mask as __mmask8, self) }
    }

    #[inline(always)]
    unsafe fn add(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_add_pd(self, b) }
    }

    #[inline(always)]
    unsafe fn sub(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_sub_pd(self, b) }
    }

    #[inline(always)]
    unsafe fn mul(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_mul_pd(self, b) }
    }

    #[inline(always)]
    unsafe fn mul_add(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_fmadd_pd(self, a, b) }
    }

    #[inline(always)]
    unsafe fn div(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_div_pd(self, b) }
    }

    #[inline(always)]
    unsafe fn larger(self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe {
            // Of two numbers of which one is NaN, the second.
            let nan = _mm512_cmp_pd_mask::<_CMP_UNORD_Q>(self, self);
            _mm512_mask_blend_pd(nan, _mm512_max_pd(self, b), self)
        }
    }

    #[inline(always)]
    unsafe fn follow(self, place: Self, best: Self, best_place: Self) -> [Self; 2] {
        // SAFETY: the caller has AVX-512.
        unsafe {
            let wins =
                _mm512_cmp_pd_mask::<_CMP_NLE_UQ>(self, best) & _mm512_cmp_pd_mask::<_CMP_ORD_Q>(best, best);
            [_mm512_mask_blend_pd(wins, best, self), _mm512_mask_blend_pd(wins, best_place, place)]
        }
    }

    #[inline(always)]
    unsafe fn where_equal(self, a: Self, b: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_EQ_OQ>(a, b), self) }
    }

    #[inline(always)]
    unsafe fn interleave(self, b: Self) -> [Self; 2] {
        // SAFETY: the caller has AVX-512.
        unsafe {
            let low = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
            let high = _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15);
            [_mm512_permutex2var_pd(self, low, b), _mm512_permutex2var_pd(self, high, b)]
        }
    }

    #[inline(always)]
    unsafe fn where_positive(self, of: Self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(of, _mm512_setzero_pd()), self) }
    }

    #[inline(always)]
    unsafe fn relu(self) -> Self {
        // SAFETY: the caller has AVX-512.
        unsafe { _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_NLE_UQ>(self, _mm512_setzero_pd()), self) }
    }

    #[inline(always)]
    unsafe fn stream(self, to: *mut f64) {
        // SAFETY: the caller has AVX-512 and allows the writes, aligned.
        unsafe { _mm512_stream_pd(to, self) }
    }
}
