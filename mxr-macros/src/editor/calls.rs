//! Calls: of operators, of blocks and networks, of instances, and of what is still being typed.

use super::bodies::Body;
use super::{is_marked, module_of, unmarked, unspanned};
use crate::ast::{Arg, Call, Expr, ExprKind, Fn, name_of};
use crate::operators;
use mxr_graph::ops;
use mxr_graph::schema::{OperandKind, Schema};
use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;

impl<'a> Body<'a> {
    pub(super) fn call(&mut self, e: &'a Expr, call: &'a Call) -> TokenStream {
        let (name, source) = (&call.name, self.source);
        let own = source.function(name).map(|(_, item)| item);
        let op = ops::find(&name_of(name)).map(|op| op.schema()).filter(|s| !s.internal);
        // However it is called, it takes one number, in the order of the text.
        let alias = self.module.reserve();
        match (own, op) {
            _ if self.is_bound(name) && own.is_none() && op.is_none() => {
                let (block, args) = (self.named(name), self.all(&call.args));
                let shape = self.module.shape(alias, self.seen.first(e), false);
                quote!(__apply::<#shape>(#block, #args))
            }
            (Some(item), _) if call.instance => {
                let (callee, args) = (self.callee(item, name), self.all(&call.args));
                quote!(__instance(#callee, #args))
            }
            (Some(item), _) => self.function(e, alias, item, call),
            (None, Some(schema)) => self.operator(e, alias, schema, call),
            (None, None) => self.unknown(call),
        }
    }

    fn all(&mut self, args: &'a [Arg]) -> TokenStream {
        let args: Vec<TokenStream> = args.iter().map(|a| self.expr(&a.value)).collect();
        quote!((#(#args,)*))
    }

    /// The name of what is called, as a value.
    fn callee(&mut self, item: &Fn, name: &Ident) -> TokenStream {
        let own = self.source.fns.iter().any(|f| std::ptr::eq(f, item));
        match own && item.is_network() {
            true => quote!(__any::<#name>(())),
            false => quote!(#name::<()>),
        }
    }

    /// A network or a block: its inputs in order, and those that are given by name in a struct of their names.
    fn function(&mut self, e: &Expr, alias: Ident, item: &'a Fn, call: &'a Call) -> TokenStream {
        let name = &call.name;
        let given = |input: &Ident| call.args.iter().any(|a| a.name.as_ref().is_some_and(|n| n == input));
        let mut places = (0..item.params.len()).filter(|p| !given(&item.params[*p].name));
        let mut placed = vec![quote!(()); item.params.len()];
        let (mut fields, mut more) = (Fields::default(), Vec::new());
        let words: Vec<String> = item.params.iter().map(|p| name_of(&p.name)).collect();
        for arg in &call.args {
            match &arg.name {
                Some(n) if words.contains(&name_of(n)) || is_marked(n) => {
                    let value = self.expr(&arg.value);
                    fields.named(n.clone(), value, is_marked(n));
                }
                Some(_) => more.push(self.expr(&arg.value)),
                None => match self.half_typed(&arg.value, &words) {
                    Some((name, true)) => fields.half_typed(name),
                    _ => match places.next() {
                        Some(place) => placed[place] = self.expr(&arg.value),
                        None => more.push(self.expr(&arg.value)),
                    },
                },
            }
        }
        let (several, module) = (self.gives_several(item), module_of(name));
        let shape = self.module.shape(alias, self.seen.first(e), several);
        let mut function = name.clone();
        // The struct of a network has its name.
        if item.is_network() && self.source.fns.iter().any(|f| std::ptr::eq(f, item)) {
            function = unspanned(name);
            more.push(quote!(__any::<#name>(())));
        }
        let fields = fields.written();
        quote! {
            __set(#function::<#shape>(#(__any(#placed)),*), #module::inputs { #fields }, (#(#more,)*))
        }
    }

    /// An operator: operands in order, options in a struct.
    fn operator(&mut self, e: &Expr, alias: Ident, schema: &'static Schema, call: &'a Call) -> TokenStream {
        let variadic = schema.inputs.iter().any(|i| i.kind == OperandKind::Variadic);
        let data: Vec<&str> =
            schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).map(|i| i.name).collect();
        let given =
            |name: &str| call.args.iter().any(|a| a.name.as_ref().is_some_and(|n| name_of(n) == name));
        let mut slots = (0..data.len()).filter(|i| !given(data[*i]));
        let mut options = schema.options.iter().filter(|o| o.positional && !given(o.name));
        let mut operands = vec![quote!(()); data.len()];
        let mut receiver = None;
        let (mut fields, mut more, mut several) = (Fields::default(), Vec::new(), Vec::new());
        let words: Vec<String> = operators::fields(schema).map(str::to_string).collect();
        for (place, arg) in call.args.iter().enumerate() {
            if let Some(name) = &arg.name {
                let text = name_of(name);
                if let Some(slot) = data.iter().position(|d| *d == text) {
                    operands[slot] = self.expr(&arg.value);
                } else if is_marked(name) || words.contains(&text) && !fields.has(&text) {
                    let value = self.expr(&arg.value);
                    fields.named(operators::spanned(&text, name.span()), value, is_marked(name));
                } else {
                    more.push(self.expr(&arg.value));
                }
                continue;
            }
            if place == 0 && call.method {
                slots.next();
                receiver = Some(self.expr(&arg.value));
                continue;
            }
            let half = self.half_typed(&arg.value, &words);
            let slot = if variadic { None } else { slots.next() };
            match (slot, half) {
                (_, Some((name, true))) => fields.half_typed(name),
                (Some(slot), _) => operands[slot] = self.expr(&arg.value),
                _ if variadic => several.push(self.expr(&arg.value)),
                (None, half) => match (options.next(), half) {
                    (Some(option), _) => {
                        let value = self.expr(&arg.value);
                        fields.named(operators::spanned(option.name, Span::call_site()), value, false);
                    }
                    (None, Some((name, _))) => fields.half_typed(name),
                    (None, None) => more.push(self.expr(&arg.value)),
                },
            }
        }
        let name = operators::spanned(&name_of(&call.name), call.name.span());
        let shape = self.module.shape(alias, self.seen.first(e), schema.visible != 1);
        let positional = schema.options.iter().filter(|o| o.positional).map(|_| quote!(__any(())));
        let operands = operands.iter().map(|o| quote!(__any(#o)));
        let called = match (receiver, variadic) {
            (Some(r), true) => quote!(#r.#name::<#shape>(__any((#(#several,)*)) #(, #positional)*)),
            (None, true) => quote!(#name::<#shape>(__any((#(#several,)*)) #(, #positional)*)),
            (Some(r), false) => {
                let others = operands.skip(1).chain(positional);
                quote!(#r.#name::<#shape>(#(#others),*))
            }
            (None, false) => {
                let all = operands.chain(positional);
                quote!(#name::<#shape>(#(#all),*))
            }
        };
        let (opts, fields) = (operators::builder(schema), fields.written());
        match words.is_empty() {
            true => quote!(__set(#called, (), (#(#more,)*))),
            false => quote!(__set(#called, __ide::opts::#opts { #fields }, (#(#more,)*))),
        }
    }

    /// A name that stands for nothing, and whether it can only become the name of an option: what is visible would be called
    /// otherwise.
    fn half_typed<'e>(&self, value: &'e Expr, words: &[String]) -> Option<(&'e Ident, bool)> {
        let ExprKind::Name(name) = &value.kind else { return None };
        if self.is_known(name) {
            return None;
        }
        let text = unmarked(name);
        let option = !text.is_empty()
            && words.iter().any(|w| w.starts_with(&text))
            && !self.visible().any(|v| v.starts_with(&text));
        Some((name, option))
    }

    /// A name that is not known, with what is called so far.
    fn unknown(&mut self, call: &'a Call) -> TokenStream {
        let name = &call.name;
        let (receiver, args) = match call.args.split_first() {
            Some((first, args)) if call.method => (Some(self.expr(&first.value)), args),
            _ => (None, &call.args[..]),
        };
        let args = self.all(args);
        match (receiver, is_marked(name)) {
            (Some(r), true) => quote!(__set(#r.#name(#args), (), ())),
            (Some(r), false) => quote!(__set(#r.the_name_that_is_being_typed, #args, ())),
            (None, true) => quote!(__set(#name(#args), (), ())),
            (None, false) => quote!(__set(the_call_that_is_being_typed(#args), (), ())),
        }
    }
}

/// The fields of a struct of options.
#[derive(Default)]
struct Fields {
    names: Vec<String>,
    written: TokenStream,
    /// What is half-typed has its place.
    placed: bool,
}

impl Fields {
    fn has(&self, name: &str) -> bool {
        self.names.iter().any(|n| n == name)
    }

    fn named(&mut self, name: Ident, value: TokenStream, marked: bool) {
        self.written.extend(quote!(#name: __any(#value),));
        self.names.push(name_of(&name));
        self.placed |= marked;
    }

    fn half_typed(&mut self, name: &Ident) {
        if is_marked(name) {
            self.written.extend(quote!(#name,));
        } else if !self.placed {
            self.written.extend(quote!(the_name_that_is_being_typed: __any(()),));
        }
        self.placed = true;
    }

    /// An editor asks which fields are missing where there is a mark; it finds them without it, and there it must not find the field
    /// of this name missing.
    fn written(self) -> TokenStream {
        let Fields { written, placed, .. } = self;
        let place = (!placed).then(|| quote!(the_name_that_is_being_typed: __any(()),));
        quote!(#written #place ..__rest())
    }
}
