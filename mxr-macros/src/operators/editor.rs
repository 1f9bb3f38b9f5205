//! The operators as an editor sees them in `network!`: one documented function each, the same as a method, and a struct of its
//! options.

use super::{builder, docs, fields, ident, variadic};
use mxr_graph::schema::{OperandKind, OptionKind, Schema};
use proc_macro2::{Ident, TokenStream};
use quote::quote;

/// The modules `ops` and `opts`, and the methods of `Tensor`.
pub(super) fn expand(schemas: &[&'static Schema]) -> TokenStream {
    let functions = schemas.iter().map(|s| function(s, false));
    let methods = schemas.iter().filter(|s| !operands(s).is_empty()).map(|s| function(s, true));
    let options = schemas.iter().map(|s| options(s));
    quote! {
        #[doc = "The operators."]
        pub mod ops {
            use super::Tensor;
            #(#functions)*
        }
        #[doc = "The options of the operators."]
        pub mod opts {
            #(#options)*
        }
        impl<S> Tensor<S> {
            #(#methods)*
        }
    }
}

/// What is given by position: operands, of which a variadic operator has one, and options.
fn operands(schema: &Schema) -> Vec<Ident> {
    match variadic(schema) {
        true => vec![ident("operands")],
        false => {
            schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).map(|i| ident(i.name)).collect()
        }
    }
}

fn function(schema: &'static Schema, method: bool) -> TokenStream {
    let (name, doc) = (ident(schema.name), docs::operator(schema, true));
    let mut params: Vec<TokenStream> = Vec::new();
    if method {
        params.push(quote!(self));
    }
    // The receiver of a method stands for the first of several operands.
    let given = operands(schema).into_iter().skip(usize::from(method && !variadic(schema)));
    params.extend(given.map(|o| quote!(#o: Tensor)));
    let positional = schema.options.iter().filter(|o| o.positional);
    params.extend(positional.map(|o| {
        let (name, ty) = (ident(o.name), type_of(o.kind));
        quote!(#name: #ty)
    }));
    let (generic, result) = match schema.visible {
        1 => (quote!(Shape), quote!(Tensor<Shape>)),
        _ => (quote!(Results), quote!(Results)),
    };
    quote! {
        #[doc = #doc]
        pub fn #name<#generic>(#(#params),*) -> #result {
            loop {}
        }
    }
}

/// Options and, to be tied, parameters: what is given by name.
fn options(schema: &'static Schema) -> TokenStream {
    let name = builder(schema);
    let fields = fields(schema).map(|name| {
        let field = ident(name);
        match schema.option(name) {
            Some(at) => {
                let o = &schema.options[at];
                let doc = docs::option(o);
                let ty = type_of(o.kind);
                quote!(#[doc = #doc] pub #field: #ty)
            }
            None => {
                let operand = schema.inputs.iter().find(|i| i.name == name);
                let doc = format!("`{name}` of another layer: {}", operand.map_or("", |o| o.doc));
                quote!(#[doc = #doc] pub #field: super::Tensor)
            }
        }
    });
    let doc = format!("Options of `{}`.", schema.name);
    quote!(#[doc = #doc] pub struct #name { #(#fields,)* #[doc(hidden)] pub the_name_that_is_being_typed: () })
}

/// What an option holds.
fn type_of(kind: OptionKind) -> TokenStream {
    match kind {
        OptionKind::Dim => quote!(crate::opts::Extent),
        OptionKind::Pair(_) => quote!(crate::opts::Pair),
        OptionKind::Pad => quote!(crate::opts::Padding),
        OptionKind::Ints => quote!(crate::opts::Ints),
        OptionKind::Shape | OptionKind::Indices => quote!(crate::opts::Extents),
        OptionKind::Int(..) => quote!(i64),
        OptionKind::Float(..) => quote!(f64),
        OptionKind::Bool => quote!(bool),
        OptionKind::Choice(_) | OptionKind::Expr => quote!(&'static str),
    }
}
