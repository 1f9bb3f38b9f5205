//! Prediction: a normalisation by fixed statistics becomes part of the weights before it.

use super::readers::Readers;
use super::{dce, is, push, trains, unchanged};
use crate::dim::Dim;
use crate::expr::Expr;
use crate::graph::{Graph, Node, Source, ValueId};
use crate::instr::{BinOp, UnOp};
use crate::ops::batch_norm::BatchNormInfer;
use crate::ops::conv2d::Conv2d;
use crate::ops::dense::Dense;
use crate::ops::{Map, Operator, Reshape};
use crate::schema::{Attr, Options};
use crate::shape::Shape;
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
    // By node: the normalisation that it takes over.
    let mut takes: Vec<Option<usize>> = alloc::vec![None; graph.nodes.len()];
    let mut any = false;
    for at in 0..graph.nodes.len() {
        if let Some(maker) = folds_into(graph, &readers, at) {
            takes[maker] = Some(at);
            any = true;
        }
    }
    if !any {
        return unchanged(graph);
    }
    let mut nodes: Vec<Option<Node>> = core::mem::take(&mut graph.nodes).into_iter().map(Some).collect();
    let mut known = None;
    for at in 0..nodes.len() {
        let Some(mut layer) = nodes[at].take() else { continue };
        if let Some(norm) = takes[at].and_then(|norm| nodes[norm].take()) {
            fold(graph, &mut layer, &norm, &mut known);
        }
        push(graph, layer);
    }
    dce(graph)
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

/// `scale` and the offset as expressions, and of what kind of layer and normalisation: most of a network are of one kind.
type Exprs = ((f64, bool, bool), [Expr; 3]);

/// Put the normalisation into the weights of the layer, which makes its result now.
fn fold(graph: &mut Graph, layer: &mut Node, norm: &Node, known: &mut Option<Exprs>) {
    let [_, gamma, beta, mean, var] = norm.inputs[..] else { panic!("five operands of a normalisation") };
    let bias = layer.inputs.get(2).copied();
    let fix_gamma = options(norm).bool("fix_gamma");
    // As the instruction has it.
    let kind = (f64::from(options(norm).float("eps") as f32), fix_gamma, bias.is_some());
    if known.as_ref().is_none_or(|(k, _)| *k != kind) {
        *known = Some((kind, exprs(kind)));
    }
    let Some((_, [scale, offset, product])) = known else { unreachable!("just made") };
    let weight = layer.inputs[1];
    let (whole, dtype) = (graph.value(weight).shape.clone(), graph.value(weight).dtype);
    let channels = graph.value(var).shape.clone();
    let mut column = alloc::vec![Dim::ONE; whole.rank()];
    column[0] = whole[0].clone();
    let at = layer.layer;
    graph.within(at, |g| {
        let mut node = |op: &'static dyn Operator, attr: Attr, inputs: Vec<ValueId>, shape: &Shape| {
            g.add_node(op, alloc::vec![attr], inputs, at, alloc::vec![(shape.clone(), dtype)])[0]
        };
        let of = if fix_gamma { alloc::vec![var] } else { alloc::vec![var, gamma] };
        let scale = node(&Map, Attr::Expr(scale.clone()), of, &channels);
        let mut of = alloc::vec![beta, mean, scale];
        of.extend(bias);
        let offset = node(&Map, Attr::Expr(offset.clone()), of, &channels);
        let extents = Attr::Dims(column.iter().cloned().map(Some).collect());
        let column = node(&Reshape, extents, alloc::vec![scale], &Shape(column));
        let weight = node(&Map, Attr::Expr(product.clone()), alloc::vec![weight, column], &whole);
        layer.inputs.truncate(1);
        layer.inputs.extend([weight, offset]);
    });
    layer.attrs[layer.op.schema().option("bias").expect("an option of the schema")] = Attr::Bool(true);
    layer.outputs.clone_from(&norm.outputs);
}

/// The scale, the offset, and the product with the weights.
fn exprs((eps, fix_gamma, bias): (f64, bool, bool)) -> [Expr; 3] {
    let scale = Expr::build(|e| {
        let (var, eps) = (e.input(0), e.constant(eps));
        let spread = e.bin(BinOp::Add, var, eps);
        let spread = e.un(UnOp::Sqrt, spread);
        let gamma = if fix_gamma { e.constant(1.0) } else { e.input(1) };
        e.bin(BinOp::Div, gamma, spread)
    });
    let offset = Expr::build(|e| {
        let (beta, mean, scale) = (e.input(0), e.input(1), e.input(2));
        if bias {
            let bias = e.input(3);
            let off = e.bin(BinOp::Sub, bias, mean);
            let off = e.bin(BinOp::Mul, off, scale);
            e.bin(BinOp::Add, beta, off)
        } else {
            let off = e.bin(BinOp::Mul, mean, scale);
            e.bin(BinOp::Sub, beta, off)
        }
    });
    [scale, offset, Expr::binary(BinOp::Mul)]
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
