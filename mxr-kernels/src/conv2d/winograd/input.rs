//! Pixels at the 36 points.

use std::ops::Range;

use super::tiles::{Images, SEEN, STRIP, Tiles};
use super::transform::{data, taps};
use crate::simd::vector::{MAX_LANES, Vector};

/// Elements of the memory through which pixels go.
pub(super) const PIXELS: usize = SEEN * (STRIP + SEEN - 2) * MAX_LANES;

/// Where the points of a block of tiles go: element `(point, block of channels, tile, lane)` to
/// `point · plane + (block · stride + tile) · LANES + lane`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub(super) to: *mut f32,
    pub(super) plane: usize,
    pub(super) stride: usize,
}

/// Transforms blocks of channels of a block of tiles, which see `SIDE` × `SIDE` pixels: six as data, fewer as taps.
///
/// # Safety
///
/// Runs below the entry of `V`'s instruction set; `images` and `tiles` belong to one convolution, and tiles see no less than they are wide; the
/// place is valid for the writes and `pixels` for [`PIXELS`] elements.
#[inline(always)]
pub(super) unsafe fn transform<V: Vector<Elem = f32>, const SIDE: usize>(
    images: &Images<'_>,
    pad: [usize; 2],
    tiles: Tiles,
    block: Range<usize>,
    channels: Range<usize>,
    place: Place,
    pixels: *mut f32,
) {
    let (lanes, side) = (V::LANES, tiles.side);
    for channel in channels.clone() {
        for strip in tiles.strips(block.clone()) {
            let corner = [(strip.row, pad[0]), (strip.col, pad[1])]
                .map(|(at, pad)| (at * side) as isize - pad as isize);
            let width = strip.count * side + SIDE - side;
            // SAFETY: the strip's tiles exist and cover at most `STRIP` columns; the caller allows the writes.
            unsafe {
                images.blocked::<V>(strip.image, channel, corner, [SIDE, width], pixels);
                let to = place.to.add(((channel - channels.start) * place.stride + strip.first) * lanes);
                for tile in 0..strip.count {
                    let from = pixels.add(tile * side * lanes);
                    one::<V, SIDE>(from, width * lanes, to.add(tile * lanes), place.plane);
                }
            }
        }
    }
}

/// # Safety
///
/// Runs below the entry of `V`'s instruction set; `from` is valid for `SIDE` registers at each of as many rows, `to` for the writes.
#[inline(always)]
unsafe fn one<V: Vector<Elem = f32>, const SIDE: usize>(
    from: *const f32,
    row: usize,
    to: *mut f32,
    plane: usize,
) {
    // SAFETY: the caller allows the accesses.
    unsafe {
        let mut half = [[V::zero(); SIDE]; SEEN];
        for j in 0..SIDE {
            let mut column = [V::zero(); SIDE];
            for (i, x) in column.iter_mut().enumerate() {
                *x = V::load(from.add(i * row + j * V::LANES));
            }
            for (row, x) in half.iter_mut().zip(points(column)) {
                row[j] = x;
            }
        }
        for (i, &row) in half.iter().enumerate() {
            for (j, x) in points(row).into_iter().enumerate() {
                x.store(to.add((i * SEEN + j) * plane));
            }
        }
    }
}

/// # Safety
///
/// As [`data`].
#[inline(always)]
unsafe fn points<V: Vector<Elem = f32>, const SIDE: usize>(x: [V; SIDE]) -> [V; SEEN] {
    // SAFETY: the caller has the instructions.
    unsafe {
        match x[..] {
            [a, b, c, d, e, f] => data([a, b, c, d, e, f]),
            _ => taps(x),
        }
    }
}
