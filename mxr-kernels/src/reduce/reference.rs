//! Reductions one element at a time.

use mxr_graph::instr::ReduceKind;

use crate::element::Float;
use crate::reduce::Reduce;

/// `y = combine(x)`, in `f64`, in the order of the elements.
pub fn reduce<T: Float>(d: &Reduce, x: &[T], y: &mut [T]) {
    for (o, y) in y.iter_mut().enumerate() {
        let base = d.kept.offset(o);
        let elements = (0..d.gone.len()).map(|i| x[base + d.gone.offset(i)].to_f64());
        let larger = |a: f64, b: f64| if a.is_nan() || a > b { a } else { b };
        *y = T::from_f64(match d.kind {
            ReduceKind::Sum => elements.sum(),
            ReduceKind::Mean => elements.sum::<f64>() / d.gone.len() as f64,
            ReduceKind::Max => elements.fold(f64::NEG_INFINITY, larger),
            ReduceKind::Min => -elements.map(|v| -v).fold(f64::NEG_INFINITY, larger),
        });
    }
}
