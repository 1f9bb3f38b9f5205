//! What is measured while a network trains or is tested.

use crate::error::{Error, Result};
use crate::ndarray::NDArray;

/// Collects a figure over batches.
pub trait Metric: Send {
    /// Its name in logs: `accuracy`.
    fn name(&self) -> String;

    /// Take in one batch: what the network predicted, the labels, the loss value, and how many of the samples
    /// count (the last batch may be filled up with repeated ones).
    fn update(&mut self, batch: &Observed<'_>) -> Result<()>;

    /// The figure over everything since [`Metric::reset`]; NaN when there was nothing.
    fn value(&self) -> f64;

    /// Forget everything.
    fn reset(&mut self);

    /// Whether larger is better.
    fn larger_is_better(&self) -> bool {
        true
    }

    /// Whether it looks at the network's losses, which there are in training only.
    fn needs_loss(&self) -> bool {
        false
    }
}

/// One batch as a metric sees it.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// What the losses predict (class probabilities `[n, classes]`, …).
    pub predictions: &'a [NDArray],
    /// The labels, in the order of the network's inputs.
    pub labels: &'a [NDArray],
    /// The network's outputs: its losses.
    pub outputs: &'a [NDArray],
    /// How many samples of the batch count.
    pub samples: usize,
}

impl Observed<'_> {
    fn pair(&self, metric: &str) -> Result<(&NDArray, &NDArray)> {
        match (self.predictions.first(), self.labels.first()) {
            (Some(p), Some(l)) => Ok((p, l)),
            _ => Err(Error::invalid(
                metric,
                "the network gives no prediction, or no label is fed",
                "end the network in a loss such as softmax_cross_entropy(logits, label)",
            )),
        }
    }
}

/// The share of samples whose largest score is the labelled class. Classes are axis 1; further axes are positions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Accuracy {
    right: u64,
    total: u64,
}

impl Metric for Accuracy {
    fn name(&self) -> String {
        "accuracy".into()
    }

    fn update(&mut self, batch: &Observed<'_>) -> Result<()> {
        let (scores, label) = batch.pair("accuracy")?;
        each_position(scores, label, batch.samples, |row, class| {
            self.total += 1;
            self.right += u64::from(argmax(row.clone()) == class);
        })
    }

    fn value(&self) -> f64 {
        self.right as f64 / self.total as f64
    }

    fn reset(&mut self) {
        *self = Accuracy::default();
    }
}

/// The share of samples whose labelled class is among the `k` largest scores.
#[derive(Clone, Copy, Debug)]
pub struct TopK {
    k: usize,
    right: u64,
    total: u64,
}

impl TopK {
    /// Among the `k` largest.
    pub fn new(k: usize) -> TopK {
        TopK { k, right: 0, total: 0 }
    }
}

impl Metric for TopK {
    fn name(&self) -> String {
        format!("top_{}_accuracy", self.k)
    }

    fn update(&mut self, batch: &Observed<'_>) -> Result<()> {
        let (scores, label) = batch.pair("top-k accuracy")?;
        let k = self.k;
        each_position(scores, label, batch.samples, |row, class| {
            self.total += 1;
            let Some(own) = usize::try_from(class).ok().and_then(|c| row.clone().nth(c)) else { return };
            // Equal scores of earlier classes come first, so that a constant score is no hit for everyone.
            let before =
                row.enumerate().filter(|(i, s)| *s > own || (*s == own && (*i as i64) < class)).count();
            self.right += u64::from(before < k && !own.is_nan());
        })
    }

    fn value(&self) -> f64 {
        self.right as f64 / self.total as f64
    }

    fn reset(&mut self) {
        *self = TopK::new(self.k);
    }
}

/// The mean of the network's first output over the samples: the loss.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loss {
    sum: f64,
    samples: f64,
}

impl Metric for Loss {
    fn name(&self) -> String {
        "loss".into()
    }

    fn update(&mut self, batch: &Observed<'_>) -> Result<()> {
        let Some(loss) = batch.outputs.first() else {
            return Err(Error::invalid("loss", "the network returns nothing", "return its loss"));
        };
        let mean = loss.with_f32(|v| v.iter().map(|x| f64::from(*x)).sum::<f64>() / v.len() as f64)?;
        self.sum += mean * batch.samples as f64;
        self.samples += batch.samples as f64;
        Ok(())
    }

