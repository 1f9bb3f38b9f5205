//! `y = max(x, 0)` with a mask of one bit per element ([`bits`]), 1 where `x > 0`. NaN stays NaN and has 0.
//!
//! The gradient is that of a dropout with `p = 0`: [`dropout::backward`](crate::dropout::backward).

use crate::bits::{self, Cut, pack_all};
use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::map::Src;

/// Elements of a tile, a multiple of what a byte holds.
const TILE: usize = 512;

/// `y` and `mask` from `x`, which may be `y` itself, in rows of `row` elements.
///
/// ```
/// use mxr_kernels::{map::Src, relu_mask::forward};
/// let (mut y, mut mask) = ([-1f32, 2.0, 3.0, -4.0], [0; 2]);
/// forward(2, Src::Out, &mut y, &mut mask);
/// assert_eq!((y, mask), ([0.0, 2.0, 3.0, 0.0], [0b10, 0b01]));
/// ```
///
/// # Panics
/// If the lengths do not fit together.
pub fn forward<T: Float>(row: usize, x: Src<'_, T>, y: &mut [T], mask: &mut [u8]) {
    forward_on(Isa::detect(), row, x, y, mask);
}

/// [`forward`] with a chosen instruction set.
///
/// # Panics
/// As [`forward`].
pub fn forward_on<T: Float>(isa: Isa, row: usize, x: Src<'_, T>, y: &mut [T], mask: &mut [u8]) {
    if let Src::Slice(x) = x {
        assert_eq!(x.len(), y.len(), "length of the input of a rectifier");
    }
    assert_eq!(mask.len(), bits::bytes(y.len(), row), "length of the mask of a rectifier");
    if y.is_empty() {
        return;
    }
    let cut = Cut::new(row);
    cut.both(y, mask, |first, y, mask| {
        if let Src::Slice(x) = x {
            y.copy_from_slice(&x[first..first + y.len()]);
        }
        level::run(isa, Rectify { cut, y, mask });
    });
}

struct Rectify<'a, T> {
    cut: Cut,
    y: &'a mut [T],
    mask: &'a mut [u8],
}

impl<T: Float> Body for Rectify<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Rectify { cut, y, mask } = self;
        let mut flags = [0u8; TILE];
        let (mut at, mut byte) = (0, 0);
        while at < y.len() {
            let (row, bytes) = cut.row(y.len() - at);
            let tiles = y[at..at + row].chunks_mut(TILE).zip(mask[byte..byte + bytes].chunks_mut(TILE / 8));
            for (y, mask) in tiles {
                let flags = &mut flags[..y.len()];
                for (y, f) in y.iter_mut().zip(&mut *flags) {
                    let positive = *y > T::ZERO;
                    *f = u8::from(positive);
                    *y = if positive | y.is_nan() { *y } else { T::ZERO };
                }
                pack_all(flags, mask);
            }
            (at, byte) = (at + row, byte + bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dropout;
    use crate::testing::{assert_same, data, with_threads};

    fn check<T: Float>(rows: usize, row: usize) {
        let len = rows * row;
        let mut x: Vec<T> = data(len, 1);
        if len > 3 {
            (x[1], x[2], x[3]) = (T::NAN, T::ZERO, T::INFINITY);
        }
        let dy: Vec<T> = data(len, 2);
        let positive = |i: usize| x[i] > T::ZERO;
        let want: Vec<T> =
            (0..len).map(|i| if positive(i) || x[i].is_nan() { x[i] } else { T::ZERO }).collect();
        let want_dx: Vec<T> = (0..len).map(|i| if positive(i) { dy[i] } else { T::ZERO }).collect();
        let mut want_mask = vec![0u8; bits::bytes(len, row)];
        for i in (0..len).filter(|i| positive(*i)) {
            want_mask[i / row * row.div_ceil(8) + i % row / 8] |= 1 << (i % row % 8);
        }
        for isa in Isa::ALL {
            let run = || {
                let what = format!("{isa:?} {rows} rows of {row}");
                let (mut y, mut mask) = (vec![T::ONE; len], vec![9; want_mask.len()]);
                forward_on(isa, row, Src::Slice(&x), &mut y, &mut mask);
                assert_same(&y, &want, &what);
                assert_eq!(mask, want_mask, "{what}");
                let mut own = x.clone();
                mask.fill(9);
                forward_on(isa, row, Src::Out, &mut own, &mut mask);
                assert_same(&own, &want, &what);
                assert_eq!(mask, want_mask, "{what}");
                let (mut dx, mut own) = (vec![T::ONE; len], dy.clone());
                dropout::backward_on(isa, 0.0, row, Src::Slice(&dy), &mask, &mut dx);
                dropout::backward_on(isa, 0.0, row, Src::Out, &mask, &mut own);
                assert_same(&dx, &want_dx, &what);
                assert_same(&own, &want_dx, &what);
            };
            with_threads(1, run);
            with_threads(2, run);
        }
    }

    #[test]
    fn elements_masks_and_gradients() {
        let sizes = [(0, 5), (1, 1), (3, 7), (5, 8), (40, 1000), (3, 20_000), (2, 33_333), (70_000, 1)];
        for (rows, row) in sizes {
            check::<f32>(rows, row);
            check::<f64>(rows, row);
        }
    }
}
