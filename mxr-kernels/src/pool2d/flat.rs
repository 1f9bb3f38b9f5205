//! Pooling with step 1 on whole planes as one line of numbers.
//!
//! A plane is laid with its padding between its rows, which lie `pitch` apart, and under its last one, so that output `oy · pitch + ox` of the line
//! sees inputs `oy · pitch + ox + ky · pitch + kx`, whichever row they belong to. Every stage is then one loop over the line, and memory
//! is read and written plane after plane, as it lies. A line holds several planes where they are small. As in `place`, a place is the number
//! `ky · kw + kx + 1`, and sums of gradients are made in the order of the reference.

use mxr_graph::instr::PoolKind;

use super::strip::{Scratch, give, lay};
use super::{Axis, Pool2d};
use crate::element::{Float, Num};
use crate::isa::Isa;
use crate::level::{self, Wide};
use crate::simd::vector::{MAX_LANES, Vector};

/// Elements of a line, about: what a gradient needs of it fits the first-level cache.
const LONG: usize = 768;

/// The longest line, of which the scratch memory has room for the eight that the gradient of a maximum needs.
const LONGEST: usize = 1920;

/// How planes lie in a line.
#[derive(Clone, Copy)]
pub(super) struct Flat {
    rows: Axis,
    columns: Axis,
    /// Elements from a row to the next.
    pitch: usize,
    /// Elements from a plane to the next.
    apart: usize,
    /// Planes of a line.
    most: usize,
    /// Elements that an output sees, from the first to the last.
    reach: usize,
    /// Where the first input of a plane lies.
    origin: usize,
}

impl Flat {
    /// Nothing where steps are longer than 1, windows may lie in the padding alone, or planes are too large.
    pub(super) fn new(d: &Pool2d) -> Option<Flat> {
        let [rows, columns] = d.axes();
        let simple = |axis: &Axis| {
            let Axis { size, out, kernel, stride, before, .. } = *axis;
            stride == 1 && out > 0 && before < kernel && out <= before + size
        };
        // What follows a row (or a plane) is the padding of the next.
        let pitch = |axis: &Axis| {
            (axis.before + axis.size)
                .max((axis.out + axis.kernel).saturating_sub(1 + axis.before))
                .max(axis.out)
        };
        if !simple(&rows) || !simple(&columns) {
            return None;
        }
        let [height, pitch] = [pitch(&rows), pitch(&columns)];
        let apart = height * pitch;
        let most = (LONG / apart).clamp(1, d.planes().max(1));
        let reach = (rows.kernel - 1) * pitch + columns.kernel;
        let origin = rows.before * pitch + columns.before;
        let flat = Flat { rows, columns, pitch, apart, most, reach, origin };
        (flat.inputs() <= LONGEST).then_some(flat)
    }

    /// Elements of a line, in whole registers, with what the last outputs see and what registers touch behind it, twice: some loops run
    /// over the first.
    fn inputs(&self) -> usize {
        (self.most * self.apart + self.reach).next_multiple_of(MAX_LANES) + self.front() + 2 * MAX_LANES
    }

    /// Elements in front of outputs, for those that the first inputs look at and that do not exist.
    fn front(&self) -> usize {
        self.reach.next_multiple_of(MAX_LANES)
    }

    /// Groups of planes: the first, how many, and the elements of their line in whole registers.
    fn groups<V: Vector>(&self, planes: usize) -> impl Iterator<Item = (usize, usize, usize)> {
        let (most, apart) = (self.most, self.apart);
        (0..planes).step_by(most).map(move |first| {
            let planes = most.min(planes - first);
            (first, planes, (planes * apart).next_multiple_of(V::LANES))
        })
    }

    /// Copies planes of inputs, which lie one after the other, to a line.
    ///
    /// # Safety
    /// Both sides have these planes; the CPU has the instructions.
    #[inline(always)]
    unsafe fn lay_inputs<V: Vector>(
        &self,
        planes: usize,
        from: *const V::Elem,
        to: *mut V::Elem,
        pad: V::Elem,
    ) {
        let (h, w) = (self.rows.size, self.columns.size);
        for plane in 0..planes {
            let (from, to) =
                (from.wrapping_add(plane * h * w), to.wrapping_add(plane * self.apart + self.origin));
            // SAFETY: the caller's promise.
            unsafe { lay::<V>(h, from, w, w, to, self.pitch, pad) };
        }
    }

