//! Two-dimensional max and average pooling.
//!
//! Output element `(oy, ox)` of a plane combines the input elements in rows `oy·sh − top ..+ kh` and columns
//! `ox·sw − left ..+ kw` that lie in the input. NaN wins a maximum. The gradient of a maximum goes to the first
//! largest element in row-major order, or to the first NaN if there is one. A window without any input element, which
//! no valid output size contains, has the maximum −∞, the mean 0 and no gradient.
//!
//! What the gradient of a maximum needs is the *place* of the largest element in its window, `ky · kw + kx`, one byte where
//! the window has at most 256 places. [`PoolKind::ReluMax`] rectifies the maximum as well; then bit 7 of the byte says that the
//! result is not above 0, so that no gradient flows, and 128 places are left.
//!
//! Candidates, best first: `flat` takes whole planes at a time where the step is 1 and planes are small; `cpu` and `place` (maxima with their
//! places) work on a row of several planes at a time, across the windows and then down, and accept rows of up to about a thousand elements; global pooling is a reduction; the reference takes the rest, spread
//! over planes.

mod cpu;
mod flat;
mod place;
pub mod reference;
mod strip;
#[cfg(test)]
mod tests;

use mxr_graph::instr::{Axes, PoolAttrs, PoolKind, ReduceKind};

use crate::element::Float;
use crate::isa::Isa;
use crate::par;
use crate::reduce::{self, Reduce};
use flat::Flat;
use strip::Strip;

/// Pooling of `[n, c, h, w]` into `[n, c, oh, ow]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool2d {
    /// Samples.
    pub n: usize,
    /// Channels.
    pub c: usize,
    /// Height of the input.
    pub h: usize,
    /// Width of the input.
    pub w: usize,
    /// Height of the output.
    pub oh: usize,
    /// Width of the output.
    pub ow: usize,
    /// Kind, window, step and padding.
    pub attrs: PoolAttrs,
}

/// In the place of a rectified maximum: the result is not above 0.
pub const ZERO_GRADIENT: u8 = 0x80;

/// One axis of a window.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Axis {
    pub(crate) size: usize,
    pub(crate) out: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) before: usize,
    pub(crate) after: usize,
}

impl Axis {
    /// The input indices of output `o`'s window.
    pub(crate) fn window(&self, o: usize) -> std::ops::Range<usize> {
        let start = o * self.stride;
        let end = (start + self.kernel).saturating_sub(self.before).min(self.size);
        start.saturating_sub(self.before).min(end)..end
    }

    /// How many places of output `o`'s window an average counts.
    pub(crate) fn count(&self, o: usize, with_pad: bool) -> usize {
        if with_pad {
            let start = o * self.stride;
            (start + self.kernel).min(self.size + self.before + self.after).saturating_sub(start)
        } else {
            self.window(o).len()
        }
    }
}

impl Pool2d {
    fn planes(&self) -> usize {
        self.n * self.c
    }

    fn in_len(&self) -> usize {
        self.planes() * self.h * self.w
    }

    fn out_len(&self) -> usize {
        self.planes() * self.oh * self.ow
    }

    pub(crate) fn axes(&self) -> [Axis; 2] {
        let a = &self.attrs;
        let axis = |d: usize, size, out| {
            if a.global {
                return Axis { size, out, kernel: size, stride: 1, before: 0, after: 0 };
            }
            Axis {
                size,
                out,
                kernel: a.kernel[d] as usize,
                stride: a.stride[d].max(1) as usize,
                before: a.pad[d] as usize,
                after: a.pad[d + 2] as usize,
            }
        };
        [axis(0, self.h, self.oh), axis(1, self.w, self.ow)]
    }

    /// The same pooling of this many planes.
    fn of_planes(&self, planes: usize) -> Pool2d {
        Pool2d { n: 1, c: planes, ..*self }
    }

    /// The whole plane is one window, and one number comes out.
    fn is_reduction(&self) -> bool {
        self.attrs.global && self.oh * self.ow == 1
    }

    /// Whether the places of a window fit into a byte.
    pub fn has_places(&self) -> bool {
        let [rows, columns] = self.axes();
        let most = if self.attrs.kind == PoolKind::ReluMax { 128 } else { 256 };
        rows.kernel * columns.kernel <= most
    }

    fn grain(&self) -> usize {
        (32 * 1024 / (self.h * self.w).max(1)).max(1)
    }
}

