//! One option builder per operator.

use super::{builder, docs, ident, option_type, optional};
use mxr_graph::schema::{OperandKind, Schema};
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
    let makes = schema.inputs.iter().any(|i| i.kind == OperandKind::Param);
    let training = makes.then(|| {
        quote! {
            /// A factor on the learning rate of the layer's parameters, in a [`Symbol`](crate::Symbol); `#[lr(…)]` in `network!`.
            #[must_use]
            pub fn lr_mult(mut self, factor: f64) -> Self {
                self.given.training.lr_mult = factor;
                self
            }
            /// A factor on the weight decay of the layer's parameters, in a [`Symbol`](crate::Symbol); 0 is `#[no_decay]` in `network!`.
            #[must_use]
            pub fn wd_mult(mut self, factor: f64) -> Self {
                self.given.training.wd_mult = factor;
                self
            }
            /// The layer's parameters have no gradients and stay what they are, in a [`Symbol`](crate::Symbol); `#[frozen]` in `network!`.
            #[must_use]
            pub fn frozen(mut self) -> Self {
                self.given.training.frozen = true;
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
            #training
            #(#setters)*
        }
    }
}
