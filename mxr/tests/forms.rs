//! One network in several forms: parts of it, several sizes of it in one arena, micro-batches, tied weights, several heads,
//! and predictions that keep what weights alone make.

mod numbers;

use mxr::graph::instr::Instr;
use mxr::graph::program::{Program, Role};
use mxr::init::Xavier;
use mxr::optimizer::{Sgd, Updater};
use mxr::{BindOptions, DType, Error, Executor, GradReq, Mode, NDArray, Network, Symbol, opts};
use std::sync::{Arc, Mutex};

mxr::network!(
    /// Convolutions, and two dense layers behind them.
    pub fn Net(data: Tensor<N, 2, 8, 8>, label: Tensor<N, i64>) {
        let conv1 = conv2d(data, 6, kernel = 3, pad = 1);
        let pool1 = max_pool(relu(conv1), kernel = 2, stride = 2);
        let conv2 = conv2d(pool1, 8, kernel = 3, pad = 1);
        let bend = tanh(conv2);
        let twice = exp(bend);
        let fc1 = dense(flatten(twice), 12);
        let act1 = sigmoid(fc1);
        let fc2 = dense(act1, 4);
        softmax_cross_entropy(fc2, label)
    }

    /// One weight in two layers, and read backwards once more.
    pub fn Tied(data: Tensor<N, 6>) {
        let fc1 = dense(data, 6);
        let fc2 = dense(tanh(fc1), 6, weight = fc1.weight);
        let back = matmul(tanh(fc2), fc1.weight);
        sum(square(back))
    }

    /// A loss and two further results, of which one is a loss as well.
    pub fn Heads(data: Tensor<N, 3>) {
        let fc = dense(data, 2, bias = false);
        (sum(square(fc)), fc * 2.0, sum(data * data))
    }
);

fn options() -> BindOptions {
    BindOptions::new()
}

fn vec(a: &NDArray) -> Vec<f32> {
    a.to_vec().expect("computed")
}

fn pass(net: &mut Executor) {
    net.forward(Mode::Train).expect("can train");
    net.backward().expect("follows a forward pass");
}

fn predict(net: &mut Executor) -> Vec<f32> {
    net.forward(Mode::Predict).expect("always");
    vec(&net.outputs()[0])
}

fn text<T>(result: Result<T, Error>) -> String {
    match result {
        Ok(_) => panic!("must not be"),
        Err(e) => e.to_string(),
    }
}

/// The network with weights and a batch.
fn net(n: usize, options: BindOptions) -> Net {
    let mut net = Net::bind_with(n, options).expect("binds");
    net.init(&Xavier::default(), 3).expect("initialises");
    feed(&net, n, 0);
    net
}

fn feed(net: &Executor, n: usize, seed: u64) {
    net.set_input_host("data", &numbers::noise(seed, &[n, 2, 8, 8])).expect("fits");
    if net.input_names().any(|name| name == "label") {
        net.set_input_host("label", &numbers::labels(seed, n, 4)).expect("fits");
    }
}

fn symbol() -> Symbol {
    let conv = |x: &Symbol, n: usize, name: &str| x.conv2d_with(n, 3, opts::Conv2d::new().pad(1).name(name));
    let (data, label) = (Symbol::input("data"), Symbol::input("label").dtype(DType::I64));
    let pool1 = conv(&data, 6, "conv1").relu().max_pool_with(2, opts::MaxPool::new().stride(2).name("pool1"));
    let bend = conv(&pool1, 8, "conv2").tanh_with(opts::Tanh::new().name("bend"));
    let fc1 = bend.exp().flatten().dense_with(12, opts::Dense::new().name("fc1"));
    fc1.sigmoid().dense_with(4, opts::Dense::new().name("fc2")).softmax_cross_entropy(&label)
}

