//! Calls of operators of the user's: what the declaration states of the results is what the network goes on with, and its constants make
//! the operator.

use super::{CallSpans, Elab, Hint, value::Value};
use crate::ast::{Call, Expr, ExprKind, External, Fn, Param, Source, Type, TypeKind, name_of};
use crate::emit::maker;
use crate::errors::Spans;
use mxr_graph::catalogue::Code;
use mxr_graph::dtype::DType;
use mxr_graph::graph::{ExternCall, ValueId};
use mxr_graph::shape::Shape;

/// A call of an operator of the user's, by what makes the operator: its function, and constants.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) maker: String,
    pub(crate) arguments: String,
}

impl<'a> Elab<'a> {
    pub(super) fn external_call(
        &mut self,
        (source, item, external): (&'a Source, &'a Fn, &'a External),
        call: &Call,
        at: Spans,
        hint: Option<&Hint>,
    ) -> Value {
        let Some(values) = self.arguments(item, call, &[], false) else { return Value::Unknown };
        let spans = self.call_spans(item, call, at, &values);
        let (floor, mark) = (self.scope.enter(), self.scope.mark());
        let home = self.go_to(source, call);
        let (mut operands, mut constants, mut unknown) = (Vec::new(), Vec::new(), false);
        for (p, value) in item.params.iter().zip(values) {
            let given = value.as_ref().and_then(|(_, at)| *at).unwrap_or(call.name.span().into());
            let value = self.argument(item, p, value, call, home.instead);
            unknown |= value.has_unknown();
            match (&value, &p.ty.kind) {
                (Value::Tensor(id), _) => operands.push((*id, p)),
                // A list has been refused where it is declared.
                (Value::Unknown, _) | (_, TypeKind::Tensor(_) | TypeKind::List) => {}
                (other, _) => match constant(other) {
                    Some(text) => constants.push(text),
                    None => {
                        unknown = true;
                        let what = other.describe(&mut self.graph);
                        let text = format!(
                            "`{}` of operator `{}` is known when the network is compiled, this is {what}",
                            p.name, item.name
                        );
                        self.fault(Code::OperatorOption, given, text);
                    }
                },
            }
            self.watch(&p.name, &value);
            self.scope.bind(name_of(&p.name), value, None);
        }
        let results = match unknown {
            true => None,
            false => external.results.iter().map(|ty| self.stated(ty, &operands)).collect::<Option<Vec<_>>>(),
        };
        self.come_back(home);
        self.scope.release(mark);
        self.scope.leave(floor);
        let (Some(results), Some(_)) = (results, &external.body) else { return Value::Unknown };
        if results.is_empty() {
            return Value::Unknown;
        }
        let name = name_of(&item.name);
        let made_up = match hint {
            Some(_) => None,
            None => self.names.anonymous(&name),
        };
        let layer = hint.map(|h| h.layer.as_str()).or(made_up.as_deref());
        let inputs: Vec<ValueId> = operands.iter().map(|(id, _)| *id).collect();
        match self.graph.call_extern(ExternCall { name, results }, &inputs, layer) {
            Ok(outputs) => {
                self.operators.push(Made { maker: maker(&item.name), arguments: constants.join(", ") });
                self.note_layers(spans.call, hint.and_then(|h| h.ident.clone()), hint.is_none());
                match outputs[..] {
                    [only] => Value::Tensor(only),
                    _ => Value::List(outputs.into_iter().map(Value::Tensor).collect()),
                }
            }
            Err(error) => self.shape_fault(error, &spans, hint.is_none()),
        }
    }

    fn call_spans(
        &self,
        item: &Fn,
        call: &Call,
        at: Spans,
        values: &[Option<super::blocks::Given>],
    ) -> CallSpans {
        let tensors =
            item.params.iter().zip(values).filter(|(p, _)| matches!(p.ty.kind, TypeKind::Tensor(_)));
        let name = Spans::from(call.name.span());
        CallSpans {
            call: if call.method { name.to(at) } else { at },
            inputs: tensors.map(|(_, v)| v.as_ref().and_then(|(_, at)| *at).unwrap_or(name)).collect(),
            options: Vec::new(),
            name,
        }
    }

    /// What a declaration says of a result.
    fn stated(&mut self, ty: &Type, operands: &[(ValueId, &Param)]) -> Option<(Shape, DType)> {
        let TypeKind::Tensor(list) = &ty.kind else { return None };
        // The element type that the inputs have, unless one is written.
        let open = |p: &Param| match &p.ty.kind {
            TypeKind::Tensor(Some(list)) => !list.iter().any(is_dtype),
            _ => true,
        };
        let like = operands.iter().find(|(_, p)| open(p)).map(|(id, _)| self.graph.value(*id).dtype);
        let Some(list) = list else {
            let (first, _) = operands.first()?;
            return Some((self.graph.shape(*first), like.unwrap_or_default()));
        };
        let (dtype, extents) = self.dtype_of(list);
        let dtype = if list.iter().any(is_dtype) { dtype } else { like.unwrap_or_default() };
        let mut shape = Vec::with_capacity(extents.len());
        for e in extents {
            let value = match e.kind {
                ExprKind::Hole => {
                    let hole = self.graph.symbols.hole();
                    self.open.push((hole.clone(), self.faults.instead.unwrap_or(e.at)));
                    Value::Dim(hole)
                }
                _ => self.expr(e),
            };
            self.watch(e, &value);
            shape.push(self.extent(value, e)?);
        }
        Some((Shape(shape), dtype))
    }
}

fn is_dtype(e: &Expr) -> bool {
    matches!(&e.kind, ExprKind::Name(name) if DType::from_name(&name_of(name)).is_some())
}

/// A constant as Rust writes it.
pub(super) fn constant(value: &Value) -> Option<String> {
    match value {
        Value::Int(n) => Some(n.to_string()),
        Value::Float(x) if x.is_finite() => Some(format!("{x:?}")),
        Value::Bool(b) => Some(b.to_string()),
        Value::Word(w) => Some(format!("{w:?}")),
        _ => None,
    }
}
