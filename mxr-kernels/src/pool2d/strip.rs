//! Planes side by side in scratch memory, so that rows of any width are worked on in whole registers.
//!
//! A *strip* is one row of several planes. In a strip of inputs a plane begins with its padding, and planes lie `pitch · S` elements
//! apart, where S is the horizontal step; in a strip of outputs they lie `pitch` apart. So output `j` of a strip sees elements
//! `j · S ..+ kernel` of the inputs, whichever plane it belongs to, and `pitch` leaves room enough that no window sees two planes.

use std::mem::MaybeUninit;

use super::{Axis, Pool2d};
use crate::element::{Float, Num};
use crate::simd::vector::{MAX_LANES, Vector, first};

/// Elements of scratch memory.
const MEMORY: usize = 1 << 14;

/// Outputs of a strip, about: rows of small planes are worth starting a loop for.
const LONG: usize = 256;

/// Bytes of a cache line.
const LINE: usize = 64;

/// Runs of memory that the processor follows by itself, about.
const FORESEEN: usize = 4;

/// How planes lie in strips.
#[derive(Clone, Copy)]
pub(super) struct Strip {
    pub(super) rows: Axis,
    pub(super) columns: Axis,
    /// Outputs from a plane to the next.
    pub(super) pitch: usize,
    /// Planes of a strip.
    most: usize,
    /// Elements of a strip of outputs.
    pub(super) len: usize,
    /// Elements in front of a strip of outputs, for those that the first elements of a plane look at and that do not exist.
    pub(super) front: usize,
}

/// Some planes that share a strip.
#[derive(Clone, Copy)]
pub(super) struct Group {
    pub(super) first: usize,
    pub(super) planes: usize,
    /// Outputs of their strip, in whole registers.
    pub(super) len: usize,
}

impl Strip {
    /// Nothing where rows are too long for the scratch memory or planes are empty.
    pub(super) fn new(d: &Pool2d) -> Option<Strip> {
        let [rows, columns] = d.axes();
        let Axis { size, out, kernel, stride, before, .. } = columns;
        if d.h == 0 || size == 0 || out == 0 || rows.kernel == 0 || kernel == 0 {
            return None;
        }
        let image = (before + size).div_ceil(stride);
        let windows = ((out - 1) * stride + kernel).saturating_sub(before).div_ceil(stride);
        let outputs = out + (kernel - 1).saturating_sub(before) / stride;
        let pitch = image.max(windows).max(outputs);
        let front = ((kernel - 1) / stride).next_multiple_of(MAX_LANES);
        let most = (LONG / pitch).clamp(1, d.planes().max(1));
        let len = (most * pitch).next_multiple_of(MAX_LANES);
        let strip = Strip { rows, columns, pitch, most, len, front };
        // What the gradient of a maximum takes: inputs and what comes back, maxima and where they start, outputs; and that of an average:
        // outputs, phases, counts and what comes back.
        let max = 2 * strip.inputs()
            + (2 * rows.kernel + 2) * len
            + 2 * strip.slots() * (front + len)
            + 2 * MAX_LANES;
        let avg = strip.inputs() + (strip.slots() * stride + 2) * len + front + MAX_LANES;
        (max.max(avg) <= MEMORY).then_some(strip)
    }

    /// Elements of a strip of inputs, with what registers read behind it.
    pub(super) fn inputs(&self) -> usize {
        (self.len * self.columns.stride + self.columns.kernel).next_multiple_of(MAX_LANES) + MAX_LANES
    }

    /// Rows of outputs whose windows have an input row in common, at most.
    pub(super) fn slots(&self) -> usize {
        self.rows.kernel.div_ceil(self.rows.stride)
    }

    /// All planes, in groups.
    pub(super) fn groups<V: Vector>(&self, planes: usize) -> impl Iterator<Item = Group> {
        let (most, pitch) = (self.most, self.pitch);
        (0..planes).step_by(most).map(move |first| {
            let planes = most.min(planes - first);
            Group { first, planes, len: (planes * pitch).next_multiple_of(V::LANES) }
        })
    }