/// What a value is in a whole run, by the name of its layer: its last one.
fn watched(net: &mut Executor, layer: &str) -> Vec<f32> {
    let found = Arc::new(Mutex::new(Vec::new()));
    let (sink, layer) = (found.clone(), layer.to_string());
    net.set_monitor(Some(Box::new(move |o| {
        if o.layer == layer {
            *sink.lock().expect("sound") = o.as_f32().expect("f32").to_vec();
        }
    })))
    .expect("idle");
    predict(net);
    net.set_monitor(None).expect("idle");
    let seen = found.lock().expect("sound").clone();
    assert!(!seen.is_empty());
    seen
}

fn layers_at_work(p: &Program) -> Vec<&str> {
    let mut names: Vec<&str> = p.steps.iter().map(|s| &*p.layers[s.layer as usize].name).collect();
    names.dedup();
    names
}

#[test]
fn a_network_up_to_layers_computes_nothing_behind_them() {
    let mut whole = net(3, options());
    let mut part = Net::bind_with(3, options().outputs([Net::fc1, Net::pool1, Net::fc1])).expect("binds");
    for (name, array) in part.params() {
        array.assign(whole.param(name).expect("the same")).expect("the same shape");
    }
    feed(&part, 3, 0);
    part.forward(Mode::Predict).expect("always");
    let results: Vec<Vec<f32>> = part.outputs().iter().map(vec).collect();
    for (result, layer) in results.iter().zip(["fc1", "pool1", "fc1"]) {
        assert_eq!(*result, watched(whole.executor_mut(), layer), "{layer}");
    }
    let program = part.program(Mode::Predict).expect("always");
    let busy = layers_at_work(program);
    assert!(busy.iter().all(|l| !["act1", "fc2"].contains(l)), "{busy:?}");
    let names: Vec<&str> = part.params().map(|(n, _)| n).collect();
    assert_eq!(names, ["conv1_weight", "conv1_bias", "conv2_weight", "conv2_bias", "fc1_weight", "fc1_bias"]);
    assert_eq!(part.input_names().collect::<Vec<_>>(), ["data"]);

    let early = Net::bind_with(3, options().outputs(["pool1"])).expect("binds");
    assert_eq!(early.params().count(), 2);
    assert!(early.memory().arena <= part.memory().arena);
    assert!(early.program(Mode::Predict).expect("always").steps.len() < program.steps.len());
    assert!(part.memory().arena <= whole.memory().arena);
    let refused = text(part.forward(Mode::Train));
    assert!(refused.contains("without `outputs`"), "{refused}");

    // With a symbol the cut is there before it is compiled.
    let shapes: [(&str, &[usize]); 2] = [("data", &[3, 2, 8, 8]), ("label", &[3])];
    for shapes in [&shapes[..], &shapes[..1]] {
        let mut built = symbol().bind(shapes, options().outputs(["fc1", "bend"])).expect("binds");
        for (name, array) in built.params() {
            array.assign(whole.param(name).expect("the same")).expect("the same shape");
        }
        feed(&built, 3, 0);
        assert_eq!(predict(&mut built), results[0]);
        assert_eq!(built.outputs()[1].shape(), [3, 8, 4, 4]);
        assert_eq!(built.input_names().collect::<Vec<_>>(), ["data"]);
    }
}

#[test]
fn layers_that_are_not_there_are_errors_with_the_nearest() {
    let bind = |name: &str| text(Net::bind_with(3, options().outputs([name])));
    assert!(bind("pol1").contains("did you mean `pool1`?"), "{}", bind("pol1"));
    // `bend` and `twice` are one step.
    let merged = bind("bend");
    assert!(merged.contains("`bend`") && merged.contains("`twice` is the nearest"), "{merged}");
    let shapes: [(&str, &[usize]); 2] = [("data", &[3, 2, 8, 8]), ("label", &[3])];
    let unknown = text(symbol().bind(&shapes, options().outputs(["fc3"])));
    assert!(unknown.contains("did you mean `fc"), "{unknown}");
    // Layers without a name of the user's have automatic ones.
    let automatic = symbol().bind(&shapes, options().outputs(["softmax_cross_entropy0"])).expect("binds");
    assert_eq!(automatic.outputs()[0].shape(), [3, 4], "a loss is what it predicts");
}

