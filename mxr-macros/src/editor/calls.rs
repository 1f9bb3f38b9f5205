//! Calls: of operators, of blocks and networks, of instances, and of what is still being typed.

use super::bodies::Body;
use super::{MARK, is_marked, module_of, unspanned};
use crate::ast::{Arg, Call, Expr, ExprKind, Fn, name_of};
use crate::elaborate::Shown;
use crate::operators;
use mxr_graph::ops;
use mxr_graph::schema::{OperandKind, Schema};
use proc_macro2::{Ident, TokenStream};
use quote::{quote, quote_spanned};

impl<'a> Body<'a> {
    pub(super) fn call(&mut self, e: &'a Expr, call: &'a Call) -> TokenStream {
        let (name, source) = (&call.name, self.source);
        let own = source.function(name).map(|(_, item)| item);
        let op = ops::find(&name_of(name)).map(|op| op.schema()).filter(|s| !s.internal);
        match (own, op) {
            _ if self.is_bound(name) && own.is_none() && op.is_none() => {
                let (block, args) = (self.named(name), self.all(&call.args));
                let shape = self.module.shape(self.seen.first(e), false);
                quote!(__ide::apply::<#shape>(#block, #args))
            }
            (Some(item), _) if call.instance => {
                let (callee, args) = (self.callee(item, name), self.all(&call.args));
                quote!(__ide::instance(#callee, #args))
            }
            (Some(item), _) => self.function(e, item, call),
            (None, Some(schema)) => self.operator(e, schema, call),
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
            true => quote!(__ide::any::<#name>(())),
            false => quote!(#name::<()>),
        }
    }

    /// A network or a block: its inputs in order, and those that are given by name in a struct of their names.
    fn function(&mut self, e: &Expr, item: &'a Fn, call: &'a Call) -> TokenStream {
        let name = &call.name;
        let mut places = (0..item.params.len()).filter(|p| !is_named(call, &item.params[*p].name));
        let mut placed = vec![quote!(()); item.params.len()];
        let (mut fields, mut more) = (Vec::new(), Vec::new());
        let mut marked = false;
        let words: Vec<Ident> = item.params.iter().map(|p| p.name.clone()).collect();
        for arg in &call.args {
            match &arg.name {
                Some(n) if words.iter().any(|w| w == n) || is_marked(n) => {
                    let value = self.word(arg);
                    fields.push(quote!(#n: __ide::any(#value)));
                    marked |= is_marked(n);
                }
                Some(_) => more.push(self.expr(&arg.value)),
                None => match places.next() {
                    _ if self.is_option(&arg.value, words.iter().map(name_of)) => {
                        if let Some(n) = half_typed(&arg.value).filter(|n| is_marked(n)) {
                            fields.push(quote!(#n));
                            marked = true;
                        }
                    }
                    Some(place) => placed[place] = self.expr(&arg.value),
                    None => more.push(self.expr(&arg.value)),
                },
            }
        }
        let (several, module) = (self.gives_several(item), module_of(name));
        let shape = self.module.shape(self.seen.first(e), several);
        let own = self.source.fns.iter().any(|f| std::ptr::eq(f, item));
        let args = quote!(#(__ide::any(#placed)),*);
        let called = match own && item.is_network() {
            true => {
                let function = unspanned(name);
                quote!(__ide::of(__ide::any::<#name>(()), #function::<#shape>(#args)))
            }
            false => quote!(#name::<#shape>(#args)),
        };
        let rest = rest(marked);
        quote!(__ide::set(#called, #module::inputs { #(#fields,)* ..#rest }, (#(#more,)*)))
    }

    /// An operator: operands in order, options in a struct.
    fn operator(&mut self, e: &Expr, schema: &'static Schema, call: &'a Call) -> TokenStream {
        let variadic = schema.inputs.iter().any(|i| i.kind == OperandKind::Variadic);
        let data: Vec<&str> =
            schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).map(|i| i.name).collect();
        let given = |name: &str| call.args.iter().any(|a| a.name.as_ref().is_some_and(|n| name_of(n) == name));
        let mut slots = (0..data.len()).filter(|i| !given(data[*i]));
        let mut options = schema.options.iter().filter(|o| o.positional && !given(o.name));
        let mut operands = vec![quote!(()); data.len()];
        let mut receiver = None;
        let (mut fields, mut more, mut several) = (Vec::new(), Vec::new(), Vec::new());
        let mut names: Vec<String> = Vec::new();
        let mut marked = false;
        let words: Vec<String> = operators::fields(schema).map(str::to_string).collect();
        for (place, arg) in call.args.iter().enumerate() {
            let is_receiver = place == 0 && call.method;
            if let Some(name) = &arg.name {
                let text = name_of(name);
                if let Some(slot) = data.iter().position(|d| *d == text) {
                    operands[slot] = self.expr(&arg.value);
                } else if is_marked(name) || words.contains(&text) && !names.contains(&text) {
                    let value = self.word(arg);
                    marked |= is_marked(name);
                    let field = operators::spanned(&text, name.span());
                    fields.push(quote!(#field: __ide::any(#value)));
                    names.push(text);
                } else {
                    more.push(self.expr(&arg.value));
                }
            } else if is_receiver {
                slots.next();
                receiver = Some(self.expr(&arg.value));
            } else if variadic {
                several.push(self.expr(&arg.value));
            } else if let Some(slot) = slots.next() {
                operands[slot] = self.expr(&arg.value);
            } else if self.is_option(&arg.value, words.iter().cloned())
                || half_typed(&arg.value).is_some_and(|n| is_marked(n)) && options.clone().next().is_none()
            {
                if let Some(n) = half_typed(&arg.value).filter(|n| is_marked(n)) {
                    fields.push(quote!(#n));
                    marked = true;
                }
            } else if let Some(option) = options.next() {
                let (value, field) = (self.word(arg), operators::spanned(option.name, proc_macro2::Span::call_site()));
                fields.push(quote!(#field: __ide::any(#value)));
                names.push(option.name.to_string());
            } else {
                more.push(self.expr(&arg.value));
            }
        }
        let name = operators::spanned(&name_of(&call.name), call.name.span());
        let shape = self.module.shape(self.seen.first(e), schema.visible != 1);
        let positional = schema.options.iter().filter(|o| o.positional).map(|_| quote!(()));
        let called = match (receiver, variadic) {
            (Some(r), true) => quote!(#r.#name::<#shape>((#(#several,)*) #(, #positional)*)),
            (None, true) => quote!(#name::<#shape>((#(#several,)*) #(, #positional)*)),
            (Some(r), false) => {
                let others = operands.iter().skip(1).cloned().chain(positional);
                quote!(#r.#name::<#shape>(#(#others),*))
            }
            (None, false) => {
                let all = operands.iter().cloned().chain(positional);
                quote!(#name::<#shape>(#(#all),*))
            }
        };
        let (opts, rest) = (operators::builder(schema), rest(marked));
        quote!(__ide::set(#called, __ide::opts::#opts { #(#fields,)* ..#rest }, (#(#more,)*)))
    }

    /// A value, or a word that stands for itself.
    fn word(&mut self, arg: &'a Arg) -> TokenStream {
        match &arg.value.kind {
            ExprKind::Name(name) if !self.is_bound(name) && !is_marked(name) => match self.seen.first(&arg.value) {
                Shown::Unknown => quote!(()),
                _ => self.named(name),
            },
            _ => self.expr(&arg.value),
        }
    }

    /// Whether what is half-typed can only be the name of an option: something that is visible is meant otherwise.
    fn is_option(&self, value: &Expr, mut words: impl Iterator<Item = String>) -> bool {
        let Some(name) = half_typed(value) else { return false };
        let text = name_of(name).replace(MARK, "");
        let visible = self.visible().any(|v| v.starts_with(&text));
        !text.is_empty() && !self.is_bound(name) && !visible && words.any(|w| w.starts_with(&text) && w != text)
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
            (Some(r), true) => quote!(__ide::set(#r.#name(#args), (), ())),
            (Some(r), false) => quote!(__ide::set(#r, #args, ())),
            (None, true) => quote!(__ide::set(#name(#args), (), ())),
            (None, false) => quote_spanned!(name.span()=> __ide::set(__ide::unknown(()), #args, ())),
        }
    }
}

fn is_named(call: &Call, input: &Ident) -> bool {
    call.args.iter().any(|a| a.name.as_ref().is_some_and(|n| n == input))
}

/// A plain name among the arguments.
fn half_typed(value: &Expr) -> Option<&Ident> {
    match &value.kind {
        ExprKind::Name(name) => Some(name),
        _ => None,
    }
}

/// The fields that are not there. An editor looks for the struct without its mark where it found it with the mark, and a field
/// more: without a mark it has to be the longer one.
fn rest(marked: bool) -> TokenStream {
    match marked {
        true => quote!(__ide::rest()),
        false => quote!(__ide::rest_of_the_options_that_are_left_at_their_defaults()),
    }
}
