//! Options of operators: one builder per operator, used by the methods of [`NDArray`](crate::NDArray) and
//! [`Symbol`](crate::Symbol) that end in `_with`.
//!
//! ```
//! use mxr::opts::{self, Padding};
//! let options = opts::Conv2d::new().stride(2).pad(Padding::Same).bias(false);
//! # let _ = options;
//! ```

use mxr_graph::dim::Dim;
use mxr_graph::schema::Arg;
use mxr_graph::shape::Shape;

mxr_macros::__operators!(options);

/// What a builder has collected.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) name: Option<String>,
    pub(crate) list: Vec<(&'static str, Arg)>,
}

impl Given {
    /// Sets an option; the last value counts.
    pub(crate) fn set(&mut self, option: &'static str, value: Arg) {
        match self.list.iter_mut().find(|(name, _)| *name == option) {
            Some((_, old)) => *old = value,
            None => self.list.push((option, value)),
        }
    }
}

/// One dimension: a number, or an expression of symbols in a [`Symbol`](crate::Symbol). `-1` in a list of extents is the
/// one to be computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Extent(Arg);

impl Extent {
    /// To be inferred from the operands.
    pub const HOLE: Extent = Extent(Arg::Hole);

    pub(crate) fn arg(self) -> Arg {
        self.0
    }
}

macro_rules! from_integers {
    ($($int:ty),*) => {$(
        impl From<$int> for Extent {
            fn from(n: $int) -> Extent {
                Extent(integer(n))
            }
        }
        impl From<$int> for Pair {
            fn from(n: $int) -> Pair {
                Pair(integer(n))
            }
        }
        impl From<($int, $int)> for Pair {
            fn from((h, w): ($int, $int)) -> Pair {
                Pair(Arg::List(vec![integer(h), integer(w)]))
            }
        }
        impl From<$int> for Padding {
            fn from(n: $int) -> Padding {
                Padding::All(usize::try_from(n).unwrap_or(usize::MAX))
            }
        }
        impl From<($int, $int)> for Padding {
            fn from((h, w): ($int, $int)) -> Padding {
                let side = |n: $int| usize::try_from(n).unwrap_or(usize::MAX);
                Padding::Symmetric(side(h), side(w))
            }
        }
        impl From<$int> for Ints {
            fn from(n: $int) -> Ints {
                Ints(Arg::List(vec![integer(n)]))
            }
        }
    )*};
}
from_integers!(i32, u32, i64, usize);

impl From<Dim> for Extent {
    fn from(d: Dim) -> Extent {
        Extent(Arg::Dim(d))
    }
}

/// Height and width of a window or of its step: one number for both, or `(height, width)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Pair(Arg);

impl Pair {
    pub(crate) fn arg(self) -> Arg {
        self.0
    }
}

/// Zeros around an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Padding {
    /// As much as keeps `⌈size / stride⌉`; an odd one goes below and right.
    Same,
    /// On all four sides.
    All(usize),
    /// Above and below, left and right.
    Symmetric(usize, usize),
    /// `[top, left, bottom, right]`.
    Each([usize; 4]),
}

impl Padding {
    pub(crate) fn arg(self) -> Arg {
        let list = |sides: &[usize]| Arg::List(sides.iter().map(|n| integer(*n)).collect());
        match self {
            Padding::Same => Arg::Word("same".to_string()),
            Padding::All(n) => integer(n),
            Padding::Symmetric(h, w) => list(&[h, w]),
            Padding::Each(sides) => list(&sides),
        }
    }
}

/// One integer or several: axes, a permutation, indices. Negative axes count from the end.
#[derive(Clone, Debug, PartialEq)]
pub struct Ints(Arg);

impl Ints {
    pub(crate) fn arg(self) -> Arg {
        self.0
    }
}

impl<T: Copy + Into<Ints>, const K: usize> From<[T; K]> for Ints {
    fn from(list: [T; K]) -> Ints {
        Ints::from(&list[..])
    }
}

impl<T: Copy + Into<Ints>> From<&[T]> for Ints {
    fn from(list: &[T]) -> Ints {
        let one = |n: &T| match (*n).into().0 {
            Arg::List(list) => list,
            other => vec![other],
        };
        Ints(Arg::List(list.iter().flat_map(one).collect()))
    }
}

/// The extents of a shape; one may be `-1` (or [`Extent::HOLE`]) and is computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Extents(Arg);

impl Extents {
    pub(crate) fn arg(self) -> Arg {
        self.0
    }
}

impl<T: Into<Extent>, const K: usize> From<[T; K]> for Extents {
    fn from(list: [T; K]) -> Extents {
        Extents(Arg::List(list.into_iter().map(|n| n.into().0).collect()))
    }
}

impl<T: Clone + Into<Extent>> From<&[T]> for Extents {
    fn from(list: &[T]) -> Extents {
        Extents(Arg::List(list.iter().map(|n| n.clone().into().0).collect()))
    }
}

impl<T: Into<Extent>> From<Vec<T>> for Extents {
    fn from(list: Vec<T>) -> Extents {
        Extents(Arg::List(list.into_iter().map(|n| n.into().0).collect()))
    }
}

impl From<Shape> for Extents {
    fn from(shape: Shape) -> Extents {
        Extents(Arg::List(shape.0.into_iter().map(Arg::Dim).collect()))
    }
}

/// Out of range saturates: the schema refuses it with its bounds.
fn integer(n: impl TryInto<i64>) -> Arg {
    Arg::Int(n.try_into().unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_pairs_and_lists_become_arguments() {
        let pair = |p: Pair| p.arg();
        assert_eq!(pair(3.into()), Arg::Int(3));
        assert_eq!(pair((3, 5).into()), Arg::List(vec![Arg::Int(3), Arg::Int(5)]));
        assert_eq!(Extents::from([6, -1]).arg(), Arg::List(vec![Arg::Int(6), Arg::Int(-1)]));
        assert_eq!(Extents::from(vec![2usize, 3]).arg(), Arg::List(vec![Arg::Int(2), Arg::Int(3)]));
        assert_eq!(Ints::from([0, -1]).arg(), Arg::List(vec![Arg::Int(0), Arg::Int(-1)]));
        assert_eq!(Ints::from(2).arg(), Arg::List(vec![Arg::Int(2)]));
        assert_eq!(Padding::from((1, 2)).arg(), Arg::List(vec![Arg::Int(1), Arg::Int(2)]));
        assert_eq!(Padding::Same.arg(), Arg::Word("same".to_string()));
    }

    #[test]
    fn the_last_value_of_an_option_counts() {
        let options = Sum::new().axes(1).keepdims(true).axes([0, 2]).name("s");
        assert_eq!(options.given.name.as_deref(), Some("s"));
        assert_eq!(options.given.list.len(), 2);
        assert_eq!(options.given.list[0].1, Arg::List(vec![Arg::Int(0), Arg::Int(2)]));
    }
}
