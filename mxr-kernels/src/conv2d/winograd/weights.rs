//! Weights at the 36 points.

use super::Problem;
use super::tiles::{POINTS, SEEN};
use super::transform::three_taps;
use crate::gemm::pack;
use crate::simd::vector::Vector;

/// Taps of a kernel.
const TAPS: usize = 9;

/// Elements of the stack array through which weights go: the taps of [`Vector::LANES`] filters and channels of the widest register.
const SQUARE: usize = 16 * 16 * TAPS;

/// Transforms the weights of filters `vector · LANES ..` and all channels to `to`: element `(point, channel, lane)` goes to
/// `point · plane + channel · row + lane`; channels and filters past the last one are 0.
///
/// # Safety
///
/// Runs below the entry of `V`'s instruction set; `weight` has the elements that the problem says and `to` is valid for the writes.
#[inline(always)]
pub(super) unsafe fn transform<V: Vector<Elem = f32>>(
    problem: &Problem,
    weight: &[f32],
    vector: usize,
    to: *mut f32,
    plane: usize,
    row: usize,
) {
    let lanes = V::LANES;
    let filters = lanes.min(problem.filters - vector * lanes);
    let first = vector * lanes;
    let weight = weight.as_ptr();
    let mut square = [0f32; SQUARE];
    let square = square.as_mut_ptr();
    for block in 0..problem.c.div_ceil(lanes) {
        let channel = block * lanes;
        let channels = lanes.min(problem.c - channel);
        // SAFETY: filters and channels exist, and the square has room for their taps; the caller allows the other accesses.
        unsafe {
            // `[channel, tap, filter]`; lanes past the last filter stay 0.
            if problem.turned {
                for i in 0..channels {
                    let from = weight.add(((channel + i) * problem.filters + first) * TAPS);
                    let to = square.add(i * TAPS * lanes);
                    pack::transposed::<V>(filters, TAPS, |j| from.add(j * TAPS), to, lanes);
                }
            } else {
                let from = weight.add((first * problem.c + channel) * TAPS);
                let filter = problem.c * TAPS;
                pack::transposed::<V>(filters, channels * TAPS, |j| from.add(j * filter), square, lanes);
            }
            for i in 0..lanes {
                let to = to.add((channel + i) * row);
                if i < channels {
                    one::<V>(problem.turned, square.add(i * TAPS * lanes), to, plane);
                } else {
                    for point in 0..POINTS {
                        V::zero().store(to.add(point * plane));
                    }
                }
            }
        }
    }
}

/// # Safety
///
/// Runs below the entry of `V`'s instruction set; `from` is valid for reads of nine registers, `to` for the writes.
#[inline(always)]
unsafe fn one<V: Vector<Elem = f32>>(turned: bool, from: *const f32, to: *mut f32, plane: usize) {
    let tap = |r: usize, s: usize| if turned { TAPS - 1 - (r * 3 + s) } else { r * 3 + s };
    // SAFETY: the caller allows the accesses.
    unsafe {
        let mut half = [[V::zero(); 3]; SEEN];
        for s in 0..3 {
            let column = three_taps([0, 1, 2].map(|r| V::load(from.add(tap(r, s) * V::LANES))));
            for (row, x) in half.iter_mut().zip(column) {
                row[s] = x;
            }
        }
        for (i, &row) in half.iter().enumerate() {
            for (j, x) in three_taps(row).into_iter().enumerate() {
                x.store(to.add((i * SEEN + j) * plane));
            }
        }
    }
}
