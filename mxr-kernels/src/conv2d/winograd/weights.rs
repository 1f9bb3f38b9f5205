//! Weights at the 36 points.

use super::Problem;
use super::tiles::{POINTS, SEEN};
use super::transform::taps;
use crate::gemm::pack;
use crate::simd::vector::{MAX_LANES, Vector};

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
    // SAFETY: the caller's contract.
    unsafe {
        match problem.kernel {
            3 => all::<V, 3>(problem, weight, vector, to, plane, row),
            _ => all::<V, 5>(problem, weight, vector, to, plane, row),
        }
    }
}

/// The same for weights of `KERNEL` × `KERNEL`.
///
/// # Safety
///
/// As [`transform`].
#[inline(always)]
unsafe fn all<V: Vector<Elem = f32>, const KERNEL: usize>(
    problem: &Problem,
    weight: &[f32],
    vector: usize,
    to: *mut f32,
    plane: usize,
    row: usize,
) {
    let (lanes, taps) = (V::LANES, KERNEL * KERNEL);
    let filters = lanes.min(problem.filters - vector * lanes);
    let first = vector * lanes;
    let weight = weight.as_ptr();
    // The taps of as many filters and channels as the widest register has lanes.
    let mut square = [[[0f32; MAX_LANES * MAX_LANES]; KERNEL]; KERNEL];
    let square = square.as_mut_ptr().cast::<f32>();
    for block in 0..problem.c.div_ceil(lanes) {
        let channel = block * lanes;
        let channels = lanes.min(problem.c - channel);
        // SAFETY: filters and channels exist, and the square has room for their taps; the caller allows the other accesses.
        unsafe {
            // `[channel, tap, filter]`; lanes past the last filter stay 0.
            if problem.turned {
                for i in 0..channels {
                    let from = weight.add(((channel + i) * problem.filters + first) * taps);
                    let to = square.add(i * taps * lanes);
                    pack::transposed::<V>(filters, taps, |j| from.add(j * taps), to, lanes);
                }
            } else {
                let from = weight.add((first * problem.c + channel) * taps);
                let filter = problem.c * taps;
                pack::transposed::<V>(filters, channels * taps, |j| from.add(j * filter), square, lanes);
            }
            for i in 0..lanes {
                let to = to.add((channel + i) * row);
                if i < channels {
                    one::<V, KERNEL>(problem.turned, square.add(i * taps * lanes), to, plane);
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
/// Runs below the entry of `V`'s instruction set; `from` is valid for reads of a register for each tap, `to` for the writes.
#[inline(always)]
unsafe fn one<V: Vector<Elem = f32>, const KERNEL: usize>(
    turned: bool,
    from: *const f32,
    to: *mut f32,
    plane: usize,
) {
    // SAFETY: the caller allows the accesses.
    unsafe {
        let mut half = [[V::zero(); KERNEL]; SEEN];
        for s in 0..KERNEL {
            let mut column = [V::zero(); KERNEL];
            for (r, x) in column.iter_mut().enumerate() {
                let tap = r * KERNEL + s;
                let tap = if turned { KERNEL * KERNEL - 1 - tap } else { tap };
                *x = V::load(from.add(tap * V::LANES));
            }
            for (row, x) in half.iter_mut().zip(taps(column)) {
                row[s] = x;
            }
        }
        for (i, &row) in half.iter().enumerate() {
            for (j, x) in taps(row).into_iter().enumerate() {
                x.store(to.add((i * SEEN + j) * plane));
            }
        }
    }
}
