//! Expressions: Rust's precedence, no more than the language needs.

use super::{Cursor, MAX_DEPTH, Parser, describe};
use crate::ast::{Arg, Binary, Block, Call, Expr, ExprKind, Unary, name_of};
use crate::errors::Spans;
use mxr_graph::catalogue::Code;
use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenTree};

/// Longer signs first: `<=` is not `<`.
const BINARY: [Binary; 13] = [
    Binary::Or,
    Binary::And,
    Binary::Eq,
    Binary::Ne,
    Binary::Le,
    Binary::Ge,
    Binary::Lt,
    Binary::Gt,
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Rem,
];

/// Signs of Python and of Rust that mean nothing here, and what to write instead.
const FOREIGN: [(&str, &str); 6] = [
    ("**", "`pow(a, b)` is the power"),
    ("^", "`pow(a, b)` is the power"),
    ("@", "`matmul(a, b)` is the matrix product"),
    ("|", "`||` is the \"or\" of constants, `maximum(a, b)` that of masks"),
    ("&", "`&&` is the \"and\" of constants, `a * b` that of masks"),
    ("~", "`1.0 - a` is the \"not\" of a mask"),
];

impl Parser<'_> {
    /// Any expression, a range included.
    pub(super) fn expr(&mut self, cursor: &mut Cursor) -> Expr {
        let start = self.level(cursor, 1);
        for (sign, inclusive) in [("..=", true), ("..", false)] {
            if cursor.eat(sign) {
                let end = self.level(cursor, 1);
                let (at, depth) = (start.at.to(end.at), start.depth.max(end.depth) + 1);
                return Expr { kind: ExprKind::Range(Box::new(start), Box::new(end), inclusive), at, depth };
            }
        }
        start
    }

    /// A sum: in the brackets of a type, where `>` ends it.
    pub(super) fn sum(&mut self, cursor: &mut Cursor) -> Expr {
        self.level(cursor, Binary::Add.level())
    }

    fn level(&mut self, cursor: &mut Cursor, level: u8) -> Expr {
        let at = cursor.here();
        let deep = self.deeper(at, |p| {
            let mut left = p.unary(cursor);
            loop {
                if let Some((sign, help)) = foreign(cursor) {
                    let here = Spans::from(cursor.here());
                    cursor.eat(sign);
                    if !matches!(left.kind, ExprKind::Error(_)) {
                        let text = format!("there is no `{sign}` in a network");
                        p.faults.push_help(Code::ForeignSign, here.to(cursor.last()), text, help);
                    }
                    let right = p.level(cursor, level);
                    left = error(left.at.to(right.at));
                } else if let Some(op) = operator(cursor).filter(|op| op.level() >= level) {
                    cursor.eat(op.sign());
                    let right = p.level(cursor, op.level() + 1);
                    left = p.binary(op, left, right);
                } else {
                    return left;
                }
            }
        });
        deep.unwrap_or_else(|| {
            skip_all(cursor);
            error(at)
        })
    }

    /// `left op right`.
    pub(super) fn binary(&mut self, op: Binary, left: Expr, right: Expr) -> Expr {
        let (at, depth) = (left.at.to(right.at), left.depth.max(right.depth) + 1);
        self.bounded(Expr { kind: ExprKind::Binary(op, Box::new(left), Box::new(right)), at, depth })
    }

    /// Chains and sums grow without recursion here, but the tree is walked recursively.
    fn bounded(&mut self, expr: Expr) -> Expr {
        if expr.depth <= MAX_DEPTH {
            return expr;
        }
        self.too_deep(expr.at);
        error(expr.at)
    }

    fn unary(&mut self, cursor: &mut Cursor) -> Expr {
        let start = cursor.here();
        let op = if cursor.eat("-") {
            Some(Unary::Neg)
        } else if cursor.eat("!") {
            Some(Unary::Not)
        } else if cursor.eat("&") {
            // A borrow says nothing here.
            cursor.eat_word("mut");
            None
        } else {
            return self.postfix(cursor);
        };
        let operand = self.deeper(start, |p| p.unary(cursor)).unwrap_or_else(|| {
            skip_all(cursor);
            error(start)
        });
        let (at, depth) = (Spans::from(start).to(operand.at), operand.depth + 1);
        match (op, operand.kind) {
            (_, ExprKind::Error(_)) => error(at),
            (Some(Unary::Neg), ExprKind::Int(n)) => {
                Expr { kind: ExprKind::Int(n.saturating_neg()), at, depth }
            }
            (Some(Unary::Neg), ExprKind::Float(x)) => Expr { kind: ExprKind::Float(-x), at, depth },
            (Some(op), kind) => {
                let operand = Expr { kind, at: operand.at, depth: operand.depth };
                Expr { kind: ExprKind::Unary(op, Box::new(operand)), at, depth }
            }
            (None, kind) => Expr { kind, at, depth },
        }
    }

    /// A primary expression, the methods called on it, and parameters of its layer.
    fn postfix(&mut self, cursor: &mut Cursor) -> Expr {
        let mut value = self.primary(cursor);
        loop {
            if cursor.at_op("..") {
                return value;
            }
            if cursor.eat(".") {
                let dot = cursor.last();
                let Some(name) = cursor.ident(0).filter(|_| !cursor.at_restart()).cloned() else {
                    let (code, text) = match cursor.peek(0) {
                        Some(TokenTree::Literal(_)) => (
                            Code::TupleField,
                            "there are no fields; take a tuple apart with `let (a, b) = …;`",
                        ),
                        _ => (Code::NoMethod, "expected the name of an operator after `.`"),
                    };
                    self.faults.push(code, dot, text);
                    if matches!(cursor.peek(0), Some(TokenTree::Literal(_))) {
                        cursor.next();
                    }
                    return half(value, dot);
                };
                cursor.next();
                let Some(group) = cursor.eat_group(Delimiter::Parenthesis) else {
                    if mxr_graph::ops::find(&name_of(&name)).is_none() {
                        let (at, depth) = (value.at.to(name.span()), value.depth + 1);
                        value =
                            self.bounded(Expr { kind: ExprKind::Field(Box::new(value), name), at, depth });
                        continue;
                    }
                    let help = format!("`.{name}()` calls the operator `{name}`");
                    self.faults.push_help(Code::NoParentheses, name.span(), "expected `(` after this", help);
                    return half(value, name.span());
                };
                value = self.call(cursor, Some(value), name, &group);
                value = self.bounded(value);
            } else if cursor.at_op("?") {
                self.faults.push(
                    Code::QuestionMark,
                    cursor.here(),
                    "`?` is not needed: faults are found while compiling",
                );
                cursor.next();
            } else if cursor.at_word("as") {
                self.faults.push_help(
                    Code::NoConversion,
                    cursor.here(),
                    "`as` does not convert here",
                    "constants need no conversion; `cast` converts a tensor",
                );
                cursor.next();
                self.ty(cursor);
            } else if cursor.at_group(0, Delimiter::Bracket) {
                let help = "`slice` takes a part of a tensor, `let (a, b) = …;` takes a tuple apart";
                let open = Spans::from(cursor.here());
                cursor.next();
                self.faults.push_help(Code::Indexing, open.to(cursor.last()), "there is no indexing", help);
                value = error(value.at.to(cursor.last()));
            } else {
                return value;
            }
        }
    }

    fn primary(&mut self, cursor: &mut Cursor) -> Expr {
        let start = cursor.here();
        if cursor.is_empty() || cursor.at_restart() {
            self.faults.push(Code::NoExpression, cursor.last(), "expected an expression after this");
            return error(start);
        }
        match cursor.peek(0).cloned() {
            Some(TokenTree::Literal(l)) => {
                cursor.next();
                self.literal(&l)
            }
            Some(TokenTree::Ident(name)) => self.named(cursor, name),
            Some(TokenTree::Group(g)) => {
                cursor.next();
                let at = Spans { first: g.span_open(), last: g.span_close() };
                match g.delimiter() {
                    Delimiter::Brace => {
                        let block = self.deeper(start, |p| p.block(&g));
                        block.map_or_else(|| error(at), |b| self.braces(b, at))
                    }
                    Delimiter::Bracket => self.list(cursor, &g, at, false),
                    Delimiter::Parenthesis => self.list(cursor, &g, at, true),
                    Delimiter::None => {
                        let mut inner = Cursor::of(&g);
                        let value = self.expr(&mut inner);
                        cursor.give_back(inner);
                        value
                    }
                }
            }
            Some(other) => {
                self.faults.push(
                    Code::NoExpression,
                    start,
                    format!("expected an expression, found {}", describe(&other)),
                );
                error(start)
            }
            None => error(start),
        }
    }

    fn literal(&mut self, literal: &Literal) -> Expr {
        let at = Spans::from(literal.span());
        let mut fail = |code: Code, text: &str| {
            self.faults.push(code, at, text);
            error(at)
        };
        match syn::Lit::new(literal.clone()) {
            syn::Lit::Int(n) if n.suffix().is_empty() || !n.suffix().starts_with('f') => {
                match n.base10_parse::<i64>() {
                    Ok(n) => leaf(ExprKind::Int(n), at),
                    Err(_) => fail(Code::Overflow, "this number is too large"),
                }
            }
            syn::Lit::Int(n) => match n.base10_digits().parse() {
                Ok(x) => leaf(ExprKind::Float(x), at),
                Err(_) => fail(Code::ForeignLiteral, "this is not a number"),
            },
            syn::Lit::Float(x) => match x.base10_parse::<f64>() {
                Ok(x) if x.is_finite() => leaf(ExprKind::Float(x), at),
                _ => fail(Code::Overflow, "this number is too large"),
            },
            syn::Lit::Str(s) => leaf(ExprKind::Text(s.value()), at),
            _ => fail(Code::ForeignLiteral, "expected a number, `true`, `false` or a word"),
        }
    }

    /// An expression that begins with a word.
    fn named(&mut self, cursor: &mut Cursor, name: Ident) -> Expr {
        let at = Spans::from(name.span());
        cursor.next();
        match name.to_string().as_str() {
            "true" => return leaf(ExprKind::Bool(true), at),
            "false" => return leaf(ExprKind::Bool(false), at),
            "_" => return leaf(ExprKind::Hole, at),
            "if" => return self.conditional(cursor, at),
            word @ ("match" | "while" | "loop" | "move" | "unsafe" | "async" | "break" | "continue") => {
                self.faults.push_help(
                    Code::ForeignKeyword,
                    at,
                    format!("there is no `{word}` in a network"),
                    "`for` repeats, `if` chooses; both are unrolled while compiling",
                );
                return error(at);
            }
            _ => {}
        }
        let new = |n: usize| cursor.ident(n).is_some_and(|i| i == "new");
        if cursor.at_op("::") && new(2) && cursor.at_group(3, Delimiter::Parenthesis) {
            cursor.eat("::");
            cursor.next();
            if let Some(group) = cursor.eat_group(Delimiter::Parenthesis) {
                let mut made = self.call(cursor, None, name, &group);
                if let ExprKind::Call(call) = &mut made.kind {
                    call.instance = true;
                }
                return made;
            }
        }
        if cursor.at_op("::") {
            while cursor.eat("::") {
                if cursor.eat_ident().is_none() {
                    break;
                }
            }
            let text = "names have no path in a network";
            let help = "operators and blocks are called by their name alone; `use path::block;` in front brings one in";
            self.faults.push_help(Code::PathForAName, at.to(cursor.last()), text, help);
            cursor.eat_group(Delimiter::Parenthesis);
            return error(at);
        }
        if cursor.at_op("!") && cursor.at_group(1, Delimiter::Parenthesis) {
            self.faults.push(
                Code::MacroCall,
                at.to(cursor.here()),
                format!("`{name}!` cannot be called in a network"),
            );
            cursor.next();
            cursor.next();
            return error(at);
        }
        match cursor.eat_group(Delimiter::Parenthesis) {
            Some(group) => self.call(cursor, None, name, &group),
            None => leaf(ExprKind::Name(name), at),
        }
    }

    fn conditional(&mut self, cursor: &mut Cursor, at: Spans) -> Expr {
        let condition = self.expr(cursor);
        let Some(group) = cursor.eat_group(Delimiter::Brace) else {
            if !matches!(condition.kind, ExprKind::Error(_)) {
                self.faults.push(Code::NoBody, cursor.last(), "expected `{` after the condition");
            }
            return error(at);
        };
        let Some(then) = self.deeper(group.span_open(), |p| p.block(&group)) else { return error(at) };
        let otherwise = cursor.eat_word("else").map(|word| {
            if let Some(at) = cursor.eat_word("if") {
                let chain = self.deeper(at, |p| p.conditional(cursor, at.into()));
                return Box::new(chain.unwrap_or_else(|| error(at)));
            }
            match cursor.eat_group(Delimiter::Brace) {
                Some(g) => {
                    let at = Spans { first: g.span_open(), last: g.span_close() };
                    let block = self.deeper(at.first, |p| p.block(&g));
                    Box::new(block.map_or_else(|| error(at), |b| self.braces(b, at)))
                }
                None => {
                    self.faults.push(Code::NoBody, word, "expected `{` after this");
                    Box::new(error(word))
                }
            }
        });
        let at = at.to(cursor.last());
        let depth = condition.depth.max(then.depth).max(otherwise.as_ref().map_or(0, |o| o.depth)) + 1;
        self.bounded(Expr { kind: ExprKind::If(Box::new(condition), then, otherwise), at, depth })
    }

    fn braces(&mut self, block: Block, at: Spans) -> Expr {
        let depth = block.depth + 1;
        self.bounded(Expr { kind: ExprKind::Block(block), at, depth })
    }

    /// `(a)`, `(a, b)`, `[a, b]` or `[a; n]`.
    fn list(&mut self, cursor: &mut Cursor, group: &Group, at: Spans, paren: bool) -> Expr {
        let mut inner = Cursor::of(group);
        let mut items: Vec<Expr> = Vec::new();
        let mut comma = false;
        while !inner.is_empty() {
            let item = self.expr(&mut inner);
            let failed = matches!(item.kind, ExprKind::Error(_));
            if !paren && items.is_empty() && inner.eat(";") {
                let count = self.expr(&mut inner);
                let depth = item.depth.max(count.depth) + 1;
                let kind = match (&item.kind, &count.kind) {
                    (ExprKind::Int(x), ExprKind::Int(n)) if (0..=64).contains(n) => {
                        ExprKind::List((0..*n).map(|_| leaf(ExprKind::Int(*x), item.at)).collect())
                    }
                    _ => {
                        self.faults.push(
                            Code::RepeatedList,
                            at,
                            "only `[number; count]` with a small count can be repeated here",
                        );
                        ExprKind::Error(None)
                    }
                };
                return Expr { kind, at, depth };
            }
            items.push(item);
            comma = inner.eat(",");
            if comma || inner.is_empty() {
                continue;
            }
            if inner.at_restart() {
                self.faults.push(
                    Code::Unclosed,
                    inner.last(),
                    format!("expected `{}` after this", if paren { ')' } else { ']' }),
                );
                cursor.give_back(inner);
                return error(at);
            }
            if !failed {
                self.faults.push(Code::NoComma, inner.here(), "expected `,`");
                // Only the comma is missing.
                if matches!(inner.peek(0), Some(TokenTree::Ident(_) | TokenTree::Literal(_))) {
                    continue;
                }
            }
            skip_argument(&mut inner);
        }
        if paren && items.len() == 1 && !comma {
            let mut only = items.remove(0);
            only.at = at;
            return only;
        }
        let depth = items.iter().map(|i| i.depth).max().unwrap_or(0) + 1;
        Expr { kind: ExprKind::List(items), at, depth }
    }

    /// `name(…)` or `receiver.name(…)`.
    pub(super) fn call(
        &mut self,
        cursor: &mut Cursor,
        receiver: Option<Expr>,
        name: Ident,
        group: &Group,
    ) -> Expr {
        let mut at = Spans::from(name.span()).to(group.span_close());
        let method = receiver.is_some();
        let (mut args, mut half) = (Vec::new(), false);
        if let Some(r) = receiver {
            at = r.at.to(at);
            args.push(Arg { name: None, value: r });
        }
        let mut inner = Cursor::of(group);
        while !inner.is_empty() {
            if inner.at_op(",") {
                self.faults.push(Code::EmptyArgument, inner.here(), "expected an argument before this");
                inner.next();
                args.push(Arg { name: None, value: error(inner.last()) });
                half = true;
                continue;
            }
            let mut option = inner.ident(0).filter(|_| inner.at_assign(1)).cloned();
            let mut colon = None;
            if option.is_some() {
                inner.next();
                inner.next();
            } else if let Some(name) = inner.ident(0).filter(|_| at_colon(&inner)).cloned() {
                // `kernel: 3`, as in a struct: read as what it is meant for, said once.
                inner.next();
                inner.next();
                colon = Some((name, inner.last()));
            }
            let mut value = if option.is_some() && inner.at_op(",") {
                self.faults.push(Code::NoExpression, inner.last(), "expected a value after this");
                error(inner.last())
            } else {
                self.expr(&mut inner)
            };
            let failed = matches!(value.kind, ExprKind::Error(_));
            if let Some((name, at)) = colon {
                if !failed {
                    let help = format!("`{name} = {}`", value.short());
                    self.faults.push_help(
                        Code::ColonForOption,
                        at,
                        "an argument gets its name with `=`",
                        help,
                    );
                }
                option = Some(name);
                value = error(at);
            }
            args.push(Arg { name: option, value });
            if inner.eat(",") || inner.is_empty() {
                continue;
            }
            if inner.at_restart() {
                // The parenthesis is still to be typed: the rest are statements again.
                if !failed {
                    self.faults.push(Code::Unclosed, inner.last(), "expected `)` after this");
                }
                at = at.to(inner.last());
                half = true;
                cursor.give_back(inner);
                break;
            }
            half = true;
            if !failed {
                let last = args.last().map(|a: &Arg| (&a.name, &a.value.kind));
                let text = match (last, inner.peek(0)) {
                    (Some((None, ExprKind::Name(_))), Some(TokenTree::Literal(_))) => {
                        "expected `=`, `,` or `)`"
                    }
                    _ => "expected `,` or `)`",
                };
                self.faults.push(Code::NoComma, inner.here(), text);
                // Only the comma is missing.
                if matches!(inner.peek(0), Some(TokenTree::Ident(_) | TokenTree::Literal(_))) {
                    continue;
                }
            }
            skip_argument(&mut inner);
        }
        let depth = args.iter().map(|a| a.value.depth).max().unwrap_or(0) + 1;
        Expr { kind: ExprKind::Call(Call { name, args, method, half, instance: false }), at, depth }
    }
}

