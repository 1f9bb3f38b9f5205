//! Operators of the user's: `extern "Rust" fn swish(x: Tensor, beta: f32) -> Tensor { Swish { beta } }`. What stands in front of the body
//! is of this language, the body is Rust's and makes the operator; it is handed on as it stands.

use super::items::braces_ahead;
use super::{Cursor, Parser, describe};
use crate::ast::{Attr, Block, External, Fn, Marks, Type, TypeKind};
use mxr_graph::catalogue::Code;
use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};

/// How one is declared, as a message says it.
const FORM: &str = "`extern \"Rust\" fn swish(x: Tensor, beta: f32) -> Tensor { Swish { beta } }`";

impl Parser<'_> {
    /// After the word `extern`.
    pub(super) fn external(
        &mut self,
        cursor: &mut Cursor,
        at: Span,
        attrs: Vec<Attr>,
        mut marks: Marks,
        vis: TokenStream,
    ) -> Option<Fn> {
        let before = self.faults.len();
        if let Some(TokenTree::Literal(abi)) = cursor.peek(0).cloned() {
            cursor.next();
            // What rustfmt writes where nothing stands.
            if !["\"Rust\"", "\"C\""].contains(&abi.to_string().as_str()) {
                self.faults.push_help(
                    Code::ForeignLiteral,
                    abi.span(),
                    format!("{abi} has no meaning here"),
                    FORM,
                );
            }
        }
        let Some(word) = cursor.eat_word("fn") else {
            let found = cursor.peek(0).map(describe).unwrap_or_else(|| "nothing".to_string());
            let text = format!("expected `fn` after `extern`, found {found}");
            self.faults.push_help(Code::NotAnItem, at, text, FORM);
            return None;
        };
        let Some(name) = (if cursor.at_restart() { None } else { cursor.eat_ident() }) else {
            self.faults.push(Code::NoName, word, "expected a name after `fn`");
            cursor.eat_group(Delimiter::Parenthesis);
            self.skip_result(cursor);
            cursor.eat_group(Delimiter::Brace);
            return None;
        };
        let (mut params, mut types) = (Vec::new(), Vec::new());
        match cursor.eat_group(Delimiter::Parenthesis) {
            Some(group) => {
                types = written(&group);
                let mut inner = Cursor::of(&group);
                params = self.params(&mut inner, &name);
                cursor.give_back(inner);
            }
            None => {
                let text = format!("expected `(` and the inputs of `{name}`");
                self.faults.push(Code::NoParameters, name.span(), text);
            }
        }
        if let Some(defaults) = marks.defaults.take() {
            self.give_defaults(defaults, &name, &mut params);
        }
        let listed = params.iter().find(|p| matches!(p.ty.kind, TypeKind::List));
        if let Some(p) = listed {
            let text = format!("`{}` of operator `{name}` is a list", p.name);
            let help = "its options are numbers, `bool` and `&str`: one for each number of the list";
            self.faults.push_help(Code::OperatorOption, p.ty.at, text, help);
        }
        let results = self.results(cursor);
        if results.is_empty() && !self.faults.is_half(before) {
            let text = format!("nothing says what comes out of operator `{name}`");
            let help = "`-> Tensor` is an array like its first input, `-> Tensor<N, 10>` any other";
            self.faults.push_help(Code::OperatorResult, name.span(), text, help);
        }
        if let Some(wrong) = results.iter().find(|t| !matches!(t.kind, TypeKind::Tensor(_) | TypeKind::Error))
        {
            self.faults.push(
                Code::OperatorResult,
                wrong.at,
                format!("operator `{name}` gives tensors, this is none"),
            );
        }
        if let Some(n) = braces_ahead(cursor).filter(|_| self.faults.is_half(before)) {
            (0..n).for_each(|_| drop(cursor.next()));
        }
        let body = cursor.eat_group(Delimiter::Brace);
        if body.is_none() {
            let text = format!("expected `{{` and what makes operator `{name}`");
            self.faults.push_help(Code::NoBody, cursor.last(), text, FORM);
        }
        let end = body.as_ref().map_or(cursor.last(), Group::span_close);
        let half = self.faults.is_half(before);
        let external = Some(External { results, types, body, at: word });
        let body = Block { stmts: Vec::new(), tail: None, end, depth: 0 };
        Some(Fn { attrs, marks, vis, name, params, half, lost: false, body, external })
    }

    /// `-> Tensor` or `-> (Tensor<N>, Tensor<N>)`.
    fn results(&mut self, cursor: &mut Cursor) -> Vec<Type> {
        if !cursor.eat("->") {
            return Vec::new();
        }
        let Some(group) = cursor.eat_group(Delimiter::Parenthesis) else { return vec![self.ty(cursor)] };
        let (mut inner, mut results) = (Cursor::of(&group), Vec::new());
        while !inner.is_empty() && !inner.at_restart() {
            let before = inner.len();
            results.push(self.ty(&mut inner));
            if !inner.eat(",") && inner.len() == before {
                inner.next();
            }
        }
        results
    }
}

/// The types of inputs as they stand.
fn written(group: &Group) -> Vec<TokenStream> {
    let (mut types, mut depth, mut colon) = (Vec::new(), 0usize, false);
    let sign = |t: &TokenTree| match t {
        TokenTree::Punct(p) => p.as_char(),
        _ => ' ',
    };
    for token in group.stream() {
        match sign(&token) {
            ',' if depth == 0 => {
                colon = false;
                continue;
            }
            ':' if depth == 0 && !colon => {
                colon = true;
                types.push(TokenStream::new());
                continue;
            }
            '<' => depth += 1,
            '>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if let Some(last) = types.last_mut().filter(|_| colon) {
            last.extend([token]);
        }
    }
    types
}