    /// Copies planes of outputs to a line, with zeros between them.
    ///
    /// # Safety
    /// As [`lay_inputs`](Flat::lay_inputs).
    #[inline(always)]
    unsafe fn lay_outputs<V: Vector>(&self, planes: usize, from: *const V::Elem, to: *mut V::Elem) {
        let (oh, ow) = (self.rows.out, self.columns.out);
        for plane in 0..planes {
            let (from, to) = (from.wrapping_add(plane * oh * ow), to.wrapping_add(plane * self.apart));
            // SAFETY: the caller's promise.
            unsafe { lay::<V>(oh, from, ow, ow, to, self.pitch, V::Elem::ZERO) };
        }
    }

    /// Copies planes of `height` rows of `width` elements from a line to memory, where they lie one after the other.
    ///
    /// # Safety
    /// As [`lay_inputs`](Flat::lay_inputs); the line has a register more.
    #[inline(always)]
    unsafe fn give<V: Vector>(
        &self,
        planes: usize,
        [height, width]: [usize; 2],
        from: *const V::Elem,
        to: *mut V::Elem,
    ) {
        for plane in 0..planes {
            for row in 0..height {
                let from = from.wrapping_add(plane * self.apart + row * self.pitch);
                let to = to.wrapping_add((plane * height + row) * width);
                // SAFETY: the caller's promise; the rest of the plane follows.
                unsafe { give::<V>(1, from, self.pitch, width, to, width, (height - row) * width) };
            }
        }
    }

    /// Writes `value(oy, ox)` to every output of a line.
    fn each_output<T>(&self, to: *mut T, value: impl Fn(usize, usize) -> T) {
        for plane in 0..self.most {
            for oy in 0..self.rows.out {
                for ox in 0..self.columns.out {
                    // SAFETY: inside the line.
                    unsafe { *to.add(plane * self.apart + oy * self.pitch + ox) = value(oy, ox) };
                }
            }
        }
    }

    /// What averages count, in `to`, which holds ones.
    fn counts<T: Float>(&self, d: &Pool2d, to: *mut T) -> *const T {
        let count = |axis: &Axis, o| axis.count(o, d.attrs.count_pad).max(1);
        self.each_output(to, |oy, ox| T::from_f64((count(&self.rows, oy) * count(&self.columns, ox)) as f64));
        to
    }
}

/// Runs `$body` with the extents of a window as constants, where they are met often: loops over taps are then written out.
macro_rules! with_extents {
    ($flat:expr, |$kh:ident, $kw:ident| $body:expr) => {
        match ($flat.rows.kernel, $flat.columns.kernel) {
            (3, 3) => {
                let ($kh, $kw) = (3, 3);
                $body
            }
            ($kh, $kw) => $body,
        }
    };
}

pub(super) fn forward<T: Float>(isa: Isa, d: &Pool2d, flat: Flat, x: &[T], y: &mut [T]) {
    assert!(x.len() == d.in_len() && y.len() == d.out_len(), "planes as described");
    level::run_wide(isa, Forward { d, flat, x, y });
}

pub(super) fn backward_avg<T: Float>(isa: Isa, d: &Pool2d, flat: Flat, dy: &[T], dx: &mut [T]) {
    assert!(dy.len() == d.out_len() && dx.len() == d.in_len(), "planes as described");
    level::run_wide(isa, BackwardAvg { d, flat, dy, dx });
}

/// The gradient of a maximum, whose places are looked up in the input.
pub(super) fn backward_max<T: Float>(isa: Isa, d: &Pool2d, flat: Flat, x: &[T], dy: &[T], dx: &mut [T]) {
    assert!(x.len() == d.in_len() && dy.len() == d.out_len() && dx.len() == x.len(), "planes as described");
    level::run_wide(isa, BackwardMax { d, flat, x, dy, dx });
}

