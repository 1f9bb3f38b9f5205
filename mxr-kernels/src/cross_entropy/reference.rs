//! Cross entropy one sample at a time, in `f64`.

use mxr_graph::instr::Reduction;

use crate::cross_entropy::{BadLabel, CrossEntropy, Labels, Target};
use crate::element::Float;

/// `f(sample, target, indices of its classes)` for every sample; the number of samples that count.
fn samples(
    d: &CrossEntropy,
    labels: Labels<'_>,
    mut f: impl FnMut(usize, Target, &dyn Fn(usize) -> usize),
) -> Result<usize, BadLabel> {
    let mut count = 0;
    for position in 0..d.samples() {
        let (o, i) = (position / d.inner, position % d.inner);
        let Some(target) = d.target(&labels, position) else {
            return Err(BadLabel { position, label: labels.value(position), classes: d.classes });
        };
        count += usize::from(matches!(target, Target::Class(_)));
        f(position, target, &|c| (o * d.classes + c) * d.inner + i);
    }
    Ok(count)
}

/// `loss` and `prob`.
///
/// # Errors
/// The first label that is neither a class nor the ignored one.
pub fn forward<T: Float>(
    d: &CrossEntropy,
    logits: &[T],
    labels: Labels<'_>,
    loss: &mut [T],
    prob: &mut [T],
) -> Result<(), BadLabel> {
    let (on, off) = d.shares();
    let mut total = 0.0;
    let count = samples(d, labels, |sample, target, at| {
        let x = |c: usize| logits[at(c)].to_f64();
        let max =
            (0..d.classes).map(x).fold(f64::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b });
        let sum: f64 = (0..d.classes).map(|c| (x(c) - max).exp()).sum();
        let log = |c: usize| x(c) - max - sum.ln();
        let mut own = 0.0;
        for c in 0..d.classes {
            prob[at(c)] = T::from_f64(log(c).exp());
            if let Target::Class(t) = target {
                let share = if c == t { on } else { off };
                own -= if share == 0.0 { 0.0 } else { share * log(c) };
            }
        }
        total += own;
        if d.attrs.reduction == Reduction::None {
            loss[sample] = T::from_f64(own);
        }
    })?;
    match d.attrs.reduction {
        Reduction::None => {}
        Reduction::Sum => loss[0] = T::from_f64(total),
        Reduction::Mean => loss[0] = T::from_f64(total / count.max(1) as f64),
    }
    Ok(())
}

/// The gradient of the logits.
///
/// # Errors
/// The first label that is neither a class nor the ignored one.
pub fn backward<T: Float>(
    d: &CrossEntropy,
    prob: &[T],
    labels: Labels<'_>,
    dloss: &[T],
    dlogits: &mut [T],
) -> Result<(), BadLabel> {
    let (on, off) = d.shares();
    let count = samples(d, labels, |_, _, _| {})?;
    samples(d, labels, |sample, target, at| {
        let g = match d.attrs.reduction {
            Reduction::None => dloss[sample].to_f64(),
            Reduction::Sum => dloss[0].to_f64(),
            Reduction::Mean => dloss[0].to_f64() / count.max(1) as f64,
        };
        for c in 0..d.classes {
            dlogits[at(c)] = match target {
                Target::Ignored => T::ZERO,
                Target::Class(t) => T::from_f64((prob[at(c)].to_f64() - if c == t { on } else { off }) * g),
            };
        }
    })?;
    Ok(())
}
