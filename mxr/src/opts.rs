//! Options of operators: one builder per operator, generated from the operators' schemas.
//!
//! ```
//! use mxr::{NDArray, opts};
//! let x = NDArray::from_slice(&[1.0f32, 2.0, 3.0, 4.0], &[2, 2])?;
//! let y = x.softmax_with(opts::Softmax::new().axis(0))?;
//! assert_eq!(y.shape(), [2, 2]);
//! # Ok::<(), mxr::Error>(())
//! ```

use crate::error::{Error, Result};
use mxr_graph::error::did_you_mean;
use mxr_graph::ops::{self, OPS, Operator};
use mxr_graph::schema::Arg;
use mxr_graph::training::Training;

mxr_macros::__operators!(options);

/// Options that were set, as they go to the schema.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    pub(crate) list: Vec<(&'static str, Arg)>,
    pub(crate) name: Option<String>,
    pub(crate) training: Training,
}

impl Given {
    /// What a symbol's layer has besides options.
    pub(crate) fn layer(&self) -> (Option<&str>, Training) {
        (self.name.as_deref(), self.training)
    }

    /// Set an option; the last value counts.
    pub(crate) fn set(&mut self, name: &'static str, value: Arg) {
        match self.list.iter_mut().find(|(n, _)| *n == name) {
            Some((_, old)) => *old = value,
            None => self.list.push((name, value)),
        }
    }
}

/// The operator of the language with this name.
pub(crate) fn operator(name: &str) -> Result<&'static dyn Operator> {
    ops::find(name).filter(|op| !op.schema().internal).ok_or_else(|| {
        let all = OPS.iter().map(|op| op.schema()).filter(|s| !s.internal).map(|s| s.name);
        let help = match did_you_mean(name, all) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the operators are the methods of `NDArray` and `Symbol`".to_string(),
        };
        Error::invalid(name, "there is no operator of this name", help)
    })
}

/// Options under the names that live as long as the schema.
pub(crate) fn known(op: &'static dyn Operator, options: &[(&str, Arg)]) -> Result<Vec<(&'static str, Arg)>> {
    let schema = op.schema();
    let name = |(name, value): &(&str, Arg)| match schema.option(name) {
        Some(at) => Ok((schema.options[at].name, value.clone())),
        None => Err(schema.no_such_option(name).into()),
    };
    options.iter().map(name).collect()
}

macro_rules! option_values {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        pub struct $name(Arg);

        impl $name {
            pub(crate) fn arg(self) -> Arg {
                self.0
            }
        }
    )*};
}

option_values! {
    /// An extent: a number (`500`).
    Extent;
    /// A list of extents: `[64, 720]`; −1 stands for one to be computed.
    Extents;
    /// One or several integers: `1`, `[0, 2]`.
    Ints;
    /// `3`, or `(height, width)`.
    Pair;
    /// `1`, `(height, width)`, `(top, left, bottom, right)`, or `"same"`.
    Padding;
}

/// Sizes beyond `i64` do not exist; what cannot be represented is refused by the schema as out of bounds.
fn int(n: impl TryInto<i64>) -> Arg {
    Arg::Int(n.try_into().unwrap_or(i64::MIN))
}

fn list<T: TryInto<i64>>(values: impl IntoIterator<Item = T>) -> Arg {
    Arg::List(values.into_iter().map(int).collect())
}

macro_rules! from_integers {
    ($($ty:ty),*) => {$(
        impl From<$ty> for Extent {
            fn from(n: $ty) -> Extent {
                Extent(int(n))
            }
        }
        impl<const K: usize> From<[$ty; K]> for Extents {
            fn from(dims: [$ty; K]) -> Extents {
                Extents(list(dims))
            }
        }
        impl From<&[$ty]> for Extents {
            fn from(dims: &[$ty]) -> Extents {
                Extents(list(dims.iter().copied()))
            }
        }
        impl From<Vec<$ty>> for Extents {
            fn from(dims: Vec<$ty>) -> Extents {
                Extents(list(dims))
            }
        }
        impl From<$ty> for Ints {
            fn from(n: $ty) -> Ints {
                Ints(int(n))
            }
        }
        impl<const K: usize> From<[$ty; K]> for Ints {
            fn from(values: [$ty; K]) -> Ints {
                Ints(list(values))
            }
        }
        impl From<&[$ty]> for Ints {
            fn from(values: &[$ty]) -> Ints {
                Ints(list(values.iter().copied()))
            }
        }
        impl From<Vec<$ty>> for Ints {
            fn from(values: Vec<$ty>) -> Ints {
                Ints(list(values))
            }
        }
        impl From<$ty> for Pair {
            fn from(n: $ty) -> Pair {
                Pair(int(n))
            }
        }
        impl From<($ty, $ty)> for Pair {
            fn from((h, w): ($ty, $ty)) -> Pair {
                Pair(list([h, w]))
            }
        }
        impl From<[$ty; 2]> for Pair {
            fn from(pair: [$ty; 2]) -> Pair {
                Pair(list(pair))
            }
        }
        impl From<$ty> for Padding {
            fn from(n: $ty) -> Padding {
                Padding(int(n))
            }
        }
        impl From<($ty, $ty)> for Padding {
            fn from((h, w): ($ty, $ty)) -> Padding {
                Padding(list([h, w]))
            }
        }
        impl From<($ty, $ty, $ty, $ty)> for Padding {
            fn from((t, l, b, r): ($ty, $ty, $ty, $ty)) -> Padding {
                Padding(list([t, l, b, r]))
            }
        }
        impl From<[$ty; 4]> for Padding {
            fn from(pad: [$ty; 4]) -> Padding {
                Padding(list(pad))
            }
        }
    )*};
}
from_integers!(i32, i64, usize);

impl From<&str> for Padding {
    fn from(word: &str) -> Padding {
        Padding(Arg::from(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_an_option_counts() {
        let o = Softmax::new().axis(0).axis(1);
        assert_eq!(o.given.list, [("axis", Arg::Int(1))]);
    }

    #[test]
    fn numbers_become_what_the_schema_takes() {
        assert_eq!(Pair::from((3usize, 5)).arg(), Arg::List(vec![Arg::Int(3), Arg::Int(5)]));
        assert_eq!(Padding::from("same").arg(), Arg::from("same"));
        assert_eq!(Extent::from(usize::MAX).arg(), Arg::Int(i64::MIN));
    }
}