    fn value(&self) -> f64 {
        self.sum / self.samples
    }

    fn reset(&mut self) {
        *self = Loss::default();
    }

    fn larger_is_better(&self) -> bool {
        false
    }

    fn needs_loss(&self) -> bool {
        true
    }
}

/// The mean of `−log p` over the samples, where `p` is what the network gives the labelled class. Other than [`Loss`] it
/// looks at predictions, so it can be measured on data that the network does not learn.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossEntropy {
    sum: f64,
    total: u64,
}

impl Metric for CrossEntropy {
    fn name(&self) -> String {
        "cross_entropy".into()
    }

    fn update(&mut self, batch: &Observed<'_>) -> Result<()> {
        let (scores, label) = batch.pair("cross entropy")?;
        each_position(scores, label, batch.samples, |mut row, class| {
            self.total += 1;
            let p = usize::try_from(class).ok().and_then(|c| row.nth(c)).unwrap_or(f32::NAN);
            // The smallest normal number bounds what a class that was ruled out costs.
            self.sum -= f64::from(if p < f32::MIN_POSITIVE { f32::MIN_POSITIVE } else { p }).ln();
        })
    }

    fn value(&self) -> f64 {
        self.sum / self.total as f64
    }

    fn reset(&mut self) {
        *self = CrossEntropy::default();
    }

    fn larger_is_better(&self) -> bool {
        false
    }
}

/// How often each class was taken for each other: rows are labels, columns predictions.
#[derive(Clone, Debug)]
pub struct Confusion {
    classes: usize,
    counts: Vec<u64>,
}

impl Confusion {
    /// For this many classes.
    pub fn new(classes: usize) -> Confusion {
        Confusion { classes, counts: vec![0; classes * classes] }
    }

    /// How often `label` was taken for `predicted`.
    pub fn count(&self, label: usize, predicted: usize) -> u64 {
        self.counts[label * self.classes + predicted]
    }
}

impl Metric for Confusion {
    fn name(&self) -> String {
        "confusion".into()
    }

    fn update(&mut self, batch: &Observed<'_>) -> Result<()> {
        let (scores, label) = batch.pair("confusion")?;
        let classes = self.classes;
        let mut outside = None;
        each_position(scores, label, batch.samples, |row, class| {
            let predicted = argmax(row);
            match (usize::try_from(class), usize::try_from(predicted)) {
                (Ok(l), Ok(p)) if l < classes && p < classes => self.counts[l * classes + p] += 1,
                _ => outside = Some(class.max(predicted)),
            }
        })?;
        match outside {
            None => Ok(()),
            Some(c) => Err(Error::invalid(
                "confusion",
                format!("class {c} is not below {classes}"),
                "count all classes",
            )),
        }
    }

    /// The share on the diagonal.
    fn value(&self) -> f64 {
        let right: u64 = (0..self.classes).map(|c| self.count(c, c)).sum();
        right as f64 / self.counts.iter().sum::<u64>() as f64
    }

    fn reset(&mut self) {
        self.counts.fill(0);
    }
}

impl std::fmt::Display for Confusion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = self.counts.iter().max().map_or(1, |m| m.to_string().len()).max(2) + 1;
        write!(f, "label \\ predicted")?;
        for c in 0..self.classes {
            write!(f, "{c:>width$}")?;
        }
        for l in 0..self.classes {
            write!(f, "\n{l:>17}")?;
            for p in 0..self.classes {
                match self.count(l, p) {
                    0 => write!(f, "{:>width$}", ".")?,
                    n => write!(f, "{n:>width$}")?,
                }
            }
        }
        Ok(())
    }
}

/// The place of the largest score; the first of equal ones, −1 when one is NaN or there is none.
fn argmax(row: impl Iterator<Item = f32>) -> i64 {
    let mut best = (-1, f32::NEG_INFINITY);
    for (i, s) in row.enumerate() {
        if s.is_nan() {
            return -1;
        }
        if s > best.1 || best.0 < 0 {
            best = (i as i64, s);
        }
    }
    best.0
}

