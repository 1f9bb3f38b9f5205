//! What the backward pass keeps of the forward pass: the least that is enough, and nothing twice.
//!
//! A gradient may read its operator's operand, its result, or something smaller that the operator leaves for it. Which of them costs
//! memory depends on who else reads them in the backward pass: an array that a convolution's weight gradient needs is there
//! anyway, one that nobody else needs had better die.

use super::readers::Readers;
use super::{dce, is, trains};
use crate::expr::Expr;
use crate::graph::{Graph, Node, Source, ValueId};
use crate::instr::Instr;
use crate::ops::concat::Concat;
use crate::ops::dropout::DropoutBackward;
use crate::ops::pool::{MAX_POOL_BACKWARD, WindowMax};
use crate::ops::relu::{self, Relu};
use crate::ops::relu_mask::ReluMask;
use crate::ops::{Lower, Lowered, Map, Slice};
use crate::schema::{Attr, Options};
use alloc::format;
use alloc::vec::Vec;

/// The places of a window that fit into a byte, and into seven bits.
const PLACES: [i64; 2] = [256, 128];

/// Choose what is kept, in this order:
///
/// * a max-pooling whose only reader is `relu` rectifies by itself; in the gradient, what is not above 0 gets nothing;
/// * a max-pooling whose operand nobody else keeps leaves the places of the maxima, a byte each; otherwise the
///   gradient looks them up again;
/// * where all operands of a join are rectified for it alone and its result is kept, the gradient is masked by that, whole, rather
///   than in parts by the operands;
/// * a `relu` whose result nobody else keeps leaves a bit per element.
///
/// A network without a backward pass has the first of these.
///
/// The numbers of values change: entry `i` of the result is the new number of value `i`.
pub fn saved(graph: &mut Graph) -> Vec<Option<ValueId>> {
    poolings(graph);
    if trains(graph) {
        joins(graph);
        masks(graph);
    }
    dce(graph)
}

/// Whether a value is there in the backward pass anyway: the user gives or keeps it, or some node of that pass reads it or a view
/// of it, and `spared` does not say that this one can do without.
fn kept(graph: &Graph, readers: &Readers, v: ValueId, spared: &dyn Fn(usize) -> bool) -> bool {
    let reads = |at: usize| {
        let node = &graph.nodes[at];
        let view = matches!(node.op.lower(Lower { graph, node }), Lowered::Instr(Instr::View));
        match view {
            true => kept(graph, readers, node.outputs[0], spared),
            false => node.backward && !spared(at),
        }
    };
    let made = matches!(graph.value(v).source, Source::Node { .. });
    !made || readers.is_result(v) || readers.nodes(v).any(reads)
}

/// Whether a node is the gradient of a `relu` with this result: `y > 0 ? dy : 0`.
fn masks_by(node: &Node, y: ValueId) -> bool {
    let same = |e: &Expr| *e == relu::mask();
    node.backward
        && is(node, &Map)
        && node.inputs.len() == 2
        && node.inputs[0] == y
        && node.inputs[1] != y
        && matches!(&node.attrs[0], Attr::Expr(e) if same(e))
}

/// One value more, the second result of the node that makes `of`.
fn second(graph: &mut Graph, of: ValueId, shape: crate::shape::Shape, suffix: &str) -> ValueId {
    let Source::Node { node, .. } = graph.value(of).source else { unreachable!("made by a node") };
    let name = format!("{}_{suffix}", graph.value(of).name);
    let v = graph.add_value(&name, shape, crate::dtype::DType::U8, Source::Node { node, output: 1 });
    graph.nodes[node as usize].outputs.push(v);
    v
}

