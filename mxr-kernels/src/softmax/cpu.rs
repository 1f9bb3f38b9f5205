//! Vectorised softmax: along a contiguous axis, or for many columns side by side.

use std::ops::Range;

use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::map::{MapElement, Ops, Src};
use crate::par;
use crate::reduce::{Sum, fold_run};
use crate::share::Shared;
use crate::softmax::Softmax;

/// Columns that are worked on together where the axis is not contiguous.
pub(crate) const COLUMNS: usize = 128;
const BLOCK: usize = 16 * 1024;

/// Calls `body(rows)` for blocks of contiguous rows, or `body(tile..tile + 1)` for tiles of columns.
fn blocks(d: &Softmax, body: impl Fn(Range<usize>) + Sync) {
    let (tasks, size) = if d.inner == 1 {
        (d.outer, d.classes)
    } else {
        (d.outer * d.inner.div_ceil(COLUMNS), d.classes * COLUMNS.min(d.inner))
    };
    par::for_each_chunk(tasks, (BLOCK / size).max(1), body);
}

/// The first element and the width of a tile of columns.
pub(crate) fn tile(classes: usize, inner: usize, tile: usize) -> (usize, usize) {
    let per = inner.div_ceil(COLUMNS);
    let first = tile % per * COLUMNS;
    (tile / per * classes * inner + first, COLUMNS.min(inner - first))
}

pub(crate) fn forward<T: Float + MapElement>(isa: Isa, d: &Softmax, x: Src<'_, T>, y: &mut [T]) {
    let y = &Shared::new(y);
    blocks(d, |tasks| level::run(isa, Forward { d, x, y, tasks }));
}

struct Forward<'a, T> {
    d: &'a Softmax,
    x: Src<'a, T>,
    y: &'a Shared<'a, T>,
    tasks: Range<usize>,
}

/// The largest element; NaN wins.
#[inline(always)]
pub(crate) fn largest<T: Float>(x: &[T]) -> T {
    const LANES: usize = 16;
    let larger = |a: T, b: T| if (a > b) | a.is_nan() { a } else { b };
    let mut lanes = [T::NEG_INFINITY; LANES];
    let mut chunks = x.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (a, &x) in lanes.iter_mut().zip(chunk) {
            *a = larger(*a, x);
        }
    }
    let max = lanes.into_iter().fold(T::NEG_INFINITY, larger);
    chunks.remainder().iter().fold(max, |a, &x| larger(a, x))
}

/// `y = exp(y − max)`, and Σ y.
#[inline(always)]
pub(crate) fn exp_and_sum<L: Level, T: Float + MapElement>(y: &mut [T], max: T) -> f64 {
    let mut sum = 0.0;
    for y in y.chunks_mut(512) {
        for y in y.iter_mut() {
            *y = <T as Ops>::exp::<L>(*y - max);
        }
        sum += fold_run::<T, Sum>(y);
    }
    sum
}

#[inline(always)]
fn sum_of(mut len: usize, term: impl Fn(Range<usize>) -> f64) -> f64 {
    let (mut sum, mut at) = (0.0, 0);
    while len > 0 {
        let run = len.min(512);
        sum += term(at..at + run);
        at += run;
        len -= run;
    }
    sum
}

