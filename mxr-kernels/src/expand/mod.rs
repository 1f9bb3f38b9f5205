//! Repetition along axes: the gradient of a sum, and of a mean.

pub mod reference;

use mxr_graph::instr::{Axes, MAX_RANK};

use crate::element::Float;
use crate::strided::{self, View};

/// `y` repeats `x` along axes of `y`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Expand {
    view: View,
    /// Elements of `x`.
    source: usize,
    /// Divide by the number of repetitions.
    mean: bool,
}

impl Expand {
    /// The repetition along `axes` of `shape`, the output's; `x` has the other axes in order (whether the repeated ones are absent
    /// or of extent 1 there makes no difference).
    ///
    /// ```
    /// use mxr_graph::instr::Axes;
    /// use mxr_kernels::expand::{Expand, expand};
    ///
    /// let d = Expand::new(&[2, 3], Axes(0b10), false);
    /// let mut y = [0f32; 6];
    /// expand(&d, &[1., 2.], &mut y);
    /// assert_eq!(y, [1., 1., 1., 2., 2., 2.]);
    /// ```
    ///
    /// # Panics
    /// If the shape has more than `MAX_RANK` axes.
    pub fn new(shape: &[usize], axes: Axes, mean: bool) -> Expand {
        assert!(shape.len() <= MAX_RANK, "rank of an expanded array");
        let (mut stride, mut source) = ([0; MAX_RANK], 1);
        for d in (0..shape.len()).rev().filter(|&d| !axes.has(d)) {
            stride[d] = source as isize;
            source *= shape[d];
        }
        Expand { view: View::new(0, shape.iter().copied().zip(stride)), source, mean }
    }
}

/// `y = x` repeated, divided by the number of repetitions if the descriptor says so.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn expand<T: Float>(d: &Expand, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), d.source, "length of the input of an expansion");
    let repetitions = T::from_f64((y.len() / d.source.max(1)) as f64);
    strided::gather(&d.view, x, y, |y| {
        if d.mean {
            for y in y {
                *y = *y / repetitions;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_same, data, with_threads};

    #[test]
    fn every_set_of_axes() {
        let shapes: [&[usize]; 6] =
            [&[3, 4, 5], &[40, 50, 60], &[1, 1, 1], &[2, 0, 3], &[7, 1, 300], &[300, 300, 1]];
        for shape in shapes {
            for axes in (0..8).map(Axes) {
                for mean in [false, true] {
                    let d = Expand::new(shape, axes, mean);
                    let x: Vec<f32> = data(d.source, 1);
                    let mut want = vec![0f32; shape.iter().product()];
                    reference::expand(shape, axes, mean, &x, &mut want);
                    for threads in [1, 2] {
                        let mut y = vec![7f32; want.len()];
                        with_threads(threads, || expand(&d, &x, &mut y));
                        assert_same(&y, &want, &format!("{shape:?} {axes:?} {mean}"));
                    }
                }
            }
        }
    }
}
