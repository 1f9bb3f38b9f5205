//! Fusion: chains of elementwise operations become one.

use super::{covers, is};
use crate::dim::Dim;
use crate::expr::Expr;
use crate::graph::{Graph, Node, Source, ValueId};
use crate::instr::{Instr, Scalar};
use crate::ops::{Expand, Lower, Lowered, Map};
use crate::schema::{Attr, Options};
use alloc::vec::Vec;

/// A merged expression reads at most this many arrays.
const MAX_INPUTS: usize = 8;
/// And has at most this many lines.
const MAX_LINES: usize = 64;

/// Merge every elementwise operation whose result only one other elementwise operation reads into that one.
///
/// Forward and backward pass stay apart: what the backward pass reads of the forward pass is still made there. Nothing is computed
/// twice: an operand that broadcasts is merged only if it is itself a mere repetition. And the operands of the
/// merged operation must not occupy more memory until the later one than its result did.
pub fn fuse(graph: &mut Graph) {
    let mut uses = Uses::new(graph);
    let mut exprs: Vec<Option<Expr>> = graph.nodes.iter().map(expr).collect();
    for at in 0..graph.nodes.len() {
        let Some(mut merged) = exprs[at].take() else { continue };
        let mut changed = false;
        let mut operand = 0;
        while let Some(v) = graph.nodes[at].inputs.get(operand).copied() {
            operand += 1;
            let Some(producer) = candidate(graph, &uses, &exprs, at, v) else { continue };
            let inner = exprs[producer].as_ref().expect("a candidate is elementwise");
            let Some((expr, inputs)) = merge(graph, at, &merged, v, producer, inner) else { continue };
            uses.remove(graph, at, v, producer);
            exprs[producer] = None;
            graph.nodes[at].inputs = inputs;
            uses.add(graph, at);
            merged = expr;
            changed = true;
            operand = 0;
        }
        if changed {
            let node = &mut graph.nodes[at];
            node.op = &Map;
            node.attrs = alloc::vec![Attr::Expr(merged.clone())];
        }
        exprs[at] = Some(merged);
    }
}

/// The expression of an elementwise node, or of a repetition.
pub(super) fn expr(node: &Node) -> Option<Expr> {
    let options = Options { schema: node.op.schema(), attrs: &node.attrs };
    if is(node, &Expand) && !options.bool("mean") {
        return Some(Expr::build(|e| e.input(0)));
    }
    node.op.expr(options)
}

/// The producer of operand `v` of node `at`, if it may be merged.
fn candidate(graph: &Graph, uses: &Uses, exprs: &[Option<Expr>], at: usize, v: ValueId) -> Option<usize> {
    let Source::Node { node: producer, .. } = graph.value(v).source else { return None };
    let producer = producer as usize;
    let inner = exprs[producer].as_ref()?;
    let (p, c) = (&graph.nodes[producer], &graph.nodes[at]);
    if !uses.only_reader(v) || p.backward != c.backward {
        return None;
    }
    let out = graph.value(c.outputs[0]);
    let copy = matches!(inner.lines[..], [Scalar::In(0)]);
    if copy && is(p, &Expand) && graph.value(p.inputs[0]).shape.rank() != graph.value(v).shape.rank() {
        return None;
    }
    let fits = copy || graph.value(v).shape == out.shape;
    (fits && uses.keeps_memory(graph, producer, at, v)).then_some(producer)
}

