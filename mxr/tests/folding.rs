//! Predictions have normalisations in the weights before them: the numbers are those of the network with normalisations, to rounding,
//! for every kind of layer, and follow every way to change a weight or a statistic.

mod numbers;

use mxr::graph::program::Program;
use mxr::init::Xavier;
use mxr::optimizer::{Sgd, Updater};
use mxr::{BindOptions, DType, Executor, Mode, NDArray, Network, Symbol, opts};

mxr::network!(
    /// A normalisation that a relu follows, one that is a result, one over something else than the features.
    pub fn Net(data: Tensor<N, 3, 8, 8>, label: Tensor<N, i64>) {
        let conv1 = conv2d(data, 6, kernel = 3, pad = 1, bias = false);
        let bn1 = batch_norm(conv1);
        let act1 = relu(bn1);
        let conv2 = conv2d(act1, 6, kernel = 3, pad = 1);
        let bn2 = batch_norm(conv2);
        let sum = bn2 + act1;
        let fc1 = dense(flatten(sum), 8);
        let bn3 = batch_norm(fc1);
        let fc2 = dense(tanh(bn3), 4);
        softmax_cross_entropy(fc2, label)
    }
);

fn symbol() -> Symbol {
    let (data, label) = (Symbol::input("data"), Symbol::input("label").dtype(DType::I64));
    let conv = |x: &Symbol, options: opts::Conv2d| x.conv2d_with(6, 3, options.pad(1));
    let norm = |x: &Symbol, name: &str| x.batch_norm_with(opts::BatchNorm::new().name(name));
    let bn1 = norm(&conv(&data, opts::Conv2d::new().name("conv1").bias(false)), "bn1");
    let act1 = bn1.relu_with(opts::Relu::new().name("act1"));
    let bn2 = norm(&conv(&act1, opts::Conv2d::new().name("conv2")), "bn2");
    let sum = bn2.add_with(&act1, opts::Add::new().name("sum"));
    let fc1 = sum.flatten().dense_with(8, opts::Dense::new().name("fc1"));
    let scores = norm(&fc1, "bn3").tanh().dense_with(4, opts::Dense::new().name("fc2"));
    scores.softmax_cross_entropy(&label)
}

const SHAPES: [(&str, &[usize]); 2] = [("data", &[3, 3, 8, 8]), ("label", &[3])];

/// The network of symbols with normalisations of their own.
fn apart(options: BindOptions) -> Executor {
    symbol().bind(&SHAPES, options.passes("-fold_norm")).expect("fits")
}

/// Weights and statistics that a trained network might have, different in every channel.
fn fill(net: &Executor, seed: u64) {
    for (at, (name, a)) in net.params().chain(net.states()).enumerate() {
        let noise = numbers::noise(seed + at as u64, a.shape());
        let noise = noise.as_slice::<f32>().expect("f32").iter().map(|x| f64::from(*x));
        let inner: usize = a.shape()[1..].iter().product();
        let number = |x: f64| match name {
            _ if name.ends_with("gamma") => 1.0 + 0.5 * x,
            _ if name.ends_with("moving_var") => 0.05 + 2.0 * x.abs(),
            _ if name.ends_with("weight") => 2.0 * x / (inner as f64).sqrt(),
            _ => x,
        };
        set(a, noise.map(number));
    }
}

fn set(a: &NDArray, numbers: impl Iterator<Item = f64>) {
    match a.dtype() {
        DType::F64 => a.copy_from_slice(&numbers.collect::<Vec<f64>>()),
        _ => a.copy_from_slice(&numbers.map(|x| x as f32).collect::<Vec<f32>>()),
    }
    .expect("as many as there are");
}

fn feed(net: &Executor, seed: u64) {
    for name in ["data", "label"].into_iter().filter(|n| net.input_names().any(|i| i == *n)) {
        let input = net.input(name).expect("there");
        match name {
            "label" => net.set_input_host(name, &numbers::labels(seed, input.len(), 4)).expect("fits"),
            _ => {
                let noise = numbers::noise(seed, input.shape());
                set(input, noise.as_slice::<f32>().expect("f32").iter().map(|x| f64::from(*x)));
            }
        }
    }
}

fn vec(a: &NDArray) -> Vec<f64> {
    match a.dtype() {
        DType::F64 => a.to_vec().expect("computed"),
        _ => a.to_vec::<f32>().expect("computed").into_iter().map(f64::from).collect(),
    }
}

