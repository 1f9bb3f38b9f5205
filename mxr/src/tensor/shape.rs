//! Shapes: tuples of extents.

use super::batch::Unknown;
use super::dim::{D, Dim, K, Number, Sealed, Sym};

/// A tuple of up to eight extents, as [`shape!`](super::shape) writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the shape of a tensor",
    note = "write `shape![N, 3, 224, 224]`; a tensor has up to 8 axes"
)]
pub trait Shape: Sealed + 'static {
    /// The extents, outermost first; `None` for symbols.
    const EXTENTS: &'static [Option<usize>];
}

/// A shape without symbols.
pub trait StaticShape: Shape {}

/// That an array of this shape is one of the shape `Wanted`: the same number of axes, and where that has a number, the same.
pub trait Fits<Wanted>: Sealed {}

/// That an extent is one of `Wanted`: the same number, or any for a symbol.
pub trait FitsDim<Wanted>: Sealed {}

impl<const N: usize> FitsDim<D<N>> for D<N> {}

impl<A, B> FitsDim<K<A, B>> for K<A, B> {}

impl<X: Dim, const NAME: char> FitsDim<Sym<NAME>> for X {}

/// A shape of which nothing is known: a network that has an error returns it.
impl Sealed for Unknown {}
impl Shape for Unknown {
    const EXTENTS: &'static [Option<usize>] = &[];
}

macro_rules! tuples {
    ($(($($d:ident $wanted:ident),*))*) => {$(
        impl<$($d: Dim),*> Shape for ($($d,)*) {
            const EXTENTS: &'static [Option<usize>] = &[$($d::EXTENT),*];
        }
        impl<$($d),*> Sealed for ($($d,)*) {}
        impl<$($d: Number),*> StaticShape for ($($d,)*) {}
        impl<$($d: FitsDim<$wanted>, $wanted),*> Fits<($($wanted,)*)> for ($($d,)*) {}
    )*};
}

tuples! {
    () (A A1) (A A1, B B1) (A A1, B B1, C C1) (A A1, B B1, C C1, E E1) (A A1, B B1, C C1, E E1, F F1)
    (A A1, B B1, C C1, E E1, F F1, G G1) (A A1, B B1, C C1, E E1, F F1, G G1, H H1)
    (A A1, B B1, C C1, E E1, F F1, G G1, H H1, I I1)
}

/// `[_, 3, 224, 224]`.
pub(super) fn text(extents: &[Option<usize>]) -> String {
    let extents: Vec<String> =
        extents.iter().map(|e| e.map_or_else(|| "_".to_string(), |e| e.to_string())).collect();
    format!("[{}]", extents.join(", "))
}
