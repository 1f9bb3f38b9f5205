//! Calls of operators: arguments are sorted into operands and options, the shape rule is asked.

use super::{CallSpans, Elab, Hint, Site, as_name, value::Value};
use crate::ast::{Arg, Call, name_of};
use crate::errors::{Spans, join_names};
use mxr_graph::catalogue::Code;
use mxr_graph::error::did_you_mean;
use mxr_graph::graph::ValueId;
use mxr_graph::ops::{self, OPS, Operator};
use mxr_graph::schema::{Attrs, OperandKind, OptionKind, Schema};

impl<'a> Elab<'a> {
    pub(super) fn call(&mut self, call: &Call, at: Spans, hint: Option<&Hint>) -> Value {
        if !self.spend(at) {
            return Value::Unknown;
        }
        let (name, before) = (name_of(&call.name), self.faults.len());
        let source = self.source;
        let value = if source.is_broken(&call.name) {
            self.lame = true;
            call.args.iter().for_each(|a| self.unplaced(a));
            Value::Unknown
        } else if call.instance {
            self.instance(call, hint)
        } else if let Some(number) = self.scope.instance(&name) {
            self.instance_call(number, call, hint)
        } else if let Some((home, item)) = source.function(&call.name) {
            match &item.external {
                Some(external) => self.external_call((home, item, external), call, at, hint),
                None => self.block_call(home, item, call, hint),
            }
        } else {
            match ops::find(&name).filter(|op| !op.schema().internal) {
                Some(op) => self.operator_call(op, call, at, hint),
                // It would be a block with weights of its own, but for a fault that has been told.
                None if self.scope.read(&name) == Some(Value::Unknown) => {
                    call.args.iter().for_each(|a| self.unplaced(a));
                    Value::Unknown
                }
                None => self.no_such_call(&name, call),
            }
        };
        if call.half {
            self.faults.forgive(before, &COUNTED);
        }
        value
    }

    pub(super) fn no_such_call(&mut self, name: &str, call: &Call) -> Value {
        // What is wrong with the arguments is wrong in any case.
        for a in &call.args {
            self.unplaced(a);
        }
        if !self.told.insert(call) {
            return Value::Unknown;
        }
        let operators = OPS.iter().map(|op| op.schema()).filter(|s| !s.internal).map(|s| s.name);
        let fns = self.source.fns.iter().map(|f| &f.name);
        let blocks: Vec<String> =
            fns.chain(self.source.imports.iter().map(|i| &i.name)).map(name_of).collect();
        let near = did_you_mean(name, operators.chain(blocks.iter().map(String::as_str))).map(str::to_string);
        let text = format!("there is no operator or block `{name}`");
        match (near, known_elsewhere(name)) {
            (_, Some(ours)) => self.fault_help(
                Code::OperatorElsewhere,
                call.name.span(),
                text,
                format!("it is called `{ours}` here"),
            ),
            (Some(near), None) => self.fault_help(
                Code::UnknownOperator,
                call.name.span(),
                text,
                format!("did you mean `{near}`?"),
            ),
            (None, None) if !self.missing.insert(name.to_string()) => Value::Unknown,
            (None, None) => self.fault(Code::UnknownOperator, call.name.span(), text),
        }
    }

    fn operator_call(
        &mut self,
        op: &'static dyn Operator,
        call: &Call,
        at: Spans,
        hint: Option<&Hint>,
    ) -> Value {
        let schema = op.schema();
        let before = self.faults.len();
        let mut sorted = Sorted::new(schema);
        for (place, arg) in call.args.iter().enumerate() {
            self.sort(schema, &mut sorted, arg, place == 0 && call.method);
        }
        // Schemas list data, then parameters, then states: a gap would shift what comes behind it.
        let given = sorted.inputs.iter().rposition(Option::is_some).map_or(0, |p| p + 1);
        let mut inputs = Vec::with_capacity(given);
        for (i, value) in sorted.inputs[..given].iter().enumerate() {
            match value {
                Some((Value::Tensor(id), span)) => inputs.push((*id, *span)),
                Some(_) => sorted.unknown = true,
                None => {
                    let (missing, later) = (schema.inputs[i].name, schema.inputs[given - 1].name);
                    let text = format!("{} is given `{later}`, but not `{missing}`", schema.name);
                    self.fault(Code::SkippedOperand, call.name.span(), text);
                }
            }
        }
        if sorted.unknown || self.faults.len() > before {
            return Value::Unknown;
        }
        let spans = CallSpans {
            call: if call.method { Spans::from(call.name.span()).to(at) } else { at },
            inputs: inputs.iter().map(|(_, s)| *s).collect(),
            options: sorted.spans,
            name: call.name.span().into(),
        };
        let inputs: Vec<ValueId> = inputs.into_iter().map(|(id, _)| id).collect();
        let result = self.apply(op, sorted.attrs, &inputs, &spans, hint);
        if self.watched.is_some() && result != Value::Unknown {
            self.watch_holes(schema, call);
        }
        result
    }

