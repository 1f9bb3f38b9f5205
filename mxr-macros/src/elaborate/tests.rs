//! Networks laid out, and their faults.

use crate::elaborate;
use crate::errors::Faults;
use mxr_graph::graph::{Graph, Source};
use proc_macro2::TokenStream;
use std::str::FromStr;

/// The last network of a source, and every fault as `first line @ first token..last token`, with help and notes.
fn lay_out(text: &str) -> (Graph, Vec<String>) {
    let mut faults = Faults::default();
    let source = crate::parse::source(TokenStream::from_str(text).expect("balanced tokens"), &mut faults);
    elaborate::items(&source, &mut faults);
    let mut graph = Graph::default();
    for item in &source.fns {
        if item.is_network() {
            graph = elaborate::network(&source, item, &mut faults).graph;
        }
    }
    let show = |f: &crate::errors::Fault| {
        let token = |s: proc_macro2::Span| s.source_text().unwrap_or_default();
        let (first, rest) = f.text.split_once('\n').unwrap_or((&f.text, ""));
        format!("{first} @ {}..{}|{rest}", token(f.at.first), token(f.at.last))
    };
    (graph, faults.list().iter().map(show).collect())
}

fn graph(text: &str) -> Graph {
    let (graph, faults) = lay_out(text);
    assert_eq!(faults, [""; 0], "{text}");
    graph
}

/// The faults of a network over `data: [N, 3, 32, 32]` and `label: [N]`.
fn faults(body: &str) -> Vec<String> {
    lay_out(&format!("fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {{ {body} }}")).1
}

fn layer_names(graph: &Graph) -> Vec<&str> {
    graph.layers.iter().map(|l| l.name.as_str()).collect()
}

fn shape_of(graph: &Graph, name: &str) -> String {
    let value = graph.values.iter().find(|v| v.name == name).unwrap_or_else(|| panic!("{name} in\n{graph}"));
    value.shape.display(&graph.symbols).to_string()
}

#[test]
fn lenet_has_mxnets_names_and_counts() {
    let g = graph(
        "pub fn LeNet(data: Tensor<N, 1, 28, 28>, label: Tensor<N, i64>) {
            let conv1 = conv2d(data, 20, kernel = 5);
            let pool1 = max_pool(tanh(conv1), kernel = 2, stride = 2);
            let fc1 = pool1.flatten().dense(500);
            let fc2 = dense(tanh(fc1), 10);
            softmax_cross_entropy(fc2, label)
        }",
    );
    let params: Vec<&str> =
        g.values.iter().filter(|v| v.source == Source::Param).map(|v| v.name.as_str()).collect();
    assert_eq!(params, ["conv1_weight", "conv1_bias", "fc1_weight", "fc1_bias", "fc2_weight", "fc2_bias"]);
    assert_eq!(shape_of(&g, "fc1_weight"), "[500, 2880]");
    assert_eq!(layer_names(&g)[..3], ["conv1", "activation0", "pool1"]);
}

