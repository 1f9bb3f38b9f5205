//! Who reads a value.

use crate::graph::{Graph, Node, Source, ValueId};
use alloc::vec::Vec;

/// The nodes that read each value, and which values the user keeps.
pub(super) struct Readers {
    /// The nodes that read each value, in order, one value's after the other's; a node that reads a value as several operands counts
    /// once.
    nodes: Vec<u32>,
    /// Where those of each value end.
    ends: Vec<u32>,
    /// How often the user keeps each value: as a result, a prediction, a gradient.
    results: Vec<u32>,
}

impl Readers {
    pub(super) fn new(graph: &Graph) -> Readers {
        let count = graph.values.len();
        let first = |n: &Node, i: usize| !n.inputs[..i].contains(&n.inputs[i]);
        let mut ends = alloc::vec![0; count];
        for n in &graph.nodes {
            for (i, v) in n.inputs.iter().enumerate() {
                ends[v.index()] += u32::from(first(n, i));
            }
        }
        let mut sum = 0;
        for end in &mut ends {
            // Until its readers are filled in, the end stands at the beginning.
            sum += core::mem::replace(end, sum);
        }
        let mut nodes = alloc::vec![0; sum as usize];
        for (at, n) in graph.nodes.iter().enumerate() {
            for (i, v) in n.inputs.iter().enumerate() {
                if first(n, i) {
                    let end = &mut ends[v.index()];
                    nodes[*end as usize] = at as u32;
                    *end += 1;
                }
            }
        }
        let mut results = alloc::vec![0; count];
        let kept = graph.outputs.iter().chain(&graph.predictions);
        for v in kept.chain(graph.grads.iter().map(|(_, g)| g)) {
            results[v.index()] += 1;
        }
        Readers { nodes, ends, results }
    }

    fn of(&self, v: ValueId) -> &[u32] {
        let start = if v.0 == 0 { 0 } else { self.ends[v.index() - 1] };
        &self.nodes[start as usize..self.ends[v.index()] as usize]
    }

    /// The nodes that read it, in order.
    pub(super) fn nodes(&self, v: ValueId) -> impl Iterator<Item = usize> {
        self.of(v).iter().map(|at| *at as usize)
    }

    /// How many readers there are; the user is one for each result that the value is.
    pub(super) fn count(&self, v: ValueId) -> usize {
        self.of(v).len() + self.results[v.index()] as usize
    }

    /// Whether the user keeps it.
    pub(super) fn is_result(&self, v: ValueId) -> bool {
        self.results[v.index()] > 0
    }

    /// The only reader of what a node makes; none where the user is one.
    pub(super) fn only(&self, graph: &Graph, v: ValueId) -> Option<usize> {
        let made = matches!(graph.value(v).source, Source::Node { .. });
        (made && self.count(v) == 1).then(|| self.nodes(v).next())?
    }
}
