//! Predictions read weights as their kernels want them, made once: they follow every way to change a weight, and the report says what is
//! kept for it.

mod numbers;

use mxr::init::Xavier;
use mxr::optimizer::{Sgd, Updater};
use mxr::{BindOptions, DType, Executor, MemoryReport, Mode, NDArray, Symbol, opts};
use std::sync::{Arc, Mutex};

mxr::network!(
    /// Convolutions of every kind that prepares weights, one of them folded, and a dense layer of enough rows.
    pub fn Net(data: Tensor<N, 16, 12, 12>, label: Tensor<N, i64>) {
        let conv1 = conv2d(data, 24, kernel = 3, pad = 1);
        let act1 = relu(conv1);
        let conv2 = conv2d(act1, 20, kernel = 1, stride = 2, bias = false);
        let bn2 = batch_norm(conv2);
        let act2 = relu(bn2);
        let conv3 = conv2d(act2, 20, kernel = 3, pad = 1, groups = 2);
        let act3 = relu(conv3);
        let fc1 = dense(flatten(act3), 30);
        let act4 = tanh(fc1);
        let fc2 = dense(act4, 4);
        softmax_cross_entropy(fc2, label)
    }
);

/// Rows enough for packed dense layers.
const BATCH: usize = 10;

/// Bytes of the weights of `conv1`, `conv2`, `conv3`, `fc1` and `fc2`.
const WEIGHTS: [usize; 5] = [4 * 24 * 16 * 9, 4 * 20 * 24, 4 * 20 * 10 * 9, 4 * 30 * 720, 4 * 4 * 30];

fn bind(options: BindOptions) -> Net {
    Net::bind_with(BATCH, options).expect("binds")
}

fn feed(net: &Executor) {
    net.set_input_host("data", &numbers::noise(9, &[BATCH, 16, 12, 12])).expect("fits");
    if net.input_names().any(|n| n == "label") {
        net.set_input_host("label", &numbers::labels(9, BATCH, 4)).expect("fits");
    }
}

fn vec(a: &NDArray) -> Vec<f32> {
    a.to_vec().expect("computed")
}

fn predict(net: &mut Executor) -> Vec<f32> {
    net.forward(Mode::Predict).expect("always");
    net.outputs().iter().flat_map(vec).collect()
}

/// |a − b| / |b|.
fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    let norm = |v: &mut dyn Iterator<Item = f32>| v.map(|x| x * x).sum::<f32>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied()).max(f32::MIN_POSITIVE)
}

/// Another network with the numbers that `net` has now.
fn copy_of(net: &Executor, options: BindOptions) -> Net {
    let copy = bind(options);
    for (name, a) in net.params() {
        copy.param(name).expect("the same network").assign(a).expect("the same shape");
    }
    for (name, a) in net.states() {
        copy.state(name).expect("the same network").assign(a).expect("the same shape");
    }
    feed(&copy);
    copy
}

/// What it predicts is what a network that has just been bound does, and up to rounding what one with plain weights does.
fn check(net: &mut Executor) -> Vec<f32> {
    let numbers = predict(net);
    assert_eq!(numbers, predict(net), "again");
    assert_eq!(numbers, predict(&mut copy_of(net, BindOptions::new())), "from the start");
    assert_eq!(numbers, predict(&mut copy_of(net, BindOptions::new().naive_memory())), "each in its memory");
    let far = distance(&numbers, &predict(&mut copy_of(net, BindOptions::new().plain_weights())));
    assert!(far <= 1e-5, "{far:e} from plain weights");
    numbers
}

