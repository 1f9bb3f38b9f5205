//! Blocks with weights of their own: `let tower = embed::new(filters = 64);`, then `tower(a)` and `tower(b)`. The first call makes the
//! weights, the others use them.
//!
//! A layer inside is named after the call, as in any block; its weights are called after the instance. So the weights that a later
//! call asks for are found by the name that they would get.

use super::{Elab, Hint, value::Value};
use crate::ast::{Call, Fn, Source, name_of};
use crate::errors::Spans;
use mxr_graph::catalogue::Code;
use mxr_graph::graph::ValueId;
use mxr_graph::ops;
use mxr_graph::schema::OperandKind;
use mxr_graph::training::Training;
use std::collections::BTreeMap;

/// What is known of instances while a network is laid out.
#[derive(Default)]
pub(super) struct Instances<'a> {
    list: Vec<Instance<'a>>,
    /// Those that are being expanded, innermost last: the name of the call, and that of the instance.
    open: Vec<(String, String)>,
    /// The weights and states that a layer made, by its name in its instance.
    made: BTreeMap<String, Made>,
    /// Statements with attributes of layers, so far.
    pub(super) statements: usize,
}

/// `block::new(…)`.
struct Instance<'a> {
    source: &'a Source,
    item: &'a Fn,
    /// What was said with `new`, by the number of the input.
    given: Vec<(usize, Value, Spans)>,
    /// Its full name, after which its weights are called.
    name: String,
    training: Training,
    /// The statement with attributes that it was made in.
    statement: usize,
    used: bool,
}

/// What the first call of a layer made.
struct Made {
    operator: &'static str,
    /// How many operands were given.
    given: usize,
    weights: Vec<ValueId>,
}

impl<'a> Elab<'a> {
    /// `block::new(…)`.
    pub(super) fn instance(&mut self, call: &Call, hint: Option<&Hint>) -> Value {
        let source = self.source;
        let Some((home, item)) = source.function(&call.name) else {
            let name = name_of(&call.name);
            let Some(op) = ops::find(&name).filter(|op| !op.schema().internal) else {
                return self.no_such_call(&name, call);
            };
            call.args.iter().for_each(|a| self.unplaced(a));
            let text = format!("`{name}` is an operator, only blocks have `new`");
            let params = || op.schema().inputs.iter().filter(|i| i.kind == OperandKind::Param);
            let help = match params().next() {
                Some(_) => format!(
                    "make a block of the layer, `fn layer(x: Tensor) {{ {name}(x, …) }}`, and `layer::new()`"
                ),
                None => format!("it has no weights, `{name}(…)` can be called many times"),
            };
            return self.fault_help(Code::InstanceOfOperator, call.name.span(), text, help);
        };
        if item.external.is_some() {
            call.args.iter().for_each(|a| self.unplaced(a));
            let name = name_of(&call.name);
            let text = format!("`{name}` is an operator, only blocks have `new`");
            let help = format!("it has no weights, `{name}(…)` can be called many times");
            return self.fault_help(Code::InstanceOfOperator, call.name.span(), text, help);
        }
        let Some(values) = self.arguments(item, call, &[], true) else { return Value::Unknown };
        let placed = values.into_iter().enumerate().filter_map(|(at, v)| v.map(|(v, s)| (at, v, s)));
        let given = placed.map(|(at, v, s)| (at, v, s.unwrap_or(call.name.span().into()))).collect();
        let name = match hint {
            Some(hint) => hint.layer.clone(),
            None => self.names.block(&name_of(&item.name)),
        };
        // Another one of this name has other weights.
        let same = self.instances.list.iter().filter(|i| i.name == name).count();
        let name = if same == 0 { name } else { self.names.block(&format!("{name}_")) };
        let (training, statement) = (self.graph.training, self.instances.statements);
        self.instances.list.push(Instance {
            source: home,
            item,
            given,
            name,
            training,
            statement,
            used: false,
        });
        Value::Instance(self.instances.list.len() - 1)
    }

    /// A call of the instance of this number.
    pub(super) fn instance_call(&mut self, number: usize, call: &Call, hint: Option<&Hint>) -> Value {
        let i = &self.instances.list[number];
        let (source, item, given) = (i.source, i.item, i.given.clone());
        let (name, training, statement) = (i.name.clone(), i.training, i.statement);
        let Some(values) = self.arguments(item, call, &given, false) else { return Value::Unknown };
        let made_up =
            hint.is_none().then(|| Hint { layer: self.names.block(&name_of(&call.name)), ident: None });
        let hint = hint.or(made_up.as_ref()).cloned();
        let layer = hint.as_ref().map(|h| h.layer.clone()).unwrap_or_default();
        self.instances.open.push((layer, name));
        // How its weights are trained was said where it was made.
        let outer = std::mem::replace(&mut self.graph.training, training);
        let (statements, made) = (self.instances.statements, self.made_weights);
        let result = self.expand(source, item, call, values, hint.as_ref(), true);
        if statement < statements {
            self.made_weights = made;
        }
        self.graph.training = outer;
        self.instances.open.pop();
        self.instances.list[number].used = true;
        result
    }

    /// The name of a layer, as its weights know it; `None` outside of instances.
    pub(super) fn owner(&self, layer: &str) -> Option<String> {
        let mut name = layer.to_string();
        for (call, instance) in self.instances.open.iter().rev() {
            let rest = name.strip_prefix(call.as_str()).unwrap_or(&name);
            name = format!("{instance}{rest}");
        }
        (!self.instances.open.is_empty()).then_some(name)
    }

    /// The weights for a layer that was made in an earlier call.
    pub(super) fn weights_of(&self, owner: &str, operator: &str, given: usize) -> Option<Vec<ValueId>> {
        let made = self.instances.made.get(owner)?;
        (made.operator == operator && made.given == given).then(|| made.weights.clone())
    }

    /// The last layer has got its weights: those of every later call. Whether they are new in an instance that has been called before,
    /// so that nothing is shared.
    pub(super) fn remember_weights(&mut self, owner: String, operator: &'static str, given: usize) -> bool {
        let Some(l) = self.graph.layers.last() else { return false };
        let weights = l.inputs.get(given..).unwrap_or_default().to_vec();
        let later = !weights.is_empty()
            && self
                .instances
                .open
                .last()
                .is_some_and(|(_, name)| self.instances.list.iter().any(|i| i.used && i.name == *name));
        self.instances.made.insert(owner, Made { operator, given, weights });
        later
    }

    /// Weights that only a later call has.
    pub(super) fn not_shared(&mut self, at: Spans) -> Value {
        let name = self.instances.open.last().map(|(_, name)| name.clone()).unwrap_or_default();
        let text = format!("this layer has weights that the first call of `{name}` did not make");
        let help = "the calls of one block with its own weights have the same layers: what `if` chooses must not differ";
        self.fault_help(Code::WeightsNotShared, at, text, help)
    }
}
