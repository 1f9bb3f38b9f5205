//! Pooling a row of several planes at a time: across the windows of every input row, then down the rows.
//!
//! What is found across a row serves all windows that have the row. Going back, an average is spread across a row of outputs and
//! then gathered by the rows of inputs, so every element is written once.

use std::ops::Range;

use mxr_graph::instr::PoolKind;

use super::strip::{Group, Scratch, Strip, give, tap};
use super::{Axis, Pool2d};
use crate::element::{Float, Num};
use crate::isa::Isa;
use crate::level::{self, Wide};
use crate::simd::vector::{MAX_LANES, Vector};

pub(super) fn forward<T: Float>(isa: Isa, d: &Pool2d, strip: Strip, x: &[T], y: &mut [T]) {
    level::run_wide(isa, Forward { d, strip, x, y });
}

pub(super) fn backward_avg<T: Float>(isa: Isa, d: &Pool2d, strip: Strip, dy: &[T], dx: &mut [T]) {
    level::run_wide(isa, BackwardAvg { d, strip, dy, dx });
}

/// Runs `$body` with the horizontal extent and step of a window as constants, for those that are met often: loops over taps are then
/// written out.
macro_rules! with_window {
    ($columns:expr, |$kernel:ident, $stride:ident| $body:expr) => {
        match ($columns.kernel, $columns.stride) {
            (2, 2) => {
                let ($kernel, $stride) = (2, 2);
                $body
            }
            (3, 1) => {
                let ($kernel, $stride) = (3, 1);
                $body
            }
            (3, 2) => {
                let ($kernel, $stride) = (3, 2);
                $body
            }
            ($kernel, $stride) => $body,
        }
    };
}
pub(super) use with_window;

/// How elements of a window are combined.
trait Fold {
    /// What changes no result.
    fn neutral<T: Float>() -> T;

    /// # Safety
    /// The CPU has the instructions.
    unsafe fn fold<V: Vector>(a: V, b: V) -> V;
}

struct Larger;
struct Sum;

impl Fold for Larger {
    fn neutral<T: Float>() -> T {
        T::NEG_INFINITY
    }

    #[inline(always)]
    unsafe fn fold<V: Vector>(a: V, b: V) -> V {
        // SAFETY: the caller's promise.
        unsafe { a.larger(b) }
    }
}

impl Fold for Sum {
    fn neutral<T: Float>() -> T {
        T::ZERO
    }

    #[inline(always)]
    unsafe fn fold<V: Vector>(a: V, b: V) -> V {
        // SAFETY: the caller's promise.
        unsafe { a.add(b) }
    }
}

struct Forward<'a, T> {
    d: &'a Pool2d,
    strip: Strip,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Float> Wide<T> for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) {
        // SAFETY: `run_wide` has the instructions.
        unsafe {
            with_window!(self.strip.columns, |kernel, stride| match self.d.attrs.kind {
                PoolKind::Avg => self.fold::<V, Sum>(kernel, stride),
                PoolKind::Max | PoolKind::ReluMax => self.fold::<V, Larger>(kernel, stride),
            });
        }
    }
}

