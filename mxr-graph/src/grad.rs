//! The gradient pass: from a graph with losses to the same graph with its backward pass.

use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::expr::Expr;
use crate::graph::{Graph, LayerId, Node, Source, ValueId};
use crate::infer::too_large;
use crate::instr::BinOp;
use crate::ops::{Fill, Map, Operator, Reduce, Reshape};
use crate::schema::{Arg, Attr, Options};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// An operator without a gradient stands between a loss and a value whose gradient is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoGradient(pub ShapeError);

/// Append the backward pass: gradients of `wrt` (values of kind input or parameter) of everything the graph returns.
///
/// A returned scalar is a loss with head gradient 1; any other returned value gets an input
/// `<name>_head_grad` of its shape ([`Source::HeadGrad`]). Values that no returned value depends on get no entry in
/// [`Graph::grads`].
pub fn backward(graph: &mut Graph, wrt: &[ValueId]) -> Result<(), ShapeError> {
    // Gradients have the shapes of values, so with these the shape rules of gradients hold as well.
    if let Some(v) = graph.values.iter().find(|v| too_large(&v.shape)) {
        let text = v.shape.display(&graph.symbols).to_string();
        let op = graph.layers.first().map_or(Map.schema(), |l| l.op.schema());
        return Err(op.error(
            Code::TooLarge,
            At::Call,
            format!("`{}` of {text} is too large: more than 2^48 elements", v.name),
        ));
    }
    let count = graph.values.len();
    let mut wants = alloc::vec![false; count];
    for v in wrt {
        wants[v.index()] = graph.value(*v).dtype.is_float();
    }
    let forward = graph.nodes.len();
    for n in &graph.nodes {
        let any = n.inputs.iter().any(|i| wants[i.index()]);
        for o in &n.outputs {
            wants[o.index()] = any && graph.values[o.index()].dtype.is_float();
        }
    }

    let mut grads: Vec<Option<ValueId>> = alloc::vec![None; count];
    for out in graph.outputs.clone() {
        if !wants[out.index()] {
            continue;
        }
        let value = graph.value(out).clone();
        let layer = graph.producer(out).map(|n| n.layer);
        graph.backward_of = layer;
        let head = if value.shape.rank() == 0 && layer.is_some() {
            let attrs = alloc::vec![Attr::Float(1.0), Attr::Dims(Vec::new()), Attr::Word(value.dtype.name())];
            graph.apply(&Fill, attrs, &[], None)?[0]
        } else {
            graph.add_value(
                &format!("{}_head_grad", value.name),
                value.shape,
                value.dtype,
                Source::HeadGrad(out),
            )
        };
        graph.backward_of = None;
        accumulate(graph, &mut grads, out, head);
    }

    for at in (0..forward).rev() {
        let node = graph.nodes[at].clone();
        if !node.outputs.iter().any(|o| grads[o.index()].is_some() && wants[o.index()]) {
            continue;
        }
        if !node.inputs.iter().any(|i| wants[i.index()]) {
            continue;
        }
        graph.backward_of = Some(node.layer);
        let op = node.op;
        let mut cx = Grad { graph, node: &node, grads: &mut grads, wants: &wants };
        let result = op.grad(&mut cx);
        graph.backward_of = None;
        result.map_err(|e| e.0)?;
    }

    for v in wrt {
        if let Some(g) = grads[v.index()] {
            graph.grads.push((*v, g));
        }
    }
    Ok(())
}

fn accumulate(graph: &mut Graph, grads: &mut Vec<Option<ValueId>>, to: ValueId, share: ValueId) {
    grads.resize(graph.values.len(), None);
    let sum = match grads[to.index()] {
        None => share,
        Some(old) => {
            let outer = graph.backward_of;
            // The sum belongs to the layer that made the value; that of an input which is returned twice to the first.
            let layer = graph.producer(to).map(|n| n.layer);
            graph.backward_of = layer.or(outer).or(Some(LayerId(0)));
            let attrs = alloc::vec![Attr::Expr(Expr::binary(BinOp::Add))];
            let sum = graph
                .apply(&Map, attrs, &[old, share], None)
                .expect("gradients of one value have one shape")[0];
            graph.backward_of = outer;
            sum
        }
    };
    grads.resize(graph.values.len(), None);
    grads[to.index()] = Some(sum);
}

/// What [`Operator::grad`] sees.
pub struct Grad<'a> {
    graph: &'a mut Graph,
    node: &'a Node,
    grads: &'a mut Vec<Option<ValueId>>,
    wants: &'a [bool],
}

impl<'a> Grad<'a> {
    /// How many operands there are.
    pub fn inputs(&self) -> usize {
        self.node.inputs.len()
    }

    /// How many results there are.
    pub fn outputs(&self) -> usize {
        self.node.outputs.len()
    }

