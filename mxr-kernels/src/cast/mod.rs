//! Conversion between element types.
//!
//! Floats to integers truncate towards zero and saturate, NaN becomes 0; integers saturate; anything but 0 is `true`. Between
//! floats the nearest value is taken.

use crate::isa::Isa;
use crate::par;
use crate::simd::{Kernel, vectorize};
use half::{bf16, f16};

/// Elements of a block, the unit of parallel work.
const BLOCK: usize = 32 * 1024;

/// An element type that can be converted from and to.
pub trait Castable: Copy + Send + Sync + 'static {
    /// Whether all its values are integers.
    const INTEGER: bool;
    /// The nearest `f64`.
    fn to_f64(self) -> f64;
    /// The integer, truncated and saturated.
    fn to_i64(self) -> i64;
    /// The nearest value, truncated and saturated for integers.
    fn of_f64(x: f64) -> Self;
    /// The nearest value, saturated.
    fn of_i64(x: i64) -> Self;
}

macro_rules! integers {
    ($($t:ty),*) => {$(
        impl Castable for $t {
            const INTEGER: bool = true;
            #[inline(always)]
            fn to_f64(self) -> f64 {
                self as f64
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                i64::from(self)
            }
            #[inline(always)]
            fn of_f64(x: f64) -> $t {
                x as $t
            }
            #[inline(always)]
            fn of_i64(x: i64) -> $t {
                x.clamp(i64::from(<$t>::MIN), i64::from(<$t>::MAX)) as $t
            }
        }
    )*};
}
integers!(i8, u8, i32, i64);

macro_rules! floats {
    ($($t:ty: $to:expr, $from:expr;)*) => {$(
        impl Castable for $t {
            const INTEGER: bool = false;
            #[inline(always)]
            fn to_f64(self) -> f64 {
                $to(self)
            }
            #[inline(always)]
            fn to_i64(self) -> i64 {
                $to(self) as i64
            }
            #[inline(always)]
            fn of_f64(x: f64) -> $t {
                $from(x)
            }
            #[inline(always)]
            fn of_i64(x: i64) -> $t {
                $from(x as f64)
            }
        }
    )*};
}
floats! {
    f32: f64::from, |x: f64| x as f32;
    f64: |x: f64| x, |x: f64| x;
    f16: f16::to_f64, f16::from_f64;
    bf16: bf16::to_f64, bf16::from_f64;
}

impl Castable for bool {
    const INTEGER: bool = true;
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
    #[inline(always)]
    fn to_i64(self) -> i64 {
        i64::from(self)
    }
    #[inline(always)]
    fn of_f64(x: f64) -> bool {
        x != 0.0
    }
    #[inline(always)]
    fn of_i64(x: i64) -> bool {
        x != 0
    }
}

/// `y = x`, converted.
///
/// ```
/// let mut y = [0u8; 4];
/// mxr_kernels::cast::cast(&[1.9f32, -1.0, 300.0, f32::NAN], &mut y);
/// assert_eq!(y, [1, 0, 255, 0]);
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn cast<A: Castable, B: Castable>(x: &[A], y: &mut [B]) {
    struct Loop<'a, A, B>(&'a [A], &'a mut [B]);
    impl<A: Castable, B: Castable> Kernel for Loop<'_, A, B> {
        type Output = ();
        #[inline(always)]
        fn run(self) {
            for (y, x) in self.1.iter_mut().zip(self.0) {
                *y = if A::INTEGER && B::INTEGER { B::of_i64(x.to_i64()) } else { B::of_f64(x.to_f64()) };
            }
        }
    }
    assert_eq!(x.len(), y.len(), "a conversion keeps the number of elements");
    par::for_each_mut(y, BLOCK, |block, y| {
        let x = &x[block * BLOCK..][..y.len()];
        vectorize(Isa::detect(), Loop(x, y));
    });
}

/// The same bytes as another array of the same type.
///
/// # Panics
/// If the lengths differ.
pub fn copy<T: Copy + Send + Sync>(x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), y.len(), "a copy keeps the number of elements");
    par::for_each_mut(y, BLOCK, |block, y| y.copy_from_slice(&x[block * BLOCK..][..y.len()]));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to<A: Castable, B: Castable + Default>(x: &[A]) -> Vec<B> {
        let mut y = vec![B::default(); x.len()];
        cast(x, &mut y);
        y
    }

    #[test]
    fn integers_saturate() {
        assert_eq!(to::<i64, i8>(&[1, -129, 1 << 40]), [1, -128, 127]);
        assert_eq!(to::<i8, u8>(&[-1, 5]), [0, 5]);
        assert_eq!(to::<i64, i64>(&[i64::MAX, i64::MIN]), [i64::MAX, i64::MIN]);
        assert_eq!(to::<f64, i64>(&[1e300, f64::NEG_INFINITY, f64::NAN, -2.9]), [i64::MAX, i64::MIN, 0, -2]);
    }

    #[test]
    fn floats_round_to_the_nearest() {
        assert_eq!(to::<f32, f16>(&[1.0 + 1.0 / 2048.0, 65520.0]), [f16::ONE, f16::INFINITY]);
        assert_eq!(to::<bf16, f32>(&[bf16::from_f32(-2.5)]), [-2.5]);
        assert!(to::<f32, f64>(&[f32::NAN])[0].is_nan());
    }

    #[test]
    fn truth_values() {
        assert_eq!(to::<f32, bool>(&[0.0, -0.0, 0.1, f32::NAN]), [false, false, true, true]);
        assert_eq!(to::<bool, f32>(&[true, false]), [1.0, 0.0]);
    }

    #[test]
    fn long_arrays() {
        let x: Vec<i32> = (0..100_000).collect();
        assert!(to::<i32, f32>(&x).iter().zip(&x).all(|(y, x)| *y == *x as f32));
    }
}
