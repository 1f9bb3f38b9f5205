//! Operands of 16 bits, whose products are added up in `f32`.
//!
//! Panels hold 32-bit elements, so that the loops of [`driver`](super::driver) and the register tiles serve as they are. An element is a
//! number made wider ([`Wide`]), whose products are exact in `f32`: the sums are those of a multiplication of `f32`. Or, where the
//! CPU has instructions for it, two `bf16` that follow each other along `k` ([`pairs`]), multiplied and added by one instruction.

mod pack;
#[cfg(target_arch = "x86_64")]
mod pairs;
#[cfg(test)]
mod tests;

use half::{bf16, f16};

use self::pack::Operand;
use super::dense::{Address, InPlace};
use super::driver::multiply;
use super::micro::{Registers, Rows, TileFn};
use super::{Candidate, Gemm, GemmElement, reference};
use crate::epilogue::Epilogue;
use crate::isa::Isa;

/// What an element of a panel is made of.
trait Form<T>: Send + Sync + 'static {
    /// Numbers along `k` in one element.
    const DEPTH: usize;

    /// Elements of numbers that follow each other along `k`: `DEPTH` for each, with zeros behind the last.
    fn along(from: &[T], to: &mut [f32]);

    /// Elements of `DEPTH` rows of numbers across `k`, of which the second may be missing.
    fn across(first: &[T], second: Option<&[T]>, to: &mut [f32]);
}

/// The register tiles for a form.
trait Tiles<V: Registers> {
    /// `[rows − 1][vectors − 1]`.
    const TILES: &'static [[TileFn<V::Elem>; 2]];
}

/// One number made wider.
struct Wide;

impl<T: GemmElement<Sum = f32>> Form<T> for Wide {
    const DEPTH: usize = 1;

    #[inline(always)]
    fn along(from: &[T], to: &mut [f32]) {
        for (to, from) in to.iter_mut().zip(from) {
            *to = from.widened();
        }
    }

    #[inline(always)]
    fn across(first: &[T], _: Option<&[T]>, to: &mut [f32]) {
        <Wide as Form<T>>::along(first, to);
    }
}

impl<V: Registers> Tiles<V> for Wide {
    const TILES: &'static [[TileFn<V::Elem>; 2]] = V::TILES;
}

fn run<T, V, F>(desc: &Gemm, a: &[T], b: &[T], epilogue: Epilogue<'_, f32>, c: &mut [f32])
where
    T: GemmElement<Sum = f32>,
    V: Registers<Elem = f32>,
    F: Form<T> + Tiles<V>,
{
    let Gemm { m, n, k, trans_a, trans_b, lda, ldb, ldc, accumulate, .. } = *desc;
    let c = Address::of(c);
    let operands = |z: usize| {
        // With `k` = 0 the operands may be empty whatever the strides say.
        let lhs = Operand::<T, F>::new(a.get(z * desc.stride_a..).unwrap_or_default(), lda, !trans_a, k);
        let rhs = Operand::<T, F>::new(b.get(z * desc.stride_b..).unwrap_or_default(), ldb, trans_b, k);
        (lhs, rhs, InPlace { c, at: z * desc.stride_c, ldc, accumulate, epilogue })
    };
    // SAFETY: `Candidate::run` has checked that the CPU has the instruction set, that the slices are as long as the descriptor
    // says and that matrices C do not overlap.
    unsafe { multiply::<V, _, _, _>(Rows::new(m, V::ROWS), n, k.div_ceil(F::DEPTH), desc.batch, operands) }
}

macro_rules! candidates {
    ($t:ty, $widened:ident, [$($pairs:expr)?], $($isa:ident $name:literal $vector:ty),*) => {
        impl GemmElement for $t {
            type Sum = f32;

            #[inline(always)]
            fn widened(self) -> f32 {
                $widened(self)
            }

            const CANDIDATES: &'static [Candidate<Self>] = &[
                $($pairs,)?
                $(Candidate { name: $name, isa: Isa::$isa, accepts: |_| true, run: run::<$t, $vector, Wide>, prepared: None },)*
                Candidate { name: "reference", isa: Isa::Portable, accepts: |_| true, run: reference::run, prepared: None },
            ];
        }
    };
}

/// The same number; a NaN keeps its bits.
#[inline(always)]
fn wide_bf16(x: bf16) -> f32 {
    f32::from_bits(u32::from(x.to_bits()) << 16)
}

/// The same number, by arithmetic alone: a loop of it is compiled to vectors.
#[inline(always)]
fn wide_f16(x: f16) -> f32 {
    let bits = u32::from(x.to_bits());
    let (sign, rest) = ((bits & 0x8000) << 16, bits & 0x7FFF);
    // Exponents differ by 112. Infinities and NaN are to have the largest exponent of the wider type, which is 112 further still; numbers
    // below the smallest normal one are counted in steps of 2⁻²⁴.
    let normal = (rest << 13) + (112 << 23);
    let special = (rest << 13) + (224 << 23);
    let small = (rest as f32 * f32::from_bits((127 - 24) << 23)).to_bits();
    let magnitude = if rest >= 0x7C00 {
        special
    } else if rest < 0x0400 {
        small
    } else {
        normal
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(target_arch = "x86_64")]
mod list {
    use std::arch::x86_64::{__m256, __m512};

    use super::pairs::Pairs;
    use super::*;
    use crate::simd::vector::Lanes;

    candidates!(bf16, wide_bf16,
        [Candidate { name: "pairs-avx512", isa: Isa::Avx512, accepts: |_| pairs::exist(), run: run::<bf16, __m512, Pairs>, prepared: None }],
        Avx512 "avx512" __m512, Avx2 "avx2" __m256, Portable "portable" Lanes<f32, 4>);
    candidates!(f16, wide_f16, [],
        Avx512 "avx512" __m512, Avx2 "avx2" __m256, Portable "portable" Lanes<f32, 4>);
}

#[cfg(not(target_arch = "x86_64"))]
mod list {
    use super::*;
    use crate::simd::vector::Lanes;

    candidates!(bf16, wide_bf16, [], Portable "portable" Lanes<f32, 4>);
    candidates!(f16, wide_f16, [], Portable "portable" Lanes<f32, 4>);
}