#[test]
fn blocks_loops_and_choices() {
    let g = graph(
        "const WIDTH: usize = 16;
        fn conv_bn(x: Tensor, filters: usize, stride: usize) {
            batch_norm(conv2d(x, filters, kernel = 3, stride = stride, pad = 1, bias = false))
        }
        fn basic(x: Tensor<N, C, _, _>, filters: usize, stride: usize) {
            let a = relu(conv_bn(x, filters, stride));
            let shortcut = if stride != 1 || filters != C { conv2d(x, filters, kernel = 1, stride = stride) } else { x };
            relu(conv_bn(a, filters, 1) + shortcut)
        }
        fn Net(data: Tensor<N, 3, 32, 32>) {
            let x = conv_bn(data, WIDTH, 1);
            for (filters, stride) in [(WIDTH, 1), (2 * WIDTH, 2)] {
                x = basic(x, filters, stride = stride);
                for i in 0..2 { let c = conv2d(x, filters, kernel = 3, pad = same); x += 0.5 * c; }
            }
            let (left, right) = split(x, 2);
            (left.global_avg_pool(), -right)
        }",
    );
    let names = layer_names(&g);
    assert_eq!(names[..2], ["x_convolution0", "x"]);
    for name in
        ["basic0_a", "basic0", "c_0_0", "c_0_1", "basic1_shortcut", "c_1_1", "basic1_conv_bn0_convolution0"]
    {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(!names.contains(&"basic0_shortcut"));
    assert_eq!(g.outputs.len(), 2);
    assert_eq!(g.value(g.outputs[1]).shape.display(&g.symbols).to_string(), "[N, 16, 16, 16]");
}

#[test]
fn symbols_and_holes() {
    let g = graph(
        "fn Lm(words: Tensor<f32, N, T, { 2 * 8 }>, next: Tensor![N * T, 5]) {
            let h = reshape(words, [N * T, _]);
            let s = dense(h, _) - next;
            reshape(s, [N, 5 * T])
        }",
    );
    let weight = g.values.iter().find(|v| v.source == Source::Param).expect("a weight");
    assert_eq!(weight.shape.display(&g.symbols).to_string(), "[5, 16]");
    assert_eq!(g.symbols.list().iter().filter(|s| s.name != "_").count(), 2);
}

#[test]
fn every_fault_is_on_its_token() {
    for (body, want) in [
        (
            "conv2d(data, 20, kernal = 5)",
            "conv2d has no option `kernal` @ kernal..kernal|  = help: did you mean `kernel`?",
        ),
        ("relu(dat)", "there is no layer or input `dat` here @ dat..dat|  = help: did you mean `data`?"),
        (
            "data.rellu()",
            "there is no operator or block `rellu` @ rellu..rellu|  = help: did you mean `relu`?",
        ),
        (
            "Conv2D(data, 5)",
            "there is no operator or block `Conv2D` @ Conv2D..Conv2D|  = help: did you mean `conv2d`?",
        ),
        (
            "Linear(data, 5)",
            "there is no operator or block `Linear` @ Linear..Linear|  = help: it is called `dense` here",
        ),
        ("x = relu(data); data", "there is no `x` here to assign to @ x..x|"),
        ("relu(3)", "`x` of relu is a tensor, this is the integer 3 @ 3..3|"),
        ("relu(data, label)", "relu takes 1 argument without a name: `x` @ label..label|"),
        (
            "conv2d(data, 20, 5)",
            "conv2d takes 2 arguments without a name: `x` and `filters` @ 5..5|  = help: name it: `kernel = 5`",
        ),
        ("conv2d(data, 20, kernel = 5, kernel = 3)", "`kernel` of conv2d is given twice @ kernel..3|"),
        (
            "conv2d(data, 20, kernel = 2.5)",
            "conv2d: `kernel` must be an integer of at least 1, or (height, width), not 2.5 @ 2.5..2.5|",
        ),
        (
            "conv2d(data, 20, kernel = data)",
            "`kernel` of conv2d is an option, this is a tensor of [N, 3, 32, 32] @ data..data|",
        ),
        ("max_pool(data, kernel = 2, rounding = ceel)", "max_pool: `rounding` must be one of"),
        ("reshape(data, [M, 3])", "there is no symbol `M` here @ M..M|  = help: the signature declares `N`"),
        ("data + same", "there is no layer or input `same` here @ same..same|"),
        ("2 * 1.5 * data", "an integer and a number with a point cannot be mixed @ 2..2|  = help: write 2.0"),
        ("label * 1.5", "the tensor holds i64, 1.5 is not an integer @ 1.5..1.5|"),
        ("let (a, b) = split(data, 3); a + b", "this gives 3 values, 2 names are to be bound @ split..)|"),
        ("let (a, b) = relu(data); a + b", "this is a tensor of [N, 3, 32, 32], not a tuple of 2 @ relu..)|"),
        ("for i in 0..N { } data", "a loop cannot run to the dimension N @ 0..N|"),
        (
            "for i in data { } data",
            "a loop runs over a range or a list, this is a tensor of [N, 3, 32, 32] @ data..data|",
        ),
        (
            "if N == 3 { data } else { data }",
            "whether N == 3 is known only when the network is bound @ N..3|",
        ),
        (
            "if data { data } else { data }",
            "a condition is `true` or `false`, this is a tensor of [N, 3, 32, 32] @ data..data|",
        ),
        ("let a = relu(data);", "`Net` has no result @ }..}|"),
        ("relu(data);", "the value of this expression is not used @ relu..)|"),
        ("3", "a network returns tensors, this is the integer 3 @ 3..3|"),
        ("(data, 3)", "a network returns tensors, this is the integer 3 @ 3..3|"),
        ("relu", "`relu` is not called @ relu..relu|  = help: `relu(…)`"),
        ("for i in 0..1000000 { x = 3; } data", "there is no `x` here to assign to"),
        ("for i in 0..1000000 { relu(data); } data", "the value of this expression"),
    ] {
        let have = faults(body);
        assert!(have.first().is_some_and(|f| f.starts_with(want)), "{body}: {have:#?}");
        let few = if body.starts_with("for") || body.ends_with(';') { 2 } else { 1 };
        assert!(have.len() <= few, "{body}: {have:#?}");
    }
}

