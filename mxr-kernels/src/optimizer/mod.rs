//! Fused updates of one parameter: weight and state in one pass over memory.
//!
//! All begin with `g = clip(rescale · grad)`; weight decay is added after the clipping. Steps are computed in the element
//! type of the parameter.

mod cpu;
pub mod reference;
#[cfg(test)]
mod tests;

use crate::element::Float;
use crate::isa::Isa;

/// What every update has in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Common {
    /// Learning rate.
    pub lr: f64,
    /// Weight decay: `wd · w` is added to the gradient.
    pub wd: f64,
    /// The gradient is multiplied by this, 1/batch for instance.
    pub rescale: f64,
    /// The rescaled gradient is kept within ±this.
    pub clip: Option<f64>,
}

impl Default for Common {
    /// lr 0.01, no weight decay, no rescaling, no clipping.
    fn default() -> Self {
        Common { lr: 0.01, wd: 0.0, rescale: 1.0, clip: None }
    }
}

/// Adam's own numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Memory of the mean.
    pub beta1: f64,
    /// Memory of the square.
    pub beta2: f64,
    /// Added to the root of the square.
    pub epsilon: f64,
}

impl Default for Adam {
    /// 0.9, 0.999 and 1e-8.
    fn default() -> Self {
        Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8 }
    }
}

/// `w −= lr · (g + wd · w)`.
///
/// ```
/// use mxr_kernels::optimizer::{Common, sgd};
///
/// let mut w = [1f32, 2.0];
/// sgd(&Common { lr: 0.5, ..Common::default() }, &[1.0, -1.0], &mut w);
/// assert_eq!(w, [0.5, 2.5]);
/// ```
///
/// # Panics
/// If the lengths differ.
pub fn sgd<T: Float>(c: &Common, grad: &[T], w: &mut [T]) {
    sgd_on(Isa::detect(), c, grad, w);
}

/// [`sgd`] with a chosen instruction set.
///
/// # Panics
/// As [`sgd`].
pub fn sgd_on<T: Float>(isa: Isa, c: &Common, grad: &[T], w: &mut [T]) {
    assert_eq!(grad.len(), w.len(), "length of the gradient of a parameter");
    cpu::sgd(isa, c, grad, w);
}

/// `m = momentum · m − lr · (g + wd · w)`, `w += m`.
///
/// # Panics
/// If the lengths differ.
pub fn sgd_momentum<T: Float>(c: &Common, momentum: f64, grad: &[T], w: &mut [T], m: &mut [T]) {
    sgd_momentum_on(Isa::detect(), c, momentum, grad, w, m);
}

/// [`sgd_momentum`] with a chosen instruction set.
///
/// # Panics
/// As [`sgd_momentum`].
pub fn sgd_momentum_on<T: Float>(isa: Isa, c: &Common, momentum: f64, grad: &[T], w: &mut [T], m: &mut [T]) {
    assert_eq!(grad.len(), w.len(), "length of the gradient of a parameter");
    assert_eq!(m.len(), w.len(), "length of the momentum of a parameter");
    cpu::sgd_momentum(isa, c, momentum, grad, w, m);
}

/// `g += wd · w`, `m = β₁m + (1 − β₁)g`, `v = β₂v + (1 − β₂)g²`, `w −= lr · m / (√v + ε)`.
///
/// There is no correction of the bias in here: scale `lr` by `√(1 − β₂ᵗ) / (1 − β₁ᵗ)` for step `t`.
///
/// # Panics
/// If the lengths differ.
pub fn adam<T: Float>(c: &Common, a: &Adam, grad: &[T], w: &mut [T], m: &mut [T], v: &mut [T]) {
    adam_on(Isa::detect(), c, a, grad, w, m, v);
}

/// [`adam`] with a chosen instruction set.
///
/// # Panics
/// As [`adam`].
pub fn adam_on<T: Float>(isa: Isa, c: &Common, a: &Adam, grad: &[T], w: &mut [T], m: &mut [T], v: &mut [T]) {
    assert_eq!(grad.len(), w.len(), "length of the gradient of a parameter");
    assert_eq!(m.len(), w.len(), "length of the mean of a parameter");
    assert_eq!(v.len(), w.len(), "length of the square of a parameter");
    cpu::adam(isa, c, a, grad, w, m, v);
}
