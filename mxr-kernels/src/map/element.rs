//! The scalar functions of every element type that expressions work on.

use crate::element::{Element, Float, Num};
use crate::level::Level;
use crate::map::{math32, math64};

/// An element type of expressions: `f32`, `f64`, `i32`, `i64`, `u8`.
///
/// Integers wrap around; division by zero gives 0; functions without an integer meaning are computed in `f64` and
/// truncated, saturating; a negative power is 0 unless the base is 1 or −1.
pub trait MapElement: Num + Ops {}
impl<T: Num + Ops> MapElement for T {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i32 {}
    impl Sealed for i64 {}
    impl Sealed for u8 {}
}

macro_rules! signatures {
    ($($name:ident($($arg:ident),*);)*) => {
        /// The functions of `UnOp` and `BinOp`, to be called with everything inlined.
        #[allow(missing_docs)] // names and meanings are those of `UnOp` and `BinOp`
        pub trait Ops: Element + sealed::Sealed {
            $(fn $name<L: Level>($($arg: Self),*) -> Self;)*
        }
    };
}

signatures! {
    neg(x); abs(x); sign(x); exp(x); log(x); log1p(x); sqrt(x); recip(x); tanh(x); sigmoid(x); erf(x); floor(x);
    add(a, b); sub(a, b); mul(a, b); div(a, b); pow(a, b); max(a, b); min(a, b); above(a, b); not_below(a, b); equal(a, b);
}

macro_rules! floats {
    ($t:ty, $log:path, $exp:path, $log1p:path, $tanh:path, $sigmoid:path, $erf:path, $pow:path) => {
        impl Ops for $t {
            #[inline(always)]
            fn neg<L: Level>(x: Self) -> Self {
                -x
            }
            #[inline(always)]
            fn abs<L: Level>(x: Self) -> Self {
                Float::abs(x)
            }
            #[inline(always)]
            fn sign<L: Level>(x: Self) -> Self {
                let y = if x > 0.0 { 1.0 } else { x };
                if x < 0.0 { -1.0 } else { y }
            }
            #[inline(always)]
            fn exp<L: Level>(x: Self) -> Self {
                $exp(x)
            }
            #[inline(always)]
            fn log<L: Level>(x: Self) -> Self {
                $log(x)
            }
            #[inline(always)]
            fn log1p<L: Level>(x: Self) -> Self {
                $log1p(x)
            }
            #[inline(always)]
            fn sqrt<L: Level>(x: Self) -> Self {
                Float::sqrt(x)
            }
            #[inline(always)]
            fn recip<L: Level>(x: Self) -> Self {
                1.0 / x
            }
            #[inline(always)]
            fn tanh<L: Level>(x: Self) -> Self {
                $tanh(x)
            }
            #[inline(always)]
            fn sigmoid<L: Level>(x: Self) -> Self {
                $sigmoid(x)
            }
            #[inline(always)]
            fn erf<L: Level>(x: Self) -> Self {
                $erf(x)
            }
            #[inline(always)]
            fn floor<L: Level>(x: Self) -> Self {
                Float::floor(x)
            }
            #[inline(always)]
            fn add<L: Level>(a: Self, b: Self) -> Self {
                a + b
            }
            #[inline(always)]
            fn sub<L: Level>(a: Self, b: Self) -> Self {
                a - b
            }
            #[inline(always)]
            fn mul<L: Level>(a: Self, b: Self) -> Self {
                a * b
            }
            #[inline(always)]
            fn div<L: Level>(a: Self, b: Self) -> Self {
                a / b
            }
            #[inline(always)]
            fn pow<L: Level>(a: Self, b: Self) -> Self {
                $pow(a, b)
            }
            #[inline(always)]
            fn max<L: Level>(a: Self, b: Self) -> Self {
                if (a > b) | a.is_nan() { a } else { b }
            }
            #[inline(always)]
            fn min<L: Level>(a: Self, b: Self) -> Self {
                if (a < b) | a.is_nan() { a } else { b }
            }
            comparisons!(0.0, 1.0);
        }
    };
}