fn poolings(graph: &mut Graph) {
    let readers = Readers::new(graph);
    let mut gone = alloc::vec![false; graph.nodes.len()];
    for at in 0..graph.nodes.len() {
        let node = &graph.nodes[at];
        let (false, Some(plain)) = (node.backward, WindowMax::attrs_of(node, false, false)) else { continue };
        let (x, pooled) = (node.inputs[0], node.outputs[0]);
        let backward: Vec<usize> =
            readers.nodes(x).filter(|n| !gone[*n] && belongs(&graph.nodes[*n], x, &plain)).collect();
        let places = WindowMax::window_places(&plain, &graph.value(x).shape);
        let fit = |relu: bool| places.is_some_and(|n| n <= PLACES[usize::from(relu)]);

        // The rectifier behind it, and with a gradient the mask in front of the pooling's gradient.
        let relu =
            readers.only(graph, pooled).filter(|r| !graph.nodes[*r].backward && is(&graph.nodes[*r], &Relu));
        let masks: Vec<usize> = match relu {
            None => Vec::new(),
            Some(r) => {
                let y = graph.nodes[r].outputs[0];
                let mask = |b: &usize| {
                    let dp = graph.nodes[*b].inputs[1];
                    let Source::Node { node, .. } = graph.value(dp).source else { return None };
                    let fits =
                        masks_by(&graph.nodes[node as usize], y) && readers.only(graph, dp) == Some(*b);
                    fits.then_some(node as usize)
                };
                backward.iter().filter_map(mask).collect()
            }
        };
        let relu = relu.filter(|_| masks.len() == backward.len() && (backward.is_empty() || fit(true)));

        // Gradients of poolings and rectifiers can do without the operand.
        let spared = |n: usize| is(&graph.nodes[n], &MAX_POOL_BACKWARD) || masks_by(&graph.nodes[n], x);
        let remember = !backward.is_empty() && fit(relu.is_some()) && !kept(graph, &readers, x, &spared);
        if relu.is_none() && !remember {
            continue;
        }

        let attrs = WindowMax::attrs_of(&graph.nodes[at], relu.is_some(), remember).expect("looked at above");
        (graph.nodes[at].op, graph.nodes[at].attrs) = (&WindowMax, attrs);
        let mut y = pooled;
        if let Some(r) = relu {
            y = graph.nodes[r].outputs[0];
            gone[r] = true;
            graph.nodes[at].outputs[0] = y;
            // The old result has no place any more; `finish` takes it out.
            graph.values[y.index()].source = Source::Node { node: at as u32, output: 0 };
            for (b, m) in backward.iter().zip(&masks) {
                gone[*m] = true;
                graph.nodes[*b].inputs[1] = graph.nodes[*m].inputs[1];
                let option = MAX_POOL_BACKWARD_RELU;
                graph.nodes[*b].attrs[option] = Attr::Bool(true);
            }
        }
        if remember {
            let shape = graph.value(y).shape.clone();
            let places = second(graph, y, shape, "places");
            for b in &backward {
                graph.nodes[*b].inputs[0] = places;
            }
        }
    }
    remove(graph, &gone);
}

/// Where the gradient's schema has its option `relu`: the last.
const MAX_POOL_BACKWARD_RELU: usize = 6;

/// Whether a node is the gradient of the max-pooling of `x` with these options.
fn belongs(node: &Node, x: ValueId, pooling: &crate::schema::Attrs) -> bool {
    let options = Options { schema: node.op.schema(), attrs: &node.attrs };
    let of = |(i, name): (usize, &&str)| options.get(name) == &pooling[i];
    is(node, &MAX_POOL_BACKWARD)
        && node.inputs[0] == x
        && ["kernel", "stride", "pad", "rounding", "global"].iter().enumerate().all(of)
}

