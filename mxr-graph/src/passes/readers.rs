//! Who reads a value.

use crate::graph::{Graph, Source, ValueId};
use alloc::vec::Vec;

/// The nodes that read each value, and which values the user keeps.
pub(super) struct Readers {
    /// Per value, in order; a node that reads a value as several operands counts once.
    nodes: Vec<Vec<u32>>,
    /// How often the user keeps each value: as a result, a prediction, a gradient.
    results: Vec<u32>,
}

impl Readers {
    pub(super) fn new(graph: &Graph) -> Readers {
        let count = graph.values.len();
        let mut r = Readers { nodes: alloc::vec![Vec::new(); count], results: alloc::vec![0; count] };
        for (at, n) in graph.nodes.iter().enumerate() {
            for v in &n.inputs {
                let list = &mut r.nodes[v.index()];
                if list.last() != Some(&(at as u32)) {
                    list.push(at as u32);
                }
            }
        }
        let results = graph.outputs.iter().chain(&graph.predictions);
        for v in results.chain(graph.grads.iter().map(|(_, g)| g)) {
            r.results[v.index()] += 1;
        }
        r
    }

    /// The nodes that read it, in order.
    pub(super) fn nodes(&self, v: ValueId) -> impl Iterator<Item = usize> {
        self.nodes[v.index()].iter().map(|at| *at as usize)
    }

    /// How many readers there are; the user is one for each result that the value is.
    pub(super) fn count(&self, v: ValueId) -> usize {
        self.nodes[v.index()].len() + self.results[v.index()] as usize
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