#[test]
fn blocks_are_held_against_their_signature() {
    let with = |call: &str| {
        let text = format!(
            "fn block(x: Tensor<_, C, H, H>, scale: f32, filters: usize, mode: &str) {{
                max_pool(conv2d(scale * x, filters, kernel = H), kernel = 1, rounding = mode)
            }}
            fn again(x: Tensor) {{ other(x) }}
            fn other(x: Tensor) {{ again(x) }}
            fn Other(x: Tensor<N>) {{ x }}
            fn Net(data: Tensor<N, 3, 8, 8>, flat: Tensor<N, 4>, wide: Tensor<N, 3, 8, 9>) {{ {call} }}"
        );
        lay_out(&text).1
    };
    assert_eq!(with("block(data, 1.0, 5, ceil)"), [""; 0]);
    for (call, want) in [
        (
            "block(data, 1, 5, floor)",
            "`scale` is a number with a point, this is the integer 1 @ 1..1|  = help: write 1.0",
        ),
        ("block(data, 1.0, 5)", "block `block` needs `mode` @ block..block|"),
        ("block(data, 1.0, 5, floor, 6)", "block `block` takes 4 arguments @ 6..6|"),
        (
            "block(data, 1.0, filter = 5, mode = floor)",
            "block `block` has no input `filter` @ filter..filter|  = help: did you mean `filters`?",
        ),
        ("block(flat, 1.0, 5, floor)", "`x` has 4 axes, this is [N, 4] of 2 @ flat..flat|"),
        ("block(wide, 1.0, 5, floor)", "axis 3 of `x` must be 8, it is 9 @ wide..wide|"),
        ("block(data, 1.0, 5, flor)", "max_pool: `rounding` must be one of"),
        ("again(data)", "block `again` calls itself: again → other → again @ again..again|"),
        ("Other(data)", "`x` has 1 axes, this is [N, 3, 8, 8] of 4 @ data..data|"),
    ] {
        let have = with(call);
        assert!(have.len() == 1 && have[0].starts_with(want), "{call}: {have:#?}");
    }
}