fn joins(graph: &mut Graph) {
    let readers = Readers::new(graph);
    let mut gone = alloc::vec![false; graph.nodes.len()];
    // Where a new node goes in, and the node.
    let mut new: Vec<(usize, Node)> = Vec::new();
    for at in 0..graph.nodes.len() {
        let node = &graph.nodes[at];
        if node.backward || !is(node, &Concat) {
            continue;
        }
        let (z, layer) = (node.outputs[0], node.layer);
        let parts = node.inputs.clone();
        if !kept(graph, &readers, z, &|_| false) {
            continue;
        }
        let Some(pairs) = parts.iter().map(|y| part(graph, &readers, at, *y)).collect::<Option<Vec<_>>>()
        else {
            continue;
        };
        let dz = graph.nodes[pairs[0].0].inputs[0];
        let shape = graph.value(z).shape.clone();
        let whole =
            graph.value(dz).shape == shape && pairs.iter().all(|(s, _)| graph.nodes[*s].inputs == [dz]);
        if !whole {
            continue;
        }
        let name = format!("{}_grad_masked", graph.value(z).name);
        let made = Source::Node { node: 0, output: 0 };
        let masked = graph.add_value(&name, shape, graph.value(dz).dtype, made);
        let first = pairs.iter().map(|(s, _)| *s).min().expect("a join has operands");
        new.push((
            first,
            Node {
                op: &Map,
                attrs: alloc::vec![Attr::Expr(relu::mask())],
                inputs: alloc::vec![z, dz],
                outputs: alloc::vec![masked],
                layer,
                backward: true,
            },
        ));
        for (slice, mask) in pairs {
            graph.nodes[slice].inputs = alloc::vec![masked];
            graph.nodes[slice].outputs = graph.nodes[mask].outputs.clone();
            gone[mask] = true;
        }
    }
    let nodes = core::mem::take(&mut graph.nodes);
    new.sort_by_key(|(at, _)| *at);
    let mut new = new.into_iter().peekable();
    for (at, node) in nodes.into_iter().enumerate() {
        while let Some((_, n)) = new.next_if(|(before, _)| *before == at) {
            super::push(graph, n);
        }
        if !gone[at] {
            super::push(graph, node);
        }
    }
}

/// Of an operand of a join: the slice of the gradient that belongs to it, and the mask of that, if the operand is a rectified
/// array which only the join reads forward.
fn part(graph: &Graph, readers: &Readers, join: usize, y: ValueId) -> Option<(usize, usize)> {
    is(graph.producer(y)?, &Relu).then_some(())?;
    let mut nodes = readers.nodes(y);
    let (forward, mask) = (nodes.next()?, nodes.next()?);
    let others = nodes.next().is_some() || readers.is_result(y);
    if others || forward != join || !masks_by(&graph.nodes[mask], y) {
        return None;
    }
    let dy = graph.nodes[mask].inputs[1];
    let Source::Node { node: slice, .. } = graph.value(dy).source else { return None };
    let slice = slice as usize;
    (is(&graph.nodes[slice], &Slice) && readers.only(graph, dy) == Some(mask)).then_some((slice, mask))
}

fn masks(graph: &mut Graph) {
    let readers = Readers::new(graph);
    for at in 0..graph.nodes.len() {
        let node = &graph.nodes[at];
        if node.backward || !is(node, &Relu) || !graph.value(node.outputs[0]).dtype.is_float() {
            continue;
        }
        let y = node.outputs[0];
        let masks: Vec<usize> = readers.nodes(y).filter(|n| masks_by(&graph.nodes[*n], y)).collect();
        if masks.is_empty() || kept(graph, &readers, y, &|n| masks.contains(&n)) {
            continue;
        }
        (graph.nodes[at].op, graph.nodes[at].attrs) = (&ReluMask, Vec::new());
        let shape = crate::ops::mask::shape(&graph.value(y).shape);
        let mask = second(graph, y, shape, "mask");
        for m in masks {
            let node = &mut graph.nodes[m];
            node.inputs = alloc::vec![node.inputs[1], mask];
            (node.op, node.attrs) = (&DropoutBackward, alloc::vec![Attr::Float(0.0)]);
        }
    }
}