impl<T: Float> Forward<'_, T> {
    /// # Safety
    /// The CPU has the instructions; the window has this extent and step.
    #[inline(always)]
    unsafe fn fold<V: Vector<Elem = T>, F: Fold>(self, kernel: usize, stride: usize) {
        let Forward { d, strip, x, y } = self;
        let (plane, out) = (d.h * d.w, d.oh * d.ow);
        assert!(x.len() == d.planes() * plane && y.len() == d.planes() * out, "planes as described");
        let mut scratch = Scratch::new();
        let mut room = scratch.room();
        let neutral = F::neutral::<T>();
        let inputs = room.take(strip.inputs(), neutral);
        let ring = room.take(strip.rows.kernel * strip.len, neutral);
        let counts = counts(d, &strip, room.take(strip.len, T::ONE));
        let result = room.take(strip.len + MAX_LANES, neutral);
        let slot = |iy: usize| ring.wrapping_add(iy % strip.rows.kernel * strip.len);
        // SAFETY: the caller's promise; rows and planes lie in their slices, strips in their memory.
        unsafe {
            for group in strip.groups::<V>(d.planes()) {
                let mut next = 0;
                for oy in 0..d.oh {
                    let window = strip.rows.window(oy);
                    next = next.max(window.start);
                    while next < window.end {
                        let row = x.as_ptr().add(group.first * plane + next * d.w);
                        strip.lay_inputs::<V>(group, row, plane, inputs, neutral);
                        let to = slot(next);
                        for j in (0..group.len).step_by(V::LANES) {
                            let mut sum = tap::<V>(inputs, j, 0, stride);
                            for s in 1..kernel {
                                sum = F::fold(sum, tap::<V>(inputs, j, s, stride));
                            }
                            sum.store(to.add(j));
                        }
                        next += 1;
                    }
                    down::<V, F>(group, window, slot, result);
                    finish::<V>(d, &strip, oy, group, counts, result);
                    let to = y.as_mut_ptr().add(group.first * out + oy * d.ow);
                    give::<V>(group.planes, result, strip.pitch, d.ow, to, out, (d.oh - oy) * d.ow);
                }
            }
        }
    }
}

/// Combines the rows of a window.
#[inline(always)]
unsafe fn down<V: Vector, F: Fold>(
    group: Group,
    window: Range<usize>,
    slot: impl Fn(usize) -> *mut V::Elem,
    result: *mut V::Elem,
) {
    let at = |i: usize| if window.len() > i { slot(window.start + i) } else { std::ptr::null_mut() };
    let (a, b, c) = (at(0), at(1), at(2));
    // SAFETY: the caller's promise.
    unsafe {
        for j in (0..group.len).step_by(V::LANES) {
            let sum = match window.len() {
                0 => V::splat(F::neutral()),
                1 => V::load(a.add(j)),
                2 => F::fold(V::load(a.add(j)), V::load(b.add(j))),
                _ => F::fold(F::fold(V::load(a.add(j)), V::load(b.add(j))), V::load(c.add(j))),
            };
            sum.store(result.add(j));
        }
        for iy in window.skip(3) {
            let row = slot(iy);
            for j in (0..group.len).step_by(V::LANES) {
                F::fold(V::load(result.add(j)), V::load(row.add(j))).store(result.add(j));
            }
        }
    }
}

/// What is done to sums and maxima.
#[inline(always)]
unsafe fn finish<V: Vector>(
    d: &Pool2d,
    strip: &Strip,
    oy: usize,
    group: Group,
    counts: *const V::Elem,
    result: *mut V::Elem,
) {
    let height = V::Elem::from_f64(strip.rows.count(oy, with_pad(d)).max(1) as f64);
    // SAFETY: the caller's promise.
    unsafe {
        match d.attrs.kind {
            PoolKind::Max => {}
            PoolKind::ReluMax => {
                for j in (0..group.len).step_by(V::LANES) {
                    V::load(result.add(j)).relu().store(result.add(j));
                }
            }
            PoolKind::Avg => {
                let height = V::splat(height);
                for j in (0..group.len).step_by(V::LANES) {
                    let count = height.mul(V::load(counts.add(j)));
                    V::load(result.add(j)).div(count).store(result.add(j));
                }
            }
        }
    }
}

fn with_pad(d: &Pool2d) -> bool {
    d.attrs.count_pad && !d.attrs.global
}

/// What each window of a row counts, were it one row high; 1 where there is none. `to` is a strip of outputs.
fn counts<T: Float>(d: &Pool2d, strip: &Strip, to: *mut T) -> *const T {
    for ox in 0..d.ow {
        let count = T::from_f64(strip.columns.count(ox, with_pad(d)).max(1) as f64);
        for at in (ox..strip.len).step_by(strip.pitch) {
            // SAFETY: inside the strip.
            unsafe { *to.add(at) = count };
        }
    }
    to
}