    /// Puts an argument in its place.
    fn sort(&mut self, schema: &'static Schema, sorted: &mut Sorted, arg: &Arg, receiver: bool) {
        if let Some(name) = &arg.name {
            let text = name_of(name);
            let operand = schema.inputs.iter().position(|i| i.name == text);
            match (schema.option(&text), operand) {
                // Whether there is a `bias`, or which.
                (Some(at), Some(input)) => {
                    return match self.expr(&arg.value) {
                        value @ Value::Tensor(_) => self.operand(schema, sorted, input, value, arg),
                        value => self.option(schema, sorted, at, arg, Some(value)),
                    };
                }
                (Some(at), None) => return self.option(schema, sorted, at, arg, None),
                (None, _) => {}
            }
            if let Some(at) =
                schema.inputs.iter().position(|i| i.name == text && i.kind != OperandKind::Variadic)
            {
                let value = self.expr(&arg.value);
                return self.operand(schema, sorted, at, value, arg);
            }
            self.unplaced(arg);
            let error = schema.no_such_option(&text);
            let text = self.shape_text(&error);
            self.fault(error.code, name.span(), text);
            return;
        }
        if let Some((name, value)) = arg.compared().filter(|(name, _)| !self.is_visible(&name_of(name)))
            && (schema.option(&name_of(name)).is_some() || schema.inputs.iter().any(|i| *name == i.name))
        {
            self.compared(arg, name, value);
            return;
        }
        let value = if sorted.variadic {
            let value = self.expr(&arg.value);
            // Everything that is not a number is an operand.
            if matches!(value, Value::Tensor(_) | Value::List(_) | Value::Unknown) {
                return self.more_operands(schema, sorted, value, arg.value.at);
            }
            Some(value)
        } else if let Some(at) = (0..sorted.data).find(|i| sorted.inputs[*i].is_none()) {
            let value = self.expr(&arg.value);
            return self.operand(schema, sorted, at, value, arg);
        } else {
            None
        };
        let next = (0..schema.options.len()).find(|o| schema.options[*o].positional && !sorted.given[*o]);
        match (next, value) {
            (Some(at), value) => self.option(schema, sorted, at, arg, value),
            (None, Some(value)) => self.more_operands(schema, sorted, value, arg.value.at),
            (None, None) => {
                let value = self.expr(&arg.value);
                if value.has_unknown() || sorted.spread {
                    sorted.unknown = true;
                    return;
                }
                self.too_many(schema, sorted, value, arg, receiver);
            }
        }
    }

