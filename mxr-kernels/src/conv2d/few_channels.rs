//! The gradient of the weight of images with few channels, first layers as a rule: `[(channel, r, s), pixels] · [pixels, filters]`.
//!
//! Taps are few there and filters are few, so turning what the taps see takes longer than multiplying it. But the pixels that one tap
//! sees along a row of the output lie in a row of the image, at the stride's distance: the register tile reads them where they lie, one
//! number at a time, as it does with rows of A. What is packed is `dy`, which has each number once.
//!
//! A task has some rows of the output. For each it copies the rows of the image that the kernel sees, with the zeros beside them,
//! turns the row of `dy`, and adds their product to its gradient. The gradients of the tasks, whose number depends on the shapes
//! alone, lie in the workspace and are added in order.

use std::marker::PhantomData;
use std::ops::Range;

use super::Conv2d;
use super::backward_weight::add_slices;
use crate::element::Num;
use crate::gemm::dense::Address;
use crate::gemm::driver::Tiled;
use crate::gemm::micro::{Registers, Rows, Tile};
use crate::gemm::pack;
use crate::par;
use crate::simd::Kernel;

/// Tasks that keep the threads of a large machine busy.
const TASKS: usize = 16;

/// The most channels.
const CHANNELS: usize = 4;

/// The most taps of all channels, whose places are kept on the stack.
const TAPS: usize = 512;

/// The shortest rows of the output that are worth their sums' ways to memory and back.
const ROW: usize = 12;

/// Columns of the widest register tile: rows of gradients are a multiple of it.
const COLUMNS: usize = 32;

/// Where the rows are long enough, and fit the memory of packed operands with what they see.
pub(super) fn is_better<T: Tiled>(conv: &Conv2d) -> bool {
    let fits = taps(conv) <= TAPS && seen_len(conv) + conv.ow * width(conv) <= (T::MC + T::NC) * T::KC;
    conv.groups() == 1 && conv.c <= CHANNELS && conv.kh * conv.kw > 1 && conv.ow >= ROW && fits
}

/// The gradient of each task, and their sum.
pub(super) fn workspace_len(conv: &Conv2d) -> usize {
    (tasks(conv) + 1) * taps(conv) * width(conv)
}

fn tasks(conv: &Conv2d) -> usize {
    TASKS.min(conv.n * conv.oh)
}

fn taps(conv: &Conv2d) -> usize {
    conv.c * conv.kh * conv.kw
}

/// Filters, filled up.
fn width(conv: &Conv2d) -> usize {
    conv.filters.next_multiple_of(COLUMNS)
}

/// Pixels of a row of the image, and zeros beside it, that one row of the output sees.
fn seen_row(conv: &Conv2d) -> usize {
    (conv.ow - 1) * conv.attrs.stride[1] as usize + (conv.kw - 1) * conv.attrs.dilation[1] as usize + 1
}

/// Those of all channels and rows of the kernel.
fn seen_len(conv: &Conv2d) -> usize {
    conv.c * conv.kh * seen_row(conv)
}

pub(super) fn run<V: Registers>(
    conv: &Conv2d,
    x: &[V::Elem],
    dy: &[V::Elem],
    dw: &mut [V::Elem],
    workspace: &mut [V::Elem],
) {
    let (rows, tasks) = (conv.n * conv.oh, tasks(conv));
    if rows == 0 {
        dw.fill(V::Elem::ZERO);
        return;
    }
    let len = taps(conv) * width(conv);
    let (sum, rest) = workspace.split_at_mut(len);
    let partial = &mut rest[..tasks * len];
    let start = Address::of(partial);
    par::for_blocks(tasks, |task| {
        let rows = rows * task / tasks..rows * (task + 1) / tasks;
        let dw = start.skip(task * len);
        V::Elem::with_scratch(|scratch| {
            V::enter(Task { conv, rows, x, dy, dw, scratch, v: PhantomData::<V> })
        });
    });
    add_slices(partial, sum);
    for (filter, dw) in dw.chunks_exact_mut(taps(conv)).enumerate() {
        for (to, sums) in dw.iter_mut().zip(sum.chunks_exact(width(conv))) {
            *to = sums[filter];
        }
    }
}

