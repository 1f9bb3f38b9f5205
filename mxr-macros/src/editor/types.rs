//! What inference found, as types and as docs: the module behind a body.

use crate::elaborate::{Extent, Shown};
use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use std::collections::BTreeSet;

/// The contents of the module of one function.
pub(super) struct Module {
    name: Ident,
    items: TokenStream,
    /// Extents that are types of their own; those of the signature are declared apart.
    extents: BTreeSet<String>,
    declared: BTreeSet<String>,
    count: usize,
}

impl Module {
    pub(super) fn new(name: Ident) -> Module {
        Module {
            name,
            items: TokenStream::new(),
            extents: BTreeSet::new(),
            declared: BTreeSet::new(),
            count: 0,
        }
    }

    /// Another name, in the order of the source.
    fn next(&mut self, stem: &str) -> Ident {
        self.count += 1;
        format_ident!("{stem}_{}", self.count - 1, span = Span::call_site())
    }

    /// The alias of a value's type.
    pub(super) fn value(&mut self, shown: &Shown) -> TokenStream {
        let (ty, module) = (self.type_of(shown), self.name.clone());
        let alias = self.next("shape");
        self.items.extend(quote!(pub type #alias = #ty;));
        quote!(#module::#alias)
    }

    /// The place of an alias that is written later.
    pub(super) fn reserve(&mut self) -> Ident {
        self.next("shape")
    }

    /// The alias of a result's shape, which is what an operator is generic over; of several results, of their types.
    pub(super) fn shape(&mut self, alias: Ident, shown: &Shown, several: bool) -> TokenStream {
        let ty = match shown {
            Shown::Tensor(shape, ..) => self.extents(shape),
            Shown::List(_) if several => self.type_of(shown),
            _ => quote!(::mxr::__ide::Unknown),
        };
        let module = &self.name;
        self.items.extend(quote!(pub type #alias = #ty;));
        quote!(#module::#alias)
    }

    fn type_of(&mut self, shown: &Shown) -> TokenStream {
        match shown {
            Shown::Tensor(shape, ..) => {
                let shape = self.extents(shape);
                quote!(::mxr::__ide::Tensor<#shape>)
            }
            Shown::List(list) => {
                let all: Vec<TokenStream> = list.iter().map(|v| self.type_of(v)).collect();
                quote!((#(#all,)*))
            }
            Shown::Extent(_) => quote!(usize),
            Shown::Float(_) => quote!(f64),
            Shown::Bool(_) => quote!(bool),
            Shown::Word(_) => quote!(&'static str),
            Shown::Block => quote!(::mxr::__ide::Block),
            Shown::Unknown => quote!(::mxr::__ide::Tensor),
        }
    }

    fn extents(&mut self, shape: &[Extent]) -> TokenStream {
        let all: Vec<Ident> = shape
            .iter()
            .map(|e| {
                let name = extent_name(e);
                let ident = Ident::new(&name, Span::call_site());
                self.extents.insert(name);
                ident
            })
            .collect();
        quote!((#(#all,)*))
    }

    /// A symbol of the signature, at its first token; `false` when it is there already.
    pub(super) fn declare(&mut self, symbol: &Ident, doc: &str) -> bool {
        let new = self.declared.insert(symbol.to_string());
        if new {
            self.items.extend(quote!(#[doc = #doc] pub struct #symbol;));
        }
        new
    }

    pub(super) fn is_declared(&self, name: &str) -> bool {
        self.declared.contains(name)
    }

    pub(super) fn symbols(&self) -> impl Iterator<Item = Ident> {
        self.declared.iter().map(|s| Ident::new(s, Span::call_site()))
    }

    /// A name that is no layer's: a field of a struct of its own. Gives the struct's path.
    pub(super) fn name(&mut self, ident: &Ident, values: &[Shown]) -> TokenStream {
        let (at, module, doc) = (self.next("at"), self.name.clone(), describe(&ident.to_string(), values));
        let ty = self.type_of(values.first().unwrap_or(&Shown::Unknown));
        self.items.extend(quote!(pub struct #at { #[doc = #doc] pub #ident: #ty }));
        quote!(#module::#at)
    }

    /// The inputs: fields with docs and types.
    pub(super) fn inputs(&mut self, fields: &[(&Ident, String, TokenStream)]) {
        let fields = fields.iter().map(|(name, doc, ty)| {
            let ty = within(ty);
            quote!(#[doc = #doc] pub #name: #ty)
        });
        self.items.extend(quote!(pub struct inputs { #(#fields,)* pub the_name_that_is_being_typed: () }));
    }

    /// What a `_` is: a constant, or what is said where it is not known.
    pub(super) fn hole(&mut self, span: Span, shown: &Shown) -> TokenStream {
        let (mut at, module) = (self.next("inferred"), self.name.clone());
        let (ty, value, doc) = match shown {
            Shown::Extent(Extent::Number(n)) => {
                let value = proc_macro2::Literal::i64_unsuffixed(*n);
                (quote!(usize), quote!(#value), format!("`_` is {n}, inferred."))
            }
            Shown::Extent(Extent::Text(text)) => {
                (quote!(usize), any(), format!("`_` is `{text}`, inferred."))
            }
            _ => (quote!(usize), any(), "`_`: to be inferred.".to_string()),
        };
        self.items.extend(quote!(#[doc = #doc] pub const #at: #ty = #value;));
        at.set_span(span);
        quote!(#module::#at)
    }

    /// The parameter of a layer that is used once more.
    pub(super) fn parameter(&mut self, at: &Ident, ident: &Ident, shown: &Shown) -> TokenStream {
        let (module, ty) = (self.name.clone(), self.type_of(shown));
        let (field, doc) =
            (super::unspanned(ident), describe(&ident.to_string(), std::slice::from_ref(shown)));
        self.items.extend(quote!(pub struct #at { #[doc = #doc] pub #field: #ty }));
        quote!(__any::<#module::#at>(()).#ident)
    }

    pub(super) fn written(self) -> TokenStream {
        let Module { name, items, extents, declared, .. } = self;
        let extents = extents.difference(&declared).map(|e| Ident::new(e, Span::call_site()));
        quote! {
            mod #name {
                #(pub struct #extents;)*
                #items
            }
        }
    }
}

/// A path of the module, from inside.
fn within(path: &TokenStream) -> TokenStream {
    path.clone().into_iter().skip(3).collect()
}

fn any() -> TokenStream {
    quote!(::mxr::__ide::words::__any(()))
}

/// Type and value of a constant.
pub(super) fn constant(shown: &Shown) -> (TokenStream, TokenStream) {
    match shown {
        Shown::Extent(Extent::Number(n)) if *n >= 0 => {
            let n = proc_macro2::Literal::i64_unsuffixed(*n);
            (quote!(usize), quote!(#n))
        }
        Shown::Float(x) if *x >= 0.0 && x.is_finite() => {
            let x = proc_macro2::Literal::f64_unsuffixed(*x);
            (quote!(f64), quote!(#x))
        }
        Shown::Extent(_) => (quote!(usize), any()),
        Shown::Float(_) => (quote!(f64), any()),
        Shown::Bool(b) => (quote!(bool), quote!(#b)),
        Shown::Word(w) => (quote!(&'static str), quote!(#w)),
        _ => (quote!(::mxr::__ide::List), any()),
    }
}

/// "`a`: relu → `[N, 64, 56, 56]`", or what a name stands for in turn.
pub(super) fn describe(name: &str, values: &[Shown]) -> String {
    let tensor = |v: &Shown| if let Shown::Tensor(_, _, doc) = v { Some(doc.clone()) } else { None };
    let tensors: Vec<String> = values.iter().filter_map(tensor).collect();
    match tensors.split_first() {
        // The line of a layer begins with its own name.
        Some((first, [])) if first.contains(": ") => first.clone(),
        Some((first, [])) => format!("`{name}`: {first}"),
        Some((first, others)) => {
            let more: Vec<String> = others.iter().map(|d| format!("* {d}")).collect();
            format!("`{name}`, once for each call or round:\n\n* {first}\n{}", more.join("\n"))
        }
        None => {
            let all: Vec<String> = values.iter().map(short).collect();
            match all.is_empty() {
                true => format!("`{name}`"),
                false => format!("`{name}`: {}", all.join(", ")),
            }
        }
    }
}

fn short(shown: &Shown) -> String {
    match shown {
        Shown::Tensor(_, _, doc) => doc.clone(),
        Shown::Extent(Extent::Number(n)) => n.to_string(),
        Shown::Extent(Extent::Text(t)) => format!("`{t}`"),
        Shown::Float(x) => format!("{x:?}"),
        Shown::Bool(b) => b.to_string(),
        Shown::Word(w) => format!("`{w}`"),
        Shown::List(list) => format!("({})", list.iter().map(short).collect::<Vec<_>>().join(", ")),
        Shown::Block => "a block with weights of its own".to_string(),
        Shown::Unknown => "not known".to_string(),
    }
}

/// `_64`, `N`, `_2_N`: an extent as the name of a type.
fn extent_name(e: &Extent) -> String {
    let text = match e {
        Extent::Number(n) => return format!("_{n}"),
        Extent::Text(text) => text,
    };
    let mut name = String::new();
    for c in text.chars() {
        match c {
            '+' => name.push_str("plus"),
            '-' => name.push_str("minus"),
            '/' => name.push_str("_by_"),
            '*' | ' ' => name.push('_'),
            c if c.is_alphanumeric() || c == '_' => name.push(c),
            _ => {}
        }
    }
    if name.starts_with(|c: char| c.is_alphabetic()) { name } else { format!("_{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extents_are_names() {
        let text = |t: &str| extent_name(&Extent::Text(t.to_string()));
        assert_eq!(extent_name(&Extent::Number(64)), "_64");
        assert_eq!((text("N"), text("2*N + 1")), ("N".to_string(), "_2_N_plus_1".to_string()));
    }
}