#[test]
fn options_that_a_form_cannot_follow_are_errors() {
    let part = || options().outputs(["pool1"]);
    let bind = |options: BindOptions| text(Net::bind_with(3, options));
    for (options, says) in [
        (part().grad("conv1_wieght", GradReq::Write), "did you mean `conv1_weight`?"),
        (part().grad("conv1_weight", GradReq::Write), "is bound for prediction only"),
        (part().input_grad("data", GradReq::Write), "is bound for prediction only"),
        (part().recompute("conv9"), "did you mean `conv1`?"),
        (options().outputs([""; 0]), "`outputs` names no layer"),
        (options().naive_memory().memory_budget(1 << 30), "leave one of the two out"),
    ] {
        let told = bind(options.clone());
        assert!(told.contains(says), "{told}");
        let planned = text(Executor::planned(Net::PROGRAMS, &[("N", 3)], &options, Mode::Predict));
        assert_eq!(planned, told, "the same without binding");
    }
    // What is not asked for may be named.
    Net::bind_with(3, part().grad("conv1_weight", GradReq::Null)).expect("binds");
    let told = text(Net::bind(usize::MAX));
    assert!(told.contains(&format!("not {}", usize::MAX)) && told.contains("help"), "{told}");
    let shapes: [(&str, &[usize]); 2] = [("data", &[3, 2, 8, 8]), ("label", &[3])];
    let told = text(symbol().bind(&shapes, part().grad("conv1_weight", GradReq::Write)));
    assert!(told.contains("is bound for prediction only"), "{told}");
}

#[test]
fn fine_tuning_the_last_layer_goes_back_no_further() {
    let whole = net(16, options());
    let asked =
        options().grads(GradReq::Null).grad("fc2_weight", GradReq::Write).grad("fc2_bias", GradReq::Write);
    let (mut tuned, mut all) = (net(16, asked), net(16, options()));
    let program = tuned.program(Mode::Train).expect("trains");
    let (forward, backward) = program.steps.split_at(program.forward as usize);
    let early = |s: &mxr::graph::program::Step| {
        ["conv1", "pool1", "conv2", "bend", "twice", "fc1", "act1"]
            .contains(&&*program.layers[s.layer as usize].name)
    };
    assert!(!backward.iter().any(early), "{program}");
    assert!(!program.steps.iter().any(|s| {
        matches!(
            s.instr,
            Instr::Conv2dBackwardData(..) | Instr::Conv2dBackwardWeight(_) | Instr::Pool2dBackward(_)
        )
    }));
    // Of the forward pass, the backward pass reads what goes into the last layer and what its loss left.
    let made_early: Vec<u32> = forward.iter().filter(|s| early(s)).flat_map(|s| s.writes.to_vec()).collect();
    let mut kept: Vec<u32> =
        backward.iter().flat_map(|s| s.reads.to_vec()).filter(|v| made_early.contains(v)).collect();
    kept.sort_unstable();
    kept.dedup();
    assert_eq!(kept.len(), 1, "{program}");
    let alive = |net: &Executor| {
        let program = net.program(Mode::Train).expect("trains");
        let problem = program.problem(&program.bind_symbols(&[("N", 16)]).expect("a batch"));
        let alive = mxr::graph::memory::alive(&problem);
        alive[program.forward as usize..].iter().copied().max().unwrap_or(0)
    };
    let (few, many) = (alive(&tuned), alive(&whole));
    assert!(few * 2 <= many, "{few} of {many} bytes are alive in the backward pass");
    assert!(tuned.memory().arena < whole.memory().arena, "{:?} of {:?}", tuned.memory(), whole.memory());
    assert_eq!(tuned.memory().gradients, 4 * (4 * 12 + 4));
    pass(tuned.executor_mut());
    pass(all.executor_mut());
    for name in ["fc2_weight", "fc2_bias"] {
        assert_eq!(vec(tuned.grad(name).expect("asked for")), vec(all.grad(name).expect("by default")));
    }
}

