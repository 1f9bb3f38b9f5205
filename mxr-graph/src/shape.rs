//! Shapes: lists of symbolic dimensions.

use crate::dim::{Dim, Symbols};
use alloc::vec::Vec;
use core::fmt;
use core::ops::Deref;

/// The extents of an array, outermost first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Shape(pub Vec<Dim>);

impl Shape {
    /// A shape of numbers.
    pub fn of(dims: &[usize]) -> Shape {
        Shape(dims.iter().map(|d| Dim::from(*d)).collect())
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The product of all extents; 1 for a scalar.
    pub fn elements(&self) -> Dim {
        self.0.iter().fold(Dim::ONE, |p, d| p.mul(d))
    }

    /// The text with the symbols' names: `[N, 20, 24, 24]`.
    pub fn display<'a>(&'a self, symbols: &'a Symbols) -> impl fmt::Display + 'a {
        ShapeText { shape: self, symbols }
    }
}

impl<const K: usize> From<[Dim; K]> for Shape {
    fn from(dims: [Dim; K]) -> Shape {
        Shape(Vec::from(dims))
    }
}

impl Deref for Shape {
    type Target = [Dim];
    fn deref(&self) -> &[Dim] {
        &self.0
    }
}

struct ShapeText<'a> {
    shape: &'a Shape,
    symbols: &'a Symbols,
}

impl fmt::Display for ShapeText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        for (i, d) in self.shape.iter().enumerate() {
            if i > 0 {
                f.write_str(", ")?;
            }
            write!(f, "{}", d.display(self.symbols))?;
        }
        f.write_str("]")
    }
}
