//! Vectorised cross entropy: along contiguous classes, or for many samples side by side.

use std::ops::Range;

use crate::cross_entropy::{CrossEntropy, Labels, Target};
use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::map::{MapElement, Ops};
use crate::par;
use crate::share::Shared;
use crate::softmax::{COLUMNS, exp_and_sum, largest, tile};

const BLOCK: usize = 16 * 1024;

/// Number of tasks (rows, or tiles of columns) and how many make a block.
fn partition(d: &CrossEntropy) -> (usize, usize) {
    let (tasks, size) = if d.inner == 1 {
        (d.outer, d.classes)
    } else {
        (d.outer * d.inner.div_ceil(COLUMNS), d.classes * COLUMNS.min(d.inner))
    };
    (tasks, (BLOCK / size.max(1)).max(1))
}

/// Fills `prob` and the losses of samples if asked, and gives the sum of all losses.
pub(crate) fn forward<T: Float + MapElement>(
    isa: Isa,
    d: &CrossEntropy,
    x: &[T],
    labels: Labels<'_>,
    loss: Option<&mut [T]>,
    prob: &mut [T],
) -> f64 {
    let (tasks, grain) = partition(d);
    let prob = &Shared::new(prob);
    let loss = &loss.map(Shared::new);
    let block = |b: usize| {
        let tasks = b * grain..tasks.min((b + 1) * grain);
        level::run(isa, Forward { d, x, labels, loss, prob, tasks })
    };
    par::map_reduce(tasks.div_ceil(grain), block, |a, b| a + b).unwrap_or(0.0)
}

struct Forward<'a, T> {
    d: &'a CrossEntropy,
    x: &'a [T],
    labels: Labels<'a>,
    loss: &'a Option<Shared<'a, T>>,
    prob: &'a Shared<'a, T>,
    tasks: Range<usize>,
}

impl<T: Float + MapElement> Forward<'_, T> {
    /// The loss of one sample from its largest logit, the sum of the exponentials after it, and Σ (x − max) if
    /// smoothing needs it.
    #[inline(always)]
    fn loss(&self, sample: usize, at: usize, max: T, sum: f64, shifted: f64) -> f64 {
        let Some(Target::Class(t)) = self.d.target(&self.labels, sample) else { return 0.0 };
        let (on, off) = self.d.shares();
        let log = sum.ln();
        let own = (self.x[at + t * self.d.inner] - max).to_f64() - log;
        if off == 0.0 {
            return -own;
        }
        let all = shifted - log * self.d.classes as f64;
        -(on * own + off * (all - own))
    }
}

impl<T: Float + MapElement> Body for Forward<'_, T> {
    type Output = f64;

    #[inline(always)]
    fn run<L: Level>(self) -> f64 {
        let d = self.d;
        let smooth = d.shares().1 != 0.0;
        let mut total = 0.0;
        let mut store = |sample: usize, loss: f64| {
            total += loss;
            if let Some(all) = self.loss {
                // SAFETY: every sample belongs to one task.
                let own = unsafe { all.part(sample, 1) };
                own[0] = T::from_f64(loss);
            }
        };
        for task in self.tasks.clone() {
            if d.inner == 1 {
                let at = task * d.classes;
                let x = &self.x[at..at + d.classes];
                // SAFETY: rows are disjoint and each belongs to one task.
                let prob = unsafe { self.prob.part(at, d.classes) };
                prob.copy_from_slice(x);
                let max = largest(x);
                let shifted = if smooth { x.iter().map(|&x| (x - max).to_f64()).sum() } else { 0.0 };
                let sum = exp_and_sum::<L, T>(prob, max);
                let scale = T::from_f64(1.0 / sum);
                for p in prob {
                    *p *= scale;
                }
                store(task, self.loss(task, at, max, sum, shifted));
            } else {
                let (at, width) = tile(d.classes, d.inner, task);
                let mut max = [T::NEG_INFINITY; COLUMNS];
                let mut sum = [0f64; COLUMNS];
                let mut shifted = [0f64; COLUMNS];
                let (max, sum, shifted) = (&mut max[..width], &mut sum[..width], &mut shifted[..width]);
                // SAFETY: columns at..at + width of every class belong to this task alone.
                let row = |c: usize| unsafe { self.prob.part(at + c * d.inner, width) };
                for c in 0..d.classes {
                    for (m, &x) in max.iter_mut().zip(&self.x[at + c * d.inner..][..width]) {
                        *m = if (*m > x) | m.is_nan() { *m } else { x };
                    }
                }
                for c in 0..d.classes {
                    let x = &self.x[at + c * d.inner..][..width];
                    for (((p, &x), &m), s) in row(c).iter_mut().zip(x).zip(max.iter()).zip(sum.iter_mut()) {
                        let e = <T as Ops>::exp::<L>(x - m);
                        *s += e.to_f64();
                        *p = e;
                    }
                    if smooth {
                        for ((s, &x), &m) in shifted.iter_mut().zip(x).zip(max.iter()) {
                            *s += (x - m).to_f64();
                        }
                    }
                }
                for c in 0..d.classes {
                    for (p, &s) in row(c).iter_mut().zip(sum.iter()) {
                        *p *= T::from_f64(1.0 / s);
                    }
                }
                let first = at / (d.classes * d.inner) * d.inner + at % d.inner;
                for j in 0..width {
                    let loss = self.loss(first + j, at + j, max[j], sum[j], shifted[j]);
                    store(first + j, loss);
                }
            }
        }
        total
    }
}