/// What some rows of the output give.
struct Task<'a, V: Registers> {
    conv: &'a Conv2d,
    /// Numbered `(image, row)`; one at least.
    rows: Range<usize>,
    x: &'a [V::Elem],
    dy: &'a [V::Elem],
    /// The task's gradient `[taps, width]`.
    dw: Address<V::Elem>,
    scratch: &'a mut [V::Elem],
    v: PhantomData<V>,
}

impl<V: Registers> Kernel for Task<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Task { conv, rows, x, dy, dw, scratch, .. } = self;
        let Conv2d { kw, oh, ow, filters, .. } = *conv;
        let (step, dilation) = (conv.attrs.stride[1] as usize, conv.attrs.dilation[1] as usize);
        let (taps, width, seen_row) = (taps(conv), width(conv), seen_row(conv));
        let (seen, turned) = scratch.split_at_mut(seen_len(conv));
        let turned = &mut turned[..ow * width];
        // Filters past the last one stay 0.
        turned.fill(V::Elem::ZERO);
        let mut places = [0; TAPS];
        for (tap, place) in places[..taps].iter_mut().enumerate() {
            *place = tap / kw * seen_row + tap % kw * dilation;
        }
        let panels = Rows::new(taps, V::ROWS);
        let strides = conv.y_strides();
        for number in rows.clone() {
            let (image, i) = (number / oh, number % oh);
            copy_seen(conv, image, i, x, seen);
            let dy = &dy[image * strides.image + i * ow..];
            for col in (0..filters).step_by(V::COLS) {
                let here = V::COLS.min(filters - col);
                let to = turned[col * ow..][..ow * V::COLS].as_mut_ptr();
                // SAFETY: below the entry of `V`'s instruction set. `Candidate::backward_weight` has checked the length of `dy` against the
                // convolution, so the row of the output lies in each filter's plane, and the panel was just measured.
                unsafe {
                    let from = dy.as_ptr();
                    pack::transposed::<V>(
                        here,
                        ow,
                        |j| from.wrapping_add((col + j) * strides.channel),
                        to,
                        V::COLS,
                    );
                }
                for p in 0..panels.panels() {
                    let row = panels.start(p);
                    let c = dw.skip(row * width + col).start();
                    // SAFETY: as above. A tap's place lies `(ow − 1) · step` in front of the end of its row at least; the tile lies in the gradient of
                    // this task, whose rows are multiples of a tile's columns.
                    unsafe {
                        V::TILES[panels.height(p) - 1][1](&Tile {
                            a: seen.as_ptr(),
                            rows: places[row..].as_ptr(),
                            step,
                            sum: if number == rows.start { std::ptr::null() } else { c },
                            lds: width,
                            ..Tile::plain(ow, to, V::COLS, c, width, V::COLS)
                        });
                    }
                }
            }
        }
    }
}

/// Copies what row `i` of an image's output sees to `[channel, r, pixel]`, with zeros outside the image.
#[inline(always)]
fn copy_seen<T: Num>(conv: &Conv2d, image: usize, i: usize, x: &[T], seen: &mut [T]) {
    let Conv2d { h, w, kh, attrs, .. } = *conv;
    let [top, left, ..] = attrs.pad.map(|pad| pad as usize);
    let len = seen_row(conv);
    // left ≤ position < left + w
    let (low, high) = (left.min(len), (left + w).min(len));
    for (number, to) in seen.chunks_exact_mut(len).enumerate() {
        let (channel, r) = (number / kh, number % kh);
        let position = i * attrs.stride[0] as usize + r * attrs.dilation[0] as usize;
        match position.checked_sub(top).filter(|&y| y < h) {
            None => to.fill(T::ZERO),
            Some(y) => {
                let row = &x[conv.x_strides().at(image, channel) + y * w..][..w];
                to[..low].fill(T::ZERO);
                to[low..high].copy_from_slice(&row[..high - low]);
                to[high..].fill(T::ZERO);
            }
        }
    }
}
