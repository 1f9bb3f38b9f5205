//! One option builder per operator.

use super::{builder, docs, ident, option_type, optional};
use mxr_graph::schema::Schema;
use proc_macro2::TokenStream;
use quote::quote;

/// The builders, for the module `mxr::opts`.
pub(super) fn expand(schemas: &[&'static Schema]) -> TokenStream {
    let builders = schemas.iter().map(|s| one(s));
    quote!(#(#builders)*)
}

fn one(schema: &'static Schema) -> TokenStream {
    let name = builder(schema);
    let link = format!("[`NDArray::{0}`](crate::NDArray::{0})", ident(schema.name));
    let doc = format!("Options of `{}`: see {link}.", schema.name);
    let new = format!("Every option of `{}` at its default.", schema.name);
    let setters = optional(schema).into_iter().map(|o| {
        let (setter, key) = (ident(o.name), o.name);
        let (ty, arg) = option_type(o);
        let doc = docs::option(o);
        quote! {
            #[doc = #doc]
            #[must_use]
            pub fn #setter(mut self, #setter: #ty) -> Self {
                self.given.set(#key, #arg);
                self
            }
        }
    });
    quote! {
        #[doc = #doc]
        #[derive(Clone, Debug, Default)]
        pub struct #name {
            pub(crate) given: crate::opts::Given,
        }
        impl #name {
            #[doc = #new]
            pub fn new() -> Self {
                Self::default()
            }
            /// The layer's name, in a [`Symbol`](crate::Symbol).
            #[must_use]
            pub fn name(mut self, name: impl Into<String>) -> Self {
                self.given.name = Some(name.into());
                self
            }
            #(#setters)*
        }
    }
}
