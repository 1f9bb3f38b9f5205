//! Reading patches of images as rows and columns of a matrix, without building the matrix.

use std::ops::Range;

use super::{Conv2d, Strides};
use crate::gemm::driver::{Rhs, Tiled};
use crate::gemm::micro::Registers;
use crate::gemm::pack;
use crate::simd::vector::{MAX_LANES, Vector, first};

/// The largest kernel extent that fits the tables of a [`Plan`].
pub(super) const MAX_TAPS: usize = 32;

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

    /// Every grid point sees the pixel of its own number and nothing else: a 1×1 kernel with stride 1 and no padding.
    fn is_pointwise(&self) -> bool {
        let same =
            |axis: &Axis| axis.taps == 1 && axis.stride == 1 && axis.offset == 0 && axis.grid == axis.size;
        same(&self.y) && same(&self.x)
    }

    /// Where the window is pointwise: as many neighbouring columns are neighbours in memory, those of an image or all of them.
    fn run(&self) -> usize {
        if self.strides.image == self.pixels() { usize::MAX } else { self.pixels() }
    }
}

/// A tap of a window.
#[derive(Clone, Copy)]
struct Tap {
    r: usize,
    s: usize,
    /// Distance from the pixel `(0, 0)` of channel 0 without padding.
    offset: isize,
}

impl Tap {
    #[inline(always)]
    fn new(window: &Window, number: usize) -> Tap {
        let (rest, s) = (number / window.x.taps, number % window.x.taps);
        let (channel, r) = (rest / window.y.taps, rest % window.y.taps);
        let plane = (channel * window.strides.channel) as isize;
        let row = window.y.offset + r as isize * window.y.step;
        let offset = plane + row * window.x.size as isize + window.x.offset + s as isize * window.x.step;
        Tap { r, s, offset }
    }

    #[inline(always)]
    fn next(&mut self, window: &Window) {
        let Window { y, x, .. } = window;
        self.s += 1;
        self.offset += x.step;
        if self.s == x.taps {
            self.s = 0;
            self.r += 1;
            self.offset += y.step * x.size as isize - x.taps as isize * x.step;
            if self.r == y.taps {
                self.r = 0;
                self.offset += window.strides.channel as isize - y.taps as isize * y.step * x.size as isize;
            }
        }
    }
}

