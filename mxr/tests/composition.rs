//! Networks put together from parts, held against the same networks as symbols, bit by bit.

use mxr::init::Xavier;
use mxr::optimizer::{Sgd, Updater};
use mxr::{BindOptions, DType, Executor, GradReq, Mode, NDArray, Network, Symbol, Training, opts};

mxr::network!(
    const SLOW: f32 = 0.25;

    #[no_decay]
    fn stage(x: Tensor, filters: usize) {
        relu(batch_norm(conv2d(x, filters, kernel = 3, pad = 1)))
    }

    /// A part that is kept as it is, one that learns slowly, and a head.
    pub fn Tuned(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
        #[frozen]
        let x = stage(data, 4);
        #[lr(SLOW)]
        x = stage(x, 6);
        #[no_decay]
        let fc1 = tanh(dense(flatten(x), 8));
        #[lr(2.0 * SLOW)]
        let fc2 = dense(fc1, 3);
        softmax_cross_entropy(fc2, label)
    }

    /// The same without a word about training.
    pub fn Plain(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
        let x = stage(data, 4);
        x = stage(x, 6);
        let fc1 = tanh(dense(flatten(x), 8));
        let fc2 = dense(fc1, 3);
        softmax_cross_entropy(fc2, label)
    }
);

mxr::network!(
    const STAGES: [((usize, usize), f32); 2] = [((8, 1), 0.1), ((16, 2), 0.2)];

    #[defaults(kernel = 3, stride = 1, pad = kernel / 2, rounding = ceil)]
    fn unit(x: Tensor, filters: usize, kernel: usize, stride: usize, pad: usize, rounding: &str) {
        let a = conv2d(x, filters, kernel = kernel, stride = stride, pad = pad);
        max_pool(a, kernel = 2, rounding = rounding)
    }

    fn stack(x: Tensor, stages: [(usize, usize); 2]) {
        for ((filters, stride), p) in stages {
            x = dropout(unit(x, filters, stride = stride), p);
        }
        for (i, kernel) in [(0, 1), (1, 5)] {
            x = unit(x, 4 * (i + 1), kernel);
        }
        x
    }

    /// With loops over lists of options, and options left to their defaults.
    pub fn Short(data: Tensor<N, 3, 32, 32>) {
        let x = stack(data, STAGES);
        sum(x)
    }

    fn whole(x: Tensor) {
        x = dropout(unit(x, 8, 3, 1, 1, ceil), 0.1);
        x = dropout(unit(x, 16, 3, 2, 1, ceil), 0.2);
        x = unit(x, 4, 1, 1, 0, ceil);
        x = unit(x, 8, 5, 1, 2, ceil);
        x
    }

    /// The same with everything written out.
    pub fn Long(data: Tensor<N, 3, 32, 32>) {
        let x = whole(data);
        sum(x)
    }
);

/// Blocks and networks for others.
mod parts {
    pub(crate) mod blocks {
        mxr::network!(
            const SLOPE: f32 = 0.2;

            fn act(x: Tensor) {
                leaky_relu(x, slope = SLOPE)
            }

            /// Any width, any shape.
            #[defaults(kernel = 3)]
            pub fn residual(x: Tensor<N, C, H, W>, kernel: usize) {
                let a = act(batch_norm(conv2d(x, C, kernel = kernel, pad = kernel / 2)));
                act(conv2d(a, C, kernel = kernel, pad = kernel / 2) + x)
            }

            pub(crate) fn embed(x: Tensor<N, W>, width: usize) {
                let h = batch_norm(dense(x, width));
                tanh(dense(tanh(h), 4))
            }
        );
    }

    mxr::network!(
        use blocks::residual as unit;

        /// Features, by themselves a network, in others a layer.
        pub fn Backbone(data: Tensor<N, 3, S, S>) {
            let stem = conv2d(data, 4, kernel = 3, pad = 1);
            unit(unit(stem), kernel = 1)
        }
    );
}