/// A network of any length, and weights of its own or those of another.
fn sequence(length: usize, options: BindOptions) -> Executor {
    let x = Symbol::input("x").shape(["T".into(), 8.into()]);
    let label = Symbol::input("label").dtype(DType::I64).shape(["T".into()]);
    let h = x.dense_with(32, opts::Dense::new().name("fc1")).tanh();
    let h = h.dense_with(24, opts::Dense::new().name("fc2")).sigmoid();
    let programs =
        h.dense_with(3, opts::Dense::new().name("fc3")).softmax_cross_entropy(&label).compile("net");
    Executor::bind_shared(programs.expect("fits"), &[("T", length)], options).expect("binds")
}

fn read(net: &Executor, length: usize, seed: u64) {
    net.set_input_host("x", &numbers::noise(seed, &[length, 8])).expect("fits");
    net.set_input_host("label", &numbers::labels(seed, length, 3)).expect("fits");
}

const LENGTHS: [usize; 3] = [40, 100, 20];

/// Training in turns with buckets of several lengths; everything that comes out, and what each reports.
fn buckets(one_arena: bool, order: [usize; 3]) -> (Vec<f32>, Vec<usize>) {
    let mut nets: Vec<(usize, Executor)> = Vec::new();
    for length in order {
        let mut o = options();
        if let Some((_, first)) = nets.first() {
            o = o.share_params(first);
            if one_arena {
                o = o.share_memory(first);
            }
        }
        nets.push((length, sequence(length, o)));
    }
    nets[0].1.init(&Xavier::default(), 5).expect("initialises");
    let mut updater = Updater::new(&nets[2].1, Sgd::new(0.1).momentum(0.9)).expect("f32");
    let mut all = Vec::new();
    for step in 0..6 {
        let length = LENGTHS[step as usize % 3];
        let (_, net) = nets.iter_mut().find(|(l, _)| *l == length).expect("bound");
        read(net, length, step);
        pass(net);
        updater.update();
        all.extend(net.outputs().iter().flat_map(vec));
        all.extend(net.grads().flat_map(|(_, g)| vec(g)));
        // Another one evaluates in between.
        let (other, net) = nets.iter_mut().find(|(l, _)| *l != length).expect("bound");
        read(net, *other, 77);
        all.extend(predict(net));
    }
    all.extend(nets[1].1.params().flat_map(|(_, w)| vec(w)));
    (all, nets.iter().map(|(_, n)| n.memory().arena).collect())
}

#[test]
fn networks_in_one_arena_take_what_the_largest_takes() {
    let order = [100, 40, 20];
    let (alone, arenas) = buckets(false, order);
    assert!(arenas[1] < arenas[0] && arenas[2] < arenas[1]);
    for order in [order, [20, 40, 100], [40, 100, 20]] {
        let (together, arena) = buckets(true, order);
        assert!(together == buckets(false, order).0, "{order:?}: the same bits");
        assert_eq!(arena, [arenas[0]; 3], "{order:?}: the largest, not the sum");
    }
    assert!(alone.iter().all(|x| x.is_finite()));
}

#[test]
fn a_backward_pass_whose_values_are_gone_is_an_error() {
    let mut a = sequence(20, options());
    a.init(&Xavier::default(), 1).expect("initialises");
    let mut b = sequence(30, options().share_params(&a).share_memory(&a));
    read(&a, 20, 0);
    read(&b, 30, 0);
    pass(&mut a);
    let good = vec(a.grad("fc1_weight").expect("by default"));
    for mode in [Mode::Train, Mode::Predict] {
        a.forward(Mode::Train).expect("can train");
        b.forward(mode).expect("always");
        let told = text(a.backward());
        assert!(told.contains("shared memory") && told.contains("right after"), "{told}");
    }
    // Growing loses what was there as well.
    a.forward(Mode::Train).expect("can train");
    let c = sequence(500, options().share_memory(&a));
    assert!(text(a.backward()).contains("shared memory"));
    assert_eq!(c.memory().arena, a.memory().arena);
    // Each of them goes on.
    pass(&mut a);
    assert_eq!(vec(a.grad("fc1_weight").expect("by default")), good);
    pass(&mut b);
    b.wait().expect("sound");
}