struct Forward<'a, T> {
    d: &'a Pool2d,
    flat: Flat,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Float> Wide<T> for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) {
        let Forward { d, flat, x, y } = self;
        let kind = d.attrs.kind;
        let neutral = if kind == PoolKind::Avg { T::ZERO } else { T::NEG_INFINITY };
        let mut scratch = Scratch::new();
        let mut room = scratch.room();
        let inputs = room.take(flat.inputs(), neutral);
        let across = room.take(flat.inputs(), neutral);
        let result = room.take(flat.inputs(), neutral);
        let counts = flat.counts(d, room.take(flat.inputs(), T::ONE));
        with_extents!(flat, |kh, kw| {
            for (first, planes, len) in flat.groups::<V>(d.planes()) {
                // SAFETY: `run_wide` has the instructions; planes lie in their slices, lines in the memory just taken.
                unsafe {
                    flat.lay_inputs::<V>(planes, x.as_ptr().add(first * d.h * d.w), inputs, neutral);
                    let rows = len + (kh - 1) * flat.pitch;
                    match kind {
                        PoolKind::Max | PoolKind::ReluMax => {
                            combine::<V>(rows, kw, 1, inputs, across, |a, b| a.larger(b));
                            combine::<V>(len, kh, flat.pitch, across, result, |a, b| a.larger(b));
                        }
                        PoolKind::Avg => {
                            combine::<V>(rows, kw, 1, inputs, across, |a, b| a.add(b));
                            combine::<V>(len, kh, flat.pitch, across, result, |a, b| a.add(b));
                        }
                    }
                    for j in (0..len).step_by(V::LANES) {
                        let sum = V::load(result.add(j));
                        match kind {
                            PoolKind::Max => break,
                            PoolKind::ReluMax => sum.relu().store(result.add(j)),
                            PoolKind::Avg => sum.div(V::load(counts.add(j))).store(result.add(j)),
                        }
                    }
                    flat.give::<V>(planes, [d.oh, d.ow], result, y.as_mut_ptr().add(first * d.oh * d.ow));
                }
            }
        });
    }
}

/// Element `j` of `to` becomes the elements `j`, `j + step`, … of `from`, `taps` of them, combined in this order.
///
/// # Safety
/// `from` is valid for the reads of whole registers and `to` for their writes; the CPU has the instructions.
#[inline(always)]
unsafe fn combine<V: Vector>(
    len: usize,
    taps: usize,
    step: usize,
    from: *const V::Elem,
    to: *mut V::Elem,
    fold: impl Fn(V, V) -> V,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for j in (0..len).step_by(V::LANES) {
            let mut sum = V::load(from.add(j));
            for tap in 1..taps {
                sum = fold(sum, V::load(from.add(j + tap * step)));
            }
            sum.store(to.add(j));
        }
    }
}

struct BackwardAvg<'a, T> {
    d: &'a Pool2d,
    flat: Flat,
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Wide<T> for BackwardAvg<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) {
        let BackwardAvg { d, flat, dy, dx } = self;
        let mut scratch = Scratch::new();
        let mut room = scratch.room();
        let share = room.take(flat.front() + flat.inputs(), T::ZERO);
        let across = room.take(flat.front() + flat.inputs(), T::ZERO);
        let result = room.take(flat.inputs(), T::ZERO);
        let counts = flat.counts(d, room.take(flat.inputs(), T::ONE));
        // An input looks at outputs from `reach − 1 − origin` before its own place on; as many elements are in front of them.
        let outputs = share.wrapping_add(flat.front());
        let seen = share.wrapping_add(flat.front() + flat.origin + 1 - flat.reach);
        with_extents!(flat, |kh, kw| {
            for (first, planes, len) in flat.groups::<V>(d.planes()) {
                // SAFETY: `run_wide` has the instructions; planes lie in their slices, lines in the memory just taken.
                unsafe {
                    flat.lay_outputs::<V>(planes, dy.as_ptr().add(first * d.oh * d.ow), outputs);
                    for j in (0..len).step_by(V::LANES) {
                        V::load(outputs.add(j)).div(V::load(counts.add(j))).store(outputs.add(j));
                    }
                    combine::<V>(len + (kh - 1) * flat.pitch, kw, 1, seen, across, |a, b| a.add(b));
                    combine::<V>(len, kh, flat.pitch, across, result, |a, b| a.add(b));
                    flat.give::<V>(planes, [d.h, d.w], result, dx.as_mut_ptr().add(first * d.h * d.w));
                }
            }
        });
    }
}