macro_rules! comparisons {
    ($zero:expr, $one:expr) => {
        #[inline(always)]
        fn above<L: Level>(a: Self, b: Self) -> Self {
            if a > b { $one } else { $zero }
        }
        #[inline(always)]
        fn not_below<L: Level>(a: Self, b: Self) -> Self {
            if a >= b { $one } else { $zero }
        }
        #[inline(always)]
        fn equal<L: Level>(a: Self, b: Self) -> Self {
            if a == b { $one } else { $zero }
        }
    };
}

floats!(
    f32,
    math32::log::<L>,
    math32::exp::<L>,
    math32::log1p::<L>,
    math32::tanh::<L>,
    math32::sigmoid::<L>,
    math32::erf::<L>,
    math32::pow::<L>
);
floats!(f64, f64::ln, f64::exp, f64::ln_1p, f64::tanh, math64::sigmoid, math64::erf, f64::powf);

macro_rules! ints {
    ($($t:ident),*) => {$(
        impl Ops for $t {
            #[inline(always)]
            fn neg<L: Level>(x: Self) -> Self {
                x.wrapping_neg()
            }
            #[inline(always)]
            fn abs<L: Level>(x: Self) -> Self {
                if x > 0 { x } else { x.wrapping_neg() }
            }
            #[inline(always)]
            fn sign<L: Level>(x: Self) -> Self {
                // Zero compares below nothing unsigned, so the second branch never meets a u8.
                let y = if x > 0 { 1 } else { 0 };
                if x.lt(&0) { (0 as Self).wrapping_sub(1) } else { y }
            }
            #[inline(always)]
            fn exp<L: Level>(x: Self) -> Self {
                (x as f64).exp() as $t
            }
            #[inline(always)]
            fn log<L: Level>(x: Self) -> Self {
                (x as f64).ln() as $t
            }
            #[inline(always)]
            fn log1p<L: Level>(x: Self) -> Self {
                (x as f64).ln_1p() as $t
            }
            #[inline(always)]
            fn sqrt<L: Level>(x: Self) -> Self {
                (x as f64).sqrt() as $t
            }
            #[inline(always)]
            fn recip<L: Level>(x: Self) -> Self {
                Self::div::<L>(1, x)
            }
            #[inline(always)]
            fn tanh<L: Level>(x: Self) -> Self {
                (x as f64).tanh() as $t
            }
            #[inline(always)]
            fn sigmoid<L: Level>(x: Self) -> Self {
                math64::sigmoid(x as f64) as $t
            }
            #[inline(always)]
            fn erf<L: Level>(x: Self) -> Self {
                math64::erf(x as f64) as $t
            }
            #[inline(always)]
            fn floor<L: Level>(x: Self) -> Self {
                x
            }
            #[inline(always)]
            fn add<L: Level>(a: Self, b: Self) -> Self {
                a.wrapping_add(b)
            }
            #[inline(always)]
            fn sub<L: Level>(a: Self, b: Self) -> Self {
                a.wrapping_sub(b)
            }
            #[inline(always)]
            fn mul<L: Level>(a: Self, b: Self) -> Self {
                a.wrapping_mul(b)
            }
            #[inline(always)]
            fn div<L: Level>(a: Self, b: Self) -> Self {
                if b == 0 { 0 } else { a.wrapping_div(b) }
            }
            #[inline(always)]
            fn pow<L: Level>(a: Self, b: Self) -> Self {
                match u64::try_from(b) {
                    Ok(n) => power(a, n, 1, $t::wrapping_mul),
                    Err(_) if a == 1 => 1,
                    Err(_) if a.wrapping_add(1) == 0 => if b & 1 == 0 { 1 } else { a },
                    Err(_) => 0,
                }
            }
            #[inline(always)]
            fn max<L: Level>(a: Self, b: Self) -> Self {
                if a > b { a } else { b }
            }
            #[inline(always)]
            fn min<L: Level>(a: Self, b: Self) -> Self {
                if a < b { a } else { b }
            }
            comparisons!(0, 1);
        }
    )*};
}

ints!(i32, i64, u8);

/// aⁿ by squaring.
fn power<T: Copy>(mut a: T, mut n: u64, one: T, times: impl Fn(T, T) -> T) -> T {
    let mut y = one;
    while n > 0 {
        if n & 1 == 1 {
            y = times(y, a);
        }
        a = times(a, a);
        n >>= 1;
    }
    y
}
