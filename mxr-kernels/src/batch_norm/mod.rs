//! Batch normalisation: training, inference and both gradients.
//!
//! Statistics are sums of elements shifted by one element of their channel, so they lose nothing when the mean is large; in one pass and in
//! a fixed partition. At most 64 numbers are added up in the element type, their sums in `f64`: short sums cost a third, and memory is then
//! what bounds the kernels. With `fix_gamma` gamma counts as 1, whatever it holds, and its gradient is 0.
//!
//! What often follows is done on the way, with the bits that it would have by itself: a residual is added, and negative results become 0.
//! The gradient of relu alone makes the signs again from x.

mod cpu;
mod lines;
mod pass;
pub mod reference;
#[cfg(test)]
mod tests;

use mxr_graph::instr::BatchNormAttrs;

use crate::batch_norm::lines::Array;
use crate::batch_norm::pass::Arrays;
use crate::element::Float;
use crate::isa::Isa;
use crate::map::Src;

/// Normalisation over the middle axis of `[outer, channels, inner]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Product of the extents before the channels.
    pub outer: usize,
    /// Number of channels.
    pub channels: usize,
    /// Product of the extents after the channels.
    pub inner: usize,
    /// eps, momentum, `fix_gamma` (the axis is what the three extents say).
    pub attrs: BatchNormAttrs,
    /// The result, after a residual was added, is `max(y, 0)`.
    pub relu: bool,
}

impl BatchNorm {
    /// Elements of the input.
    pub fn elements(&self) -> usize {
        self.outer * self.channels * self.inner
    }

    pub(crate) fn gamma<T: Float>(&self, gamma: &[T], c: usize) -> T {
        if self.attrs.fix_gamma { T::ONE } else { gamma[c] }
    }

    pub(crate) fn inv_std(&self, var: f64) -> f64 {
        1.0 / (var + f64::from(self.attrs.eps)).sqrt()
    }

    pub(crate) fn moved(&self, running: f64, batch: f64) -> f64 {
        let momentum = f64::from(self.attrs.momentum);
        running * momentum + batch * (1.0 - momentum)
    }

    fn check_src<T>(&self, operand: Option<Src<'_, T>>) {
        if let Some(Src::Slice(from)) = operand {
            self.check(&[from.len()], &[]);
        }
    }

    fn check(&self, whole: &[usize], per_channel: &[usize]) {
        for &len in whole {
            assert_eq!(len, self.elements(), "length of an array of a batch normalisation");
        }
        for &len in per_channel {
            assert_eq!(len, self.channels, "length of a channel vector of a batch normalisation");
        }
    }
}

/// Training: `y = (x − mean) · inv_std · gamma + beta` with the statistics of the batch (biased variance), which are written
/// to `mean` and `inv_std = 1/√(var + eps)` and move the running ones:
/// `running = running · momentum + batch · (1 − momentum)`. A residual, which may be in the memory of `y`, is added; then come
/// zeros where [`BatchNorm::relu`] says so. `y` follows from the statistics as they are written: [`apply`]
/// makes the same bits of them.
///
/// # Panics
/// If the lengths are not those of the descriptor.
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn train<T: Float>(
    d: &BatchNorm,
    x: &[T],
    gamma: &[T],
    beta: &[T],
    residual: Option<Src<'_, T>>,
    moving_mean: &mut [T],
    moving_var: &mut [T],
    y: &mut [T],
    mean: &mut [T],
    inv_std: &mut [T],
) {
    train_on(Isa::detect(), d, x, gamma, beta, residual, moving_mean, moving_var, y, mean, inv_std);
}

/// [`train`] with a chosen instruction set.
///
/// # Panics
/// As [`train`].
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn train_on<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: &[T],
    gamma: &[T],
    beta: &[T],
    residual: Option<Src<'_, T>>,
    moving_mean: &mut [T],
    moving_var: &mut [T],
    y: &mut [T],
    mean: &mut [T],
    inv_std: &mut [T],
) {
    let vectors = [gamma.len(), beta.len(), moving_mean.len(), moving_var.len(), mean.len(), inv_std.len()];
    d.check(&[x.len(), y.len()], &vectors);
    d.check_src(residual);
    cpu::train(isa, d, x, [gamma, beta], residual, [moving_mean, moving_var, mean, inv_std], y);
}

/// Inference: `y = (x − moving_mean) / √(moving_var + eps) · gamma + beta`, and what follows as in [`train`]; `x` may be `y`
/// itself, or the residual may.
///
/// ```
/// use mxr_graph::instr::BatchNormAttrs;
/// use mxr_kernels::batch_norm::{BatchNorm, infer};
/// use mxr_kernels::map::Src;
///
/// let attrs = BatchNormAttrs { axis: 1, eps: 0.0, momentum: 0.9, fix_gamma: false };
/// let d = BatchNorm { outer: 1, channels: 2, inner: 1, attrs, relu: false };
/// let mut y = [3f32, 8.0];
/// infer(&d, Src::Out, &[1., 10.], &[0., 1.], &[1., 6.], &[4., 1.], None, &mut y);
/// assert_eq!(y, [1., 21.]);
/// ```
///
/// # Panics
/// If the lengths are not those of the descriptor.
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn infer<T: Float>(
    d: &BatchNorm,
    x: Src<'_, T>,
    gamma: &[T],
    beta: &[T],
    moving_mean: &[T],
    moving_var: &[T],
    residual: Option<Src<'_, T>>,
    y: &mut [T],
) {
    infer_on(Isa::detect(), d, x, gamma, beta, moving_mean, moving_var, residual, y);
}

