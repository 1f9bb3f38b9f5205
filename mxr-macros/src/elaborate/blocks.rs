//! Calls of blocks: the block's body is laid out once more for each call, with the shapes that come in.

use super::value::{Named, Value};
use super::{Elab, Frame, Hint, as_name};
use crate::ast::{Call, Fn, Param, Source, TypeKind, name_of};
use crate::errors::{Spans, join_names};
use mxr_graph::catalogue::Code;
use mxr_graph::error::did_you_mean;
use std::rc::Rc;

/// The value of an argument, and where it stands.
pub(super) type Given = (Value, Option<Spans>);

/// A block does not call itself deeper than this: no network is so deep, and the stack lasts.
const MAX_NESTED: usize = 32;

/// What [`Elab::go_to`] left.
pub(super) struct Home<'a> {
    source: &'a Source,
    hidden: Vec<Named>,
    pub(super) instead: Option<Spans>,
    elsewhere: bool,
}

impl<'a> Elab<'a> {
    /// A call of a network or a block that stands in `source`.
    pub(super) fn block_call(
        &mut self,
        source: &'a Source,
        item: &'a Fn,
        call: &Call,
        hint: Option<&Hint>,
    ) -> Value {
        let Some(values) = self.arguments(item, call, &[], false) else { return Value::Unknown };
        // What the block is made of has the call's name in front, and its result has that name.
        let made_up =
            hint.is_none().then(|| Hint { layer: self.names.block(&name_of(&call.name)), ident: None });
        self.expand(source, item, call, values, hint.or(made_up.as_ref()), false)
    }

    /// The body of a block, laid out for these arguments; `anew` with the names that every other call gives.
    pub(super) fn expand(
        &mut self,
        source: &'a Source,
        item: &'a Fn,
        call: &Call,
        values: Vec<Option<Given>>,
        hint: Option<&Hint>,
        anew: bool,
    ) -> Value {
        let name = name_of(&item.name);
        let again = |f: &Rc<Frame>| std::ptr::eq(f.item, item);
        if let Some(last) = self.calls.iter().rposition(again) {
            // Whether it ends is said by constants, of which one is not known.
            let open = |(p, v): (&Param, &Option<Given>)| {
                !matches!(p.ty.kind, TypeKind::Tensor(_)) && v.as_ref().is_some_and(|v| v.0.has_unknown())
            };
            if self.undecided || item.params.iter().zip(&values).any(open) {
                return Value::Unknown;
            }
            if self.calls.iter().filter(|f| again(f)).count() == MAX_NESTED {
                let mut cycle: Vec<&str> = self.calls[last..].iter().map(|f| f.block.as_str()).collect();
                cycle.push(&name);
                let text = format!("{} `{name}` calls itself: {}", item.kind(), cycle.join(" → "));
                let help = format!(
                    "`for` repeats; a block that calls itself ends by an `if` on constants, at most {MAX_NESTED} calls deep"
                );
                self.faults.push_help(Code::Recursion, call.name.span(), text, help);
                // The calls around it may have others beside this one, which need not say it again.
                self.budget = 0;
                return Value::Unknown;
            }
        }
        let given = item.params.iter().zip(&values);
        let args = given.filter_map(|(p, v)| Some((name_of(&p.name), v.as_ref()?.0.clone()))).collect();
        let frame = Rc::new(Frame { block: name.clone(), item, args });
        let layer = hint.map(|h| h.layer.clone()).unwrap_or_default();
        let outer = if anew { self.names.enter_anew(&layer) } else { self.names.enter(&layer) };
        let floor = self.scope.enter();
        let mark = self.scope.mark();
        let home = self.go_to(source, call);

        for (p, value) in item.params.iter().zip(values) {
            let value = self.argument(item, p, value, call, home.instead);
            self.watch(&p.name, &value);
            self.scope.bind(name_of(&p.name), value, Some(p.name.clone()));
        }
        let deeper = self.calls.iter().cloned().chain([frame]).collect();
        let calls = std::mem::replace(&mut self.calls, deeper);
        let mut result = self.marked(&item.marks.layer, |elab| elab.body(&item.body, hint));
        if item.body.tail.is_none() {
            let help = "end it with an expression without `;`";
            let text = format!("{} `{name}` has no result", item.kind());
            result = self.fault_help(Code::BlockWithoutResult, item.body.end, text, help);
        }

        self.come_back(home);
        self.scope.release(mark);
        self.scope.leave(floor);
        self.calls = calls;
        self.names.leave(outer);
        result
    }

