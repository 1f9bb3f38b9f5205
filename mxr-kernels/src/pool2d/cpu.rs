//! Pooling a row at a time: down the window with contiguous vectors, then across it tap by tap.

use mxr_graph::instr::PoolKind;

use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::pool2d::{Axis, Pool2d};

/// The widest row of input or output, which bounds the scratch rows on the stack.
pub(crate) const WIDEST: usize = 1024;
/// The largest horizontal step.
pub(crate) const STEPS: usize = 4;

pub(crate) fn accepts(d: &Pool2d) -> bool {
    let [_, columns] = d.axes();
    d.w <= WIDEST && d.ow <= WIDEST && columns.stride <= STEPS
}

pub(crate) fn forward<T: Float>(isa: Isa, d: &Pool2d, x: &[T], y: &mut [T]) {
    level::run(isa, Forward { d, x, y });
}

pub(crate) fn backward_avg<T: Float>(isa: Isa, d: &Pool2d, dy: &[T], dx: &mut [T]) {
    level::run(isa, BackwardAvg { d, dy, dx });
}

pub(crate) fn backward_max<T: Float>(isa: Isa, d: &Pool2d, x: &[T], y: &[T], dy: &[T], dx: &mut [T]) {
    level::run(isa, BackwardMax { d, x, y, dy, dx });
}

#[inline(always)]
fn larger<T: Float>(a: T, b: T) -> T {
    if (a > b) | a.is_nan() { a } else { b }
}

struct Forward<'a, T> {
    d: &'a Pool2d,
    x: &'a [T],
    y: &'a mut [T],
}

impl<T: Float> Body for Forward<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        match self.d.attrs.kind {
            PoolKind::Max => {
                fold_planes(self.d, self.x, self.y, T::NEG_INFINITY, larger::<T>, |_, _| {});
            }
            PoolKind::Avg => {
                let d = self.d;
                fold_planes(d, self.x, self.y, T::ZERO, |a, b| a + b, |oy, y| divide(d, oy, y));
            }
        }
    }
}

#[inline(always)]
fn fold_planes<T: Float>(
    d: &Pool2d,
    x: &[T],
    y: &mut [T],
    start: T,
    f: impl Fn(T, T) -> T + Copy,
    finish: impl Fn(usize, &mut [T]),
) {
    let [rows, columns] = d.axes();
    let mut column = [T::ZERO; WIDEST];
    let column = &mut column[..d.w];
    for (x, y) in x.chunks_exact((d.h * d.w).max(1)).zip(y.chunks_exact_mut(d.oh * d.ow)) {
        for (oy, y) in y.chunks_exact_mut(d.ow).enumerate() {
            let window = rows.window(oy);
            y.fill(start);
            if window.is_empty() {
                finish(oy, y);
                continue;
            }
            column.copy_from_slice(&x[window.start * d.w..][..d.w]);
            for iy in window.start + 1..window.end {
                for (c, &x) in column.iter_mut().zip(&x[iy * d.w..][..d.w]) {
                    *c = f(*c, x);
                }
            }
            match columns.stride {
                1 => across::<1, T>(&columns, column, y, f),
                2 => across::<2, T>(&columns, column, y, f),
                3 => across::<3, T>(&columns, column, y, f),
                _ => across::<4, T>(&columns, column, y, f),
            }
            finish(oy, y);
        }
    }
}

/// Combines the taps of every output of a row.
#[inline(always)]
fn across<const S: usize, T: Float>(a: &Axis, column: &[T], y: &mut [T], f: impl Fn(T, T) -> T) {
    for k in 0..a.kernel {
        let outputs = a.outputs(k);
        if outputs.is_empty() {
            continue;
        }
        let taps = &column[outputs.start * S + k - a.before..];
        let y = &mut y[outputs];
        // The last output may have less than a whole step of elements after its tap.
        let whole = (taps.len() / S).min(y.len());
        for (y, x) in y[..whole].iter_mut().zip(taps.chunks_exact(S)) {
            *y = f(*y, x[0]);
        }
        for (i, y) in y.iter_mut().enumerate().skip(whole) {
            *y = f(*y, taps[i * S]);
        }
    }
}

/// Divides a row of sums by what each window counts.
#[inline(always)]
fn divide<T: Float>(d: &Pool2d, oy: usize, y: &mut [T]) {
    let [rows, columns] = d.axes();
    let with_pad = d.attrs.count_pad && !d.attrs.global;
    let height = rows.count(oy, with_pad);
    let full = T::from_f64((height * columns.kernel).max(1) as f64);
    let count = |ox| columns.count(ox, with_pad);
    let first = (0..y.len()).find(|&ox| count(ox) == columns.kernel).unwrap_or(y.len());
    let last = (first..y.len()).rfind(|&ox| count(ox) == columns.kernel).map_or(first, |ox| ox + 1);
    for (ox, y) in y.iter_mut().enumerate() {
        if ox < first || ox >= last {
            *y = *y / T::from_f64((height * count(ox)).max(1) as f64);
        }
    }
    for y in &mut y[first..last] {
        *y = *y / full;
    }
}