/// Take nodes out.
fn remove(graph: &mut Graph, gone: &[bool]) {
    let nodes = core::mem::take(&mut graph.nodes);
    for (node, gone) in nodes.into_iter().zip(gone) {
        if !gone {
            super::push(graph, node);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::compile::{prediction_graph, training_graph};
    use crate::dtype::DType;
    use crate::graph::{Graph, ValueId};
    use crate::ops::relu;
    use crate::passes::Passes;
    use crate::schema::{Arg, Attr};
    use crate::testnets::Net;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    const PASSES: Passes = Passes { fuse: false, fuse_conv: false, fuse_grad: false, ..Passes::ALL };

    /// The operators of the training graph after `saved`: forward, backward.
    fn trained(graph: Graph) -> (Vec<String>, Vec<String>, Graph) {
        let (g, _) = training_graph(graph, &PASSES).expect("differentiable");
        let ops = |backward: bool| {
            let own = g.nodes.iter().filter(|n| n.backward == backward);
            own.map(|n| n.op.schema().name.to_string()).collect()
        };
        (ops(false), ops(true), g)
    }

    fn pool(n: &mut Net, x: ValueId, kernel: i64, stride: i64, pad: i64) -> ValueId {
        n.call(
            "max_pool",
            &[("kernel", Arg::Int(kernel)), ("stride", Arg::Int(stride)), ("pad", Arg::Int(pad))],
            &[x],
        )
    }

    fn count(list: &[String], name: &str) -> usize {
        list.iter().filter(|n| *n == name).count()
    }

    #[test]
    fn a_pooled_rectifier_leaves_a_byte_per_pooled_element() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let c = n.conv(x, 8, 3, 1, 1, true);
        let r = n.relu(c);
        let p = pool(&mut n, r, 2, 2, 0);
        let c = n.conv(p, 8, 3, 1, 1, true);
        let r = n.relu(c);
        let p = pool(&mut n, r, 3, 2, 1);
        let p = n.call("flatten", &[], &[p]);
        let logits = n.dense(p, 10);
        let net = n.classify(logits);
        let (forward, backward, g) = trained(net.clone());
        assert_eq!(count(&forward, "window_max"), 2, "{g}");
        assert_eq!((count(&forward, "relu"), count(&backward, "map")), (0, 0), "nothing masks any more: {g}");
        let kept: Vec<&str> = g
            .nodes
            .iter()
            .filter(|n| n.backward)
            .flat_map(|n| &n.inputs)
            .filter_map(|v| g.producer(*v).filter(|p| !p.backward).map(|_| &*g.value(*v).name))
            .collect();
        assert!(kept.contains(&"pooling0_output_places"), "{kept:?}");
        assert!(!kept.iter().any(|n| n.contains("convolution") || n.contains("activation")), "{kept:?}");

        let (g, _) = prediction_graph(net, &PASSES).expect("has a form for prediction");
        let names: Vec<_> = g.nodes.iter().map(|n| n.op.schema().name).collect();
        assert_eq!(names[..4], ["conv2d", "window_max", "conv2d", "window_max"], "{g}");
        assert!(g.nodes.iter().all(|n| n.outputs.len() == 1));
    }

    #[test]
    fn what_is_kept_anyway_is_read_again() {
        // Both the pooling and the convolution read x, as in an inception module.
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let c = n.conv(x, 8, 3, 1, 1, true);
        let r = n.relu(c);
        let p = pool(&mut n, r, 3, 1, 1);
        let c = n.conv(r, 8, 3, 1, 1, true);
        let y = n.call("add", &[], &[p, c]);
        let (forward, backward, g) = trained(n.finish(&[y]));
        assert_eq!(count(&forward, "max_pool"), 1, "{g}");
        assert_eq!((count(&forward, "relu"), count(&backward, "max_pool_backward")), (1, 1), "{g}");
        assert!(g.values.iter().all(|v| v.dtype == DType::F32), "no places: {g}");
    }

    #[test]
    fn windows_that_do_not_fit_into_a_byte_stay() {
        for (size, window_max, bytes) in [(16, 1, 1), (17, 0, 0)] {
            let mut n = Net::new("net");
            let x = n.batch("x", &[3, size, size], DType::F32);
            let c = n.conv(x, 8, 1, 1, 0, true);
            let y = n.call("global_max_pool", &[], &[c]);
            let (forward, _, g) = trained(n.finish(&[y]));
            assert_eq!(count(&forward, "window_max"), window_max, "{g}");
            assert_eq!(g.values.iter().filter(|v| v.dtype == DType::U8).count(), bytes, "{g}");
        }
        // A rectified one has 128 places.
        for (size, rectified) in [(11, true), (12, false)] {
            let mut n = Net::new("net");
            let x = n.batch("x", &[3, size, size], DType::F32);
            let c = n.conv(x, 8, 1, 1, 0, true);
            let r = n.relu(c);
            let y = n.call("global_max_pool", &[], &[r]);
            let (forward, _, g) = trained(n.finish(&[y]));
            assert_eq!(count(&forward, "window_max"), 1, "{g}");
            assert_eq!(count(&forward, "relu") + count(&forward, "relu_mask") == 0, rectified, "{g}");
        }
    }

    #[test]
    fn joined_rectifiers_are_masked_as_one() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let (a, b) = (n.conv(x, 8, 3, 1, 1, true), n.conv(x, 4, 1, 1, 0, true));
        let (a, b) = (n.relu(a), n.relu(b));
        let z = n.call("concat", &[], &[a, b]);
        let y = n.conv(z, 4, 3, 1, 1, true);
        let (forward, backward, g) = trained(n.finish(&[y]));
        assert_eq!((count(&forward, "relu"), count(&backward, "slice")), (2, 2), "{g}");
        let masks: Vec<_> = g
            .nodes
            .iter()
            .filter(|n| matches!(&n.attrs[..], [Attr::Expr(e)] if *e == relu::mask()))
            .collect();
        assert_eq!(masks.len(), 1, "{g}");
        assert_eq!(g.value(masks[0].inputs[0]).name, "concat0_output", "{g}");

        // Nobody keeps the join: a bit per element instead.
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let (a, b) = (n.conv(x, 8, 3, 1, 1, true), n.conv(x, 4, 1, 1, 0, true));
        let (a, b) = (n.relu(a), n.relu(b));
        let z = n.call("concat", &[], &[a, b]);
        let y = n.call("global_avg_pool", &[], &[z]);
        let (forward, backward, g) = trained(n.finish(&[y]));
        assert_eq!((count(&forward, "relu_mask"), count(&backward, "dropout_backward")), (2, 2), "{g}");
    }

    #[test]
    fn a_rectifier_that_is_joined_with_itself_leaves_its_own_mask() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 20, 20], DType::F32);
        let c = n.conv(x, 8, 3, 1, 1, true);
        let y = n.relu(c);
        let z = n.call("concat", &[], &[y, y]);
        let y = n.conv(z, 4, 3, 1, 1, true);
        let (forward, backward, g) = trained(n.finish(&[y]));
        assert_eq!((count(&forward, "relu_mask"), count(&backward, "dropout_backward")), (1, 1), "{g}");
        assert_eq!(count(&backward, "slice"), 2, "one for each place in the join: {g}");
    }

    #[test]
    fn a_rectified_array_that_somebody_keeps_is_mask_enough() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[30], DType::F32);
        let h = n.dense(x, 20);
        let h = n.relu(h);
        let y = n.dense(h, 10);
        let (forward, _, g) = trained(n.finish(&[y]));
        assert_eq!(count(&forward, "relu"), 1, "the weight gradient reads it: {g}");

        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 6, 6], DType::F32);
        let c = n.conv(x, 8, 3, 1, 1, true);
        let r = n.relu(c);
        let r = n.call("flatten", &[], &[r]);
        let y = n.dense(r, 10);
        let (forward, _, g) = trained(n.finish(&[y]));
        assert_eq!(count(&forward, "relu"), 1, "a view of it is kept: {g}");

        let mut n = Net::new("net");
        let x = n.batch("x", &[30], DType::F32);
        let h = n.dense(x, 20);
        let h = n.relu(h);
        let h = n.call("dropout", &[("p", 0.5.into())], &[h]);
        let y = n.dense(h, 10);
        let (forward, _, g) = trained(n.finish(&[y]));
        assert_eq!(count(&forward, "relu_mask"), 1, "{g}");
        let mask = g.values.iter().find(|v| v.name == "activation0_output_mask").expect("named after it");
        assert_eq!(mask.shape.display(&g.symbols).to_string(), "[N, 3]");
    }
}
