//! Convolutions, fully connected layers and what follows them, the addition of a shortcut and relu, become one operation.

use super::readers::Readers;
use super::{addend, expr, is, made_before, without};
use crate::graph::{Graph, ValueId};
use crate::instr::Epilogue;
use crate::ops::conv2d::Conv2d;
use crate::ops::conv2d_relu;
use crate::ops::dense::Dense;
use crate::ops::relu;
use alloc::vec::Vec;

/// Where only a relu reads the result of a convolution or of a dense layer, or only the addition of something of its shape that is
/// there already, or that addition and a relu behind it, all of it becomes one operation, in the place of the first. Every number keeps
/// its bits, and no more memory is taken: the last result is made in place of the first, the shortcut may die earlier.
///
/// In training, too: the gradient of relu reads its result. Must run after [`saved`](super::saved()), which decides about a relu
/// that leaves a mask instead.
///
/// The numbers of values change: entry `i` of the result is the new number of value `i`.
pub fn fuse_conv(graph: &mut Graph) -> Vec<Option<ValueId>> {
    let readers = Readers::new(graph);
    let mut gone = alloc::vec![false; graph.nodes.len()];
    for at in 0..graph.nodes.len() {
        if let Some(chain) = chain(graph, &readers, at) {
            let node = &mut graph.nodes[at];
            let dense = is(node, &Dense);
            let epilogue = Epilogue { residual: chain.residual.is_some(), relu: chain.relu, mask: false };
            node.op = conv2d_relu::with(dense, epilogue);
            node.outputs = alloc::vec![chain.result];
            if let Some(residual) = chain.residual {
                node.inputs.insert(2, residual);
            }
            chain.gone.into_iter().for_each(|n| gone[n] = true);
        }
    }
    without(graph, &gone)
}

/// What follows a node and becomes a part of it.
struct Chain {
    residual: Option<ValueId>,
    relu: bool,
    /// The last node's.
    result: ValueId,
    gone: Vec<usize>,
}

/// What can be merged into node `at`.
fn chain(graph: &Graph, readers: &Readers, at: usize) -> Option<Chain> {
    let n = &graph.nodes[at];
    if !is(n, &Conv2d) && !is(n, &Dense) {
        return None;
    }
    let behind = |v: ValueId| readers.only(graph, v).filter(|b| graph.nodes[*b].backward == n.backward);
    let rectifies = |b: usize| expr(&graph.nodes[b]) == Some(relu::relu());
    let y = n.outputs[0];
    let next = behind(y)?;
    let result = graph.nodes[next].outputs[0];
    if rectifies(next) {
        return Some(Chain { residual: None, relu: true, result, gone: alloc::vec![next] });
    }
    let residual = added(graph, next, y, at)?;
    match behind(result).filter(|last| rectifies(*last)) {
        Some(last) => {
            let result = graph.nodes[last].outputs[0];
            Some(Chain { residual: Some(residual), relu: true, result, gone: alloc::vec![next, last] })
        }
        None => Some(Chain { residual: Some(residual), relu: false, result, gone: alloc::vec![next] }),
    }
}