/// How to read one register of neighbouring pixels under any tap.
///
/// Whether a lane lies in the image depends on the row of the tap and on its column, separately: two small tables of masks
/// give the mask of every tap. Where neighbours in the grid are neighbours in memory, a register is a few masked loads, one
/// per image row that it touches. With a stride of 2 or 4 it is as many registers as that, of which every second or fourth lane is
/// kept; with another it is a gather.
struct Plan {
    /// Offset of the image of lane 0.
    base: isize,
    rows: [u16; MAX_TAPS],
    cols: [u16; MAX_TAPS],
    /// Lanes of a run of pixels in one row, and where lane 0 of the run would be.
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
            let start = at - (lane * x.stride) as isize;
            match self.runs[..self.run_count].last_mut() {
                Some((mask, last)) if *last == start => *mask |= bits,
                _ => {
                    self.runs[self.run_count] = (bits, start);
                    self.run_count += 1;
                }
            }
            if x.stride != 1 {
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
                // Lanes from the first one at or after the image's left edge to the last one before its right edge.
                let position = x.position(j, s);
                let lanes_below = |edge: isize| {
                    let distance = (edge - position).max(0) as usize;
                    let lanes = if x.stride == 1 { distance } else { distance.div_ceil(x.stride) };
                    first(lanes.min(run))
                };
                *mask |= ((lanes_below(x.size as isize) & !lanes_below(0)) << lane) as u16;
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

    /// The pixels lie in one run, and a full register may be read in full under all taps of the channels up to that of tap `last`: see
    /// [`load_full`].
    #[inline(always)]
    fn is_simple(&self, window: &Window, lanes: usize, last: usize, source: usize) -> bool {
        let Window { y, x, .. } = window;
        if self.run_count != 1 || !matches!(x.stride, 1 | 2 | 4) {
            return false;
        }
        // With a stride, steps are positive, so the last tap is the one that reaches furthest.
        let channels = last / (y.taps * x.taps) + 1;
        let furthest = Tap::new(window, channels * y.taps * x.taps - 1).offset;
        x.stride == 1
            || self.base + self.runs[0].1 + furthest + (lanes * x.stride) as isize <= source as isize
    }

    /// The mask of a tap.
    #[inline(always)]
    fn mask(&self, tap: Tap) -> u32 {
        u32::from(self.rows[tap.r] & self.cols[tap.s])
    }

    /// [`load`](Self::load) where that is [simple](Self::is_simple) and no lane is masked.
    ///
    /// # Safety
    ///
    /// As [`load`](Self::load).
    #[inline(always)]
    unsafe fn load_full<V: Vector>(&self, window: &Window, source: &[V::Elem], tap: Tap) -> V {
        let at = source.as_ptr().wrapping_offset(self.base + self.runs[0].1 + tap.offset);
        // SAFETY: every lane is a pixel, and what lies beside them is in the source.
        unsafe { if window.x.stride == 1 { V::load(at) } else { spread::<V>(at, window.x.stride) } }
    }

    /// The register under a tap; lanes outside the image and past the planned ones are 0.
    ///
    /// # Safety
    ///
    /// Runs below the entry of `V`'s instruction set; `source` and the window describe an array of images, the pixels and the tap exist.
    #[inline(always)]
    unsafe fn load<V: Vector>(&self, window: &Window, source: &[V::Elem], tap: Tap) -> V {
        let mask = self.mask(tap);
        let start = self.base + tap.offset;
        let at = source.as_ptr().wrapping_offset(start);
        let stride = window.x.stride;
        let runs = &self.runs[..self.run_count];
        // SAFETY: the masks keep every lane inside its image; what is read beside the lanes lies inside the source.
        unsafe {
            if stride == 1 {
                if let ([(_, run)], true) = (runs, mask == first(V::LANES)) {
                    return V::load(at.wrapping_offset(*run));
                }
                let mut register = V::zero();
                for &(bits, run) in runs {
                    register = register.load_over(at.wrapping_offset(run), mask & u32::from(bits));
                }
                return register;
            }
            let (low, high) = (-start, source.len() as isize - (V::LANES * stride) as isize - start);
            let inside = runs.iter().all(|&(_, run)| (low..=high).contains(&run));
            if !inside || stride != 2 && stride != 4 {
                return V::gather(at, self.index.as_ptr(), mask);
            }
            if let ([(_, run)], true) = (runs, mask == first(V::LANES)) {
                return spread::<V>(at.wrapping_offset(*run), stride);
            }
            let mut register = V::zero();
            for &(bits, run) in runs {
                let mask = mask & u32::from(bits);
                if mask != 0 {
                    register = register.blend(spread::<V>(at.wrapping_offset(run), stride), mask);
                }
            }
            register
        }
    }
}

/// Every second or fourth number from `at` on.
///
/// # Safety
///
/// Runs below the entry of `V`'s instruction set; `at` is valid for `LANES · stride` reads; the stride is 2 or 4.
#[inline(always)]
unsafe fn spread<V: Vector>(at: *const V::Elem, stride: usize) -> V {
    let lanes = V::LANES;
    // SAFETY: the caller allows the reads.
    unsafe {
        let two = V::load(at).evens(V::load(at.add(lanes)));
        if stride == 2 {
            return two;
        }
        two.evens(V::load(at.add(2 * lanes)).evens(V::load(at.add(3 * lanes))))
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
        let (window, source) = (self.window, self.source);
        if ks.is_empty() {
            return;
        }
        if window.is_pointwise() && window.run() >= V::LANES {
            // SAFETY: the caller's contract.
            return unsafe { self.rows::<V>(ks, cols, to) };
        }
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
            let simple = plans.iter().all(|plan| plan.is_simple(window, V::LANES, ks.end - 1, source.len()));
            let mut tap = Tap::new(window, ks.start);
            for _ in ks.clone() {
                // SAFETY: the caller's contract.
                unsafe {
                    let [a, b] = if simple && plans[0].mask(tap) & plans[1].mask(tap) == first(V::LANES) {
                        [
                            plans[0].load_full::<V>(window, source, tap),
                            plans[1].load_full::<V>(window, source, tap),
                        ]
                    } else {
                        [plans[0].load::<V>(window, source, tap), plans[1].load::<V>(window, source, tap)]
                    };
                    a.store(to);
                    b.store(to.add(V::LANES));
                    to = to.add(V::COLS);
                }
                tap.next(window);
            }
        }
    }
}

/// The most registers of a row of packed columns.
const MAX_VECTORS: usize = 128;

