//! Dropout one element at a time.

use crate::element::Float;
use crate::random::{Key, limit};

/// `y` and `mask` from `x`.
pub fn forward<T: Float>(p: f32, key: Key, row: usize, x: &[T], y: &mut [T], mask: &mut [u8]) {
    let keep = 1.0 - f64::from(p);
    mask.fill(0);
    for i in 0..x.len() {
        let word = key.block(i as u64 / 4)[i % 4];
        let kept = u64::from(word) < limit(keep);
        mask[i / row * row.div_ceil(8) + i % row / 8] |= u8::from(kept) << (i % row % 8);
        y[i] = if kept { x[i] * T::from_f64(1.0 / keep) } else { T::ZERO };
    }
}
