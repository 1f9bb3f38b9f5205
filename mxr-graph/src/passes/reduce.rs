//! Fusion of reductions with the elementwise operation that makes their operand.

use super::covers;
use super::fuse::{Uses, expr};
use crate::dim::Dim;
use crate::dtype::DType;
use crate::expr::Expr;
use crate::graph::{Graph, Source};
use crate::instr::{Axes, Instr, ReduceKind};
use crate::ops::{Lower, Lowered, MapReduce};
use crate::schema::Options;
use alloc::vec::Vec;

/// Where only parts of rows are combined: the shortest run of elements that is worth evaluating on its own. Shorter ones
/// cost more to set up than a value that goes through memory.
const RUN: i64 = 256;
/// Where rows are added up: the longest row of which several are evaluated together.
const ROW: i64 = 128;

/// Let a sum, a mean or an extreme evaluate the elementwise value that nobody else reads, instead of reading it: the mean of
/// squares of a loss, the gradient of a bias behind an activation. What is computed keeps its bits: the kernel combines the same
/// elements in the same order.
///
/// After [`fuse`](super::fuse()), and under its conditions: forward and backward pass stay apart, and the operands must not
/// wait in more memory than the value took.
pub fn fuse_reductions(graph: &mut Graph) {
    let mut uses = Uses::new(graph);
    for at in 0..graph.nodes.len() {
        let Some((producer, inner, kind)) = candidate(graph, &uses, at) else { continue };
        let inputs = graph.nodes[producer].inputs.clone();
        let v = graph.nodes[at].inputs[0];
        let options = Options { schema: graph.nodes[at].op.schema(), attrs: &graph.nodes[at].attrs };
        let (axes, keep) = (options.get("axes").clone(), options.get("keepdims").clone());
        uses.remove(graph, at, v, producer);
        let node = &mut graph.nodes[at];
        node.op = &MapReduce;
        node.attrs = MapReduce::attrs(inner, kind, axes, keep);
        node.inputs = inputs;
        uses.add(graph, at);
    }
}

/// The producer of what node `at` reduces, if it may be merged, with its expression.
fn candidate(graph: &Graph, uses: &Uses, at: usize) -> Option<(usize, Expr, ReduceKind)> {
    let node = &graph.nodes[at];
    let Lowered::Instr(Instr::Reduce(kind, axes)) = node.op.lower(Lower { graph, node }) else { return None };
    let v = node.inputs[0];
    let Source::Node { node: producer, .. } = graph.value(v).source else { return None };
    let producer = producer as usize;
    let p = &graph.nodes[producer];
    let (inner, used) = expr(p)?.compact();
    let value = graph.value(v);
    let fits = uses.only_reader(v)
        && p.backward == node.backward
        && matches!(value.dtype, DType::F32 | DType::F64)
        && used.len() == p.inputs.len()
        && covers(graph, &p.inputs, &value.shape)
        && in_long_runs(&value.shape, axes)
        && uses.keeps_memory(graph, producer, at, v);
    fits.then_some((producer, inner, kind))
}

/// Whether the value is evaluated in runs that are worth it.
fn in_long_runs(shape: &[Dim], axes: Axes) -> bool {
    let all: Vec<usize> = (0..shape.len()).filter(|a| shape[*a] != Dim::ONE).collect();
    let Some(last) = all.last() else { return false };
    let gone = axes.has(*last);
    let group = all.iter().rev().take_while(|a| axes.has(**a) == gone).count();
    let (outer, inner) = all.split_at(all.len() - group);
    let run = inner.iter().fold(Dim::ONE, |n, a| n.mul(&shape[*a])).as_const();
    let matrix = outer.iter().all(|a| axes.has(*a) != gone);
    match (gone, matrix) {
        // Rows, one after the other.
        (true, true) => true,
        (true, false) => run.is_none_or(|n| n >= RUN),
        (false, true) => run.is_some_and(|n| n <= ROW),
        (false, false) => false,
    }
}
