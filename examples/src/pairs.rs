//! Pairs of digits, half of which show the same one.

use crate::digits::Digits;
use fastrand::Rng;
use mxr::io::{FormatError, HostArray};

/// Pairs of pictures, and whether both show the same digit.
#[derive(Clone, Debug)]
pub struct Pairs {
    /// f32 `[n, 1, size, size]`.
    pub left: HostArray,
    /// f32 `[n, 1, size, size]`.
    pub right: HostArray,
    /// f32 `[n]`: 1 for the same digit, 0 otherwise.
    pub same: HostArray,
}

impl Pairs {
    /// Some pairs, enlarged from 8 by 8 to `size` by `size` pixels.
    ///
    /// # Errors
    ///
    /// When the digits are damaged.
    pub fn draw(digits: &Digits, n: usize, size: usize, rng: &mut Rng) -> Result<Pairs, FormatError> {
        let (pixels, labels) = (digits.pictures.as_slice::<f32>()?, digits.labels.as_slice::<i64>()?);
        let (mut left, mut right, mut same) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..n {
            let a = rng.usize(..labels.len());
            let alike = i % 2 == 0;
            let b = loop {
                let b = rng.usize(..labels.len());
                if b != a && (labels[a] == labels[b]) == alike {
                    break b;
                }
            };
            for (side, at) in [(&mut left, a), (&mut right, b)] {
                let picture = &pixels[64 * at..64 * (at + 1)];
                side.extend(
                    (0..size * size).map(|p| picture[8 * (8 * (p / size) / size) + 8 * (p % size) / size]),
                );
            }
            same.push(f32::from(u8::from(alike)));
        }
        let shape = [n, 1, size, size];
        Ok(Pairs {
            left: HostArray::from_vec(left, &shape)?,
            right: HostArray::from_vec(right, &shape)?,
            same: HostArray::from_vec(same, &[n])?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_pairs_are_alike() {
        let (digits, _) = Digits::split().expect("the digits are part of the project");
        let pairs = Pairs::draw(&digits, 8, 16, &mut Rng::with_seed(1)).expect("pairs");
        assert_eq!(pairs.left.shape(), [8, 1, 16, 16]);
        assert_eq!(pairs.same.as_slice::<f32>().expect("f32"), [1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0]);
        // Each pixel of 8 by 8 is a square of 2 by 2.
        let left = pairs.left.as_slice::<f32>().expect("f32");
        assert!((0..16 * 16).all(|p| left[p] == left[p / 32 * 32 + p % 16 / 2 * 2]));
    }
}
