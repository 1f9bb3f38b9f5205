//! Each pass on small graphs. That results stay the same is shown in `tests/passes.rs`, on random graphs.

use super::*;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::graph::ValueId;
use crate::schema::Arg;
use crate::testnets::Net;
use crate::verify::verify;
use alloc::format;
use alloc::string::{String, ToString};

/// The operators of a graph in order.
fn ops(graph: &Graph) -> Vec<&'static str> {
    graph.nodes.iter().map(|n| n.op.schema().name).collect()
}

/// The operand names of the last node.
fn last_inputs(graph: &Graph) -> Vec<&str> {
    let last = graph.nodes.last().expect("not empty");
    last.inputs.iter().map(|v| &*graph.value(*v).name).collect()
}

fn after(mut net: Net, outputs: &[ValueId], pass: fn(&mut Graph)) -> Graph {
    net.graph.outputs = outputs.to_vec();
    let mut graph = net.graph;
    graph.settle();
    verify(&graph).expect("declared well");
    pass(&mut graph);
    verify(&graph).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    dce(&mut graph);
    verify(&graph).unwrap_or_else(|e| panic!("{e}\n{graph}"));
    graph
}

fn list(values: &[i64]) -> Arg {
    Arg::List(values.iter().map(|v| Arg::Int(*v)).collect())
}

impl Net {
    fn constant(&mut self, value: f64) -> ValueId {
        let op = crate::ops::find("fill").expect("an operator");
        self.graph.call(op, &[("value", value.into())], &[], None).expect("a constant")[0]
    }

    fn text(&self, v: ValueId) -> String {
        self.graph.value(v).shape.display(&self.graph.symbols).to_string()
    }
}

#[test]
fn constants_move_into_expressions() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[3], DType::F32);
    let (two, one, zero) = (n.constant(2.0), n.constant(1.0), n.constant(0.0));
    let a = n.call("mul", &[], &[x, two]);
    let b = n.call("mul", &[], &[one, a]);
    let c = n.call("add", &[], &[b, zero]);
    let three = n.call("add", &[], &[one, two]);
    let d = n.call("pow", &[], &[c, three]);
    let g = after(n, &[d], simplify);
    assert_eq!(ops(&g), ["map", "map"], "{g}");
    assert_eq!(g.nodes[0].inputs.len(), 1);
    let g = {
        let mut g = g;
        fuse(&mut g);
        dce(&mut g);
        g
    };
    assert_eq!(ops(&g), ["map"], "{g}");
    assert_eq!(last_inputs(&g), ["x"]);
}

#[test]
fn integers_keep_their_rounding() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[3], DType::I32);
    let op = crate::ops::find("fill").expect("an operator");
    let options = [("value", 2.5.into()), ("dtype", "i32".into())];
    let half = n.graph.call(op, &options, &[], None).expect("a constant")[0];
    let y = n.call("add", &[], &[x, half]);
    let g = after(n, &[y], simplify);
    assert_eq!(ops(&g), ["fill", "add"], "2.5 is 2 as an i32, which the expression would not know");
}

#[test]
fn operands_that_give_the_shape_stay() {
    let mut n = Net::new("net");
    let x = n.graph.input("x", crate::shape::Shape::of(&[3, 1]), DType::F32);
    let op = crate::ops::find("fill").expect("an operator");
    let options = [("value", 0.0.into()), ("shape", list(&[3, 4]))];
    let zeros = n.graph.call(op, &options, &[], None).expect("a constant")[0];
    let y = n.call("add", &[], &[x, zeros]);
    assert_eq!(n.text(y), "[3, 4]");
    let g = after(n, &[y], simplify);
    assert_eq!(ops(&g), ["fill", "add"], "x alone is [3, 1]");
}