/// What node `add` adds to `y`, if it is there before node `at`.
fn added(graph: &Graph, add: usize, y: ValueId, at: usize) -> Option<ValueId> {
    addend(graph, &graph.nodes[add], y).filter(|other| made_before(graph, *other, at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{prediction_graph, training_graph};
    use crate::dtype::DType;
    use crate::passes::Passes;
    use crate::testnets::{self, Net};

    const ONLY: Passes = Passes { fuse_conv: true, ..Passes::NONE };

    fn ops(graph: &Graph) -> Vec<&'static str> {
        graph.nodes.iter().map(|n| n.op.schema().name).collect()
    }

    #[test]
    fn a_relu_is_part_of_the_product_before_it_and_its_result_masks_the_gradient() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let y = n.conv(x, 8, 3, 1, 1, true);
        let y = n.relu(y);
        let y = n.call("flatten", &[], &[y]);
        let y = n.dense(y, 5);
        let y = n.relu(y);
        let g = training_graph(n.finish(&[y]), &ONLY).expect("differentiable").0;
        assert_eq!(ops(&g)[..3], ["conv2d_relu", "flatten", "dense_relu"], "{g}");
        assert_eq!(g.value(g.nodes[0].outputs[0]).name, "activation0_output", "{g}");
        let masks = g.nodes.iter().filter(|m| expr(m) == Some(relu::mask()));
        let by: Vec<ValueId> = masks.map(|m| m.inputs[0]).collect();
        assert_eq!(by, [g.nodes[2].outputs[0], g.nodes[0].outputs[0]], "{g}");
    }

    #[test]
    fn a_shortcut_that_is_there_is_added_on_the_way() {
        for (relu, biased) in [(true, true), (true, false), (false, true), (false, false)] {
            let mut n = Net::new("net");
            let x = n.batch("x", &[3, 4, 4], DType::F32);
            // The later one takes the earlier one's result.
            let (a, b) = (n.conv(x, 8, 3, 1, 1, false), n.conv(x, 8, 1, 1, 0, biased));
            let y = n.call("add", &[], &[a, b]);
            let y = if relu { n.relu(y) } else { y };
            let g = prediction_graph(n.finish(&[y]), &ONLY).expect("has a form for prediction").0;
            assert_eq!(ops(&g), ["conv2d", if relu { "conv2d_add_relu" } else { "conv2d_add" }], "{g}");
            let fused = &g.nodes[1];
            assert_eq!(fused.inputs[2], g.nodes[0].outputs[0], "{g}");
            assert_eq!(fused.inputs.len(), 3 + usize::from(biased), "{g}");
        }
        let mut n = Net::new("net");
        let x = n.batch("x", &[5], DType::F32);
        let y = n.dense(x, 5);
        let y = n.call("add", &[], &[y, x]);
        let g = prediction_graph(n.finish(&[y]), &ONLY).expect("has a form for prediction").0;
        assert_eq!(ops(&g), ["dense_add"], "{g}");
    }

    #[test]
    fn what_someone_else_reads_or_comes_later_or_broadcasts_stays() {
        let mut n = Net::new("net");
        let (x, s) = (n.batch("x", &[3, 4, 4], DType::F32), n.batch("s", &[3, 1, 1], DType::F32));
        let read = n.conv(x, 3, 3, 1, 1, false);
        let relu = n.relu(read);
        let twice = n.conv(x, 3, 3, 1, 1, false);
        let twice = n.call("add", &[], &[twice, twice]);
        let small = n.conv(x, 3, 3, 1, 1, false);
        let small = n.call("add", &[], &[small, s]);
        let late = n.conv(x, 3, 3, 1, 1, false);
        let tanh = n.call("tanh", &[], &[x]);
        let late = n.call("add", &[], &[late, tanh]);
        let kept = n.conv(x, 3, 3, 1, 1, false);
        let rectified = n.relu(kept);
        let g = n.finish(&[read, relu, twice, small, late, kept, rectified]);
        let g = prediction_graph(g, &ONLY).expect("has a form for prediction").0;
        assert!(!ops(&g).iter().any(|o| o.starts_with("conv2d_")), "{g}");
    }

    #[test]
    fn masks_and_sunken_rectifiers_stay_as_they_are() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let c = n.conv(x, 8, 3, 1, 1, true);
        let r = n.relu(c);
        let p = n.call("max_pool", &[("kernel", 2.into()), ("stride", 2.into())], &[r]);
        let c = n.conv(p, 8, 3, 1, 1, true);
        let r = n.relu(c);
        let y = n.call("global_avg_pool", &[], &[r]);
        let g = training_graph(n.finish(&[y]), &Passes::ALL).expect("differentiable").0;
        assert_eq!(ops(&g)[..4], ["conv2d", "window_max", "conv2d", "relu_mask"], "{g}");
    }

    #[test]
    fn networks_predict_without_a_relu_of_their_own() {
        let (g, _) = prediction_graph(testnets::resnet50(), &Passes::ALL).expect("has a form for prediction");
        let ops = ops(&g);
        let count = |name: &str| ops.iter().filter(|o| **o == name).count();
        assert_eq!(count("conv2d_add_relu"), 16, "one per block: {g}");
        assert_eq!(count("conv2d"), 5, "those before a sum, and the first: its relu went behind the pooling");
        assert_eq!(count("relu"), 0, "{g}");
    }
}