#[test]
fn predictions_follow_every_way_to_write_a_weight() {
    let mut net = bind(BindOptions::new());
    net.init(&Xavier::default(), 4).expect("initialises");
    feed(&net);
    let mut seen = vec![check(&mut net)];
    let mut changed = |net: &mut Executor, how: &str| {
        let numbers = check(net);
        assert!(!seen.contains(&numbers), "{how}");
        seen.push(numbers);
    };
    for name in ["conv1_weight", "conv2_weight", "conv3_weight", "fc1_weight", "fc2_weight"] {
        let mut w = net.param(name).expect("there").clone();
        w += 0.25 * &w;
        changed(&mut net, name);
    }
    net.param("conv3_weight").expect("there").rows(3..5).expect("within").fill_with(0.5).expect("sound");
    changed(&mut net, "a part of a weight");
    net.state("bn2_moving_var").expect("there").fill_with(0.3).expect("sound");
    changed(&mut net, "a statistic in a folded weight");
    let mut updater = Updater::new(&net, Sgd::new(0.5)).expect("f32");
    net.forward(Mode::Train).expect("can train");
    net.backward().expect("follows a forward pass");
    updater.update();
    changed(&mut net, "an optimizer");

    // Another network that trains the same weights, and one that predicts with them in the same memory.
    let mut other = bind(BindOptions::new().share_params(&net).share_memory(&net));
    feed(&other);
    assert_eq!(predict(&mut other), predict(&mut net));
    let mut updater = Updater::new(&other, Sgd::new(0.5)).expect("f32");
    for _ in 0..2 {
        other.forward(Mode::Train).expect("can train");
        other.backward().expect("follows a forward pass");
        updater.update();
        changed(&mut net, "who shares it");
        assert_eq!(predict(&mut other), predict(&mut net));
    }
}

#[test]
fn the_report_says_what_is_kept() {
    let memory = |options: BindOptions| bind(options).memory();
    let (usual, plain) = (memory(BindOptions::new()), memory(BindOptions::new().plain_weights()));
    let all: usize = WEIGHTS.iter().sum();
    // Winograd's algorithm takes four times the bytes, or more where channels do not fill registers.
    assert!(usual.prepared >= all && usual.prepared <= all + 8 * WEIGHTS[0], "{usual:?}");
    assert_eq!(plain.prepared, 0);
    assert_eq!(plain.kept, WEIGHTS[1] + 4 * 20, "a folded weight and an offset");
    assert_eq!(plain.kept as u64, Net::SUMMARY.predict.kept.at(BATCH as u64));
    assert_eq!(usual.kept, 4 * 20, "the folded weight is kept as its kernel reads it");
    let same = |m: MemoryReport| (m.arena, m.parameters, m.gradients, m.io);
    assert_eq!(same(usual), same(plain));
    // As `planned` says before anything is allocated.
    let planned = |options: BindOptions, mode| {
        let planned = Executor::planned(<Net as mxr::Network>::PROGRAMS, &[("N", BATCH)], &options, mode);
        planned.expect("any batch fits").expect("trains")
    };
    let usual_plan = planned(BindOptions::new(), Mode::Predict);
    assert_eq!((usual_plan.prepared, usual_plan.kept), (usual.prepared, usual.kept));
    assert_eq!(planned(BindOptions::new(), Mode::Train).prepared, 0);
    // Whoever gives a budget gets nothing besides.
    let budget = usual.arena;
    assert_eq!(memory(BindOptions::new().memory_budget(budget)).prepared, 0);
}

#[test]
fn nothing_is_kept_where_it_would_hardly_be_noticed() {
    let dense = Symbol::input("x").dense(4);
    let prepared = |rows: usize| {
        let net = dense.bind(&[("x", &[rows, 30])], BindOptions::new()).expect("fits");
        net.memory().prepared
    };
    // One row reads a matrix as it lies.
    assert_eq!(prepared(1), 0);
    assert!(prepared(20) >= 4 * 4 * 30);
    assert_eq!(prepared(10_000), 0);
}

#[test]
fn a_weight_of_several_layers_is_prepared_once() {
    let w = Symbol::param("w").shape([6.into(), 6.into()]);
    let net = |layers: usize| {
        let mut x = Symbol::input("x");
        for i in 0..layers {
            x = x.dense_from(&[&w], opts::Dense::new().name(format!("fc{i}"))).tanh();
        }
        let net = x.bind(&[("x", &[20, 6])], BindOptions::new()).expect("fits");
        net.memory().prepared
    };
    assert!(net(1) > 0);
    assert_eq!(net(1), net(5));
}

