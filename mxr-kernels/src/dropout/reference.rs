//! Dropout one element at a time.

use crate::element::Float;
use crate::random::{Key, limit};

/// `y` and `mask` from `x`.
pub fn forward<T: Float>(p: f32, key: Key, x: &[T], y: &mut [T], mask: &mut [u8]) {
    let keep = 1.0 - f64::from(p);
    for i in 0..x.len() {
        let word = key.block(i as u64 / 4)[i % 4];
        mask[i] = u8::from(u64::from(word) < limit(keep));
        y[i] = if mask[i] == 1 { x[i] * T::from_f64(1.0 / keep) } else { T::ZERO };
    }
}
