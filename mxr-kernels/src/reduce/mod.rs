//! Sums, means, largest and smallest elements over axes.
//!
//! Everything is accumulated in `f64`: 32 lanes over at most 1024 elements, blocks joined with the rounding error carried
//! along, so the error of a sum does not grow with the number of elements. The partition depends on the shape
//! alone. An empty sum is 0, an empty mean NaN, an empty maximum −∞.

mod cpu;
pub mod reference;
mod source;
#[cfg(test)]
mod tests;

use mxr_graph::instr::{Axes, MAX_RANK, ReduceKind};

use crate::element::Float;
use crate::isa::Isa;

pub(crate) use cpu::{Sum, fold_run};
pub(crate) use source::Mapped;
use source::Source;

/// A reduction of an array over axes; [`Reduce::new`] merges neighbouring axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reduce {
    pub(crate) kind: ReduceKind,
    /// Kept dimensions, outermost first, with their strides in `x`.
    pub(crate) kept: Dims,
    /// Dimensions that go away.
    pub(crate) gone: Dims,
}

/// Extents with strides.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
pub(crate) struct Dims {
    pub(crate) rank: usize,
    pub(crate) extent: [usize; MAX_RANK],
    pub(crate) stride: [usize; MAX_RANK],
}

impl Dims {
    pub(crate) fn len(&self) -> usize {
        self.extent[..self.rank].iter().product()
    }

    /// Where index `i`, counted row by row, lies.
    pub(crate) fn offset(&self, mut i: usize) -> usize {
        let mut at = 0;
        for d in (0..self.rank).rev() {
            at += i % self.extent[d] * self.stride[d];
            i /= self.extent[d];
        }
        at
    }

    /// The innermost dimension as `(extent, stride)`, which no longer belongs to the rest.
    pub(crate) fn split_inner(mut self) -> (Dims, usize, usize) {
        if self.rank == 0 {
            return (self, 1, 1);
        }
        self.rank -= 1;
        (self, self.extent[self.rank], self.stride[self.rank])
    }
}

impl Reduce {
    /// The reduction of an array of this shape; axes past its rank are ignored.
    ///
    /// ```
    /// use mxr_graph::instr::{Axes, ReduceKind};
    /// use mxr_kernels::reduce::{Reduce, reduce};
    ///
    /// let rows = Reduce::new(ReduceKind::Sum, &[2, 3], Axes(0b10));
    /// let mut y = [0f32; 2];
    /// reduce(&rows, &[1., 2., 3., 4., 5., 6.], &mut y);
    /// assert_eq!(y, [6., 15.]);
    /// ```
    ///
    /// # Panics
    /// If the shape has more than `MAX_RANK` axes.
    pub fn new(kind: ReduceKind, shape: &[usize], axes: Axes) -> Reduce {
        assert!(shape.len() <= MAX_RANK, "rank of a reduced array");
        let (mut kept, mut gone) = (Dims::default(), Dims::default());
        let mut stride = 1;
        let mut last = None;
        // Innermost first; turned round below.
        for (d, &extent) in shape.iter().enumerate().rev() {
            if extent != 1 {
                let dims = if axes.has(d) { &mut gone } else { &mut kept };
                if last == Some(axes.has(d)) {
                    dims.extent[dims.rank - 1] *= extent;
                } else {
                    dims.extent[dims.rank] = extent;
                    dims.stride[dims.rank] = stride;
                    dims.rank += 1;
                }
                last = Some(axes.has(d));
            }
            stride *= extent;
        }
        for dims in [&mut kept, &mut gone] {
            dims.extent[..dims.rank].reverse();
            dims.stride[..dims.rank].reverse();
        }
        Reduce { kind, kept, gone }
    }

    /// Elements of the input.
    pub fn in_len(&self) -> usize {
        self.kept.len() * self.gone.len()
    }

    /// Elements of the output.
    pub fn out_len(&self) -> usize {
        self.kept.len()
    }
}

/// Combines the elements of `x` over the axes into `y`.
///
/// # Panics
/// If the lengths are not those of the descriptor.
pub fn reduce<T: Float>(d: &Reduce, x: &[T], y: &mut [T]) {
    reduce_on(Isa::detect(), d, x, y);
}

/// [`reduce`] with a chosen instruction set.
///
/// # Panics
/// As [`reduce`].
pub fn reduce_on<T: Float>(isa: Isa, d: &Reduce, x: &[T], y: &mut [T]) {
    assert_eq!(x.len(), d.in_len(), "length of a reduced array");
    reduce_from(isa, d, x, y);
}

/// [`reduce_on`] of elements from anywhere.
pub(crate) fn reduce_from<T: Float>(isa: Isa, d: &Reduce, x: &(impl Source<T> + ?Sized), y: &mut [T]) {
    assert_eq!(y.len(), d.out_len(), "length of the reduction's output");
    if y.is_empty() {
        return;
    }
    match d.kind {
        ReduceKind::Sum => cpu::reduce::<T, cpu::Sum>(isa, d, x, y, 1.0),
        ReduceKind::Mean => cpu::reduce::<T, cpu::Sum>(isa, d, x, y, d.gone.len() as f64),
        ReduceKind::Max => cpu::reduce::<T, cpu::Max>(isa, d, x, y, 1.0),
        ReduceKind::Min => cpu::reduce::<T, cpu::Min>(isa, d, x, y, 1.0),
    }
}
