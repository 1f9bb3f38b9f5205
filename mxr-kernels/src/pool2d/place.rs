//! Maxima with their places, and the gradient that goes back to those places.
//!
//! As in `cpu`: across the windows of every input row, which leaves the largest element and its column, then down the rows. In both
//! directions only what is larger takes the place of what came before, so the first in row-major order wins. In scratch memory a place is
//! the number `ky · kw + kx + 1`, and 0 is none. Going back, an input asks the outputs whose windows it lies in for their places, in
//! row-major order, so sums are made in the order of the reference.

use mxr_graph::instr::PoolKind;

use super::cpu::{Gradient, backward as gather, with_window};
use super::strip::{Group, Scratch, Strip, give, give_bytes, lay_bytes, tap};
use super::{Pool2d, ZERO_GRADIENT};
use crate::element::{Float, Num};
use crate::isa::Isa;
use crate::level::{self, Wide};
use crate::simd::vector::{MAX_LANES, Vector};

pub(super) fn forward<T: Float>(isa: Isa, d: &Pool2d, strip: Strip, x: &[T], y: &mut [T], place: &mut [u8]) {
    level::run_wide(isa, Forward { d, strip, x, y, place });
}

pub(super) fn backward<T: Float>(isa: Isa, d: &Pool2d, strip: Strip, place: &[u8], dy: &[T], dx: &mut [T]) {
    level::run_wide(isa, Backward { d, strip, place, dy, dx });
}

/// The same from the input, whose places are looked up again.
pub(super) fn backward_from_input<T: Float>(
    isa: Isa,
    d: &Pool2d,
    strip: Strip,
    x: &[T],
    dy: &[T],
    dx: &mut [T],
) {
    level::run_wide(isa, BackwardFromInput { d, strip, x, dy, dx });
}

/// Numbers that places have.
const PLACES: usize = 257;

fn numbers<T: Float>() -> [T; PLACES] {
    std::array::from_fn(|number| T::from_f64(number as f64))
}

/// Rows of maxima.
struct Maxima<'a, T> {
    d: &'a Pool2d,
    strip: Strip,
    kernel: usize,
    stride: usize,
    x: &'a [T],
    inputs: *mut T,
    /// The maxima of input rows, and the columns of their windows that they are in.
    value: *mut T,
    column: *mut T,
    /// The first column of each window that is in the plane.
    start: *const T,
    /// The first plane of the group, and its next input row.
    group: usize,
    next: usize,
}

impl<T: Float> Maxima<'_, T> {
    #[inline(always)]
    fn slot(&self, iy: usize) -> usize {
        iy % self.strip.rows.kernel * self.strip.len
    }

    /// The maxima of an input row, in the windows of row `oy` of the outputs.
    #[inline(always)]
    fn maxima_of(&self, iy: usize, oy: usize) -> RowMaxima<T> {
        let slot = self.slot(iy);
        let ky = iy + self.strip.rows.before - oy * self.strip.rows.stride;
        RowMaxima {
            value: self.value.wrapping_add(slot),
            column: self.column.wrapping_add(slot),
            before: T::from_f64((ky * self.kernel) as f64),
        }
    }

    /// Row `oy` of the maxima of a group and their places, two strips of outputs. A window without rows has the first place.
    ///
    /// # Safety
    /// Rows of a group come in order; the CPU has the instructions.
    #[inline(always)]
    unsafe fn row<V: Vector<Elem = T>>(&mut self, group: Group, oy: usize, value: *mut T, place: *mut T) {
        let Maxima { d, strip, kernel, stride, inputs, .. } = *self;
        let plane = d.h * d.w;
        let window = strip.rows.window(oy);
        self.next = if group.first == self.group { self.next.max(window.start) } else { window.start };
        self.group = group.first;
        // SAFETY: the caller's promise; rows and planes lie in their slices, strips in their memory.
        unsafe {
            while self.next < window.end {
                let row = self.x.as_ptr().add(group.first * plane + self.next * d.w);
                strip.lay_inputs::<V>(group, row, plane, inputs, T::NEG_INFINITY);
                let slot = self.slot(self.next);
                for j in (0..group.len).step_by(V::LANES) {
                    let mut best = [tap::<V>(inputs, j, 0, stride), V::load(self.start.add(j))];
                    for s in 1..kernel {
                        let number = V::splat(T::from_f64(s as f64 + 1.0));
                        best = tap::<V>(inputs, j, s, stride).follow(number, best[0], best[1]);
                    }
                    best[0].store(self.value.add(slot + j));
                    best[1].store(self.column.add(slot + j));
                }
                self.next += 1;
            }
            if window.is_empty() {
                for j in (0..group.len).step_by(V::LANES) {
                    V::splat(T::NEG_INFINITY).store(value.add(j));
                    V::splat(T::ONE).store(place.add(j));
                }
                return;
            }
            let rows: [_; 3] = std::array::from_fn(|i| self.maxima_of(window.start + i, oy));
            for j in (0..group.len).step_by(V::LANES) {
                let mut best = rows[0].load::<V>(j);
                for row in &rows[1..window.len().min(3)] {
                    best = row.over::<V>(j, best);
                }
                best[0].store(value.add(j));
                best[1].store(place.add(j));
            }
            for iy in window.skip(3) {
                let row = self.maxima_of(iy, oy);
                for j in (0..group.len).step_by(V::LANES) {
                    let best = row.over::<V>(j, [V::load(value.add(j)), V::load(place.add(j))]);
                    best[0].store(value.add(j));
                    best[1].store(place.add(j));
                }
            }
        }
    }
}