/// What goes back from rows of outputs.
pub(super) trait Gradient<V: Vector> {
    /// Prepares row `oy` of a group.
    ///
    /// # Safety
    /// The group is one of the strip, the rows of a group come in order, and the CPU has the instructions.
    unsafe fn lay(&mut self, group: Group, oy: usize);

    /// How row `oy` of the outputs is added to row `row` of the inputs, which counts from the padding.
    type Row: Copy;

    /// Looks it up. Nothing is read of a row that is not among those that `row` belongs to.
    fn row(&self, row: usize, oy: usize) -> Self::Row;

    /// `sum` and what a row of outputs gives to inputs `(j + lane) · S + phase`.
    ///
    /// # Safety
    /// The row was prepared, and not too many after it; the CPU has the instructions.
    unsafe fn add(&self, row: Self::Row, sum: V, j: usize, phase: usize) -> V;
}

/// Rows of outputs that a row of inputs belongs to: the first few, looked up, and the others.
struct Rows<R> {
    first: [R; 3],
    row: usize,
    outputs: Range<usize>,
}

impl<R: Copy> Rows<R> {
    #[inline(always)]
    fn new<V: Vector>(gradient: &impl Gradient<V, Row = R>, row: usize, outputs: Range<usize>) -> Self {
        let first = std::array::from_fn(|i| gradient.row(row, outputs.start + i));
        Rows { first, row, outputs }
    }

    /// What all of them give.
    ///
    /// # Safety
    /// As [`Gradient::add`].
    #[inline(always)]
    unsafe fn sum<V: Vector>(&self, gradient: &impl Gradient<V, Row = R>, j: usize, phase: usize) -> V {
        let count = self.outputs.len();
        // SAFETY: the caller's promise.
        unsafe {
            let mut sum = V::zero();
            if count > 0 {
                sum = gradient.add(self.first[0], sum, j, phase);
            }
            if count > 1 {
                sum = gradient.add(self.first[1], sum, j, phase);
            }
            if count > 2 {
                sum = gradient.add(self.first[2], sum, j, phase);
            }
            for oy in self.outputs.clone().skip(3) {
                sum = gradient.add(gradient.row(self.row, oy), sum, j, phase);
            }
            sum
        }
    }
}

/// Writes every element of `dx` once.
///
/// # Safety
/// The CPU has the instructions; the window has this step; `line` is a strip of inputs.
#[inline(always)]
pub(super) unsafe fn backward<V: Vector, G: Gradient<V>>(
    d: &Pool2d,
    strip: &Strip,
    stride: usize,
    gradient: &mut G,
    line: *mut V::Elem,
    dx: &mut [V::Elem],
) {
    let (plane, lanes) = (d.h * d.w, V::LANES);
    assert!(dx.len() == d.planes() * plane, "planes as described");
    let Axis { kernel: height, stride: step, before, .. } = strip.rows;
    for group in strip.groups::<V>(d.planes()) {
        let mut next = 0;
        for iy in 0..d.h {
            let row = iy + before;
            let outputs = (row + 1).saturating_sub(height).div_ceil(step)..(row / step + 1).min(d.oh);
            next = next.max(outputs.start);
            // SAFETY: the caller's promise; rows and planes lie in their slices, strips in their memory.
            unsafe {
                while next < outputs.end {
                    gradient.lay(group, next);
                    next += 1;
                }
                let rows = Rows::new::<V>(gradient, row, outputs);
                for j in (0..group.len).step_by(lanes) {
                    match stride {
                        1 => rows.sum::<V>(gradient, j, 0).store(line.add(j)),
                        2 => {
                            let even = rows.sum::<V>(gradient, j, 0);
                            let [low, high] = even.interleave(rows.sum::<V>(gradient, j, 1));
                            low.store(line.add(2 * j));
                            high.store(line.add(2 * j + lanes));
                        }
                        _ => {
                            for phase in 0..stride {
                                let mut numbers = [V::Elem::ZERO; MAX_LANES];
                                rows.sum::<V>(gradient, j, phase).store(numbers.as_mut_ptr());
                                for (lane, &number) in numbers[..lanes].iter().enumerate() {
                                    *line.add((j + lane) * stride + phase) = number;
                                }
                            }
                        }
                    }
                }
                let to = dx.as_mut_ptr().add(group.first * plane + iy * d.w);
                let from = line.add(strip.columns.before);
                give::<V>(group.planes, from, strip.pitch * stride, d.w, to, plane, (d.h - iy) * d.w);
            }
        }
    }
}

