//! 1×1 kernels with a stride and without padding: the pixels that they see are collected, and spread again. What lies between is a
//! convolution with stride 1, a plain product.

use std::marker::PhantomData;

use mxr_graph::instr::ConvAttrs;

use super::Conv2d;
use crate::element::{Float, Num};
use crate::epilogue::Epilogue;
use crate::gemm::micro::Registers;
use crate::map::Src;
use crate::par;
use crate::simd::Kernel;

/// Neighbouring pixels of a row that are completed in the first-level cache.
const RUN: usize = 256;

/// The convolution with stride 1 of the pixels that are seen, for such a kernel.
pub(super) fn of(conv: &Conv2d) -> Option<Conv2d> {
    let [sh, sw] = conv.attrs.stride;
    let points = [conv.kh, conv.kw] == [1, 1] && conv.attrs.pad == [0; 4] && sh * sw > 1;
    let attrs = ConvAttrs { stride: [1, 1], ..conv.attrs };
    points.then_some(Conv2d { h: conv.oh, w: conv.ow, attrs, ..*conv })
}

/// Copies the pixels that are seen.
pub(super) fn collect<T: Float>(conv: &Conv2d, x: &[T], to: &mut [T]) {
    let [sh, sw] = conv.attrs.stride.map(|stride| stride as usize);
    let (plane, points) = (conv.h * conv.w, conv.oh * conv.ow);
    if points == 0 {
        return;
    }
    par::for_each_mut(to, points, |number, to| {
        let rows = x[number * plane..][..plane].chunks_exact(conv.w).step_by(sh);
        for (to, row) in to.chunks_exact_mut(conv.ow).zip(rows) {
            to.iter_mut().zip(row.iter().step_by(sw)).for_each(|(to, &x)| *to = x);
        }
    });
}

/// Writes what the pixels that are seen get to their places and zeros to all others, after what the epilogue says, which has no bias.
pub(super) fn spread<V: Registers>(
    conv: &Conv2d,
    from: &[V::Elem],
    epilogue: Epilogue<'_, V::Elem>,
    dx: &mut [V::Elem],
) {
    let (plane, points) = (conv.h * conv.w, conv.oh * conv.ow);
    par::for_each_mut(dx, plane, |number, dx| {
        let from = &from[number * points..][..points];
        let first = number * plane;
        V::enter(Plane { conv, from, epilogue, first, dx, v: PhantomData::<V> });
    });
}

struct Plane<'a, V: Registers> {
    conv: &'a Conv2d,
    from: &'a [V::Elem],
    epilogue: Epilogue<'a, V::Elem>,
    /// The number of the first element of `dx`.
    first: usize,
    dx: &'a mut [V::Elem],
    v: PhantomData<V>,
}

impl<V: Registers> Kernel for Plane<'_, V> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Plane { conv, from, epilogue, first, dx, .. } = self;
        let [sh, sw] = conv.attrs.stride.map(|stride| stride as usize);
        let zero = V::Elem::ZERO;
        let mut values = [zero; RUN];
        for (i, row) in dx.chunks_exact_mut(conv.w).enumerate() {
            for (number, dx) in row.chunks_mut(RUN).enumerate() {
                let start = number * RUN;
                let values = &mut values[..dx.len()];
                values.fill(zero);
                if i % sh == 0 {
                    let from = &from[i / sh * conv.ow..][..conv.ow];
                    let seen = start.div_ceil(sw);
                    let to = values.iter_mut().skip(seen * sw - start).step_by(sw);
                    to.zip(&from[seen.min(conv.ow)..]).for_each(|(to, &x)| *to = x);
                }
                let at = first + i * conv.w + start;
                match epilogue.residual {
                    None => {}
                    Some(Src::Slice(residual)) => add(values, &residual[at..][..dx.len()]),
                    Some(Src::Out) => add(values, dx),
                }
                if epilogue.relu {
                    for x in &mut *values {
                        *x = if (*x > zero) | x.is_nan() { *x } else { zero };
                    }
                }
                if let Some(mask) = epilogue.mask {
                    for (x, &of) in values.iter_mut().zip(&mask[at..][..dx.len()]) {
                        *x = if of > zero { *x } else { zero };
                    }
                }
                dx.copy_from_slice(values);
            }
        }
    }
}

#[inline(always)]
fn add<T: Float>(sums: &mut [T], others: &[T]) {
    sums.iter_mut().zip(others).for_each(|(sum, &x)| *sum += x);
}