impl<T: Tiled> TapsByPixels<'_, T> {
    /// Packs planes of channels as they lie: of each, all columns before the next, so that memory is read in long runs.
    ///
    /// # Safety
    ///
    /// As [`Rhs::pack`]; the window is pointwise, with images of a register of pixels at least.
    #[inline(always)]
    unsafe fn rows<V: Registers<Elem = T>>(&self, ks: Range<usize>, cols: Range<usize>, to: *mut T) {
        let (pixels, lanes) = (self.window.run(), V::LANES);
        let Strides { image, channel } = self.window.strides;
        let vectors = cols.len().div_ceil(V::COLS) * 2;
        // Of every register: where it begins, the lanes that lie there, and what to add for those that lie in the next image.
        let mut places = [(0, 0, 0); MAX_VECTORS];
        for (v, place) in places[..vectors].iter_mut().enumerate() {
            let col = cols.start + v * lanes;
            let (number, pixel) = (col / pixels, col % pixels);
            let lanes = lanes.min(cols.end.saturating_sub(col));
            let here = lanes.min(pixels - pixel);
            *place = ((number * image + pixel) as isize, first(here), first(lanes) & !first(here));
        }
        // From the place of lane 0 in one image to that in the next.
        let next_image = (image as isize).wrapping_sub(pixels as isize);
        for (row, k) in ks.clone().enumerate() {
            let from = self.source.as_ptr().wrapping_add(k * channel);
            for (v, &(at, here, next)) in places[..vectors].iter().enumerate() {
                let from = from.wrapping_offset(at);
                V::prefetch(from.wrapping_add(pack::AHEAD * channel));
                // SAFETY: the lanes of the masks are pixels of their images.
                unsafe {
                    let register = if here == first(lanes) {
                        V::load(from)
                    } else {
                        let register = V::zero().load_over(from, here);
                        register.load_over(from.wrapping_offset(next_image), next)
                    };
                    register.store(to.add(v / 2 * V::COLS * ks.len() + row * V::COLS + v % 2 * lanes));
                }
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
        let (window, source, lanes) = (self.window, self.source, V::LANES);
        if cols.is_empty() {
            return;
        }
        if window.is_pointwise() {
            // SAFETY: the caller's contract.
            return unsafe { self.columns::<V>(ks, cols, to) };
        }
        let mut plan = Plan::EMPTY;
        for pixel in ks.clone().step_by(lanes) {
            let rows = lanes.min(ks.end - pixel);
            plan.set(window, self.start + pixel, rows);
            let simple = plan.is_simple(window, lanes, cols.end - 1, source.len());
            let mut tap = Tap::new(window, cols.start);
            let mut panel = to.wrapping_add((pixel - ks.start) * V::COLS);
            for col in cols.clone().step_by(lanes) {
                let width = lanes.min(cols.end - col);
                // SAFETY: the caller's contract; a panel has a multiple of `LANES` columns, zeros where there is no tap.
                unsafe {
                    let mut block = [V::zero(); MAX_LANES];
                    for register in &mut block[..width] {
                        *register = if simple && plan.mask(tap) == first(lanes) {
                            plan.load_full::<V>(window, source, tap)
                        } else {
                            plan.load::<V>(window, source, tap)
                        };
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

impl<T: Tiled> PixelsByTaps<'_, T> {
    /// Packs planes of channels, a few at a time from their beginnings to their ends.
    ///
    /// # Safety
    ///
    /// As [`Rhs::pack`]; the window is pointwise.
    #[inline(always)]
    unsafe fn columns<V: Registers<Elem = T>>(&self, ks: Range<usize>, cols: Range<usize>, mut to: *mut T) {
        let pixels = self.window.run();
        let Strides { image, channel } = self.window.strides;
        for col in cols.clone().step_by(V::COLS) {
            let width = V::COLS.min(cols.end - col);
            for (at, row, run) in runs(self.start + ks.start..self.start + ks.end, pixels) {
                let from = self.source.as_ptr().wrapping_add(row * image + at % pixels);
                let first = to.wrapping_add((at - self.start - ks.start) * V::COLS);
                // SAFETY: the caller's contract; a run lies inside its image.
                unsafe {
                    pack::transposed::<V>(width, run, |j| from.add((col + j) * channel), first, V::COLS);
                }
            }
            // SAFETY: the panel is as long as the block of pixels.
            unsafe { pack::zeroed(to, ks.len(), V::COLS, width, V::COLS) };
            to = to.wrapping_add(V::COLS * ks.len());
        }
    }
}

/// Numbers of pixels cut where images of `pixels` end: the first of a run, its image and the length.
#[inline(always)]
pub(super) fn runs(range: Range<usize>, pixels: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut at = range.start;
    std::iter::from_fn(move || {
        (at < range.end).then(|| {
            let (first, image) = (at, at / pixels);
            at = range.end.min((image + 1) * pixels);
            (first, image, at - first)
        })
    })
}