mxr::network!(
    use parts::{Backbone, blocks::residual};

    const SLOPE: f32 = 9.0;

    /// What lies around is not seen inside of what was brought in.
    pub fn Classifier(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
        let features = Backbone(data);
        let more = residual(features);
        let scores = dense(global_avg_pool(more), 3);
        softmax_cross_entropy(leaky_relu(scores, slope = SLOPE), label)
    }
);

mxr::network!(
    fn act(x: Tensor) {
        leaky_relu(x, slope = 0.2)
    }

    fn residual(x: Tensor<N, C, H, W>, kernel: usize) {
        let a = act(batch_norm(conv2d(x, C, kernel = kernel, pad = kernel / 2)));
        act(conv2d(a, C, kernel = kernel, pad = kernel / 2) + x)
    }

    fn backbone(data: Tensor) {
        let stem = conv2d(data, 4, kernel = 3, pad = 1);
        residual(residual(stem, 3), 1)
    }

    /// `Classifier` in one place.
    pub fn Whole(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
        let features = backbone(data);
        let more = residual(features, 3);
        let scores = dense(global_avg_pool(more), 3);
        softmax_cross_entropy(leaky_relu(scores, slope = 9.0), label)
    }
);

mxr::network!(
    use parts::blocks::embed;

    /// Two inputs through one tower; two losses with weights.
    pub fn Siamese(left: Tensor<N, 6>, right: Tensor<N, 6>, label: Tensor<N, i64>, target: Tensor<N, 4>) {
        #[lr(0.5)]
        let tower = embed::new(width = 5);
        let a = tower(left);
        let b = right.tower();
        let scores = dense(concat(a, b), 3);
        let class = softmax_cross_entropy(scores, label);
        let near = mse_loss(a, target);
        (class + 0.25 * near, 0.5 * mean(square(a - b)), a)
    }

    fn step(h: Tensor, x: Tensor, width: usize) {
        tanh(dense(h, width) + dense(x, width, bias = false))
    }

    /// A recurrent network: one cell for all steps.
    pub fn Recurrent(data: Tensor<N, 12>) {
        let cell = step::new(3);
        let (first, second, third) = split(data, 3);
        let h = 0.0 * dense(first, 3);
        for x in [first, second, third] {
            h = cell(h, x);
        }
        sum(square(h))
    }
);

const BATCH: usize = 4;

fn image() -> (Symbol, Symbol) {
    let data = Symbol::input("data").shape(["N".into(), 3.into(), 8.into(), 8.into()]);
    (data, Symbol::input("label").dtype(DType::I64).shape(["N".into()]))
}

/// `Tuned` as symbols.
fn tuned() -> Symbol {
    let (data, label) = image();
    let stage = |x: &Symbol, name: &str, bn: &str, act: &str, filters: usize, how: Training| {
        let conv = opts::Conv2d::new().pad(1).name(name).lr_mult(how.lr_mult).wd_mult(0.0);
        let norm = opts::BatchNorm::new().name(bn).lr_mult(how.lr_mult).wd_mult(0.0);
        let (conv, norm) = if how.frozen { (conv.frozen(), norm.frozen()) } else { (conv, norm) };
        x.conv2d_with(filters, 3, conv).batch_norm_with(norm).relu_with(opts::Relu::new().name(act))
    };
    let frozen = Training { frozen: true, ..Training::DEFAULT };
    let slow = Training { lr_mult: 0.25, ..Training::DEFAULT };
    let x = stage(&data, "x_convolution0", "x_batchnorm0", "x", 4, frozen);
    let x = stage(&x, "stage0_convolution0", "stage0_batchnorm0", "stage0", 6, slow);
    let fc1 = x.flatten().dense_with(8, opts::Dense::new().wd_mult(0.0)).tanh();
    let fc2 = fc1.dense_with(3, opts::Dense::new().name("fc2").lr_mult(0.5));
    fc2.softmax_cross_entropy(&label)
}

