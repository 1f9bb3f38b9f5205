//! The `network!` macro: see the documentation of the crate `mxr`.
//!
//! ```text
//! tokens -> parse -> elaborate (mxr-graph infers and checks) -> compile (mxr-graph) -> emit
//! ```
#![forbid(unsafe_code)]

mod ast;
mod editor;
mod elaborate;
mod emit;
mod errors;
mod expand;
mod imports;
mod operators;
mod parse;
mod shape;

use proc_macro::TokenStream;

// Its docs, with an example that runs, stand where the crate `mxr` exports it.
#[allow(missing_docs)]
#[proc_macro]
pub fn network(input: TokenStream) -> TokenStream {
    expand::expand(input.into()).into()
}

/// The form of `network!` for a single network as an attribute: the same grammar, formatted and listed by every tool
/// like any other function. Blocks that it calls are declared inside it.
#[proc_macro_attribute]
pub fn network_fn(_: TokenStream, item: TokenStream) -> TokenStream {
    expand::expand(item.into()).into()
}

/// What is inside for an editor, nothing for the compiler. For the crate `mxr` only.
#[doc(hidden)]
#[proc_macro]
pub fn __for_editors(input: TokenStream) -> TokenStream {
    if editor::is_asking() { input } else { TokenStream::new() }
}

/// The operator list as Rust methods: `__operators!(options)`, `__operators!(ndarray)`, `__operators!(symbol)`, and for an
/// editor `__operators!(editor)`. For the crate `mxr` only.
#[doc(hidden)]
#[proc_macro]
pub fn __operators(input: TokenStream) -> TokenStream {
    operators::expand(input.into()).into()
}

/// A shape as a type: `shape![N, 3, 224, 224]`. Extents are numbers, or symbols of one letter for what is known at run time alone.
/// See `mxr::tensor`.
#[proc_macro]
pub fn shape(input: TokenStream) -> TokenStream {
    shape::expand(input.into()).into()
}

/// The numbers that have a type of their own. For the crate `mxr` only.
#[doc(hidden)]
#[proc_macro]
pub fn __small_numbers(_: TokenStream) -> TokenStream {
    shape::small().into()
}
