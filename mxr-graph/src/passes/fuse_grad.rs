//! Gradients that several readers of a value return, and the masks of rectifiers, become part of the products that make gradients.

use super::readers::Readers;
use super::{addend, expr, is, made_before, without};
use crate::graph::{Graph, ValueId};
use crate::ops::conv2d::Conv2dBackwardData;
use crate::ops::masked_gradient::{self, Product};
use crate::ops::matmul::MatMul;
use crate::ops::relu;
use alloc::vec::Vec;

/// Where only an addition reads the gradient of a convolution's data, or a product of matrices, and what is added is there already, the
/// product adds to it; where only the mask of a relu reads that, or the product alone, it is masked on the way. So a sum of what several
/// branches return is a chain of products that add to one array, and the gradient of a relu no step of its own.
///
/// Of two products the later one adds. It stands where it stood, so nothing lives longer than before, and the result may lie over what is
/// added. Numbers keep their bits but where a convolution of few channels adds up in the memory of its result: its sum then begins with
/// what is added. Must run after [`saved`](super::saved()), which decides what masks are made of.
///
/// The numbers of values change: entry `i` of the result is the new number of value `i`.
pub fn fuse_grad(graph: &mut Graph) -> Vec<Option<ValueId>> {
    let readers = Readers::new(graph);
    let mut gone = alloc::vec![false; graph.nodes.len()];
    for at in 0..graph.nodes.len() {
        if let Some((product, chain)) = chain(graph, &readers, at) {
            let node = &mut graph.nodes[at];
            node.op = masked_gradient::with(product, chain.residual.is_some(), chain.mask.is_some());
            node.outputs = alloc::vec![chain.result];
            node.inputs.extend(chain.residual.into_iter().chain(chain.mask));
            chain.gone.into_iter().for_each(|n| gone[n] = true);
        }
    }
    without(graph, &gone)
}

/// What follows a node and becomes a part of it.
struct Chain {
    residual: Option<ValueId>,
    mask: Option<ValueId>,
    /// The last node's.
    result: ValueId,
    gone: Vec<usize>,
}

/// What can be merged into node `at`.
fn chain(graph: &Graph, readers: &Readers, at: usize) -> Option<(Product, Chain)> {
    let n = &graph.nodes[at];
    let product = match () {
        () if is(n, &Conv2dBackwardData) => Product::Conv2d,
        () if is(n, &MatMul) => Product::MatMul,
        () => return None,
    };
    let behind = |v: ValueId| readers.only(graph, v).filter(|b| graph.nodes[*b].backward == n.backward);
    let there = |v: &ValueId| made_before(graph, *v, at);
    let mut chain = Chain { residual: None, mask: None, result: n.outputs[0], gone: Vec::new() };
    let added = |y: ValueId| {
        let add = behind(y)?;
        Some((add, addend(graph, &graph.nodes[add], y).filter(there)?))
    };
    if let Some((add, residual)) = added(chain.result) {
        chain.residual = Some(residual);
        chain.result = graph.nodes[add].outputs[0];
        chain.gone.push(add);
    }
    let masked = |dy: ValueId| {
        let mask = behind(dy)?;
        Some((mask, mask_of(graph, mask, dy).filter(there)?))
    };
    if let Some((mask, y)) = masked(chain.result) {
        chain.mask = Some(y);
        chain.result = graph.nodes[mask].outputs[0];
        chain.gone.push(mask);
    }
    (!chain.gone.is_empty()).then_some((product, chain))
}