#[test]
fn views_and_transposes_collapse() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[3, 4], DType::F32);
    let a = n.call("flatten", &[], &[x]);
    let b = n.call("expand_dims", &[("axis", 1.into())], &[a]);
    let c = n.call("squeeze", &[], &[b]);
    let d = n.call("reshape", &[("shape", list(&[-1, 3, 4]))], &[c]);
    let e = n.call("transpose", &[("axes", list(&[2, 0, 1]))], &[d]);
    let f = n.call("transpose", &[("axes", list(&[1, 2, 0]))], &[e]);
    let y = n.call("tanh", &[], &[f]);
    let g = after(n, &[y], simplify);
    assert_eq!(ops(&g), ["tanh"], "{g}");

    let mut n = Net::new("net");
    let x = n.batch("x", &[3, 4], DType::F32);
    let e = n.call("transpose", &[("axes", list(&[2, 0, 1]))], &[x]);
    let y = n.call("transpose", &[("axes", list(&[2, 0, 1]))], &[e]);
    let text = n.text(y);
    let g = after(n, &[y], simplify);
    assert_eq!(ops(&g), ["transpose"]);
    assert_eq!(g.value(g.outputs[0]).shape.display(&g.symbols).to_string(), text);
    assert_eq!(last_inputs(&g), ["x"]);
}

#[test]
fn nothing_is_reduced_over_one_element() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[1, 4], DType::F32);
    let a = n.call("sum", &[("axes", list(&[1])), ("keepdims", true.into())], &[x]);
    let b = n.call("max", &[("axes", list(&[1]))], &[a]);
    let g = after(n, &[b], simplify);
    assert_eq!(ops(&g), ["reshape"], "{g}");
    assert_eq!(last_inputs(&g), ["x"]);
}

#[test]
fn a_bias_that_is_normalised_away_has_the_gradient_zero() {
    let sum_of = |axes: &[i64]| {
        let mut n = Net::new("net");
        let x = n.batch("x", &[4, 3, 3], DType::F32);
        let dy = n.batch("dy", &[4, 3, 3], DType::F32);
        let c = |n: &mut Net, name| n.graph.param(name, crate::shape::Shape::of(&[4]), DType::F32);
        let (gamma, mean, inv_std) = (c(&mut n, "gamma"), c(&mut n, "mean"), c(&mut n, "inv_std"));
        let dx = n.call("batch_norm_backward", &[], &[x, gamma, mean, inv_std, dy]);
        let sum = n.call("sum", &[("axes", list(axes))], &[dx]);
        ops(&after(n, &[sum], simplify))
    };
    assert_eq!(sum_of(&[0, 2, 3]), ["fill"]);
    assert_eq!(sum_of(&[2, 3]), ["batch_norm_backward", "sum"]);
    assert_eq!(sum_of(&[0, 1, 2, 3]), ["batch_norm_backward", "sum"]);
}

#[test]
fn consumers_read_through_repetitions() {
    // The gradient of a mean over axis 1 in front of a product: nothing of the long shape is made but the product.
    let mut n = Net::new("net");
    let x = n.batch("x", &[5], DType::F32);
    let w = n.graph.param("w", crate::shape::Shape::of(&[5]), DType::F32);
    let a = n.call("mul", &[], &[x, w]);
    let m = n.call("mean", &[("axes", list(&[1]))], &[a]);
    n.graph.outputs = alloc::vec![m];
    n.graph.settle();
    crate::grad::backward(&mut n.graph, &[w]).expect("differentiable");
    let mut g = n.graph;
    let long = |g: &Graph| {
        let text = |v: &ValueId| g.value(*v).shape.display(&g.symbols).to_string();
        g.nodes
            .iter()
            .filter(|n| n.backward)
            .filter(|n| n.outputs.iter().any(|o| text(o) == "[N, 5]"))
            .count()
    };
    assert_eq!(long(&g), 2, "{g}");
    Passes { reduce: false, ..Passes::ALL }.run(&mut g);
    assert_eq!(long(&g), 1, "{g}");
    // And not even that where the sum evaluates it.
    fuse_reductions(&mut g);
    dce(&mut g);
    assert_eq!(long(&g), 0, "{g}");
}

