//! The docs of generated methods, from the schema.

use mxr_graph::schema::{Default, OperandKind, OptionDef, OptionKind, Schema};
use proc_macro2::TokenStream;
use quote::quote;
use std::fmt::Write;

/// A module that is nothing but docs: every operator as it is called in `network!`, with the first sentence about it.
pub(super) fn table(schemas: &[&'static Schema]) -> TokenStream {
    let mut sorted = schemas.to_vec();
    sorted.sort_by_key(|s| s.name);
    let mut text = "The operators: what `network!`, [`NDArray`](crate::NDArray) and [`Symbol`](crate::Symbol) have under one name.\n\n\
                    In `network!` what comes after `;` here is given by name, `kernel = 3`. The page of each has its operands, options, \
                    defaults and formula.\n\n| call | what it does |\n|---|---|\n"
        .to_string();
    for s in sorted {
        let first = s.doc.split_inclusive(". ").next().unwrap_or(s.doc).trim();
        let first = first.trim_end_matches(['.', ':']).replace('|', "\\|");
        let _ = writeln!(text, "| [`{}`](crate::NDArray::{}) | {first} |", call(s), s.name);
    }
    quote! {
        #[doc = #text]
        pub mod operators {}
    }
}

/// `conv2d(x, filters; kernel, stride, pad)`: operands and options without a name, then those with one.
fn call(schema: &Schema) -> String {
    let operand = |kind| move |i: &&mxr_graph::schema::Operand| i.kind == kind;
    let mut places: Vec<&str> =
        schema.inputs.iter().filter(operand(OperandKind::Data)).map(|i| i.name).collect();
    if schema.inputs.iter().any(|i| i.kind == OperandKind::Variadic) {
        places.push("a, b, …");
    }
    places.extend(schema.options.iter().filter(|o| o.positional).map(|o| o.name));
    let mut named: Vec<&str> = schema.options.iter().filter(|o| !o.positional).map(|o| o.name).collect();
    let params = schema.inputs.iter().filter(operand(OperandKind::Param)).map(|i| i.name);
    named.extend(params.filter(|p| schema.option(p).is_none()));
    match named.is_empty() {
        true => format!("{}({})", schema.name, places.join(", ")),
        false => format!("{}({}; {})", schema.name, places.join(", "), named.join(", ")),
    }
}

/// The operator's doc, its operands and its options.
pub(super) fn operator(schema: &Schema, with_params: bool) -> String {
    let mut text = schema.doc.trim().to_string();
    let operands: Vec<_> = schema
        .inputs
        .iter()
        .filter(|i| with_params || matches!(i.kind, OperandKind::Data | OperandKind::Variadic))
        .collect();
    if !operands.is_empty() {
        text.push_str("\n\n# Operands\n");
        for i in operands {
            let _ = write!(text, "\n* `{}`: {}", i.name, i.doc);
        }
    }
    if !schema.options.is_empty() {
        text.push_str("\n\n# Options\n");
        for o in schema.options {
            let _ = write!(text, "\n* {}", option(o));
        }
    }
    text
}

/// "`stride` (default 1): step of the window".
pub(super) fn option(option: &OptionDef) -> String {
    let default = match option.default {
        Default::Required => String::new(),
        Default::Absent => " (optional)".to_string(),
        Default::Int(n) => format!(" (default `{n}`)"),
        Default::Float(x) => format!(" (default `{x}`)"),
        Default::Bool(b) => format!(" (default `{b}`)"),
        Default::Word(w) => format!(" (default `\"{w}\"`)"),
    };
    let words = match option.kind {
        OptionKind::Choice(words) => {
            let all: Vec<String> = words.iter().map(|w| format!("`\"{w}\"`")).collect();
            format!("; one of {}", all.join(", "))
        }
        _ => String::new(),
    };
    format!("`{}`{default}: {}{words}", option.name, option.doc)
}