fn bits(a: &NDArray) -> Vec<u32> {
    a.to_vec::<f32>().expect("computed").into_iter().map(f32::to_bits).collect()
}

fn feed(net: &Executor) {
    for name in net.input_names().map(str::to_string).collect::<Vec<_>>() {
        let a = net.input(&name).expect("its own input");
        let count: usize = a.shape().iter().product();
        let numbers: Vec<f32> = match a.dtype() {
            DType::I64 => (0..count).map(|i| (i % 3) as f32).collect(),
            _ => (0..count).map(|i| ((i * 37 + name.len() * 11) % 101) as f32 / 50.0 - 1.0).collect(),
        };
        let shape = a.shape().to_vec();
        net.set_input(&name, &NDArray::from_slice(&numbers, &shape).expect("as many")).expect("its shape");
    }
}

/// The weights by name after some steps, and before.
fn trained(net: &mut Executor) -> [Vec<(String, Vec<u32>)>; 2] {
    net.init(&Xavier::default(), 3).expect("floats");
    feed(net);
    let weights = |net: &Executor| net.params().map(|(n, a)| (n.to_string(), bits(a))).collect::<Vec<_>>();
    let before = weights(net);
    let mut updater = Updater::new(net, Sgd::new(0.1).momentum(0.9).weight_decay(0.01)).expect("f32");
    for _ in 0..3 {
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("follows a forward pass");
        updater.update();
    }
    [before, weights(net)]
}

/// The layers of the steps of the backward pass.
fn backward(net: &Executor) -> Vec<String> {
    let p = net.program(Mode::Train).expect("it is trained");
    p.steps[p.forward as usize..].iter().map(|s| p.layers[s.layer as usize].name.to_string()).collect()
}

#[test]
fn attributes_of_layers_are_those_of_symbols() {
    let mut net = Tuned::bind(BATCH).expect("small");
    let symbol = tuned().compile("tuned").expect("fits");
    assert_eq!(
        symbol.train.as_ref().map(|p| p.training.to_vec()),
        Tuned::PROGRAMS.train().map(|p| p.training.to_vec())
    );
    let mut other = Executor::bind_shared(symbol, &[("N", BATCH)], BindOptions::new()).expect("small");
    let [before, after] = trained(net.executor_mut());
    let [same, mut also] = trained(&mut other);
    assert_eq!(before, same);
    assert_eq!(after, also);
    // Another factor gives other numbers.
    let [_, plain] = trained(Plain::bind(BATCH).expect("small").executor_mut());
    also.retain(|(name, _)| name.starts_with("fc2"));
    assert!(also.iter().all(|w| !plain.contains(w)));
    for ((name, old), (_, new)) in before.iter().zip(&after) {
        // A bias in front of a normalisation has no gradient.
        let still = name.starts_with("x_") || name == "stage0_convolution0_bias";
        assert_eq!(old == new, still, "{name}");
    }
}

#[test]
fn the_backward_pass_ends_above_what_is_frozen() {
    let net = Tuned::bind(BATCH).expect("small");
    let own = |layers: Vec<String>| layers.iter().filter(|l| l.starts_with("x_") || *l == "x").count();
    assert_eq!(own(backward(&net)), 0);
    assert!(own(backward(&Plain::bind(BATCH).expect("small"))) > 0);
    assert!(Tuned::SUMMARY.train.flops.at(4) < Plain::SUMMARY.train.flops.at(4));
    assert!(Tuned::SUMMARY.train.planned.at(4) < Plain::SUMMARY.train.planned.at(4));
    assert_eq!(Tuned::PARAMETERS, Plain::PARAMETERS);
    // The gradient of the input goes through what is frozen, where it is asked for.
    let options = BindOptions::new().input_grad("data", GradReq::Write);
    let net = Tuned::bind_with(BATCH, options).expect("small");
    assert!(own(backward(&net)) > 0);
    assert_eq!(net.grad("data").expect("asked for").shape(), [4, 3, 8, 8]);
}