#[test]
fn equal_operations_are_one() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[4], DType::F32);
    let (a, b) = (n.call("tanh", &[], &[x]), n.call("tanh", &[], &[x]));
    let (c, d) = (n.call("exp", &[], &[a]), n.call("exp", &[], &[b]));
    let y = n.call("add", &[], &[c, d]);
    let (s, t) =
        (n.call("dropout", &[("p", 0.5.into())], &[y]), n.call("dropout", &[("p", 0.5.into())], &[y]));
    let z = n.call("sub", &[], &[s, t]);
    let g = after(n, &[z], cse);
    assert_eq!(ops(&g), ["tanh", "exp", "add", "dropout", "dropout", "sub"], "{g}");
    assert_eq!(g.layers[1].outputs, g.layers[0].outputs, "both layers have the result");
}

#[test]
fn states_are_updated_once_per_layer() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[4], DType::F32);
    let (a, b) = (n.call("batch_norm", &[], &[x]), n.call("batch_norm", &[], &[x]));
    let y = n.call("add", &[], &[a, b]);
    let g = after(n, &[y], cse);
    assert_eq!(ops(&g), ["batch_norm", "batch_norm", "add"]);
}

#[test]
fn what_nobody_needs_goes_and_states_stay() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[4], DType::F32);
    let unused = n.batch("unused", &[4], DType::F32);
    let dead = n.call("tanh", &[], &[unused]);
    n.call("exp", &[], &[dead]);
    let state = n.call("batch_norm", &[], &[x]);
    n.call("exp", &[], &[state]);
    let y = n.relu(x);
    let g = after(n, &[y], |_| {});
    assert_eq!(ops(&g), ["batch_norm", "relu"]);
    assert!(g.values.iter().all(|v| v.name != "unused"));
    assert!(g.layers[0].outputs.is_empty());
}

#[test]
fn chains_become_one_operation_of_the_last_layer() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[4, 5], DType::F32);
    let b = n.graph.param("b", crate::shape::Shape::of(&[4, 1]), DType::F32);
    let a = n.call("tanh", &[], &[x]);
    let a = n.call("add", &[], &[a, b]);
    let a = n.call("mul", &[], &[a, x]);
    let y = n.call("sigmoid", &[], &[a]);
    let g = after(n, &[y], fuse);
    assert_eq!(ops(&g), ["map"], "{g}");
    assert_eq!(g.layers[g.nodes[0].layer.index()].op.schema().name, "sigmoid");
    assert_eq!(last_inputs(&g).len(), 2);
}

#[test]
fn nothing_is_computed_twice() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[4], DType::F32);
    let narrow = n.call("mean", &[("axes", list(&[1])), ("keepdims", true.into())], &[x]);
    let e = n.call("exp", &[], &[narrow]);
    let y = n.call("mul", &[], &[x, e]);
    let shared = n.call("tanh", &[], &[y]);
    let (p, q) = (n.call("exp", &[], &[shared]), n.call("log", &[], &[shared]));
    let g = after(n, &[p, q], fuse);
    // `exp` of one element per row, `tanh` for two readers.
    assert_eq!(ops(&g), ["mean", "exp", "map", "exp", "log"], "{g}");
}

#[test]
fn the_backward_pass_keeps_what_it_reads() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[4], DType::F32);
    let w = n.graph.param("w", crate::shape::Shape::of(&[4]), DType::F32);
    let a = n.call("mul", &[], &[x, w]);
    let t = n.call("tanh", &[], &[a]);
    let e = n.call("exp", &[], &[t]);
    let y = n.call("sum", &[], &[e]);
    n.graph.outputs = alloc::vec![y];
    n.graph.settle();
    crate::grad::backward(&mut n.graph, &[w]).expect("differentiable");
    let mut g = n.graph;
    Passes { reduce: false, ..Passes::ALL }.run(&mut g);
    // tanh' reads its result and exp' its own: both stay; the product merges, and the whole of the backward chain does.
    let forward: Vec<_> = g.nodes.iter().filter(|n| !n.backward).map(|n| n.op.schema().name).collect();
    assert_eq!(forward, ["map", "exp", "sum"], "{g}");
    let maps = g.nodes.iter().filter(|n| n.backward && n.op.schema().name == "map").count();
    assert_eq!(maps, 1, "{g}");
}

