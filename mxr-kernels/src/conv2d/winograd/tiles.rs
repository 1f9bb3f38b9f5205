//! Which tiles of output there are, and reading images for them.

use std::ops::Range;

use crate::conv2d::Strides;
use crate::gemm::pack;
use crate::simd::vector::Vector;

/// Height and width of the input that a tile sees, and the number of points of one axis.
pub(super) const SEEN: usize = 6;

/// Points of a tile: what a multiplication of matrices is made for.
pub(super) const POINTS: usize = SEEN * SEEN;

/// The most columns of output of a [`Strip`], so that its pixels fit a first-level cache.
pub(super) const STRIP: usize = 56;

/// The tiles of all images of a batch, numbered `(image, row, column)`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiles {
    /// Height and width of a tile.
    pub(super) side: usize,
    images: usize,
    rows: usize,
    cols: usize,
}

/// Neighbouring tiles of one row of tiles.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    pub(super) image: usize,
    pub(super) row: usize,
    pub(super) col: usize,
    pub(super) count: usize,
    /// Number of its first tile within the block that was asked for.
    pub(super) first: usize,
}

impl Tiles {
    /// For images of output of this height and width, made by kernels of `kernel` × `kernel`.
    pub(super) fn new(kernel: usize, images: usize, [h, w]: [usize; 2]) -> Tiles {
        let side = SEEN + 1 - kernel;
        Tiles { side, images, rows: h.div_ceil(side), cols: w.div_ceil(side) }
    }

    pub(super) fn count(&self) -> usize {
        self.images * self.rows * self.cols
    }

    /// The strips that make up a block of tiles.
    #[inline(always)]
    pub(super) fn strips(self, block: Range<usize>) -> impl Iterator<Item = Strip> {
        let mut next = block.start;
        std::iter::from_fn(move || {
            (next < block.end).then(|| {
                let (rest, col) = (next / self.cols, next % self.cols);
                let strip = Strip {
                    image: rest / self.rows,
                    row: rest % self.rows,
                    col,
                    count: (self.cols - col).min(block.end - next).min(STRIP / self.side),
                    first: next - block.start,
                };
                next += strip.count;
                strip
            })
        })
    }
}

/// Images of `c` channels of `h` × `w` pixels.
#[derive(Clone, Copy)]
pub(super) struct Images<'a> {
    pub(super) data: &'a [f32],
    pub(super) c: usize,
    pub(super) h: usize,
    pub(super) w: usize,
    /// Where images and channels begin.
    pub(super) strides: Strides,
}

impl Images<'_> {
    /// Copies `rows` × `cols` pixels from `(top, left)` on of the channels of block `block` to `[rows, cols, LANES]`, with zeros
    /// outside the image and past the last channel.
    ///
    /// # Safety
    ///
    /// Runs below the entry of `V`'s instruction set; the image and the block exist; `to` is valid for the writes.
    #[inline(always)]
    pub(super) unsafe fn blocked<V: Vector<Elem = f32>>(
        &self,
        image: usize,
        block: usize,
        [top, left]: [isize; 2],
        [rows, cols]: [usize; 2],
        to: *mut f32,
    ) {
        let lanes = V::LANES;
        let (h, w) = (self.h as isize, self.w as isize);
        let plane = self.strides.channel;
        let channels = lanes.min(self.c - block * lanes);
        let from = self.data.as_ptr().wrapping_add(self.strides.at(image, block * lanes));
        let low = (-left).clamp(0, cols as isize) as usize;
        let high = (w - left).clamp(low as isize, cols as isize) as usize;
        // SAFETY: positions `low..high` of a row lie in the image; the caller allows the writes.
        unsafe {
            if channels < lanes {
                zeros::<V>(to, rows * cols);
            }
            for i in 0..rows {
                let (to, y) = (to.add(i * cols * lanes), top + i as isize);
                if !(0..h).contains(&y) || low == high {
                    zeros::<V>(to, cols);
                    continue;
                }
                zeros::<V>(to, low);
                zeros::<V>(to.add(high * lanes), cols - high);
                let from = from.wrapping_offset(y * w + left + low as isize);
                let channel = |channel: usize| from.wrapping_add(channel * plane);
                pack::transposed::<V>(channels, high - low, channel, to.add(low * lanes), lanes);
            }
        }
    }
}

/// # Safety
///
/// Runs below the entry of `V`'s instruction set; `to` is valid for `vectors` registers.
#[inline(always)]
unsafe fn zeros<V: Vector<Elem = f32>>(to: *mut f32, vectors: usize) {
    for i in 0..vectors {
        // SAFETY: the caller allows the writes.
        unsafe { V::zero().store(to.add(i * V::LANES)) };
    }
}
