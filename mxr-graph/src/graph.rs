//! The graph: operators applied to values, in topological order.

use crate::catalogue::Code;
use crate::dim::{Dim, Symbols};
use crate::dtype::DType;
use crate::error::{At, ShapeError};
use crate::fnv;
use crate::infer::Infer;
use crate::ops::Operator;
use crate::ops::external::Extern;
use crate::schema::{Arg, Attr, Attrs, OperandKind};
use crate::shape::Shape;
use crate::training::Training;
use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

/// The number of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub u32);

/// The number of a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerId(pub u32);

impl ValueId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

impl LayerId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Fed by the user: data and labels.
    Input,
    /// The gradient fed into this output; ones when the user feeds nothing.
    HeadGrad(ValueId),
    /// A trained weight.
    Param,
    /// A state that an operator updates.
    Aux,
    /// Result `output` of node number `node`.
    Node {
        /// The node.
        node: u32,
        /// Which of its results.
        output: u32,
    },
}

/// An array that flows through the graph.
#[derive(Clone, Debug)]
pub struct Value {
    /// Unique name: `conv1_weight`, `conv1_output`.
    pub name: String,
    /// Element type.
    pub dtype: DType,
    /// Extents.
    pub shape: Shape,
    /// Where it comes from.
    pub source: Source,
    /// Of a weight: how it is trained.
    pub training: Training,
}

/// One operator applied.
#[derive(Clone)]
pub struct Node {
    /// The operator.
    pub op: &'static dyn Operator,
    /// Its options.
    pub attrs: Attrs,
    /// Operands.
    pub inputs: Vec<ValueId>,
    /// Results.
    pub outputs: Vec<ValueId>,
    /// The layer it belongs to; nodes of the backward pass belong to the layer whose gradient they compute.
    pub layer: LayerId,
    /// Part of the backward pass.
    pub backward: bool,
}

/// One call in the user's network: one node, or several for a composed operator.
#[derive(Clone)]
pub struct Layer {
    /// Unique name.
    pub name: String,
    /// The operator that was called.
    pub op: &'static dyn Operator,
    /// Its options.
    pub attrs: Attrs,
    /// Operands, parameters included.
    pub inputs: Vec<ValueId>,
    /// Results.
    pub outputs: Vec<ValueId>,
    /// The segment it is part of: the backward pass makes again what lies inside.
    pub segment: Option<u32>,
}

/// A fact that depends on symbols: it is looked at when they are bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Check {
    /// Must be at least 0 (or exactly 0 where `exact`).
    pub dim: Dim,
    /// Must be 0.
    pub exact: bool,
    /// What is wrong when it is not.
    pub error: ShapeError,
}

/// A call of an operator of the user's, of which the graph knows no more than what comes in and what comes out.
#[derive(Clone, Debug, PartialEq)]
pub struct ExternCall {
    /// The operator's name.
    pub name: String,
    /// Extents and element type of every result.
    pub results: Vec<(Shape, DType)>,
}

/// A network.
#[derive(Clone, Default)]
pub struct Graph {
    /// Its name.
    pub name: String,
    /// Symbolic dimensions.
    pub symbols: Symbols,
    /// All values.
    pub values: Vec<Value>,
    /// All operators, each after the ones it reads from.
    pub nodes: Vec<Node>,
    /// All calls.
    pub layers: Vec<Layer>,
    /// What the network returns.
    pub outputs: Vec<ValueId>,
    /// What its losses predict (see [`crate::ops::Operator::prediction`]).
    pub predictions: Vec<ValueId>,
    /// Gradients: `(value, its gradient)`.
    pub grads: Vec<(ValueId, ValueId)>,
    /// Facts to look at when symbols are bound.
    pub checks: Vec<Check>,
    /// The segment of the calls that follow, see [`Layer::segment`].
    pub segment: Option<u32>,
    /// How the weights are trained that the calls that follow make.
    pub training: Training,
    /// What the weights and states that the calls that follow make are called after, instead of their layer.
    pub owner: Option<String>,
    /// The calls of operators of the user's, by their numbers.
    pub externs: Vec<ExternCall>,
    /// What names are taken, by their FNV-1a numbers, and how often each was asked for again. Two names with one number would be told
    /// apart without need.
    names: BTreeMap<u64, u32>,
    /// While the backward pass is built: the layer whose gradient it is.
    pub(crate) backward_of: Option<LayerId>,
    /// While a composed operator is built: its layer.
    composing: Option<LayerId>,
}

