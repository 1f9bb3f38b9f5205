//! Items: networks, blocks, constants.

use super::exprs::at_colon;
use super::{Cursor, Parser, describe};
use crate::ast::{
    Attr, Block, Call, Const, Expr, ExprKind, Fn, Import, Marks, Param, Stmt, Type, TypeKind, name_of,
};
use crate::errors::{Spans, join_names};
use mxr_graph::catalogue::Code;
use mxr_graph::error::did_you_mean;
use proc_macro2::{Delimiter, Ident, Span, TokenStream};

impl Parser<'_> {
    pub(super) fn items(&mut self, cursor: &mut Cursor) {
        loop {
            cursor.unwrap_invisible();
            if cursor.is_empty() {
                return;
            }
            if self.import(cursor) {
                continue;
            }
            if !self.item(cursor) && !self.body_goes_on(cursor) {
                let found = cursor.peek(0).map(describe).unwrap_or_default();
                let (code, text) = match found.as_str() {
                    "`mod`" | "`struct`" | "`impl`" | "`macro_rules`" => {
                        (Code::ForeignItem, format!("{found} cannot stand inside `network!`"))
                    }
                    _ => (Code::NotAnItem, format!("expected `fn` or `const`, found {found}")),
                };
                let help = "a network is `pub fn Name(data: Tensor<N, 3, 32, 32>) { … }`, a block has a small letter first";
                self.faults.push_help(code, cursor.here(), text, help);
                self.source.half = true;
                cursor.next();
                while !cursor.is_empty() && !at_item(cursor) {
                    cursor.next();
                }
            }
        }
    }

    /// `@ name alias { … }`, or `@ name alias !` of something with faults: what a `use` became, see [`crate::imports`].
    fn import(&mut self, cursor: &mut Cursor) -> bool {
        if !cursor.at_op("@") || cursor.ident(1).is_none() || cursor.ident(2).is_none() {
            return false;
        }
        cursor.next();
        let (Some(item), Some(name)) = (cursor.eat_ident(), cursor.eat_ident()) else { return false };
        let source = cursor.eat_group(Delimiter::Brace).map(|group| {
            let outer = std::mem::take(&mut self.source);
            self.items(&mut Cursor::of(&group));
            std::mem::replace(&mut self.source, outer)
        });
        cursor.eat("!");
        self.source.imports.push(Import { name, item, source });
        true
    }

    /// Statements behind a function that is half-typed are its own: a brace of it is still to be typed.
    fn body_goes_on(&mut self, cursor: &mut Cursor) -> bool {
        let Some(at) = self.source.fns.len().checked_sub(1).filter(|at| self.source.fns[*at].half) else {
            return false;
        };
        let more = self.open_body(cursor);
        let body = &mut self.source.fns[at].body;
        body.stmts.extend(body.tail.take().map(|tail| Stmt::Expr(*tail)));
        body.stmts.extend(more.stmts);
        (body.tail, body.depth) = (more.tail, body.depth.max(more.depth));
        self.source.fns[at].lost |= std::mem::take(&mut self.lost);
        true
    }

    /// Statements of a body that has lost its braces.
    fn open_body(&mut self, cursor: &mut Cursor) -> Block {
        let outer = std::mem::replace(&mut self.open, true);
        let body = self.statements(cursor);
        self.open = outer;
        body
    }

    /// One item, if one begins here; `;` between items is let through.
    pub(super) fn item(&mut self, cursor: &mut Cursor) -> bool {
        if cursor.eat(";") {
            return true;
        }
        if !at_item(cursor) {
            return false;
        }
        self.faults.begin(false);
        let (attrs, marks) = self.attrs(cursor);
        self.item_with(cursor, attrs, marks);
        true
    }

    /// One item after its attributes.
    pub(super) fn item_with(&mut self, cursor: &mut Cursor, attrs: Vec<Attr>, mut marks: Marks) {
        let (before, vis) = (self.faults.len(), self.visibility(cursor));
        let same_as = marks.same_as.take();
        if let Some((at, _)) = same_as.as_ref().filter(|_| !cursor.at_word("const")) {
            let text = "`#[same_as]` belongs to a constant";
            let help = "`#[same_as(crate::CLASSES)] const CLASSES: usize = 10;`";
            self.faults.push_help(Code::MisplacedAttribute, *at, text, help);
        }
        let found = if let Some(at) = cursor.eat_word("fn") {
            let item = self.function(cursor, at, attrs, marks, vis);
            item.map(|item| self.source.fns.push(item)).is_some()
        } else if let Some(at) = cursor.eat_word("extern") {
            let item = self.external(cursor, at, attrs, marks, vis);
            item.map(|item| self.source.fns.push(item)).is_some()
        } else if let Some(at) = cursor.eat_word("const") {
            self.no_attrs(&attrs, &marks, "a constant");
            let item = self.constant(cursor, at);
            let item = item.map(|c| Const { attrs, vis, same_as: same_as.map(|(_, path)| path), ..c });
            item.map(|item| self.source.consts.push(item)).is_some() && !self.faults.is_half(before)
        } else {
            self.faults.push(Code::NotAnItem, cursor.here(), "expected `fn` or `const`");
            cursor.next();
            false
        };
        self.source.half |= !found;
    }

    fn visibility(&mut self, cursor: &mut Cursor) -> TokenStream {
        let mut vis = TokenStream::new();
        cursor.unwrap_invisible();
        if cursor.at_word("pub") {
            vis.extend(cursor.next());
            if cursor.at_group(0, Delimiter::Parenthesis) {
                vis.extend(cursor.next());
            }
        }
        vis
    }

    fn function(
        &mut self,
        cursor: &mut Cursor,
        at: Span,
        attrs: Vec<Attr>,
        mut marks: Marks,
        vis: TokenStream,
    ) -> Option<Fn> {
        cursor.unwrap_invisible();
        let before = self.faults.len();
        let Some(name) = (if cursor.at_restart() { None } else { cursor.eat_ident() }) else {
            self.faults.push(Code::NoName, at, "expected a name after `fn`");
            // The rest of it is what it is, but nobody can call it.
            cursor.eat_group(Delimiter::Parenthesis);
            self.skip_result(cursor);
            cursor.eat_group(Delimiter::Brace);
            return None;
        };
        if cursor.at_op("<") {
            self.faults.push_help(
                Code::GenericParameters,
                cursor.here(),
                format!("`{name}` needs no generic parameters"),
                "every name in a `Tensor<…>` of its parameters is a symbol by itself",
            );
            while !cursor.is_empty() && !cursor.at_group(0, Delimiter::Parenthesis) && !cursor.at_restart() {
                cursor.next();
            }
        }
        let mut params = match cursor.eat_group(Delimiter::Parenthesis) {
            Some(group) => {
                let mut inner = Cursor::of(&group);
                let params = self.params(&mut inner, &name);
                cursor.give_back(inner);
                params
            }
            None => {
                self.faults.push(
                    Code::NoParameters,
                    name.span(),
                    format!("expected `(` and the inputs of `{name}`"),
                );
                Vec::new()
            }
        };
        if let Some(defaults) = marks.defaults.take() {
            self.give_defaults(defaults, &name, &mut params);
        }
        self.skip_result(cursor);
        // What stands between is lost.
        if let Some(n) = braces_ahead(cursor).filter(|_| self.faults.is_half(before)) {
            (0..n).for_each(|_| drop(cursor.next()));
        }
        let lost = std::mem::take(&mut self.lost);
        let body = match cursor.eat_group(Delimiter::Brace) {
            Some(group) => {
                let span = group.span_open();
                self.deeper(span, |p| p.block(&group))
            }
            None => {
                let text = format!("expected `{{` and the layers of `{name}`");
                self.faults.push(Code::NoBody, cursor.last(), text);
                // What follows are its statements; functions among them stand beside it.
                (!cursor.is_empty()).then(|| self.open_body(cursor))
            }
        };
        let end = cursor.last();
        let body = body.unwrap_or_else(|| Block {
            stmts: Vec::new(),
            tail: Some(Box::new(Expr { kind: ExprKind::Error(None), at: end.into(), depth: 0 })),
            end,
            depth: 0,
        });
        let half = self.faults.is_half(before);
        let lost = std::mem::replace(&mut self.lost, lost);
        Some(Fn { attrs, marks, vis, name, params, half, lost, body, external: None })
    }

    /// Puts what `#[defaults(…)]` says to the parameters.
    pub(super) fn give_defaults(&mut self, defaults: Call, function: &Ident, params: &mut [Param]) {
        if function.to_string().starts_with(char::is_uppercase) {
            let text = format!("`#[defaults]` belongs to a block, `{function}` is a network");
            self.faults.push(Code::MisplacedAttribute, defaults.name.span(), text);
            return;
        }
        for arg in defaults.args {
            let Some(name) = arg.name else { continue };
            match params.iter_mut().find(|p| p.name == name) {
                Some(p) if matches!(p.ty.kind, TypeKind::Tensor(_)) => {
                    let text = format!("`{name}` is a tensor, which has no default");
                    self.faults.push(Code::DefaultValue, name.span(), text);
                }
                Some(p) => (p.default, p.defaulted) = (Some(arg.value), Some(name)),
                None => {
                    let known: Vec<String> = params.iter().map(|p| name_of(&p.name)).collect();
                    let known = known.iter().map(String::as_str);
                    let help = match did_you_mean(&name_of(&name), known.clone()) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => format!("it has {}", join_names(known)),
                    };
                    let text = format!("block `{function}` has no input `{name}`");
                    self.faults.push_help(Code::UnknownBlockInput, name.span(), text, help);
                }
            }
        }
    }

    /// A return type says nothing that the last expression does not say.
    pub(super) fn skip_result(&mut self, cursor: &mut Cursor) {
        if cursor.eat("->") {
            while !cursor.is_empty() && !cursor.at_group(0, Delimiter::Brace) && !cursor.at_restart() {
                cursor.next();
            }
        }
    }

    pub(super) fn params(&mut self, cursor: &mut Cursor, function: &Ident) -> Vec<Param> {
        let mut params: Vec<Param> = Vec::new();
        while !cursor.is_empty() {
            if cursor.at_restart() {
                // The parenthesis is still to be typed: a statement or another item begins.
                self.faults.push(Code::Unclosed, cursor.last(), "expected `)` after this");
                return params;
            }
            let (attrs, marks) = self.attrs(cursor);
            self.no_attrs(&attrs, &marks, "an input");
            cursor.eat_word("mut");
            let Some(name) = cursor.eat_ident() else {
                let found = cursor.peek(0).map(describe).unwrap_or_default();
                self.faults.push(
                    Code::NoName,
                    cursor.here(),
                    format!("expected the name of an input of `{function}`, found {found}"),
                );
                skip_to_comma(cursor);
                continue;
            };
            let ty = if cursor.eat(":") {
                self.ty(cursor)
            } else {
                self.faults.push_help(
                    Code::NoType,
                    name.span(),
                    format!("`{name}` needs a type"),
                    format!("`{name}: Tensor`, `{name}: usize`, `{name}: f32` or `{name}: bool`"),
                );
                self.type_without_colon(cursor, &name)
            };
            let at = Spans::from(name.span()).to(ty.at);
            let default = cursor.at_assign(0).then(|| self.default_in_signature(cursor, &name));
            if params.iter().any(|p| p.name == name) {
                self.faults.push(
                    Code::DuplicateInput,
                    name.span(),
                    format!("`{function}` has two inputs called `{name}`"),
                );
            } else {
                params.push(Param { name, ty, default, defaulted: None, at });
            }
            if !cursor.is_empty() && !cursor.at_op(",") {
                self.faults.push(Code::NoComma, cursor.here(), "expected `,` and the next input");
                // Only the comma is missing.
                if cursor.ident(0).is_some() && at_colon(cursor) {
                    continue;
                }
            }
            skip_to_comma(cursor);
        }
        params
    }

    /// `= 1` behind a parameter: read as what it is meant for, said once.
    fn default_in_signature(&mut self, cursor: &mut Cursor, name: &Ident) -> Expr {
        let sign = Spans::from(cursor.here());
        cursor.next();
        let value = self.expr(cursor);
        if !matches!(value.kind, ExprKind::Error(_)) {
            let help = format!("`#[defaults({name} = {})]`", value.short());
            let text = "a default stands in front of the block, where rustfmt understands it";
            self.faults.push_help(Code::DefaultValue, sign.to(value.at), text, help);
        }
        value
    }

    /// The type behind a name that lacks its colon, if there is one.
    fn type_without_colon(&mut self, cursor: &mut Cursor, name: &Ident) -> Type {
        match cursor.ident(0).is_some_and(super::types::is_known) {
            true => self.ty(cursor),
            false => Type { kind: TypeKind::Error, at: name.span().into() },
        }
    }

    /// `const NAME: type = value;`, after the word `const`.
    pub(super) fn constant(&mut self, cursor: &mut Cursor, at: Span) -> Option<Const> {
        let Some(name) = (if cursor.at_restart() { None } else { cursor.eat_ident() }) else {
            self.faults.push(Code::NoName, at, "expected a name after `const`");
            if !cursor.at_restart() {
                self.skip_statement(cursor);
            }
            return None;
        };
        let mut written = TokenStream::new();
        let ty = if cursor.eat(":") {
            let signs = |n: &usize| cursor.is_restart(*n) || cursor.at_assign(*n);
            written
                .extend((0..cursor.len()).take_while(|n| !signs(n)).filter_map(|n| cursor.peek(n).cloned()));
            self.ty(cursor)
        } else {
            let help = format!("`const {name}: usize = …;`");
            self.faults.push_help(Code::NoType, name.span(), format!("`{name}` needs a type"), help);
            self.type_without_colon(cursor, &name)
        };
        let value = if cursor.at_assign(0) {
            cursor.next();
            self.expr(cursor)
        } else {
            self.faults.push(Code::NoValue, cursor.last(), format!("expected `=` and the value of `{name}`"));
            Expr { kind: ExprKind::Error(None), at: name.span().into(), depth: 0 }
        };
        self.semicolon(cursor);
        Some(Const { attrs: Vec::new(), vis: TokenStream::new(), name, ty, written, value, same_as: None })
    }

    /// The `;` after a statement: what is missing is missed once, at the end of what is there.
    pub(super) fn semicolon(&mut self, cursor: &mut Cursor) {
        if cursor.eat(";") {
            return;
        }
        self.faults.push(Code::NoSemicolon, cursor.last(), "expected `;` after this");
        let statement = cursor.ident(0).is_some() && (cursor.at_assign(1) || cursor.at_restart());
        if !statement && !cursor.at_restart() && !cursor.is_empty() {
            self.skip_statement(cursor);
        }
    }
}

/// How many tokens stand before a body, if one follows before a statement or an item begins.
pub(super) fn braces_ahead(cursor: &Cursor) -> Option<usize> {
    (0..cursor.len()).take_while(|n| !cursor.is_restart(*n)).find(|n| cursor.at_group(*n, Delimiter::Brace))
}

/// To the next input: commas between `<` and `>` belong to a type.
fn skip_to_comma(cursor: &mut Cursor) {
    let mut depth = 0usize;
    while !cursor.is_empty() && !cursor.at_restart() {
        if depth == 0 && cursor.eat(",") {
            return;
        }
        if cursor.at_op("<") {
            depth += 1;
        } else if cursor.at_op(">") {
            depth = depth.saturating_sub(1);
        }
        cursor.next();
    }
}

/// Whether an item begins here.
pub(super) fn at_item(cursor: &Cursor) -> bool {
    if cursor.at_op("#") && cursor.at_group(1, Delimiter::Bracket) {
        return true;
    }
    match cursor.ident(0) {
        Some(i) => i == "fn" || i == "pub" || i == "const" || i == "extern",
        None => false,
    }
}