    /// The value of an input, held against its type, inside of the function; `instead` is where faults were put outside of it.
    pub(super) fn argument(
        &mut self,
        item: &Fn,
        p: &'a Param,
        value: Option<Given>,
        call: &Call,
        instead: Option<Spans>,
    ) -> Value {
        let here = self.faults.instead;
        let name = match value {
            // The argument stands where the call does.
            Some(_) => std::mem::replace(&mut self.faults.instead, instead)
                .map_or_else(|| name_of(&p.name), |_| format!("{}` of `{}", name_of(&p.name), item.name)),
            None => name_of(&p.name),
        };
        let (value, at) = value.unwrap_or_else(|| self.default(p));
        let value = self.typed(&name, &p.ty, value, at.unwrap_or(call.name.span().into()), Some(&p.name));
        self.faults.instead = here;
        if value == Value::Unknown {
            self.unknown_symbols(&p.ty);
        }
        value
    }

    /// Into the body of a function of `source`: of what is around, only constants are visible.
    pub(super) fn go_to(&mut self, source: &'a Source, call: &Call) -> Home<'a> {
        let home = Home {
            source: self.source,
            hidden: Vec::new(),
            instead: self.faults.instead,
            elsewhere: self.scope.elsewhere,
        };
        if std::ptr::eq(source, self.source) {
            let constants = self.source.consts.len().min(self.extents.len());
            return Home { hidden: self.extents.split_off(constants), ..home };
        }
        let hidden = std::mem::take(&mut self.extents);
        // Its tokens are others', what can be changed here is the call.
        self.faults.instead.get_or_insert(call.name.span().into());
        self.scope.elsewhere = true;
        self.source = source;
        self.constants();
        Home { hidden, ..home }
    }

    pub(super) fn come_back(&mut self, home: Home<'a>) {
        match std::ptr::eq(home.source, self.source) {
            true => self.extents.truncate(self.source.consts.len()),
            false => self.extents.clear(),
        }
        self.extents.extend(home.hidden);
        (self.source, self.faults.instead, self.scope.elsewhere) =
            (home.source, home.instead, home.elsewhere);
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
    /// which has been said. `given` are those that the instance has already. With `new` there may be fewer: what stands without a name are options then.
    pub(super) fn arguments(
        &mut self,
        item: &'a Fn,
        call: &Call,
        given: &[(usize, Value, Spans)],
        new: bool,
    ) -> Option<Vec<Option<Given>>> {
        let (name, kind) = (name_of(&item.name), item.kind());
        let before = self.faults.len();
        let mut values: Vec<Option<Given>> = vec![None; item.params.len()];
        for (at, value, span) in given {
            values[*at] = Some((value.clone(), Some(*span)));
        }
        let open = |at: &usize| !given.iter().any(|(g, ..)| g == at);
        let option = |at: &usize| !new || !matches!(item.params[*at].ty.kind, TypeKind::Tensor(_));
        let mut places = (0..item.params.len()).filter(open).filter(option);
        let mut count = 0;
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
                            format!("{kind} `{name}` has no input `{text}`"),
                            help,
                        );
                    }
                    found
                }
                None => {
                    let place = places.next();
                    count += usize::from(place.is_some());
                    if place.is_none() {
                        let known: Vec<String> = item.params.iter().map(|p| name_of(&p.name)).collect();
                        let known = join_names(known.iter().map(String::as_str));
                        let text = format!("{kind} `{name}` takes {count} arguments");
                        self.fault_help(
                            Code::TooManyBlockArguments,
                            arg.value.at,
                            text,
                            format!("it has {known}"),
                        );
                    }
                    place
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
                let text = format!("`{}` of {kind} `{name}` is given twice", item.params[at].name);
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
        if !missing.is_empty() && !new && self.faults.len() == before {
            let text = format!("{kind} `{name}` needs {}", join_names(missing.iter().map(String::as_str)));
            self.fault(Code::MissingBlockArgument, call.name.span(), text);
        }
        if !missing.is_empty() && !new || self.faults.len() > before {
            return None;
        }
        Some(values)
    }
}
