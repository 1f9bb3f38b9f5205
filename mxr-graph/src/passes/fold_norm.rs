//! Prediction: a normalisation by fixed statistics becomes part of the weights before it.

use super::readers::Readers;
use super::{Renamed, dce, is, push, trains, unchanged};
use crate::expr::Expr;
use crate::graph::{Graph, Node, Source, ValueId};
use crate::instr::{BinOp, UnOp};
use crate::ops::batch_norm::BatchNormInfer;
use crate::ops::conv2d::Conv2d;
use crate::ops::dense::Dense;
use crate::ops::{Map, Reshape};
use crate::schema::{Attr, Options};
use alloc::vec::Vec;

/// Where only a normalisation by running statistics reads a convolution or a dense layer, that layer computes with
/// `weight · scale` and `beta + (bias − moving_mean) · scale` instead, per output channel, where `scale = gamma / √(moving_var + eps)`.
/// Those depend on parameters and states alone. Results agree up to rounding.
///
/// Graphs with a backward pass stay as they are. The numbers of values change: entry `i` of the result is the new number of value
/// `i`.
pub fn fold_norm(graph: &mut Graph) -> Vec<Option<ValueId>> {
    if trains(graph) {
        return unchanged(graph);
    }
    let readers = Readers::new(graph);
    // By node: the normalisation that it takes over; by normalisation: whether one does.
    let mut takes: Vec<Option<usize>> = alloc::vec![None; graph.nodes.len()];
    let mut taken = alloc::vec![false; graph.nodes.len()];
    for (at, taken) in taken.iter_mut().enumerate() {
        if let Some(maker) = folds_into(graph, &readers, at) {
            takes[maker] = Some(at);
            *taken = true;
        }
    }
    if !taken.contains(&true) {
        return unchanged(graph);
    }
    let count = graph.values.len();
    let mut renamed = Renamed::new(graph);
    let nodes = core::mem::take(&mut graph.nodes);
    for (at, n) in nodes.iter().enumerate() {
        let mut n = n.clone();
        renamed.update(&mut n.inputs);
        match takes[at] {
            Some(norm) => {
                let norm = &nodes[norm];
                let new = folded(graph, &n, norm);
                let old = norm.outputs[0];
                // The result keeps its name.
                let name = core::mem::take(&mut graph.values[old.index()].name);
                graph.values[old.index()].name =
                    core::mem::replace(&mut graph.values[new.index()].name, name);
                renamed.set(old, new);
            }
            None if taken[at] => {}
            None => push(graph, n),
        }
    }
    renamed.finish(graph);
    let mut moved = dce(graph);
    for v in 0..count {
        moved[v] = moved[renamed.get(ValueId(v as u32)).index()];
    }
    moved.truncate(count);
    moved
}

/// The node whose weights take in normalisation `at`.
fn folds_into(graph: &Graph, readers: &Readers, at: usize) -> Option<usize> {
    let norm = &graph.nodes[at];
    if !is(norm, &BatchNormInfer) {
        return None;
    }
    let x = norm.inputs[0];
    let Source::Node { node: maker, .. } = graph.value(x).source else { return None };
    let n = &graph.nodes[maker as usize];
    let last = graph.value(x).shape.rank() as i64 - 1;
    let axis = options(norm).int("axis");
    let channels = (is(n, &Conv2d) && axis == 1) || (is(n, &Dense) && axis == last);
    let dtype = graph.value(x).dtype;
    let fixed = |v: &ValueId| {
        let v = graph.value(*v);
        matches!(v.source, Source::Param | Source::Aux) && v.dtype == dtype
    };
    let mut weights = n.inputs[1..].iter().chain(&norm.inputs[1..]);
    (channels && readers.only(graph, x) == Some(at) && weights.all(fixed)).then_some(maker as usize)
}

fn options(node: &Node) -> Options<'_> {
    Options { schema: node.op.schema(), attrs: &node.attrs }
}