/// `y = pool(x)`.
///
/// ```
/// use mxr_graph::instr::{PoolAttrs, PoolKind};
/// use mxr_kernels::pool2d::{Pool2d, forward};
///
/// let attrs = PoolAttrs {
///     kind: PoolKind::Max,
///     kernel: [2, 2],
///     stride: [2, 2],
///     pad: [0; 4],
///     count_pad: false,
///     global: false,
/// };
/// let pool = Pool2d { n: 1, c: 1, h: 2, w: 4, oh: 1, ow: 2, attrs };
/// let mut y = [0f32; 2];
/// forward(&pool, &[1., 2., 3., 4., 5., 6., 7., 8.], &mut y);
/// assert_eq!(y, [6., 8.]);
/// ```
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn forward<T: Float>(d: &Pool2d, x: &[T], y: &mut [T]) {
    forward_on(Isa::detect(), d, x, y);
}

/// [`forward`] with a chosen instruction set.
///
/// # Panics
/// As [`forward`].
pub fn forward_on<T: Float>(isa: Isa, d: &Pool2d, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), d.in_len(), "length of the input of a pooling");
    assert_eq!(y.len(), d.out_len(), "length of the output of a pooling");
    if y.is_empty() {
        return;
    }
    if d.is_reduction() && d.h * d.w > 0 {
        let kind = if d.attrs.kind == PoolKind::Avg { ReduceKind::Mean } else { ReduceKind::Max };
        reduce::reduce_on(isa, &Reduce::new(kind, &[d.planes(), d.h * d.w], Axes(2)), x, y);
        if d.attrs.kind == PoolKind::ReluMax {
            rectify(y);
        }
        return;
    }
    let (grain, plane) = (d.grain(), d.h * d.w);
    par::for_each_mut(y, grain * d.oh * d.ow, |block, y| {
        let planes = y.len() / (d.oh * d.ow);
        let (part, x) = (d.of_planes(planes), &x[block * grain * plane..][..planes * plane]);
        if let Some(flat) = Flat::new(&part) {
            flat::forward(isa, &part, flat, x, y);
        } else if let Some(strip) = Strip::new(&part) {
            cpu::forward(isa, &part, strip, x, y);
        } else {
            reference::forward(&part, x, y);
        }
    });
}

/// `dx` of an average pooling.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn backward_avg<T: Float>(d: &Pool2d, dy: &[T], dx: &mut [T]) {
    backward_avg_on(Isa::detect(), d, dy, dx);
}

/// [`backward_avg`] with a chosen instruction set.
///
/// # Panics
/// As [`backward_avg`].
pub fn backward_avg_on<T: Float>(isa: Isa, d: &Pool2d, dy: &[T], dx: &mut [T]) {
    assert_eq!(dx.len(), d.in_len(), "length of the input's gradient of a pooling");
    assert_eq!(dy.len(), d.out_len(), "length of the output's gradient of a pooling");
    if dx.is_empty() {
        return;
    }
    let (grain, plane, out) = (d.grain(), d.h * d.w, d.oh * d.ow);
    par::for_each_mut(dx, grain * plane, |block, dx| {
        let planes = dx.len() / plane;
        let (part, dy) = (d.of_planes(planes), &dy[block * grain * out..][..planes * out]);
        if d.is_reduction() {
            for (dx, &dy) in dx.chunks_mut(plane).zip(dy) {
                dx.fill(dy / T::from_f64(plane as f64));
            }
            return;
        }
        if let Some(flat) = Flat::new(&part) {
            flat::backward_avg(isa, &part, flat, dy, dx);
        } else if let Some(strip) = Strip::new(&part) {
            cpu::backward_avg(isa, &part, strip, dy, dx);
        } else {
            reference::backward_avg(&part, dy, dx);
        }
    });
}

/// `y = pool(x)` of a maximum, and the place of each in its window.
///
/// # Panics
/// If the lengths are not those of the descriptor, or the places do not fit into bytes ([`Pool2d::has_places`]).
pub fn forward_places<T: Float>(d: &Pool2d, x: &[T], y: &mut [T], place: &mut [u8]) {
    forward_places_on(Isa::detect(), d, x, y, place);
}