    /// Copies a row of each plane into a strip of inputs.
    ///
    /// # Safety
    /// `from` is the row of the first plane, and planes lie `apart` from each other; `to` begins a strip of inputs; the CPU has the
    /// instructions.
    #[inline(always)]
    pub(super) unsafe fn lay_inputs<V: Vector>(
        &self,
        group: Group,
        from: *const V::Elem,
        apart: usize,
        to: *mut V::Elem,
        pad: V::Elem,
    ) {
        let Axis { size, stride, before, .. } = self.columns;
        // Rows of many planes are too many short runs for the processor to foresee: the next planes are asked for.
        if group.planes > FORESEEN {
            for plane in group.planes..2 * group.planes {
                for at in (0..size).step_by(LINE / size_of::<V::Elem>()) {
                    V::prefetch(from.wrapping_add(plane * apart + at));
                }
            }
        }
        // SAFETY: the caller's promise; a strip has room for its planes.
        unsafe { lay::<V>(group.planes, from, apart, size, to.add(before), self.pitch * stride, pad) }
    }

    /// Copies a row of outputs of each plane into a strip.
    ///
    /// # Safety
    /// As [`lay_inputs`](Strip::lay_inputs), with a strip of outputs.
    #[inline(always)]
    pub(super) unsafe fn lay_outputs<V: Vector>(
        &self,
        group: Group,
        from: *const V::Elem,
        apart: usize,
        to: *mut V::Elem,
    ) {
        // SAFETY: the caller's promise; a strip has room for its planes.
        unsafe { lay::<V>(group.planes, from, apart, self.columns.out, to, self.pitch, V::Elem::ZERO) }
    }
}

/// Copies `width` elements of each plane, which lie `apart` in memory and `pitch` in the strip. What lies between them stays, or
/// becomes `pad`.
///
/// # Safety
/// Both sides have these elements, the strip a register more; the CPU has the instructions.
#[inline(always)]
pub(super) unsafe fn lay<V: Vector>(
    planes: usize,
    from: *const V::Elem,
    apart: usize,
    width: usize,
    to: *mut V::Elem,
    pitch: usize,
    pad: V::Elem,
) {
    // SAFETY: the caller's promise. Short rows write a whole register: behind them there is padding, or a plane that is laid later, or
    // the register that a strip has behind its planes.
    unsafe {
        for plane in 0..planes {
            let (from, to) = (from.add(plane * apart), to.add(plane * pitch));
            if width < V::LANES {
                V::splat(pad).load_over(from, first(width)).store(to);
                continue;
            }
            copy::<V>(from, to, width);
        }
    }
}

/// Copies a row of each plane from a strip, where they lie `pitch` apart, to memory, where they lie `apart`. Rows come from top to
/// bottom: from the first row on there are `room` elements of a plane, of which those behind `width` may be anything until their row comes.
///
/// # Safety
/// Both sides have these elements; the strip has a register more; the CPU has the instructions.
#[inline(always)]
pub(super) unsafe fn give<V: Vector>(
    planes: usize,
    from: *const V::Elem,
    pitch: usize,
    width: usize,
    to: *mut V::Elem,
    apart: usize,
    room: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for plane in 0..planes {
            let (from, to) = (from.add(plane * pitch), to.add(plane * apart));
            if width >= V::LANES {
                copy::<V>(from, to, width);
            } else if room >= V::LANES {
                V::load(from).store(to);
            } else {
                V::load(from).store_masked(to, first(width));
            }
        }
    }
}

/// Copies a row of bytes of each plane into a strip, each 1 more.
///
/// # Safety
/// As [`lay`], where between planes there are zeros.
#[inline(always)]
pub(super) unsafe fn lay_bytes<V: Vector>(
    planes: usize,
    from: &[u8],
    apart: usize,
    width: usize,
    to: *mut V::Elem,
    pitch: usize,
) {
    // SAFETY: the caller's promise; rows lie in the slice.
    unsafe {
        let one = V::splat(V::Elem::ONE);
        for plane in 0..planes {
            let (from, to) = (&from[plane * apart..], to.add(plane * pitch));
            if width < V::LANES {
                let numbers = if from.len() >= V::LANES {
                    V::load_bytes(from.as_ptr())
                } else {
                    let mut bytes = [0; MAX_LANES];
                    bytes[..width].copy_from_slice(&from[..width]);
                    V::load_bytes(bytes.as_ptr())
                };
                V::zero().blend(numbers.add(one), first(width)).store(to);
                continue;
            }
            let from = from[..width].as_ptr();
            for at in pieces::<V>(width) {
                V::load_bytes(from.add(at)).add(one).store(to.add(at));
            }
        }
    }
}