struct BackwardAvg<'a, T> {
    d: &'a Pool2d,
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Body for BackwardAvg<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let BackwardAvg { d, dy, dx } = self;
        let [rows, columns] = d.axes();
        let mut share = [T::ZERO; WIDEST];
        let share = &mut share[..d.ow];
        let mut phases = Phases::new();
        dx.fill(T::ZERO);
        for (dy, dx) in dy.chunks_exact((d.oh * d.ow).max(1)).zip(dx.chunks_exact_mut(d.h * d.w)) {
            for (oy, dy) in dy.chunks_exact(d.ow.max(1)).enumerate() {
                share.copy_from_slice(dy);
                divide(d, oy, share);
                phases.clear(&columns);
                for k in 0..columns.kernel {
                    phases.add(&columns, k, share);
                }
                for iy in rows.window(oy) {
                    phases.add_to(&columns, &mut dx[iy * d.w..][..d.w]);
                }
            }
        }
    }
}

/// A row of gradients, one array for every remainder of the column by the step, so that neighbouring outputs meet
/// neighbouring memory.
struct Phases<T> {
    of: [[T; WIDEST + 1]; STEPS],
}

impl<T: Float> Phases<T> {
    #[inline(always)]
    fn new() -> Self {
        Phases { of: [[T::ZERO; WIDEST + 1]; STEPS] }
    }

    #[inline(always)]
    fn clear(&mut self, a: &Axis) {
        for row in &mut self.of[..a.stride] {
            row[..=a.size / a.stride].fill(T::ZERO);
        }
    }

    /// Tap `k` of every output receives that output's element of `g`.
    #[inline(always)]
    fn add(&mut self, a: &Axis, k: usize, g: &[T]) {
        let outputs = a.outputs(k);
        if outputs.is_empty() {
            return;
        }
        let column = outputs.start * a.stride + k - a.before;
        let row = &mut self.of[column % a.stride][column / a.stride..];
        for (r, &g) in row.iter_mut().zip(&g[outputs]) {
            *r += g;
        }
    }

    #[inline(always)]
    fn add_to(&self, a: &Axis, dx: &mut [T]) {
        match a.stride {
            1 => self.interleave::<1>(dx),
            2 => self.interleave::<2>(dx),
            3 => self.interleave::<3>(dx),
            _ => self.interleave::<4>(dx),
        }
    }

    #[inline(always)]
    fn interleave<const S: usize>(&self, dx: &mut [T]) {
        let whole = dx.len() / S;
        let (body, tail) = dx.split_at_mut(whole * S);
        for (j, dx) in body.chunks_exact_mut(S).enumerate() {
            for (s, dx) in dx.iter_mut().enumerate() {
                *dx += self.of[s][j];
            }
        }
        for (s, dx) in tail.iter_mut().enumerate() {
            *dx += self.of[s][whole];
        }
    }
}

struct BackwardMax<'a, T> {
    d: &'a Pool2d,
    x: &'a [T],
    y: &'a [T],
    dy: &'a [T],
    dx: &'a mut [T],
}

impl<T: Float> Body for BackwardMax<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        let BackwardMax { d, x, y, dy, dx } = self;
        let [rows, columns] = d.axes();
        let (plane, out) = (d.h * d.w, (d.oh * d.ow).max(1));
        let mut waiting = [T::ZERO; WIDEST];
        let waiting = &mut waiting[..d.ow];
        let mut given = [T::ZERO; WIDEST];
        let mut phases = Phases::new();
        dx.fill(T::ZERO);
        let planes = x.chunks_exact(plane).zip(y.chunks_exact(out)).zip(dy.chunks_exact(out));
        for (((x, y), dy), dx) in planes.zip(dx.chunks_exact_mut(plane)) {
            for (oy, (y, dy)) in y.chunks_exact(d.ow).zip(dy.chunks_exact(d.ow)).enumerate() {
                waiting.copy_from_slice(dy);
                for iy in rows.window(oy) {
                    let x = &x[iy * d.w..][..d.w];
                    phases.clear(&columns);
                    for k in 0..columns.kernel {
                        match columns.stride {
                            1 => give::<1, T>(&columns, k, x, y, waiting, &mut given),
                            2 => give::<2, T>(&columns, k, x, y, waiting, &mut given),
                            3 => give::<3, T>(&columns, k, x, y, waiting, &mut given),
                            _ => give::<4, T>(&columns, k, x, y, waiting, &mut given),
                        }
                        phases.add(&columns, k, &given);
                    }
                    phases.add_to(&columns, &mut dx[iy * d.w..][..d.w]);
                }
            }
        }
    }
}

/// Outputs whose tap `k` is their maximum hand over the gradient that is still waiting; the others give 0.
#[inline(always)]
fn give<const S: usize, T: Float>(a: &Axis, k: usize, x: &[T], y: &[T], waiting: &mut [T], given: &mut [T]) {
    let outputs = a.outputs(k);
    if outputs.is_empty() {
        return;
    }
    let taps = &x[outputs.start * S + k - a.before..];
    let (y, waiting, given) = (&y[outputs.clone()], &mut waiting[outputs.clone()], &mut given[outputs]);
    let one = |x: T, y: T, waiting: &mut T, given: &mut T| {
        let hit = (x == y) | (x.is_nan() & y.is_nan());
        *given = if hit { *waiting } else { T::ZERO };
        *waiting = if hit { T::ZERO } else { *waiting };
    };
    let whole = (taps.len() / S).min(y.len());
    let body = y[..whole].iter().zip(waiting[..whole].iter_mut()).zip(given[..whole].iter_mut());
    for (x, ((&y, waiting), given)) in taps.chunks_exact(S).zip(body) {
        one(x[0], y, waiting, given);
    }
    for i in whole..y.len() {
        one(taps[i * S], y[i], &mut waiting[i], &mut given[i]);
    }
}
