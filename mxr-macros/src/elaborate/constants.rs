//! The values of constants: visible in everything that stands beside them, and outside of the macro where they are `pub`.

use super::Elab;
use super::value::{Named, Value};
use crate::ast::{Const, Source, TypeKind, name_of};
use crate::errors::Faults;
use mxr_graph::catalogue::Code;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::str::FromStr;

impl Elab<'_> {
    /// `const` items, visible everywhere.
    pub(super) fn constants(&mut self) {
        let source = self.source;
        for c in &source.consts {
            let value = self.expr(&c.value);
            let value = self.typed(&name_of(&c.name), &c.ty, value, c.value.at, None);
            self.watch(&c.name, &value);
            self.extents.push(Named::new(name_of(&c.name), value));
        }
    }
}

/// The constants of a source that somebody outside has to do with, each with its value as Rust writes it. Those that have a fault
/// are left out.
pub(crate) fn constants<'a>(source: &'a Source, faults: &mut Faults) -> Vec<(&'a Const, TokenStream)> {
    if source.consts.iter().all(|c| c.vis.is_empty() && c.same_as.is_none()) {
        return Vec::new();
    }
    let mut elab = Elab::new(source, faults, "");
    elab.half = source.half;
    elab.constants();
    let values: Vec<Value> = elab.extents.iter().map(|e| e.value.clone()).collect();
    let mut list = Vec::new();
    for (c, value) in source.consts.iter().zip(&values) {
        let number = matches!(c.ty.kind, TypeKind::Int | TypeKind::Float | TypeKind::Bool | TypeKind::Error);
        if c.same_as.is_some() && !number {
            let text = format!("`#[same_as]` compares numbers and `bool`, `{}` is neither", c.name);
            let help = "let it be `pub`, and use it outside";
            elab.faults.push_help(Code::MisplacedAttribute, c.ty.at, text, help);
        } else if let Some(value) = written(value, &c.written) {
            list.push((c, value));
        }
    }
    list
}

/// A value as Rust writes it, of this type.
fn written(value: &Value, ty: &TokenStream) -> Option<TokenStream> {
    let text = match value {
        Value::List(parts) => {
            let Some(TokenTree::Group(group)) =
                ty.clone().into_iter().find(|t| matches!(t, TokenTree::Group(_)))
            else {
                return None;
            };
            let types: Vec<TokenStream> = split(group.stream());
            let part = |(i, v): (usize, &Value)| written(v, types.get(i).or(types.first())?);
            let parts = parts.iter().enumerate().map(part).collect::<Option<Vec<_>>>()?;
            return Some(match group.delimiter() {
                Delimiter::Bracket => quote::quote!([#(#parts),*]),
                _ => quote::quote!((#(#parts,)*)),
            });
        }
        scalar => super::external::constant(scalar)?,
    };
    TokenStream::from_str(&text).ok()
}

/// The types in a tuple, or the one of an array.
fn split(list: TokenStream) -> Vec<TokenStream> {
    let mut types = vec![TokenStream::new()];
    for token in list {
        match &token {
            TokenTree::Punct(p) if p.as_char() == ',' => types.push(TokenStream::new()),
            TokenTree::Punct(p) if p.as_char() == ';' => break,
            _ => types.last_mut().into_iter().for_each(|t| t.extend([token.clone()])),
        }
    }
    types
}
