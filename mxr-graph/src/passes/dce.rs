//! Dead code elimination: what no result depends on leaves the graph.

use crate::graph::{Graph, Source, ValueId};
use alloc::vec::Vec;

/// No value: it left the graph.
const GONE: u32 = u32::MAX;

/// Remove nodes that neither an output, a prediction nor a gradient depends on, unless they update a state; then remove
/// the values that nothing mentions. The numbers of values change: entry `i` of the result is the new number of value `i`.
pub fn dce(graph: &mut Graph) -> Vec<Option<ValueId>> {
    let mut alive = alloc::vec![false; graph.values.len()];
    let results = graph.outputs.iter().chain(&graph.predictions);
    for v in results.chain(graph.grads.iter().map(|(_, g)| g)) {
        alive[v.index()] = true;
    }
    let mut keep = alloc::vec![false; graph.nodes.len()];
    for (at, n) in graph.nodes.iter().enumerate().rev() {
        if n.outputs.iter().any(|o| alive[o.index()]) || !n.op.mutates().is_empty() {
            keep[at] = true;
            for v in n.inputs.iter().chain(&n.outputs) {
                alive[v.index()] = true;
            }
        }
    }
    for at in 0..graph.grads.len() {
        alive[graph.grads[at].0.index()] = true;
    }
    if !alive.contains(&false) && !keep.contains(&false) {
        return super::unchanged(graph);
    }

    let mut place: Vec<u32> = Vec::with_capacity(alive.len());
    let mut count = 0;
    for a in &alive {
        place.push(if *a { count } else { GONE });
        count += u32::from(*a);
    }
    let new = |v: &mut ValueId| v.0 = place[v.index()];
    let mut at = 0;
    graph.values.retain(|_| {
        at += 1;
        alive[at - 1]
    });
    for v in &mut graph.values {
        if let Source::HeadGrad(of) = &mut v.source {
            new(of);
        }
    }
    let mut at = 0;
    graph.nodes.retain(|_| {
        at += 1;
        keep[at - 1]
    });
    for (at, n) in graph.nodes.iter_mut().enumerate() {
        n.inputs.iter_mut().for_each(new);
        for (i, v) in n.outputs.iter_mut().enumerate() {
            new(v);
            graph.values[v.index()].source = Source::Node { node: at as u32, output: i as u32 };
        }
    }
    for l in &mut graph.layers {
        if l.outputs.first().is_some_and(|o| !alive[o.index()]) {
            l.outputs.clear();
        }
        for list in [&mut l.inputs, &mut l.outputs] {
            list.retain(|v| alive[v.index()]);
            list.iter_mut().for_each(new);
        }
    }
    graph.outputs.iter_mut().chain(&mut graph.predictions).for_each(new);
    for (v, g) in &mut graph.grads {
        new(v);
        new(g);
    }
    place.into_iter().map(|p| (p != GONE).then_some(ValueId(p))).collect()
}
