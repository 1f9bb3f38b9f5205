//! Vectorised reductions: along contiguous elements, or down columns.

use std::ops::Range;

use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::par;
use crate::reduce::source::{Reader, Source};
use crate::reduce::{Dims, Reduce};

/// How two values become one.
pub(crate) trait Fold: Copy + Send + Sync + 'static {
    const START: f64;
    fn step(a: f64, x: f64) -> f64;
    /// Joins the results of two blocks, each a value and what its rounding lost.
    fn join(a: (f64, f64), b: (f64, f64)) -> (f64, f64);
}

#[derive(Clone, Copy)]
pub(crate) struct Sum;
#[derive(Clone, Copy)]
pub(crate) struct Max;
#[derive(Clone, Copy)]
pub(crate) struct Min;

impl Fold for Sum {
    const START: f64 = 0.0;
    #[inline(always)]
    fn step(a: f64, x: f64) -> f64 {
        a + x
    }
    #[inline(always)]
    fn join(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
        // Knuth's exact sum of two.
        let s = a.0 + b.0;
        let t = s - a.0;
        (s, a.1 + b.1 + ((a.0 - (s - t)) + (b.0 - t)))
    }
}

impl Fold for Max {
    const START: f64 = f64::NEG_INFINITY;
    #[inline(always)]
    fn step(a: f64, x: f64) -> f64 {
        if (a > x) | a.is_nan() { a } else { x }
    }
    #[inline(always)]
    fn join(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
        (Self::step(a.0, b.0), 0.0)
    }
}

impl Fold for Min {
    const START: f64 = f64::INFINITY;
    #[inline(always)]
    fn step(a: f64, x: f64) -> f64 {
        if (a < x) | a.is_nan() { a } else { x }
    }
    #[inline(always)]
    fn join(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
        (Self::step(a.0, b.0), 0.0)
    }
}

fn value((s, lost): (f64, f64)) -> f64 {
    // Once a sum is infinite or NaN the correction means nothing.
    if s.is_finite() { s + lost } else { s }
}

const LANES: usize = 32;
/// Elements that lanes add up before the result joins the others.
pub(crate) const RUN: usize = 1024;
/// Elements of one task when an output's elements are spread over tasks.
const TASK: usize = 64 * 1024;
/// Columns that are reduced together.
const COLUMNS: usize = 128;
/// Rows that columns add up before the result joins the others.
const ROWS: usize = 32;
/// With this many output pieces, each is one task.
const PIECES: usize = 8;

pub(crate) fn reduce<T: Float, F: Fold>(
    isa: Isa,
    d: &Reduce,
    x: &(impl Source<T> + ?Sized),
    y: &mut [T],
    divide: f64,
) {
    let inner_is_kept = d.kept.rank > 0 && d.kept.stride[d.kept.rank - 1] == 1;
    if inner_is_kept {
        columns::<T, F>(isa, d, x, y, divide);
    } else {
        rows::<T, F>(isa, d, x, y, divide);
    }
}

/// The innermost axis goes away: every output is a sum over contiguous runs.
fn rows<T: Float, F: Fold>(isa: Isa, d: &Reduce, x: &(impl Source<T> + ?Sized), y: &mut [T], divide: f64) {
    let total = d.gone.len();
    let tasks = total.div_ceil(TASK);
    let finish = |r: (f64, f64)| T::from_f64(value(r) / divide);
    let start = (F::START, 0.0);
    // Short outputs that follow each other are read several at a time.
    let packed = d.gone.rank <= 1 && d.kept.rank == 1 && d.kept.stride[0] == total && total <= RUN / 2;
    if y.len() >= PIECES {
        let grain = (32 * 1024 / total.max(1)).max(1);
        par::for_each_mut(y, grain, |block, y| {
            let mut reader = x.reader(isa);
            let outputs = y.len();
            for (i, y) in y.iter_mut().enumerate() {
                let base = d.kept.offset(block * grain + i);
                let ahead = if packed { (outputs - 1 - i) * total } else { 0 };
                let one = (0..tasks).map(|task| row::<T, F>(isa, d, &mut reader, base, task, ahead));
                *y = finish(one.reduce(F::join).unwrap_or(start));
            }
        });
    } else {
        for (o, y) in y.iter_mut().enumerate() {
            let base = d.kept.offset(o);
            let one = |task| row::<T, F>(isa, d, &mut x.reader(isa), base, task, 0);
            *y = finish(par::map_reduce(tasks, one, F::join).unwrap_or(start));
        }
    }
}

/// Task number `task` of the output whose elements begin at `base`.
fn row<T: Float, F: Fold>(
    isa: Isa,
    d: &Reduce,
    x: &mut impl Reader<T>,
    base: usize,
    task: usize,
    ahead: usize,
) -> (f64, f64) {
    let range = task * TASK..d.gone.len().min((task + 1) * TASK);
    level::run(isa, Row::<T, F, _> { x, base, gone: &d.gone, range, ahead, types: std::marker::PhantomData })
}

struct Row<'a, T, F, R> {
    x: &'a mut R,
    base: usize,
    gone: &'a Dims,
    range: Range<usize>,
    /// Elements that will be asked for after these.
    ahead: usize,
    types: std::marker::PhantomData<(T, F)>,
}

impl<T: Float, F: Fold, R: Reader<T>> Body for Row<'_, T, F, R> {
    type Output = (f64, f64);

    #[inline(always)]
    fn run<L: Level>(self) -> (f64, f64) {
        let (outer, inner, _) = self.gone.split_inner();
        let mut total = (F::START, 0.0);
        let mut i = self.range.start;
        while i < self.range.end {
            let (row, off) = (i / inner, i % inner);
            let len = (inner - off).min(self.range.end - i);
            let at = self.base + outer.offset(row) + off;
            let mut done = 0;
            while done < len {
                let run = self.x.read(at + done, RUN.min(len - done), self.ahead);
                total = F::join(total, (fold_run::<T, F>(run), 0.0));
                done += run.len();
            }
            i += len;
        }
        total
    }
}