/// [`forward_places`] with a chosen instruction set.
///
/// # Panics
/// As [`forward_places`].
pub fn forward_places_on<T: Float>(isa: Isa, d: &Pool2d, x: &[T], y: &mut [T], place: &mut [u8]) {
    assert!(d.has_places(), "the places of a pooling's window fit into a byte");
    assert_eq!(x.len(), d.in_len(), "length of the input of a pooling");
    assert_eq!(y.len(), d.out_len(), "length of the output of a pooling");
    assert_eq!(place.len(), d.out_len(), "length of the places of a pooling");
    if y.is_empty() {
        return;
    }
    let (grain, plane, out) = (d.grain(), d.h * d.w, d.oh * d.ow);
    par::for_each_mut2(y, grain * out, place, grain * out, |block, y, place| {
        let planes = y.len() / out;
        let (part, x) = (d.of_planes(planes), &x[block * grain * plane..][..planes * plane]);
        match Strip::new(&part) {
            Some(strip) => place::forward(isa, &part, strip, x, y, place),
            None => reference::forward_places(&part, x, y, place),
        }
    });
}

/// `dx` of a max pooling from the places of [`forward_places`] and the output's gradient.
///
/// # Panics
/// If the lengths are not those of the descriptor, or the places do not fit into bytes ([`Pool2d::has_places`]).
pub fn backward_places<T: Float>(d: &Pool2d, place: &[u8], dy: &[T], dx: &mut [T]) {
    backward_places_on(Isa::detect(), d, place, dy, dx);
}

/// [`backward_places`] with a chosen instruction set.
///
/// # Panics
/// As [`backward_places`].
pub fn backward_places_on<T: Float>(isa: Isa, d: &Pool2d, place: &[u8], dy: &[T], dx: &mut [T]) {
    assert!(d.has_places(), "the places of a pooling's window fit into a byte");
    assert_eq!(dx.len(), d.in_len(), "length of the input's gradient of a pooling");
    assert_eq!(place.len(), d.out_len(), "length of the places of a pooling");
    assert_eq!(dy.len(), d.out_len(), "length of the output's gradient of a pooling");
    if dx.is_empty() {
        return;
    }
    let (grain, plane, out) = (d.grain(), d.h * d.w, d.oh * d.ow);
    par::for_each_mut(dx, grain * plane, |block, dx| {
        let planes = dx.len() / plane;
        let own = block * grain * out..(block * grain + planes) * out;
        let (part, place, dy) = (d.of_planes(planes), &place[own.clone()], &dy[own]);
        match Strip::new(&part) {
            Some(strip) => place::backward(isa, &part, strip, place, dy, dx),
            None => reference::backward_places(&part, place, dy, dx),
        }
    });
}

/// `dx` of a max pooling from its input, whose places are looked up again, and the output's gradient.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn backward_max<T: Float>(d: &Pool2d, x: &[T], dy: &[T], dx: &mut [T]) {
    backward_max_on(Isa::detect(), d, x, dy, dx);
}

/// [`backward_max`] with a chosen instruction set.
///
/// # Panics
/// As [`backward_max`].
pub fn backward_max_on<T: Float>(isa: Isa, d: &Pool2d, x: &[T], dy: &[T], dx: &mut [T]) {
    assert_eq!(x.len(), d.in_len(), "length of the input of a pooling");
    assert_eq!(dx.len(), d.in_len(), "length of the input's gradient of a pooling");
    assert_eq!(dy.len(), d.out_len(), "length of the output's gradient of a pooling");
    if dx.is_empty() {
        return;
    }
    let (grain, plane, out) = (d.grain(), d.h * d.w, d.oh * d.ow);
    par::for_each_mut(dx, grain * plane, |block, dx| {
        let planes = dx.len() / plane;
        let part = d.of_planes(planes);
        let x = &x[block * grain * plane..][..planes * plane];
        let dy = &dy[block * grain * out..][..planes * out];
        if !d.has_places() {
            reference::backward_max(&part, x, dy, dx);
        } else if let Some(flat) = Flat::new(&part) {
            flat::backward_max(isa, &part, flat, x, dy, dx);
        } else if let Some(strip) = Strip::new(&part) {
            place::backward_from_input(isa, &part, strip, x, dy, dx);
        } else {
            reference::backward_max(&part, x, dy, dx);
        }
    });
}

/// `max(y, 0)`; NaN stays.
#[inline(always)]
fn rectify<T: Float>(y: &mut [T]) {
    for y in y {
        *y = if (*y > T::ZERO) | y.is_nan() { *y } else { T::ZERO };
    }
}
