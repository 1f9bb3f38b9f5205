//! What makes the operators of the user's: for each declaration a function with its options and its body, for each call the constants.

use crate::ast::{External, Fn, Source, TypeKind, name_of};
use crate::elaborate::Made;
use mxr_graph::fnv;
use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use std::collections::BTreeSet;
use std::fmt::Write;

/// The name of the function of a declaration: one of a place in the source and of the macro that it is written by.
pub(crate) fn maker(name: &Ident) -> String {
    let place = format!("{:?} {:?}", Span::call_site(), name.span());
    format!("__mxr_{}_{:08x}", name_of(name), fnv::text(&place) as u32)
}

/// The list of what makes the operators of a network, by the numbers of their calls.
pub(super) fn list(operators: &[Made]) -> String {
    let mut text = String::from("&[");
    for Made { maker, arguments } in operators {
        let _ = write!(
            text,
            "|| {{ let op: ::std::sync::Arc<dyn ::mxr::op::Operator> = ::std::sync::Arc::new({maker}({arguments})); op }}, "
        );
    }
    text.push(']');
    text
}

/// The functions of everything that is declared here, and of what is brought in and `used`.
pub(crate) fn makers(source: &Source, used: &BTreeSet<String>) -> TokenStream {
    let mut out = TokenStream::new();
    for f in &source.fns {
        out.extend(f.external.as_ref().and_then(|e| function(f, e)));
    }
    let mut open: Vec<&Source> = source.imports.iter().filter_map(|i| i.source.as_ref()).collect();
    let mut done = BTreeSet::new();
    while let Some(source) = open.pop() {
        open.extend(source.imports.iter().filter_map(|i| i.source.as_ref()));
        for f in &source.fns {
            let name = f.external.as_ref().map(|_| maker(&f.name)).filter(|name| used.contains(name));
            if name.is_some_and(|name| done.insert(name)) {
                out.extend(f.external.as_ref().and_then(|e| function(f, e)));
            }
        }
    }
    out
}

/// The body as it stands, of a function of the options; what it gives has to be an operator, which is said at the word `fn`.
fn function(item: &Fn, external: &External) -> Option<TokenStream> {
    let body = external.body.as_ref()?;
    let name = Ident::new(&maker(&item.name), Span::call_site());
    let options = item.params.iter().zip(&external.types);
    let options = options.filter(|(p, _)| !matches!(p.ty.kind, TypeKind::Tensor(_))).map(|(p, ty)| {
        let name = &p.name;
        match p.ty.kind {
            TypeKind::Word => quote!(#name: &'static str),
            _ => quote!(#name: #ty),
        }
    });
    let operator = quote_spanned!(external.at=> impl ::mxr::op::Operator);
    // Nobody need call what is declared, and the name is the user's with a number.
    Some(quote! {
        #[doc(hidden)]
        #[allow(dead_code, non_snake_case)]
        fn #name(#(#options),*) -> #operator #body
    })
}

/// The tokens of a source for others: `crate` in the bodies of its operators is the crate that they are written in.
pub(crate) fn for_others(tokens: TokenStream) -> TokenStream {
    let mut inside = false;
    let mut out = TokenStream::new();
    for token in tokens {
        match &token {
            TokenTree::Ident(word) if word == "extern" => inside = true,
            TokenTree::Group(g) if inside && g.delimiter() == Delimiter::Brace => {
                inside = false;
                out.extend([regrouped(g, rooted(g.stream()))]);
                continue;
            }
            _ => {}
        }
        out.extend([token]);
    }
    out
}

fn rooted(tokens: TokenStream) -> TokenStream {
    let mut out = TokenStream::new();
    for token in tokens {
        match token {
            TokenTree::Ident(word) if word == "crate" => {
                out.extend([TokenTree::from(Punct::new('$', Spacing::Joint)), word.into()]);
            }
            TokenTree::Group(g) => out.extend([regrouped(&g, rooted(g.stream()))]),
            other => out.extend([other]),
        }
    }
    out
}

fn regrouped(like: &Group, tokens: TokenStream) -> TokenTree {
    let mut group = Group::new(like.delimiter(), tokens);
    group.set_span(like.span());
    group.into()
}