    /// Operand `i`.
    pub fn x(&self, i: usize) -> ValueId {
        self.node.inputs[i]
    }

    /// Result `i`.
    pub fn y(&self, i: usize) -> ValueId {
        self.node.outputs[i]
    }

    /// The gradient that flows into result `i`; `None` when nothing depends on it.
    pub fn dy(&self, i: usize) -> Option<ValueId> {
        self.grads[self.node.outputs[i].index()]
    }

    /// Whether anyone needs the gradient of operand `i`.
    pub fn wants(&self, i: usize) -> bool {
        i < self.node.inputs.len() && self.wants[self.node.inputs[i].index()]
    }

    /// The options of the call.
    pub fn options(&self) -> Options<'a> {
        Options { schema: self.node.op.schema(), attrs: &self.node.attrs }
    }

    /// The checked options, to hand on to a backward operator with the same options.
    pub fn attrs(&self) -> &'a crate::schema::Attrs {
        &self.node.attrs
    }

    /// The graph, to look at shapes.
    pub fn graph(&mut self) -> &mut Graph {
        self.graph
    }

    /// Apply an operator; all results, hidden ones included.
    pub fn call(
        &mut self,
        op: &'static dyn Operator,
        options: &[(&str, Arg)],
        inputs: &[ValueId],
    ) -> Vec<ValueId> {
        let result = self.graph.call(op, options, inputs, None);
        result.unwrap_or_else(|e| panic!("the gradient of {} does not fit: {e}", self.node.op.schema().name))
    }

    /// Apply an operator with checked options.
    pub fn apply(
        &mut self,
        op: &'static dyn Operator,
        attrs: crate::schema::Attrs,
        inputs: &[ValueId],
    ) -> Vec<ValueId> {
        let result = self.graph.apply(op, attrs, inputs, None);
        result.unwrap_or_else(|e| panic!("the gradient of {} does not fit: {e}", self.node.op.schema().name))
    }

    /// Apply a scalar expression elementwise.
    pub fn map(&mut self, expr: Expr, inputs: &[ValueId]) -> ValueId {
        self.apply(&Map, alloc::vec![Attr::Expr(expr)], inputs)[0]
    }

    /// Add `share` to the gradient of operand `i`.
    pub fn add(&mut self, i: usize, share: ValueId) {
        accumulate(self.graph, self.grads, self.node.inputs[i], share);
    }

    /// Undo broadcasting: sum `value` down to the shape of `like`.
    pub fn sum_to(&mut self, value: ValueId, like: ValueId) -> ValueId {
        let (from, to) = (self.graph.shape(value), self.graph.shape(like));
        if from == to {
            return value;
        }
        let missing = from.rank() - to.rank();
        let axes: Vec<usize> = (0..from.rank())
            .filter(|a| from[*a] != Dim::ONE && (*a < missing || to[*a - missing] == Dim::ONE))
            .collect();
        let mut out = value;
        if !axes.is_empty() {
            // Only leading axes and all of them: the sum has the right shape without them.
            let keep = axes.iter().any(|a| *a >= missing) || axes.len() != missing;
            let axes = Arg::List(axes.into_iter().map(|a| Arg::Int(a as i64)).collect());
            out = self.call(Reduce::sum(), &[("axes", axes), ("keepdims", Arg::Bool(keep))], &[out])[0];
        }
        if self.graph.shape(out) != to {
            let dims = to.iter().map(|d| Arg::Dim(d.clone())).collect();
            out = self.call(&Reshape, &[("shape", Arg::List(dims))], &[out])[0];
        }
        out
    }

    /// The error of an operator that has no gradient.
    pub fn no_gradient(&self) -> NoGradient {
        let op = self.node.op.schema();
        let mut e = op.error(
            Code::GradientNotKnown,
            At::Call,
            "has no gradient, but the loss depends on trained weights through it".to_string(),
        );
        e.layer = self.graph.layers[self.node.layer.index()].name.clone();
        e.help =
            Some("wrap its input in `stop_gradient`, or bind the network for prediction only".to_string());
        NoGradient(e)
    }

    /// The error where only bind can say whether the extents of operand `i` and of operand `other` agree, which a shape rule lets pass: a
    /// gradient has one shape now.
    pub fn undecided(&mut self, i: usize, other: usize) -> NoGradient {
        let NoGradient(mut e) = self.no_gradient();
        let (x, y) = (self.node.inputs[i], self.node.inputs[other]);
        let (x, y) = (self.graph.shape(x), self.graph.shape(y));
        let (x, y) = (x.display(&self.graph.symbols).to_string(), y.display(&self.graph.symbols).to_string());
        e.message = format!("has no gradient: whether {x} fits {y} is known only when the network is bound");
        e.help = Some("give both the same symbols, or bind the network for prediction only".into());
        NoGradient(e)
    }
}
