//! Softmax cross entropy with integer labels.
//!
//! `prob = softmax(logits)` and per sample `loss = −Σ_c q_c · ln prob_c`, computed from the logits without ever taking the logarithm
//! of a small probability; `q` is 1 − smoothing at the label and shares smoothing evenly among the other classes. A sample whose
//! label is the ignored one has loss 0 and gradient 0; the mean over no sample at all is 0.

mod cpu;
pub mod reference;
#[cfg(test)]
mod tests;

use std::fmt;

use mxr_graph::instr::{CrossEntropyAttrs, Reduction};

use crate::element::Float;
use crate::isa::Isa;
use crate::map::MapElement;
use crate::par;

/// Cross entropy over the middle axis of logits `[outer, classes, inner]` with labels `[outer, inner]`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CrossEntropy {
    /// Product of the extents before the axis of the classes.
    pub outer: usize,
    /// Number of classes.
    pub classes: usize,
    /// Product of the extents after the axis.
    pub inner: usize,
    /// Ignored label, smoothing and reduction (the axis is what the three extents say).
    pub attrs: CrossEntropyAttrs,
}

/// Class indices of any element type.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // the element types
pub enum Labels<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    I32(&'a [i32]),
    I64(&'a [i64]),
    U8(&'a [u8]),
}

impl Labels<'_> {
    /// Number of labels.
    pub fn len(&self) -> usize {
        match self {
            Labels::F32(l) => l.len(),
            Labels::F64(l) => l.len(),
            Labels::I32(l) => l.len(),
            Labels::I64(l) => l.len(),
            Labels::U8(l) => l.len(),
        }
    }

    /// Whether there is no label.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn value(&self, i: usize) -> f64 {
        match self {
            Labels::F32(l) => f64::from(l[i]),
            Labels::F64(l) => l[i],
            Labels::I32(l) => f64::from(l[i]),
            Labels::I64(l) => l[i] as f64,
            Labels::U8(l) => f64::from(l[i]),
        }
    }

    /// The label as an integer, if it is one.
    fn integer(&self, i: usize) -> Option<i64> {
        let whole = |v: f64| (v.floor() == v && v.abs() < 9e18).then_some(v as i64);
        match self {
            Labels::F32(l) => whole(f64::from(l[i])),
            Labels::F64(l) => whole(l[i]),
            Labels::I32(l) => Some(i64::from(l[i])),
            Labels::I64(l) => Some(l[i]),
            Labels::U8(l) => Some(i64::from(l[i])),
        }
    }
}

/// A label that names no class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BadLabel {
    /// Its place in the array of labels.
    pub position: usize,
    /// The label.
    pub label: f64,
    /// Number of classes.
    pub classes: usize,
}

impl fmt::Display for BadLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadLabel { position, label, classes } = self;
        write!(
            f,
            "label {label} at position {position} is no class: the {classes} classes are numbered from 0"
        )
    }
}

impl std::error::Error for BadLabel {}

/// What a valid label says.
#[derive(Clone, Copy)]
enum Target {
    Class(usize),
    Ignored,
}

impl CrossEntropy {
    /// Elements of the logits.
    pub fn elements(&self) -> usize {
        self.samples() * self.classes
    }

    /// Number of labels.
    pub fn samples(&self) -> usize {
        self.outer * self.inner
    }

    /// Elements of the loss.
    pub fn losses(&self) -> usize {
        if self.attrs.reduction == Reduction::None { self.samples() } else { 1 }
    }

    fn target(&self, labels: &Labels<'_>, i: usize) -> Option<Target> {
        let label = labels.integer(i)?;
        if self.attrs.ignore == Some(label) {
            return Some(Target::Ignored);
        }
        usize::try_from(label).ok().filter(|&c| c < self.classes).map(Target::Class)
    }

    /// The number of samples that count, after a look at every label.
    fn count(&self, labels: &Labels<'_>) -> Result<usize, BadLabel> {
        const BLOCK: usize = 64 * 1024;
        let samples = self.samples();
        let block = |b: usize| {
            let mut count = 0;
            for i in b * BLOCK..samples.min((b + 1) * BLOCK) {
                match self.target(labels, i) {
                    Some(Target::Class(_)) => count += 1,
                    Some(Target::Ignored) => {}
                    None => {
                        let label = labels.value(i);
                        return Err(BadLabel { position: i, label, classes: self.classes });
                    }
                }
            }
            Ok(count)
        };
        par::map_reduce(samples.div_ceil(BLOCK), block, |a, b| Ok(a? + b?)).unwrap_or(Ok(0))
    }

