//! Softmax one element at a time.

use crate::element::Float;
use crate::softmax::Softmax;

/// `f(indices of the classes of one column)` for every column.
fn columns(d: &Softmax, mut f: impl FnMut(&dyn Fn(usize) -> usize)) {
    for o in 0..d.outer {
        for i in 0..d.inner {
            f(&|c| (o * d.classes + c) * d.inner + i);
        }
    }
}

/// `y = softmax(x)`.
pub fn forward<T: Float>(d: &Softmax, x: &[T], y: &mut [T]) {
    columns(d, |at| {
        let larger = |a: T, b: T| if a > b || a.is_nan() { a } else { b };
        let max = (0..d.classes).map(|c| x[at(c)]).fold(T::NEG_INFINITY, larger);
        let sum: f64 = (0..d.classes).map(|c| (x[at(c)] - max).exp().to_f64()).sum();
        for c in 0..d.classes {
            let shifted = x[at(c)] - max;
            y[at(c)] = if d.log {
                shifted - T::from_f64(sum.ln())
            } else {
                T::from_f64(shifted.exp().to_f64() / sum)
            };
        }
    });
}

/// The gradient of the input.
pub fn backward<T: Float>(d: &Softmax, y: &[T], dy: &[T], dx: &mut [T]) {
    columns(d, |at| {
        let weight = |c| if d.log { 1.0 } else { y[at(c)].to_f64() };
        let sum: f64 = (0..d.classes).map(|c| weight(c) * dy[at(c)].to_f64()).sum();
        for c in 0..d.classes {
            dx[at(c)] = if d.log {
                dy[at(c)] - y[at(c)].exp() * T::from_f64(sum)
            } else {
                y[at(c)] * (dy[at(c)] - T::from_f64(sum))
            };
        }
    });
}
