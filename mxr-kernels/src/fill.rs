//! Arrays of one value.

use crate::par;

const BLOCK: usize = 64 * 1024;

/// Every element of `y` becomes `value`.
///
/// ```
/// let mut y = [0u8; 3];
/// mxr_kernels::fill::fill(7, &mut y);
/// assert_eq!(y, [7; 3]);
/// ```
pub fn fill<T: Copy + Send + Sync>(value: T, y: &mut [T]) {
    par::for_each_mut(y, BLOCK, |_, y| y.fill(value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it() {
        for len in [0, 1, BLOCK - 1, 2 * BLOCK + 5] {
            let mut y = vec![0f64; len];
            fill(2.5, &mut y);
            assert!(y.iter().all(|y| *y == 2.5));
        }
    }
}
