//! Gradients of operators held against finite differences.

use super::Operator;
use crate::error::{Error, Result};
use crate::ndarray::{NDArray, gradients};
use mxr_graph::dtype::DType;
use std::sync::Arc;

/// Hold the gradient of an operator against central differences of its forward pass at these inputs, for tests of operators. Every
/// element of every f32 and f64 input is moved; keep arrays small, and away from places where the function has no derivative.
///
/// The differences of f32 arrays are wide, so agreement is to 2 % of the largest derivative; those of f64 to 10⁻⁵ of it.
///
/// # Errors
///
/// The first element that differs; and what the operator itself says.
#[track_caller]
pub fn check_gradients(op: impl Operator, inputs: &[&NDArray]) -> Result<()> {
    let op: Arc<dyn Operator> = Arc::new(op);
    let outputs = NDArray::custom(op.clone(), inputs)?;
    // Any weights will do that are not alike: loss = Σ w · y.
    let weights: Vec<Option<Vec<f64>>> = outputs
        .iter()
        .map(|y| {
            let all = (0..y.len()).map(|i| ((i * 7 + 3) % 11) as f64 / 11.0 - 0.4);
            y.dtype().is_float().then(|| all.collect())
        })
        .collect();
    let mut heads = Vec::with_capacity(outputs.len());
    for (y, w) in outputs.iter().zip(&weights) {
        heads.push(match w {
            Some(w) => array(w, y.shape(), y.dtype())?,
            None => NDArray::zeros_on(y.device(), y.shape(), y.dtype())?,
        });
    }
    let given = gradients(op.clone(), inputs, &heads.iter().collect::<Vec<_>>())?;
    let loss = |inputs: &[&NDArray]| -> Result<f64> {
        let mut sum = 0.0;
        for (y, w) in NDArray::custom(op.clone(), inputs)?.iter().zip(&weights) {
            if let Some(w) = w {
                sum += y.cast("f64")?.to_vec::<f64>()?.iter().zip(w).map(|(y, w)| y * w).sum::<f64>();
            }
        }
        Ok(sum)
    };
    for (i, (x, given)) in inputs.iter().zip(&given).enumerate() {
        let Some(given) = given.as_ref().filter(|_| matches!(x.dtype(), DType::F32 | DType::F64)) else {
            continue;
        };
        let (step, tolerance) = if x.dtype() == DType::F32 { (1e-2, 2e-2) } else { (1e-5, 1e-5) };
        let at = x.cast("f64")?.to_vec::<f64>()?;
        let given = given.cast("f64")?.to_vec::<f64>()?;
        let mut numeric = Vec::with_capacity(at.len());
        for n in 0..at.len() {
            let h = step * at[n].abs().max(1.0);
            let moved = |by: f64| -> Result<f64> {
                let mut all = at.clone();
                all[n] += by;
                let moved = array(&all, x.shape(), x.dtype())?;
                let mut inputs = inputs.to_vec();
                inputs[i] = &moved;
                loss(&inputs)
            };
            numeric.push((moved(h)? - moved(-h)?) / (2.0 * h));
        }
        let largest = numeric.iter().fold(1e-3_f64, |m, d| m.max(d.abs()));
        // A NaN differs from everything.
        let differs = |(g, d): (&f64, &f64)| {
            let gap = (g - d).abs();
            gap.is_nan() || gap > tolerance * largest
        };
        if let Some(n) = given.iter().zip(&numeric).position(differs) {
            return Err(Error::invalid(
                op.name(),
                format!(
                    "the gradient of input {i} is {} at element {n}, finite differences say {}",
                    given[n], numeric[n]
                ),
                "`backward` does not differentiate `forward`, or the input lies where there is no derivative",
            ));
        }
    }
    Ok(())
}

fn array(values: &[f64], shape: &[usize], dtype: DType) -> Result<NDArray> {
    NDArray::from_slice(values, shape)?.cast(dtype.name())
}
