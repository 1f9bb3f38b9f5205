//! The methods of `NDArray` and of `Symbol`.

use super::{builder, docs, ident, local, option_type, optional, required, required_to_make, variadic};
use mxr_graph::schema::{Operand, OperandKind, OptionDef, OptionKind, Schema};
use proc_macro2::{Ident, TokenStream};
use quote::{format_ident, quote};

/// `impl NDArray`: every operand is given, parameters as well; what their shapes say (`filters`, `units`) is not
/// asked for again.
pub(super) fn ndarray(schemas: &[&'static Schema]) -> TokenStream {
    let ty = quote!(crate::ndarray::NDArray);
    let (inputs, given) = (local("inputs"), local("given"));
    let methods = schemas.iter().map(|s| {
        let params = made(s);
        let (inferred, asked) =
            required(s).into_iter().partition(|o| o.kind == OptionKind::Dim && !params.is_empty());
        let mut call = Call::new(s, &ty, asked);
        for p in params {
            let name = ident(p.name);
            if p.name == "bias" {
                call.pushes.push(quote!(#inputs.extend(#name);));
                call.sets.push(quote! {
                    if #name.is_none() {
                        #given.set("bias", ::mxr_graph::schema::Arg::Bool(false));
                    }
                });
                call.operands.push((name, quote!(Option<&#ty>)));
            } else {
                call.pushes.push(quote!(#inputs.push(#name);));
                call.operands.push((name, quote!(&#ty)));
            }
        }
        let inferred: Vec<&OptionDef> = inferred;
        for o in inferred {
            let name = o.name;
            call.sets.push(quote!(#given.set(#name, ::mxr_graph::schema::Arg::Hole);));
        }
        let op = s.name;
        let invoke = quote!(crate::ndarray::invoke(#op, &#inputs, &#given.list));
        let (result, body) = match s.visible {
            1 => (quote!(Result<#ty, crate::Error>), quote!(Ok(#invoke?.remove(0)))),
            _ => (quote!(Result<Vec<#ty>, crate::Error>), invoke),
        };
        let doc = format!(
            "{}\n\n# Errors\n\nWhen the operands do not fit together or an option is out of bounds; the error says \
             which and what would fit.",
            docs::operator(s, true)
        );
        // Whether there is a bias is said by the operand.
        match optional(s).iter().all(|o| o.name == "bias") {
            true => call.plain(&doc, &result, &body),
            false => call.both(&doc, &result, &body),
        }
    });
    quote! {
        /// The operators.
        impl crate::ndarray::NDArray {
            #(#methods)*
        }
    }
}

/// `impl Symbol`: data operands only; parameters are made by the layer, or handed over in order.
pub(super) fn symbol(schemas: &[&'static Schema]) -> TokenStream {
    let ty = quote!(crate::symbol::Symbol);
    let (inputs, given) = (local("inputs"), local("given"));
    let methods = schemas.iter().map(|s| {
        let op = s.name;
        let invoke = quote!(crate::symbol::invoke(#op, &#inputs, &#given.list, #given.layer()));
        let (result, body) = match s.visible {
            1 => (ty.clone(), quote!(#invoke.remove(0))),
            _ => (quote!(Vec<#ty>), invoke),
        };
        let mut methods = Call::new(s, &ty, required_to_make(s)).both(&docs::operator(s, false), &result, &body);
        let params: Vec<String> = made(s).iter().map(|i| format!("`{}`", i.name)).collect();
        if !params.is_empty() {
            let doc = format!(
                "[`{0}_with`](Self::{0}_with), with its parameters given rather than made, in the order {1}; the last \
                 ones may be left out.",
                s.name,
                params.join(", ")
            );
            let mut tied = Call::new(s, &ty, required(s));
            tied.operands.push((ident("params"), quote!(&[&#ty])));
            tied.pushes.push(quote!(#inputs.extend_from_slice(params);));
            methods.extend(tied.with_options(&format_ident!("{}_from", s.name), &doc, &result, &body));
        }
        methods
    });
    quote! {
        /// The operators.
        impl crate::symbol::Symbol {
            #(#methods)*
        }
    }
}

/// The operands that a network makes by itself.
fn made(schema: &Schema) -> Vec<&'static Operand> {
    schema.inputs.iter().filter(|i| matches!(i.kind, OperandKind::Param | OperandKind::Aux)).collect()
}

/// The signature and the body of one method.
struct Call {
    schema: &'static Schema,
    /// Whether the first operand is `&self`.
    receiver: bool,
    /// Further operands, with their types.
    operands: Vec<(Ident, TokenStream)>,
    /// Options that are parameters.
    options: Vec<&'static OptionDef>,
    /// The first elements of `inputs`.
    first: TokenStream,
    /// Statements that add to `inputs`.
    pushes: Vec<TokenStream>,
    /// Statements that add to `given`.
    sets: Vec<TokenStream>,
}

impl Call {
    fn new(schema: &'static Schema, ty: &TokenStream, options: Vec<&'static OptionDef>) -> Call {
        let data: Vec<Ident> =
            schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).map(|i| ident(i.name)).collect();
        let (receiver, operands, first) = match data.split_first() {
            _ if variadic(schema) => {
                (false, vec![(ident("operands"), quote!(&[&#ty]))], quote!(operands.to_vec()))
            }
            Some((_, others)) => {
                let operands = others.iter().map(|o| (o.clone(), quote!(&#ty))).collect();
                (true, operands, quote!(vec![self #(, #others)*]))
            }
            None => (false, Vec::new(), quote!(Vec::<&#ty>::new())),
        };
        let given = local("given");
        let set = |o: &&'static OptionDef| {
            let (name, (_, arg)) = (o.name, option_type(o));
            quote!(#given.set(#name, #arg);)
        };
        let sets = options.iter().map(set).collect();
        Call { schema, receiver, operands, options, first, pushes: Vec::new(), sets }
    }

    /// One method, for an operator without a choice.
    fn plain(&self, doc: &str, result: &TokenStream, body: &TokenStream) -> TokenStream {
        let (name, parameters) = (ident(self.schema.name), self.parameters());
        let work = self.work(&quote!(crate::opts::Given::default()), body);
        quote! {
            #[doc = #doc]
            #[track_caller]
            pub fn #name(#(#parameters),*) -> #result { #work }
        }
    }

    /// The method with every option at its default, and the one `_with` options.
    fn both(&self, doc: &str, result: &TokenStream, body: &TokenStream) -> TokenStream {
        let (name, builder) = (ident(self.schema.name), builder(self.schema));
        let with = format_ident!("{}_with", self.schema.name);
        let parameters = self.parameters();
        let receiver = self.receiver.then(|| quote!(self));
        let operands = self.operands.iter().map(|(name, _)| quote!(#name));
        let options = self.options.iter().map(|o| ident(o.name)).map(|o| quote!(#o));
        let forwarded = receiver.into_iter().chain(operands).chain(options);
        let short = format!("{doc}\n\n[`Self::{with}`] sets the options that are not parameters here.");
        let long = self.with_options(&with, &format!("[`Self::{name}`] with options."), result, body);
        quote! {
            #[doc = #short]
            #[track_caller]
            pub fn #name(#(#parameters),*) -> #result {
                Self::#with(#(#forwarded,)* crate::opts::#builder::new())
            }
            #long
        }
    }

    /// The method that takes the option builder.
    fn with_options(&self, name: &Ident, doc: &str, result: &TokenStream, body: &TokenStream) -> TokenStream {
        let (parameters, builder) = (self.parameters(), builder(self.schema));
        let work = self.work(&quote!(options.given), body);
        quote! {
            #[doc = #doc]
            #[track_caller]
            pub fn #name(#(#parameters,)* options: crate::opts::#builder) -> #result { #work }
        }
    }

    fn parameters(&self) -> Vec<TokenStream> {
        let receiver = self.receiver.then(|| quote!(&self));
        let operands = self.operands.iter().map(|(name, ty)| quote!(#name: #ty));
        let options = self.options.iter().map(|o| {
            let (name, (ty, _)) = (ident(o.name), option_type(o));
            quote!(#name: #ty)
        });
        receiver.into_iter().chain(operands).chain(options).collect()
    }

    fn work(&self, source: &TokenStream, body: &TokenStream) -> TokenStream {
        let (first, pushes, sets) = (&self.first, &self.pushes, &self.sets);
        let more = (!pushes.is_empty()).then(|| quote!(mut));
        let (inputs, given) = (local("inputs"), local("given"));
        let settable = (!sets.is_empty()).then(|| quote!(mut));
        quote! {
            let #more #inputs = #first;
            let #settable #given = #source;
            #(#pushes)*
            #(#sets)*
            #body
        }
    }
}