/// The maxima of an input row and their columns, and the number of places before those of the row.
struct RowMaxima<T> {
    value: *const T,
    column: *const T,
    before: T,
}

impl<T: Float> RowMaxima<T> {
    /// Some maxima and their places.
    ///
    /// # Safety
    /// They are in the strip, and the CPU has the instructions.
    #[inline(always)]
    unsafe fn load<V: Vector<Elem = T>>(&self, j: usize) -> [V; 2] {
        // SAFETY: the caller's promise.
        unsafe { [V::load(self.value.add(j)), V::load(self.column.add(j)).add(V::splat(self.before))] }
    }

    /// The same where they are larger than those of the rows before.
    ///
    /// # Safety
    /// As [`load`](RowMaxima::load).
    #[inline(always)]
    unsafe fn over<V: Vector<Elem = T>>(&self, j: usize, best: [V; 2]) -> [V; 2] {
        // SAFETY: the caller's promise.
        unsafe {
            let [value, place] = self.load::<V>(j);
            value.follow(place, best[0], best[1])
        }
    }
}

/// The number of the first column of each window that is in the plane. `to` is a strip of outputs.
fn starts<T: Float>(d: &Pool2d, strip: &Strip, to: *mut T) -> *const T {
    for ox in 0..d.ow {
        let outside = strip.columns.before.saturating_sub(ox * strip.columns.stride);
        let number = T::from_f64(outside as f64 + 1.0);
        for at in (ox..strip.len).step_by(strip.pitch) {
            // SAFETY: inside the strip.
            unsafe { *to.add(at) = number };
        }
    }
    to
}

/// Memory for maxima of `$strip`, taken from `$room`.
macro_rules! maxima {
    ($d:ident, $strip:ident, $kernel:ident, $stride:ident, $x:ident, $room:ident) => {{
        let inputs = $room.take($strip.inputs(), T::NEG_INFINITY);
        let value = $room.take($strip.rows.kernel * $strip.len, T::NEG_INFINITY);
        let column = $room.take($strip.rows.kernel * $strip.len, T::ONE);
        let start = starts($d, &$strip, $room.take($strip.len, T::ONE));
        Maxima {
            d: $d,
            strip: $strip,
            kernel: $kernel,
            stride: $stride,
            x: $x,
            inputs,
            value,
            column,
            start,
            group: usize::MAX,
            next: 0,
        }
    }};
}

struct Forward<'a, T> {
    d: &'a Pool2d,
    strip: Strip,
    x: &'a [T],
    y: &'a mut [T],
    place: &'a mut [u8],
}

