//! The gradient of the weight: `[filters, pixels] · [pixels, taps]`, one per group, the sum over the pixels of all images.
//!
//! Where the gradient is small there is too little of C to share between threads, so the sum is cut into slices whose number
//! depends on the shapes alone; their results lie side by side in the workspace and are added in order.
//!
//! Images of few channels go another way, see [`few_channels`].

use std::ops::Range;

use super::gather::{PixelsByTaps, Window, runs};
use super::{Conv2d, Strides, few_channels, points};
use crate::element::Float;
use crate::gemm::dense::{Address, rows_can_stay};
use crate::gemm::driver::{Lhs, Place, Sink, Tiled, multiply};
use crate::gemm::micro::{Registers, Rows};
use crate::gemm::pack;
use crate::par;

/// Blocks of work that keep the threads of a large machine busy.
const BLOCKS: usize = 16;

/// Pixels that make a slice worth its addition.
const SLICE: usize = 1024;

/// Slices of the sum.
fn slices(conv: &Conv2d) -> usize {
    let taps = conv.group_channels() * conv.kh * conv.kw;
    let blocks = conv.groups() * conv.group_filters().div_ceil(64) * taps.div_ceil(64);
    let pixels = conv.n * conv.oh * conv.ow;
    (BLOCKS / blocks.max(1)).min(pixels / SLICE).max(1)
}

pub(super) fn workspace_len<T: Tiled>(conv: &Conv2d) -> usize {
    if few_channels::is_better::<T>(conv) {
        return few_channels::workspace_len(conv);
    }
    let partial = match slices(conv) {
        1 => 0,
        slices => slices * conv.weight_len(),
    };
    partial + points::of(conv).map_or(0, |dense| dense.x_len())
}

pub(super) fn run<V: Registers>(
    conv: &Conv2d,
    x: &[V::Elem],
    dy: &[V::Elem],
    dw: &mut [V::Elem],
    workspace: &mut [V::Elem],
) {
    if few_channels::is_better::<V::Elem>(conv) {
        few_channels::run::<V>(conv, x, dy, dw, workspace);
        return;
    }
    if let Some(dense) = points::of(conv) {
        let (seen, workspace) = workspace.split_at_mut(dense.x_len());
        points::collect(conv, x, seen);
        return run::<V>(&dense, seen, dy, dw, workspace);
    }
    let slices = slices(conv);
    if slices == 1 {
        products::<V>(conv, x, dy, dw, 1);
        return;
    }
    let partial = &mut workspace[..slices * dw.len()];
    products::<V>(conv, x, dy, partial, slices);
    add_slices(partial, dw);
}

/// Adds up gradients that lie one after the other, in order.
pub(super) fn add_slices<T: Float>(partial: &[T], dw: &mut [T]) {
    let (len, slices) = (dw.len(), partial.len() / dw.len().max(1));
    par::for_each_mut(dw, 1 << 12, |block, dw| {
        let at = block << 12;
        dw.copy_from_slice(&partial[at..][..dw.len()]);
        for slice in 1..slices {
            for (sum, &part) in dw.iter_mut().zip(&partial[slice * len + at..]) {
                *sum += part;
            }
        }
    });
}