    /// The target's share and every other class's share of the distribution that is learnt.
    fn shares(&self) -> (f64, f64) {
        let smoothing = f64::from(self.attrs.smoothing);
        if self.classes < 2 { (1.0, 0.0) } else { (1.0 - smoothing, smoothing / (self.classes - 1) as f64) }
    }
}

/// `loss` and `prob` from logits and labels.
///
/// ```
/// use mxr_graph::instr::{CrossEntropyAttrs, Reduction};
/// use mxr_kernels::cross_entropy::{CrossEntropy, Labels, forward};
///
/// let attrs = CrossEntropyAttrs { axis: 1, ignore: None, smoothing: 0.0, reduction: Reduction::Mean };
/// let d = CrossEntropy { outer: 1, classes: 2, inner: 1, attrs };
/// let (mut loss, mut prob) = ([0f32], [0f32; 2]);
/// forward(&d, &[0., 0.], Labels::I64(&[1]), &mut loss, &mut prob).unwrap();
/// assert!((loss[0] - 2f32.ln()).abs() < 1e-6);
///
/// let wrong = forward(&d, &[0., 0.], Labels::I64(&[2]), &mut loss, &mut prob).unwrap_err();
/// assert_eq!(wrong.to_string(), "label 2 at position 0 is no class: the 2 classes are numbered from 0");
/// ```
///
/// # Errors
/// The first label that is neither a class nor the ignored one; nothing is written then.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn forward<T: Float + MapElement>(
    d: &CrossEntropy,
    logits: &[T],
    labels: Labels<'_>,
    loss: &mut [T],
    prob: &mut [T],
) -> Result<(), BadLabel> {
    forward_on(Isa::detect(), d, logits, labels, loss, prob)
}

/// [`forward`] with a chosen instruction set.
///
/// # Errors
/// As [`forward`].
///
/// # Panics
/// As [`forward`].
pub fn forward_on<T: Float + MapElement>(
    isa: Isa,
    d: &CrossEntropy,
    logits: &[T],
    labels: Labels<'_>,
    loss: &mut [T],
    prob: &mut [T],
) -> Result<(), BadLabel> {
    assert_eq!(logits.len(), d.elements(), "length of the logits of a cross entropy");
    assert_eq!(prob.len(), d.elements(), "length of the probabilities of a cross entropy");
    assert_eq!(labels.len(), d.samples(), "number of labels of a cross entropy");
    assert_eq!(loss.len(), d.losses(), "length of the loss of a cross entropy");
    let count = d.count(&labels)?;
    let each = d.attrs.reduction == Reduction::None;
    let total = cpu::forward(isa, d, logits, labels, if each { Some(&mut *loss) } else { None }, prob);
    match d.attrs.reduction {
        Reduction::None => {}
        Reduction::Sum => loss[0] = T::from_f64(total),
        Reduction::Mean => loss[0] = T::from_f64(total / count.max(1) as f64),
    }
    Ok(())
}

/// The gradient of the logits: `(prob − q) · dloss`, divided by the number of samples that count for a mean.
///
/// # Errors
/// As [`forward`].
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn backward<T: Float + MapElement>(
    d: &CrossEntropy,
    prob: &[T],
    labels: Labels<'_>,
    dloss: &[T],
    dlogits: &mut [T],
) -> Result<(), BadLabel> {
    backward_on(Isa::detect(), d, prob, labels, dloss, dlogits)
}

/// [`backward`] with a chosen instruction set.
///
/// # Errors
/// As [`forward`].
///
/// # Panics
/// As [`backward`].
pub fn backward_on<T: Float + MapElement>(
    isa: Isa,
    d: &CrossEntropy,
    prob: &[T],
    labels: Labels<'_>,
    dloss: &[T],
    dlogits: &mut [T],
) -> Result<(), BadLabel> {
    assert_eq!(prob.len(), d.elements(), "length of the probabilities of a cross entropy");
    assert_eq!(dlogits.len(), d.elements(), "length of the logits' gradient of a cross entropy");
    assert_eq!(labels.len(), d.samples(), "number of labels of a cross entropy");
    assert_eq!(dloss.len(), d.losses(), "length of the loss's gradient of a cross entropy");
    let count = d.count(&labels)?;
    let divide = if d.attrs.reduction == Reduction::Mean { count.max(1) as f64 } else { 1.0 };
    cpu::backward(isa, d, prob, labels, dloss, divide, dlogits);
    Ok(())
}
