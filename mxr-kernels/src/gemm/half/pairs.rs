//! Two `bf16` in one element, multiplied and added by one instruction of AVX512-BF16.
//!
//! Its sums are `f32`, rounded to the nearest after each of the two additions; subnormal numbers count as zero.

use std::arch::x86_64::{__m512, _mm512_castps_si512, _mm512_dpbf16_ps};
use std::sync::OnceLock;

use half::bf16;

use super::{Form, Tiles};
use crate::gemm::micro::{Step, Tile, TileFn, tile};

/// Two `bf16` that follow each other along `k`; the lower 16 bits are the first.
pub(super) struct Pairs;

/// Whether this CPU can multiply them.
pub(super) fn exist() -> bool {
    static EXIST: OnceLock<bool> = OnceLock::new();
    *EXIST.get_or_init(|| std::arch::is_x86_feature_detected!("avx512bf16"))
}

#[inline(always)]
fn pair(first: bf16, second: bf16) -> f32 {
    f32::from_bits(u32::from(first.to_bits()) | u32::from(second.to_bits()) << 16)
}

impl Form<bf16> for Pairs {
    const DEPTH: usize = 2;

    #[inline(always)]
    fn along(from: &[bf16], to: &mut [f32]) {
        let whole = from.as_chunks::<2>();
        for (to, [first, second]) in to.iter_mut().zip(whole.0) {
            *to = pair(*first, *second);
        }
        if let ([first], Some(to)) = (whole.1, to.get_mut(whole.0.len())) {
            *to = pair(*first, bf16::ZERO);
        }
    }

    #[inline(always)]
    fn across(first: &[bf16], second: Option<&[bf16]>, to: &mut [f32]) {
        match second {
            Some(second) => {
                for ((to, first), second) in to.iter_mut().zip(first).zip(second) {
                    *to = pair(*first, *second);
                }
            }
            None => {
                for (to, first) in to.iter_mut().zip(first) {
                    *to = pair(*first, bf16::ZERO);
                }
            }
        }
    }
}

impl Step<__m512> for Pairs {
    #[inline(always)]
    unsafe fn step(x: __m512, w: __m512, sum: __m512) -> __m512 {
        // SAFETY: registers of 64 bytes; the caller has AVX512-BF16.
        unsafe {
            let [x, w] = [x, w].map(|pairs| std::mem::transmute(_mm512_castps_si512(pairs)));
            _mm512_dpbf16_ps(sum, x, w)
        }
    }
}

/// # Safety
///
/// As for [`TileFn`], and the CPU has AVX512-BF16.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma")]
unsafe fn entry<const ROWS: usize, const VECTORS: usize>(t: &Tile<f32>) {
    // SAFETY: the caller keeps the contract of `TileFn`.
    unsafe { tile::<__m512, Pairs, ROWS, VECTORS>(t) }
}

macro_rules! tiles {
    ($($rows:literal)*) => {
        impl Tiles<__m512> for Pairs {
            const TILES: &'static [[TileFn<f32>; 2]] = &[$([entry::<$rows, 1>, entry::<$rows, 2>]),*];
        }
    };
}
tiles!(1 2 3 4 5 6 7 8 9 10 11 12 13 14);