/// Whoever asks for passes from several threads gets right numbers or an error, whatever the order is.
#[test]
fn threads_that_share_an_arena_get_right_numbers_or_an_error() {
    let a = sequence(20, options());
    let b = sequence(30, options().share_memory(&a));
    let mut right = 0;
    std::thread::scope(|s| {
        let threads = [(a, 20), (b, 30)].map(|(mut net, length)| {
            s.spawn(move || {
                net.init(&Xavier::default(), 1).expect("initialises");
                read(&net, length, 4);
                let mut own = sequence(length, options().share_params(&net));
                // With gradients of its own.
                assert!(own.grad("fc2_weight").is_ok());
                read(&own, length, 4);
                pass(&mut own);
                let good = vec(own.grad("fc2_weight").expect("by default"));
                let mut right = 0;
                for _ in 0..200 {
                    net.zero_grads();
                    net.forward(Mode::Train).expect("pushed");
                    let told = net.backward().and_then(|()| net.grad("fc2_weight")?.wait());
                    match told {
                        Ok(()) => {
                            assert_eq!(vec(net.grad("fc2_weight").expect("by default")), good);
                            right += 1;
                        }
                        Err(e) => assert!(e.to_string().contains("shared memory"), "{e}"),
                    }
                    net.recover().expect("outside");
                }
                right
            })
        });
        right = threads.into_iter().map(|t| t.join().expect("no panic")).sum();
    });
    assert!(right > 0, "one of them at least is left alone at the end");
}

#[test]
fn what_cannot_be_shared_is_said() {
    let a = sequence(20, options());
    let x = Symbol::input("x").dense_with(7, opts::Dense::new().name("fc1"));
    let shape = text(x.bind(&[("x", &[2, 8])], options().share_params(&a)));
    assert!(
        shape.contains("`fc1_weight`") && shape.contains("[32, 8]") && shape.contains("[7, 8]"),
        "{shape}"
    );
    let other = Symbol::input("x").dense_with(7, opts::Dense::new().name("other"));
    let names = text(other.bind(&[("x", &[2, 8])], options().share_params(&a)));
    assert!(names.contains("no parameter") && names.contains("`net`"), "{names}");
    let device = mxr::Device::cpu_with_threads(1).expect("threads");
    let elsewhere = text(other.bind(&[("x", &[2, 8])], options().share_memory(&a).device(&device)));
    assert!(elsewhere.contains("different devices"), "{elsewhere}");
    // Memory that nobody has is not taken from those who share it.
    let huge = Symbol::input("x").tanh().softmax().relu().softmax();
    assert!(huge.bind(&[("x", &[1 << 20, 1 << 24])], options().share_memory(&a)).is_err());
    assert!(a.memory().arena < 1 << 20);
    a.wait().expect("sound");
}

#[test]
fn micro_batches_add_up_to_the_batch() {
    let (n, k) = (12, 4);
    let mut whole = net(n, options());
    let mut parts = net(n / k, options().grads(GradReq::Add));
    for round in 0..2 {
        feed(&whole, n, round);
        pass(whole.executor_mut());
        parts.zero_grads();
        let (data, label) = (whole.input("data").expect("there"), whole.input("label").expect("there"));
        for at in 0..k {
            let rows = at * n / k..(at + 1) * n / k;
            parts.set_input("data", &data.rows(rows.clone()).expect("within")).expect("fits");
            parts.set_input("label", &label.rows(rows).expect("within")).expect("fits");
            pass(parts.executor_mut());
        }
        for (name, sum) in parts.grads() {
            // The loss is a mean over the batch.
            for (x, y) in vec(sum).iter().zip(vec(whole.grad(name).expect("the same"))) {
                assert!((x / k as f32 - y).abs() <= 1e-5 * (1.0 + y.abs()), "{name}: {x} / {k} and {y}");
            }
        }
    }
    // A sum costs no second array: what is added dies in the arena where it is made.
    let replaced = net(n / k, options());
    let largest = replaced.grads().map(|(_, g)| 4 * g.len()).max().expect("some");
    let (adds, writes) = (parts.memory(), replaced.memory());
    assert_eq!((adds.gradients, adds.io), (writes.gradients, writes.io));
    assert!(adds.arena <= writes.arena + largest.next_multiple_of(64), "{adds:?} beside {writes:?}");
    assert!(parts.program(Mode::Train).expect("trains").grads.is_empty());
    let names = |net: &Executor| net.grads().map(|(n, _)| n.to_string()).collect::<Vec<_>>();
    assert_eq!(names(&parts), names(&replaced));
}

