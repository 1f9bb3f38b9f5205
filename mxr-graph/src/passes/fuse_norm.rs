//! Batch normalisation, the addition of a shortcut and relu become one operation, and without a shortcut so do their gradients.

use super::readers::Readers;
use super::{addend, dce, expr, is, push, unchanged};
use crate::graph::{Graph, Node, Source, ValueId};
use crate::ops::batch_norm::{BatchNorm, BatchNormBackward, BatchNormInfer};
use crate::ops::batch_norm_relu::{self, FusedNorm};
use crate::ops::relu;
use alloc::vec::Vec;

/// Where only a relu reads the result of a normalisation, or only the addition of something of its shape that only a relu reads, all of
/// it becomes one operation; in training without an addition its gradient too, which reads neither the result nor a mask: signs are computed
/// once more from the normalisation's input. With an addition, the gradient goes to the shortcut as well, so it is masked where it is made, by
/// [`fuse_grad`](super::fuse_grad()) if a product does. Every number keeps its bits.
///
/// The numbers of values change: entry `i` of the result is the new number of value `i`.
pub fn fuse_norm(graph: &mut Graph) -> Vec<Option<ValueId>> {
    let readers = Readers::new(graph);
    let mut plan =
        Plan { replaced: alloc::vec![None; graph.nodes.len()], gone: alloc::vec![false; graph.nodes.len()] };
    // Of two normalisations that are added, the later one is merged: nothing then happens between it and its relu.
    for at in (0..graph.nodes.len()).rev() {
        if let Some(chain) = chain(graph, &readers, &plan, at) {
            plan.merge(graph, &readers, &chain);
        }
    }
    if !plan.gone.contains(&true) {
        return unchanged(graph);
    }
    let nodes = core::mem::take(&mut graph.nodes);
    for (at, n) in nodes.into_iter().enumerate() {
        match plan.replaced[at].take() {
            Some(fused) => push(graph, fused),
            None if !plan.gone[at] => push(graph, n),
            None => {}
        }
    }
    dce(graph)
}

/// Nodes that become one.
struct Chain {
    norm: usize,
    add: Option<(usize, ValueId)>,
    relu: usize,
}

struct Plan {
    /// By node: what stands there instead.
    replaced: Vec<Option<Node>>,
    /// By node: part of another.
    gone: Vec<bool>,
}

/// The chain that begins with node `norm`.
fn chain(graph: &Graph, readers: &Readers, plan: &Plan, norm: usize) -> Option<Chain> {
    let n = &graph.nodes[norm];
    let training = is(n, &BatchNorm);
    if !training && !is(n, &BatchNormInfer) || n.backward {
        return None;
    }
    // Another normalisation with the same running statistics must come before or after this one as it did.
    if training && n.op.mutates().iter().any(|i| readers.count(n.inputs[*i]) != 1) {
        return None;
    }
    let y = n.outputs[0];
    let next = readers.only(graph, y).filter(|next| !graph.nodes[*next].backward)?;
    if expr(&graph.nodes[next])? == relu::relu() {
        return Some(Chain { norm, add: None, relu: next });
    }
    let add = &graph.nodes[next];
    let other = addend(graph, add, y)?;
    let last = readers.only(graph, add.outputs[0]).filter(|last| !graph.nodes[*last].backward)?;
    let fits = plan.replaced[last].is_none() && expr(&graph.nodes[last])? == relu::relu();
    fits.then_some(Chain { norm, add: Some((next, other)), relu: last })
}