struct BackwardAvg<'a, T> {
    d: &'a Pool2d,
    strip: Strip,
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Wide<T> for BackwardAvg<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) {
        let BackwardAvg { d, strip, dy, dx } = self;
        assert!(dy.len() == d.planes() * d.oh * d.ow, "planes as described");
        let mut scratch = Scratch::new();
        let mut room = scratch.room();
        let share = room.take(strip.front + strip.len + MAX_LANES, T::ZERO).wrapping_add(strip.front);
        let ring = room.take(strip.slots() * strip.columns.stride * strip.len, T::ZERO);
        let counts = counts(d, &strip, room.take(strip.len, T::ONE));
        let line = room.take(strip.inputs(), T::ZERO);
        with_window!(strip.columns, |kernel, stride| {
            let mut shares = Shares { d, strip, kernel, stride, dy, counts, share, ring };
            // SAFETY: `run_wide` has the instructions; the memory was just taken for it.
            unsafe { backward::<V, _>(d, &strip, stride, &mut shares, line, dx) }
        });
    }
}

/// Gradients of averages, divided and spread across their windows.
struct Shares<'a, T> {
    d: &'a Pool2d,
    strip: Strip,
    kernel: usize,
    stride: usize,
    dy: &'a [T],
    counts: *const T,
    /// A strip of outputs.
    share: *mut T,
    /// For each row of outputs, the phases of its inputs one after the other.
    ring: *mut T,
}

impl<T: Float> Shares<'_, T> {
    #[inline(always)]
    fn slot(&self, oy: usize) -> *mut T {
        self.ring.wrapping_add(oy % self.strip.slots() * self.stride * self.strip.len)
    }
}

impl<V: Vector> Gradient<V> for Shares<'_, V::Elem> {
    #[inline(always)]
    unsafe fn lay(&mut self, group: Group, oy: usize) {
        let Shares { d, strip, kernel, stride, share, .. } = *self;
        let out = d.oh * d.ow;
        let to = self.slot(oy);
        // SAFETY: the caller's promise; in front of a strip there is what the first outputs of its first plane look at.
        unsafe {
            let row = self.dy.as_ptr().add(group.first * out + oy * d.ow);
            strip.lay_outputs::<V>(group, row, out, share);
            finish::<V>(d, &strip, oy, group, self.counts, share);
            for phase in 0..stride {
                let to = to.add(phase * strip.len);
                for j in (0..group.len).step_by(V::LANES) {
                    let mut sum = V::zero();
                    for s in (phase..kernel).step_by(stride) {
                        sum = sum.add(V::load(share.add(j).sub(s / stride)));
                    }
                    sum.store(to.add(j));
                }
            }
        }
    }

    type Row = *const V::Elem;

    #[inline(always)]
    fn row(&self, _: usize, oy: usize) -> Self::Row {
        self.slot(oy)
    }

    #[inline(always)]
    unsafe fn add(&self, row: Self::Row, sum: V, j: usize, phase: usize) -> V {
        // SAFETY: the caller's promise.
        unsafe { sum.add(V::load(row.add(phase * self.strip.len + j))) }
    }
}
