//! Statements: names are bound, loops unrolled.

use super::{Elab, Hint, value::Value};
use crate::ast::{Block, Expr, ExprKind, Pat, Stmt, TypeKind, name_of};
use crate::errors::Spans;
use mxr_graph::catalogue::Code;
use mxr_graph::error::did_you_mean;

impl Elab<'_> {
    pub(super) fn statement(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Let { pat, ty, value, marks } => {
                let hint = match pat {
                    Pat::Name(ident) => Some(Hint {
                        layer: self.names.named(&name_of(ident)),
                        ident: self.names.at_top().then(|| ident.clone()),
                    }),
                    _ => None,
                };
                let mut new = self.marked_statement(marks, |elab| elab.expr_hint(value, hint.as_ref()));
                if let (Some(ty), Value::Tensor(id)) = (ty, &new)
                    && let TypeKind::Tensor(Some(list)) = &ty.kind
                {
                    let id = *id;
                    new = self.shaped("this", list, id, value.at, None);
                }
                if new == Value::Unknown {
                    self.broken.extend(hint.map(|h| (h.layer, h.ident)));
                }
                self.bind(pat, new, value.at, true);
            }
            Stmt::Assign { pat, value, marks } => {
                let new = self.marked_statement(marks, |elab| elab.expr(value));
                self.assign(pat, new, value.at);
            }
            Stmt::For { pat, list, body } => self.repeat(pat, list, body),
            Stmt::Expr(e) => {
                let value = self.expr(e);
                let lost = matches!(value, Value::Tensor(_) | Value::Int(_) | Value::Float(_));
                if lost && !matches!(e.kind, ExprKind::If(..) | ExprKind::Block(_)) {
                    let help = "bind it with `let`, or leave the `;` out where it is the result";
                    self.fault_help(
                        Code::ValueNotUsed,
                        e.at,
                        "the value of this expression is not used",
                        help,
                    );
                }
            }
        }
    }

    /// `let pat = value`; `watched` names ought to be read.
    pub(super) fn bind(&mut self, pat: &Pat, value: Value, at: Spans, watched: bool) {
        match pat {
            Pat::Wild => {}
            Pat::Name(ident) => {
                self.watch(ident, &value);
                let watch = watched.then(|| ident.clone());
                self.scope.bind(name_of(ident), value, watch);
            }
            Pat::Tuple(parts) => {
                let values = self.take_apart(parts.len(), value, at);
                for (part, value) in parts.iter().zip(values) {
                    self.bind(part, value, at, watched);
                }
            }
        }
    }

    fn assign(&mut self, pat: &Pat, value: Value, at: Spans) {
        match pat {
            Pat::Wild => {}
            Pat::Name(ident) => {
                let name = name_of(ident);
                self.watch(ident, &value);
                if self.scope.assign(&name, value) {
                    return;
                }
                let near = did_you_mean(&name, self.scope.names()).map(str::to_string);
                if near.is_none() && !self.missing.insert(name.clone()) {
                    self.scope.bind(name, Value::Unknown, None);
                    return;
                }
                let help = match near {
                    Some(near) => format!("did you mean `{near}`? A new name begins with `let {name} = …`"),
                    None => format!("a new name begins with `let {name} = …`"),
                };
                self.fault_help(
                    Code::AssignedNotDeclared,
                    ident.span(),
                    format!("there is no `{name}` here to assign to"),
                    help,
                );
                self.scope.bind(name, Value::Unknown, None);
            }
            Pat::Tuple(parts) => {
                let values = self.take_apart(parts.len(), value, at);
                for (part, value) in parts.iter().zip(values) {
                    self.assign(part, value, at);
                }
            }
        }
    }

    fn take_apart(&mut self, count: usize, value: Value, at: Spans) -> Vec<Value> {
        match value {
            Value::List(list) if list.len() == count => return list,
            Value::List(list) => {
                // What has no name here may be asked for.
                self.half |= list.len() > count;
                let text = format!("this gives {} values, {count} names are to be bound", list.len());
                self.fault(Code::TupleLength, at, text);
            }
            Value::Unknown => {}
            other => {
                let what = other.describe(&mut self.graph);
                self.fault(Code::NotATuple, at, format!("this is {what}, not a tuple of {count}"));
            }
        }
        vec![Value::Unknown; count]
    }

    fn repeat(&mut self, pat: &Pat, list: &Expr, body: &Block) {
        self.names.push_round();
        let round = |elab: &mut Self, i: usize, value: Value| {
            if !elab.spend(list.at) {
                return false;
            }
            elab.names.set_round(i);
            let mark = elab.scope.mark();
            elab.bind(pat, value, list.at, false);
            elab.body(body, None);
            elab.scope.release(mark);
            true
        };
        if let ExprKind::Range(from, to, inclusive) = &list.kind {
            let (from, to) = (self.expr(from), self.expr(to));
            match (from, to) {
                (Value::Int(from), Value::Int(to)) => {
                    let to = if *inclusive { to.saturating_add(1) } else { to };
                    for (i, n) in (from..to).enumerate() {
                        if !round(self, i, Value::Int(n)) {
                            break;
                        }
                    }
                }
                (Value::Unknown, _) | (_, Value::Unknown) => {
                    round(self, 0, Value::Unknown);
                }
                (from, to) => {
                    let bad = if matches!(from, Value::Int(_)) { to } else { from };
                    let what = bad.describe(&mut self.graph);
                    let help = "loops are unrolled while compiling: the bounds are integers";
                    self.fault_help(Code::LoopBound, list.at, format!("a loop cannot run to {what}"), help);
                    round(self, 0, Value::Unknown);
                }
            }
        } else {
            match self.expr(list) {
                Value::List(values) => {
                    for (i, value) in values.into_iter().enumerate() {
                        if !round(self, i, value) {
                            break;
                        }
                    }
                }
                Value::Unknown => {
                    round(self, 0, Value::Unknown);
                }
                other => {
                    let what = other.describe(&mut self.graph);
                    let help = "`0..3`, `[64, 128]` or `[(64, 1), (128, 2)]`";
                    self.fault_help(
                        Code::NotAList,
                        list.at,
                        format!("a loop runs over a range or a list, this is {what}"),
                        help,
                    );
                    round(self, 0, Value::Unknown);
                }
            }
        }
        self.names.pop_round();
    }
}