/// Combines at most a thousand elements.
#[inline(always)]
pub(crate) fn fold_run<T: Float, F: Fold>(run: &[T]) -> f64 {
    if run.len() < LANES {
        return run.iter().fold(F::START, |a, x| F::step(a, x.to_f64()));
    }
    let mut lanes = [F::START; LANES];
    let mut chunks = run.chunks_exact(LANES);
    for chunk in &mut chunks {
        for (a, x) in lanes.iter_mut().zip(chunk) {
            *a = F::step(*a, x.to_f64());
        }
    }
    for (a, x) in lanes.iter_mut().zip(chunks.remainder()) {
        *a = F::step(*a, x.to_f64());
    }
    let mut width = LANES / 2;
    while width > 0 {
        for i in 0..width {
            lanes[i] = F::step(lanes[i], lanes[i + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// The innermost axis stays: neighbouring outputs are added up together.
fn columns<T: Float, F: Fold>(isa: Isa, d: &Reduce, x: &(impl Source<T> + ?Sized), y: &mut [T], divide: f64) {
    let (outer, inner, _) = d.kept.split_inner();
    let blocks = inner.div_ceil(COLUMNS);
    let rows = d.gone.len();
    let pieces = outer.len() * blocks;
    let finish = |part: &Part, y: &mut [T]| {
        for (j, y) in y.iter_mut().enumerate() {
            *y = T::from_f64(value((part.sum[j], part.lost[j])) / divide);
        }
    };
    if pieces >= PIECES {
        // Outer indices as blocks; within one its columns in order.
        let grain = (32 * 1024 / (inner * rows.max(1))).max(1);
        if outer.len() >= PIECES {
            par::for_each_mut(y, grain * inner, |block, y| {
                let mut reader = x.reader(isa);
                for (i, y) in y.chunks_mut(inner).enumerate() {
                    for (b, y) in y.chunks_mut(COLUMNS).enumerate() {
                        let piece = (block * grain + i) * blocks + b;
                        finish(&column::<T, F>(isa, d, &mut reader, piece, 0..rows), y);
                    }
                }
            });
        } else {
            for (o, y) in y.chunks_mut(inner).enumerate() {
                par::for_each_mut(y, COLUMNS, |b, y| {
                    finish(&column::<T, F>(isa, d, &mut x.reader(isa), o * blocks + b, 0..rows), y);
                });
            }
        }
    } else {
        let width = COLUMNS.min(inner);
        let step = (TASK / width).max(1);
        for (o, y) in y.chunks_mut(inner).enumerate() {
            for (b, y) in y.chunks_mut(COLUMNS).enumerate() {
                let part = par::map_reduce(
                    rows.div_ceil(step),
                    |task| {
                        let rows = task * step..rows.min((task + 1) * step);
                        column::<T, F>(isa, d, &mut x.reader(isa), o * blocks + b, rows)
                    },
                    |mut a, b| {
                        for j in 0..COLUMNS {
                            (a.sum[j], a.lost[j]) = F::join((a.sum[j], a.lost[j]), (b.sum[j], b.lost[j]));
                        }
                        a
                    },
                );
                finish(&part.unwrap_or(Part { sum: [F::START; COLUMNS], lost: [0.0; COLUMNS] }), y);
            }
        }
    }
}

/// The columns of one piece over some rows.
fn column<T: Float, F: Fold>(
    isa: Isa,
    d: &Reduce,
    x: &mut impl Reader<T>,
    piece: usize,
    rows: Range<usize>,
) -> Part {
    let (outer, inner, _) = d.kept.split_inner();
    let blocks = inner.div_ceil(COLUMNS);
    let first = piece % blocks * COLUMNS;
    let at = outer.offset(piece / blocks) + first;
    let width = COLUMNS.min(inner - first);
    let packed = d.gone.rank == 1 && d.gone.stride[0] == width;
    let types = std::marker::PhantomData;
    level::run(isa, Column::<T, F, _> { x, at, width, gone: &d.gone, rows, packed, types })
}

/// Results of neighbouring columns with what rounding lost.
struct Part {
    sum: [f64; COLUMNS],
    lost: [f64; COLUMNS],
}

struct Column<'a, T, F, R> {
    x: &'a mut R,
    at: usize,
    width: usize,
    gone: &'a Dims,
    rows: Range<usize>,
    /// Rows follow each other without a gap.
    packed: bool,
    types: std::marker::PhantomData<(T, F)>,
}

impl<T: Float, F: Fold, R: Reader<T>> Body for Column<'_, T, F, R> {
    type Output = Part;

    #[inline(always)]
    fn run<L: Level>(self) -> Part {
        let mut part = Part { sum: [F::START; COLUMNS], lost: [0.0; COLUMNS] };
        let mut r = self.rows.start;
        while r < self.rows.end {
            let end = self.rows.end.min(r + ROWS);
            let mut sum = [F::START; COLUMNS];
            let sum = &mut sum[..self.width];
            for r in r..end {
                let at = self.at + self.gone.offset(r);
                let ahead = if self.packed { (self.rows.end - 1 - r) * self.width } else { 0 };
                for (a, x) in sum.iter_mut().zip(self.x.read(at, self.width, ahead)) {
                    *a = F::step(*a, x.to_f64());
                }
            }
            for (j, &s) in sum.iter().enumerate() {
                (part.sum[j], part.lost[j]) = F::join((part.sum[j], part.lost[j]), (s, 0.0));
            }
            r = end;
        }
        part
    }
}
