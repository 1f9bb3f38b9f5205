//! Pooling a row at a time: down the window with contiguous vectors, then across it.
//!
//! Short rows would leave most of the work to scalar remainders, so rows are put into padded scratch memory and worked on in
//! whole vectors. With a step of S the padded row is dealt out to S *phases* (elements 0, S, 2S, …; 1, S + 1, …): tap `k` of
//! neighbouring outputs is then contiguous in phase `k mod S`.

use mxr_graph::instr::PoolKind;

use crate::element::Float;
use crate::isa::Isa;
use crate::level::{self, Body, Level};
use crate::pool2d::{Axis, Pool2d, rectify};

/// Elements of a padded row.
pub(super) const ROW: usize = 2048;
/// The largest horizontal step.
const STEPS: usize = 4;
/// Elements that are worked on together.
pub(super) const LANES: usize = 16;

pub(crate) fn accepts(d: &Pool2d) -> bool {
    let [_, a] = d.axes();
    a.stride <= STEPS && a.before + a.size <= ROW && phase_len(&a) <= ROW / a.stride
}

/// Elements of a phase that whole vectors of outputs touch.
pub(super) fn phase_len(a: &Axis) -> usize {
    a.out.next_multiple_of(LANES) + a.kernel / a.stride + 1
}

pub(crate) fn forward<T: Float>(isa: Isa, d: &Pool2d, x: &[T], y: &mut [T]) {
    level::run(isa, Forward { d, x, y });
}

pub(crate) fn backward_avg<T: Float>(isa: Isa, d: &Pool2d, dy: &[T], dx: &mut [T]) {
    level::run(isa, BackwardAvg { d, dy, dx });
}

/// Scratch memory of one padded row.
#[repr(align(64))]
pub(super) struct Row<T> {
    pub(super) flat: [T; ROW],
    dealt: [T; ROW],
}

impl<T: Copy> Row<T> {
    pub(super) fn new(pad: T) -> Self {
        Row { flat: [pad; ROW], dealt: [pad; ROW] }
    }

    /// The phases of the flat row, one after the other.
    #[inline(always)]
    pub(super) fn deal(&mut self, a: &Axis, len: usize) -> &[T] {
        match a.stride {
            1 => return &self.flat,
            2 => self.deal_in::<2>(len),
            3 => self.deal_in::<3>(len),
            _ => self.deal_in::<4>(len),
        }
        &self.dealt
    }

    #[inline(always)]
    fn deal_in<const S: usize>(&mut self, len: usize) {
        for s in 0..S {
            for (d, x) in self.dealt[s * len..][..len].iter_mut().zip(self.flat.chunks_exact(S)) {
                *d = x[s];
            }
        }
    }

    /// The inverse of [`deal`](Row::deal): what the phases hold, as a row.
    #[inline(always)]
    fn collect(&mut self, a: &Axis, len: usize) -> &[T] {
        match a.stride {
            1 => return &self.dealt,
            2 => self.collect_in::<2>(len),
            3 => self.collect_in::<3>(len),
            _ => self.collect_in::<4>(len),
        }
        &self.flat
    }

    #[inline(always)]
    fn collect_in<const S: usize>(&mut self, len: usize) {
        for (j, flat) in self.flat.chunks_exact_mut(S).take(len).enumerate() {
            for (s, flat) in flat.iter_mut().enumerate() {
                *flat = self.dealt[s * len + j];
            }
        }
    }
}