#[test]
fn some_gradients_add_and_some_are_replaced() {
    let asked = options().grad("fc1_weight", GradReq::Add).input_grad("data", GradReq::Add);
    let (mut mixed, mut plain) = (net(3, asked), net(3, options().input_grad("data", GradReq::Write)));
    pass(plain.executor_mut());
    for times in 1..4 {
        pass(mixed.executor_mut());
        for (name, g) in plain.grads() {
            let factor = if ["fc1_weight", "data"].contains(&name) { times as f32 } else { 1.0 };
            for (x, y) in vec(mixed.grad(name).expect("asked for")).iter().zip(vec(g)) {
                assert!((x - factor * y).abs() <= 1e-5 * (1.0 + y.abs()), "{name} after {times}: {x}, {y}");
            }
        }
    }
    // A failed pass spoils the sums until they begin anew, and nothing for good.
    mixed.input("label").expect("there").fill_with(-1.0).expect("sound");
    pass(mixed.executor_mut());
    assert!(mixed.grad("fc1_weight").expect("asked for").wait().is_err());
    feed(&mixed, 3, 0);
    mixed.zero_grads();
    pass(mixed.executor_mut());
    assert_eq!(vec(mixed.grad("fc1_weight").expect("there")), vec(plain.grad("fc1_weight").expect("there")));
    assert_eq!(vec(mixed.grad("fc2_weight").expect("there")), vec(plain.grad("fc2_weight").expect("there")));
}

/// The gradient of one weight in three places is the sum of the gradients of three weights with its numbers.
#[test]
fn a_tied_weight_has_the_sum_of_its_gradients() {
    let build = |tied: bool| {
        let fc1 = Symbol::input("data").dense_with(6, opts::Dense::new().name("fc1"));
        let (second, third) = match tied {
            true => (fc1.parameter("weight"), fc1.parameter("weight")),
            false => {
                let own = |name: &str| Symbol::param(name).shape([6.into(), 6.into()]);
                (own("second"), own("third"))
            }
        };
        let fc2 = fc1.tanh().dense_from(&[&second], opts::Dense::new().name("fc2"));
        fc2.tanh().matmul(&third).square().sum()
    };
    let shapes: [(&str, &[usize]); 1] = [("data", &[5, 6])];
    let mut declared = Tied::bind(5).expect("binds");
    let mut built = build(true).bind(&shapes, options()).expect("binds");
    let mut apart = build(false).bind(&shapes, options()).expect("binds");
    let names: Vec<&str> = built.params().map(|(n, _)| n).collect();
    assert_eq!(names, ["fc1_weight", "fc1_bias", "fc2_bias"]);
    assert_eq!(declared.params().map(|(n, _)| n).collect::<Vec<_>>(), names);
    assert_eq!(Tied::PARAMETERS, 36 + 6 + 6);
    built.init(&Xavier::default(), 2).expect("initialises");
    for net in [declared.executor_mut(), &mut apart] {
        for (name, array) in net.params() {
            let source = if ["second", "third"].contains(&name) { "fc1_weight" } else { name };
            array.assign(built.param(source).expect("the same")).expect("the same shape");
        }
    }
    for net in [declared.executor_mut(), &mut built, &mut apart] {
        net.set_input_host("data", &numbers::noise(1, &[5, 6])).expect("fits");
        pass(net);
    }
    let grad = |net: &Executor, name: &str| vec(net.grad(name).expect("by default"));
    let sum = ["fc1_weight", "second", "third"].map(|name| grad(&apart, name));
    let tied = grad(&built, "fc1_weight");
    for (at, x) in tied.iter().enumerate() {
        let y: f32 = sum.iter().map(|g| g[at]).sum();
        assert!((x - y).abs() <= 1e-4 * (1.0 + y.abs()), "{at}: {x} and {y}");
    }
    assert_eq!(grad(&declared, "fc1_weight"), tied);
    assert_eq!(predict(declared.executor_mut()), predict(&mut apart));

    let x = Symbol::input("data").tanh();
    let none = text(x.dense_from(&[&x.parameter("weight")], opts::Dense::new()).bind(&shapes, options()));
    assert!(none.contains("has no parameter `weight`"), "{none}");
    let fc = Symbol::input("data").dense(6);
    let near = text((&fc + &fc.parameter("weigth")).bind(&shapes, options()));
    assert!(near.contains("did you mean `weight`?"), "{near}");
}