/// For every sample and position: its scores over the classes, and its label.
fn each_position(
    scores: &NDArray,
    label: &NDArray,
    samples: usize,
    mut f: impl FnMut(std::iter::StepBy<std::iter::Copied<std::slice::Iter<'_, f32>>>, i64),
) -> Result<()> {
    let shape = scores.shape().to_vec();
    let (n, classes) = match shape[..] {
        [n, c, ..] if c > 0 => (n, c),
        _ => {
            return Err(Error::invalid(
                "metric",
                format!("scores of shape {shape:?}"),
                "scores are [n, classes, ..]",
            ));
        }
    };
    let inner: usize = shape[2..].iter().product();
    if label.len() != n * inner {
        return Err(Error::invalid(
            "metric",
            format!("{} labels for scores of shape {shape:?}", label.len()),
            "there is one label per sample (and position)",
        ));
    }
    let labels = label.to_i64_vec()?;
    scores.with_f32(|s| {
        for i in 0..samples.min(n) {
            for p in 0..inner {
                let at = i * classes * inner + p;
                let row = s[at..(i + 1) * classes * inner].iter().copied().step_by(inner);
                f(row, labels[i * inner + p]);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(metric: &mut dyn Metric, scores: &[f32], shape: &[usize], labels: &[i64]) {
        let p = [NDArray::from_slice(scores, shape).expect("shape fits")];
        let l = [NDArray::from_slice(labels, &[labels.len()]).expect("shape fits")];
        metric
            .update(&Observed { predictions: &p, labels: &l, outputs: &p, samples: shape[0] })
            .expect("fits");
    }

    #[test]
    fn accuracy_counts_the_largest_score() {
        let mut m = Accuracy::default();
        observe(&mut m, &[0.1, 0.9, 0.8, 0.2, 0.5, 0.5], &[3, 2], &[1, 0, 1]);
        assert!((m.value() - 2.0 / 3.0).abs() < 1e-12);
        m.reset();
        observe(&mut m, &[f32::NAN, 1.0], &[1, 2], &[1]);
        assert_eq!(m.value(), 0.0);
    }

    #[test]
    fn top_k_and_confusion() {
        let scores = [0.5, 0.3, 0.2, 0.1, 0.2, 0.7];
        let mut m = TopK::new(2);
        observe(&mut m, &scores, &[2, 3], &[1, 0]);
        assert_eq!(m.value(), 0.5);
        let mut c = Confusion::new(3);
        observe(&mut c, &scores, &[2, 3], &[1, 2]);
        assert_eq!((c.count(1, 0), c.count(2, 2), c.value()), (1, 1, 0.5));
    }

    #[test]
    fn cross_entropy_is_the_mean_negative_logarithm() {
        let mut m = CrossEntropy::default();
        observe(&mut m, &[0.5, 0.5, 1.0, 0.0], &[2, 2], &[1, 0]);
        assert!((m.value() - 0.5f64.ln().abs() / 2.0).abs() < 1e-12);
        m.reset();
        observe(&mut m, &[0.0, 1.0], &[1, 2], &[0]);
        assert!(m.value().is_finite() && m.value() > 80.0);
        m.reset();
        observe(&mut m, &[f32::NAN, 1.0], &[1, 2], &[0]);
        assert!(m.value().is_nan());
    }

    #[test]
    fn positions_are_rows_of_axis_one() {
        let mut m = Accuracy::default();
        // [1, 2, 2]: class 0 wins at position 0, class 1 at position 1.
        observe(&mut m, &[0.9, 0.1, 0.1, 0.9], &[1, 2, 2], &[0, 1]);
        assert_eq!(m.value(), 1.0);
    }

    #[test]
    fn wrong_label_counts_are_refused() {
        let p = [NDArray::from_slice(&[0.0f32; 4], &[2, 2]).expect("fits")];
        let l = [NDArray::from_slice(&[0i64; 3], &[3]).expect("fits")];
        let batch = Observed { predictions: &p, labels: &l, outputs: &p, samples: 2 };
        assert!(Accuracy::default().update(&batch).is_err());
    }
}
