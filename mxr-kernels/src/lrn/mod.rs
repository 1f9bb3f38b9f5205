//! Local response normalisation across channels, and its gradient.
//!
//! `y_i = x_i · s_i^(−beta)` with `s_i = knorm + alpha / size · Σ x_j²` over the `size` channels around `i` that exist, and
//! `dx_i = dy_i · s_i^(−beta) − 2 · alpha · beta / size · x_i · Σ dy_j · y_j / s_j` over the same channels.
//!
//! Candidates, best first: `cpu` for windows of fewer than 32 channels, the reference for all others.

mod cpu;
pub mod reference;

use mxr_graph::instr::LrnAttrs;

use crate::element::Float;
use crate::isa::Isa;
use crate::map::MapElement;

/// Normalisation of `[n, channels, inner]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lrn {
    /// Samples.
    pub n: usize,
    /// Channels.
    pub channels: usize,
    /// Product of the extents after the channels.
    pub inner: usize,
    /// Window, scale, exponent, offset.
    pub attrs: LrnAttrs,
}

impl Lrn {
    /// Elements of the input and of the output.
    pub fn elements(&self) -> usize {
        self.n * self.channels * self.inner
    }

    /// The channels in the window of channel `c`.
    pub(crate) fn window(&self, c: usize) -> std::ops::Range<usize> {
        let half = self.attrs.size as usize / 2;
        c.saturating_sub(half)..(c + half + 1).min(self.channels)
    }

    pub(crate) fn scale(&self) -> f64 {
        f64::from(self.attrs.alpha) / f64::from(self.attrs.size.max(1))
    }
}

/// `y = lrn(x)`.
///
/// ```
/// use mxr_graph::instr::LrnAttrs;
/// use mxr_kernels::lrn::{Lrn, forward};
///
/// let attrs = LrnAttrs { size: 1, alpha: 3.0, beta: 0.5, knorm: 1.0 };
/// let mut y = [0f32];
/// forward(&Lrn { n: 1, channels: 1, inner: 1, attrs }, &[1.0], &mut y);
/// assert_eq!(y, [0.5]);
/// ```
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn forward<T: Float + MapElement>(d: &Lrn, x: &[T], y: &mut [T]) {
    forward_on(Isa::detect(), d, x, y);
}

/// [`forward`] with a chosen instruction set.
///
/// # Panics
/// As [`forward`].
pub fn forward_on<T: Float + MapElement>(isa: Isa, d: &Lrn, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), d.elements(), "length of the input of an lrn");
    assert_eq!(y.len(), d.elements(), "length of the output of an lrn");
    if cpu::accepts(d) { cpu::forward(isa, d, x, y) } else { reference::forward(d, x, y) }
}

/// `dx` from the input, the output and its gradient.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn backward<T: Float + MapElement>(d: &Lrn, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
    backward_on(Isa::detect(), d, x, y, dy, dx);
}

/// [`backward`] with a chosen instruction set.
///
/// # Panics
/// As [`backward`].
pub fn backward_on<T: Float + MapElement>(isa: Isa, d: &Lrn, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
    for len in [x.len(), y.len(), dy.len(), dx.len()] {
        assert_eq!(len, d.elements(), "length of an array of an lrn");
    }
    if cpu::accepts(d) { cpu::backward(isa, d, x, y, dy, dx) } else { reference::backward(d, x, y, dy, dx) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_same, data, with_threads};

    fn check<T: Float + MapElement>(n: usize, channels: usize, inner: usize) {
        for (size, beta, knorm) in
            [(5, 0.75, 2.0), (3, 0.75, 1.0), (1, 0.5, 1.0), (7, 1.3, 0.5), (201, 0.75, 1.0)]
        {
            let attrs = LrnAttrs { size, alpha: 0.8, beta, knorm };
            let d = Lrn { n, channels, inner, attrs };
            let x: Vec<T> = data(d.elements(), 1);
            let dy: Vec<T> = data(d.elements(), 2);
            let (mut want, mut want_dx) = (vec![T::ONE; x.len()], vec![T::ONE; x.len()]);
            reference::forward(&d, &x, &mut want);
            reference::backward(&d, &x, &want, &dy, &mut want_dx);
            for isa in Isa::ALL {
                let what = format!("{isa:?} {d:?}");
                let run = || {
                    let (mut y, mut dx) = (vec![T::ZERO; x.len()], vec![T::ZERO; x.len()]);
                    forward_on(isa, &d, &x, &mut y);
                    backward_on(isa, &d, &x, &want, &dy, &mut dx);
                    (y, dx)
                };
                let (one, two) = (with_threads(1, run), with_threads(2, run));
                assert_same(&one.0, &two.0, &what);
                assert_same(&one.1, &two.1, &what);
                assert_close(&one.0, &want, 2e-6, 1e-13, &what);
                assert_close(&one.1, &want_dx, 4e-6, 1e-13, &what);
            }
        }
    }

    #[test]
    fn candidates_agree_with_the_reference() {
        for (n, channels, inner) in [(0, 3, 4), (1, 1, 1), (2, 3, 5), (2, 96, 49), (1, 7, 400), (3, 20, 1)] {
            check::<f32>(n, channels, inner);
            check::<f64>(n, channels, inner);
        }
    }
}
