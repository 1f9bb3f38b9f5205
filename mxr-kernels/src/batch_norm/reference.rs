//! Batch normalisation one element at a time, in two passes and in `f64`.

use crate::batch_norm::BatchNorm;
use crate::element::Float;

/// The indices of the elements of a channel.
fn channel(d: &BatchNorm, c: usize) -> impl Iterator<Item = usize> + '_ {
    (0..d.outer).flat_map(move |o| (0..d.inner).map(move |i| (o * d.channels + c) * d.inner + i))
}

/// What follows the normalisation of element `i`: the residual is added, negative results become 0.
fn follow<T: Float>(d: &BatchNorm, residual: Option<&[T]>, i: usize, y: f64) -> T {
    let y = T::from_f64(residual.map_or(y, |r| y + r[i].to_f64()));
    if d.relu && y < T::ZERO { T::ZERO } else { y }
}

/// Training.
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn train<T: Float>(
    d: &BatchNorm,
    x: &[T],
    gamma: &[T],
    beta: &[T],
    residual: Option<&[T]>,
    moving_mean: &mut [T],
    moving_var: &mut [T],
    y: &mut [T],
    mean: &mut [T],
    inv_std: &mut [T],
) {
    let n = (d.outer * d.inner).max(1) as f64;
    for c in 0..d.channels {
        let m = channel(d, c).map(|i| x[i].to_f64()).sum::<f64>() / n;
        let var = channel(d, c).map(|i| (x[i].to_f64() - m).powi(2)).sum::<f64>() / n;
        let inv = d.inv_std(var);
        mean[c] = T::from_f64(m);
        inv_std[c] = T::from_f64(inv);
        for i in channel(d, c) {
            let normal = (x[i].to_f64() - mean[c].to_f64()) * inv_std[c].to_f64();
            let normal = normal * d.gamma(gamma, c).to_f64() + beta[c].to_f64();
            y[i] = follow(d, residual, i, normal);
        }
        moving_mean[c] = T::from_f64(d.moved(moving_mean[c].to_f64(), m));
        moving_var[c] = T::from_f64(d.moved(moving_var[c].to_f64(), var));
    }
}

/// Inference.
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn infer<T: Float>(
    d: &BatchNorm,
    x: &[T],
    gamma: &[T],
    beta: &[T],
    moving_mean: &[T],
    moving_var: &[T],
    residual: Option<&[T]>,
    y: &mut [T],
) {
    for c in 0..d.channels {
        let inv = d.inv_std(moving_var[c].to_f64());
        for i in channel(d, c) {
            let normal = (x[i].to_f64() - moving_mean[c].to_f64()) * inv;
            let normal = normal * d.gamma(gamma, c).to_f64() + beta[c].to_f64();
            y[i] = follow(d, residual, i, normal);
        }
    }
}

/// The gradient of training, or with `constant` statistics of inference; `inv_std` is 1/√(var + eps) in both.
#[allow(clippy::too_many_arguments)] // the operands of the instruction
pub fn backward<T: Float>(
    d: &BatchNorm,
    x: &[T],
    gamma: &[T],
    mean: &[T],
    inv_std: &[f64],
    constant: bool,
    dy: &[T],
    dx: &mut [T],
    dgamma: &mut [T],
    dbeta: &mut [T],
) {
    let n = (d.outer * d.inner).max(1) as f64;
    for c in 0..d.channels {
        let normal = |i: usize| (x[i].to_f64() - mean[c].to_f64()) * inv_std[c];
        let sum: f64 = channel(d, c).map(|i| dy[i].to_f64()).sum();
        let dot: f64 = channel(d, c).map(|i| dy[i].to_f64() * normal(i)).sum();
        for i in channel(d, c) {
            let own = if constant { dy[i].to_f64() } else { dy[i].to_f64() - sum / n - normal(i) * dot / n };
            dx[i] = T::from_f64(d.gamma(gamma, c).to_f64() * inv_std[c] * own);
        }
        dgamma[c] = if d.attrs.fix_gamma { T::ZERO } else { T::from_f64(dot) };
        dbeta[c] = T::from_f64(sum);
    }
}