impl Plan {
    fn merge(&mut self, graph: &Graph, readers: &Readers, c: &Chain) {
        let (norm, relu) = (&graph.nodes[c.norm], &graph.nodes[c.relu]);
        let residual = c.add.map(|(_, residual)| residual);
        let training = is(norm, &BatchNorm);
        if training && residual.is_none() {
            self.merge_backward(graph, readers, norm, relu);
        }
        let mut outputs = norm.outputs.clone();
        outputs[0] = relu.outputs[0];
        let op: &'static FusedNorm = match (training, residual.is_some()) {
            (true, false) => &batch_norm_relu::TRAIN_RELU,
            (true, true) => &batch_norm_relu::TRAIN_ADD_RELU,
            (false, false) => &batch_norm_relu::INFER_RELU,
            (false, true) => &batch_norm_relu::INFER_ADD_RELU,
        };
        let inputs = norm.inputs.iter().copied().chain(residual).collect();
        self.replaced[c.relu] = Some(Node { op, inputs, outputs, ..norm.clone() });
        self.gone[c.norm] = true;
        if let Some((add, _)) = c.add {
            self.gone[add] = true;
        }
    }

    /// Where the gradient of the normalisation reads that of the relu, they become one, in the place of the first.
    fn merge_backward(&mut self, graph: &Graph, readers: &Readers, norm: &Node, relu: &Node) {
        let (x, gamma, beta) = (norm.inputs[0], norm.inputs[1], norm.inputs[2]);
        let (mean, inv_std, y) = (norm.outputs[1], norm.outputs[2], relu.outputs[0]);
        let Some(backward) = readers.only(graph, inv_std) else { return };
        let b = &graph.nodes[backward];
        if !is(b, &BatchNormBackward) || b.inputs[..4] != [x, gamma, mean, inv_std] {
            return;
        }
        let counted = b.inputs[4];
        let Source::Node { node: mask, .. } = graph.value(counted).source else { return };
        let m = &graph.nodes[mask as usize];
        if m.inputs.first() != Some(&y) || m.inputs.len() != 2 || expr(m) != Some(relu::mask()) {
            return;
        }
        if readers.count(counted) != 1 {
            return;
        }
        let inputs = alloc::vec![x, gamma, mean, inv_std, m.inputs[1], beta];
        self.replaced[mask as usize] =
            Some(Node { op: &batch_norm_relu::BACKWARD_RELU, inputs, ..b.clone() });
        self.gone[backward] = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::{prediction_graph, training_graph};
    use crate::dtype::DType;
    use crate::passes::Passes;
    use crate::testnets::{self, Net};

    const ONLY: Passes = Passes { fuse_norm: true, ..Passes::NONE };

    fn ops(graph: &Graph) -> Vec<&'static str> {
        graph.nodes.iter().map(|n| n.op.schema().name).collect()
    }

    fn bn(n: &mut Net, x: ValueId) -> ValueId {
        n.call("batch_norm", &[], &[x])
    }

    #[test]
    fn a_relu_after_a_normalisation_is_part_of_it_and_its_gradient_reads_no_result() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let y = bn(&mut n, x);
        let y = n.relu(y);
        let loss = n.call("sum", &[], &[y]);
        let (g, _) = training_graph(n.finish(&[loss]), &ONLY).expect("differentiable");
        assert_eq!(ops(&g)[..2], ["batch_norm_relu", "sum"], "{g}");
        assert_eq!(ops(&g).last(), Some(&"batch_norm_relu_backward"), "{g}");
        let backward = g.nodes.last().expect("not empty");
        assert!(!backward.inputs.contains(&g.nodes[0].outputs[0]), "{g}");
        assert_eq!(backward.inputs[5], g.nodes[0].inputs[2], "beta makes the signs");
        assert_eq!(g.grads.len(), 3, "x, gamma, beta: {g}");
    }

    #[test]
    fn a_shortcut_is_added_on_the_way() {
        // Both operands of the sum are normalisations: one of them is merged.
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let (a, b) = (n.conv(x, 8, 3, 1, 1, false), n.conv(x, 8, 1, 1, 0, false));
        let (a, b) = (bn(&mut n, a), bn(&mut n, b));
        let y = n.call("add", &[], &[a, b]);
        let y = n.relu(y);
        let loss = n.call("sum", &[], &[y]);
        let graph = n.finish(&[loss]);
        let (g, _) = training_graph(graph.clone(), &ONLY).expect("differentiable");
        let count = |g: &Graph, name: &str| ops(g).iter().filter(|o| **o == name).count();
        for (name, times) in [("batch_norm", 1), ("batch_norm_add_relu", 1), ("batch_norm_backward", 2)] {
            assert_eq!(count(&g, name), times, "{name}: {g}");
        }
        assert_eq!(
            (count(&g, "relu"), count(&g, "map")),
            (0, 2),
            "the mask, and the sum of the two gradients of x: {g}"
        );
        let (g, _) = prediction_graph(graph, &ONLY).expect("has a form for prediction");
        assert_eq!(ops(&g)[2..5], ["batch_norm_infer", "batch_norm_infer_add_relu", "sum"], "{g}");
    }

    #[test]
    fn what_someone_else_reads_is_still_made() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let y = bn(&mut n, x);
        let z = n.relu(y);
        let z = n.call("mul", &[], &[z, y]);
        let g = training_graph(n.finish(&[z]), &ONLY).expect("differentiable").0;
        assert!(ops(&g).contains(&"batch_norm") && !ops(&g).contains(&"batch_norm_relu"), "{g}");

        // Broadcasting is no addition of a shortcut.
        let mut n = Net::new("net");
        let (x, s) = (n.batch("x", &[3, 4, 4], DType::F32), n.batch("s", &[3, 1, 1], DType::F32));
        let y = bn(&mut n, x);
        let z = n.call("add", &[], &[y, s]);
        let z = n.relu(z);
        let g = training_graph(n.finish(&[z]), &ONLY).expect("differentiable").0;
        assert!(!ops(&g).iter().any(|o| o.contains("add_relu")), "{g}");

        // Twice the same is no shortcut either.
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let y = bn(&mut n, x);
        let z = n.call("add", &[], &[y, y]);
        let z = n.relu(z);
        let g = training_graph(n.finish(&[z]), &ONLY).expect("differentiable").0;
        assert!(!ops(&g).iter().any(|o| o.contains("add_relu")), "{g}");
    }

    #[test]
    fn networks_have_no_relu_of_their_own_left() {
        let (g, _) = training_graph(testnets::resnet50(), &Passes::ALL).expect("differentiable");
        let ops = ops(&g);
        let count = |name: &str| ops.iter().filter(|o| **o == name).count();
        assert_eq!(count("batch_norm_add_relu"), 16, "one per block");
        assert_eq!(
            count("batch_norm"),
            5,
            "those of projections, and the first: its relu went behind the pooling"
        );
        assert_eq!(count("batch_norm_relu"), count("batch_norm_relu_backward"));
    }
}
