//! Functions of other `network!`s: `use path::block;` inside of one, and what a `pub` function leaves for it.
//!
//! A macro cannot look at other code, so the code comes to it. A `network!` with functions that others may use becomes, besides
//! its structs, a `macro_rules!` that holds its tokens, under the names of these functions:
//!
//! ```text
//! macro_rules! __mxr_4f… { ($item:ident $name:ident { $($rest:tt)* }) => { ::mxr::network! { @ $item $name { tokens } $($rest)* } }; }
//! pub use __mxr_4f… as residual;
//! ```
//!
//! `network!(use blocks::residual; …)` becomes `blocks::residual! { residual residual { … } }`, and that a `network!` once more, with
//! the tokens of the other in front. Its functions see what stands beside them there, constants and private blocks included.

use crate::ast::Source;
use crate::emit::for_others;
use crate::errors::Faults;
use mxr_graph::catalogue::Code;
use mxr_graph::fnv;
use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::quote;

/// The call that brings in the first function that is used, with everything else inside; `None` where nothing is.
pub(crate) fn bring(input: &TokenStream, faults: &mut Faults) -> Option<TokenStream> {
    let is_use = |t: &TokenTree| matches!(t, TokenTree::Ident(i) if i == "use");
    if !input.clone().into_iter().any(|t| is_use(&t)) {
        return None;
    }
    let mut tokens: Vec<TokenTree> = input.clone().into_iter().collect();
    let at = tokens.iter().position(is_use)?;
    let word = tokens[at].span();
    let length = tokens[at..].iter().position(|t| is_punct(t, ';'));
    let Some(length) = length else {
        faults.push(Code::NoSemicolon, word, "expected `;` after this `use`");
        tokens.truncate(at);
        return Some(TokenStream::new());
    };
    let path: Vec<TokenTree> = tokens.drain(at..=at + length).skip(1).take(length - 1).collect();
    let mut rest: TokenStream = tokens[..at].iter().cloned().collect();
    match first(&path, faults, word) {
        Some(First { path, item, name, others }) => {
            let semicolon = Punct::new(';', Spacing::Alone);
            for other in others {
                let word = Ident::new("use", word);
                rest.extend(quote!(#word #other #semicolon));
            }
            rest.extend(tokens.into_iter().skip(at));
            Some(quote!(#path ! { #item #name { #rest } }))
        }
        None => Some(TokenStream::new()),
    }
}

/// The first name of a `use`.
struct First {
    path: TokenStream,
    /// The name there.
    item: Ident,
    /// The name here.
    name: Ident,
    /// Paths to the others.
    others: Vec<TokenStream>,
}

fn first(path: &[TokenTree], faults: &mut Faults, word: Span) -> Option<First> {
    let mut wrong = |at: Span| {
        let help = "`use blocks::residual;`, `use blocks::{residual, stem};` or `use blocks::stem as entry;`";
        faults.push_help(Code::ImportPath, at, "a `use` names the blocks and networks one by one", help);
        None
    };
    match path {
        [before @ .., TokenTree::Group(list)] if list.delimiter() == Delimiter::Brace => {
            let mut paths: Vec<Vec<TokenTree>> = vec![before.to_vec()];
            for token in list.stream() {
                if is_punct(&token, ',') {
                    paths.push(before.to_vec());
                } else if let Some(last) = paths.last_mut() {
                    last.push(token);
                }
            }
            paths.retain(|p| p.len() > before.len());
            let Some((one, others)) = paths.split_first() else { return wrong(list.span_open()) };
            let mut found = first(one, faults, word)?;
            found.others.extend(others.iter().map(|p| p.iter().cloned().collect()));
            Some(found)
        }
        [path @ .., TokenTree::Ident(item), TokenTree::Ident(alias), TokenTree::Ident(name)]
            if alias == "as" =>
        {
            let path = path.iter().cloned().chain([TokenTree::from(item.clone())]).collect();
            Some(First { path, item: item.clone(), name: name.clone(), others: Vec::new() })
        }
        [.., TokenTree::Ident(name)] => {
            let path = path.iter().cloned().collect();
            Some(First { path, item: name.clone(), name: name.clone(), others: Vec::new() })
        }
        [.., last] => wrong(last.span()),
        [] => wrong(word),
    }
}

/// What a source leaves for others. After a fault it is a mark in the place of the tokens, so that what uses them is silent.
pub(crate) fn leave(input: &TokenStream, source: &Source, sound: bool) -> TokenStream {
    // Two of one name have been reported.
    let first = |at: usize| source.fns[..at].iter().all(|f| f.name != source.fns[at].name);
    let open = source.fns.iter().enumerate().filter(|(at, f)| !f.vis.is_empty() && first(*at));
    let mut open = open.map(|(_, f)| f).peekable();
    let Some(some) = open.peek() else { return TokenStream::new() };
    // Macros that are exported share the root of the crate; a place in the source is there once.
    let place = format!("{:?} {:?} {}", Span::call_site(), some.name.span(), some.name);
    let holder = Ident::new(&format!("__mxr_{:016x}", fnv::text(&place)), Span::call_site());
    let exported = source.fns.iter().any(|f| f.vis.to_string() == "pub").then(|| quote!(#[macro_export]));
    let dollar = Punct::new('$', Spacing::Alone);
    let own = source.fns.iter().any(|f| f.external.is_some());
    let input = if own { for_others(input.clone()) } else { input.clone() };
    let tokens = match sound {
        true => TokenTree::from(Group::new(Delimiter::Brace, input)),
        false => Punct::new('!', Spacing::Alone).into(),
    };
    let names = open.map(|f| {
        let (vis, name) = (&f.vis, Ident::new(&f.name.to_string(), Span::call_site()));
        quote! {
            #[doc(hidden)]
            #[allow(unused_imports)]
            #vis use #holder as #name;
        }
    });
    quote! {
        #[doc(hidden)]
        #[allow(unused_macros, non_local_definitions)]
        #exported
        macro_rules! #holder {
            (#dollar item:ident #dollar name:ident { #dollar (#dollar rest:tt)* }) => {
                ::mxr::network! { @ #dollar item #dollar name #tokens #dollar (#dollar rest)* }
            };
        }
        #(#names)*
    }
}

fn is_punct(token: &TokenTree, sign: char) -> bool {
    matches!(token, TokenTree::Punct(p) if p.as_char() == sign)
}

/// Where the functions that are brought in and not called stand.
pub(crate) fn idle<'a>(source: &'a Source, reached: &std::collections::BTreeSet<String>) -> Vec<&'a Ident> {
    source.imports.iter().map(|i| &i.name).filter(|n| !reached.contains(&crate::ast::name_of(n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn brought(text: &str) -> (String, usize) {
        let mut faults = Faults::default();
        let out = bring(&TokenStream::from_str(text).expect("balanced"), &mut faults);
        (out.map_or_else(String::new, |t| t.to_string()), faults.len())
    }

    #[test]
    fn a_use_becomes_a_call_of_what_it_names() {
        assert_eq!(brought("pub fn A(x: Tensor<N>) { x }").0, "");
        let (out, faults) = brought("use a::b; fn f() {}");
        assert_eq!((out.as_str(), faults), ("a :: b ! { b b { fn f () { } } }", 0));
        let (out, _) = brought("use a::{b as c, d}; fn f() {}");
        assert_eq!(out, "a :: b ! { b c { use a :: d ; fn f () { } } }");
        for wrong in ["use a::*; fn f() {}", "use a::{}; fn f() {}", "use ; fn f() {}", "use a::b"] {
            assert_eq!(brought(wrong).1, 1, "{wrong}");
        }
    }
}