/// `f = sum((x W)²) + h · 2 x W + sum(x²)`, with `h` the head gradient of the second result: in `network!` and with symbols.
#[test]
fn several_heads_and_gradients_of_inputs() {
    let data = Symbol::input("data").shape(["N".into(), 3.into()]);
    let fc = data.dense_with(2, opts::Dense::new().bias(false).name("fc"));
    let outputs = [fc.square().sum(), &fc * 2.0, (&data * &data).sum()];
    let programs = Symbol::compile_group("Heads", &outputs).expect("fits");
    let asked = || options().input_grad("data", GradReq::Write);
    let mut declared = Heads::bind_with(1, asked()).expect("binds");
    let mut built = Executor::bind_shared(programs, &[("N", 1)], asked()).expect("binds");
    let (x, w) = ([1.0f32, -2.0, 3.0], [[1.0f32, 2.0, 0.0], [0.0, -1.0, 1.0]]);
    let y = w.map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum::<f32>());
    for net in [declared.executor_mut(), &mut built] {
        net.set_input("data", &NDArray::from_slice(&x, &[1, 3]).expect("fits")).expect("fits");
        let weight = NDArray::from_slice(w.as_flattened(), &[2, 3]).expect("fits");
        net.param("fc_weight").expect("there").assign(&weight).expect("fits");
        for heads in [[1.0f32, 1.0], [0.5, -3.0]] {
            net.head_grad(1)
                .expect("not a scalar")
                .assign(&NDArray::from_slice(&heads, &[1, 2]).expect("fits"))
                .expect("fits");
            pass(net);
            // d / d y = 2 y + 2 h
            let dy = [0, 1].map(|j| 2.0 * y[j] + 2.0 * heads[j]);
            let dw: Vec<f32> = dy.iter().flat_map(|d| x.map(|x| d * x)).collect();
            let dx = [0, 1, 2].map(|i| dy[0] * w[0][i] + dy[1] * w[1][i] + 2.0 * x[i]);
            assert_eq!(vec(net.grad("fc_weight").expect("there")), dw);
            assert_eq!(vec(net.grad("data").expect("asked for")), dx);
        }
        let results: Vec<Vec<f32>> = net.outputs().iter().map(vec).collect();
        assert_eq!(results, [vec![y[0] * y[0] + y[1] * y[1]], vec![2.0 * y[0], 2.0 * y[1]], vec![14.0]]);
        assert!(text(net.head_grad(0)).contains("output 0"));
    }
}

/// A dense layer with a normalised weight: `x softmax(v)ᵀ + b`.
fn normalised(options: BindOptions) -> Executor {
    let v = Symbol::param("v").shape([4.into(), 6.into()]);
    let label = Symbol::input("label").dtype(DType::I64);
    let fc = Symbol::input("x").dense_from(&[&v.softmax()], opts::Dense::new().name("fc"));
    let shapes: [(&str, &[usize]); 2] = [("x", &[3, 6]), ("label", &[3])];
    fc.softmax_cross_entropy(&label).bind(&shapes, options).expect("fits")
}

fn feed_normalised(net: &Executor) {
    net.set_input_host("x", &numbers::noise(9, &[3, 6])).expect("fits");
    net.set_input_host("label", &numbers::labels(9, 3, 4)).expect("fits");
}

