//! Reductions of elementwise expressions, whose values are never written to memory: a loss's mean of squares, the
//! gradient of a bias behind an activation.
//!
//! The [`map`](crate::map) family evaluates runs of the value in the first-level cache, the [`reduce`](crate::reduce)
//! family combines them as they would lie in memory: the bits are those of one after the other.

pub mod reference;
#[cfg(test)]
mod tests;

use mxr_graph::instr::{Axes, MAX_RANK, ReduceKind, Scalar};

use crate::element::Float;
use crate::isa::Isa;
use crate::map::{Function, MapElement, Plan, Src};
use crate::reduce::{Mapped, Reduce, reduce_from};

/// An expression and the axes of its value that are combined.
#[derive(Clone, Debug)]
pub struct MapReduce {
    plan: Plan,
    reduce: Reduce,
}

impl MapReduce {
    /// The reduction over `axes` of `expr` of inputs of these shapes, which broadcast to the shape that is reduced.
    ///
    /// # Errors
    /// As [`Plan::new`]; when the shapes do not broadcast to one of at most `MAX_RANK` axes.
    ///
    /// ```
    /// use mxr_graph::instr::{Axes, BinOp, ReduceKind, Scalar};
    /// use mxr_kernels::map::Src;
    /// use mxr_kernels::map_reduce::MapReduce;
    ///
    /// // The sums over rows of a · b.
    /// let expr = [Scalar::In(0), Scalar::In(1), Scalar::Bin(BinOp::Mul, 0, 1)];
    /// let dots = MapReduce::new(&expr, &[&[2, 3], &[3]], ReduceKind::Sum, Axes(0b10)).unwrap();
    /// let mut y = [0f32; 2];
    /// dots.run(&[Src::Slice(&[1., 2., 3., 4., 5., 6.]), Src::Slice(&[1., 10., 100.])], &mut y);
    /// assert_eq!(y, [321., 654.]);
    /// ```
    pub fn new(
        expr: &[Scalar],
        in_shapes: &[&[usize]],
        kind: ReduceKind,
        axes: Axes,
    ) -> Result<MapReduce, String> {
        let shape = broadcast(in_shapes)?;
        let plan = Plan::new(expr, in_shapes, &shape)?;
        Ok(MapReduce { plan, reduce: Reduce::new(kind, &shape, axes) })
    }

    /// See [`Plan::with`].
    pub fn with(mut self, function: Option<Function>) -> MapReduce {
        self.plan = self.plan.with(function);
        self
    }

    /// Computes `y` from the inputs, in the order of the expression's input numbers.
    ///
    /// # Panics
    /// If the number or the lengths of the inputs or of `y` are not those of the shapes, or an input is [`Src::Out`].
    pub fn run<T: MapElement + Float>(&self, inputs: &[Src<'_, T>], y: &mut [T]) {
        self.run_on(Isa::detect(), inputs, y);
    }

    /// [`run`](MapReduce::run) with a chosen instruction set.
    ///
    /// # Panics
    /// As [`run`](MapReduce::run).
    pub fn run_on<T: MapElement + Float>(&self, isa: Isa, inputs: &[Src<'_, T>], y: &mut [T]) {
        self.plan.check(inputs);
        assert!(!inputs.iter().any(|i| matches!(i, Src::Out)), "a reduced operand has memory of its own");
        reduce_from(isa, &self.reduce, &Mapped { plan: &self.plan, inputs }, y);
    }
}

/// The shape that these broadcast to.
fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, String> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    if rank > MAX_RANK {
        return Err(format!("{rank} axes, the most is {MAX_RANK}"));
    }
    let mut out = vec![1; rank];
    for shape in shapes {
        for (place, &extent) in out[rank - shape.len()..].iter_mut().zip(*shape) {
            if *place == 1 {
                *place = extent;
            } else if extent != 1 && extent != *place {
                return Err(format!("the shapes {shapes:?} do not fit together"));
            }
        }
    }
    Ok(out)
}
