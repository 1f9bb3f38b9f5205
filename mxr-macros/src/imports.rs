//! Functions of other `network!`s: `use path::block;` inside of one, and what a `pub` function leaves for it.
//!
//! A macro cannot look at other code, so the code comes to it. A `network!` with functions that others may use becomes, besides
//! its structs, for each of them a `macro_rules!` that holds its tokens, under the function's name:
//!
//! ```text
//! macro_rules! __mxr_4f… { ($name:ident { $($rest:tt)* }) => { ::mxr::network! { @ residual $name { tokens } $($rest)* } }; }
//! pub use __mxr_4f… as residual;
//! ```
//!
//! It knows which function it stands for, so it may be passed on under any name (`pub use blocks::residual as unit;`).
//!
//! `network!(use blocks::residual; …)` becomes `blocks::residual! { residual { … } }`, and that a `network!` once more, with
//! the tokens of the other in front. Its functions see what stands beside them there, constants and private blocks included.

use crate::ast::Source;
use crate::emit::for_others;
use crate::errors::Faults;
use mxr_graph::catalogue::Code;
use mxr_graph::fnv;
use proc_macro2::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};
use quote::quote;

/// What becomes of a source with a `use`.
pub(crate) enum Brought {
    /// The call that brings in the first function that is used, with everything else inside.
    Call(TokenStream),
    /// Something is wrong with a `use`, which has been said: the source without it.
    Without(TokenStream),
}

