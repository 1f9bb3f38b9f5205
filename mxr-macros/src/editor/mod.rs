//! What only an editor sees: the bodies of networks and blocks once more, as calls of documented functions.
//!
//! A network becomes a table of numbers, in which an editor finds nothing of what was written. So where rust-analyzer expands the
//! macro, the body is restated in a form that it understands, and that nobody compiles:
//!
//! ```text
//! const _: () = {
//!     fn LeNet<Shape>(data: Tensor, label: Tensor) -> Tensor<Shape> {
//!         let data: __LeNet::shape_0 = __any(());
//!         …
//!         let conv1: __LeNet::shape_3 = __result(__set(
//!             conv2d::<__LeNet::shape_2>(__any(__of(data, __any::<__LeNet::inputs>(()).data)), __any(())),
//!             __ide::opts::Conv2d { filters: __any(20), kernel: __any(5), … }, ()));
//!         …
//!     }
//!     mod __LeNet { … }
//! };
//! ```
//!
//! * Every name of the user's is a reference to **one** definition with its span: a layer to the constant `LeNet::conv1`, an input to a
//!   field of `inputs`, any other name to a field of a struct of its own. That gives hover, definition, references and rename, across
//!   the macro and the code around it. The local of the same name beside it (`of(reference, local)`) has no span; it is there to be
//!   completed, and its type is the shape.
//! * Types are loose: everything is given through `any`, `result` and `impl` parameters, so nothing is ever reported about them.
//! * **The text of a body depends on the words of the source alone**: what inference finds stands behind it, in aliases. An editor
//!   completes a name by expanding once more with a mark behind it and looks up what surrounds it at the same offset in the
//!   expansion without, so both have to be the same up to there, where a name has to stand in both: `the_name_that_is_being_typed`, if
//!   there is no better one. For the same reason all of this comes first in an expansion.

mod bodies;
mod calls;
mod types;

use crate::ast::{Fn, Source, name_of};
use crate::elaborate::Seen;
use bodies::Body;
use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::{format_ident, quote};

/// What rust-analyzer writes behind a name that is to be completed; the second one until 2025.
const MARKS: [&str; 2] = ["raCompletionMarker", "intellijRulezz"];

/// Whether it is rust-analyzer that expands the macro. It has a server for that, in a program of that name. (`cfg(rust_analyzer)`
/// is set for the packages of the workspace alone, not for a library that comes from a registry.) The compiler pays for one look at the
/// name of its own program.
pub(crate) fn is_asking() -> bool {
    std::env::current_exe()
        .is_ok_and(|p| p.file_name().is_some_and(|n| n.to_string_lossy().contains("rust-analyzer")))
}

/// Whether a name somewhere inside is to be completed: such an expansion is looked at for that alone.
pub(crate) fn is_completing(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|t| match t {
        TokenTree::Group(g) => is_completing(&g.stream()),
        TokenTree::Ident(i) => is_marked(&i),
        _ => false,
    })
}

/// A name that is to be completed; nothing else of what is not known is restated, since faults have been told.
fn is_marked(ident: &Ident) -> bool {
    let text = ident.to_string();
    MARKS.iter().any(|m| text.contains(m))
}

/// A name without the mark.
fn unmarked(ident: &Ident) -> String {
    MARKS.iter().fold(name_of(ident), |text, m| text.replace(m, ""))
}

/// The source restated. `layers` are the tokens that name a layer's constant. Constants that are visible outside stand there, unless it is
/// `alone`.
pub(crate) fn shadow(source: &Source, seen: &Seen, layers: &[Ident], alone: bool) -> TokenStream {
    let layers = layers.iter().map(|i| format!("{:?}", i.span())).collect();
    let mut bodies = TokenStream::new();
    let mut modules = TokenStream::new();
    for (at, item) in source.fns.iter().enumerate() {
        if source.fns[..at].iter().all(|f| name_of(&f.name) != name_of(&item.name)) {
            let (body, module) = Body::new(source, item, item.name.clone(), seen, &layers).written();
            bodies.extend(body);
            modules.extend(module);
        }
    }
    for (at, import) in source.imports.iter().enumerate() {
        if let Some((_, item)) = source.function(&import.name)
            && source.imports[..at].iter().all(|i| i.name != import.name)
        {
            let (body, module) = Body::new(source, item, import.name.clone(), seen, &layers).signature();
            bodies.extend(body);
            modules.extend(module);
        }
    }
    let consts = source.consts.iter().filter(|c| alone || c.vis.is_empty()).map(|c| {
        let name = &c.name;
        let (ty, value) = types::constant(seen.first(&c.name));
        quote!(const #name: #ty = #value;)
    });
    quote! {
        #[allow(warnings, non_snake_case, non_camel_case_types, non_upper_case_globals)]
        const _: () = {
            use ::mxr::__ide::{self, words::*, ops::*};
            #bodies
            #(#consts)*
            #modules
        };
    }
}

/// The module of what is known about a function.
fn module_of(name: &Ident) -> Ident {
    format_ident!("__{}", name_of(name), span = Span::call_site())
}

/// The same name, of nobody's.
fn unspanned(ident: &Ident) -> Ident {
    let mut ident = ident.clone();
    ident.set_span(Span::call_site());
    ident
}

/// The attributes by which a function may be missing.
fn cfg(item: &Fn) -> impl Iterator<Item = &TokenStream> {
    item.attrs.iter().filter(|a| a.name == "cfg").map(|a| &a.tokens)
}

#[cfg(test)]
mod tests;
