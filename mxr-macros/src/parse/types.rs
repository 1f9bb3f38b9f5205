//! Types: `Tensor<N, 3, 32, 32>`, `usize`, `f32`, `bool`, `&str`, and lists of them.

use super::exprs::at_colon;
use super::{Cursor, Parser, describe};
use crate::ast::{Expr, ExprKind, Type, TypeKind, name_of};
use crate::errors::Spans;
use mxr_graph::catalogue::Code;
use mxr_graph::error::did_you_mean;
use proc_macro2::{Delimiter, TokenTree};

const INTS: [&str; 10] = ["usize", "u32", "i64", "i32", "u64", "u8", "u16", "i8", "i16", "isize"];
const KNOWN: [&str; 8] = ["Tensor", "usize", "u32", "i64", "i32", "f32", "f64", "bool"];

/// Whether a type has this name.
pub(super) fn is_known(name: &proc_macro2::Ident) -> bool {
    KNOWN.iter().chain(&INTS).any(|t| name == t)
}

impl Parser<'_> {
    pub(super) fn ty(&mut self, cursor: &mut Cursor) -> Type {
        cursor.unwrap_invisible();
        let start = cursor.here();
        let kind = self.ty_kind(cursor);
        Type { kind, at: Spans { first: start, last: cursor.last() } }
    }

    fn ty_kind(&mut self, cursor: &mut Cursor) -> TypeKind {
        while cursor.eat("&") {
            if cursor.eat("'") {
                cursor.next();
            }
        }
        if cursor.at_group(0, Delimiter::Parenthesis) || cursor.at_group(0, Delimiter::Bracket) {
            cursor.next();
            return TypeKind::List;
        }
        // `mxr::Tensor` is `Tensor`.
        while cursor.ident(0).is_some() && cursor.peek(1).is_some_and(|t| t.to_string() == ":") {
            cursor.next();
            if !cursor.eat("::") {
                break;
            }
        }
        let Some(name) = (if cursor.at_restart() { None } else { cursor.eat_ident() }) else {
            let found = cursor.peek(0).map_or("nothing".to_string(), describe);
            self.faults.push_help(
                Code::NoTypeAfterColon,
                cursor.here(),
                format!("expected a type, found {found}"),
                "`Tensor<N, 3, 32, 32>`, `usize`, `f32`, `bool` or `&str`",
            );
            return TypeKind::Error;
        };
        match name_of(&name).as_str() {
            "Tensor" => {
                let before = self.faults.len();
                let list = self.tensor(cursor);
                // Extents that are still to be typed make another shape.
                let open = self.faults.has(before, Code::Unclosed);
                if open { TypeKind::Error } else { TypeKind::Tensor(list) }
            }
            "f32" | "f64" => TypeKind::Float,
            "bool" => TypeKind::Bool,
            "str" => TypeKind::Word,
            t if INTS.contains(&t) => TypeKind::Int,
            t => {
                let help = match did_you_mean(t, KNOWN) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "`Tensor<N, 3, 32, 32>`, `usize`, `f32`, `bool` or `&str`".to_string(),
                };
                self.faults.push_help(
                    Code::UnknownType,
                    name.span(),
                    format!("there is no type `{t}` here"),
                    help,
                );
                if cursor.eat("<") {
                    self.extents(cursor, ">");
                }
                TypeKind::Error
            }
        }
    }

    /// What stands in the brackets after `Tensor`.
    fn tensor(&mut self, cursor: &mut Cursor) -> Option<Vec<Expr>> {
        if cursor.eat("::<") || cursor.eat("<") {
            return Some(self.extents(cursor, ">"));
        }
        if cursor.at_op("!") && cursor.at_group(1, Delimiter::Bracket) {
            cursor.next();
            let group = cursor.eat_group(Delimiter::Bracket)?;
            let mut inner = Cursor::of(&group);
            return Some(self.extents(&mut inner, ""));
        }
        None
    }

    /// A list of extents up to the closing sign, or to the end.
    fn extents(&mut self, cursor: &mut Cursor, close: &str) -> Vec<Expr> {
        let mut list = Vec::new();
        loop {
            if !close.is_empty() && cursor.eat(close) {
                return list;
            }
            // `label: Tensor<…>` is the next input, an unclosed sign or not.
            if cursor.is_empty() || cursor.at_restart() || cursor.ident(0).is_some() && at_colon(cursor) {
                if !close.is_empty() {
                    self.faults.push(Code::Unclosed, cursor.last(), format!("expected `{close}` after this"));
                }
                return list;
            }
            let before = cursor.len();
            let extent = self.sum(cursor);
            let failed = matches!(extent.kind, ExprKind::Error(_));
            list.push(extent);
            let closed = cursor.is_empty() || !close.is_empty() && cursor.at_op(close);
            if !cursor.eat(",") && !closed && !cursor.at_restart() {
                if !failed {
                    let want = if close.is_empty() {
                        "expected `,`".to_string()
                    } else {
                        format!("expected `,` or `{close}`")
                    };
                    self.faults.push(Code::NoComma, cursor.here(), want);
                }
                // Only the comma is missing.
                let goes_on = matches!(cursor.peek(0), Some(TokenTree::Ident(_) | TokenTree::Literal(_)));
                if cursor.len() == before || !failed && !goes_on {
                    cursor.next();
                }
            }
        }
    }
}
