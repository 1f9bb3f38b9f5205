//! Yardsticks and helpers of the benches: a speed is only told beside what the same machine could do at the same time.

pub mod figure;
pub mod measured;
pub mod resident;
pub mod yardstick;

/// Numbers in −½ to ½ without a pattern that a cache or a branch predictor could learn; the same in every run.
pub fn numbers(n: usize) -> Vec<f32> {
    (0..n as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32 - 0.5).collect()
}
