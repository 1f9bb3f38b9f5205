//! Updates one element at a time, computed in `f64` and rounded once.

use crate::element::Float;
use crate::optimizer::{Adam, Common};

fn clipped(c: &Common, grad: f64) -> f64 {
    let g = grad * c.rescale;
    // NaN must stay: a comparison with it is false.
    match c.clip {
        Some(limit) if g > limit => limit,
        Some(limit) if g < -limit => -limit,
        _ => g,
    }
}

/// Gradient descent.
pub fn sgd<T: Float>(c: &Common, grad: &[T], w: &mut [T]) {
    for (w, g) in w.iter_mut().zip(grad) {
        let x = w.to_f64();
        *w = T::from_f64(x - c.lr * (clipped(c, g.to_f64()) + c.wd * x));
    }
}

/// Gradient descent with momentum.
pub fn sgd_momentum<T: Float>(c: &Common, momentum: f64, grad: &[T], w: &mut [T], m: &mut [T]) {
    for ((w, m), g) in w.iter_mut().zip(m).zip(grad) {
        let x = w.to_f64();
        let next = momentum * m.to_f64() - c.lr * (clipped(c, g.to_f64()) + c.wd * x);
        *m = T::from_f64(next);
        *w = T::from_f64(x + next);
    }
}

/// Adam.
pub fn adam<T: Float>(c: &Common, a: &Adam, grad: &[T], w: &mut [T], m: &mut [T], v: &mut [T]) {
    for (((w, m), v), g) in w.iter_mut().zip(m).zip(v).zip(grad) {
        let x = w.to_f64();
        let g = clipped(c, g.to_f64()) + c.wd * x;
        let mean = a.beta1 * m.to_f64() + (1.0 - a.beta1) * g;
        let square = a.beta2 * v.to_f64() + (1.0 - a.beta2) * g * g;
        (*m, *v) = (T::from_f64(mean), T::from_f64(square));
        *w = T::from_f64(x - c.lr * mean / (square.sqrt() + a.epsilon));
    }
}