    fn too_many(&mut self, schema: &Schema, sorted: &Sorted, value: Value, arg: &Arg, receiver: bool) {
        let data = schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).map(|i| i.name);
        let places: Vec<&str> =
            data.chain(schema.options.iter().filter(|o| o.positional).map(|o| o.name)).collect();
        if receiver || places.is_empty() {
            let text = format!("{} takes no input", schema.name);
            self.fault(Code::TooManyArguments, arg.value.at, text);
            return;
        }
        let plural = if places.len() == 1 { "argument" } else { "arguments" };
        let text = format!(
            "{} takes {} {plural} without a name: {}",
            schema.name,
            places.len(),
            join_names(places.iter().copied())
        );
        let open = (0..schema.options.len()).find(|o| !sorted.given[*o] && !schema.options[*o].positional);
        match open {
            Some(o) if !matches!(value, Value::Tensor(_)) => {
                let shown = value.short(&mut self.graph);
                let help = format!("`{} = {shown}`", schema.options[o].name);
                self.fault_help(Code::TooManyArguments, arg.value.at, text, format!("name it: {help}"))
            }
            _ => self.fault(Code::TooManyArguments, arg.value.at, text),
        };
    }

    fn operand(&mut self, schema: &'static Schema, sorted: &mut Sorted, at: usize, value: Value, arg: &Arg) {
        let name = schema.inputs[at].name;
        if sorted.inputs[at].is_some() {
            self.fault(Code::GivenTwice, arg.spans(), format!("`{name}` of {} is given twice", schema.name));
            return;
        }
        match value {
            Value::Tensor(_) => {}
            Value::Unknown => sorted.unknown = true,
            ref other => {
                let what = other.describe(&mut self.graph);
                let text = format!("`{name}` of {} is a tensor, this is {what}", schema.name);
                sorted.misplaced = arg.name.is_none();
                let options = schema.options.iter().filter(|o| o.positional).map(|o| o.name);
                let places: Vec<&str> =
                    schema.inputs[..sorted.data.max(1)].iter().map(|i| i.name).chain(options).collect();
                match places.len() {
                    1 => self.fault(Code::NotATensor, arg.value.at, text),
                    _ => {
                        let help = format!("{}({}, …)", schema.name, places.join(", "));
                        self.fault_help(Code::NotATensor, arg.value.at, text, help)
                    }
                };
            }
        }
        sorted.inputs[at] = Some((value, arg.value.at));
    }

    fn more_operands(&mut self, schema: &'static Schema, sorted: &mut Sorted, value: Value, at: Spans) {
        match value {
            Value::Tensor(_) => sorted.inputs.push(Some((value, at))),
            Value::Unknown => sorted.unknown = true,
            Value::List(list) => {
                for v in list {
                    self.more_operands(schema, sorted, v, at);
                }
            }
            other => {
                let what = other.describe(&mut self.graph);
                let mut text = format!("{} takes tensors, this is {what}", schema.name);
                if let Some(o) = schema.options.first() {
                    let shown = other.short(&mut self.graph);
                    text.push_str(&format!("\n  = help: name it if it is an option: `{} = {shown}`", o.name));
                }
                self.fault(Code::NumberAmongTensors, at, text);
            }
        }
    }

    /// An option of the call; its value, where it is known already.
    fn option(
        &mut self,
        schema: &'static Schema,
        sorted: &mut Sorted,
        at: usize,
        arg: &Arg,
        value: Option<Value>,
    ) {
        let def = &schema.options[at];
        if sorted.given[at] {
            self.fault(
                Code::GivenTwice,
                arg.spans(),
                format!("`{}` of {} is given twice", def.name, schema.name),
            );
            return;
        }
        sorted.given[at] = true;
        sorted.spans.push((def.name, arg.spans()));
        // `pad = same`: a word that is not a name.
        let words: &[&str] = match def.kind {
            OptionKind::Choice(words) => words,
            OptionKind::Pad => &["same"],
            _ => &[],
        };
        let word = as_name(&arg.value).map(name_of).filter(|name| {
            let word = words.contains(&name.as_str());
            word || !words.is_empty() && !self.is_visible(name)
        });
        let near = word.as_deref().and_then(|w| did_you_mean(w, words.iter().copied()));
        let value = match (value, word) {
            (Some(value), _) => value,
            (None, Some(w)) => Value::Word(w),
            (None, None) => self.expr(&arg.value),
        };
        if value.has_unknown() {
            sorted.unknown = true;
            return;
        }
        let Some(value) = value.arg() else {
            if std::mem::replace(&mut sorted.misplaced, false) {
                // The tensor that is missed at another place: that has been said.
                sorted.unknown = true;
                return;
            }
            let what = value.describe(&mut self.graph);
            let text = format!("`{}` of {} is an option, this is {what}", def.name, schema.name);
            self.fault_help(Code::TensorForOption, arg.value.at, text, def.doc);
            return;
        };
        match schema.check(at, value) {
            Ok(attr) => sorted.attrs[at] = attr,
            Err(mut error) => {
                // The rest of a list without its brackets.
                sorted.spread |= arg.name.is_none() && error.code == Code::OptionKind;
                if let (OptionKind::Pad, Some(near)) = (def.kind, near) {
                    error.help = Some(format!("did you mean `{near}`?"));
                }
                let text = self.shape_text(&error);
                self.fault(error.code, arg.value.at, text);
            }
        }
    }

    /// An argument that has no place: faults in it are faults in any case, but a word may be one that its option knows.
    pub(super) fn unplaced(&mut self, arg: &Arg) {
        if arg.name.is_none() || as_name(&arg.value).is_none() {
            self.expr(&arg.value);
        }
    }

    /// `kernel == 3`, where nothing else is called `kernel`.
    pub(super) fn compared(&mut self, arg: &Arg, name: &proc_macro2::Ident, value: &crate::ast::Expr) {
        let help = format!("`{name} = {}`", value.short());
        self.fault_help(
            Code::ComparisonForOption,
            arg.value.at,
            "`==` compares, an argument gets its name with `=`",
            help,
        );
    }

    /// Whether something can be called by this name.
    pub(super) fn is_visible(&self, name: &str) -> bool {
        self.scope.names().any(|n| n == name) || self.known_extent(name)
    }

    fn known_extent(&self, name: &str) -> bool {
        self.extents.iter().any(|e| e.name == name)
    }

    /// Applies an operator and remembers whose call it was.
    pub(super) fn apply(
        &mut self,
        op: &'static dyn Operator,
        attrs: Attrs,
        inputs: &[ValueId],
        spans: &CallSpans,
        hint: Option<&Hint>,
    ) -> Value {
        let made_up = match hint {
            Some(_) => None,
            None => self.names.anonymous(op.schema().auto_name),
        };
        let name = hint.map(|h| h.layer.as_str()).or(made_up.as_deref());
        let owner = name.and_then(|n| self.owner(n));
        let weights =
            op.schema().inputs.iter().any(|i| matches!(i.kind, OperandKind::Param | OperandKind::Aux));
        let shared = owner.as_ref().filter(|_| weights);
        let known = shared.and_then(|o| self.weights_of(o, op.schema().name, inputs.len()));
        let all: Vec<ValueId> = inputs.iter().copied().chain(known.iter().flatten().copied()).collect();
        self.graph.owner = owner.clone().filter(|_| known.is_none());
        let (values, applied) = (self.graph.values.len(), self.graph.apply(op, attrs, &all, name));
        self.graph.owner = None;
        let made = |v: &mxr_graph::graph::Value| v.source == mxr_graph::graph::Source::Param;
        self.made_weights |= weights && self.graph.values.iter().skip(values).any(made);
        match applied {
            Ok(outputs) => {
                if let (Some(owner), true, None) = (owner, weights, known)
                    && self.remember_weights(owner, op.schema().name, inputs.len())
                {
                    return self.not_shared(spans.call);
                }
                self.note_layers(spans.call, hint.and_then(|h| h.ident.clone()), hint.is_none());
                match outputs[..] {
                    [only] if op.schema().visible == 1 => Value::Tensor(only),
                    _ => Value::List(outputs.into_iter().map(Value::Tensor).collect()),
                }
            }
            Err(error) => self.shape_fault(error, spans, hint.is_none()),
        }
    }

    /// The layers that have been added belong to the call at `at`.
    pub(super) fn note_layers(&mut self, at: Spans, ident: Option<proc_macro2::Ident>, anonymous: bool) {
        let at = self.faults.instead.unwrap_or(at);
        let site = Site { at, ident, anonymous, through: self.calls.clone() };
        self.sites.resize(self.graph.layers.len(), site);
    }
}

