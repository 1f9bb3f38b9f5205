//! Expressions: names, lists, choices.

use super::{Elab, Hint, value::Value};
use crate::ast::{Block, Expr, ExprKind, Unary, name_of};
use crate::errors::{Spans, join_names};
use mxr_graph::catalogue::Code;
use mxr_graph::error::did_you_mean;
use mxr_graph::ops::OPS;
use proc_macro2::Ident;

impl Elab<'_> {
    pub(super) fn expr(&mut self, e: &Expr) -> Value {
        self.expr_hint(e, None)
    }

    /// The value of an expression; the outermost layer that it makes is named by the hint.
    pub(super) fn expr_hint(&mut self, e: &Expr, hint: Option<&Hint>) -> Value {
        let value = self.value(e, hint);
        self.watch(e, &value);
        value
    }

    fn value(&mut self, e: &Expr, hint: Option<&Hint>) -> Value {
        match &e.kind {
            ExprKind::Int(n) => Value::Int(*n),
            ExprKind::Float(x) => Value::Float(*x),
            ExprKind::Bool(b) => Value::Bool(*b),
            ExprKind::Text(t) => Value::Word(t.clone()),
            ExprKind::Hole => Value::Hole,
            ExprKind::Error(_) => Value::Unknown,
            ExprKind::Name(name) => self.name(name),
            ExprKind::List(parts) => Value::List(parts.iter().map(|p| self.expr(p)).collect()),
            ExprKind::Range(..) => self.fault_help(
                Code::RangeOutsideLoop,
                e.at,
                "a range stands after `for … in`",
                "a list of numbers is `[0, 1, 2]`",
            ),
            ExprKind::Unary(Unary::Neg, a) => self.negate(a, e.at, hint),
            ExprKind::Unary(Unary::Not, a) => match self.expr(a) {
                Value::Bool(b) => Value::Bool(!b),
                Value::Unknown => Value::Unknown,
                other => {
                    let what = other.describe(&mut self.graph);
                    self.fault(
                        Code::ConditionKind,
                        a.at,
                        format!("`!` takes `true` or `false`, this is {what}"),
                    )
                }
            },
            ExprKind::Binary(op, a, b) => self.binary(*op, a, b, e.at, hint),
            ExprKind::Call(call) => self.call(call, e.at, hint),
            ExprKind::Field(of, name) => self.parameter(of, name),
            ExprKind::Block(block) => self.braces(block, hint),
            ExprKind::If(condition, then, otherwise) => {
                self.choose(condition, then, otherwise.as_deref(), e.at, hint)
            }
        }
    }

    fn name(&mut self, ident: &Ident) -> Value {
        let name = name_of(ident);
        if let Some(value) = self.scope.read(&name) {
            return value;
        }
        if let Some(extent) = self.extents.iter().find(|e| e.name == name) {
            self.scope.reads_extent(extent);
            return extent.value.clone();
        }
        let is_op = OPS.iter().any(|op| op.schema().name == name && !op.schema().internal);
        if is_op || self.source.fns.iter().any(|f| f.name == name) {
            return self.fault_help(
                Code::NotCalled,
                ident.span(),
                format!("`{name}` is not called"),
                format!("`{name}(…)`"),
            );
        }
        if self.half {
            return Value::Unknown;
        }
        let visible = self.scope.names().chain(self.extents.iter().map(|e| e.name.as_str()));
        // One letter is near any other.
        let near = did_you_mean(&name, visible.filter(|v| v.len() > 1)).map(str::to_string);
        let symbol = name.len() <= 2 && name.starts_with(char::is_uppercase);
        match near.filter(|_| !symbol) {
            Some(near) => self.fault_help(
                Code::UnknownName,
                ident.span(),
                format!("there is no layer or input `{name}` here"),
                format!("did you mean `{near}`?"),
            ),
            None if symbol => {
                let known = self.extent_names();
                let help = if known.is_empty() {
                    format!("a symbol is declared by an input: `data: Tensor<{name}, 3, 32, 32>`")
                } else {
                    format!("the signature declares {known}")
                };
                self.fault_help(
                    Code::UnknownSymbol,
                    ident.span(),
                    format!("there is no symbol `{name}` here"),
                    help,
                )
            }
            None => {
                if !self.missing.insert(name.clone()) {
                    return Value::Unknown;
                }
                let known = join_names(self.scope.names());
                let constant = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
                let code = if constant { Code::ConstantOutside } else { Code::UnknownName };
                let help = if constant {
                    format!(
                        "the macro sees only its own constants: `#[same_as({name})] const {name}: usize = …;` inside `network!`, with its value"
                    )
                } else if known.is_empty() {
                    "nothing has a name yet".to_string()
                } else {
                    format!("there is {known}")
                };
                self.fault_help(code, ident.span(), format!("there is no layer or input `{name}` here"), help)
            }
        }
    }

    /// `fc1.weight`: the parameter, to be used by another layer as well.
    fn parameter(&mut self, of: &Expr, ident: &Ident) -> Value {
        let id = match self.expr(of) {
            Value::Tensor(id) => id,
            Value::Unknown => return Value::Unknown,
            other => {
                let what = other.describe(&mut self.graph);
                return self.fault(
                    Code::NotALayer,
                    ident.span(),
                    format!("only a layer has parameters, this is {what}"),
                );
            }
        };
        let name = name_of(ident);
        let Some(layer) = self.graph.layers.iter().position(|l| l.outputs.contains(&id)) else {
            let text = format!("`{}` is no layer, it has no `{name}`", of.short());
            let help = "the parameters of a layer are `layer.weight`, `layer.bias` and so on";
            return self.fault_help(Code::NotALayer, ident.span(), text, help);
        };
        if let Some(v) = self.graph.parameter(layer, &name) {
            return Value::Tensor(v);
        }
        let op = self.graph.layers[layer].op.schema().name;
        let known: Vec<&str> = self.graph.parameters(layer).map(|(name, _)| name).collect();
        let help = match (did_you_mean(&name, known.iter().copied()), known.is_empty()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, false) => format!("it has {}", join_names(known.iter().copied())),
            (None, true) => "a name stands for the outermost call that is bound to it; bind the layer that \
                             has the parameter by itself: `let fc = dense(…);`"
                .to_string(),
        };
        self.fault_help(
            Code::UnknownParameter,
            ident.span(),
            format!("`{}` is the result of {op}, which has no `{name}`", of.short()),
            help,
        )
    }

    fn braces(&mut self, block: &Block, hint: Option<&Hint>) -> Value {
        match self.body(block, hint) {
            Value::Hole if block.tail.is_none() => Value::List(Vec::new()),
            value => value,
        }
    }

    fn choose(
        &mut self,
        condition: &Expr,
        then: &Block,
        otherwise: Option<&Expr>,
        at: Spans,
        hint: Option<&Hint>,
    ) -> Value {
        match self.expr(condition) {
            Value::Bool(true) => self.braces(then, hint),
            Value::Bool(false) => match otherwise {
                Some(e) => self.expr_hint(e, hint),
                None if then.tail.is_some() => self.fault(
                    Code::NoElse,
                    at,
                    "without `else` there is no value when the condition is false",
                ),
                None => Value::List(Vec::new()),
            },
            other => {
                if !other.has_unknown() {
                    let what = other.describe(&mut self.graph);
                    let help = "`if` chooses while compiling: the condition is made of constants";
                    self.fault_help(
                        Code::ConditionKind,
                        condition.at,
                        format!("a condition is `true` or `false`, this is {what}"),
                        help,
                    );
                }
                // What is wrong in the branches is wrong in any case.
                let outer = std::mem::replace(&mut self.undecided, true);
                self.braces(then, None);
                if let Some(e) = otherwise {
                    self.expr(e);
                }
                self.undecided = outer;
                Value::Unknown
            }
        }
    }
}
