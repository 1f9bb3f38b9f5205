//! Writing columns of a product to pixels of images.

use std::ops::Range;

use super::Strides;
use crate::epilogue::Epilogue;
use crate::gemm::driver::{Place, Sink};
use crate::gemm::micro::Registers;
use crate::simd::vector::first;

/// Images as a matrix with one row per channel and one column per grid point `(image, i, j)`; grid point `(i, j)` is the pixel
/// `origin + step · (i, j)`.
pub(super) struct Planes<'a, T> {
    /// Channel 0 of image 0.
    pub(super) data: *mut T,
    /// Elements in front of channel 0 of the group.
    pub(super) first: usize,
    /// Where images and channels begin.
    pub(super) strides: Strides,
    /// Height and width of the images.
    pub(super) size: [usize; 2],
    pub(super) grid: [usize; 2],
    pub(super) origin: [usize; 2],
    pub(super) step: [usize; 2],
    /// One number of the bias per channel of the group; a residual and a mask lie as the images do.
    pub(super) epilogue: Epilogue<'a, T>,
}

// SAFETY: the driver gives every element to one block of the loop, and blocks do not share elements.
unsafe impl<T: Send + Sync> Sync for Planes<'_, T> {}

impl<T> Planes<'_, T> {
    fn pixels(&self) -> usize {
        self.grid[0] * self.grid[1]
    }

    /// The grid is the image.
    fn is_whole(&self) -> bool {
        self.grid == self.size
    }

    /// Neighbouring columns are neighbours in memory as far as this: one image, or all of them.
    fn run(&self) -> usize {
        if self.strides.image == self.pixels() { usize::MAX } else { self.pixels() }
    }
}

impl<V: Registers> Sink<V> for Planes<'_, V::Elem> {
    #[inline(always)]
    unsafe fn place(&self, row: usize, cols: &Range<usize>) -> Option<Place<V::Elem>> {
        let (image, pixel) = (cols.start / self.pixels(), cols.start % self.pixels());
        let fits = self.is_whole() && pixel + cols.len() <= self.run();
        fits.then(|| {
            let at = self.first + self.strides.at(image, row) + pixel;
            let c = self.data.wrapping_add(at);
            let (residual, mask) = (self.epilogue.residual_of(at, c), self.epilogue.mask_of(at));
            Place { c, ldc: self.strides.channel, residual, mask }
        })
    }

    #[inline(always)]
    unsafe fn scatter(
        &self,
        rows: Range<usize>,
        cols: &Range<usize>,
        from: *const V::Elem,
        add: bool,
        complete: bool,
    ) {
        // A run is what follows in memory (or at the step's distance): a row of the grid, or the rest of an image.
        let row_len = if self.is_whole() { self.pixels() } else { self.grid[1] };
        let mut col = cols.start;
        while col < cols.end {
            let (image, pixel) = (col / self.pixels(), col % self.pixels());
            let run = (row_len - pixel % row_len).min(cols.end - col);
            let (i, j) = (pixel / self.grid[1], pixel % self.grid[1]);
            let at = (self.origin[0] + i * self.step[0]) * self.size[1] + self.origin[1] + j * self.step[1];
            for row in rows.clone() {
                // SAFETY: the caller's contract; the run lies inside its image and inside the tile.
                unsafe {
                    let at = self.first + self.strides.at(image, row) + at;
                    let to = self.data.add(at);
                    let (residual, masked) = (self.epilogue.residual_of(at, to), self.epilogue.mask_of(at));
                    let from = from.add((row - rows.start) * V::COLS + col - cols.start);
                    if self.step[1] == 1 {
                        for t in (0..run).step_by(V::LANES) {
                            let mask = first(V::LANES.min(run - t));
                            let mut value = V::zero().load_over(from.add(t), mask);
                            if add {
                                value = V::zero().load_over(to.add(t), mask).add(value);
                            }
                            if complete && !residual.is_null() {
                                value = value.add(V::zero().load_over(residual.add(t), mask));
                            }
                            if complete && self.epilogue.relu {
                                value = value.relu();
                            }
                            if complete && !masked.is_null() {
                                value = value.where_positive(V::zero().load_over(masked.add(t), mask));
                            }
                            value.store_masked(to.add(t), mask);
                        }
                    } else if !add && residual.is_null() && masked.is_null() && !self.epilogue.relu {
                        for t in 0..run {
                            *to.add(t * self.step[1]) = *from.add(t);
                        }
                    } else {
                        for t in 0..run {
                            let to = to.add(t * self.step[1]);
                            let value = if add { *to + *from.add(t) } else { *from.add(t) };
                            *to = if complete {
                                self.epilogue.last(value, at + t * self.step[1], *to)
                            } else {
                                value
                            };
                        }
                    }
                }
            }
            col += run;
        }
    }

    fn accumulate(&self) -> bool {
        false
    }

    fn scatters(&self) -> bool {
        !self.is_whole()
    }

    fn holds_residual(&self) -> bool {
        self.epilogue.in_place()
    }

    fn relu(&self) -> bool {
        self.epilogue.relu
    }

    fn row_bias(&self) -> Option<&[V::Elem]> {
        self.epilogue.bias
    }

    fn col_bias(&self) -> Option<&[V::Elem]> {
        None
    }
}