/// [`give`] to bytes, of whole numbers from 0 to 255.
///
/// # Safety
/// As [`give`].
#[inline(always)]
pub(super) unsafe fn give_bytes<V: Vector>(
    planes: usize,
    from: *const V::Elem,
    pitch: usize,
    width: usize,
    to: *mut u8,
    apart: usize,
    room: usize,
) {
    // SAFETY: the caller's promise.
    unsafe {
        for plane in 0..planes {
            let (from, to) = (from.add(plane * pitch), to.add(plane * apart));
            if width >= V::LANES {
                for at in pieces::<V>(width) {
                    V::load(from.add(at)).store_bytes(to.add(at));
                }
            } else if room >= V::LANES {
                V::load(from).store_bytes(to);
            } else {
                let mut bytes = [0; MAX_LANES];
                V::load(from).store_bytes(bytes.as_mut_ptr());
                to.copy_from_nonoverlapping(bytes.as_ptr(), width);
            }
        }
    }
}

/// Where the registers of a row of a register or more begin; the last overlaps the one before it.
#[inline(always)]
fn pieces<V: Vector>(width: usize) -> impl Iterator<Item = usize> {
    let last = width - V::LANES;
    (0..last.div_ceil(V::LANES)).map(|i| i * V::LANES).chain(std::iter::once(last))
}

/// Copies a register or more; the last overlaps the one before it.
#[inline(always)]
unsafe fn copy<V: Vector>(from: *const V::Elem, to: *mut V::Elem, width: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let last = width - V::LANES;
        let mut at = 0;
        while at < last {
            V::load(from.add(at)).store(to.add(at));
            at += V::LANES;
        }
        V::load(from.add(last)).store(to.add(last));
    }
}

/// The inputs that a register of outputs from number `j` of a strip on has under tap `s`.
///
/// # Safety
/// `inputs` is a strip, the outputs are in it, and the CPU has the instructions.
#[inline(always)]
pub(super) unsafe fn tap<V: Vector>(inputs: *const V::Elem, j: usize, s: usize, stride: usize) -> V {
    // SAFETY: the caller's promise; a strip of inputs is as long as the windows of its outputs, and a register longer.
    unsafe {
        let at = inputs.add(j * stride + s);
        match stride {
            1 => V::load(at),
            2 => V::load(at).evens(V::load(at.add(V::LANES))),
            _ => {
                let index: [i32; MAX_LANES] = std::array::from_fn(|lane| (lane * stride) as i32);
                V::gather(at, index.as_ptr(), first(V::LANES))
            }
        }
    }
}

/// Scratch memory on the stack, which is written before it is read.
#[repr(align(64))]
pub(super) struct Scratch<T>([MaybeUninit<T>; MEMORY]);

impl<T: Float> Scratch<T> {
    pub(super) fn new() -> Self {
        Scratch([const { MaybeUninit::uninit() }; MEMORY])
    }

    /// All of it, to be given out.
    pub(super) fn room(&mut self) -> Room<'_, T> {
        Room(&mut self.0)
    }
}

/// What is left of the scratch memory.
pub(super) struct Room<'a, T>(&'a mut [MaybeUninit<T>]);

impl<T: Float> Room<'_, T> {
    /// The next elements, at a multiple of the largest register, full of `fill`.
    ///
    /// # Panics
    /// If there are no more: `Strip::new` has counted wrongly.
    pub(super) fn take(&mut self, len: usize, fill: T) -> *mut T {
        let (taken, rest) = std::mem::take(&mut self.0).split_at_mut(len.next_multiple_of(MAX_LANES));
        self.0 = rest;
        for element in &mut *taken {
            element.write(fill);
        }
        taken.as_mut_ptr().cast()
    }
}
