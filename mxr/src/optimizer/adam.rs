//! Adam.

use super::{Optimizer, UpdateAt};
use crate::schedule::{Constant, Schedule};
use mxr_kernels::optimizer::{self, Common};
use std::sync::Arc;

/// Adam (Kingma and Ba, 2014): `m = β₁ m + (1 − β₁) g`, `v = β₂ v + (1 − β₂) g²`, `w −= lr' m / (√v + ε)` with
/// `lr' = lr √(1 − β₂ᵗ) / (1 − β₁ᵗ)`; weight decay is added to the gradient, as in MXNet.
///
/// ```
/// use mxr::{optimizer::Adam, schedule::Cosine};
/// let adam = Adam::new(1e-3).weight_decay(1e-2).schedule(Cosine::new(10_000).warmup(500));
/// ```
#[derive(Clone, Debug)]
pub struct Adam {
    lr: f64,
    beta1: f64,
    beta2: f64,
    epsilon: f64,
    wd: f64,
    rescale: f64,
    clip: Option<f64>,
    schedule: Arc<dyn Schedule>,
}

impl Adam {
    /// With this learning rate, β₁ = 0.9, β₂ = 0.999, ε = 1e-8, no decay.
    pub fn new(learning_rate: f64) -> Adam {
        Adam {
            lr: learning_rate,
            beta1: 0.9,
            beta2: 0.999,
            epsilon: 1e-8,
            wd: 0.0,
            rescale: 1.0,
            clip: None,
            schedule: Arc::new(Constant),
        }
    }

    /// The decays of the mean gradient and of the mean squared gradient.
    pub fn betas(mut self, beta1: f64, beta2: f64) -> Adam {
        (self.beta1, self.beta2) = (beta1, beta2);
        self
    }

    /// The number added to the root.
    pub fn epsilon(mut self, epsilon: f64) -> Adam {
        self.epsilon = epsilon;
        self
    }

    /// The decay of weights and gammas, added to the gradient; 0 by default.
    pub fn weight_decay(mut self, wd: f64) -> Adam {
        self.wd = wd;
        self
    }

    /// A factor on the gradient, 1 by default.
    pub fn rescale(mut self, factor: f64) -> Adam {
        self.rescale = factor;
        self
    }

    /// Bound every element of the gradient to this magnitude.
    pub fn clip_gradient(mut self, bound: f64) -> Adam {
        self.clip = Some(bound);
        self
    }

    /// How the learning rate changes, constant by default.
    pub fn schedule(mut self, schedule: impl Schedule + 'static) -> Adam {
        self.schedule = Arc::new(schedule);
        self
    }
}

impl Optimizer for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn states(&self) -> usize {
        2
    }

    fn learning_rate(&self, t: u64) -> f64 {
        self.lr * self.schedule.factor(t)
    }

    fn update(&self, at: &UpdateAt, weight: &mut [f32], grad: &[f32], states: &mut [&mut [f32]]) {
        let [m, v] = states else { panic!("adam keeps two states") };
        let t = i32::try_from(at.t + 1).unwrap_or(i32::MAX);
        let correction = (1.0 - self.beta2.powi(t)).sqrt() / (1.0 - self.beta1.powi(t));
        let common = Common {
            lr: self.learning_rate(at.t) * at.lr_mult * correction,
            wd: self.wd * at.wd_mult,
            rescale: self.rescale,
            clip: self.clip,
        };
        let rule = optimizer::Adam { beta1: self.beta1, beta2: self.beta2, epsilon: self.epsilon };
        optimizer::adam(&common, &rule, grad, weight, m, v);
    }
}
