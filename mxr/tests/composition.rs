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
        Tuned::PROGRAMS.train.map(|p| p.training.to_vec())
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
        assert_eq!(old == new, name.starts_with("x_"), "{name}");
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
    let (short, long) = (Short::PROGRAMS.train.expect("trained"), Long::PROGRAMS.train.expect("trained"));
    assert_eq!(short.steps, long.steps);
    let shapes =
        |p: &mxr::graph::program::Program| p.values.iter().map(|v| v.shape.clone()).collect::<Vec<_>>();
    assert_eq!(shapes(short), shapes(long));
    assert_eq!(short.params.len(), 8);
}

#[test]
fn factors_that_mean_nothing_are_refused() {
    let (data, label) = image();
    let fc = data.flatten().dense_with(3, opts::Dense::new().name("fc").lr_mult(-1.0));
    let told = fc.softmax_cross_entropy(&label).compile("net").err().map(|e| e.to_string());
    assert!(told.as_ref().is_some_and(|t| t.contains("`fc`") && t.contains("`lr_mult` is -1")), "{told:?}");
}
