//! Permutation of the axes of an array of any element type.
//!
//! Axes that stay neighbours are merged; what is left is a copy of runs, or of squares of 32 × 32 elements where the
//! innermost axis changes.

pub mod reference;

use mxr_graph::instr::MAX_RANK;

use crate::strided::{self, View};

/// Axis `i` of the output is axis `perm[i]` of the input.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transpose {
    view: View,
}

impl Transpose {
    /// The permutation of an array of this shape.
    ///
    /// ```
    /// use mxr_kernels::transpose::{Transpose, transpose};
    ///
    /// let d = Transpose::new(&[2, 3], &[1, 0]);
    /// let mut y = [0; 6];
    /// transpose(&d, &[1, 2, 3, 4, 5, 6], &mut y);
    /// assert_eq!(y, [1, 4, 2, 5, 3, 6]);
    /// ```
    ///
    /// # Panics
    /// If `perm` is not a permutation of the axes.
    pub fn new(shape: &[usize], perm: &[u8]) -> Transpose {
        assert!(shape.len() <= MAX_RANK && perm.len() == shape.len(), "one entry of a permutation per axis");
        let seen = perm.iter().fold(0u32, |seen, &p| seen | 1 << p);
        assert_eq!(seen, (1 << shape.len()) - 1, "a permutation names every axis once");
        let stride = |axis: usize| shape[axis + 1..].iter().product::<usize>() as isize;
        let axes = perm.iter().map(|&p| (shape[usize::from(p)], stride(usize::from(p))));
        Transpose { view: View::new(0, axes) }
    }
}

/// `y = x` with permuted axes.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn transpose<T: Copy + Send + Sync>(d: &Transpose, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), d.view.len(), "length of the input of a transpose");
    strided::gather(&d.view, x, y, |_| {});
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::with_threads;

    #[test]
    fn every_permutation_of_odd_shapes() {
        let mut cases: Vec<(Vec<usize>, Vec<u8>)> = vec![
            (vec![], vec![]),
            (vec![5], vec![0]),
            (vec![67, 130], vec![1, 0]),
            (vec![1, 700, 33], vec![0, 2, 1]),
            (vec![3, 40, 50, 4], vec![0, 2, 3, 1]),
            (vec![3, 40, 50, 4], vec![0, 3, 1, 2]),
            (vec![2, 3, 4, 5, 6], vec![4, 2, 0, 1, 3]),
        ];
        for shape in [[3, 4, 5, 6], [33, 1, 7, 40], [0, 2, 3, 4]] {
            for p in 0..256u32 {
                let perm: Vec<u8> = (0..4).map(|i| (p >> (2 * i) & 3) as u8).collect();
                if (0..4).all(|a| perm.contains(&a)) {
                    cases.push((shape.to_vec(), perm));
                }
            }
        }
        for (shape, perm) in cases {
            let len: usize = shape.iter().product();
            let x: Vec<u32> = (0..len as u32).collect();
            let mut want = vec![0; len];
            reference::transpose(&shape, &perm, &x, &mut want);
            let d = Transpose::new(&shape, &perm);
            for threads in [1, 2] {
                let mut y = vec![0; len];
                with_threads(threads, || transpose(&d, &x, &mut y));
                assert!(y == want, "{shape:?} {perm:?}");
            }
        }
    }
}
