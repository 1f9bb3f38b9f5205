//! Calls of blocks: the block's body is laid out once more for each call, with the shapes that come in.

use super::{Elab, Frame, Hint, as_name, value::Value};
use crate::ast::{Call, Fn, Param, TypeKind, name_of};
use crate::errors::{Spans, join_names};
use mxr_graph::catalogue::Code;
use mxr_graph::error::did_you_mean;
use std::rc::Rc;

/// The value of an argument, and where it stands.
type Given = (Value, Option<Spans>);

impl Elab<'_> {
    pub(super) fn block_call(&mut self, item: &Fn, call: &Call, hint: Option<&Hint>) -> Value {
        let name = name_of(&item.name);
        let Some(values) = self.arguments(item, call, &name) else { return Value::Unknown };
        if item.is_network() {
            let text = format!("`{name}` is a network, only blocks can be called");
            return self.fault_help(
                Code::NetworkCalled,
                call.name.span(),
                text,
                "a block's name begins with a small letter",
            );
        }
        if let Some(first) = self.calls.iter().position(|f| f.block == name) {
            let mut cycle: Vec<&str> = self.calls[first..].iter().map(|f| f.block.as_str()).collect();
            cycle.push(&name);
            let text = format!("block `{name}` calls itself: {}", cycle.join(" → "));
            self.faults.push_help(Code::Recursion, call.name.span(), text, "`for` repeats");
            return Value::Unknown;
        }
        let given = item.params.iter().zip(&values);
        let args = given.filter_map(|(p, v)| Some((name_of(&p.name), v.as_ref()?.0.clone()))).collect();
        let frame = Rc::new(Frame { block: name.clone(), args });

        // What the block is made of has the call's name in front, and its result has that name.
        let made_up = hint.is_none().then(|| Hint { layer: self.names.block(&name), ident: None });
        let hint = hint.or(made_up.as_ref());
        let layer = hint.map(|h| h.layer.clone()).unwrap_or_default();
        let outer = self.names.enter(&layer);
        let floor = self.scope.enter();
        let mark = self.scope.mark();
        let extents = self.extents.len();
        // Only constants are visible inside.
        let hidden = self.extents.split_off(self.source.consts.len().min(extents));

        for (p, value) in item.params.iter().zip(values) {
            let (value, at) = value.unwrap_or_else(|| self.default(p));
            let value = self.typed(&name_of(&p.name), &p.ty, value, at.unwrap_or(call.name.span().into()));
            if value == Value::Unknown {
                self.unknown_symbols(&p.ty);
            }
            self.scope.bind(name_of(&p.name), value, Some(p.name.clone()));
        }
        let deeper = self.calls.iter().cloned().chain([frame]).collect();
        let calls = std::mem::replace(&mut self.calls, deeper);
        let mut result = self.marked(&item.marks.layer, |elab| elab.body(&item.body, hint));
        if item.body.tail.is_none() {
            let help = "end it with an expression without `;`";
            result = self.fault_help(
                Code::BlockWithoutResult,
                item.body.end,
                format!("block `{name}` has no result"),
                help,
            );
        }

        self.extents.truncate(self.source.consts.len());
        self.extents.extend(hidden);
        self.scope.release(mark);
        self.scope.leave(floor);
        self.calls = calls;
        self.names.leave(outer);
        result
    }

    /// What is called inside is a segment that the backward pass makes again, if `recompute`; one within another is a part of that.
    pub(super) fn segment(&mut self, recompute: bool, inside: impl FnOnce(&mut Self) -> Value) -> Value {
        let outermost = recompute && self.graph.segment.is_none();
        if outermost {
            self.graph.segment = Some(self.segments);
            self.segments += 1;
        }
        let result = inside(self);
        if outermost {
            self.graph.segment = None;
        }
        result
    }

    /// What a parameter is where the call says nothing, in terms of those before it.
    fn default(&mut self, p: &Param) -> Given {
        let Some(e) = &p.default else { return (Value::Unknown, None) };
        let word =
            as_name(e).map(name_of).filter(|w| matches!(p.ty.kind, TypeKind::Word) && !self.is_visible(w));
        (word.map_or_else(|| self.expr(e), Value::Word), Some(e.at))
    }

    /// The arguments in the order of the parameters, `None` for those that are left to their defaults; `None` when they do not fit,
    /// which has been said.
    fn arguments(&mut self, item: &Fn, call: &Call, name: &str) -> Option<Vec<Option<Given>>> {
        let before = self.faults.len();
        let mut values: Vec<Option<Given>> = vec![None; item.params.len()];
        let mut next = 0;
        for arg in &call.args {
            if let Some((name, value)) = arg.compared().filter(|(name, _)| !self.is_visible(&name_of(name)))
                && item.params.iter().any(|p| p.name == *name)
            {
                self.compared(arg, name, value);
                continue;
            }
            let at = match &arg.name {
                Some(n) => {
                    let text = name_of(n);
                    let found = item.params.iter().position(|p| p.name == *n);
                    if found.is_none() {
                        let known: Vec<String> = item.params.iter().map(|p| name_of(&p.name)).collect();
                        let help = match did_you_mean(&text, known.iter().map(String::as_str)) {
                            Some(near) => format!("did you mean `{near}`?"),
                            None => format!("it has {}", join_names(known.iter().map(String::as_str))),
                        };
                        self.fault_help(
                            Code::UnknownBlockInput,
                            n.span(),
                            format!("block `{name}` has no input `{text}`"),
                            help,
                        );
                    }
                    found
                }
                None => {
                    next += 1;
                    if next > values.len() {
                        let known: Vec<String> = item.params.iter().map(|p| name_of(&p.name)).collect();
                        let known = join_names(known.iter().map(String::as_str));
                        let text = format!("block `{name}` takes {} arguments", values.len());
                        self.fault_help(
                            Code::TooManyBlockArguments,
                            arg.value.at,
                            text,
                            format!("it has {known}"),
                        );
                    }
                    (next <= values.len()).then(|| next - 1)
                }
            };
            // `rounding = ceil`: a word that is not a name.
            let wants_word = at.is_some_and(|p| matches!(item.params[p].ty.kind, TypeKind::Word));
            let word = as_name(&arg.value).map(name_of).filter(|_| wants_word);
            if at.is_none() {
                self.unplaced(arg);
                continue;
            }
            let value = match word {
                Some(w) if !self.scope.names().any(|n| n == w) => Value::Word(w),
                _ => self.expr(&arg.value),
            };
            let Some(at) = at else { continue };
            if values[at].is_some() {
                let text = format!("`{}` of block `{name}` is given twice", item.params[at].name);
                self.fault(Code::GivenTwice, arg.spans(), text);
            }
            values[at] = Some((value, Some(arg.value.at)));
        }
        let missing: Vec<String> = item
            .params
            .iter()
            .zip(&values)
            .filter(|(p, v)| v.is_none() && p.default.is_none())
            .map(|(p, _)| name_of(&p.name))
            .collect();
        if !missing.is_empty() && self.faults.len() == before {
            let text = format!("block `{name}` needs {}", join_names(missing.iter().map(String::as_str)));
            self.fault(Code::MissingBlockArgument, call.name.span(), text);
        }
        if !missing.is_empty() || self.faults.len() > before {
            return None;
        }
        Some(values)
    }
}