#[test]
fn operands_do_not_wait_in_more_memory_than_the_result() {
    // `a · b` would have to wait as `a` and `b` while the convolution runs.
    let mut n = Net::new("net");
    let x = n.batch("x", &[3, 8, 8], DType::F32);
    let a = n.conv(x, 4, 1, 1, 0, false);
    let b = n.conv(x, 4, 1, 1, 0, false);
    let p = n.call("mul", &[], &[a, b]);
    let c = n.conv(x, 4, 1, 1, 0, false);
    let y = n.call("add", &[], &[p, c]);
    let g = after(n, &[y], fuse);
    assert_eq!(ops(&g), ["conv2d", "conv2d", "mul", "conv2d", "add"], "{g}");

    // One operand of the same size may wait, and so may any number when nothing else is made meanwhile.
    let mut n = Net::new("net");
    let x = n.batch("x", &[3, 8, 8], DType::F32);
    let a = n.conv(x, 4, 1, 1, 0, false);
    let t = n.call("tanh", &[], &[a]);
    let b = n.conv(x, 4, 1, 1, 0, false);
    let p = n.call("mul", &[], &[t, b]);
    let y = n.relu(p);
    let g = after(n, &[y], fuse);
    assert_eq!(ops(&g), ["conv2d", "conv2d", "map"], "{g}");
}

#[test]
fn merged_operations_stay_small() {
    let mut n = Net::new("net");
    let mut sum = n.batch("x0", &[4], DType::F32);
    for i in 1..20 {
        let x = n.batch(&alloc::format!("x{i}"), &[4], DType::F32);
        sum = n.call("add", &[], &[sum, x]);
    }
    let g = after(n, &[sum], fuse);
    assert_eq!(g.nodes.len(), 3, "{g}");
    assert!(g.nodes.iter().all(|n| n.inputs.len() <= 8));
}

#[test]
fn prediction_drops_what_only_training_needs() {
    let mut g = crate::testnets::inception();
    predict(&mut g).expect("has a form for prediction");
    verify(&g).unwrap_or_else(|e| panic!("{e}\n{g}"));
    let names = ops(&g);
    assert!(!names.contains(&"dropout") && !names.contains(&"softmax_cross_entropy"), "{g}");
    assert_eq!(names.iter().filter(|n| **n == "softmax").count(), 2);
    assert!(g.values.iter().all(|v| v.name != "label"));
    assert_eq!(g.outputs.len(), 2, "one output that depends on two losses becomes what they predict");
    assert_eq!(g.outputs, g.predictions);

    let mut g = crate::testnets::resnet20();
    let names = |g: &Graph| g.layers[1].outputs.first().map(|o| g.value(*o).name.clone());
    assert_eq!(names(&g).as_deref(), Some("batchnorm0_output"));
    predict(&mut g).expect("has a form for prediction");
    assert_eq!(names(&g).as_deref(), Some("batchnorm0_output"), "results keep their names");
    assert!(ops(&g).contains(&"batch_norm_infer"));
}

#[test]
fn training_takes_predictions_from_the_losses() {
    let mut g = crate::testnets::inception();
    let nodes = g.nodes.len();
    predictions(&mut g).expect("losses");
    assert_eq!(g.nodes.len(), nodes, "nothing is computed twice");
    let names: Vec<_> = g.predictions.iter().map(|p| g.value(*p).name.clone()).collect();
    assert_eq!(names, ["softmax_cross_entropy0_prob", "softmax_cross_entropy1_prob"]);
}

#[test]
fn every_pass_can_be_left_out() {
    for (_, net) in crate::testnets::ALL {
        let size = |passes: Passes| {
            let passes = Passes { verify: true, ..passes };
            crate::compile::prediction_graph(net(), &passes).expect("has a form for prediction");
            let (graph, _) = crate::compile::training_graph(net(), &passes).expect("differentiable");
            graph.nodes.len()
        };
        let (most, least) = (size(Passes::NONE), size(Passes::ALL));
        for name in Passes::NAMES {
            let some = size(Passes::ALL.switched(&format!("-{name}")).expect("a name of the list"));
            assert!((least..=most).contains(&some), "without {name}: {some}, {least} to {most}");
        }
    }
}

