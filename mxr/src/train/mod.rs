//! The training loop: epochs, metrics, progress, validation, checkpoints, exact resume.

mod checkpoint;
mod fit;
mod progress;

pub use fit::{BatchEvent, EpochRecord, Fit, History, evaluate};