impl Graph {
    /// An empty graph.
    pub fn new(name: &str) -> Graph {
        Graph { name: name.to_string(), ..Graph::default() }
    }

    /// A value that is fed from outside.
    pub fn input(&mut self, name: &str, shape: Shape, dtype: DType) -> ValueId {
        self.add_value(name, shape, dtype, Source::Input)
    }

    /// A weight that no operator makes by itself (to tie, or to use directly).
    pub fn param(&mut self, name: &str, shape: Shape, dtype: DType) -> ValueId {
        self.add_value(name, shape, dtype, Source::Param)
    }

    /// The value of this number.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// A value's shape with every hole that is known by now filled in.
    pub fn shape(&mut self, id: ValueId) -> Shape {
        let mut shape = self.values[id.index()].shape.clone();
        if self.symbols.any_solved() {
            shape.0.iter_mut().for_each(|d| *d = self.symbols.resolve(d));
        }
        shape
    }

    /// The node that makes a value.
    pub fn producer(&self, id: ValueId) -> Option<&Node> {
        match self.value(id).source {
            Source::Node { node, .. } => Some(&self.nodes[node as usize]),
            _ => None,
        }
    }

    /// The parameters and states of layer number `layer`, by their names in the operator's schema, to be given to another layer
    /// as well.
    pub fn parameters(&self, layer: usize) -> impl Iterator<Item = (&'static str, ValueId)> + '_ {
        let l = &self.layers[layer];
        let trained = |v: &ValueId| matches!(self.value(*v).source, Source::Param | Source::Aux);
        let named = l.op.schema().inputs.iter().zip(l.inputs.iter().copied());
        let kinds = [OperandKind::Param, OperandKind::Aux];
        named.filter(move |(o, v)| kinds.contains(&o.kind) && trained(v)).map(|(o, v)| (o.name, v))
    }

    /// The parameter or state of layer number `layer` that the operator's schema calls `name`.
    pub fn parameter(&self, layer: usize, name: &str) -> Option<ValueId> {
        self.parameters(layer).find(|(n, _)| *n == name).map(|(_, v)| v)
    }

    /// Apply an operator by name, with options as written; the visible results come back.
    ///
    /// `inputs` are the data operands, optionally followed by parameters (for tying); parameters that are
    /// missing are made with the names `<layer>_<parameter>`. Without a `name` the layer gets MXNet's
    /// automatic one (`convolution0`).
    pub fn call(
        &mut self,
        op: &'static dyn Operator,
        options: &[(&str, Arg)],
        inputs: &[ValueId],
        name: Option<&str>,
    ) -> Result<Vec<ValueId>, ShapeError> {
        let attrs = op.schema().attrs(options.iter().map(|(n, a)| (*n, a.clone())));
        let attrs = attrs.map_err(|mut e| {
            e.layer = name.unwrap_or_default().to_string();
            e
        })?;
        self.apply(op, attrs, inputs, name)
    }

    /// Apply an operator of the user's, which has a number of its own from now on: its place in [`Graph::externs`]. Without a `name`
    /// the layer is called after the operator.
    pub fn call_extern(
        &mut self,
        call: ExternCall,
        inputs: &[ValueId],
        name: Option<&str>,
    ) -> Result<Vec<ValueId>, ShapeError> {
        let operator = call.name.clone();
        self.externs.push(call);
        let attrs = Extern::attrs(self.externs.len() - 1);
        let result = self.apply_named(&Extern, attrs, inputs, name, &operator);
        result.map_err(|mut e| {
            self.externs.pop();
            e.op = operator.into();
            e
        })
    }

    /// What a user calls the operator of a node or a layer.
    pub fn op_name<'a>(&'a self, op: &'static dyn Operator, attrs: &Attrs) -> &'a str {
        match Extern::number(op, attrs) {
            Some(call) => &self.externs[call].name,
            None => op.schema().name,
        }
    }

    /// Apply an operator with checked options; see [`Graph::call`].
    pub fn apply(
        &mut self,
        op: &'static dyn Operator,
        attrs: Attrs,
        inputs: &[ValueId],
        name: Option<&str>,
    ) -> Result<Vec<ValueId>, ShapeError> {
        self.apply_named(op, attrs, inputs, name, op.schema().auto_name)
    }

    /// Without a `name` the layer is called `stem` with a number.
    fn apply_named(
        &mut self,
        op: &'static dyn Operator,
        attrs: Attrs,
        inputs: &[ValueId],
        name: Option<&str>,
        stem: &str,
    ) -> Result<Vec<ValueId>, ShapeError> {
        let schema = op.schema();
        let (layer, own) = match (self.composing, self.backward_of) {
            (Some(l), _) | (None, Some(l)) => (l, false),
            (None, None) => {
                let name = match name {
                    Some(n) => self.unique(n.to_string()),
                    None => self.auto_name(stem),
                };
                let segment = self.segment;
                let (attrs, inputs, outputs) = Default::default();
                self.layers.push(Layer { name, op, attrs, inputs, outputs, segment });
                (LayerId(self.layers.len() as u32 - 1), true)
            }
        };
        match self.apply_in(op, attrs, inputs, layer, own) {
            Ok(mut outputs) => {
                let visible = schema.visible.min(outputs.len());
                let keep = if self.backward_of.is_some() || self.composing.is_some() || schema.visible == 0 {
                    outputs.len()
                } else {
                    visible
                };
                outputs.truncate(keep);
                Ok(outputs)
            }
            Err(mut e) => {
                if e.layer.is_empty() && !schema.internal {
                    e.layer = self.layers[layer.index()].name.clone();
                }
                if own {
                    self.layers.pop();
                }
                Err(e)
            }
        }
    }

    /// All results, the hidden ones too. The call is put down in the layer where it is the layer's `own`.
    fn apply_in(
        &mut self,
        op: &'static dyn Operator,
        attrs: Attrs,
        inputs: &[ValueId],
        layer: LayerId,
        own: bool,
    ) -> Result<Vec<ValueId>, ShapeError> {
        let schema = op.schema();
        for (o, a) in schema.options.iter().zip(&attrs) {
            if matches!(a, Attr::Absent) && o.default == crate::schema::Default::Required {
                let mut e = schema.error(Code::MissingOption, At::Call, format!("needs `{}`", o.name));
                e.help = Some(format!("{}: {}", o.name, o.doc));
                return Err(e);
            }
        }
        let data = schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).count();
        let variadic = schema.inputs.iter().any(|i| i.kind == OperandKind::Variadic);
        if (variadic && inputs.is_empty())
            || (!variadic && (inputs.len() < data || inputs.len() > schema.inputs.len()))
        {
            let want = match (variadic, data) {
                (true, _) => "at least one input".to_string(),
                (_, 1) => "one input".to_string(),
                (_, n) => format!("{n} inputs"),
            };
            let mut e =
                schema.error(Code::MissingOperand, At::Call, format!("takes {want}, {} given", inputs.len()));
            let names: Vec<&str> =
                schema.inputs.iter().filter(|i| i.kind == OperandKind::Data).map(|i| i.name).collect();
            e.help = Some(format!("{}({}, …)", schema.name, names.join(", ")));
            return Err(e);
        }

        let before = self.values.len();
        let nodes = self.nodes.len();
        let outer = self.composing;
        self.composing = Some(layer);
        let composed = op.compose(self, &attrs, inputs);
        self.composing = outer;
        match composed {
            Some(Err(mut e)) => {
                self.nodes.truncate(nodes);
                self.forget_values(before);
                // The user called this operator, not those that it is made of.
                e.op = schema.name.into();
                if let At::Option(name) = e.at
                    && schema.option(name).is_none()
                {
                    e.at = At::Call;
                }
                return Err(e);
            }
            Some(Ok(outputs)) => {
                if own {
                    let mut all = inputs.to_vec();
                    let made = (before..self.values.len()).map(|v| ValueId(v as u32));
                    all.extend(made.filter(|v| matches!(self.value(*v).source, Source::Param | Source::Aux)));
                    let l = &mut self.layers[layer.index()];
                    (l.attrs, l.inputs, l.outputs) = (attrs, all, outputs.clone());
                }
                if outer.is_none() && self.backward_of.is_none() {
                    self.name_outputs(schema, layer, &outputs, before);
                }
                return Ok(outputs);
            }
            None => {}
        }

        let mut infer = Infer::new(self, op, attrs, inputs, layer);
        if let Err(e) = op.infer(&mut infer) {
            // Parameters that were made for the failed layer leave with it.
            self.forget_values(before);
            return Err(e);
        }
        let (attrs, inputs, results) = infer.finish();
        if own {
            let l = &mut self.layers[layer.index()];
            (l.attrs, l.inputs) = (attrs.clone(), inputs.clone());
        }
        let outputs = self.add_node(op, attrs, inputs, layer, results);
        if own {
            self.layers[layer.index()].outputs = outputs.clone();
        }
        Ok(outputs)
    }