impl<T: Float + MapElement> Body for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Forward { d, x, y, tasks } = self;
        for task in tasks {
            if d.inner == 1 {
                let at = task * d.classes;
                // SAFETY: rows are disjoint and each belongs to one task.
                let y = unsafe { y.part(at, d.classes) };
                if let Src::Slice(x) = x {
                    y.copy_from_slice(&x[at..at + d.classes]);
                }
                let max = largest(y);
                if d.log {
                    let sum = sum_of(y.len(), |r| {
                        let mut e = [T::ZERO; 512];
                        let e = &mut e[..r.len()];
                        e.copy_from_slice(&y[r]);
                        exp_and_sum::<L, T>(e, max)
                    });
                    let shift = T::from_f64(sum.ln());
                    for y in y {
                        *y = (*y - max) - shift;
                    }
                } else {
                    let scale = T::from_f64(1.0 / exp_and_sum::<L, T>(y, max));
                    for y in y {
                        *y *= scale;
                    }
                }
            } else {
                let (at, width) = tile(d.classes, d.inner, task);
                let mut max = [T::NEG_INFINITY; COLUMNS];
                let mut sum = [0f64; COLUMNS];
                let (max, sum) = (&mut max[..width], &mut sum[..width]);
                // SAFETY: columns at..at + width of every class belong to this task alone.
                let row = |c: usize| unsafe { y.part(at + c * d.inner, width) };
                for c in 0..d.classes {
                    let y = row(c);
                    if let Src::Slice(x) = x {
                        y.copy_from_slice(&x[at + c * d.inner..][..width]);
                    }
                    for (m, &y) in max.iter_mut().zip(y.iter()) {
                        *m = if (*m > y) | m.is_nan() { *m } else { y };
                    }
                }
                for c in 0..d.classes {
                    for ((y, &m), s) in row(c).iter_mut().zip(max.iter()).zip(sum.iter_mut()) {
                        let e = <T as Ops>::exp::<L>(*y - m);
                        *s += e.to_f64();
                        if !d.log {
                            *y = e;
                        }
                    }
                }
                let mut last = [T::ZERO; COLUMNS];
                for (l, s) in last.iter_mut().zip(sum.iter()) {
                    *l = T::from_f64(if d.log { s.ln() } else { 1.0 / s });
                }
                for c in 0..d.classes {
                    let columns = row(c).iter_mut().zip(max.iter()).zip(&last);
                    if d.log {
                        columns.for_each(|((y, &m), &l)| *y = (*y - m) - l);
                    } else {
                        columns.for_each(|((y, _), &l)| *y *= l);
                    }
                }
            }
        }
    }
}

pub(crate) fn backward<T: Float + MapElement>(isa: Isa, d: &Softmax, y: &[T], dy: &[T], dx: &mut [T]) {
    let dx = &Shared::new(dx);
    blocks(d, |tasks| level::run(isa, Backward { d, y, dy, dx, tasks }));
}

struct Backward<'a, T> {
    d: &'a Softmax,
    y: &'a [T],
    dy: &'a [T],
    dx: &'a Shared<'a, T>,
    tasks: Range<usize>,
}

impl<T: Float + MapElement> Body for Backward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let Backward { d, y, dy, dx, tasks } = self;
        for task in tasks {
            if d.inner == 1 {
                let at = task * d.classes;
                // SAFETY: rows are disjoint and each belongs to one task.
                let dx = unsafe { dx.part(at, d.classes) };
                let (y, dy) = (&y[at..at + d.classes], &dy[at..at + d.classes]);
                if d.log {
                    let sum = T::from_f64(sum_of(dy.len(), |r| fold_run::<T, Sum>(&dy[r])));
                    for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                        *dx = dy - <T as Ops>::exp::<L>(y) * sum;
                    }
                } else {
                    for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                        *dx = y * dy;
                    }
                    let sum = T::from_f64(sum_of(dx.len(), |r| fold_run::<T, Sum>(&dx[r])));
                    for ((dx, &y), &dy) in dx.iter_mut().zip(y).zip(dy) {
                        *dx = y * (dy - sum);
                    }
                }
            } else {
                let (at, width) = tile(d.classes, d.inner, task);
                let mut wide = [0f64; COLUMNS];
                for c in 0..d.classes {
                    let range = at + c * d.inner..at + c * d.inner + width;
                    for ((s, &y), &dy) in wide.iter_mut().zip(&y[range.clone()]).zip(&dy[range]) {
                        *s += if d.log { dy.to_f64() } else { y.to_f64() * dy.to_f64() };
                    }
                }
                let mut sum = [T::ZERO; COLUMNS];
                for (s, w) in sum.iter_mut().zip(wide) {
                    *s = T::from_f64(w);
                }
                for c in 0..d.classes {
                    let first = at + c * d.inner;
                    // SAFETY: columns at..at + width of every class belong to this task alone.
                    let dx = unsafe { dx.part(first, width) };
                    let columns = dx.iter_mut().zip(&y[first..first + width]).zip(&dy[first..first + width]);
                    for (((dx, &y), &dy), &s) in columns.zip(&sum) {
                        *dx = if d.log { dy - <T as Ops>::exp::<L>(y) * s } else { y * (dy - s) };
                    }
                }
            }
        }
    }
}
