//! Softmax and its logarithm along one axis.
//!
//! `y_c = exp(x_c − max x) / Σ exp(x − max x)`, or `y_c = x_c − max x − ln Σ exp(x − max x)`. A NaN or +∞ among the classes
//! makes all of them NaN, as does a column of −∞ only.

mod cpu;
pub mod reference;
#[cfg(test)]
mod tests;

use crate::element::Float;
use crate::isa::Isa;
use crate::map::{MapElement, Src};

pub(crate) use cpu::{COLUMNS, exp_and_sum, largest, tile};

/// Softmax over the middle axis of `[outer, classes, inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// Product of the extents before the axis.
    pub outer: usize,
    /// Extent of the axis.
    pub classes: usize,
    /// Product of the extents after the axis.
    pub inner: usize,
    /// The logarithm of softmax.
    pub log: bool,
}

impl Softmax {
    /// Elements of the input and of the output.
    pub fn elements(&self) -> usize {
        self.outer * self.classes * self.inner
    }
}

/// `y = softmax(x)`; `x` may be `y` itself.
///
/// ```
/// use mxr_kernels::map::Src;
/// use mxr_kernels::softmax::{Softmax, forward};
///
/// let mut y = [0f32; 4];
/// let d = Softmax { outer: 2, classes: 2, inner: 1, log: false };
/// forward(&d, Src::Slice(&[0., 0., 1e6, 0.]), &mut y);
/// assert_eq!(y, [0.5, 0.5, 1.0, 0.0]);
/// ```
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn forward<T: Float + MapElement>(d: &Softmax, x: Src<'_, T>, y: &mut [T]) {
    forward_on(Isa::detect(), d, x, y);
}

/// [`forward`] with a chosen instruction set.
///
/// # Panics
/// As [`forward`].
pub fn forward_on<T: Float + MapElement>(isa: Isa, d: &Softmax, x: Src<'_, T>, y: &mut [T]) {
    if let Src::Slice(x) = x {
        assert_eq!(x.len(), d.elements(), "length of the input of a softmax");
    }
    assert_eq!(y.len(), d.elements(), "length of the output of a softmax");
    if !y.is_empty() {
        cpu::forward(isa, d, x, y);
    }
}

/// The gradient of the input from the output and its gradient: `dx = y · (dy − Σ y·dy)`, or for the logarithm
/// `dx = dy − exp(y) · Σ dy`.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn backward<T: Float + MapElement>(d: &Softmax, y: &[T], dy: &[T], dx: &mut [T]) {
    backward_on(Isa::detect(), d, y, dy, dx);
}

/// [`backward`] with a chosen instruction set.
///
/// # Panics
/// As [`backward`].
pub fn backward_on<T: Float + MapElement>(isa: Isa, d: &Softmax, y: &[T], dy: &[T], dx: &mut [T]) {
    assert_eq!(y.len(), d.elements(), "length of the output of a softmax");
    assert_eq!(dy.len(), d.elements(), "length of the output's gradient of a softmax");
    assert_eq!(dx.len(), d.elements(), "length of the input's gradient of a softmax");
    if !dx.is_empty() {
        cpu::backward(isa, d, y, dy, dx);
    }
}