/// A folded weight that is wanted as it is, too, is kept as it is, too.
#[test]
fn a_folded_weight_with_other_readers_stays() {
    let v = Symbol::param("v").shape([6.into(), 6.into()]);
    let bent = (&v * &v) + &v;
    let x = Symbol::input("x");
    let product = x.dense_from(&[&bent], opts::Dense::new().name("fc").bias(false));
    let bind = |y: &Symbol| y.bind(&[("x", &[20, 6])], BindOptions::new()).expect("fits");
    let (alone, both) = (bind(&product), bind(&(product.clone() + x.matmul(&bent))));
    assert_eq!(alone.memory().kept, 0);
    assert!(alone.memory().prepared >= 4 * 36);
    // Two products want it in two forms, transposed and not.
    assert_eq!(both.memory().kept, 4 * 36);
    for mut net in [alone, both] {
        net.set_input_host("x", &numbers::noise(3, &[20, 6])).expect("fits");
        let mut last = Vec::new();
        for seed in 0..3 {
            let w = numbers::noise(seed, &[6, 6]);
            net.param("v").expect("there").copy_from_slice(w.as_slice::<f32>().expect("f32")).expect("fits");
            let numbers = predict(&mut net);
            assert!(numbers != last && numbers.iter().any(|x| *x != 0.0));
            last = numbers;
        }
    }
}

#[test]
fn a_monitor_sees_the_same_with_plain_weights() {
    let shown = |options: BindOptions| {
        let mut net = bind(options);
        net.init(&Xavier::default(), 4).expect("initialises");
        feed(&net);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = seen.clone();
        net.set_monitor(Some(Box::new(move |o| {
            let numbers: Vec<f32> =
                o.bytes().chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().expect("four"))).collect();
            log.lock().expect("sound").push((format!("{} {} {:?}", o.layer, o.value, o.shape), numbers));
        })))
        .expect("idle");
        predict(&mut net);
        seen.lock().expect("sound").clone()
    };
    let (usual, plain) = (shown(BindOptions::new()), shown(BindOptions::new().plain_weights()));
    assert_eq!(usual.len(), plain.len());
    for ((what, a), (same, b)) in usual.iter().zip(&plain) {
        assert_eq!(what, same);
        assert!(distance(a, b) <= 1e-5, "{what}");
    }
}

#[test]
fn parts_of_a_network_prepare_what_they_need() {
    let mut whole = bind(BindOptions::new());
    whole.init(&Xavier::default(), 4).expect("initialises");
    feed(&whole);
    let mut part = bind(BindOptions::new().outputs(["act2", "act1"]).share_params(&whole));
    feed(&part);
    let memory = part.memory();
    assert!(memory.prepared >= WEIGHTS[0] + WEIGHTS[1] && memory.prepared < whole.memory().prepared);
    let mut plain = bind(BindOptions::new().outputs(["act2", "act1"]).share_params(&whole).plain_weights());
    feed(&plain);
    assert!(distance(&predict(&mut part), &predict(&mut plain)) <= 1e-5);
    whole.param("conv1_weight").expect("there").fill_with(0.1).expect("sound");
    assert!(distance(&predict(&mut part), &predict(&mut plain)) <= 1e-5);
}

#[test]
fn double_precision_prepares_weights_too() {
    let x = Symbol::input("x").dtype(DType::F64);
    let y = x.conv2d_with(8, 3, opts::Conv2d::new().pad(1)).relu().flatten().dense(5);
    let bind = |options| y.bind(&[("x", &[9, 4, 6, 6])], options).expect("fits");
    let (mut usual, mut plain) = (bind(BindOptions::new()), bind(BindOptions::new().plain_weights()));
    assert!(usual.memory().prepared >= 8 * (8 * 4 * 9 + 5 * 288));
    usual.init(&Xavier::default(), 4).expect("initialises");
    plain.init(&Xavier::default(), 4).expect("initialises");
    let numbers: Vec<f64> = (0..9 * 4 * 36).map(|i| f64::from(i % 17) - 8.0).collect();
    for net in [&mut usual, &mut plain] {
        net.input("x").expect("there").copy_from_slice(&numbers).expect("fits");
        net.forward(Mode::Predict).expect("always");
    }
    let numbers = |net: &Executor| net.outputs()[0].to_vec::<f64>().expect("computed");
    assert_eq!(numbers(&usual), numbers(&plain), "there is one algorithm for double precision");
}