#[test]
fn frozen_weights_have_no_gradient_and_are_saved_like_others() {
    let mut net = Tuned::bind(BATCH).expect("small");
    let told = net.grad("x_convolution0_weight").err().map(|e| e.to_string());
    assert!(told.as_ref().is_some_and(|t| t.contains("frozen")), "{told:?}");
    let asked = BindOptions::new().grad("x_convolution0_weight", GradReq::Write);
    let told = Tuned::bind_with(BATCH, asked).err().map(|e| e.to_string());
    assert!(told.as_ref().is_some_and(|t| t.contains("frozen")), "{told:?}");
    assert_eq!(net.training("fc2_bias").expect("there"), Training { lr_mult: 0.5, ..Training::DEFAULT });

    trained(net.executor_mut());
    let file = std::env::temp_dir().join(format!("mxr_tuned_{}.params", std::process::id()));
    net.save_params(&file).expect("written");
    let mut plain = Plain::bind(BATCH).expect("small");
    plain.load_params(&file).expect("the same names and shapes");
    std::fs::remove_file(&file).expect("there");
    assert!(net.params().zip(plain.params()).all(|((_, a), (_, b))| bits(a) == bits(b)));
}

#[test]
fn defaults_and_lists_of_options_are_what_is_written_out() {
    let (short, long) = (Short::PROGRAMS.train().expect("trained"), Long::PROGRAMS.train().expect("trained"));
    assert_eq!(short.steps, long.steps);
    let shapes =
        |p: &mxr::graph::program::Program| p.values.iter().map(|v| v.shape.clone()).collect::<Vec<_>>();
    assert_eq!(shapes(short), shapes(long));
    assert_eq!(short.params.len(), 8);
}

#[test]
fn what_is_brought_in_is_what_is_written_in_place() {
    let (parts, whole) =
        (Classifier::PROGRAMS.train().expect("trained"), Whole::PROGRAMS.train().expect("trained"));
    assert_eq!(parts.steps, whole.steps);
    assert_eq!(parts.exprs, whole.exprs);
    let shapes =
        |p: &mxr::graph::program::Program| p.values.iter().map(|v| v.shape.clone()).collect::<Vec<_>>();
    assert_eq!(shapes(parts), shapes(whole));
    // By itself it is a network, too, of any size.
    let mut alone = parts::Backbone::bind(2, 10).expect("small");
    alone.forward(Mode::Predict).expect("always");
    assert_eq!(alone.outputs()[0].shape(), [2, 4, 10, 10]);
    let net = Classifier::bind(BATCH).expect("small");
    assert_eq!(net.param("features_stem_weight").expect("named after its layer").shape(), [4, 3, 3, 3]);
    assert_eq!(net.param(Classifier::more_a).is_err(), net.layer_params(Classifier::more_a).is_empty());
}

/// `Siamese` as symbols: what the second use takes are the parameters of the first.
fn siamese() -> [Symbol; 3] {
    let input = |name: &str, width: usize| Symbol::input(name).shape(["N".into(), width.into()]);
    let (left, right, target) = (input("left", 6), input("right", 6), input("target", 4));
    let label = Symbol::input("label").dtype(DType::I64).shape(["N".into()]);
    let dense = |name: &str| opts::Dense::new().name(name).lr_mult(0.5);
    let norm = |name: &str| opts::BatchNorm::new().name(name).lr_mult(0.5);
    let fc1 = left.dense_with(5, dense("tower_fullyconnected0"));
    let bn = fc1.batch_norm_with(norm("tower_h"));
    let fc2 = bn.tanh().dense_with(4, dense("tower_fullyconnected1"));
    let p = |layer: &Symbol, names: &[&str]| names.iter().map(|n| layer.parameter(n)).collect::<Vec<_>>();
    let (w1, w2) = (p(&fc1, &["weight", "bias"]), p(&fc2, &["weight", "bias"]));
    let n = p(&bn, &["gamma", "beta", "moving_mean", "moving_var"]);
    let h = right.dense_from(&[&w1[0], &w1[1]], dense("b1"));
    let h = h.batch_norm_from(&[&n[0], &n[1], &n[2], &n[3]], norm("b2")).tanh();
    let (a, b) = (fc2.tanh(), h.dense_from(&[&w2[0], &w2[1]], dense("b3")).tanh());
    let scores = Symbol::concat(&[&a, &b]).dense_with(3, opts::Dense::new().name("scores"));
    let near = a.mse_loss(&target);
    [scores.softmax_cross_entropy(&label) + 0.25 * near, 0.5 * (&a - &b).square().mean(), a]
}