#[inline(always)]
pub(super) fn load<T: Copy + Default>(x: &[T], at: usize) -> [T; LANES] {
    let mut v = [T::default(); LANES];
    v.copy_from_slice(&x[at..at + LANES]);
    v
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
        let Forward { d, x, y } = self;
        match d.attrs.kind {
            PoolKind::Max => fold_planes(d, x, y, T::NEG_INFINITY, larger::<T>, |_, _| {}),
            PoolKind::ReluMax => fold_planes(d, x, y, T::NEG_INFINITY, larger::<T>, |_, y| rectify(y)),
            PoolKind::Avg => fold_planes(d, x, y, T::ZERO, |a, b| a + b, |oy, y| divide(d, oy, y)),
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
    let [rows, a] = d.axes();
    let len = phase_len(&a);
    // Padding never changes a result: it holds the neutral element.
    let mut row = Row::new(start);
    for (x, y) in x.chunks_exact((d.h * d.w).max(1)).zip(y.chunks_exact_mut(d.oh * d.ow)) {
        for (oy, y) in y.chunks_exact_mut(d.ow).enumerate() {
            let window = rows.window(oy);
            if window.is_empty() {
                y.fill(start);
            } else {
                let x = &x[window.start * d.w..window.end * d.w];
                down(x, d.w, &mut row.flat[a.before..a.before + d.w], f);
                across(&a, row.deal(&a, len), len, start, y, f);
            }
            finish(oy, y);
        }
    }
}

/// Combines rows of `w` elements into one.
#[inline(always)]
fn down<T: Float>(x: &[T], w: usize, out: &mut [T], f: impl Fn(T, T) -> T) {
    if w < LANES {
        out.copy_from_slice(&x[..w]);
        for x in x.chunks_exact(w).skip(1) {
            for (o, &x) in out.iter_mut().zip(x) {
                *o = f(*o, x);
            }
        }
        return;
    }
    for at in (0..w).step_by(LANES) {
        // The last vector overlaps the one before it: whole columns are computed, so twice is as good as once.
        let at = at.min(w - LANES);
        let mut acc = load(x, at);
        for x in x.chunks_exact(w).skip(1) {
            let x = load(x, at);
            for j in 0..LANES {
                acc[j] = f(acc[j], x[j]);
            }
        }
        out[at..at + LANES].copy_from_slice(&acc);
    }
}

/// Combines the taps of every output of a row.
#[inline(always)]
fn across<T: Float>(a: &Axis, phases: &[T], len: usize, start: T, y: &mut [T], f: impl Fn(T, T) -> T) {
    for (chunk, y) in y.chunks_mut(LANES).enumerate() {
        let mut acc = [start; LANES];
        for k in 0..a.kernel {
            let taps = load(phases, k % a.stride * len + k / a.stride + chunk * LANES);
            for j in 0..LANES {
                acc[j] = f(acc[j], taps[j]);
            }
        }
        y.copy_from_slice(&acc[..y.len()]);
    }
}

/// Divides a row of sums by what each window counts.
#[inline(always)]
fn divide<T: Float>(d: &Pool2d, oy: usize, y: &mut [T]) {
    let [rows, columns] = d.axes();
    let with_pad = d.attrs.count_pad && !d.attrs.global;
    let height = rows.count(oy, with_pad);
    let count = |ox| columns.count(ox, with_pad);
    let whole = |ox: &usize| count(*ox) == columns.kernel;
    let first = (0..y.len()).find(whole).unwrap_or(y.len());
    let last = (first..y.len()).rfind(whole).map_or(first, |ox| ox + 1);
    for ox in (0..first).chain(last..y.len()) {
        y[ox] = y[ox] / T::from_f64((height * count(ox)).max(1) as f64);
    }
    let full = T::from_f64((height * columns.kernel).max(1) as f64);
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
        let [rows, a] = d.axes();
        let len = phase_len(&a);
        let mut share = [T::ZERO; ROW];
        let mut given = Row::new(T::ZERO);
        dx.fill(T::ZERO);
        for (dy, dx) in dy.chunks_exact((d.oh * d.ow).max(1)).zip(dx.chunks_exact_mut(d.h * d.w)) {
            for (oy, dy) in dy.chunks_exact(d.ow.max(1)).enumerate() {
                // What lies behind the last output stays 0.
                share[..d.ow].copy_from_slice(dy);
                divide(d, oy, &mut share[..d.ow]);
                given.dealt[..a.stride * len].fill(T::ZERO);
                for at in (0..d.ow).step_by(LANES) {
                    let g = load(&share, at);
                    for k in 0..a.kernel {
                        add(&mut given.dealt[k % a.stride * len + k / a.stride + at..][..LANES], &g);
                    }
                }
                let row = &given.collect(&a, len)[a.before..][..d.w];
                for iy in rows.window(oy) {
                    add(&mut dx[iy * d.w..][..d.w], row);
                }
            }
        }
    }
}

#[inline(always)]
fn add<T: Float>(to: &mut [T], g: &[T]) {
    for (to, &g) in to.iter_mut().zip(g) {
        *to += g;
    }
}
