//! Rectangular pieces of an array of any element type, with steps, and the way back.

pub mod reference;

use mxr_graph::instr::MAX_RANK;

use crate::strided::{self, View};

/// `y[i…] = x[begin + i · step…]`; steps may be negative.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slice {
    view: View,
    whole: usize,
}

impl Slice {
    /// The piece of shape `y_shape` of an array of shape `x_shape`; `begin` and `step` have an entry for every axis.
    ///
    /// ```
    /// use mxr_kernels::slice::{Slice, backward, forward};
    ///
    /// let every_second_from_the_end = Slice::new(&[5], &[3], &[4], &[-2]);
    /// let mut y = [0; 3];
    /// forward(&every_second_from_the_end, &[1, 2, 3, 4, 5], &mut y);
    /// assert_eq!(y, [5, 3, 1]);
    /// let mut dx = [9; 5];
    /// backward(&every_second_from_the_end, &y, 0, &mut dx);
    /// assert_eq!(dx, [1, 0, 3, 0, 5]);
    /// ```
    ///
    /// # Panics
    /// If the ranks differ, a step is 0, or the piece does not lie in the array.
    pub fn new(x_shape: &[usize], y_shape: &[usize], begin: &[i64], step: &[i64]) -> Slice {
        let rank = x_shape.len();
        assert!(rank <= MAX_RANK && y_shape.len() == rank, "a slice keeps the rank");
        assert!(begin.len() >= rank && step.len() >= rank, "a begin and a step per axis");
        let empty = y_shape.contains(&0);
        let (mut base, mut inner) = (0, 1);
        let mut stride = [0; MAX_RANK];
        for d in (0..rank).rev() {
            assert!(step[d] != 0, "the step of a slice is not 0");
            let last = begin[d] + (y_shape[d] as i64 - 1) * step[d];
            let inside = |i: i64| (0..x_shape[d] as i64).contains(&i);
            assert!(empty || inside(begin[d]) && inside(last), "a slice lies in its array");
            base += begin[d] as isize * inner;
            stride[d] = step[d] as isize * inner;
            inner *= x_shape[d] as isize;
        }
        let axes = y_shape.iter().copied().zip(stride);
        Slice { view: View::new(base, axes), whole: x_shape.iter().product() }
    }
}

/// The piece.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn forward<T: Copy + Send + Sync>(d: &Slice, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), d.whole, "length of the array of a slice");
    strided::gather(&d.view, x, y, |_| {});
}

/// `zero` everywhere, except the piece, which is `dy`.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn backward<T: Copy + Send + Sync>(d: &Slice, dy: &[T], zero: T, dx: &mut [T]) {
    assert_eq!(dx.len(), d.whole, "length of the array of a slice");
    if dy.len() < dx.len() {
        crate::fill::fill(zero, dx);
    }
    strided::scatter(&d.view, dy, dx);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::with_threads;

    #[test]
    fn pieces_and_back() {
        type Case = (&'static [usize], &'static [usize], &'static [i64], &'static [i64]);
        let cases: [Case; 9] = [
            (&[], &[], &[], &[]),
            (&[7], &[3], &[1], &[2]),
            (&[7], &[7], &[6], &[-1]),
            (&[4, 5], &[4, 0], &[0, 5], &[1, 1]),
            (&[4, 5], &[2, 5], &[1, 0], &[2, 1]),
            (&[4, 5, 6], &[2, 2, 3], &[3, 0, 5], &[-2, 3, -2]),
            (&[3, 1, 200, 300], &[3, 1, 150, 290], &[0, 0, 20, 3], &[1, 1, 1, 1]),
            (&[200_000], &[66_667], &[0], &[3]),
            (&[300, 300], &[300, 300], &[0, 0], &[1, 1]),
        ];
        for (x_shape, y_shape, begin, step) in cases {
            let len: usize = x_shape.iter().product();
            let x: Vec<u16> = (0..len).map(|i| i as u16 | 1).collect();
            let mut want = vec![0; y_shape.iter().product()];
            let mut want_dx = vec![9; len];
            reference::forward(x_shape, y_shape, begin, step, &x, &mut want);
            reference::backward(x_shape, y_shape, begin, step, &want, 0, &mut want_dx);
            let d = Slice::new(x_shape, y_shape, begin, step);
            for threads in [1, 2] {
                let (mut y, mut dx) = (vec![0; want.len()], vec![9; len]);
                with_threads(threads, || {
                    forward(&d, &x, &mut y);
                    backward(&d, &want, 0, &mut dx);
                });
                assert!(y == want && dx == want_dx, "{x_shape:?} {y_shape:?}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "a slice lies in its array")]
    fn outside_is_refused() {
        Slice::new(&[4], &[3], &[2], &[1]);
    }
}