pub(crate) fn backward<T: Float + MapElement>(
    isa: Isa,
    d: &CrossEntropy,
    prob: &[T],
    labels: Labels<'_>,
    dloss: &[T],
    divide: f64,
    dx: &mut [T],
) {
    let (tasks, grain) = partition(d);
    let dx = &Shared::new(dx);
    par::for_each_chunk(tasks, grain, |tasks| {
        level::run(isa, Backward { d, prob, labels, dloss, divide, dx, tasks });
    });
}

struct Backward<'a, T> {
    d: &'a CrossEntropy,
    prob: &'a [T],
    labels: Labels<'a>,
    dloss: &'a [T],
    divide: f64,
    dx: &'a Shared<'a, T>,
    tasks: Range<usize>,
}

impl<T: Float + MapElement> Body for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Backward { d, prob, labels, dloss, divide, dx, tasks } = self;
        let (on, off) = d.shares();
        let (on, off) = (T::from_f64(on), T::from_f64(off));
        // A loss per sample, or one for all.
        let gradient =
            |sample: usize| T::from_f64(dloss[if dloss.len() == 1 { 0 } else { sample }].to_f64() / divide);
        for task in tasks {
            if d.inner == 1 {
                let at = task * d.classes;
                // SAFETY: rows are disjoint and each belongs to one task.
                let dx = unsafe { dx.part(at, d.classes) };
                let Some(Target::Class(t)) = d.target(&labels, task) else {
                    dx.fill(T::ZERO);
                    continue;
                };
                let (g, prob) = (gradient(task), &prob[at..at + d.classes]);
                for (dx, &p) in dx.iter_mut().zip(prob) {
                    *dx = (p - off) * g;
                }
                dx[t] = (prob[t] - on) * g;
            } else {
                let (at, width) = tile(d.classes, d.inner, task);
                let first = at / (d.classes * d.inner) * d.inner + at % d.inner;
                // An ignored sample has no class, and its gradient is 0 whatever `prob` holds.
                let mut class = [usize::MAX; COLUMNS];
                let mut g = [T::ZERO; COLUMNS];
                for j in 0..width {
                    if let Some(Target::Class(t)) = d.target(&labels, first + j) {
                        (class[j], g[j]) = (t, gradient(first + j));
                    }
                }
                for c in 0..d.classes {
                    let start = at + c * d.inner;
                    // SAFETY: columns at..at + width of every class belong to this task alone.
                    let dx = unsafe { dx.part(start, width) };
                    let columns = dx.iter_mut().zip(&prob[start..start + width]).zip(&class).zip(&g);
                    for (((dx, &p), &t), &g) in columns {
                        let d = (p - if c == t { on } else { off }) * g;
                        *dx = if t == usize::MAX { T::ZERO } else { d };
                    }
                }
            }
        }
    }
}