impl<T: Float> Wide<T> for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) {
        let Forward { d, strip, x, y, place } = self;
        let out = d.oh * d.ow;
        let rectified = d.attrs.kind == PoolKind::ReluMax;
        assert!(x.len() == d.planes() * d.h * d.w, "planes as described");
        assert!(y.len() == d.planes() * out && place.len() == y.len(), "planes as described");
        let mut scratch = Scratch::new();
        let mut room = scratch.room();
        let value = room.take(strip.len + MAX_LANES, T::ZERO);
        let number = room.take(strip.len + MAX_LANES, T::ZERO);
        // A window without columns has the first place.
        let some = |ox: &usize| !strip.columns.window(*ox).is_empty();
        let first = (0..d.ow).find(some).unwrap_or(d.ow);
        let holds = first..(first..d.ow).rfind(some).map_or(first, |ox| ox + 1);
        with_window!(strip.columns, |kernel, stride| {
            let mut maxima = maxima!(d, strip, kernel, stride, x, room);
            for group in strip.groups::<V>(d.planes()) {
                for oy in 0..d.oh {
                    // SAFETY: `run_wide` has the instructions; the memory was just taken for it; rows lie in their slices.
                    unsafe {
                        let flag = V::splat(T::from_f64(f64::from(ZERO_GRADIENT)));
                        maxima.row::<V>(group, oy, value, number);
                        for j in (0..group.len).step_by(V::LANES) {
                            let mut byte = V::load(number.add(j)).sub(V::splat(T::ONE));
                            if rectified {
                                let best = V::load(value.add(j));
                                best.relu().store(value.add(j));
                                byte = byte.add(flag.sub(flag.where_positive(best)));
                            }
                            byte.store(number.add(j));
                        }
                        let (at, below) = (group.first * out + oy * d.ow, (d.oh - oy) * d.ow);
                        let to = y.as_mut_ptr().add(at);
                        give::<V>(group.planes, value, strip.pitch, d.ow, to, out, below);
                        let to = place.as_mut_ptr().add(at);
                        give_bytes::<V>(group.planes, number, strip.pitch, d.ow, to, out, below);
                    }
                    for plane in 0..group.planes {
                        let bytes = &mut place[(group.first + plane) * out + oy * d.ow..][..d.ow];
                        let none = if rectified { ZERO_GRADIENT } else { 0 };
                        bytes[..holds.start].fill(none);
                        bytes[holds.end..].fill(none);
                    }
                }
            }
        });
    }
}

/// Gradients of outputs and the places that they go to.
struct Places<'a, T, S> {
    d: &'a Pool2d,
    strip: Strip,
    kernel: usize,
    stride: usize,
    dy: &'a [T],
    /// Where places come from.
    source: S,
    numbers: &'a [T; PLACES],
    /// For each row of outputs a strip of gradients and one of places, each with what is in front of it.
    ring: *mut T,
}

/// Where places come from.
trait Source<V: Vector> {
    /// Places of row `oy` of the outputs, with 0 where nothing flows.
    ///
    /// # Safety
    /// Rows of a group come in order; `to` is a strip of outputs; the CPU has the instructions.
    unsafe fn lay(&mut self, group: Group, oy: usize, to: *mut V::Elem);
}

impl<T, S> Places<'_, T, S> {
    /// Strips of gradients and of places.
    #[inline(always)]
    fn slot(&self, oy: usize) -> [*mut T; 2] {
        let line = self.strip.front + self.strip.len;
        let at = self.ring.wrapping_add(2 * (oy % self.strip.slots()) * line + self.strip.front);
        [at, at.wrapping_add(line)]
    }
}

impl<V: Vector, S: Source<V>> Gradient<V> for Places<'_, V::Elem, S> {
    #[inline(always)]
    unsafe fn lay(&mut self, group: Group, oy: usize) {
        let out = self.d.oh * self.d.ow;
        let [dy, place] = self.slot(oy);
        // SAFETY: the caller's promise. What short rows write behind the gradients of a strip is written before the places.
        unsafe {
            let row = self.dy.as_ptr().add(group.first * out + oy * self.d.ow);
            self.strip.lay_outputs::<V>(group, row, out, dy);
            self.source.lay(group, oy, place);
        }
    }

    type Row = RowPlaces<V::Elem>;

    #[inline(always)]
    fn row(&self, row: usize, oy: usize) -> Self::Row {
        let [dy, place] = self.slot(oy);
        let ky = row.wrapping_sub(oy * self.strip.rows.stride);
        RowPlaces {
            dy,
            place,
            numbers: self.numbers.as_ptr().wrapping_add(ky.wrapping_mul(self.kernel).wrapping_add(1)),
        }
    }

    #[inline(always)]
    unsafe fn add(&self, row: Self::Row, mut sum: V, j: usize, phase: usize) -> V {
        // SAFETY: the caller's promise; in front of a strip there is what the first inputs of its first plane look at.
        unsafe {
            for s in (phase..self.kernel).step_by(self.stride).rev() {
                let at = j.wrapping_sub(s / self.stride);
                let place = V::load(row.place.wrapping_add(at));
                let given = V::load(row.dy.wrapping_add(at));
                sum = sum.add(given.where_equal(place, V::splat(*row.numbers.add(s))));
            }
            sum
        }
    }
}