fn predict(net: &mut Executor) -> Vec<f64> {
    net.forward(Mode::Predict).expect("always");
    net.outputs().iter().flat_map(vec).collect()
}

/// |a − b| / |b|, of all numbers together.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let norm = |v: &mut dyn Iterator<Item = f64>| v.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied()).max(f64::MIN_POSITIVE)
}

fn norms(p: &Program) -> usize {
    p.steps.iter().filter(|s| format!("{:?}", s.instr).starts_with("BatchNorm")).count()
}

/// Arrays of the same names have the same numbers.
fn alike(to: &Executor, from: &Executor) {
    for (name, a) in to.params() {
        a.assign(from.param(name).expect("the same network")).expect("the same shape");
    }
    for (name, a) in to.states() {
        a.assign(from.state(name).expect("the same network")).expect("the same shape");
    }
}

/// Each layer in front of a normalisation, with what is left of normalisations.
fn layers(dtype: DType) -> Vec<(&'static str, usize, Symbol)> {
    let x = Symbol::input("data").dtype(dtype).shape(["N".into(), 4.into(), 6.into(), 6.into()]);
    let conv = |options: opts::Conv2d| x.conv2d_with(8, 3, options);
    let pointwise = |x: &Symbol| x.conv2d_with(4, 1, opts::Conv2d::new().bias(false));
    let norm = |options: opts::BatchNorm| move |y: Symbol| y.batch_norm_with(options);
    let plain = |y: Symbol| y.batch_norm();
    let new = opts::BatchNorm::new;
    let dense = x.flatten().dense(5);
    let rows = opts::Dense::new().flatten(false);
    let tied = x.flatten().dense_with(144, opts::Dense::new().name("first"));
    let shared = [tied.parameter("weight")];
    let shared: Vec<&Symbol> = shared.iter().collect();
    let second =
        |name: &str| tied.tanh().dense_from(&shared, opts::Dense::new().name(name).bias(name == "second"));
    vec![
        ("bias", 0, plain(conv(opts::Conv2d::new()))),
        ("no bias", 0, plain(conv(opts::Conv2d::new().bias(false).stride(2).pad(1)))),
        ("groups", 0, plain(conv(opts::Conv2d::new().groups(2)))),
        ("depthwise", 0, plain(conv(opts::Conv2d::new().groups(4).bias(false)))),
        ("fixed gamma", 0, norm(new().fix_gamma(true))(conv(opts::Conv2d::new()))),
        ("epsilon", 0, norm(new().eps(0.3))(conv(opts::Conv2d::new()))),
        ("global statistics", 0, norm(new().global_stats(true))(conv(opts::Conv2d::new()))),
        ("axis from the end", 0, norm(new().axis(-3))(conv(opts::Conv2d::new()))),
        ("dense", 0, plain(dense.clone())),
        ("dense, last axis", 0, norm(new().axis(-1))(x.dense_with(7, rows.bias(false)))),
        ("a relu behind it", 0, plain(conv(opts::Conv2d::new())).relu()),
        ("a shortcut", 0, (plain(pointwise(&x)) + &x).relu()),
        ("two normalised branches", 0, (plain(pointwise(&x)) + plain(pointwise(&x))).relu()),
        ("twice", 1, plain(plain(conv(opts::Conv2d::new())))),
        ("one weight, one of two normalised", 0, plain(second("second")) + &tied),
        ("one weight, both normalised", 0, plain(second("second")) * plain(second("third"))),
        ("another axis", 1, norm(new().axis(2))(conv(opts::Conv2d::new()))),
        ("read by others", 1, &plain(dense.clone()) * &dense),
        ("a weight that is computed", 1, {
            let w = Symbol::param("v").dtype(dtype).shape([5.into(), 144.into()]).tanh();
            plain(x.flatten().dense_from(&[&w], opts::Dense::new()))
        }),
    ]
}

