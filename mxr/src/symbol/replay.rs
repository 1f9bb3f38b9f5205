//! Symbols as the nodes of a graph.

use super::{Axis, Symbol, SymbolNode, walk};
use crate::error::{Error, Result};
use crate::op::{ArrayType, Operator, results};
use mxr_graph::dim::Dim;
use mxr_graph::dtype::DType;
use mxr_graph::graph::{ExternCall, Graph, ValueId};
use mxr_graph::ops;
use mxr_graph::shape::Shape;
use mxr_graph::training::Training;
use std::collections::HashMap;
use std::sync::Arc;

/// Applies a tree of symbols to a graph, each node once.
pub(super) struct Replay<'a> {
    pub(super) graph: Graph,
    pub(super) done: HashMap<*const SymbolNode, Vec<ValueId>>,
    pub(super) shapes: &'a [(&'a str, &'a [usize])],
    pub(super) inputs: Vec<String>,
    /// Of the user's, by the numbers of their calls.
    pub(super) operators: Vec<Arc<dyn Operator>>,
}

impl Replay<'_> {
    /// Operands come first, depth first: the order of MXNet's `list_arguments`. The stack is our own, since networks are deep.
    pub(super) fn value(&mut self, root: &Symbol) -> Result<ValueId> {
        let mut stack = vec![root.clone()];
        while let Some(top) = stack.last().cloned() {
            let key = Arc::as_ptr(&top.node);
            if self.done.contains_key(&key) {
                stack.pop();
                continue;
            }
            let values = match &*top.node {
                SymbolNode::Input { name, dtype, shape, trained, training } => {
                    self.graph.training = known(*training, name)?;
                    let leaf = self.leaf(name, *dtype, shape.as_deref(), *trained);
                    self.graph.training = Training::DEFAULT;
                    vec![leaf?]
                }
                SymbolNode::Scalar(value) => vec![self.number(*value, DType::F32)?],
                SymbolNode::Parameter { layer, .. } if !self.done.contains_key(&Arc::as_ptr(&layer.node)) => {
                    stack.push(layer.clone());
                    continue;
                }
                SymbolNode::Parameter { layer, name } => vec![self.parameter(layer, name)?],
                SymbolNode::Call { inputs, .. } | SymbolNode::Custom { inputs, .. }
                    if self.missing(inputs).is_some() =>
                {
                    stack.extend(self.missing(inputs).cloned());
                    continue;
                }
                SymbolNode::Custom { op, inputs, name } => {
                    let operands = self.operands(inputs)?;
                    self.custom(op, &operands, name.as_deref())?
                }
                SymbolNode::Call { op, options, inputs, name, training } => {
                    let operands = self.operands(inputs)?;
                    let op = ops::find(op).expect("generated from the list");
                    self.graph.training = known(*training, name.as_deref().unwrap_or(op.schema().name))?;
                    let values = self.graph.call(op, options, &operands, name.as_deref());
                    self.graph.training = Training::DEFAULT;
                    values?
                }
            };
            self.done.insert(key, values);
            stack.pop();
        }
        self.result(root)
    }

    /// The first operand that is not there yet.
    fn missing<'s>(&self, inputs: &'s [Symbol]) -> Option<&'s Symbol> {
        inputs.iter().find(|i| i.number().is_none() && !self.done.contains_key(&Arc::as_ptr(&i.node)))
    }

    fn operands(&mut self, inputs: &[Symbol]) -> Result<Vec<ValueId>> {
        let arrays = inputs.iter().find(|i| i.number().is_none());
        let first = arrays.map(|i| self.result(i)).transpose()?;
        let dtype = first.map_or(DType::F32, |v| self.graph.value(v).dtype);
        let operand = |i: &Symbol| match i.number() {
            Some(value) => self.number(value, dtype),
            None => self.result(i),
        };
        inputs.iter().map(operand).collect()
    }

    /// An operator of the user's, whose rule is one of numbers.
    fn custom(
        &mut self,
        op: &Arc<dyn Operator>,
        operands: &[ValueId],
        name: Option<&str>,
    ) -> Result<Vec<ValueId>> {
        let mut inputs = Vec::with_capacity(operands.len());
        for (i, v) in operands.iter().enumerate() {
            let (shape, dtype) = (self.graph.shape(*v), self.graph.value(*v).dtype);
            let numbers =
                shape.iter().map(|d| usize::try_from(d.as_const()?).ok()).collect::<Option<Vec<_>>>();
            let Some(numbers) = numbers else {
                let text = shape.display(&self.graph.symbols);
                let help = "bind the symbol with the shapes of its inputs (`Symbol::bind`), or declare the network with \
                            `network!`, where shapes of an operator's results are stated";
                return Err(Error::invalid(
                    format!("operator `{}`", op.name()),
                    format!("its shape rule is one of numbers, and input {i} is {text}"),
                    help,
                ));
            };
            inputs.push(ArrayType::new(numbers, dtype));
        }
        let made = results(&**op, name.unwrap_or_default(), &inputs)?;
        let results = made.iter().map(|t| (Shape::of(&t.shape), t.dtype)).collect();
        let call = ExternCall { name: op.name().to_string(), results };
        let values = self.graph.call_extern(call, operands, name)?;
        self.operators.push(op.clone());
        Ok(values)
    }

    /// A parameter that a layer has made.
    fn parameter(&self, symbol: &Symbol, name: &str) -> Result<ValueId> {
        let made = self.result(symbol)?;
        let wrong = |what: String, help: String| Err(Error::invalid("symbol", what, help));
        let Some(at) = self.graph.layers.iter().position(|l| l.outputs.contains(&made)) else {
            return wrong(
                format!("`parameter(\"{name}\")` of `{}`, which is no layer", self.graph.value(made).name),
                "ask the result of the layer that makes the parameter".to_string(),
            );
        };
        if let Some(v) = self.graph.parameter(at, name) {
            return Ok(v);
        }
        let (layer, known) = (&self.graph.layers[at], self.graph.parameters(at).map(|(n, _)| n));
        let known: Vec<&str> = known.collect();
        wrong(
            format!("layer `{}` ({}) has no parameter `{name}`", layer.name, layer.op.schema().name),
            match (mxr_graph::error::did_you_mean(name, known.iter().copied()), known.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, true) => "ask the result of the layer that makes the parameter".to_string(),
                (None, false) => format!("it has {}", known.join(", ")),
            },
        )
    }

    /// What is fed comes before everything else, as in the signature of `network!`, so that both make the same program.
    pub(super) fn inputs_first(&mut self, outputs: &[Symbol]) -> Result<()> {
        let mut result = Ok(());
        walk(outputs, &mut |symbol| {
            if let SymbolNode::Input { name, dtype, shape, trained: false, .. } = &*symbol.node
                && result.is_ok()
            {
                let leaf = self.leaf(name, *dtype, shape.as_deref(), false);
                result = leaf.map(|v| drop(self.done.insert(Arc::as_ptr(&symbol.node), vec![v])));
            }
        });
        result
    }

    fn leaf(&mut self, name: &str, dtype: DType, shape: Option<&[Axis]>, trained: bool) -> Result<ValueId> {
        if self.inputs.iter().any(|n| n == name) {
            return Err(Error::invalid(
                format!("symbol `{name}`"),
                "two inputs or parameters have this name",
                "make it once and use (clones of) that symbol everywhere, or give the other one a name of its own",
            ));
        }
        self.inputs.push(name.to_string());
        let shape = self.input_shape(name, shape)?;
        Ok(match trained {
            true => self.graph.param(name, shape, dtype),
            false => self.graph.input(name, shape, dtype),
        })
    }

    /// A number as a value of the graph.
    fn number(&mut self, value: f64, dtype: DType) -> Result<ValueId> {
        if !dtype.is_float() && value.fract() != 0.0 {
            return Err(Error::invalid(
                "symbol",
                format!("{value} beside an array of {dtype}"),
                "convert the array to a floating-point type with `cast`",
            ));
        }
        Ok(self.graph.apply(&ops::Fill, ops::Fill::attrs(value, &Shape::default(), dtype), &[], None)?[0])
    }

    fn result(&self, symbol: &Symbol) -> Result<ValueId> {
        let values = &self.done[&Arc::as_ptr(&symbol.node)];
        values.get(symbol.output).copied().ok_or_else(|| {
            Error::invalid(
                "symbol",
                format!("result {} of an operator that has {}", symbol.output, values.len()),
                "use the results that the operator returned",
            )
        })
    }

    fn input_shape(&mut self, name: &str, own: Option<&[Axis]>) -> Result<Shape> {
        if let Some((_, dims)) = self.shapes.iter().find(|(n, _)| *n == name) {
            return Ok(Shape::of(dims));
        }
        let Some(axes) = own else {
            return Err(Error::invalid(
                "bind",
                format!("the shape of `{name}` is not known"),
                format!("bind with (\"{name}\", &[…]), or give it to the symbol with `.shape(…)`"),
            ));
        };
        let dim = |a: &Axis| match a {
            Axis::Extent(n) => Dim::from(*n),
            Axis::Named(s) => Dim::symbol(self.graph.symbols.named(s)),
        };
        Ok(Shape(axes.iter().map(dim).collect()))
    }
}

/// Factors as an optimizer can use them.
fn known(how: Training, layer: &str) -> Result<Training> {
    for (name, factor) in [("lr_mult", how.lr_mult), ("wd_mult", how.wd_mult)] {
        if !(factor >= 0.0 && factor.is_finite()) {
            let text = format!("`{name}` is {factor}");
            return Err(Error::invalid(format!("symbol `{layer}`"), text, "a factor is 0 or more"));
        }
    }
    Ok(how)
}