#[test]
fn what_weights_alone_make_is_made_once_until_they_change() {
    let mut net = normalised(options());
    let program = net.program(Mode::Predict).expect("always");
    let kept: Vec<String> =
        program.values.iter().filter(|v| v.role == Role::Kept).map(|v| v.name.to_string()).collect();
    assert_eq!(kept.len(), 1, "{program}");
    assert_eq!((net.memory().kept, program.prologue()), (4 * 4 * 6, 1));
    assert_eq!(net.program(Mode::Train).expect("trains").prologue(), 0);
    net.init(&Xavier::default(), 4).expect("initialises");
    feed_normalised(&net);

    let count = Arc::new(Mutex::new(0));
    let counter = count.clone();
    net.set_monitor(Some(Box::new(move |o| {
        *counter.lock().expect("sound") += usize::from(o.value == kept[0])
    })))
    .expect("idle");
    // How often it was made in a prediction, which must be what a network that has just been bound predicts.
    let made = |net: &mut Executor| {
        net.wait().expect("sound");
        *count.lock().expect("sound") = 0;
        let (first, again) = (predict(net), predict(net));
        let mut fresh = normalised(options());
        fresh.set_params(&numbers_of(net)).expect("the same network");
        feed_normalised(&fresh);
        assert_eq!(first, predict(&mut fresh));
        assert_eq!(first, again);
        *count.lock().expect("sound")
    };
    assert_eq!(made(&mut net), 1);
    assert_eq!(made(&mut net), 0);
    net.set_input_host("x", &numbers::noise(9, &[3, 6])).expect("fits");
    assert_eq!(made(&mut net), 0, "an input is no weight");
    net.param("fc_bias").expect("there").fill_with(0.5).expect("sound");
    assert_eq!(made(&mut net), 0, "nothing that is kept depends on the bias");

    let mut v = net.param("v").expect("there").clone();
    v += 0.25 * &v;
    assert_eq!(made(&mut net), 1, "code on arrays");
    v.rows(1..2).expect("within").fill_with(2.0).expect("sound");
    assert_eq!(made(&mut net), 1, "a part of it");
    net.set_params(&numbers_of(&net)).expect("the same network");
    assert_eq!(made(&mut net), 1, "loading");
    let mut updater = Updater::new(&net, Sgd::new(0.5)).expect("f32");
    pass(&mut net);
    assert_eq!(made(&mut net), 0, "a training pass writes no weight");
    updater.update();
    assert_eq!(made(&mut net), 1, "an optimizer");

    // Another network that trains the same weights.
    let mut trainer = normalised(options().share_params(&net).share_memory(&net));
    feed_normalised(&trainer);
    let mut updater = Updater::new(&trainer, Sgd::new(0.5)).expect("f32");
    for _ in 0..3 {
        pass(&mut trainer);
        updater.update();
        assert_eq!(made(&mut net), 1, "who shares it");
        assert_eq!(made(&mut net), 0);
    }
    // Naive memory changes nothing of it.
    let mut naive = normalised(options().naive_memory());
    naive.set_params(&numbers_of(&net)).expect("the same network");
    feed_normalised(&naive);
    assert_eq!(predict(&mut naive), predict(&mut net));
}

fn numbers_of(net: &Executor) -> mxr::io::NamedArrays {
    let mut arrays = mxr::io::NamedArrays::new();
    for (name, a) in net.params().chain(net.states()) {
        arrays.push(name.to_string(), a.to_host().expect("computed")).expect("distinct names");
    }
    arrays
}

#[test]
fn a_prologue_that_failed_runs_again() {
    let mut net = normalised(options());
    net.init(&Xavier::default(), 4).expect("initialises");
    feed_normalised(&net);
    let good = predict(&mut net);
    let v = net.param("v").expect("there").clone();
    v.assign(&v.copy().expect("sound")).expect("the same shape");
    net.set_monitor(Some(Box::new(|_| panic!("stop")))).expect("idle");
    net.forward(Mode::Predict).expect("pushed");
    assert!(net.outputs()[0].wait().is_err());
    net.set_monitor(None).expect("idle");
    assert_eq!(predict(&mut net), good);
}