    /// A node whose results are known; they are named after its layer.
    pub(crate) fn add_node(
        &mut self,
        op: &'static dyn Operator,
        attrs: Attrs,
        inputs: Vec<ValueId>,
        layer: LayerId,
        results: Vec<(Shape, DType)>,
    ) -> Vec<ValueId> {
        let schema = op.schema();
        let (node, backward) = (self.nodes.len() as u32, self.backward_of.is_some());
        let mut outputs = Vec::with_capacity(results.len());
        for (i, (shape, dtype)) in results.into_iter().enumerate() {
            let label = schema.outputs.get(i).copied().unwrap_or("output");
            let parts = match (backward, self.composing) {
                (false, None) => ["_", label, "", ""],
                (false, Some(_)) => ["_", schema.name, "_", label],
                (true, _) => ["_grad_", schema.name, "", ""],
            };
            let mut name = self.layers.get(layer.index()).map(|l| l.name.clone()).unwrap_or_default();
            parts.iter().for_each(|p| name.push_str(p));
            outputs.push(self.name_value(name, shape, dtype, Source::Node { node, output: i as u32 }));
        }
        self.nodes.push(Node { op, attrs, inputs, outputs: outputs.clone(), layer, backward });
        outputs
    }

    /// Build nodes that belong to a layer which is there already (rewriting passes do).
    pub(crate) fn within<R>(&mut self, layer: LayerId, build: impl FnOnce(&mut Graph) -> R) -> R {
        let outer = self.composing.replace(layer);
        let result = build(self);
        self.composing = outer;
        result
    }