/// By what node `mask` masks `dy`, if it is the gradient of a relu.
fn mask_of(graph: &Graph, mask: usize, dy: ValueId) -> Option<ValueId> {
    let node = &graph.nodes[mask];
    let [y, masked] = node.inputs[..] else { return None };
    let (a, b) = (graph.value(y), graph.value(dy));
    let same = a.shape == b.shape && a.dtype == b.dtype;
    (masked == dy && y != dy && same && expr(node)? == relu::mask()).then_some(y)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::training_graph;
    use crate::dtype::DType;
    use crate::expr::Expr;
    use crate::instr::BinOp;
    use crate::passes::Passes;
    use crate::testnets::{self, Net};

    const ONLY: Passes = Passes { fuse_grad: true, ..Passes::NONE };

    fn ops(graph: &Graph) -> Vec<&'static str> {
        graph.nodes.iter().map(|n| n.op.schema().name).collect()
    }

    /// Sums and masks that are operations of their own in the backward pass.
    fn left(graph: &Graph) -> usize {
        let fused = [Expr::binary(BinOp::Add), relu::mask()];
        graph.nodes.iter().filter(|n| n.backward && expr(n).is_some_and(|e| fused.contains(&e))).count()
    }

    #[test]
    fn what_branches_return_is_added_product_after_product() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let x = n.call("tanh", &[], &[x]);
        let branches: Vec<ValueId> =
            [1, 3, 1].map(|kernel| n.conv(x, 8, kernel, 1, kernel / 2, false)).into();
        let y = n.call("concat", &[("axis", 1.into())], &branches);
        let g = training_graph(n.finish(&[y]), &ONLY).expect("differentiable").0;
        let gradients: Vec<_> = g.nodes.iter().filter(|m| m.op.schema().name.contains("data")).collect();
        let names: Vec<_> = gradients.iter().map(|m| m.op.schema().name).collect();
        assert_eq!(
            names,
            ["conv2d_backward_data", "conv2d_backward_data_add", "conv2d_backward_data_add"],
            "{g}"
        );
        for two in gradients.windows(2) {
            assert_eq!(two[1].inputs[2], two[0].outputs[0], "{g}");
        }
        assert_eq!(left(&g), 0, "{g}");
    }

    #[test]
    fn the_mask_of_a_relu_is_part_of_the_product_behind_it() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let y = n.conv(x, 8, 3, 1, 1, true);
        let shared = n.relu(y);
        let (a, b) = (n.conv(shared, 8, 3, 1, 1, true), n.conv(shared, 8, 1, 1, 0, true));
        let y = n.call("add", &[], &[a, b]);
        let y = n.call("flatten", &[], &[y]);
        let y = n.dense(y, 5);
        let hidden = n.relu(y);
        let y = n.dense(hidden, 5);
        let g = training_graph(n.finish(&[y]), &ONLY).expect("differentiable").0;
        let find = |name: &str| g.nodes.iter().find(|m| m.op.schema().name == name);
        let both = find("conv2d_backward_data_add_where").expect("added and masked");
        assert_eq!(both.inputs[3], shared, "{g}");
        assert_eq!(find("matmul_where").expect("masked").inputs[2], hidden, "{g}");
        assert_eq!(left(&g), 0, "{g}");
    }

    #[test]
    fn what_someone_else_reads_or_comes_later_or_broadcasts_stays() {
        let mut n = Net::new("net");
        let (x, s) = (n.batch("x", &[3, 3], DType::F32), n.batch("s", &[1, 3], DType::F32));
        let read = n.call("matmul", &[], &[x, x]);
        let sum = n.call("add", &[], &[read, x]);
        let twice = n.call("matmul", &[], &[x, x]);
        let twice = n.call("add", &[], &[twice, twice]);
        let small = n.call("matmul", &[], &[x, x]);
        let small = n.call("add", &[], &[small, s]);
        let late = n.call("matmul", &[], &[x, x]);
        let tanh = n.call("tanh", &[], &[x]);
        let late = n.call("add", &[], &[late, tanh]);
        let g = n.finish(&[read, sum, twice, small, late]);
        let g = crate::compile::prediction_graph(g, &ONLY).expect("has a form for prediction").0;
        assert!(!ops(&g).iter().any(|o| o.starts_with("matmul_")), "{g}");
        // It can be added where it comes first.
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 3], DType::F32);
        let tanh = n.call("tanh", &[], &[x]);
        let y = n.call("matmul", &[], &[x, x]);
        let y = n.call("add", &[], &[y, tanh]);
        let g = crate::compile::prediction_graph(n.finish(&[y]), &ONLY).expect("has a form for prediction").0;
        assert_eq!(ops(&g), ["tanh", "matmul_add"], "{g}");
    }

    #[test]
    fn networks_have_hardly_a_sum_of_gradients_left() {
        let of = |net: Graph| training_graph(net, &Passes::ALL).expect("differentiable").0;
        let (resnet, inception) = (of(testnets::resnet50()), of(testnets::inception()));
        let count = |g: &Graph, name: &str| ops(g).iter().filter(|o| **o == name).count();
        assert_eq!(
            count(&resnet, "conv2d_backward_data_add_where"),
            15,
            "one per block but the last: {resnet}"
        );
        assert_eq!(
            count(&resnet, "conv2d_backward_data_add"),
            1,
            "the first block's, before the pooling: {resnet}"
        );
        assert_eq!(left(&resnet), 1, "behind the last block there is no product: {resnet}");
        assert_eq!(left(&inception), 0, "{inception}");
    }
}
