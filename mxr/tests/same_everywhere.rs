//! One model, three ways: declared in `network!`, built from `Symbol`s, computed eagerly on `NDArray`s.

mod numbers;

use mxr::graph::program::Program;
use mxr::init::Xavier;
use mxr::{BindOptions, DType, Executor, GradReq, Mode, NDArray, Network, Symbol, opts};

mxr::network!(
    /// Convolution, normalisation, pooling, dropout, two dense layers.
    pub fn Plain(data: Tensor<N, 1, 8, 8>, label: Tensor<N, i64>) {
        let conv1 = conv2d(data, 6, kernel = 3, pad = 1);
        let bn1 = batch_norm(conv1);
        let pool1 = max_pool(relu(bn1), kernel = 2, stride = 2);
        let fc1 = dense(flatten(pool1), 10);
        let fc2 = dense(dropout(tanh(fc1), 0.3), 4);
        softmax_cross_entropy(fc2, label)
    }

    /// Branches, a concatenation, a shortcut, arithmetic with numbers; no dropout, so that it can be computed eagerly.
    pub fn Branches(data: Tensor<N, 1, 8, 8>, label: Tensor<N, i64>) {
        let stem = conv2d(data, 4, kernel = 3, stride = 2, pad = 1);
        let left = conv2d(stem, 3, kernel = 1);
        let soft = sigmoid(left);
        let right = conv2d(stem, 3, kernel = (1, 3), pad = (0, 1), bias = false);
        let joined = concat(soft, tanh(right));
        let shortcut = conv2d(stem, 6, kernel = 1);
        let bn = batch_norm(joined + shortcut * 0.5);
        let fc = dense(global_avg_pool(relu(bn)), 4);
        softmax_cross_entropy(fc, label)
    }
);

fn inputs() -> (Symbol, Symbol) {
    let data = Symbol::input("data").shape(["N".into(), 1.into(), 8.into(), 8.into()]);
    (data, Symbol::input("label").dtype(DType::I64).shape(["N".into()]))
}

fn named(name: &str) -> opts::Conv2d {
    opts::Conv2d::new().name(name)
}

fn plain() -> Symbol {
    let (data, label) = inputs();
    let conv1 = data.conv2d_with(6, 3, named("conv1").pad(1));
    let bn1 = conv1.batch_norm_with(opts::BatchNorm::new().name("bn1"));
    let pool1 = bn1.relu().max_pool_with(2, opts::MaxPool::new().stride(2).name("pool1"));
    let fc1 = pool1.flatten().dense_with(10, opts::Dense::new().name("fc1"));
    let kept = fc1.tanh().dropout_with(opts::Dropout::new().p(0.3));
    kept.dense_with(4, opts::Dense::new().name("fc2")).softmax_cross_entropy(&label)
}

fn branches() -> Symbol {
    let (data, label) = inputs();
    let stem = data.conv2d_with(4, 3, named("stem").stride(2).pad(1));
    let left = stem.conv2d_with(3, 1, named("left"));
    let right = stem.conv2d_with(3, (1, 3), named("right").pad((0, 1)).bias(false));
    let soft = left.sigmoid_with(opts::Sigmoid::new().name("soft"));
    let joined = Symbol::concat_with(&[&soft, &right.tanh()], opts::Concat::new().name("joined"));
    let shortcut = stem.conv2d_with(6, 1, named("shortcut"));
    let bn = (joined + shortcut * 0.5).batch_norm_with(opts::BatchNorm::new().name("bn"));
    let fc = bn.relu().global_avg_pool().dense_with(4, opts::Dense::new().name("fc"));
    fc.softmax_cross_entropy(&label)
}

/// Two programs are one, to the last number of the memory plan; if not, says in which line they part.
fn same(a: &Program, b: &Program, what: &str) {
    let (x, y) = (a.to_string(), b.to_string());
    let parting = x.lines().zip(y.lines()).find(|(x, y)| x != y);
    assert!(a == b, "{what}: {parting:?}");
}

/// Symbols are calls in the order of MXNet, operands first; the networks above declare theirs in that order.
#[test]
fn the_macro_and_symbols_make_the_same_programs() {
    for (declared, symbol, name) in
        [(Plain::PROGRAMS, plain(), "Plain"), (Branches::PROGRAMS, branches(), "Branches")]
    {
        let built = symbol.compile(name).expect("fits");
        let (train, again) = (declared.train().expect("a loss"), built.train.expect("a loss"));
        same(train, &again, name);
        same(declared.predict(), &built.predict, name);
    }
}

fn vec(a: &NDArray) -> Vec<f32> {
    a.to_vec().expect("computed")
}

fn feed(net: &Executor, n: usize, seed: u64) {
    net.set_input_host("data", &numbers::noise(seed, &[n, 1, 8, 8])).expect("fits");
    net.set_input_host("label", &numbers::labels(seed, n, 4)).expect("fits");
}