/// What is said about the number of arguments and their places; while one is being typed it means nothing.
const COUNTED: [Code; 9] = [
    Code::TooManyArguments,
    Code::MissingOption,
    Code::MissingOperand,
    Code::SkippedOperand,
    Code::GivenTwice,
    Code::NotCalled,
    Code::NotATensor,
    Code::TooManyBlockArguments,
    Code::MissingBlockArgument,
];

/// The arguments of a call, sorted.
struct Sorted {
    attrs: Attrs,
    /// Which options were given.
    given: Vec<bool>,
    spans: Vec<(&'static str, Spans)>,
    /// One place per operand; of a variadic operator as many as there are.
    inputs: Vec<Option<(Value, Spans)>>,
    /// How many operands are data.
    data: usize,
    variadic: bool,
    /// A number stands where a tensor belongs: a tensor where a number belongs is the other half of it.
    misplaced: bool,
    /// An option without a name has a value of another kind: what follows may be meant for it as well.
    spread: bool,
    /// An argument is already known to be wrong.
    unknown: bool,
}

impl Sorted {
    fn new(schema: &'static Schema) -> Sorted {
        let variadic = schema.inputs.iter().any(|i| i.kind == OperandKind::Variadic);
        let places = if variadic { 0 } else { schema.inputs.len() };
        Sorted {
            attrs: schema.defaults(),
            given: vec![false; schema.options.len()],
            spans: Vec::new(),
            inputs: vec![None; places],
            data: schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).count(),
            variadic,
            misplaced: false,
            spread: false,
            unknown: false,
        }
    }
}

/// Names that other libraries have for an operator.
fn known_elsewhere(name: &str) -> Option<&'static str> {
    let lower: String = name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect();
    let ours = match lower.as_str() {
        "convolution" | "conv" => "conv2d",
        "fullyconnected" | "linear" | "fc" => "dense",
        "maxpool2d" | "maxpooling" | "maxpooling2d" | "pooling" | "maxpool" => "max_pool",
        "avgpool2d" | "averagepool" | "avgpooling" | "averagepooling2d" | "avgpool" => "avg_pool",
        "globalaveragepooling2d" | "adaptiveavgpool2d" | "globalavgpool" => "global_avg_pool",
        "batchnorm" | "batchnorm2d" | "batchnormalization" | "bn" => "batch_norm",
        "softmaxoutput" | "softmaxloss" | "crossentropy" | "crossentropyloss" => "softmax_cross_entropy",
        "cat" | "concatenate" => "concat",
        "view" => "reshape",
        "permute" => "transpose",
        _ => return None,
    };
    ops::find(ours).map(|op| op.schema().name)
}
