//! Common subexpression elimination: equal operations are computed once.

use super::Renamed;
use crate::fnv;
use crate::graph::{Graph, Node};
use crate::instr::Instr;
use crate::ops::{Lower, Lowered};
use crate::schema::Attr;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Let the readers of a node's results read those of an earlier node with the same operator, options and operands. Nodes
/// that update a state stay. The backward pass does not take results of the forward pass, which would have to be kept
/// for it, unless they are views.
pub fn cse(graph: &mut Graph) {
    let mut renamed = Renamed::new(graph);
    // By hash: the nodes so far.
    let mut known: BTreeMap<u64, Vec<u32>> = BTreeMap::new();
    for at in 0..graph.nodes.len() {
        renamed.update(&mut graph.nodes[at].inputs);
        let node = &graph.nodes[at];
        if !node.op.mutates().is_empty() {
            continue;
        }
        let bucket = known.entry(hash(node)).or_default();
        let same = bucket.iter().map(|k| &graph.nodes[*k as usize]).find(|k| equal(graph, k, node));
        match same {
            Some(first) => {
                for (old, new) in node.outputs.iter().zip(&first.outputs) {
                    renamed.set(*old, *new);
                }
            }
            None => bucket.push(at as u32),
        }
    }
    renamed.finish(graph);
}

fn equal(graph: &Graph, a: &Node, b: &Node) -> bool {
    core::ptr::eq(a.op.schema(), b.op.schema())
        && a.inputs == b.inputs
        && a.attrs == b.attrs
        && (a.backward == b.backward
            || matches!(a.op.lower(Lower { graph, node: a }), Lowered::Instr(Instr::View)))
}

/// FNV-1a over what is quickly compared; the rest of the options is left to [`equal`].
fn hash(node: &Node) -> u64 {
    let mut h = fnv::START;
    let mut mix = |x: u64| h = fnv::mix(h, x);
    mix(core::ptr::from_ref(node.op.schema()) as usize as u64);
    for i in &node.inputs {
        mix(u64::from(i.0));
    }
    for a in &node.attrs {
        match a {
            Attr::Int(n) => mix(*n as u64),
            Attr::Float(x) => mix(x.to_bits()),
            Attr::Ints(list) => list.iter().for_each(|n| mix(*n as u64)),
            Attr::Expr(e) => mix(e.lines.len() as u64),
            _ => {}
        }
    }
    h
}
