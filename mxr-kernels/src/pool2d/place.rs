//! Maxima with their places, a row of outputs at a time, and the gradient that goes back to those places.
//!
//! As in `cpu`: down the window with contiguous vectors, which leaves the largest element of each column and the first row
//! that has it; then across the columns. Equal elements are decided by the place, so the first in row-major order wins.
//! Back, every output adds its gradient to one element of its plane: outputs in row-major order, planes in parallel.

use mxr_graph::instr::PoolKind;

use super::cpu::{LANES, ROW, Row, accepts, load, phase_len};
use super::{Axis, Pool2d, ZERO_GRADIENT, rectify};
use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};

/// The place of padding, behind all others.
const PAD: u32 = u32::MAX / 2;

/// Whether a place fits into a byte and rows fit into the scratch memory.
pub(crate) fn fits(d: &Pool2d) -> bool {
    d.has_places() && accepts(d)
}

pub(crate) fn forward<T: Float>(isa: Isa, d: &Pool2d, x: &[T], y: &mut [T], place: &mut [u8]) {
    level::run(isa, Forward { d, x, y, place });
}

pub(crate) fn backward<T: Float>(isa: Isa, d: &Pool2d, place: &[u8], dy: &[T], dx: &mut [T]) {
    level::run(isa, Backward { d, place, dy, dx });
}

/// The same from the input, whose places are looked up again.
pub(crate) fn backward_from_input<T: Float>(isa: Isa, d: &Pool2d, x: &[T], dy: &[T], dx: &mut [T]) {
    level::run(isa, BackwardFromInput { d, x, dy, dx });
}

/// Scratch memory of a row of maxima.
struct Maxima<T> {
    value: Row<T>,
    place: Row<u32>,
}

impl<T: Float> Maxima<T> {
    fn new() -> Self {
        Maxima { value: Row::new(T::NEG_INFINITY), place: Row::new(PAD) }
    }

    /// Row `oy` of a plane's outputs and their places.
    #[inline(always)]
    fn row(&mut self, d: &Pool2d, [rows, a]: &[Axis; 2], oy: usize, x: &[T], y: &mut [T], place: &mut [u8]) {
        let window = rows.window(oy);
        if window.is_empty() {
            y.fill(T::NEG_INFINITY);
            place.fill(0);
        } else {
            let len = phase_len(a);
            let first = (window.start + rows.before - oy * rows.stride) as u32;
            let x = &x[window.start * d.w..window.end * d.w];
            let own = a.before..a.before + d.w;
            down(
                x,
                d.w,
                first,
                a.kernel as u32,
                &mut self.value.flat[own.clone()],
                &mut self.place.flat[own],
            );
            across(a, self.value.deal(a, len), self.place.deal(a, len), len, y, place);
        }
        if d.attrs.kind == PoolKind::ReluMax {
            rectify(y);
            for (p, &y) in place.iter_mut().zip(&*y) {
                *p |= if y > T::ZERO { 0 } else { ZERO_GRADIENT };
            }
        }
    }
}

/// Whether `x` comes before `best`, which was met earlier.
#[inline(always)]
fn beats<T: Float>(x: T, best: T) -> bool {
    (x > best) | (x.is_nan() & !best.is_nan())
}

/// The largest of every column and its place, were it in the window's first column.
#[inline(always)]
fn down<T: Float>(x: &[T], w: usize, first: u32, step: u32, value: &mut [T], place: &mut [u32]) {
    let start = first * step;
    if w < LANES {
        value.copy_from_slice(&x[..w]);
        place.fill(start);
        for (k, x) in x.chunks_exact(w).enumerate().skip(1) {
            let at = start + k as u32 * step;
            for ((v, p), &x) in value.iter_mut().zip(&mut *place).zip(x) {
                let new = beats(x, *v);
                *v = if new { x } else { *v };
                *p = if new { at } else { *p };
            }
        }
        return;
    }
    for at in (0..w).step_by(LANES) {
        // The last vector overlaps the one before it: whole columns are computed, so twice is as good as once.
        let at = at.min(w - LANES);
        let mut best = load(x, at);
        let mut from = [start; LANES];
        for (k, x) in x.chunks_exact(w).enumerate().skip(1) {
            let (x, here) = (load(x, at), start + k as u32 * step);
            for j in 0..LANES {
                let new = beats(x[j], best[j]);
                best[j] = if new { x[j] } else { best[j] };
                from[j] = if new { here } else { from[j] };
            }
        }
        value[at..at + LANES].copy_from_slice(&best);
        place[at..at + LANES].copy_from_slice(&from);
    }
}