/// [`infer`] with a chosen instruction set.
///
/// # Panics
/// As [`infer`].
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn infer_on<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: Src<'_, T>,
    gamma: &[T],
    beta: &[T],
    moving_mean: &[T],
    moving_var: &[T],
    residual: Option<Src<'_, T>>,
    y: &mut [T],
) {
    d.check(&[y.len()], &[gamma.len(), beta.len(), moving_mean.len(), moving_var.len()]);
    d.check_src(Some(x));
    d.check_src(residual);
    cpu::apply(isa, d, x, [gamma, beta, moving_mean], cpu::Spread::Variance(moving_var), residual, y);
}

/// The `y` of [`train`] once more, bit by bit, from the statistics that it wrote; `x` may be `y` itself, or the residual may.
///
/// # Panics
/// If the lengths are not those of the descriptor.
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn apply<T: Float>(
    d: &BatchNorm,
    x: Src<'_, T>,
    gamma: &[T],
    beta: &[T],
    mean: &[T],
    inv_std: &[T],
    residual: Option<Src<'_, T>>,
    y: &mut [T],
) {
    apply_on(Isa::detect(), d, x, gamma, beta, mean, inv_std, residual, y);
}

/// [`apply`] with a chosen instruction set.
///
/// # Panics
/// As [`apply`].
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn apply_on<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: Src<'_, T>,
    gamma: &[T],
    beta: &[T],
    mean: &[T],
    inv_std: &[T],
    residual: Option<Src<'_, T>>,
    y: &mut [T],
) {
    d.check(&[y.len()], &[gamma.len(), beta.len(), mean.len(), inv_std.len()]);
    d.check_src(Some(x));
    d.check_src(residual);
    cpu::apply(isa, d, x, [gamma, beta, mean], cpu::Spread::Inverse(inv_std), residual, y);
}

/// The gradient of [`train`]: `dbeta = Σ dy`, `dgamma = Σ dy · x̂`, `dx = gamma · inv_std · (dy − dbeta/n − x̂ · dgamma/n)` where
/// `x̂ = (x − mean) · inv_std` and `n` counts the elements of a channel; `x` or `dy` may be in the memory of `dx`. Of a forward call with relu,
/// elements of `dy` count where the normalisation with its beta, which is then given and computed once more, is positive. Where a residual was
/// added before the relu, `dy` has to be masked before.
///
/// # Panics
/// If the lengths are not those of the descriptor.
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn backward<T: Float>(
    d: &BatchNorm,
    x: Src<'_, T>,
    gamma: &[T],
    mean: &[T],
    inv_std: &[T],
    dy: Src<'_, T>,
    relu: Option<&[T]>,
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    backward_on(Isa::detect(), d, x, gamma, mean, inv_std, dy, relu, dx, dgamma, dbeta);
}

/// [`backward`] with a chosen instruction set.
///
/// # Panics
/// As [`backward`].
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn backward_on<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: Src<'_, T>,
    gamma: &[T],
    mean: &[T],
    inv_std: &[T],
    dy: Src<'_, T>,
    relu: Option<&[T]>,
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    let vectors = [gamma.len(), mean.len(), inv_std.len(), dgamma.len(), dbeta.len()];
    d.check(&[dx.len()], &vectors);
    d.check(&[], relu.map(<[T]>::len).as_slice());
    d.check_src(Some(x));
    d.check_src(Some(dy));
    let out = Array::write(dx);
    let (x, dy) = (Array::of(x, out), Array::of(dy, out));
    let of = Arrays { x, dy, y: x, out };
    cpu::backward(isa, d, of, [gamma, mean], cpu::Spread::Inverse(inv_std), relu, [dgamma, dbeta]);
}

/// The gradient of [`infer`], whose statistics are constants: `dx = dy · gamma / √(moving_var + eps)`.
///
/// # Panics
/// If the lengths are not those of the descriptor.
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn infer_backward<T: Float>(
    d: &BatchNorm,
    x: &[T],
    gamma: &[T],
    moving_mean: &[T],
    moving_var: &[T],
    dy: &[T],
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    infer_backward_on(Isa::detect(), d, x, gamma, moving_mean, moving_var, dy, dx, dgamma, dbeta);
}

/// [`infer_backward`] with a chosen instruction set.
///
/// # Panics
/// As [`infer_backward`].
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn infer_backward_on<T: Float>(
    isa: Isa,
    d: &BatchNorm,
    x: &[T],
    gamma: &[T],
    moving_mean: &[T],
    moving_var: &[T],
    dy: &[T],
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    let vectors = [gamma.len(), moving_mean.len(), moving_var.len(), dgamma.len(), dbeta.len()];
    d.check(&[x.len(), dy.len(), dx.len()], &vectors);
    let x = Array::read(x);
    let dy = Array::read(dy);
    let of = Arrays { x, dy, y: x, out: Array::write(dx) };
    let spread = cpu::Spread::Variance(moving_var);
    cpu::backward(isa, d, of, [gamma, moving_mean], spread, None, [dgamma, dbeta]);
}