    fn forget_values(&mut self, from: usize) {
        for v in self.values.drain(from..) {
            self.names.remove(&fnv::text(&v.name));
        }
    }

    /// The results of a composed layer are called like those of any other: `<layer>_output`.
    fn name_outputs(
        &mut self,
        schema: &crate::schema::Schema,
        layer: LayerId,
        outputs: &[ValueId],
        before: usize,
    ) {
        let layer = self.layers[layer.index()].name.clone();
        for (i, v) in outputs.iter().enumerate().filter(|(_, v)| v.index() >= before) {
            let label = schema.outputs.get(i).copied().unwrap_or("output");
            let name = self.unique(format!("{layer}_{label}"));
            let old = core::mem::replace(&mut self.values[v.index()].name, name);
            self.names.remove(&fnv::text(&old));
        }
    }

    /// An error of `op` applied to `inputs`, with the shapes of its data operands as notes.
    pub fn error(
        &self,
        op: &dyn Operator,
        inputs: &[ValueId],
        code: Code,
        at: At,
        message: String,
    ) -> ShapeError {
        let mut e = op.schema().error(code, at, message);
        let mut symbols = self.symbols.clone();
        for (i, id) in inputs.iter().enumerate() {
            let data = match op.schema().inputs.get(i) {
                Some(o) => o.kind == OperandKind::Data || o.kind == OperandKind::Variadic,
                None => true,
            };
            let v = self.value(*id);
            if data && !v.name.is_empty() {
                let shape = Shape(v.shape.iter().map(|d| symbols.resolve(d)).collect());
                let dtype = if v.dtype == DType::F32 { "" } else { v.dtype.name() };
                e.notes.push(format!("{} is {dtype}{}", self.describe(*id), shape.display(&symbols)));
            }
        }
        e
    }

