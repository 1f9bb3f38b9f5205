//! The docs of generated methods, from the schema.

use mxr_graph::schema::{Default, OperandKind, OptionDef, OptionKind, Schema};
use std::fmt::Write;

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