#[test]
fn every_kind_of_layer_takes_its_normalisation_in() {
    for (dtype, close) in [(DType::F32, 1e-6), (DType::F64, 1e-13)] {
        for (what, left, net) in layers(dtype) {
            for n in [1, 5] {
                let bind = |passes: &str| {
                    let shapes: [(&str, &[usize]); 1] = [("data", &[n, 4, 6, 6])];
                    let options = BindOptions::new().passes(passes);
                    let net = net.bind(&shapes, options).unwrap_or_else(|e| panic!("{what}: {e}"));
                    fill(&net, 7);
                    feed(&net, 2);
                    net
                };
                let (mut folded, mut plain) = (bind(""), bind("-fold_norm"));
                let program = folded.program(Mode::Predict).expect("always");
                assert_eq!(norms(program), left, "{what}: {program}");
                let far = distance(&predict(&mut folded), &predict(&mut plain));
                assert!(far <= close, "{what}, {dtype}, batch {n}: {far:e}");
            }
        }
    }
}

#[test]
fn the_macro_and_symbols_keep_the_same_weights() {
    let options = || BindOptions::new().plain_weights();
    let mut declared = Net::bind_with(3, options()).expect("binds");
    let mut built = symbol().bind(&SHAPES, options()).expect("fits");
    let mut plain = apart(options());
    fill(&plain, 1);
    for net in [declared.executor_mut(), &mut built, &mut plain] {
        feed(net, 1);
    }
    alike(&built, &plain);
    alike(declared.executor(), &plain);
    let program = declared.program(Mode::Predict).expect("always");
    assert_eq!((norms(program), norms(plain.program(Mode::Predict).expect("always"))), (0, 3));
    // Weights of 6·3·9, 6·6·9 and 8·384, and an offset each.
    let kept = 4 * (6 * 28 + 6 * 55 + 8 * 385);
    assert_eq!((declared.memory().kept, built.memory().kept, plain.memory().kept), (kept, kept, 0));
    let planned = Executor::planned(Net::PROGRAMS, &[("N", 3)], &options(), Mode::Predict);
    assert_eq!(planned.expect("any batch fits").expect("always").kept, kept);
    assert_eq!(Net::SUMMARY.predict.kept.at(3), kept as u64);
    assert_eq!(Net::SUMMARY.train.kept.at(3), 0);
    let numbers = predict(&mut declared);
    assert_eq!(numbers, predict(&mut built));
    assert!(distance(&numbers, &predict(&mut plain)) <= 1e-6);
}

/// What is made of weights is made again whoever changes a weight or a statistic, and however.
#[test]
fn folded_weights_follow_every_change() {
    let mut net = Net::bind(3).expect("binds");
    fill(&net, 1);
    feed(&net, 1);
    let mut others: Vec<Vec<f64>> = Vec::new();
    // Predictions are those of the numbers that the arrays have now, which are others than before.
    let mut right = |net: &mut Executor, what: &str| {
        let mut plain = apart(BindOptions::new());
        alike(&plain, net);
        feed(&plain, 1);
        let (have, want) = (predict(net), predict(&mut plain));
        assert!(distance(&have, &want) <= 1e-6, "{what}: {:e}", distance(&have, &want));
        assert_eq!(have, predict(net), "{what}");
        assert!(!others.contains(&have), "{what} changes nothing");
        others.push(have);
    };
    right(&mut net, "the first prediction");
    for name in ["conv1_weight", "conv2_bias", "bn1_gamma", "bn2_beta", "fc1_weight", "bn3_beta"] {
        let mut a = net.param(name).expect("there").clone();
        a *= 1.25;
        right(&mut net, name);
    }
    for name in ["bn1_moving_mean", "bn3_moving_var"] {
        let mut a = net.state(name).expect("there").clone();
        a *= 1.75;
        right(&mut net, name);
    }
    net.param("conv1_weight").expect("there").rows(2..3).expect("within").fill_with(0.1).expect("sound");
    right(&mut net, "a part of an array");
    net.param("bn2_gamma").expect("there").copy_from_slice(&[0.5f32; 6]).expect("fits");
    right(&mut net, "copying");

    net.forward(Mode::Train).expect("can train");
    net.backward().expect("follows");
    right(&mut net, "statistics that a training pass updates");
    let mut updater = Updater::new(&net, Sgd::new(0.5).momentum(0.9)).expect("f32");
    for step in 0..2 {
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("follows");
        updater.update();
        right(&mut net, ["an update", "another one"][step]);
    }

    let mut arrays = mxr::io::NamedArrays::new();
    let fresh = apart(BindOptions::new());
    fill(&fresh, 5);
    for (name, a) in fresh.params().chain(fresh.states()) {
        arrays.push(name.to_string(), a.to_host().expect("computed")).expect("distinct names");
    }
    net.set_params(&arrays).expect("the same network");
    right(&mut net, "loading");
    net.init(&Xavier::default(), 8).expect("initialises");
    right(&mut net, "initialising");

    // Others that train the same arrays: one in memory of its own, one in this network's.
    let own = BindOptions::new().share_params(&net);
    for options in [own.clone(), own.share_memory(&net)] {
        let mut trainer = apart(options);
        feed(&trainer, 3);
        let mut updater = Updater::new(&trainer, Sgd::new(0.5)).expect("f32");
        trainer.forward(Mode::Train).expect("can train");
        trainer.backward().expect("follows");
        updater.update();
        right(&mut net, "another network");
    }
}

