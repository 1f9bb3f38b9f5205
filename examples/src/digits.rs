//! The 1,797 handwritten digits of `data/digits.csv` (see the README beside it), split so that the writers of the test are
//! unseen.

use mxr::io::{FormatError, HostArray, csv};
use std::ops::Range;

/// The table is part of the program, which then runs in any folder.
const TABLE: &[u8] = include_bytes!("../data/digits.csv");

/// The lines to learn from; the rest is for the test.
pub const TRAIN_LINES: usize = 1437;

/// The ink of a full pixel.
const INK: f32 = 16.0;

/// Pictures and what they show.
#[derive(Clone, Debug)]
pub struct Digits {
    /// f32 `[n, 1, 8, 8]` from 0 (paper) to 1 (ink).
    pub pictures: HostArray,
    /// i64 `[n]`.
    pub labels: HostArray,
}

impl Digits {
    /// All of them, in the order of the file.
    ///
    /// # Errors
    ///
    /// When the table is damaged.
    pub fn all() -> Result<Digits, FormatError> {
        let table = csv::from_bytes(TABLE, &csv::Options::new().label_last())?;
        let pixels: Vec<f32> = table.data.into_vec::<f32>()?.into_iter().map(|p| p / INK).collect();
        let labels = table.labels.map_or_else(|| HostArray::from_vec(Vec::<i64>::new(), &[0]), Ok)?;
        Ok(Digits { pictures: HostArray::from_vec(pixels, &[labels.len(), 1, 8, 8])?, labels })
    }

    /// The digits to learn from, and those for the test.
    ///
    /// # Errors
    ///
    /// When the table is damaged.
    pub fn split() -> Result<(Digits, Digits), FormatError> {
        let all = Digits::all()?;
        let n = all.labels.len();
        Ok((all.part(0..TRAIN_LINES)?, all.part(TRAIN_LINES..n)?))
    }

    /// Some of them.
    ///
    /// # Errors
    ///
    /// When the range is not within them.
    pub fn part(&self, lines: Range<usize>) -> Result<Digits, FormatError> {
        Ok(Digits {
            pictures: self.pictures.slice_rows(lines.clone())?,
            labels: self.labels.slice_rows(lines)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let (train, test) = Digits::split().expect("the table is part of the project");
        assert_eq!(train.pictures.shape(), [1437, 1, 8, 8]);
        assert_eq!(test.pictures.shape(), [360, 1, 8, 8]);
        let pixels = train.pictures.as_slice::<f32>().expect("f32");
        assert!(pixels.iter().all(|p| (0.0..=1.0).contains(p)));
        // The first picture is a zero with paper in its corner; the file's first line reads 0,0,5,13,…
        assert_eq!(pixels[..4], [0.0, 0.0, 5.0 / 16.0, 13.0 / 16.0]);
        assert_eq!(train.labels.as_slice::<i64>().expect("i64")[..4], [0, 1, 2, 3]);
    }
}
