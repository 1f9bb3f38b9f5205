//! Constants that somebody outside has to do with: those that are visible there, and those that have to be what another one is.

use crate::ast::{Const, TypeKind};
use proc_macro2::{TokenStream, TokenTree};
use quote::{quote, quote_spanned};

/// Those that are visible become constants of the file, others that are the same as one of the file are held against it.
pub(crate) fn constants(list: &[(&Const, TokenStream)]) -> TokenStream {
    let mut out = TokenStream::new();
    for (c, value) in list {
        let Const { vis, name, written, .. } = c;
        if !vis.is_empty() {
            // Networks read it, which the compiler does not see.
            let attrs = c.attrs.iter().map(|a| &a.tokens);
            out.extend(quote! {
                #(#attrs)*
                #[allow(dead_code)]
                #vis const #name: #written = #value;
            });
        }
        out.extend(c.same_as.as_ref().map(|path| same(c, value, path)));
    }
    out
}

/// The compiler looks at it, since the macro sees no other tokens than its own. What it says stands under the path.
fn same(c: &Const, value: &TokenStream, path: &TokenStream) -> TokenStream {
    let at = path.clone().into_iter().last().map_or_else(|| c.name.span(), |t: TokenTree| t.span());
    let (name, there) = (c.name.to_string(), path.to_string().replace(' ', ""));
    let ty = &c.written;
    // Floating-point numbers have no text while compiling.
    let text = match c.ty.kind {
        TypeKind::Int => quote!(of_integers(#name, #there, __HERE as i128, __THERE as i128)),
        _ => {
            let here = value.to_string();
            quote!(of_others(#name, #there, #here))
        }
    };
    quote_spanned! {at=>
        const _: () = {
            const __HERE: #ty = #value;
            const __THERE: #ty = #path;
            const __TEXT: ::mxr::__private::Differs = ::mxr::__private::Differs::#text;
            if __HERE != __THERE {
                ::core::panic!("{}", __TEXT.as_str());
            }
        };
    }
}
