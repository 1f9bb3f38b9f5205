//! The `network!` macro: see the documentation of the crate `mxr`.
#![forbid(unsafe_code)]

mod ast;
mod elaborate;
mod errors;
mod operators;
mod parse;

use proc_macro::TokenStream;

/// The operator list as Rust methods: `__operators!(options)`, `__operators!(ndarray)`, `__operators!(symbol)`. For the
/// crate `mxr` only.
#[doc(hidden)]
#[proc_macro]
pub fn __operators(input: TokenStream) -> TokenStream {
    operators::expand(input.into()).into()
}