#[test]
fn a_block_that_calls_itself_ends_by_a_constant() {
    let source = |body: &str, call: &str| {
        format!(
            "fn nest(x: Tensor, depth: usize) {{ {body} }}
             fn Net(data: Tensor<N, 3, 32, 32>) {{ {call} }}"
        )
    };
    let level = "let here = conv2d(x, 4, kernel = 3, pad = 1);
                 if depth == 0 { here } else {
                     let below = nest(max_pool(here, kernel = 2, stride = 2), depth - 1);
                     concat(flatten(here), flatten(below))
                 }";
    let g = graph(&source(level, "let top = nest(data, 2); top"));
    let convs: Vec<&str> = layer_names(&g).into_iter().filter(|n| n.ends_with("here")).collect();
    assert_eq!(convs, ["top_here", "top_below_here", "top_below_below_here"]);
    // As deep as it may go, and one deeper.
    let deep = "if depth == 0 { x } else { relu(nest(x, depth - 1)) }";
    assert_eq!(lay_out(&source(deep, "nest(data, 31)")).1, [""; 0]);
    let faults = lay_out(&source(deep, "nest(data, 32)")).1;
    assert!(
        faults.len() == 1 && faults[0].starts_with("block `nest` calls itself: nest → nest"),
        "{faults:#?}"
    );
    // Calls that double at each depth are told of once.
    let faults = lay_out(&source("nest(x, depth) + nest(x, depth)", "nest(data, 1)")).1;
    assert!(faults.len() == 1 && faults[0].starts_with("block `nest` calls itself"), "{faults:#?}");
    // Nobody calls it, so the depth is not known; nor is a condition that is no constant, which is the only fault.
    let text =
        format!("fn nest(x: Tensor, depth: usize) {{ {level} }} fn Net(data: Tensor<N, 3>) {{ relu(data) }}");
    let mut told = Faults::default();
    let read = crate::parse::source(TokenStream::from_str(&text).expect("balanced tokens"), &mut told);
    elaborate::block(&read, &read.fns[0], &mut told);
    assert_eq!(told.len(), 0, "{:#?}", told.list());
    let faults = lay_out(&source("if x { x } else { nest(x, depth) }", "nest(data, 1)")).1;
    assert!(faults.len() == 1 && faults[0].starts_with("a condition is"), "{faults:#?}");
}

#[test]
fn rounds_of_a_loop_gather_tensors_in_a_list() {
    let g = graph(
        "fn cell(x: Tensor, state: Tensor) {
            let next = tanh(dense(x, 8) + dense(state, 8));
            (next + 1.0, next)
        }
        fn Net(data: Tensor<3, N, 4>, state: Tensor<N, 8>) {
            let step = cell::new();
            let all = [];
            for t in 0..3 {
                let x = reshape(slice_axis(data, 0, t, t + 1), [N, 4]);
                let (out, new) = step(x, state);
                state = new;
                all += [out];
            }
            let both = all + [state];
            dense(concat(both, axis = 0), 2)
        }",
    );
    assert_eq!(shape_of(&g, "fullyconnected0_weight"), "[2, 8]");
    let shown = g.to_string();
    assert!(shown.contains("[4*N, 8]"), "{shown}");
    let faults = faults("let all = [1, 2] - [1]; dense(flatten(data), all)");
    assert!(
        faults.len() == 1 && faults[0].starts_with("`-` cannot combine a list and a list"),
        "{faults:#?}"
    );
}

#[test]
fn what_a_broken_instance_is_called_with_is_no_second_fault() {
    let faults = faults("let score = dense::new(10); score(flatten(data)) + score(oops)");
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(
        faults[0].starts_with("`dense` is an operator, only blocks have `new` @ dense..dense"),
        "{faults:#?}"
    );
    assert!(faults[1].starts_with("there is no layer or input `oops`"), "{faults:#?}");
}

#[test]
fn a_fault_in_a_block_says_for_which_call() {
    let (_, faults) = lay_out(
        "fn block(x: Tensor, kernel: usize) { conv2d(x, 8, kernel = kernel) }
         fn Net(data: Tensor<N, 3, 8, 8>) { block(block(data, 3), kernel = 7) + relu(oops) }",
    );
    assert_eq!(faults.len(), 2, "{faults:#?}");
    assert!(faults[0].contains("kernel 7"), "{faults:#?}");
    assert!(faults[0].contains("note: in `block(x = [N, 8, 6, 6], kernel = 7)`"), "{faults:#?}");
    assert!(faults[0].contains("@ kernel..kernel|"), "{faults:#?}");
}

