//! From products at the 36 points to pixels of the output.

use crate::epilogue::Epilogue;
use std::ops::Range;

use super::Problem;
use super::tiles::{SEEN, STRIP, Strip, Tiles};
use super::transform::results;
use crate::simd::vector::{MAX_LANES, Vector, first};

/// Rows of the highest tiles.
const MOST: usize = 4;

/// Elements of the memory through which pixels go.
pub(super) const PIXELS: usize = MOST * STRIP * MAX_LANES;

/// Products of a block of tiles and one vector of filters.
pub(super) struct Products {
    /// Element `(point, tile, lane)` lies at `point · plane + tile · LANES + lane`.
    pub(super) m: *const f32,
    pub(super) plane: usize,
    /// Number of the vector of filters.
    pub(super) vector: usize,
}

/// Transforms the products of a block of tiles of `TILE` × `TILE` pixels and writes the pixels to `y`.
///
/// # Safety
///
/// Runs below the entry of `V`'s instruction set; the products are complete; `y` is the whole output and its pixels of these tiles and
/// filters belong to the caller; `pixels` is valid for [`PIXELS`] elements.
#[inline(always)]
pub(super) unsafe fn transform<V: Vector<Elem = f32>, const TILE: usize>(
    problem: &Problem,
    products: &Products,
    tiles: Tiles,
    block: Range<usize>,
    epilogue: &Epilogue<'_, f32>,
    y: *mut f32,
    pixels: *mut f32,
) {
    let lanes = V::LANES;
    for strip in tiles.strips(block) {
        let row = strip.count * TILE * lanes;
        // SAFETY: the strip's tiles exist and cover at most `STRIP` columns; the caller allows the accesses.
        unsafe {
            for tile in 0..strip.count {
                let m = products.m.add((strip.first + tile) * lanes);
                one::<V, TILE>(m, products.plane, pixels.add(tile * TILE * lanes), row);
            }
            store::<V, TILE>(problem, products.vector, &strip, epilogue, y, pixels);
        }
    }
}

/// # Safety
///
/// Runs below the entry of `V`'s instruction set; `from` is valid for a register at every point, `to` for `TILE` at each of as many rows.
#[inline(always)]
unsafe fn one<V: Vector<Elem = f32>, const TILE: usize>(
    from: *const f32,
    plane: usize,
    to: *mut f32,
    row: usize,
) {
    // SAFETY: the caller allows the accesses.
    unsafe {
        let mut half = [[V::zero(); SEEN]; TILE];
        for j in 0..SEEN {
            let column = [0, 1, 2, 3, 4, 5].map(|i| V::load(from.add((i * SEEN + j) * plane)));
            for (row, x) in half.iter_mut().zip(results::<V, TILE>(column)) {
                row[j] = x;
            }
        }
        for (i, &half) in half.iter().enumerate() {
            for (j, x) in results::<V, TILE>(half).into_iter().enumerate() {
                x.store(to.add(i * row + j * V::LANES));
            }
        }
    }
}

/// Writes the pixels `[row, column, LANES]` of a strip to the planes of their filters, after what the epilogue says.
///
/// # Safety
///
/// As [`transform`].
#[inline(always)]
unsafe fn store<V: Vector<Elem = f32>, const TILE: usize>(
    problem: &Problem,
    vector: usize,
    strip: &Strip,
    epilogue: &Epilogue<'_, f32>,
    y: *mut f32,
    pixels: *const f32,
) {
    let lanes = V::LANES;
    let (oh, ow, filter) = (problem.oh, problem.ow, vector * lanes);
    let filters = lanes.min(problem.filters - filter);
    let channel = problem.strides[1].channel;
    let (top, left) = (strip.row * TILE, strip.col * TILE);
    let row = strip.count * TILE;
    let width = row.min(ow - left);
    // SAFETY: masks keep columns within the row, filters and rows exist; the caller allows the accesses.
    unsafe {
        let mut biases = [V::zero(); MAX_LANES];
        if let Some(bias) = epilogue.bias {
            for (to, &bias) in biases.iter_mut().zip(&bias[filter..][..filters]) {
                *to = V::splat(bias);
            }
        }
        let plane = problem.strides[1].at(strip.image, filter);
        for i in 0..TILE.min(oh - top) {
            for at in (0..width).step_by(lanes) {
                let columns = lanes.min(width - at);
                let from = pixels.add((i * row + at) * lanes);
                let mut block = [V::zero(); MAX_LANES];
                if row - at >= lanes {
                    for (j, x) in block[..lanes].iter_mut().enumerate() {
                        *x = V::load(from.add(j * lanes));
                    }
                } else {
                    for (j, x) in block[..row - at].iter_mut().enumerate() {
                        *x = V::load(from.add(j * lanes));
                    }
                }
                V::transpose(&mut block);
                let first_pixel = plane + (top + i) * ow + left + at;
                let plain = epilogue.residual.is_none() && epilogue.mask.is_none();
                if columns == lanes && filters == lanes && plain {
                    let to = y.wrapping_add(first_pixel);
                    for (f, (x, &bias)) in block[..lanes].iter().zip(&biases).enumerate() {
                        let x = x.add(bias);
                        let x = if epilogue.relu { x.relu() } else { x };
                        x.store(to.wrapping_add(f * channel));
                    }
                    continue;
                }
                for (f, (x, bias)) in block.into_iter().zip(biases).take(filters).enumerate() {
                    let at = first_pixel + f * channel;
                    let (mut x, to) = (x.add(bias), y.wrapping_add(at));
                    let residual = epilogue.residual_of(at, to);
                    if !residual.is_null() {
                        x = x.add(V::zero().load_over(residual, first(columns)));
                    }
                    if epilogue.relu {
                        x = x.relu();
                    }
                    let mask = epilogue.mask_of(at);
                    if !mask.is_null() {
                        x = x.where_positive(V::zero().load_over(mask, first(columns)));
                    }
                    if columns == lanes { x.store(to) } else { x.store_masked(to, first(columns)) }
                }
            }
        }
    }
}