/// The layer with the normalisation in its weights, and its result.
fn folded(graph: &mut Graph, layer: &Node, norm: &Node) -> ValueId {
    let [_, gamma, beta, mean, var] = norm.inputs[..] else { panic!("five operands of a normalisation") };
    // As the instruction has it.
    let eps = f64::from(options(norm).float("eps") as f32);
    let fix_gamma = options(norm).bool("fix_gamma");
    let scale = Expr::build(|e| {
        let (var, eps) = (e.input(0), e.constant(eps));
        let spread = e.bin(BinOp::Add, var, eps);
        let spread = e.un(UnOp::Sqrt, spread);
        let gamma = if fix_gamma { e.constant(1.0) } else { e.input(1) };
        e.bin(BinOp::Div, gamma, spread)
    });
    let bias = layer.inputs.get(2).copied();
    let offset = Expr::build(|e| {
        let (beta, mean, scale) = (e.input(0), e.input(1), e.input(2));
        if bias.is_some() {
            let bias = e.input(3);
            let off = e.bin(BinOp::Sub, bias, mean);
            let off = e.bin(BinOp::Mul, off, scale);
            e.bin(BinOp::Add, beta, off)
        } else {
            let off = e.bin(BinOp::Mul, mean, scale);
            e.bin(BinOp::Sub, beta, off)
        }
    });
    let weight = layer.inputs[1];
    let mut column: Vec<_> = graph.value(weight).shape.iter().map(|_| Some(crate::dim::Dim::ONE)).collect();
    column[0] = Some(graph.value(weight).shape[0].clone());
    let mut attrs = layer.attrs.clone();
    attrs[layer.op.schema().option("bias").expect("an option of the schema")] = Attr::Bool(true);
    let made = graph.within(layer.layer, |g| {
        let map = |e: Expr| alloc::vec![Attr::Expr(e)];
        let of: &[ValueId] = if fix_gamma { &[var] } else { &[var, gamma] };
        let scale = g.apply(&Map, map(scale), of, None)?[0];
        let mut of = alloc::vec![beta, mean, scale];
        of.extend(bias);
        let offset = g.apply(&Map, map(offset), &of, None)?[0];
        let column = g.apply(&Reshape, alloc::vec![Attr::Dims(column)], &[scale], None)?[0];
        let weight = g.apply(&Map, map(Expr::binary(BinOp::Mul)), &[weight, column], None)?[0];
        g.apply(layer.op, attrs, &[layer.inputs[0], weight, offset], None)
    });
    made.expect("shapes that fit before fit after")[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile::prediction_graph;
    use crate::dtype::DType;
    use crate::passes::Passes;
    use crate::testnets::{self, Net};

    const ONLY: Passes = Passes { fold_norm: true, ..Passes::NONE };

    fn ops(graph: &Graph) -> Vec<&'static str> {
        graph.nodes.iter().map(|n| n.op.schema().name).collect()
    }

    #[test]
    fn weights_take_in_the_normalisation_behind_them() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let y = n.conv(x, 8, 3, 1, 1, false);
        let y = n.call("batch_norm", &[], &[y]);
        let y = n.relu(y);
        let y = n.call("flatten", &[], &[y]);
        let y = n.dense(y, 5);
        let y = n.call("batch_norm", &[("fix_gamma", true.into())], &[y]);
        let (g, _) = prediction_graph(n.finish(&[y]), &ONLY).expect("has a form for prediction");
        let made = ["map", "map", "reshape", "map"];
        let want = [&made[..], &["conv2d", "relu", "flatten"], &made[..], &["dense"]].concat();
        assert_eq!(ops(&g), want, "{g}");
        assert_eq!(g.value(g.outputs[0]).name, "batchnorm1_output", "{g}");
        assert!(!alloc::format!("{g}").contains("batchnorm1_gamma"), "a fixed gamma is not read: {g}");
    }

    #[test]
    fn what_else_is_read_or_normalised_elsewhere_stays() {
        let mut n = Net::new("net");
        let x = n.batch("x", &[3, 4, 4], DType::F32);
        let c = n.conv(x, 8, 3, 1, 1, false);
        let y = n.call("batch_norm", &[], &[c]);
        let y = n.call("mul", &[], &[y, c]);
        let z = n.conv(x, 8, 3, 1, 1, false);
        let z = n.call("batch_norm", &[("axis", 2.into())], &[z]);
        let (g, _) = prediction_graph(n.finish(&[y, z]), &ONLY).expect("has a form for prediction");
        assert_eq!(ops(&g).iter().filter(|o| **o == "batch_norm_infer").count(), 2, "{g}");
    }

    #[test]
    fn residual_networks_predict_without_normalisations() {
        let (g, declared) =
            prediction_graph(testnets::resnet50(), &Passes::ALL).expect("has a form for prediction");
        assert!(!ops(&g).iter().any(|o| o.contains("batch_norm")), "{g}");
        assert_eq!(declared.params.len(), 53 * 3 + 2, "nothing that is trained is lost");
    }
}