#[test]
fn one_root_cause_one_message() {
    let have = faults(
        "let a = conv2d(data, 8, kernel = 99);
         let b = relu(a) + data;
         let c = dense(b, 10, unit = 3);
         let d = reshape(data, [N, 7]);
         (softmax_cross_entropy(c, label), d)",
    );
    assert_eq!(have.len(), 3, "{have:#?}");
    assert!(have[1].starts_with("dense has no option `unit` @ unit..unit|"), "{have:#?}");
    assert!(have[2].contains("3072*N"), "{have:#?}");
}

#[test]
fn values_without_names_are_spoken_of_by_their_operator() {
    let have = faults("relu(data) + global_avg_pool(conv2d(data, 7, kernel = 3))");
    assert!(have[0].contains("the result of `relu` is [N, 3, 32, 32]"), "{have:#?}");
    assert!(have[0].contains("@ relu..)|"), "{have:#?}");
}

#[test]
fn a_parameter_of_a_layer_can_be_used_again() {
    let g = graph(
        "fn half(x: Tensor) { let fc = dense(tanh(x), 8); relu(fc) }
        fn Net(data: Tensor<N, 8>) {
            let fc1 = dense(data, 8);
            let fc2 = dense(half(fc1), 8, weight = fc1.weight, bias = fc1.bias);
            let norm = batch_norm(fc2);
            matmul(norm * norm.gamma, data.dense(8).weight)
        }",
    );
    let params: Vec<&str> =
        g.values.iter().filter(|v| v.source == Source::Param).map(|v| v.name.as_str()).collect();
    assert_eq!(
        params,
        [
            "fc1_weight",
            "fc1_bias",
            "half0_fc_weight",
            "half0_fc_bias",
            "norm_gamma",
            "norm_beta",
            "fullyconnected0_weight",
            "fullyconnected0_bias"
        ]
    );
    let fc2 = g.layers.iter().find(|l| l.name == "fc2").expect("a layer");
    let weight = g.value(fc2.inputs[1]).name.as_str();
    assert_eq!((weight, g.value(fc2.inputs[2]).name.as_str()), ("fc1_weight", "fc1_bias"));
}

#[test]
fn parameters_that_are_not_there_are_named() {
    for (body, told) in [
        (
            "let fc = dense(flatten(data), 4); dense(flatten(data), 4, weight = fc.wieght)",
            "`fc` is the result of dense, which has no `wieght` @ wieght..wieght|  = help: did you mean `weight`?",
        ),
        (
            "let fc = dense(flatten(data), 4); dense(flatten(data), 4, weight = fc.kernel)",
            "`fc` is the result of dense, which has no `kernel` @ kernel..kernel|  = help: it has `weight` and `bias`",
        ),
        (
            "let fc = relu(dense(flatten(data), 4)); matmul(fc, fc.weight)",
            "`fc` is the result of relu, which has no `weight` @ weight..weight|  = help: a name stands for the \
             outermost call that is bound to it; bind the layer that has the parameter by itself: `let fc = dense(…);`",
        ),
        (
            "dense(flatten(data), 4, weight = data.weight)",
            "`data` is no layer, it has no `weight` @ weight..weight|  = help: the parameters of a layer are \
             `layer.weight`, `layer.bias` and so on",
        ),
        (
            "let n = 3; dense(flatten(data), n.weight)",
            "only a layer has parameters, this is the integer 3 @ weight..weight|",
        ),
        (
            "let fc = dense(flatten(data), 4); let tied = dense(fc, 4, weight = fc.weight); tied",
            "`tied`: dense",
        ),
    ] {
        let all = faults(body);
        let first = all.first().unwrap_or_else(|| panic!("{body} has no fault"));
        assert!(first.starts_with(told) && all.len() == 1, "{body}: {all:?}");
    }
}
