//! Reading patches of images as rows and columns of a matrix, without building the matrix.

use std::ops::Range;

use super::{Conv2d, Strides};
use crate::gemm::driver::Rhs;
use crate::gemm::micro::Registers;
use crate::simd::vector::{MAX_LANES, Vector, first};

/// The largest kernel extent that fits the tables of a [`Plan`].
const MAX_TAPS: usize = 32;

/// What the implicit products can do: kernels up to 32×32, and images small enough for 32-bit offsets between the pixels of a register.
pub(super) fn accepts(conv: &Conv2d) -> bool {
    let image = (conv.c * conv.h * conv.w).max(conv.filters * conv.oh * conv.ow);
    conv.kh <= MAX_TAPS && conv.kw <= MAX_TAPS && image < i32::MAX as usize / (MAX_LANES + 2)
}

/// One axis of a sliding window: tap `t` at grid point `i` reads position `i · stride + offset + t · step`, if that is in `0..size`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) size: usize,
    pub(super) grid: usize,
    pub(super) stride: usize,
    pub(super) taps: usize,
    pub(super) offset: isize,
    pub(super) step: isize,
}

impl Axis {
    fn position(&self, i: usize, tap: usize) -> isize {
        (i * self.stride) as isize + self.offset + tap as isize * self.step
    }
}

/// A window that slides over every image of a batch. Pixels are numbered `(image, i, j)`, taps `(channel, r, s)`, both row-major.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) y: Axis,
    pub(super) x: Axis,
    /// Where images and channels begin.
    pub(super) strides: Strides,
}

impl Window {
    /// The window of the forward product.
    pub(super) fn of(conv: &Conv2d) -> Window {
        let axis = |axis: usize, size, grid, taps| Axis {
            size,
            grid,
            stride: conv.attrs.stride[axis] as usize,
            taps,
            offset: -(conv.attrs.pad[axis] as isize),
            step: conv.attrs.dilation[axis] as isize,
        };
        Window {
            y: axis(0, conv.h, conv.oh, conv.kh),
            x: axis(1, conv.w, conv.ow, conv.kw),
            strides: conv.x_strides(),
        }
    }

    /// Grid points per image.
    pub(super) fn pixels(&self) -> usize {
        self.y.grid * self.x.grid
    }
}

/// A tap of a window.
#[derive(Clone, Copy)]
struct Tap {
    channel: usize,
    r: usize,
    s: usize,
}

impl Tap {
    #[inline(always)]
    fn new(window: &Window, number: usize) -> Tap {
        let (rest, s) = (number / window.x.taps, number % window.x.taps);
        Tap { channel: rest / window.y.taps, r: rest % window.y.taps, s }
    }

    #[inline(always)]
    fn next(&mut self, window: &Window) {
        self.s += 1;
        if self.s == window.x.taps {
            self.s = 0;
            self.r += 1;
            if self.r == window.y.taps {
                self.r = 0;
                self.channel += 1;
            }
        }
    }

    /// Distance from the pixel `(0, 0)` without padding.
    #[inline(always)]
    fn offset(&self, window: &Window) -> isize {
        let plane = (self.channel * window.strides.channel) as isize;
        let row = window.y.offset + self.r as isize * window.y.step;
        plane + row * window.x.size as isize + window.x.offset + self.s as isize * window.x.step
    }
}

/// How to read one register of neighbouring pixels under any tap.
///
/// Whether a lane lies in the image depends on the row of the tap and on its column, separately: two small tables of masks
/// give the mask of every tap. Where neighbours in the grid are neighbours in memory, a register is a few masked loads, one
/// per image row that it touches; with a stride it is a gather.
struct Plan {
    /// Offset of the image of lane 0.
    base: isize,
    rows: [u16; MAX_TAPS],
    cols: [u16; MAX_TAPS],
    /// Lanes of a run of neighbours, and where lane 0 of the run would be.
    runs: [(u16, isize); MAX_LANES],
    run_count: usize,
    /// With a stride: where each lane is.
    index: [i32; MAX_LANES],
}

impl Plan {
    const EMPTY: Plan = Plan {
        base: 0,
        rows: [0; MAX_TAPS],
        cols: [0; MAX_TAPS],
        runs: [(0, 0); MAX_LANES],
        run_count: 0,
        index: [0; MAX_LANES],
    };