struct BackwardMax<'a, T> {
    d: &'a Pool2d,
    flat: Flat,
    x: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Wide<T> for BackwardMax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<V: Vector<Elem = T>>(self) {
        let BackwardMax { d, flat, x, dy, dx } = self;
        let rectified = d.attrs.kind == PoolKind::ReluMax;
        let mut scratch = Scratch::new();
        let mut room = scratch.room();
        let inputs = room.take(flat.inputs(), T::NEG_INFINITY);
        let value = room.take(flat.inputs(), T::NEG_INFINITY);
        let column = room.take(flat.inputs(), T::ONE);
        let start = room.take(flat.inputs(), T::ONE);
        let place = room.take(flat.front() + flat.inputs(), T::ZERO);
        let given = room.take(flat.front() + flat.inputs(), T::ZERO);
        // The first place of a window that is in the plane, which has the maximum where all are −∞.
        flat.each_output(start, |oy, ox| {
            let outside = |axis: &Axis, o: usize| axis.before.saturating_sub(o);
            let number = outside(&flat.rows, oy) * flat.columns.kernel + outside(&flat.columns, ox) + 1;
            T::from_f64(number as f64)
        });
        let places = place.wrapping_add(flat.front());
        let outputs = given.wrapping_add(flat.front());
        let seen = flat.front() + flat.origin + 1 - flat.reach;
        let (place_seen, given_seen) = (place.wrapping_add(seen), given.wrapping_add(seen));
        with_extents!(flat, |kh, kw| {
            for (first, planes, len) in flat.groups::<V>(d.planes()) {
                // SAFETY: `run_wide` has the instructions; planes lie in their slices, lines in the memory just taken.
                unsafe {
                    flat.lay_inputs::<V>(planes, x.as_ptr().add(first * d.h * d.w), inputs, T::NEG_INFINITY);
                    flat.lay_outputs::<V>(planes, dy.as_ptr().add(first * d.oh * d.ow), outputs);
                    for j in (0..len + (kh - 1) * flat.pitch).step_by(V::LANES) {
                        let mut best = [V::load(inputs.add(j)), V::splat(T::ONE)];
                        for s in 1..kw {
                            let number = V::splat(T::from_f64((s + 1) as f64));
                            best = V::load(inputs.add(j + s)).follow(number, best[0], best[1]);
                        }
                        best[0].store(value.add(j));
                        best[1].store(column.add(j));
                    }
                    for j in (0..len).step_by(V::LANES) {
                        let mut best = [V::splat(T::NEG_INFINITY), V::load(start.add(j))];
                        for r in 0..kh {
                            let at = j + r * flat.pitch;
                            let number = V::load(column.add(at)).add(V::splat(T::from_f64((r * kw) as f64)));
                            best = V::load(value.add(at)).follow(number, best[0], best[1]);
                        }
                        let number = if rectified { best[1].where_positive(best[0]) } else { best[1] };
                        number.store(places.add(j));
                    }
                    // What was looked at has been used; the sums take its place.
                    let sums = value;
                    for j in (0..len).step_by(V::LANES) {
                        let mut sum = V::zero();
                        for r in (0..kh).rev() {
                            for s in (0..kw).rev() {
                                let at = j + (kh - 1 - r) * flat.pitch + kw - 1 - s;
                                let number = V::splat(T::from_f64((r * kw + s + 1) as f64));
                                let place = V::load(place_seen.add(at));
                                sum = sum.add(V::load(given_seen.add(at)).where_equal(place, number));
                            }
                        }
                        sum.store(sums.add(j));
                    }
                    flat.give::<V>(planes, [d.h, d.w], sums, dx.as_mut_ptr().add(first * d.h * d.w));
                }
            }
        });
    }
}
