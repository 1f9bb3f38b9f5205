//! Arrays of any element type joined along an axis.

pub mod reference;

use crate::par;
use crate::share::Shared;

/// Elements of a task.
const TASK: usize = 64 * 1024;

/// Joining of arrays that agree in all axes but one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concat {
    /// Product of the extents before the axis, the same for all.
    pub outer: usize,
}

/// `y` holds for every outer index the runs of all inputs one after the other.
///
/// ```
/// use mxr_kernels::concat::{Concat, concat};
///
/// let mut y = [0; 6];
/// concat(&Concat { outer: 2 }, &[&[1, 2, 3, 4], &[5, 6]], &mut y);
/// assert_eq!(y, [1, 2, 5, 3, 4, 6]);
/// ```
///
/// # Panics
/// If the inputs do not fill `y` or their lengths are no multiples of `outer`.
pub fn concat<T: Copy + Send + Sync>(d: &Concat, inputs: &[&[T]], y: &mut [T]) {
    assert_eq!(inputs.iter().map(|x| x.len()).sum::<usize>(), y.len(), "inputs fill the output of a concat");
    if y.is_empty() {
        return;
    }
    for x in inputs {
        assert!(x.len().is_multiple_of(d.outer), "an input of a concat has a run for every outer index");
    }
    let row = y.len() / d.outer;
    if row <= TASK {
        let grain = TASK / row;
        par::for_each_mut(y, grain * row, |block, y| {
            for (i, mut y) in y.chunks_mut(row).enumerate() {
                for x in inputs {
                    let run = x.len() / d.outer;
                    let (own, rest) = y.split_at_mut(run);
                    own.copy_from_slice(&x[(block * grain + i) * run..][..run]);
                    y = rest;
                }
            }
        });
        return;
    }
    let y = &Shared::new(y);
    let mut first = 0;
    for x in inputs {
        let run = x.len() / d.outer;
        let pieces = run.div_ceil(TASK);
        par::for_blocks(d.outer * pieces, |task| {
            let (o, off) = (task / pieces, task % pieces * TASK);
            let len = TASK.min(run - off);
            // SAFETY: pieces of an input are disjoint and each is one task.
            let y = unsafe { y.part(o * row + first + off, len) };
            y.copy_from_slice(&x[o * run + off..][..len]);
        });
        first += run;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::with_threads;

    #[test]
    fn short_and_long_rows() {
        let cases: [(usize, &[usize]); 6] = [
            (1, &[3]),
            (4, &[1, 0, 5]),
            (0, &[3, 2]),
            (1000, &[64, 33]),
            (3, &[70_000, 200_000, 1]),
            (1, &[0, 0]),
        ];
        for (outer, runs) in cases {
            let inputs: Vec<Vec<i64>> = runs
                .iter()
                .enumerate()
                .map(|(n, run)| (0..(outer * run) as i64).map(|i| i * 10 + n as i64).collect())
                .collect();
            let inputs: Vec<&[i64]> = inputs.iter().map(|x| &x[..]).collect();
            let mut want = vec![0; outer * runs.iter().sum::<usize>()];
            reference::concat(&Concat { outer }, &inputs, &mut want);
            for threads in [1, 2] {
                let mut y = vec![-1; want.len()];
                with_threads(threads, || concat(&Concat { outer }, &inputs, &mut y));
                assert!(y == want, "{outer} {runs:?}");
            }
        }
    }
}