/// A row of outputs, and the numbers of the places that a row of inputs has in their windows.
#[derive(Clone, Copy)]
struct RowPlaces<T> {
    dy: *const T,
    place: *const T,
    numbers: *const T,
}

struct Backward<'a, T> {
    d: &'a Pool2d,
    strip: Strip,
    place: &'a [u8],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Wide<T> for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) {
        let Backward { d, strip, place, dy, dx } = self;
        assert!(dy.len() == d.planes() * d.oh * d.ow && place.len() == dy.len(), "planes as described");
        let numbers = numbers();
        let mut scratch = Scratch::new();
        let mut room = scratch.room();
        let ring = room.take(2 * strip.slots() * (strip.front + strip.len) + MAX_LANES, T::ZERO);
        let line = room.take(strip.inputs(), T::ZERO);
        with_window!(strip.columns, |kernel, stride| {
            let source = Bytes { d, pitch: strip.pitch, place };
            let mut places = Places { d, strip, kernel, stride, dy, source, numbers: &numbers, ring };
            // SAFETY: `run_wide` has the instructions; the memory was just taken for it.
            unsafe { gather::<V, _>(d, &strip, stride, &mut places, line, dx) }
        });
    }
}

/// Places that were kept. Those of rectified maxima through which nothing flows are above all places of their windows.
struct Bytes<'a> {
    d: &'a Pool2d,
    pitch: usize,
    place: &'a [u8],
}

impl<V: Vector> Source<V> for Bytes<'_> {
    #[inline(always)]
    unsafe fn lay(&mut self, group: Group, oy: usize, to: *mut V::Elem) {
        let (out, ow) = (self.d.oh * self.d.ow, self.d.ow);
        let row = &self.place[group.first * out + oy * ow..];
        // SAFETY: the caller's promise.
        unsafe { lay_bytes::<V>(group.planes, row, out, ow, to, self.pitch) };
    }
}

struct BackwardFromInput<'a, T> {
    d: &'a Pool2d,
    strip: Strip,
    x: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Wide<T> for BackwardFromInput<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) {
        let BackwardFromInput { d, strip, x, dy, dx } = self;
        assert!(x.len() == d.planes() * d.h * d.w, "planes as described");
        assert!(dy.len() == d.planes() * d.oh * d.ow, "planes as described");
        let numbers = numbers();
        let mut scratch = Scratch::new();
        let mut room = scratch.room();
        let ring = room.take(2 * strip.slots() * (strip.front + strip.len) + MAX_LANES, T::ZERO);
        let line = room.take(strip.inputs(), T::ZERO);
        let value = room.take(strip.len, T::ZERO);
        with_window!(strip.columns, |kernel, stride| {
            let source = Again { maxima: maxima!(d, strip, kernel, stride, x, room), value };
            let mut places = Places { d, strip, kernel, stride, dy, source, numbers: &numbers, ring };
            // SAFETY: `run_wide` has the instructions; the memory was just taken for it.
            unsafe { gather::<V, _>(d, &strip, stride, &mut places, line, dx) }
        });
    }
}

/// Places that are looked up again.
struct Again<'a, T> {
    maxima: Maxima<'a, T>,
    /// A strip of outputs.
    value: *mut T,
}

impl<V: Vector> Source<V> for Again<'_, V::Elem> {
    #[inline(always)]
    unsafe fn lay(&mut self, group: Group, oy: usize, to: *mut V::Elem) {
        let Maxima { strip, d, .. } = self.maxima;
        // SAFETY: the caller's promise.
        unsafe {
            self.maxima.row::<V>(group, oy, self.value, to);
            if d.attrs.kind == PoolKind::ReluMax {
                for j in (0..group.len).step_by(V::LANES) {
                    V::load(to.add(j)).where_positive(V::load(self.value.add(j))).store(to.add(j));
                }
            }
            // Between the planes there are no outputs.
            for plane in 0..group.planes {
                for ox in d.ow..strip.pitch {
                    *to.add(plane * strip.pitch + ox) = V::Elem::ZERO;
                }
            }
        }
    }
}