/// Losses, predictions, gradients, states of three passes with updates by hand between them.
fn run(net: &mut Executor, n: usize) -> Vec<Vec<f32>> {
    net.init(&Xavier::default(), 2).expect("initialises");
    let mut all = Vec::new();
    for step in 0..3 {
        feed(net, n, step);
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("follows");
        all.extend(net.outputs().iter().chain(net.predictions()).map(vec));
        all.extend(net.grads().map(|(_, g)| vec(g)));
        for (name, w) in net.params() {
            let mut w = w.clone();
            w -= 0.1 * net.grad(name).expect("by default");
        }
    }
    all.extend(net.states().map(|(_, s)| vec(s)));
    net.forward(Mode::Predict).expect("always");
    all.extend(net.outputs().iter().map(vec));
    all
}

#[test]
fn the_macro_and_symbols_compute_the_same_numbers() {
    for n in [1, 5] {
        let options = || BindOptions::new().seed(8).input_grad("data", GradReq::Write);
        let mut declared = Plain::bind_with(n, options()).expect("binds");
        let programs = plain().compile("Plain").expect("fits");
        let mut built = Executor::bind_shared(programs, &[("N", n)], options()).expect("binds");
        // Bound for fixed shapes: another program, the same numbers.
        let shapes: [(&str, &[usize]); 2] = [("data", &[n, 1, 8, 8]), ("label", &[n])];
        let mut fixed = plain().bind(&shapes, options()).expect("binds");
        let want = run(declared.executor_mut(), n);
        assert_eq!(run(&mut built, n), want);
        assert_eq!(run(&mut fixed, n), want);

        let mut declared = Branches::bind(n).expect("binds");
        let programs = branches().compile("Branches").expect("fits");
        let mut built = Executor::bind_shared(programs, &[("N", n)], BindOptions::new()).expect("binds");
        assert_eq!(run(declared.executor_mut(), n), run(&mut built, n));
    }
}

/// `Branches` on arrays, with the parameters and states of the network: scores and loss.
fn eager(net: &Executor, predicting: bool) -> mxr::Result<(NDArray, NDArray)> {
    let (data, label) = (net.input("data")?, net.input("label")?);
    let conv = |x: &NDArray, name: &str, options: opts::Conv2d| {
        let bias = net.param(format!("{name}_bias").as_str()).ok();
        x.conv2d_with(net.param(format!("{name}_weight").as_str())?, bias, options)
    };
    let stem = conv(data, "stem", opts::Conv2d::new().stride(2).pad(1))?;
    let left = conv(&stem, "left", opts::Conv2d::new())?;
    let right = conv(&stem, "right", opts::Conv2d::new().pad((0, 1)))?;
    let joined = NDArray::concat(&[&left.sigmoid()?, &right.tanh()?])?;
    let shortcut = conv(&stem, "shortcut", opts::Conv2d::new())?;
    let sum = joined + shortcut * 0.5;
    // Copies: a pass with the statistics of the batch updates the running ones.
    let (mean, var) = (net.state("bn_moving_mean")?.copy()?, net.state("bn_moving_var")?.copy()?);
    let options = opts::BatchNorm::new().global_stats(predicting);
    let bn = sum.batch_norm_with(net.param("bn_gamma")?, net.param("bn_beta")?, &mean, &var, options)?;
    let pooled = bn.relu()?.global_avg_pool()?;
    let fc = pooled.dense(net.param("fc_weight")?, Some(net.param("fc_bias")?))?;
    let loss = fc.softmax_cross_entropy(label)?;
    Ok((fc.softmax()?, loss))
}

#[test]
fn arrays_compute_what_the_network_computes() {
    let mut net = Branches::bind(5).expect("binds");
    let net = net.executor_mut();
    net.init(&Xavier::default(), 4).expect("initialises");
    let close = |a: &NDArray, b: &NDArray, what: &str| {
        assert_eq!(a.shape(), b.shape(), "{what}");
        let far = vec(a).iter().zip(vec(b)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far <= 1e-6, "{what}: {far}");
    };
    for step in 0..3 {
        feed(net, 5, step);
        let (prob, loss) = eager(net, false).expect("the same shapes");
        net.forward(Mode::Train).expect("can train");
        close(&loss, &net.outputs()[0], "loss");
        close(&prob, &net.predictions()[0], "probabilities");
        net.forward(Mode::Predict).expect("always");
        let (prob, _) = eager(net, true).expect("the same shapes");
        close(&prob, &net.predictions()[0], "prediction");
    }

    // The gradient of the network against differences of losses that arrays compute, along the gradient itself.
    feed(net, 5, 7);
    net.forward(Mode::Train).expect("can train");
    net.backward().expect("follows");
    for name in ["stem_weight", "right_weight", "shortcut_bias", "bn_gamma", "fc_weight"] {
        let (w, g) = (net.param(name).expect("there"), net.grad(name).expect("by default"));
        let square: f32 = vec(g).iter().map(|x| x * x).sum();
        let step = f64::from(2e-2 / square.sqrt());
        let before = w.copy().expect("sound");
        let loss_at = |by: f64| {
            w.assign(&(&before + by * g)).expect("the same shape");
            let (_, loss) = eager(net, false).expect("the same shapes");
            loss.item::<f32>().expect("a scalar")
        };
        let slope = (loss_at(step) - loss_at(-step)) / (2.0 * step as f32);
        w.assign(&before).expect("the same shape");
        assert!((slope - square).abs() < 0.02 * square + 1e-4, "{name}: {slope} against {square}");
    }
}