/// Brings in the first function that is used; `None` where nothing is.
pub(crate) fn bring(input: &TokenStream, faults: &mut Faults) -> Option<Brought> {
    let is_use = |t: &TokenTree| matches!(t, TokenTree::Ident(i) if i == "use");
    if !input.clone().into_iter().any(|t| is_use(&t)) {
        return None;
    }
    let mut tokens: Vec<TokenTree> = input.clone().into_iter().collect();
    let at = tokens.iter().position(is_use)?;
    let word = tokens[at].span();
    let end = tokens[at + 1..]
        .iter()
        .position(|t| is_punct(t, ';') || is_item(t))
        .map_or(tokens.len(), |n| at + 1 + n);
    let path: Vec<TokenTree> = tokens.drain(at..end).skip(1).collect();
    if tokens.get(at).is_some_and(|t| is_punct(t, ';')) {
        tokens.remove(at);
    } else {
        faults.push(
            Code::NoSemicolon,
            path.last().map_or(word, TokenTree::span),
            "expected `;` after this `use`",
        );
        return Some(Brought::Without(tokens.into_iter().collect()));
    }
    let mut before = &tokens[..at];
    if let [others @ .., TokenTree::Ident(word)] | [others @ .., TokenTree::Ident(word), TokenTree::Group(_)] =
        before
        && word == "pub"
    {
        before = others;
        let text = "a `use` inside `network!` is for this `network!` alone";
        let help = "pass it on outside: `pub use blocks::residual;`, under another name as well";
        faults.push_help(Code::ImportPath, word.span(), text, help);
    }
    let mut rest: TokenStream = before.iter().cloned().collect();
    let Some(First { path, name, others }) = first(&path, faults, word) else {
        rest.extend(tokens.into_iter().skip(at));
        return Some(Brought::Without(rest));
    };
    let semicolon = Punct::new(';', Spacing::Alone);
    for other in others {
        let word = Ident::new("use", word);
        rest.extend(quote!(#word #other #semicolon));
    }
    rest.extend(tokens.into_iter().skip(at));
    Some(Brought::Call(quote!(#path ! { #name { #rest } })))
}

/// The first name of a `use`.
struct First {
    path: TokenStream,
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
            Some(First { path, name: name.clone(), others: Vec::new() })
        }
        [.., TokenTree::Ident(name)] => {
            let path = path.iter().cloned().collect();
            Some(First { path, name: name.clone(), others: Vec::new() })
        }
        [.., last] => wrong(last.span()),
        [] => wrong(word),
    }
}

/// What a source leaves for others. After a fault it is a mark in the place of the tokens, so that what uses them is silent.
pub(crate) fn leave(input: &TokenStream, source: &Source, sound: bool) -> TokenStream {
    // Two of one name have been reported.
    let first = |at: usize| source.fns[..at].iter().all(|f| f.name != source.fns[at].name);
    let open: Vec<_> =
        source.fns.iter().enumerate().filter(|(at, f)| !f.vis.is_empty() && first(*at)).collect();
    if open.is_empty() {
        return TokenStream::new();
    }
    let dollar = Punct::new('$', Spacing::Alone);
    let own = source.fns.iter().any(|f| f.external.is_some());
    let input = if own { for_others(input.clone()) } else { input.clone() };
    let tokens = match sound {
        true => TokenTree::from(Group::new(Delimiter::Brace, input)),
        false => Punct::new('!', Spacing::Alone).into(),
    };
    let names = open.into_iter().map(|(_, f)| {
        // Macros that are exported share the root of the crate; a place in the source is there once.
        let place = format!("{:?} {:?} {}", Span::call_site(), f.name.span(), f.name);
        let holder = Ident::new(&format!("__mxr_{:016x}", fnv::text(&place)), Span::call_site());
        let exported = (f.vis.to_string() == "pub").then(|| quote!(#[macro_export]));
        let (vis, name) = (&f.vis, Ident::new(&f.name.to_string(), Span::call_site()));
        quote! {
            #[doc(hidden)]
            #[allow(unused_macros, non_local_definitions)]
            #exported
            macro_rules! #holder {
                (#dollar name:ident { #dollar (#dollar rest:tt)* }) => {
                    ::mxr::network! { @ #name #dollar name #tokens #dollar (#dollar rest)* }
                };
            }
            #[doc(hidden)]
            #[allow(unused_imports)]
            #vis use #holder as #name;
        }
    });
    names.collect()
}

/// Whether an item begins, so that whatever came before it has ended.
fn is_item(token: &TokenTree) -> bool {
    let begins = |i: &Ident| ["fn", "pub", "const", "extern", "use"].iter().any(|w| i == w);
    matches!(token, TokenTree::Ident(i) if begins(i)) || is_punct(token, '#')
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
        let text = match out {
            None => String::new(),
            Some(Brought::Call(call)) => call.to_string(),
            Some(Brought::Without(rest)) => format!("without: {rest}"),
        };
        (text, faults.len())
    }

    #[test]
    fn a_use_becomes_a_call_of_what_it_names() {
        assert_eq!(brought("pub fn A(x: Tensor<N>) { x }").0, "");
        let (out, faults) = brought("use a::b; fn f() {}");
        assert_eq!((out.as_str(), faults), ("a :: b ! { b { fn f () { } } }", 0));
        // At any place among the items, behind their docs as well.
        let (out, _) = brought("const A: usize = 1; /// Docs.\nfn f() {} use a::b; fn g() {}");
        assert!(
            out.starts_with("a :: b ! { b { const A") && out.ends_with("fn f () { } fn g () { } } }"),
            "{out}"
        );
        let (out, _) = brought("use a::{b as c, d}; fn f() {}");
        assert_eq!(out, "a :: b ! { c { use a :: d ; fn f () { } } }");
        for wrong in
            ["use a::*; fn f() {}", "use a::{}; fn f() {}", "use ; fn f() {}", "use a::b", "pub use a::b;"]
        {
            assert_eq!(brought(wrong).1, 1, "{wrong}");
        }
        // What is around one that is half-typed stays.
        assert_eq!(brought("fn f() {} use a::b fn g() {}").0, "without: fn f () { } fn g () { }");
        assert_eq!(brought("fn f() {} use a::*; fn g() {}").0, "without: fn f () { } fn g () { }");
    }
}