/// Combines the columns of every window of a row.
#[inline(always)]
fn across<T: Float>(a: &Axis, value: &[T], from: &[u32], len: usize, y: &mut [T], place: &mut [u8]) {
    for (chunk, (y, place)) in y.chunks_mut(LANES).zip(place.chunks_mut(LANES)).enumerate() {
        let mut best = [T::NEG_INFINITY; LANES];
        let mut first = [u32::MAX; LANES];
        for k in 0..a.kernel {
            let at = k % a.stride * len + k / a.stride + chunk * LANES;
            let (x, from) = (load(value, at), load(from, at));
            for j in 0..LANES {
                let here = from[j] + k as u32;
                let equal = (x[j] == best[j]) | (x[j].is_nan() & best[j].is_nan());
                let new = beats(x[j], best[j]) | (equal & (here < first[j]));
                best[j] = if new { x[j] } else { best[j] };
                first[j] = if new { here } else { first[j] };
            }
        }
        // A window without elements has the first place.
        let bytes = first.map(|p| if p < PAD { p as u8 } else { 0 });
        y.copy_from_slice(&best[..y.len()]);
        place.copy_from_slice(&bytes[..place.len()]);
    }
}

struct Forward<'a, T> {
    d: &'a Pool2d,
    x: &'a [T],
    y: &'a mut [T],
    place: &'a mut [u8],
}

impl<T: Float> Body for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Forward { d, x, y, place } = self;
        let (axes, out) = (d.axes(), d.oh * d.ow);
        let mut maxima = Maxima::new();
        let planes = y.chunks_exact_mut(out).zip(place.chunks_exact_mut(out));
        for (x, (y, place)) in x.chunks_exact((d.h * d.w).max(1)).zip(planes) {
            let rows = y.chunks_exact_mut(d.ow).zip(place.chunks_exact_mut(d.ow));
            for (oy, (y, place)) in rows.enumerate() {
                maxima.row(d, &axes, oy, x, y, place);
            }
        }
    }
}

struct Backward<'a, T> {
    d: &'a Pool2d,
    place: &'a [u8],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Body for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Backward { d, place, dy, dx } = self;
        let scatter = Scatter::new(d);
        let out = (d.oh * d.ow).max(1);
        let planes = place.chunks_exact(out).zip(dy.chunks_exact(out));
        for ((place, dy), dx) in planes.zip(dx.chunks_exact_mut(d.h * d.w)) {
            dx.fill(T::ZERO);
            for (oy, (place, dy)) in place.chunks_exact(d.ow).zip(dy.chunks_exact(d.ow)).enumerate() {
                scatter.row(oy, place, dy, dx);
            }
        }
    }
}

struct BackwardFromInput<'a, T> {
    d: &'a Pool2d,
    x: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Body for BackwardFromInput<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let BackwardFromInput { d, x, dy, dx } = self;
        let (axes, scatter) = (d.axes(), Scatter::new(d));
        let (plane, out) = (d.h * d.w, (d.oh * d.ow).max(1));
        let mut maxima = Maxima::new();
        let (mut y, mut place) = ([T::ZERO; ROW], [0; ROW]);
        let planes = x.chunks_exact(plane).zip(dy.chunks_exact(out));
        for ((x, dy), dx) in planes.zip(dx.chunks_exact_mut(plane)) {
            dx.fill(T::ZERO);
            for (oy, dy) in dy.chunks_exact(d.ow).enumerate() {
                maxima.row(d, &axes, oy, x, &mut y[..d.ow], &mut place[..d.ow]);
                scatter.row(oy, &place[..d.ow], dy, dx);
            }
        }
    }
}

/// Where the gradients of outputs go.
struct Scatter {
    rows: Axis,
    columns: Axis,
    /// The outputs of a row whose window holds an element.
    holds: std::ops::Range<usize>,
    /// From the window's first place, which may lie in the padding, to each place.
    offset: [usize; 256],
    rectified: bool,
}

impl Scatter {
    fn new(d: &Pool2d) -> Scatter {
        let [rows, columns] = d.axes();
        let rectified = d.attrs.kind == PoolKind::ReluMax;
        let place = |p: usize| if rectified { p & !usize::from(ZERO_GRADIENT) } else { p };
        let offset = std::array::from_fn(|p| place(p) / columns.kernel * d.w + place(p) % columns.kernel);
        let some = |ox: &usize| !columns.window(*ox).is_empty();
        let first = (0..d.ow).find(some).unwrap_or(d.ow);
        let holds = first..(first..d.ow).rfind(some).map_or(first, |ox| ox + 1);
        Scatter { rows, columns, holds, offset, rectified }
    }

    #[inline(always)]
    fn row<T: Float>(&self, oy: usize, place: &[u8], dy: &[T], dx: &mut [T]) {
        if self.rows.window(oy).is_empty() {
            return;
        }
        let w = self.columns.size;
        // Wraps where the window begins in the padding; its places in the input do not.
        let origin = (oy * self.rows.stride * w).wrapping_sub(self.rows.before * w + self.columns.before);
        for ox in self.holds.clone() {
            let at = origin
                .wrapping_add(ox * self.columns.stride)
                .wrapping_add(self.offset[usize::from(place[ox])]);
            let none = self.rectified & (place[ox] & ZERO_GRADIENT != 0);
            if let Some(to) = dx.get_mut(at) {
                *to += if none { T::ZERO } else { dy[ox] };
            }
        }
    }
}