#[test]
fn a_tower_used_twice_has_one_set_of_weights() {
    let names: Vec<&str> = {
        let p = Siamese::PROGRAMS.train().expect("trained");
        p.params.iter().map(|v| &*p.values[*v as usize].name).collect()
    };
    let tower =
        ["fullyconnected0_weight", "fullyconnected0_bias", "h_gamma", "h_beta", "fullyconnected1_weight"];
    assert_eq!(names[..5], tower.map(|n| format!("tower_{n}"))[..]);
    assert_eq!(names[5..], ["tower_fullyconnected1_bias", "scores_weight", "scores_bias"]);
    assert_eq!(Siamese::b_h.name(), "b_h");

    let symbol = Symbol::compile_group("siamese", &siamese()).expect("fits");
    let mut other = Executor::bind_shared(symbol, &[("N", BATCH)], BindOptions::new()).expect("small");
    let mut net = Siamese::bind(BATCH).expect("small");
    for n in [net.executor_mut(), &mut other] {
        n.head_grad(2).expect("no loss").fill_with(0.0).expect("floats");
    }
    let sorted = |mut list: Vec<(String, Vec<u32>)>| {
        list.sort();
        list
    };
    let [before, after] = trained(net.executor_mut()).map(sorted);
    let [same, also] = trained(&mut other).map(sorted);
    assert_eq!(before, same);
    assert_eq!(after, also);
    for (a, b) in before.iter().zip(&after) {
        // A bias in front of a normalisation has no gradient.
        assert_eq!(a == b, a.0 == "tower_fullyconnected0_bias", "{}", a.0);
    }
    let states = |net: &Executor| net.states().map(|(n, a)| (n.to_string(), bits(a))).collect::<Vec<_>>();
    assert_eq!(states(&net), states(&other));
    for mode in [Mode::Train, Mode::Predict] {
        net.forward(mode).expect("always");
        other.forward(mode).expect("always");
        let all = |n: &Executor| n.outputs().iter().map(bits).collect::<Vec<_>>();
        assert_eq!(all(&net), all(&other), "{mode:?}");
    }
}

#[test]
fn a_cell_used_in_a_loop_has_one_set_of_weights() {
    assert_eq!(Recurrent::PARAMETERS, (4 * 3 + 3) + (3 * 3 + 3) + 4 * 3);
    let mut net = Recurrent::bind(BATCH).expect("small");
    let [before, after] = trained(net.executor_mut());
    assert!(before.iter().zip(&after).filter(|(a, _)| a.0.starts_with("cell_")).all(|(a, b)| a != b));
}

#[test]
fn factors_that_mean_nothing_are_refused() {
    let (data, label) = image();
    let fc = data.flatten().dense_with(3, opts::Dense::new().name("fc").lr_mult(-1.0));
    let told = fc.softmax_cross_entropy(&label).compile("net").err().map(|e| e.to_string());
    assert!(told.as_ref().is_some_and(|t| t.contains("`fc`") && t.contains("`lr_mult` is -1")), "{told:?}");
}
