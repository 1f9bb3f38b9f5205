//! Pooling one window at a time.

use mxr_graph::instr::PoolKind;

use crate::element::Float;
use crate::pool2d::{Axis, Pool2d, ZERO_GRADIENT};

/// `f(plane, output index, [oy, ox])` for every output.
fn each(d: &Pool2d, mut f: impl FnMut(usize, usize, [usize; 2])) {
    for plane in 0..d.n * d.c {
        for oy in 0..d.oh {
            for ox in 0..d.ow {
                f(plane, (plane * d.oh + oy) * d.ow + ox, [oy, ox]);
            }
        }
    }
}

/// The input indices of a window in row-major order.
fn window(d: &Pool2d, plane: usize, [oy, ox]: [usize; 2]) -> impl Iterator<Item = usize> {
    let [rows, columns] = d.axes();
    let (h, w, columns) = (d.h, d.w, columns.window(ox));
    rows.window(oy).flat_map(move |iy| columns.clone().map(move |ix| (plane * h + iy) * w + ix))
}

fn count(d: &Pool2d, [oy, ox]: [usize; 2]) -> f64 {
    let [rows, columns] = d.axes();
    let with_pad = d.attrs.count_pad && !d.attrs.global;
    (rows.count(oy, with_pad) * columns.count(ox, with_pad)).max(1) as f64
}

/// The largest element; NaN wins.
fn largest<T: Float>(elements: impl Iterator<Item = T>) -> T {
    elements.fold(T::NEG_INFINITY, |a, b| if a > b || a.is_nan() { a } else { b })
}

fn rectified<T: Float>(y: T) -> T {
    if y > T::ZERO || y.is_nan() { y } else { T::ZERO }
}

/// `y = pool(x)`.
pub fn forward<T: Float>(d: &Pool2d, x: &[T], y: &mut [T]) {
    each(d, |plane, out, at| {
        let elements = window(d, plane, at).map(|i| x[i]);
        y[out] = match d.attrs.kind {
            PoolKind::Max => largest(elements),
            PoolKind::ReluMax => rectified(largest(elements)),
            PoolKind::Avg => elements.fold(T::ZERO, |a, b| a + b) / T::from_f64(count(d, at)),
        };
    });
}

/// `dx` of an average pooling.
pub fn backward_avg<T: Float>(d: &Pool2d, dy: &[T], dx: &mut [T]) {
    dx.fill(T::ZERO);
    each(d, |plane, out, at| {
        let share = dy[out] / T::from_f64(count(d, at));
        window(d, plane, at).for_each(|i| dx[i] += share);
    });
}

/// The input index of the first largest element of a window.
fn first<T: Float>(d: &Pool2d, plane: usize, at: [usize; 2], x: &[T]) -> Option<usize> {
    let y = largest(window(d, plane, at).map(|i| x[i]));
    window(d, plane, at).find(|&i| x[i] == y || x[i].is_nan() && y.is_nan())
}

/// `y = pool(x)` of a maximum, and the place of each.
pub fn forward_places<T: Float>(d: &Pool2d, x: &[T], y: &mut [T], place: &mut [u8]) {
    let [rows, columns] = d.axes();
    forward(d, x, y);
    each(d, |plane, out, at| {
        place[out] = first(d, plane, at, x).map_or(0, |i| {
            let (iy, ix) = (i / d.w % d.h + rows.before, i % d.w + columns.before);
            ((iy - at[0] * rows.stride) * columns.kernel + ix - at[1] * columns.stride) as u8
        });
        if d.attrs.kind == PoolKind::ReluMax && (y[out] <= T::ZERO || y[out].is_nan()) {
            place[out] |= ZERO_GRADIENT;
        }
    });
}

/// `dx` of a max pooling.
pub fn backward_max<T: Float>(d: &Pool2d, x: &[T], dy: &[T], dx: &mut [T]) {
    dx.fill(T::ZERO);
    each(d, |plane, out, at| {
        let Some(i) = first(d, plane, at, x) else { return };
        // Where the maximum is rectified, nothing flows unless it is above 0.
        if d.attrs.kind == PoolKind::Max || x[i] > T::ZERO {
            dx[i] += dy[out];
        }
    });
}

/// `dx` of a max pooling from the places of [`forward_places`].
pub fn backward_places<T: Float>(d: &Pool2d, place: &[u8], dy: &[T], dx: &mut [T]) {
    let [rows, columns] = d.axes();
    dx.fill(T::ZERO);
    each(d, |plane, out, at| {
        let none = d.attrs.kind == PoolKind::ReluMax && place[out] & ZERO_GRADIENT != 0;
        let place = usize::from(place[out]);
        let (y, x) =
            (at[0] * rows.stride + place / columns.kernel, at[1] * columns.stride + place % columns.kernel);
        let inside = |axis: &Axis, at: usize| (axis.before..axis.before + axis.size).contains(&at);
        if !none && inside(&rows, y) && inside(&columns, x) {
            dx[(plane * d.h + y - rows.before) * d.w + x - columns.before] += dy[out];
        }
    });
}
