//! Statements.

use super::items::{at_item, braces_ahead};
use super::{Cursor, Parser, describe};
use crate::ast::{Binary, Block, Expr, ExprKind, LayerMarks, Pat, Stmt};
use crate::errors::Spans;
use mxr_graph::catalogue::Code;
use proc_macro2::{Delimiter, Group};

impl Parser<'_> {
    /// `{ … }`.
    pub(super) fn block(&mut self, group: &Group) -> Block {
        self.statements(&mut Cursor::of(group))
    }

    /// Statements to the end.
    pub(super) fn statements(&mut self, cursor: &mut Cursor) -> Block {
        let (before, quiet) = (self.faults.len(), self.faults.begin(false));
        let mut block = Block { stmts: Vec::new(), tail: None, end: cursor.end(), depth: 0 };
        while !cursor.is_empty() {
            // An item behind it does not make the result of an open body something else.
            let result = self.open && at_item(cursor);
            if let Some(tail) = block.tail.take_if(|_| !result) {
                // What looked like the result is followed by more.
                block.stmts.push(Stmt::Expr(*tail));
            }
            self.faults.begin(false);
            let (start, count) = (self.faults.len(), block.stmts.len());
            let flow = cursor.at_word("for") || !cursor.at_restart() && !at_item(cursor);
            self.statement(cursor, &mut block);
            let kept =
                block.tail.is_some() || matches!(block.stmts[count..], [Stmt::Assign { .. } | Stmt::Expr(_)]);
            self.lost |= flow && !kept && self.faults.is_half(start);
        }
        // What is around it goes on.
        self.faults.begin(quiet || self.faults.len() > before);
        let parts = block.stmts.iter().map(|s| match s {
            Stmt::Let { value, .. } | Stmt::Assign { value, .. } | Stmt::Expr(value) => value.depth,
            Stmt::For { list, body, .. } => list.depth.max(body.depth),
        });
        block.depth = parts.chain(block.tail.iter().map(|t| t.depth)).max().unwrap_or(0) + 1;
        block
    }

    fn statement(&mut self, cursor: &mut Cursor, block: &mut Block) {
        if cursor.at_op("#") && cursor.at_group(1, Delimiter::Bracket) {
            let (attrs, mut marks) = self.attrs(cursor);
            if at_item(cursor) {
                self.item_with(cursor, attrs, marks);
                return;
            }
            let layer = std::mem::take(&mut marks.layer);
            self.no_attrs(&attrs, &marks, "a statement");
            self.marked(cursor, block, layer);
        } else if at_item(cursor) {
            // A block declared inside, or the brace of this body is still to be typed: it belongs beside us either way.
            self.item(cursor);
        } else if cursor.eat(";") {
        } else if let Some(at) = cursor.eat_word("let") {
            let pat = self.pat(cursor, at.into());
            let ty = cursor.eat(":").then(|| self.ty(cursor));
            let value = if cursor.at_assign(0) {
                cursor.next();
                self.expr(cursor)
            } else {
                self.faults.push(Code::NoValue, cursor.last(), "expected `=` and a layer after this");
                let at = cursor.last().into();
                Expr { kind: ExprKind::Error(None), at, depth: 0 }
            };
            self.end_of(cursor, &value);
            block.stmts.push(Stmt::Let { pat, ty, value, marks: LayerMarks::default() });
        } else if let Some(at) = cursor.eat_word("for") {
            let pat = self.pat(cursor, at.into());
            if cursor.eat_word("in").is_none() {
                self.faults.push_help(
                    Code::NoIn,
                    cursor.last(),
                    "expected `in` after this",
                    "`for i in 0..3 { … }`",
                );
            }
            let list = self.expr(cursor);
            if !cursor.at_group(0, Delimiter::Brace) {
                let text = "expected `{` and what is repeated after this";
                self.faults.push(Code::NoBody, cursor.last(), text);
                // The braces may follow after all.
                if let Some(n) = braces_ahead(cursor) {
                    (0..n).for_each(|_| drop(cursor.next()));
                }
            }
            if let Some(group) = cursor.eat_group(Delimiter::Brace)
                && let Some(body) = self.deeper(group.span_open(), |p| p.block(&group))
            {
                block.stmts.push(Stmt::For { pat, list, body });
            }
        } else if let Some(at) = cursor.eat_word("return") {
            self.faults.push_help(
                Code::Return,
                at,
                "`return` is not needed",
                "the last expression, without `;`, is the result",
            );
            if !cursor.is_empty() && !cursor.at_restart() {
                let value = self.expr(cursor);
                if !cursor.is_empty() {
                    self.end_of(cursor, &value);
                }
                if cursor.is_empty() {
                    block.tail = Some(Box::new(value));
                } else {
                    let marks = LayerMarks::default();
                    block.stmts.push(Stmt::Let { pat: Pat::Wild, ty: None, value, marks });
                }
            }
        } else {
            self.expression_statement(cursor, block);
        }
    }

    /// The statement behind attributes of layers.
    fn marked(&mut self, cursor: &mut Cursor, block: &mut Block, layer: LayerMarks) {
        if layer.named().next().is_none() || cursor.is_empty() {
            return;
        }
        let (before, count) = (self.faults.len(), block.stmts.len());
        self.statement(cursor, block);
        match block.stmts.get_mut(count..) {
            Some([Stmt::Let { marks, .. } | Stmt::Assign { marks, .. }]) => *marks = layer,
            _ if self.faults.len() > before => {}
            _ => {
                for (name, at) in layer.named() {
                    let text = format!("`#[{name}]` belongs to a block, a `let` or an assignment");
                    let help = match name {
                        "recompute" => {
                            "`#[recompute] let y = relu(batch_norm(x));` makes again what is inside of `y`"
                                .to_string()
                        }
                        _ => format!(
                            "on `let fc = dense(x, 10);` it is about the weights of `fc`; a block has its own `#[{name}]`"
                        ),
                    };
                    self.faults.push_help(Code::MisplacedAttribute, at, text, help);
                }
            }
        }
    }

    fn expression_statement(&mut self, cursor: &mut Cursor, block: &mut Block) {
        let before = cursor.len();
        let value = self.expr(cursor);
        if cursor.at_assign(0) {
            cursor.next();
            let new = self.expr(cursor);
            self.end_of(cursor, &new);
            if let Some(pat) = self.pat_of(value) {
                block.stmts.push(Stmt::Assign { pat, value: new, marks: LayerMarks::default() });
            }
            return;
        }
        for (sign, op) in [("+=", Binary::Add), ("-=", Binary::Sub), ("*=", Binary::Mul), ("/=", Binary::Div)]
        {
            if cursor.eat(sign) {
                let other = self.expr(cursor);
                self.end_of(cursor, &other);
                if let ExprKind::Name(name) = &value.kind {
                    let pat = Pat::Name(name.clone());
                    let value = self.binary(op, value, other);
                    block.stmts.push(Stmt::Assign { pat, value, marks: LayerMarks::default() });
                } else {
                    self.faults.push(
                        Code::AssignedToNoName,
                        value.at,
                        format!("the left side of `{sign}` must be a name"),
                    );
                }
                return;
            }
        }
        if cursor.is_empty() || self.open && at_item(cursor) {
            block.tail = Some(Box::new(value));
            return;
        }
        let braced = matches!(value.kind, ExprKind::If(..) | ExprKind::Block(_));
        if !braced || cursor.at_op(";") {
            self.end_of(cursor, &value);
        }
        if cursor.len() == before {
            cursor.next();
        }
        block.stmts.push(Stmt::Expr(value));
    }

    /// The end of a statement whose last part is `value`: after a fault the rest of it is skipped in silence.
    fn end_of(&mut self, cursor: &mut Cursor, value: &Expr) {
        if !matches!(value.kind, ExprKind::Error(_)) {
            self.semicolon(cursor);
        } else if !cursor.eat(";") && !cursor.is_empty() && !cursor.at_restart() {
            self.skip_statement(cursor);
        }
    }

    /// A name, `_`, or a tuple of them.
    pub(super) fn pat(&mut self, cursor: &mut Cursor, after: Spans) -> Pat {
        cursor.unwrap_invisible();
        cursor.eat_word("mut");
        if let Some(group) = cursor.eat_group(Delimiter::Parenthesis) {
            let mut inner = Cursor::of(&group);
            let at = Spans { first: group.span_open(), last: group.span_close() };
            let mut parts = Vec::new();
            while !inner.is_empty() {
                let part = self.deeper(group.span_open(), |p| p.pat(&mut inner, at));
                parts.extend(part);
                if !inner.eat(",") && !inner.is_empty() {
                    self.faults.push(Code::NoComma, inner.here(), "expected `,` and the next name");
                    // The parenthesis may be still to be typed.
                    cursor.give_back(inner);
                    break;
                }
            }
            return Pat::Tuple(parts);
        }
        if !cursor.at_restart()
            && let Some(name) = cursor.eat_ident()
        {
            return if name == "_" { Pat::Wild } else { Pat::Name(name) };
        }
        let found = cursor.peek(0).map_or("nothing".to_string(), describe);
        if cursor.is_empty() || cursor.at_restart() || cursor.at_assign(0) {
            self.faults.push(Code::NoName, after, "expected a name after this");
        } else {
            self.faults.push(Code::NoName, cursor.here(), format!("expected a name, found {found}"));
            cursor.next();
        }
        Pat::Wild
    }

    /// The left side of an assignment.
    fn pat_of(&mut self, expr: Expr) -> Option<Pat> {
        match expr.kind {
            ExprKind::Name(name) => Some(Pat::Name(name)),
            ExprKind::Hole => Some(Pat::Wild),
            ExprKind::List(parts) => {
                let parts = parts.into_iter().map(|p| self.pat_of(p)).collect::<Option<Vec<_>>>()?;
                Some(Pat::Tuple(parts))
            }
            ExprKind::Error(_) => None,
            _ => {
                self.faults.push(
                    Code::AssignedToNoName,
                    expr.at,
                    "the left side of `=` must be a name, or a tuple of names",
                );
                None
            }
        }
    }
}