/// The gradients of all slices, one after the other in `out`.
fn products<V: Registers>(conv: &Conv2d, x: &[V::Elem], dy: &[V::Elem], out: &mut [V::Elem], slices: usize) {
    let (groups, filters, channels) = (conv.groups(), conv.group_filters(), conv.group_channels());
    let (pixels, taps) = (conv.oh * conv.ow, channels * conv.kh * conv.kw);
    let rows = Rows::new(filters, V::ROWS);
    let window = Window::of(conv);
    let out = Address::of(out);
    // Slices differ by at most one pixel; the driver wants one length, so the longer ones end in a product of their own.
    let all = conv.n * pixels;
    // Where image lies after image, the pixels of a filter are one row.
    let in_place = conv.y_strides().image == pixels && rows_can_stay::<V>(filters, conv.y_strides().channel);
    let run = |slice_len: usize, first_pixel: usize, first_slice: usize, count: usize| {
        let operands = |number: usize| {
            let (slice, group) = (number / groups, number % groups);
            let start = first_pixel + slice * slice_len;
            let lhs = FiltersByPixels {
                dy: dy.get(group * filters * conv.y_strides().channel..).unwrap_or_default(),
                pixels,
                strides: conv.y_strides(),
                start,
                in_place,
            };
            let source = x.get(group * channels * conv.x_strides().channel..).unwrap_or_default();
            let rhs = PixelsByTaps { window: &window, source, start };
            let to = out.skip(((first_slice + slice) * groups + group) * filters * taps);
            (lhs, rhs, Matrix { to, row: taps })
        };
        // SAFETY: `Candidate::backward_weight` has checked the CPU and the lengths of all slices against the convolution; every slice
        // and group writes a matrix of its own.
        unsafe { multiply::<V, _, _, _>(rows, taps, slice_len, count * groups, operands) }
    };
    let (len, longer) = (all / slices, all % slices);
    run(len, longer * (len + 1), longer, slices - longer);
    if longer > 0 {
        run(len + 1, 0, 0, longer);
    }
}

/// `dy` as the matrix `[filters, pixels]`, from pixel `start` on.
struct FiltersByPixels<'a, T> {
    dy: &'a [T],
    /// Pixels of one image.
    pixels: usize,
    /// Where images and filters begin.
    strides: Strides,
    start: usize,
    /// The pixels of all images are one row per filter, which is read where it lies.
    in_place: bool,
}

impl<V: Registers> Lhs<V> for FiltersByPixels<'_, V::Elem> {
    const PACKED: bool = false;

    #[inline(always)]
    fn apart(&self) -> usize {
        if self.in_place { self.strides.channel } else { 0 }
    }

    #[inline(always)]
    unsafe fn pack(&self, rows: &Rows, panels: Range<usize>, ks: Range<usize>, mut to: *mut V::Elem) {
        if self.in_place {
            return;
        }
        let Strides { image: stride, channel } = self.strides;
        // Where image lies after image, a run goes on.
        let pixels = if stride == self.pixels { usize::MAX } else { self.pixels };
        let dy = self.dy.as_ptr();
        for p in panels {
            let (row, height) = (rows.start(p), rows.height(p));
            for (at, image, run) in runs(self.start + ks.start..self.start + ks.end, pixels) {
                // SAFETY: the caller's contract; the run lies inside its image.
                unsafe {
                    let from = dy.add(image * stride + at % pixels);
                    pack::transposed::<V>(height, run, |i| from.add((row + i) * channel), to, height);
                    to = to.add(height * run);
                }
            }
        }
    }

    #[inline(always)]
    unsafe fn panel(
        &self,
        rows: &Rows,
        first: usize,
        p: usize,
        ks: &Range<usize>,
        packed: *const V::Elem,
    ) -> *const V::Elem {
        if self.in_place {
            let at = rows.start(p) * self.strides.channel + self.start + ks.start;
            return self.dy.as_ptr().wrapping_add(at);
        }
        packed.wrapping_add((rows.start(p) - rows.start(first)) * ks.len())
    }
}

/// One gradient `[filters, taps]`.
struct Matrix<T> {
    to: Address<T>,
    row: usize,
}

impl<V: Registers> Sink<V> for Matrix<V::Elem> {
    #[inline(always)]
    unsafe fn place(&self, row: usize, cols: &Range<usize>) -> Option<Place<V::Elem>> {
        let c = self.to.skip(row * self.row + cols.start).start();
        Some(Place { c, ldc: self.row, residual: std::ptr::null(), mask: std::ptr::null() })
    }

    unsafe fn scatter(&self, _: Range<usize>, _: &Range<usize>, _: *const V::Elem, _: bool, _: bool) {
        unreachable!("every tile of a plain matrix has its place");
    }

    fn accumulate(&self) -> bool {
        false
    }

    fn row_bias(&self) -> Option<&[V::Elem]> {
        None
    }

    fn col_bias(&self) -> Option<&[V::Elem]> {
        None
    }
}