/// The operator that is next, if one is.
fn operator(cursor: &Cursor) -> Option<Binary> {
    let op = BINARY.into_iter().find(|op| cursor.at_op(op.sign()))?;
    // `x += y` is a statement.
    let compound = op.level() >= Binary::Add.level() && cursor.at_assign(1) && joint(cursor);
    (!compound).then_some(op)
}

/// A sign that is next and is no operator, with what to write instead.
fn foreign(cursor: &Cursor) -> Option<(&'static str, &'static str)> {
    let found = FOREIGN.into_iter().find(|(sign, _)| cursor.at_op(sign))?;
    (operator(cursor).is_none_or(|op| op == Binary::Mul && found.0 == "**") && !cursor.at_assign(1))
        .then_some(found)
}

fn joint(cursor: &Cursor) -> bool {
    matches!(cursor.peek(0), Some(TokenTree::Punct(p)) if p.spacing() == proc_macro2::Spacing::Joint)
}

/// What is too deep is said once: nothing of it is looked at again.
fn skip_all(cursor: &mut Cursor) {
    cursor.next();
    while !cursor.is_empty() && !cursor.at_restart() {
        cursor.next();
    }
}

/// A word and `:`, not a path.
pub(super) fn at_colon(cursor: &Cursor) -> bool {
    let colon = |n: usize| matches!(cursor.peek(n), Some(TokenTree::Punct(p)) if p.as_char() == ':');
    colon(1) && !colon(2)
}

fn skip_argument(cursor: &mut Cursor) {
    while !cursor.is_empty() && !cursor.at_restart() && !cursor.eat(",") {
        cursor.next();
    }
}

fn leaf(kind: ExprKind, at: Spans) -> Expr {
    Expr { kind, at, depth: 0 }
}

fn error(at: impl Into<Spans>) -> Expr {
    leaf(ExprKind::Error(None), at.into())
}

/// `receiver.`: reported, but what a name behind the dot would be called on is still known.
fn half(receiver: Expr, last: Span) -> Expr {
    let (at, depth) = (receiver.at.to(last), receiver.depth + 1);
    Expr { kind: ExprKind::Error(Some(Box::new(receiver))), at, depth }
}