/// Results of layers in front of, in and behind a folded normalisation are what they are without folding, or an error that names
/// the layer that has them.
#[test]
fn features_are_those_of_the_network_with_normalisations() {
    let whole = apart(BindOptions::new());
    fill(&whole, 1);
    let check = |net: &mut Executor, layers: &[&str]| {
        let mut plain = apart(BindOptions::new().outputs(layers.iter()));
        for net in [&*net, &plain] {
            alike(net, &whole);
            feed(net, 1);
        }
        let far = distance(&predict(net), &predict(&mut plain));
        assert!(far <= 1e-6, "{layers:?}: {far:e}");
    };
    let all: [&[&str]; 6] =
        [&["bn1"], &["conv1"], &["conv1", "bn1"], &["conv2", "act1"], &["bn3", "fc1"], &["bn2", "bn3"]];
    for layers in all {
        let options = || BindOptions::new().outputs(layers.iter());
        check(&mut symbol().bind(&SHAPES, options()).expect("cut before it is compiled"), layers);
        if let [layer] = layers {
            let part = symbol().layer(layer).expect("a layer");
            check(&mut part.bind(&SHAPES[..1], BindOptions::new()).expect("fits"), layers);
        }
    }
    for layers in [&["act1"][..], &["sum", "bn3"], &["fc2", "act1"]] {
        let options = BindOptions::new().outputs(layers.iter());
        check(Net::bind_with(3, options).expect("has them").executor_mut(), layers);
    }
    let told = |layer: &str| match Net::bind_with(3, BindOptions::new().outputs([layer])) {
        Ok(_) => panic!("`{layer}` is part of another layer"),
        Err(e) => e.to_string(),
    };
    for (layer, nearest) in [("conv1", "act1"), ("bn1", "act1"), ("conv2", "sum"), ("fc1", "bn3")] {
        assert!(told(layer).contains(&format!("`{nearest}` is the nearest")), "{}", told(layer));
    }
}

/// With half the memory the first layers run in slices of the batch, behind what is made of weights.
#[test]
fn budgets_and_memory_of_its_own_change_nothing() {
    let net = symbol_of_any_batch();
    let bind = |options: BindOptions| {
        let mut programs = net.clone();
        programs.train = None;
        let net = Executor::bind_shared(programs, &[("N", 16)], options).expect("fits");
        fill(&net, 1);
        feed(&net, 1);
        net
    };
    let mut whole = bind(BindOptions::new().plain_weights());
    let budget = whole.memory().arena / 2;
    let mut half = bind(BindOptions::new().memory_budget(budget));
    assert!(half.memory().arena <= budget && half.memory().kept == whole.memory().kept);
    let mut naive = bind(BindOptions::new().plain_weights().naive_memory());
    let numbers = predict(&mut whole);
    assert_eq!(numbers, predict(&mut naive));
    assert!(distance(&predict(&mut half), &numbers) <= 1e-6);
    assert!(half.program(Mode::Predict).expect("always").prologue() > 0);
}

fn symbol_of_any_batch() -> mxr::SharedPrograms {
    let data = Symbol::input("data").shape(["N".into(), 4.into(), 16.into(), 16.into()]);
    let conv =
        |x: &Symbol, filters: usize| x.conv2d_with(filters, 3, opts::Conv2d::new().pad(1)).batch_norm();
    let x = conv(&conv(&data, 16).relu(), 16).relu();
    x.max_pool_with(4, opts::MaxPool::new().stride(4))
        .flatten()
        .dense(8)
        .batch_norm()
        .relu()
        .dense(3)
        .compile("sliced")
        .expect("fits")
}
