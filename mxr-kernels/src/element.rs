//! What kernels may ask of an element type.

use std::fmt::Debug;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

use mxr_graph::dtype::DType;

use crate::simd::vector::Registers;

/// Anything that an array can hold.
pub trait Element: Copy + Default + Debug + PartialEq + PartialOrd + Send + Sync + 'static {
    /// The element type as a value.
    const DTYPE: DType;
}

/// Element types with arithmetic. Integers wrap around.
pub trait Num: Element {
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;

    /// The nearest value of this type; floats to integers truncate and saturate, NaN becomes 0.
    fn from_f64(x: f64) -> Self;
    /// The value as an `f64`, rounded if it must be.
    fn to_f64(self) -> f64;
    /// `self + b`, wrapping.
    fn plus(self, b: Self) -> Self;
    /// `self − b`, wrapping.
    fn minus(self, b: Self) -> Self;
    /// `self · b`, wrapping.
    fn times(self, b: Self) -> Self;
}

/// Floating-point element types.
pub trait Float:
    Num
    + Registers
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
{
    /// −∞.
    const NEG_INFINITY: Self;
    /// +∞.
    const INFINITY: Self;
    /// Not a number.
    const NAN: Self;

    /// `self · a + b`, rounded once where the CPU can do it (a slow call where it cannot).
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// eˣ − 1.
    fn exp_m1(self) -> Self;
    /// ln x.
    fn ln(self) -> Self;
    /// ln (1 + x).
    fn ln_1p(self) -> Self;
    /// √x.
    fn sqrt(self) -> Self;
    /// The hyperbolic tangent.
    fn tanh(self) -> Self;
    /// |x|.
    fn abs(self) -> Self;
    /// The largest integer that is not above x.
    fn floor(self) -> Self;
    /// xᵇ.
    fn powf(self, b: Self) -> Self;
    /// xⁿ.
    fn powi(self, n: i32) -> Self;
    /// Whether it is not a number.
    fn is_nan(self) -> bool;
}

macro_rules! element {
    ($($t:ty: $dtype:ident),*) => {$(
        impl Element for $t {
            const DTYPE: DType = DType::$dtype;
        }
    )*};
}

element!(f32: F32, f64: F64, i8: I8, u8: U8, i32: I32, i64: I64, bool: Bool);

macro_rules! int_num {
    ($($t:ty),*) => {$(
        impl Num for $t {
            const ZERO: Self = 0;
            const ONE: Self = 1;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
            #[inline(always)]
            fn minus(self, b: Self) -> Self {
                self.wrapping_sub(b)
            }
            #[inline(always)]
            fn times(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
        }
    )*};
}

int_num!(i8, u8, i32, i64);

macro_rules! float {
    ($($t:ident),*) => {$(
        impl Num for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;

            #[inline(always)]
            fn from_f64(x: f64) -> Self {
                x as $t
            }
            #[inline(always)]
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            #[inline(always)]
            fn plus(self, b: Self) -> Self {
                self + b
            }
            #[inline(always)]
            fn minus(self, b: Self) -> Self {
                self - b
            }
            #[inline(always)]
            fn times(self, b: Self) -> Self {
                self * b
            }
        }

        impl Float for $t {
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            const INFINITY: Self = $t::INFINITY;
            const NAN: Self = $t::NAN;

            #[inline(always)]
            fn mul_add(self, a: Self, b: Self) -> Self {
                $t::mul_add(self, a, b)
            }
            #[inline(always)]
            fn exp(self) -> Self {
                $t::exp(self)
            }
            #[inline(always)]
            fn exp_m1(self) -> Self {
                $t::exp_m1(self)
            }
            #[inline(always)]
            fn ln(self) -> Self {
                $t::ln(self)
            }
            #[inline(always)]
            fn ln_1p(self) -> Self {
                $t::ln_1p(self)
            }
            #[inline(always)]
            fn sqrt(self) -> Self {
                $t::sqrt(self)
            }
            #[inline(always)]
            fn tanh(self) -> Self {
                $t::tanh(self)
            }
            #[inline(always)]
            fn abs(self) -> Self {
                $t::abs(self)
            }
            #[inline(always)]
            fn floor(self) -> Self {
                $t::floor(self)
            }
            #[inline(always)]
            fn powf(self, b: Self) -> Self {
                $t::powf(self, b)
            }
            #[inline(always)]
            fn powi(self, n: i32) -> Self {
                $t::powi(self, n)
            }
            #[inline(always)]
            fn is_nan(self) -> bool {
                $t::is_nan(self)
            }
        }
    )*};
}

float!(f32, f64);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_saturate_and_arithmetic_wraps() {
        assert_eq!(u8::from_f64(300.7), 255);
        assert_eq!(i8::from_f64(-1e9), -128);
        assert_eq!(i32::from_f64(f64::NAN), 0);
        assert_eq!(255u8.plus(2), 1);
        assert_eq!(i64::MIN.minus(1), i64::MAX);
        assert_eq!(<f32 as Num>::from_f64(0.5).to_f64(), 0.5);
    }
}
