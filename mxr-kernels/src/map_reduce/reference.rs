//! One after the other, one element at a time.

use mxr_graph::instr::{Axes, ReduceKind, Scalar};

use crate::element::Float;
use crate::map::MapElement;
use crate::reduce::Reduce;

/// `y = combine(expr(inputs))`: the value as the reference of `map` writes it, reduced as the reference of `reduce` does.
pub fn map_reduce<T: MapElement + Float>(
    expr: &[Scalar],
    inputs: &[(&[T], &[usize])],
    shape: &[usize],
    (kind, axes): (ReduceKind, Axes),
    y: &mut [T],
) {
    let mut value = vec![T::ZERO; shape.iter().product()];
    crate::map::reference::map(expr, inputs, shape, &mut value);
    crate::reduce::reference::reduce(&Reduce::new(kind, shape, axes), &value, y);
}