    /// For `lanes` pixels from number `pixel` on.
    #[inline(always)]
    fn set(&mut self, window: &Window, pixel: usize, lanes: usize) {
        let Window { y, x, strides: Strides { image, .. } } = *window;
        self.rows[..y.taps].fill(0);
        self.cols[..x.taps].fill(0);
        self.run_count = 0;
        let first_image = pixel / window.pixels();
        self.base = (first_image * image) as isize;
        let (mut number, mut i, mut j) = (0, pixel % window.pixels() / x.grid, pixel % x.grid);
        let mut lane = 0;
        while lane < lanes {
            let run = (x.grid - j).min(lanes - lane);
            let bits = (first(run) << lane) as u16;
            let at = (number * image + i * y.stride * x.size + j * x.stride) as isize;
            if x.stride == 1 {
                let start = at - lane as isize;
                match self.runs[..self.run_count].last_mut() {
                    Some((mask, last)) if *last == start => *mask |= bits,
                    _ => {
                        self.runs[self.run_count] = (bits, start);
                        self.run_count += 1;
                    }
                }
            } else {
                for t in 0..run {
                    self.index[lane + t] = (at + (t * x.stride) as isize) as i32;
                }
            }
            for (r, mask) in self.rows[..y.taps].iter_mut().enumerate() {
                if (0..y.size as isize).contains(&y.position(i, r)) {
                    *mask |= bits;
                }
            }
            for (s, mask) in self.cols[..x.taps].iter_mut().enumerate() {
                let position = x.position(j, s);
                if x.stride == 1 {
                    let low = (-position).clamp(0, run as isize) as usize;
                    let high = (x.size as isize - position).clamp(low as isize, run as isize) as usize;
                    *mask |= ((first(high) & !first(low)) << lane) as u16;
                } else {
                    for t in 0..run {
                        let inside = (0..x.size as isize).contains(&(position + (t * x.stride) as isize));
                        *mask |= u16::from(inside) << (lane + t);
                    }
                }
            }
            lane += run;
            j = 0;
            i += 1;
            if i == y.grid {
                i = 0;
                number += 1;
            }
        }
    }

    /// The register under a tap; lanes outside the image and past the planned ones are 0.
    ///
    /// # Safety
    ///
    /// Runs below the entry of `V`'s instruction set; `source` and the window describe an array of images, the pixels and the tap exist.
    #[inline(always)]
    unsafe fn load<V: Vector>(&self, window: &Window, source: *const V::Elem, tap: Tap) -> V {
        let mask = u32::from(self.rows[tap.r] & self.cols[tap.s]);
        let at = source.wrapping_offset(self.base + tap.offset(window));
        // SAFETY: the masks keep every lane inside its image.
        unsafe {
            if window.x.stride != 1 {
                return V::gather(at, self.index.as_ptr(), mask);
            }
            if self.run_count == 1 && mask == first(V::LANES) {
                return V::load(at.wrapping_offset(self.runs[0].1));
            }
            let mut register = V::zero();
            for &(bits, start) in &self.runs[..self.run_count] {
                register = register.load_over(at.wrapping_offset(start), mask & u32::from(bits));
            }
            register
        }
    }
}

/// The matrix `[taps, pixels]`: one column per grid point of every image.
pub(super) struct TapsByPixels<'a, T> {
    pub(super) window: &'a Window,
    pub(super) source: &'a [T],
}

impl<V: Registers> Rhs<V> for TapsByPixels<'_, V::Elem> {
    #[inline(always)]
    unsafe fn pack(&self, ks: Range<usize>, cols: Range<usize>, mut to: *mut V::Elem) {
        if ks.is_empty() {
            return;
        }
        let (window, source) = (self.window, self.source.as_ptr());
        let mut plans = [Plan::EMPTY; 2];
        for col in cols.clone().step_by(V::COLS) {
            let width = V::COLS.min(cols.end - col);
            for (v, plan) in plans.iter_mut().enumerate() {
                // Past the last pixel there is nothing to plan; lanes without a bit load as zeros.
                plan.set(
                    window,
                    (col + v * V::LANES).min(cols.end - 1),
                    width.saturating_sub(v * V::LANES).min(V::LANES),
                );
            }
            let mut tap = Tap::new(window, ks.start);
            for _ in ks.clone() {
                // SAFETY: the caller's contract.
                unsafe {
                    plans[0].load::<V>(window, source, tap).store(to);
                    plans[1].load::<V>(window, source, tap).store(to.add(V::LANES));
                    to = to.add(V::COLS);
                }
                tap.next(window);
            }
        }
    }
}

/// The matrix `[pixels, taps]`: one row per grid point of the images, from pixel `start` on.
pub(super) struct PixelsByTaps<'a, T> {
    pub(super) window: &'a Window,
    pub(super) source: &'a [T],
    pub(super) start: usize,
}

impl<V: Registers> Rhs<V> for PixelsByTaps<'_, V::Elem> {
    #[inline(always)]
    unsafe fn pack(&self, ks: Range<usize>, cols: Range<usize>, to: *mut V::Elem) {
        let (window, source, lanes) = (self.window, self.source.as_ptr(), V::LANES);
        let mut plan = Plan::EMPTY;
        for pixel in ks.clone().step_by(lanes) {
            let rows = lanes.min(ks.end - pixel);
            plan.set(window, self.start + pixel, rows);
            let mut tap = Tap::new(window, cols.start);
            let mut panel = to.wrapping_add((pixel - ks.start) * V::COLS);
            for col in cols.clone().step_by(lanes) {
                let width = lanes.min(cols.end - col);
                // SAFETY: the caller's contract; a panel has a multiple of `LANES` columns, zeros where there is no tap.
                unsafe {
                    let mut block = [V::zero(); MAX_LANES];
                    for register in &mut block[..width] {
                        *register = plan.load::<V>(window, source, tap);
                        tap.next(window);
                    }
                    V::transpose(&mut block);
                    let to = panel.add((col - cols.start) % V::COLS);
                    for (p, register) in block[..rows].iter().enumerate() {
                        register.store(to.add(p * V::COLS));
                    }
                }
                if (col - cols.start) % V::COLS + lanes == V::COLS {
                    panel = panel.wrapping_add(V::COLS * ks.len());
                }
            }
        }
    }
}
