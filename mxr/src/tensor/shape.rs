//! Shapes: tuples of extents.

use super::dim::{Dim, Number};

/// A tuple of up to six extents, as [`shape!`](super::shape) writes it.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not the shape of a tensor",
    note = "write `shape![N, 3, 224, 224]`; a tensor has up to 6 axes"
)]
pub trait Shape: 'static {
    /// The extents, outermost first; `None` for symbols.
    const EXTENTS: &'static [Option<usize>];
}

/// A shape without symbols.
pub trait StaticShape: Shape {}

macro_rules! tuples {
    ($(($($d:ident),*))*) => {$(
        impl<$($d: Dim),*> Shape for ($($d,)*) {
            const EXTENTS: &'static [Option<usize>] = &[$($d::EXTENT),*];
        }
        impl<$($d: Number),*> StaticShape for ($($d,)*) {}
    )*};
}

tuples! { () (A) (A, B) (A, B, C) (A, B, C, E) (A, B, C, E, F) (A, B, C, E, F, G) }

/// `[_, 3, 224, 224]`.
pub(super) fn text(extents: &[Option<usize>]) -> String {
    let extents: Vec<String> =
        extents.iter().map(|e| e.map_or_else(|| "_".to_string(), |e| e.to_string())).collect();
    format!("[{}]", extents.join(", "))
}
