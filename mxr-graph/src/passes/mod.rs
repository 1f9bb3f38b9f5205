//! The passes: each takes a graph and leaves an equivalent, better one. [`Passes`] says which run and in which order.

mod cse;
mod dce;
mod fold_norm;
mod fuse;
mod fuse_conv;
mod fuse_grad;
mod fuse_norm;
mod pipeline;
mod predict;
mod print;
mod readers;
mod reduce;
mod saved;
mod simplify;
mod sink;
#[cfg(test)]
mod tests;
mod transpose;

pub use cse::cse;
pub use dce::dce;
pub use fold_norm::fold_norm;
pub use fuse::fuse;
pub use fuse_conv::fuse_conv;
pub use fuse_grad::fuse_grad;
pub use fuse_norm::fuse_norm;
pub use pipeline::{Look, Passes};
pub use predict::{predict, predictions};
pub use print::Printed;
pub use reduce::fuse_reductions;
pub use saved::saved;
pub use simplify::simplify;
pub use sink::sink;
pub use transpose::cancel_transposes;

use crate::dim::Dim;
use crate::expr::Expr;
use crate::graph::{Graph, Node, Source, ValueId};
use crate::instr::BinOp;
use crate::ops::Operator;
use crate::schema::Options;
use crate::shape::Shape;
use alloc::vec::Vec;

/// Whether a node is a call of this operator.
fn is(node: &Node, op: &dyn Operator) -> bool {
    core::ptr::eq(node.op.schema(), op.schema())
}

/// What a node computes of each element, if that is all it does.
fn expr(node: &Node) -> Option<Expr> {
    node.op.expr(Options { schema: node.op.schema(), attrs: &node.attrs })
}

/// What node `add` adds to `y`: another array of its shape and type.
fn addend(graph: &Graph, add: &Node, y: ValueId) -> Option<ValueId> {
    let [a, b] = add.inputs[..] else { return None };
    let other = if a == y { b } else { a };
    let (value, added) = (graph.value(y), graph.value(other));
    let same = other != y && value.shape == added.shape && value.dtype == added.dtype;
    (same && expr(add)? == Expr::binary(BinOp::Add)).then_some(other)
}

/// Whether a value is there before node `at`.
fn made_before(graph: &Graph, v: ValueId, at: usize) -> bool {
    match graph.value(v).source {
        Source::Node { node, .. } => (node as usize) < at,
        _ => true,
    }
}

/// Put a node that has left the graph back at the end.
fn push(graph: &mut Graph, node: Node) {
    let at = graph.nodes.len() as u32;
    for (i, v) in node.outputs.iter().enumerate() {
        graph.values[v.index()].source = Source::Node { node: at, output: i as u32 };
    }
    graph.nodes.push(node);
}

/// Every value keeps its number.
fn unchanged(graph: &Graph) -> Vec<Option<ValueId>> {
    (0..graph.values.len() as u32).map(|v| Some(ValueId(v))).collect()
}

/// Whether there is a backward pass.
fn trains(graph: &Graph) -> bool {
    graph.nodes.iter().any(|n| n.backward)
}

/// Take out nodes, whose results others make now; entry `i` of the result is the new number of value `i`.
fn without(graph: &mut Graph, gone: &[bool]) -> Vec<Option<ValueId>> {
    if !gone.contains(&true) {
        return unchanged(graph);
    }
    let nodes = core::mem::take(&mut graph.nodes);
    for (node, _) in nodes.into_iter().zip(gone).filter(|(_, gone)| !**gone) {
        push(graph, node);
    }
    dce(graph)
}

/// Whether values broadcast to exactly this shape.
fn covers(graph: &Graph, values: &[ValueId], shape: &Shape) -> bool {
    let rank = shape.rank();
    let has = |v: &ValueId, axis: usize| {
        let s = &graph.value(*v).shape;
        let missing = rank - s.rank();
        axis >= missing && s[axis - missing] == shape[axis]
    };
    values.iter().any(|v| graph.value(*v).shape.rank() == rank)
        && (0..rank).all(|a| shape[a] == Dim::ONE || values.iter().any(|v| has(v, a)))
}

/// Values that are replaced by others while a pass walks over the nodes.
struct Renamed(Vec<ValueId>);

impl Renamed {
    fn new(graph: &Graph) -> Renamed {
        Renamed((0..graph.values.len() as u32).map(ValueId).collect())
    }

    /// `old` is `new` from here on; `new` itself is not replaced any more.
    fn set(&mut self, old: ValueId, new: ValueId) {
        self.0[old.index()] = new;
    }

    fn get(&self, v: ValueId) -> ValueId {
        // Values that the pass made are not replaced.
        self.0.get(v.index()).copied().unwrap_or(v)
    }

    fn update(&self, values: &mut [ValueId]) {
        for v in values {
            *v = self.get(*v);
        }
    }

    /// Replace wherever values are mentioned outside of nodes.
    fn finish(&self, graph: &mut Graph) {
        self.update(&mut graph.outputs);
        self.update(&mut graph.predictions);
        for (_, g) in &mut graph.grads {
            *g = self.get(*g);
        }
        for l in &mut graph.layers {
            self.update(&mut l.inputs);
            self.update(&mut l.outputs);
        }
        for v in &mut graph.values {
            if let Source::HeadGrad(of) = &mut v.source {
                *of = self.get(*of);
            }
        }
    }
}
