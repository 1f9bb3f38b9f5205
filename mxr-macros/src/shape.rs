//! `shape![N, 3, 224, 224]`: a tuple of extents, as types.

use proc_macro2::{Delimiter, Ident, Literal, Span, TokenStream, TokenTree};
use quote::quote;

/// Extents up to this one are written as they are, `D<64>`, larger ones in thousands.
const LARGEST: usize = 1024;

/// The largest extent that has a type: 1,024 thousands and 999.
const LIMIT: usize = LARGEST * 1000 + 999;

/// The expansion of `shape!`.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut dims = TokenStream::new();
    let mut tokens = input.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match dim(&token) {
            Ok(dim) => dims.extend(quote!(#dim,)),
            Err(text) => return fault(token.span(), &text),
        }
        match tokens.next() {
            None => break,
            Some(TokenTree::Punct(p)) if p.as_char() == ',' => {}
            Some(other) => return fault(other.span(), "expected `,` between two extents"),
        }
    }
    quote!((#dims))
}

fn dim(token: &TokenTree) -> Result<TokenStream, String> {
    let what = "an extent is a number or a symbol of one letter, such as `N` or `_`";
    match token {
        TokenTree::Ident(name) => {
            let name = name.to_string();
            let mut letters = name.chars();
            match (letters.next(), letters.next()) {
                (Some(letter), None) => Ok(symbol(letter)),
                _ => Err(format!("`{name}` has more than one letter: {what}")),
            }
        }
        TokenTree::Literal(number) => {
            let text = number.to_string().replace('_', "");
            let n: usize = text
                .strip_suffix("usize")
                .unwrap_or(&text)
                .parse()
                .map_err(|_| format!("`{number}` is no extent: {what}"))?;
            self::number(n).ok_or_else(|| {
                format!("`{number}` is larger than {LIMIT}, the largest extent that has a type")
            })
        }
        // A literal that a `macro_rules!` hands on.
        TokenTree::Group(g) if g.delimiter() == Delimiter::None && g.stream().into_iter().count() == 1 => {
            g.stream().into_iter().next().map_or_else(|| Err(what.to_string()), |inner| dim(&inner))
        }
        other => Err(format!("`{other}` is no extent: {what}")),
    }
}

/// The type of an extent, up to a limit.
pub(crate) fn number(n: usize) -> Option<TokenStream> {
    match n {
        0..=LARGEST => Some(direct(n)),
        _ if n <= LIMIT => {
            let (thousands, rest) = (direct(n / 1000), direct(n % 1000));
            Some(quote!(::mxr::tensor::K<#thousands, #rest>))
        }
        _ => None,
    }
}

/// The type of an extent that is known at run time alone; `_` for one without a name.
pub(crate) fn symbol(letter: char) -> TokenStream {
    let letter = Literal::character(letter);
    quote!(::mxr::tensor::Sym<#letter>)
}

fn direct(n: usize) -> TokenStream {
    let n = Literal::usize_unsuffixed(n);
    quote!(::mxr::tensor::D<#n>)
}

fn fault(at: Span, text: &str) -> TokenStream {
    let text = Literal::string(text);
    quote::quote_spanned!(at=> ::core::compile_error!(#text))
}

/// The numbers that have a type of their own, for the crate `mxr`.
pub(crate) fn small() -> TokenStream {
    (0..=LARGEST)
        .map(|n| {
            let (number, n) = (Ident::new(&format!("U{n}"), Span::call_site()), Literal::usize_unsuffixed(n));
            quote!(impl Small for ::typenum::consts::#number { type Dim = D<#n>; })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;

    fn expanded(text: &str) -> String {
        expand(TokenStream::from_str(text).expect("lexes")).to_string().replace(' ', "")
    }

    #[test]
    fn shapes_become_tuples() {
        assert_eq!(expanded(""), "()");
        assert_eq!(expanded("N"), "(::mxr::tensor::Sym<'N'>,)");
        assert_eq!(expanded("_"), "(::mxr::tensor::Sym<'_'>,)");
        assert_eq!(
            expanded("3, 1_024, 25088,"),
            "(::mxr::tensor::D<3>,::mxr::tensor::D<1024>,::mxr::tensor::K<::mxr::tensor::D<25>,::mxr::tensor::D<88>>,)"
        );
    }

    #[test]
    fn extents_may_come_out_of_a_macro() {
        let inner = proc_macro2::Group::new(Delimiter::None, TokenStream::from_str("64").expect("lexes"));
        let shape = expand(TokenTree::Group(inner).into()).to_string().replace(' ', "");
        assert_eq!(shape, "(::mxr::tensor::D<64>,)");
    }

    #[test]
    fn what_is_no_extent_is_said() {
        for (text, says) in [
            ("BATCH, 3", "`BATCH` has more than one letter"),
            ("3.5", "`3.5` is no extent"),
            ("1025000", "larger than 1024999"),
            ("3 4", "expected `,`"),
            ("(3)", "`(3)` is no extent"),
        ] {
            let expansion = expand(TokenStream::from_str(text).expect("lexes")).to_string();
            assert!(expansion.contains("compile_error") && expansion.contains(says), "{text}: {expansion}");
        }
    }
}
