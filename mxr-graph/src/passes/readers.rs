//! Who reads a value.

use crate::graph::{Graph, ValueId};
use alloc::vec::Vec;

/// Reading nodes per value; results of the network have one reader more.
pub(super) struct Readers {
    count: Vec<u32>,
    last: Vec<u32>,
}

impl Readers {
    pub(super) fn new(graph: &Graph) -> Readers {
        let mut r =
            Readers { count: alloc::vec![0; graph.values.len()], last: alloc::vec![0; graph.values.len()] };
        for (at, n) in graph.nodes.iter().enumerate() {
            for (i, v) in n.inputs.iter().enumerate() {
                if !n.inputs[..i].contains(v) {
                    r.count[v.index()] += 1;
                    r.last[v.index()] = at as u32;
                }
            }
        }
        let results = graph.outputs.iter().chain(&graph.predictions);
        for v in results.chain(graph.grads.iter().map(|(_, g)| g)) {
            r.count[v.index()] += 1;
        }
        r
    }

    /// How many there are.
    pub(super) fn count(&self, v: ValueId) -> u32 {
        self.count[v.index()]
    }

    /// The node that reads it, if it is the only reader.
    pub(super) fn only(&self, graph: &Graph, v: ValueId) -> Option<usize> {
        let at = self.last[v.index()] as usize;
        // A value that only the user reads has been read by no node.
        (self.count(v) == 1 && graph.nodes.get(at)?.inputs.contains(&v)).then_some(at)
    }
}