    /// A value in the user's words: its layer's or input's name in code marks.
    fn describe(&self, id: ValueId) -> String {
        let v = self.value(id);
        match v.source {
            Source::Node { node, .. } => {
                format!("`{}`", self.layers[self.nodes[node as usize].layer.index()].name)
            }
            _ => format!("`{}`", v.name),
        }
    }

    /// Add a value; the name is made unique.
    pub fn add_value(&mut self, name: &str, shape: Shape, dtype: DType, source: Source) -> ValueId {
        self.name_value(name.to_string(), shape, dtype, source)
    }

    /// Add a value; the name is made unique.
    pub(crate) fn name_value(&mut self, name: String, shape: Shape, dtype: DType, source: Source) -> ValueId {
        let name = self.unique(name);
        let training = if source == Source::Param { self.training } else { Training::DEFAULT };
        self.values.push(Value { name, dtype, shape, source, training });
        ValueId(self.values.len() as u32 - 1)
    }

    pub(crate) fn has_name(&self, name: &str) -> bool {
        self.names.contains_key(&fnv::text(name))
    }

    /// `name`, or `name_1`, `name_2`, … when it is taken.
    fn unique(&mut self, name: String) -> String {
        let key = fnv::text(&name);
        let mut count = match self.names.entry(key) {
            Entry::Vacant(free) => {
                free.insert(0);
                return name;
            }
            Entry::Occupied(taken) => *taken.get(),
        };
        loop {
            count += 1;
            let new = format!("{name}_{count}");
            if let Entry::Vacant(free) = self.names.entry(fnv::text(&new)) {
                free.insert(0);
                self.names.insert(key, count);
                return new;
            }
        }
    }

    fn auto_name(&mut self, stem: &str) -> String {
        let key = fnv::text(&format!("{stem}*"));
        loop {
            let count = self.names.entry(key).or_insert(0);
            let name = format!("{stem}{count}");
            *count += 1;
            if let Entry::Vacant(free) = self.names.entry(fnv::text(&name)) {
                free.insert(0);
                return name;
            }
        }
    }

    /// Once everything is declared: put what inference found into every shape and option. Values whose
    /// shape still has a hole come back.
    pub fn settle(&mut self) -> Vec<ValueId> {
        let mut open = Vec::new();
        if !self.symbols.any_hole() {
            return open;
        }
        for i in 0..self.values.len() {
            let id = ValueId(i as u32);
            self.values[i].shape = self.shape(id);
            let shape = self.values[i].shape.clone();
            if shape.iter().any(|d| self.symbols.has_hole(d)) {
                open.push(id);
            }
        }
        let Graph { nodes, layers, symbols, checks, externs, .. } = self;
        for d in externs.iter_mut().flat_map(|e| &mut e.results).flat_map(|(shape, _)| &mut shape.0) {
            *d = symbols.resolve(d);
        }
        for attr in
            nodes.iter_mut().flat_map(|n| &mut n.attrs).chain(layers.iter_mut().flat_map(|l| &mut l.attrs))
        {
            match attr {
                Attr::Dim(d) => *d = symbols.resolve(d),
                Attr::Dims(list) => {
                    for d in list.iter_mut().flatten() {
                        *d = symbols.resolve(d);
                    }
                }
                _ => {}
            }
        }
        for c in checks.iter_mut() {
            c.dim = symbols.resolve(&c.dim);
        }
        checks.retain(|c| match (c.exact, c.dim.lower_bound()) {
            (true, _) => c.dim != Dim::ZERO,
            (false, bound) => bound.is_none_or(|b| b < 0),
        });
        open
    }

