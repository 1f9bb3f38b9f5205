//! Repetition one element at a time.

use mxr_graph::instr::Axes;

use crate::element::Float;

/// `y = x` repeated along `axes` of `shape`.
pub fn expand<T: Float>(shape: &[usize], axes: Axes, mean: bool, x: &[T], y: &mut [T]) {
    let repetitions: usize = (0..shape.len()).filter(|&d| axes.has(d)).map(|d| shape[d]).product();
    for (at, y) in y.iter_mut().enumerate() {
        let (mut rest, mut offset, mut inner) = (at, 0, 1);
        for d in (0..shape.len()).rev() {
            if !axes.has(d) {
                offset += rest % shape[d] * inner;
                inner *= shape[d];
            }
            rest /= shape[d];
        }
        *y = if mean { x[offset] / T::from_f64(repetitions as f64) } else { x[offset] };
    }
}
