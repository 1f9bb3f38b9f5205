//! Learning-rate schedules: the rate as a function of the update's number.

use std::f64::consts::PI;
use std::fmt::Debug;

/// The learning rate of update number `t`, counted from 0. A pure function, so that a resumed run continues
/// exactly where the stopped one was.
pub trait Schedule: Debug + Send + Sync {
    /// The factor on the base learning rate at update `t`.
    fn factor(&self, t: u64) -> f64;
}

/// Always the base rate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Constant;

impl Schedule for Constant {
    fn factor(&self, _: u64) -> f64 {
        1.0
    }
}

/// Multiply by `factor` after every `every` updates, or after each of the listed ones.
///
/// ```
/// use mxr::schedule::{Schedule, Step};
/// let s = Step::every(100, 0.1);
/// assert_eq!((s.factor(99), s.factor(100)), (1.0, 0.1));
/// let s = Step::at([10, 20], 0.5);
/// assert_eq!((s.factor(9), s.factor(10), s.factor(20)), (1.0, 0.5, 0.25));
/// ```
#[derive(Clone, Debug)]
pub struct Step {
    at: Vec<u64>,
    every: Option<u64>,
    factor: f64,
}

impl Step {
    /// After every `every` updates; 0 means never.
    pub fn every(every: u64, factor: f64) -> Step {
        Step { at: Vec::new(), every: (every > 0).then_some(every), factor }
    }

    /// After each of these updates.
    pub fn at(updates: impl Into<Vec<u64>>, factor: f64) -> Step {
        Step { at: updates.into(), every: None, factor }
    }
}

impl Schedule for Step {
    fn factor(&self, t: u64) -> f64 {
        let steps = match self.every {
            Some(n) => t / n,
            None => self.at.iter().filter(|a| t >= **a).count() as u64,
        };
        self.factor.powi(i32::try_from(steps).unwrap_or(i32::MAX))
    }
}

/// From the base rate down to `last` (a fraction of it) along half a cosine over `updates` updates, after a linear warm-up
/// (Loshchilov and Hutter, SGDR, without restarts).
///
/// ```
/// use mxr::schedule::{Cosine, Schedule};
/// let s = Cosine::new(100).warmup(10);
/// assert_eq!(s.factor(4), 0.5);
/// assert_eq!(s.factor(10), 1.0);
/// assert!((s.factor(55) - 0.5).abs() < 1e-12);
/// assert_eq!(s.factor(1_000), 0.0);
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Cosine {
    updates: u64,
    warmup: u64,
    last: f64,
}

impl Cosine {
    /// Down to 0 over this many updates, warm-up included.
    pub fn new(updates: u64) -> Cosine {
        Cosine { updates, warmup: 0, last: 0.0 }
    }

    /// Rise linearly during the first updates.
    pub fn warmup(mut self, updates: u64) -> Cosine {
        self.warmup = updates;
        self
    }

    /// End at this fraction of the base rate.
    pub fn down_to(mut self, fraction: f64) -> Cosine {
        self.last = fraction;
        self
    }
}

impl Schedule for Cosine {
    fn factor(&self, t: u64) -> f64 {
        if t < self.warmup {
            return (t + 1) as f64 / self.warmup as f64;
        }
        if t >= self.updates {
            return self.last;
        }
        let part = (t - self.warmup) as f64 / (self.updates - self.warmup) as f64;
        self.last + (1.0 - self.last) * 0.5 * (1.0 + (PI * part).cos())
    }
}