#[test]
fn a_reduction_evaluates_what_nobody_else_reads() {
    let mut n = Net::new("net");
    let (a, b) = (n.batch("a", &[40], DType::F32), n.batch("b", &[40], DType::F32));
    let d = n.call("sub", &[], &[a, b]);
    let s = n.call("square", &[], &[d]);
    let y = n.call("mean", &[("axes", list(&[1])), ("keepdims", true.into())], &[s]);
    let both = |g: &mut Graph| {
        fuse(g);
        dce(g);
        fuse_reductions(g);
    };
    let g = after(n, &[y], both);
    assert_eq!((ops(&g), last_inputs(&g)), (alloc::vec!["map_reduce"], alloc::vec!["a", "b"]), "{g}");
    assert_eq!(g.value(g.outputs[0]).shape.display(&g.symbols).to_string(), "[N, 1]");
}

#[test]
fn what_others_read_is_made_for_the_reduction_too() {
    let mut n = Net::new("net");
    let a = n.batch("a", &[40], DType::F32);
    let s = n.call("square", &[], &[a]);
    let y = n.call("sum", &[], &[s]);
    let g = after(n, &[y, s], fuse_reductions);
    assert_eq!(ops(&g), ["square", "sum"], "{g}");
    // Twice by the same reader is one reader; but integers are not summed by this kernel.
    let mut n = Net::new("net");
    let a = n.batch("a", &[40], DType::I32);
    let s = n.call("square", &[], &[a]);
    let y = n.call("sum", &[], &[s]);
    let g = after(n, &[y], fuse_reductions);
    assert_eq!(ops(&g), ["square", "sum"], "{g}");
}

#[test]
fn short_runs_are_reduced_from_memory() {
    for (axes, last, fused) in [
        // Rows, of any length.
        (&[2][..], 5, true),
        (&[1, 2], 5, true),
        // Columns, where several rows fit into a run.
        (&[0], 5, true),
        (&[0], 50, false),
        // Parts of rows, where they are long.
        (&[0, 2], 5, false),
        (&[0, 2], 300, true),
        (&[1], 300, false),
    ] {
        let mut n = Net::new("net");
        let a = n.batch("a", &[7, last], DType::F32);
        let s = n.call("square", &[], &[a]);
        let y = n.call("max", &[("axes", list(axes))], &[s]);
        let g = after(n, &[y], fuse_reductions);
        assert_eq!(g.nodes.len() == 1, fused, "{axes:?} of [N, 7, {last}]: {g}");
    }
}

#[test]
fn fusion_never_needs_more_memory() {
    for (name, net) in crate::testnets::ALL {
        for train in [true, false] {
            let bytes = |passes: &Passes| {
                let program = match train {
                    true => crate::compile::train_with(net(), passes),
                    false => crate::compile::predict_with(net(), passes),
                };
                let program = program.expect("compiles");
                let symbols = program.bind_symbols(&[("N", 8)]).expect("fits");
                crate::memory::plan(&program.problem(&symbols), crate::memory::Strategy::Best).bytes
            };
            let (all, none) = (bytes(&Passes::ALL), bytes(&Passes { fuse: false, ..Passes::ALL }));
            assert!(all <= none + none / 100, "{name}: {all} bytes with fusion, {none} without");
        }
    }
}

#[test]
fn broadcasting_covers() {
    let mut n = Net::new("net");
    let x = n.batch("x", &[3, 1], DType::F32);
    let y = n.graph.input("y", crate::shape::Shape::of(&[4]), DType::F32);
    let symbol = Dim::symbol(n.graph.symbols.named("N"));
    let shape =
        |last: usize| crate::shape::Shape(alloc::vec![symbol.clone(), Dim::Const(3), Dim::from(last)]);
    assert!(covers(&n.graph, &[x, y], &shape(4)));
    assert!(!covers(&n.graph, &[x], &shape(4)));
    assert!(covers(&n.graph, &[x], &shape(1)));
    assert!(!covers(&n.graph, &[y], &shape(4)));
    assert!(!covers(&n.graph, &[], &shape(1)));
}
