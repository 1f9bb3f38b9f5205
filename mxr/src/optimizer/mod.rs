//! Optimizers: how a gradient changes a weight.

mod adam;
mod sgd;
mod updater;

pub use adam::Adam;
pub use sgd::Sgd;
pub use updater::Updater;

use std::fmt::Debug;

/// An update rule. It is a pure function of what it is given, so the same state gives the same bits wherever it runs.
pub trait Optimizer: Debug + Send + Sync {
    /// Its name in checkpoints.
    fn name(&self) -> &'static str;

    /// How many arrays of a weight's size it keeps for each weight; they start at 0.
    fn states(&self) -> usize;

    /// The learning rate of update number `t`, counted from 0.
    fn learning_rate(&self, t: u64) -> f64;

    /// Change one weight. Called once per weight and update, over all of its elements.
    fn update(&self, at: &UpdateAt, weight: &mut [f32], grad: &[f32], states: &mut [&mut [f32]]);
}

/// Which update of which weight.
#[derive(Clone, Copy, Debug)]
pub struct UpdateAt {
    /// The number of the update, counted from 0.
    pub t: u64,
    /// The factor on the learning rate for this weight.
    pub lr_mult: f64,
    /// The factor on the weight decay for this weight: as in MXNet 1 for names that end in `_weight` or `_gamma`,
    /// otherwise 0; times what the layer says (`#[no_decay]`).
    pub wd_mult: f64,
}

/// MXNet's rule for the factor on weight decay: biases and shifts do not decay.
pub(crate) fn decay_factor(name: &str) -> f64 {
    f64::from(u8::from(name.ends_with("_weight") || name.ends_with("_gamma")))
}
