//! Dropout and its gradient.
//!
//! `y = x · mask / (1 − p)`, where an element of the mask is 1 with probability `1 − p`. The mask is a function of the key and
//! the element's index ([`random`](crate::random)), kept as [`bits`]; a dropped element is 0 even where `x` is
//! infinite or NaN.

mod cpu;
pub mod reference;

use crate::bits;
use crate::element::Float;
use crate::isa::Isa;
use crate::map::Src;
use crate::random::Key;

/// `y` and `mask` from `x`, which may be `y` itself, in rows of `row` elements; `p` in 0..=1 is the probability of a zero.
///
/// ```
/// use mxr_kernels::dropout::{backward, forward};
/// use mxr_kernels::{map::Src, random::Key};
///
/// let key = Key { seed: 1, step: 0, stream: 0 };
/// let (mut y, mut mask) = ([1f32; 8], [0; 1]);
/// forward(0.5, key, 8, Src::Out, &mut y, &mut mask);
/// assert!((0..8).all(|i| y[i] == 2.0 * f32::from(mask[0] >> i & 1)));
/// ```
///
/// # Panics
/// If the lengths do not fit together.
pub fn forward<T: Float>(p: f32, key: Key, row: usize, x: Src<'_, T>, y: &mut [T], mask: &mut [u8]) {
    forward_on(Isa::detect(), p, key, row, x, y, mask);
}

/// [`forward`] with a chosen instruction set.
///
/// # Panics
/// As [`forward`].
pub fn forward_on<T: Float>(
    isa: Isa,
    p: f32,
    key: Key,
    row: usize,
    x: Src<'_, T>,
    y: &mut [T],
    mask: &mut [u8],
) {
    if let Src::Slice(x) = x {
        assert_eq!(x.len(), y.len(), "length of the input of a dropout");
    }
    assert_eq!(mask.len(), bits::bytes(y.len(), row), "length of the mask of a dropout");
    if !y.is_empty() {
        cpu::forward(isa, p, key, row, x, y, mask);
    }
}

/// `dx = dy · mask / (1 − p)` in rows of `row` elements; `dy` may be `dx` itself.
///
/// # Panics
/// If the lengths do not fit together.
pub fn backward<T: Float>(p: f32, row: usize, dy: Src<'_, T>, mask: &[u8], dx: &mut [T]) {
    backward_on(Isa::detect(), p, row, dy, mask, dx);
}

/// [`backward`] with a chosen instruction set.
///
/// # Panics
/// As [`backward`].
pub fn backward_on<T: Float>(isa: Isa, p: f32, row: usize, dy: Src<'_, T>, mask: &[u8], dx: &mut [T]) {
    if let Src::Slice(dy) = dy {
        assert_eq!(dy.len(), dx.len(), "length of the output's gradient of a dropout");
    }
    assert_eq!(mask.len(), bits::bytes(dx.len(), row), "length of the mask of a dropout");
    if !dx.is_empty() {
        cpu::backward(isa, p, row, dy, mask, dx);
    }
}

/// What a kept element is multiplied by; with nothing kept it does not matter.
fn scale<T: Float>(p: f32) -> T {
    if p < 1.0 { T::from_f64(1.0 / (1.0 - f64::from(p))) } else { T::ZERO }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, data, with_threads};

    fn check<T: Float>(rows: usize, row: usize, p: f32) {
        let key = Key { seed: 5, step: 6, stream: 7 };
        let len = rows * row;
        let mut x: Vec<T> = data(len, 1);
        if len > 3 {
            x[2] = T::NAN;
            x[3] = T::INFINITY;
        }
        let bytes = bits::bytes(len, row);
        let (mut want, mut want_mask) = (vec![T::ONE; len], vec![9; bytes]);
        reference::forward(p, key, row, &x, &mut want, &mut want_mask);
        for isa in Isa::ALL {
            let run = || {
                let (mut y, mut mask) = (vec![T::ONE; len], vec![9; bytes]);
                forward_on(isa, p, key, row, Src::Slice(&x), &mut y, &mut mask);
                let (mut own, mut own_mask) = (x.clone(), vec![9; bytes]);
                forward_on(isa, p, key, row, Src::Out, &mut own, &mut own_mask);
                let (mut dx, mut own_dx) = (vec![T::ONE; len], x.clone());
                backward_on(isa, p, row, Src::Slice(&x), &mask, &mut dx);
                backward_on(isa, p, row, Src::Out, &mask, &mut own_dx);
                assert!(mask == want_mask && own_mask == want_mask);
                for got in [y, own, dx, own_dx] {
                    assert_same(&got, &want, &format!("{isa:?} {rows} rows of {row}, {p}"));
                }
            };
            with_threads(1, run);
            with_threads(2, run);
        }
    }

    #[test]
    fn candidates_agree_with_the_reference() {
        for (rows, row) in [(0, 1), (1, 1), (1, 63), (2, 64), (1000, 1), (7, 1001), (3, 20_000), (2, 35_001)]
        {
            for p in [0.0, 0.5, 0.3, 1.0] {
                check::<f32>(rows, row, p);
                check::<f64>(rows, row, p);
            }
        }
    }
}