/// The expression and the operands of node `at` with the producer of `v` merged into it, if they stay within the limits.
fn merge(
    graph: &Graph,
    at: usize,
    outer: &Expr,
    v: ValueId,
    producer: usize,
    inner: &Expr,
) -> Option<(Expr, Vec<ValueId>)> {
    let (p, c) = (&graph.nodes[producer], &graph.nodes[at]);
    let mut inputs: Vec<ValueId> = Vec::with_capacity(c.inputs.len() + p.inputs.len());
    for i in c.inputs.iter().filter(|i| **i != v).chain(&p.inputs) {
        if !inputs.contains(i) {
            inputs.push(*i);
        }
    }
    let place = |i: &ValueId| inputs.iter().position(|x| x == i).expect("collected above");
    let e = Expr::build(|e| {
        let lines: Vec<_> = p.inputs.iter().map(|i| e.input(place(i))).collect();
        let made = e.append(inner, &lines);
        let lines: Vec<_> = c.inputs.iter().map(|i| if *i == v { made } else { e.input(place(i)) }).collect();
        e.append(outer, &lines)
    });
    let (e, used) = e.compact();
    let inputs: Vec<ValueId> = used.iter().map(|u| inputs[*u]).collect();
    let fits = inputs.len() <= MAX_INPUTS
        && e.lines.len() <= MAX_LINES
        && covers(graph, &inputs, &graph.value(c.outputs[0]).shape);
    fits.then_some((e, inputs))
}

/// Who reads what, kept up to date while nodes merge.
pub(super) struct Uses {
    /// Reading nodes per value, results of the network counted as one more.
    count: Vec<u32>,
    /// The last reading node per value; none for what the user keeps.
    last: Vec<Option<u32>>,
    /// The nodes that do work of their own: neither merged into a later one, nor views.
    works: Vec<bool>,
}

impl Uses {
    pub(super) fn new(graph: &Graph) -> Uses {
        let mut uses = Uses {
            count: alloc::vec![0; graph.values.len()],
            last: alloc::vec![None; graph.values.len()],
            works: Vec::with_capacity(graph.nodes.len()),
        };
        for (at, node) in graph.nodes.iter().enumerate() {
            let view = node.inputs.len() == 1
                && matches!(node.op.lower(Lower { graph, node }), Lowered::Instr(Instr::View));
            uses.works.push(!view);
            uses.add(graph, at);
        }
        let grads = graph.grads.iter().map(|(_, g)| g);
        for v in graph.outputs.iter().chain(&graph.predictions).chain(grads) {
            uses.count[v.index()] += 1;
            uses.last[v.index()] = None;
        }
        uses
    }

    /// Whether one node reads the value, and the user does not keep it.
    pub(super) fn only_reader(&self, v: ValueId) -> bool {
        self.count[v.index()] == 1
    }

    pub(super) fn add(&mut self, graph: &Graph, at: usize) {
        let inputs = &graph.nodes[at].inputs;
        for (i, v) in inputs.iter().enumerate() {
            if !inputs[..i].contains(v) {
                self.count[v.index()] += 1;
                self.last[v.index()] = self.last[v.index()].max(Some(at as u32));
            }
        }
    }

    /// Before node `at` gets new operands, because `producer`, which made `v`, was merged into it.
    pub(super) fn remove(&mut self, graph: &Graph, at: usize, v: ValueId, producer: usize) {
        self.works[producer] = false;
        self.count[v.index()] = 0;
        for n in [at, producer] {
            let inputs = &graph.nodes[n].inputs;
            for (i, v) in inputs.iter().enumerate() {
                if !inputs[..i].contains(v) {
                    self.count[v.index()] = self.count[v.index()].saturating_sub(1);
                }
            }
        }
    }

    /// Whether the operands of `producer` can wait for node `at` without occupying more memory than `v`, which need not be
    /// made then.
    pub(super) fn keeps_memory(&self, graph: &Graph, producer: usize, at: usize, v: ValueId) -> bool {
        if !self.works[producer + 1..at].contains(&true) {
            return true;
        }
        let bytes = |v: ValueId| {
            let value = graph.value(v);
            value.shape.elements().scale(value.dtype.size() as i64)
        };
        // Those that would be dead otherwise; what the user gives or keeps is there anyway.
        let inputs = &graph.nodes[producer].inputs;
        let mut waiting = Dim::ZERO;
        for (i, x) in inputs.iter().enumerate() {
            let made = matches!(graph.value(*x).source, Source::Node { .. });
            if made && !inputs[..i].contains(x) && self.last[x.index()] == Some(producer as u32) {
                waiting = waiting.add(&bytes(*x));
            }
        }
        waiting.sub(&bytes(v)).upper_bound().is_some_and(|more| more <= 0)
    }
}