    /// Facts that seemed possible while something was unknown and turned out wrong for all values of the symbols, of a
    /// settled graph.
    pub fn refuted(&self) -> impl Iterator<Item = &ShapeError> {
        let wrong = |c: &&Check| {
            c.dim.upper_bound().is_some_and(|b| b < 0)
                || c.exact && c.dim.lower_bound().is_some_and(|b| b > 0)
        };
        self.checks.iter().filter(wrong).map(|c| &c.error)
    }
}

impl fmt::Display for Graph {
    /// One equation a line: `conv1_output: f32[N, 20, 24, 24] = conv2d(data, conv1_weight, conv1_bias; stride=[1, 1])`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "graph {} {{", self.name)?;
        let typed = |v: &Value| format!("{}: {}{}", v.name, v.dtype, v.shape.display(&self.symbols));
        for v in &self.values {
            let kind = match v.source {
                Source::Input => "input",
                Source::HeadGrad(_) => "head",
                Source::Param => "param",
                Source::Aux => "state",
                Source::Node { .. } => continue,
            };
            write!(f, "  {kind} {}", typed(v))?;
            match v.training {
                Training::DEFAULT => writeln!(f)?,
                Training { frozen: true, .. } => writeln!(f, ", frozen")?,
                Training { lr_mult, wd_mult, .. } => {
                    writeln!(f, ", lr_mult = {lr_mult}, wd_mult = {wd_mult}")?;
                }
            }
        }
        let mut backward = false;
        for n in &self.nodes {
            if n.backward && !backward {
                writeln!(f, "  -- backward")?;
                backward = true;
            }
            let outs: Vec<String> = n.outputs.iter().map(|o| typed(self.value(*o))).collect();
            let ins: Vec<&str> = n.inputs.iter().map(|i| self.value(*i).name.as_str()).collect();
            write!(f, "  {} = {}({}", outs.join(", "), self.op_name(n.op, &n.attrs), ins.join(", "))?;
            let mut sep = "; ";
            for (o, a) in n.op.schema().options.iter().zip(&n.attrs) {
                let text = match a {
                    Attr::Absent | Attr::Hole => continue,
                    Attr::Int(n) => n.to_string(),
                    Attr::Float(x) => x.to_string(),
                    Attr::Bool(b) => b.to_string(),
                    Attr::Dim(d) => d.display(&self.symbols).to_string(),
                    Attr::Ints(v) => format!("{v:?}"),
                    Attr::Dims(v) => {
                        let all: Vec<String> = v
                            .iter()
                            .map(|d| {
                                d.as_ref().map_or("_".to_string(), |d| d.display(&self.symbols).to_string())
                            })
                            .collect();
                        format!("[{}]", all.join(", "))
                    }
                    Attr::Word(w) => (*w).to_string(),
                    Attr::Expr(e) => e.to_string(),
                };
                write!(f, "{sep}{} = {text}", o.name)?;
                sep = ", ";
            }
            writeln!(f, ")")?;
        }
        let names = |list: &[ValueId]| {
            list.iter().map(|o| self.value(*o).name.clone()).collect::<Vec<_>>().join(", ")
        };
        writeln!(f, "  return {}", names(&self.outputs))?;
        for (v, g) in &self.grads {
            writeln!(f, "  grad {} = {}", self.value(*v).name, self.value(*g).name)?;
        }
        writeln!(f, "}}")
    }
}
