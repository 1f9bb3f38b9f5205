//! Yardsticks and helpers of the benches: a speed is only told beside what the same machine could do at the same time.

pub mod figure;
pub mod measured;
pub mod resident;

pub use mxr_examples::yardstick::{self, numbers};
