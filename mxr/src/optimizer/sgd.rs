//! Stochastic gradient descent.

use super::{Optimizer, UpdateAt};
use crate::schedule::{Constant, Schedule};
use mxr_kernels::optimizer::{self, Common};
use std::sync::Arc;

/// Stochastic gradient descent with momentum and weight decay, by MXNet's formulas: `g = clip(rescale · grad)`; without momentum
/// `w −= lr (g + wd · w)`; with momentum `m = μ m − lr (g + wd · w)`, `w += m`.
///
/// ```
/// use mxr::{optimizer::Sgd, schedule::Step};
/// let sgd = Sgd::new(0.1).momentum(0.9).weight_decay(1e-4).schedule(Step::every(1000, 0.1));
/// ```
#[derive(Clone, Debug)]
pub struct Sgd {
    lr: f64,
    momentum: f64,
    wd: f64,
    rescale: f64,
    clip: Option<f64>,
    schedule: Arc<dyn Schedule>,
}

impl Sgd {
    /// With this learning rate, no momentum, no decay.
    pub fn new(learning_rate: f64) -> Sgd {
        Sgd {
            lr: learning_rate,
            momentum: 0.0,
            wd: 0.0,
            rescale: 1.0,
            clip: None,
            schedule: Arc::new(Constant),
        }
    }

    /// How much of the last step is taken again, 0 by default; 0.9 is usual.
    pub fn momentum(mut self, momentum: f64) -> Sgd {
        self.momentum = momentum;
        self
    }

    /// The decay of weights and gammas, 0 by default.
    pub fn weight_decay(mut self, wd: f64) -> Sgd {
        self.wd = wd;
        self
    }

    /// A factor on the gradient, 1 by default: 1 / batch for summed losses.
    pub fn rescale(mut self, factor: f64) -> Sgd {
        self.rescale = factor;
        self
    }

    /// Bound every element of the gradient to this magnitude.
    pub fn clip_gradient(mut self, bound: f64) -> Sgd {
        self.clip = Some(bound);
        self
    }

    /// How the learning rate changes, constant by default.
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Sgd {
        self.schedule = Arc::new(schedule);
        self
    }
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn states(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn learning_rate(&self, t: u64) -> f64 {
        self.lr * self.schedule.factor(t)
    }

    fn update(&self, at: &UpdateAt, weight: &mut [f32], grad: &[f32], states: &mut [&mut [f32]]) {
        let common = Common {
            lr: self.learning_rate(at.t) * at.lr_mult,
            wd: self.wd * at.wd_mult,
            rescale: self.rescale,
            clip: self.clip,
        };
        match states {
            [m] => optimizer::sgd_momentum(&common, self.momentum, grad, weight, m),
            _ => optimizer::sgd(&common, grad, weight),
        }
    }
}
