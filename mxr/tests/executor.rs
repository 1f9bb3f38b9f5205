//! What a bound network promises: gradients as they were asked for, the same bits however it is run, errors that name the
//! layer and leave it usable.

mod nets;
mod numbers;

use mxr::engine::Engine;
use mxr::graph::instr::Instr;
use mxr::graph::memory::{Strategy, plan};
use mxr::graph::program::Place;
use mxr::init::{Constant, Xavier};
use mxr::optimizer::{Adam, Sgd, Updater};
use mxr::{BindOptions, DType, Device, Error, Executor, GradReq, Mode, NDArray, Symbol, opts};
use std::borrow::Cow;
use std::sync::{Arc, Mutex};

const BATCH: usize = 6;

fn options() -> BindOptions {
    BindOptions::new()
}

fn vec(a: &NDArray) -> Vec<f32> {
    a.to_vec().expect("computed")
}

fn array<const N: usize>(values: [f32; N]) -> NDArray {
    NDArray::try_from(values).expect("fits")
}

/// Forward and backward.
fn pass(net: &mut Executor) {
    net.forward(Mode::Train).expect("can train");
    net.backward().expect("follows a forward pass");
}

/// `sum((x * w − t)²)` for vectors of 4: the gradient of `w` is `2 (x w − t) x`, that of `x` is `2 (x w − t) w`.
fn square(options: BindOptions) -> Result<Executor, Error> {
    let (x, t) = (Symbol::input("x"), Symbol::input("t"));
    let w = Symbol::param("w").shape([4.into()]);
    let r = &x * &w - &t;
    let net = (&r * &r).sum().bind(&[("x", &[4]), ("t", &[4])], options)?;
    net.set_input("x", &array([1.0, -1.0, 1.0, 1.0]))?;
    net.set_input("t", &array([5.0, -1.0, 1.0, 1.0]))?;
    net.param("w")?.assign(&array([2.0, 0.0, 2.0, 2.0]))?;
    Ok(net)
}

const GRAD: [f32; 4] = [-6.0, -2.0, 2.0, 2.0];

/// The branchy network with data.
fn branchy(options: BindOptions) -> Executor {
    let shapes: [(&str, &[usize]); 2] = [("data", &[BATCH, 2, 8, 8]), ("label", &[BATCH])];
    let mut net = nets::branchy().bind(&shapes, options.seed(5)).expect("fits");
    net.init(&Xavier::default(), 9).expect("initialises");
    feed(&net, 0);
    net
}

fn feed(net: &Executor, seed: u64) {
    net.set_input_host("data", &numbers::noise(seed, &[BATCH, 2, 8, 8])).expect("fits");
    net.set_input_host("label", &numbers::labels(seed, BATCH, 3)).expect("fits");
}

/// Every bit that five steps of training leave, losses, gradients and a prediction included.
fn bits(options: BindOptions) -> Vec<u32> {
    let mut net = branchy(options.input_grad("data", GradReq::Write));
    let mut updater = Updater::new(&net, Adam::new(0.01)).expect("f32");
    let mut all = Vec::new();
    for step in 0..5 {
        feed(&net, step);
        pass(&mut net);
        updater.update();
        all.extend(net.outputs().iter().chain(net.predictions()).flat_map(vec));
        all.extend(net.grads().flat_map(|(_, g)| vec(g)));
    }
    all.extend(net.params().chain(net.states()).flat_map(|(_, a)| vec(a)));
    net.forward(Mode::Predict).expect("always");
    all.extend(net.outputs().iter().flat_map(vec));
    assert!(all.iter().all(|x| x.is_finite()));
    all.into_iter().map(f32::to_bits).collect()
}

#[test]
fn gradients_replace_add_or_are_not_made() {
    let mut net = square(options()).expect("fits");
    for _ in 0..2 {
        pass(&mut net);
        assert_eq!(vec(net.grad("w").expect("by default")), GRAD);
    }
    assert_eq!(net.outputs()[0].item::<f32>().expect("computed"), 9.0 + 1.0 + 1.0 + 1.0);

    let mut net = square(options().grads(GradReq::Add)).expect("fits");
    for times in 1..4 {
        pass(&mut net);
        assert_eq!(vec(net.grad("w").expect("asked for")), GRAD.map(|g| g * times as f32));
    }
    net.zero_grads();
    assert_eq!(vec(net.grad("w").expect("asked for")), [0.0; 4]);
    pass(&mut net);
    assert_eq!(vec(net.grad("w").expect("asked for")), GRAD);

    let whole = square(options()).expect("fits").program(Mode::Train).expect("trains").steps.len();
    let mut net = square(options().grads(GradReq::Null)).expect("fits");
    assert!(net.program(Mode::Train).expect("trains").steps.len() < whole);
    assert_eq!(net.grads().count(), 0);
    pass(&mut net);
    net.wait().expect("nothing to do");
    let error = net.grad("w").expect_err("not made").to_string();
    assert!(error.contains("`") || error.contains("w"), "{error}");
}

#[test]
fn gradients_by_name_and_of_inputs() {
    let asked =
        options().grad("w", GradReq::Null).input_grad("x", GradReq::Write).input_grad("t", GradReq::Add);
    let mut net = square(asked).expect("fits");
    pass(&mut net);
    pass(&mut net);
    assert_eq!(vec(net.grad("x").expect("asked for")), [-12.0, 0.0, 4.0, 4.0]);
    assert_eq!(vec(net.grad("t").expect("asked for")), [12.0, -4.0, -4.0, -4.0]);
    assert!(net.grad("w").is_err());
    assert_eq!(net.grads().map(|(n, _)| n).collect::<Vec<_>>().len(), 2);

    let pruned = branchy(options().grads(GradReq::Null).grad("fc2_weight", GradReq::Write));
    let whole = branchy(options());
    let steps = |net: &Executor| net.program(Mode::Train).expect("trains").steps.len();
    assert!(steps(&pruned) * 3 < steps(&whole) * 2, "{} of {}", steps(&pruned), steps(&whole));
    let (mut pruned, mut whole) = (pruned, whole);
    pass(&mut pruned);
    pass(&mut whole);
    let grad = |net: &Executor| vec(net.grad("fc2_weight").expect("asked for"));
    assert_eq!(grad(&pruned), grad(&whole));
}

#[test]
fn requests_for_what_is_not_there_are_errors() {
    let text = |o: BindOptions| square(o).expect_err("no such gradient").to_string();
    let wrong = text(options().grad("v", GradReq::Write));
    assert!(wrong.contains("`v`") && wrong.contains("no parameter or input"), "{wrong}");
    let label = Symbol::input("label").dtype(DType::I64);
    let loss =
        Symbol::input("data").dense_with(3, opts::Dense::new().name("fc")).softmax_cross_entropy(&label);
    let bind =
        |o| loss.bind(&[("data", &[2, 4]), ("label", &[2])], o).expect_err("wrong request").to_string();
    let near = bind(options().grad("fc_wieght", GradReq::Add));
    assert!(near.contains("did you mean `fc_weight`?"), "{near}");
    let integers = bind(options().input_grad("label", GradReq::Write));
    assert!(integers.contains("`label`") && integers.contains("floating-point"), "{integers}");
}

#[test]
fn head_gradients_are_ones_unless_they_are_fed() {
    let w = Symbol::param("w").shape([3.into()]);
    let x = Symbol::input("x").shape([3.into()]);
    let programs = Symbol::compile_group("heads", &[&w * &x, (&w * &w).sum()]).expect("fits");
    let mut net = Executor::bind_shared(programs, &[], options()).expect("fits");
    net.set_input("x", &array([1.0, 2.0, 3.0])).expect("fits");
    net.param("w").expect("there").fill_with(1.0).expect("sound");
    pass(&mut net);
    assert_eq!(vec(net.grad("w").expect("there")), [3.0, 4.0, 5.0]);
    net.head_grad(0).expect("not a scalar").assign(&array([0.0, 10.0, -1.0])).expect("fits");
    pass(&mut net);
    assert_eq!(vec(net.grad("w").expect("there")), [2.0, 22.0, -1.0]);
    assert_eq!(net.outputs().iter().map(vec).collect::<Vec<_>>(), [vec![1.0, 2.0, 3.0], vec![3.0]]);
    assert!(net.head_grad(7).is_err());
}

#[test]
fn a_backward_pass_follows_a_forward_pass_for_training() {
    let mut net = square(options()).expect("fits");
    let refused = |net: &mut Executor| {
        let text = net.backward().expect_err("nothing to go back from").to_string();
        assert!(text.contains("forward(Mode::Train)"), "{text}");
    };
    refused(&mut net);
    net.forward(Mode::Predict).expect("always");
    refused(&mut net);
    pass(&mut net);
    refused(&mut net);
    net.forward(Mode::Train).expect("can train");
    net.forward(Mode::Predict).expect("always");
    refused(&mut net);
    assert_eq!(vec(net.grad("w").expect("there")), GRAD);
}

#[test]
fn a_monitor_sees_every_value_in_order() {
    type Log = Vec<(String, String, Vec<usize>, Option<Vec<f32>>)>;
    let mut net = branchy(options());
    let quiet = bits(options());
    let log = Arc::new(Mutex::new(Log::new()));
    let sink = log.clone();
    net.set_monitor(Some(Box::new(move |o| {
        let values = o.as_f32().map(Cow::into_owned);
        sink.lock().expect("one writer").push((o.layer.into(), o.value.into(), o.shape.to_vec(), values));
    })))
    .expect("idle");
    pass(&mut net);
    net.set_monitor(None).expect("idle");
    let seen = std::mem::take(&mut *log.lock().expect("one writer"));
    // Exactly the results of the program's steps, views among them.
    let program = net.program(Mode::Train).expect("trains");
    let name = |v: &u32| program.values[*v as usize].name.to_string();
    let made: Vec<String> = program.steps.iter().flat_map(|s| s.writes.iter().map(name)).collect();
    assert_eq!(seen.iter().map(|s| s.1.clone()).collect::<Vec<_>>(), made);
    let layers = ["stem", "stem_bn", "left", "shortcut", "right", "right_bn", "fc1", "fc2"];
    for layer in layers {
        let (_, _, shape, values) = seen.iter().find(|s| s.0 == layer).expect("every layer makes something");
        let n: usize = shape.iter().product();
        assert!(values.as_ref().is_none_or(|v| v.len() == n), "{layer}");
    }
    let loss = seen.iter().find(|s| s.2.is_empty()).and_then(|s| s.3.clone()).expect("a scalar is made");
    assert_eq!(loss, vec(&net.outputs()[0]));
    // Nobody is told any more, and watching changes nothing.
    pass(&mut net);
    net.wait().expect("computed");
    assert!(log.lock().expect("one writer").is_empty());
    assert_eq!(bits(options()), quiet);
}

#[test]
fn a_monitor_that_panics_is_an_error_of_the_pass() {
    let mut net = square(options()).expect("fits");
    net.set_monitor(Some(Box::new(|o| panic!("stop at {}", o.value)))).expect("idle");
    net.forward(Mode::Train).expect("pushed");
    let text = net.wait().expect_err("the monitor panicked").to_string();
    assert!(text.contains("stop at"), "{text}");
    // Once is enough: the backward pass, in which nothing fails, does not run on what the forward pass left.
    let mut calls = 0;
    net.set_monitor(Some(Box::new(move |_| {
        calls += 1;
        assert!(calls > 1, "stop at the first");
    })))
    .expect("idle");
    pass(&mut net);
    let text = net.grad("w").expect("there").wait().expect_err("never made").to_string();
    assert!(text.contains("stop at the first"), "{text}");
    net.set_monitor(None).expect("idle");
    pass(&mut net);
    assert_eq!(vec(net.grad("w").expect("there")), GRAD);
}

#[test]
fn prediction_shares_memory_and_disturbs_nothing() {
    let mut net = branchy(options());
    pass(&mut net);
    net.wait().expect("computed");
    let everything = |net: &Executor| -> Vec<Vec<f32>> {
        net.params().chain(net.states()).chain(net.grads()).map(|(_, a)| vec(a)).collect()
    };
    let (before, loss) = (everything(&net), net.outputs()[0].clone());
    let trained = vec(&loss);
    for _ in 0..3 {
        net.forward(Mode::Predict).expect("always");
        assert_eq!(net.outputs()[0].shape(), [BATCH, 3]);
        assert_eq!(vec(&net.outputs()[0]), vec(&net.predictions()[0]));
        for row in vec(&net.outputs()[0]).chunks(3) {
            assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?}");
        }
    }
    assert_eq!((everything(&net), vec(&loss)), (before, trained));
    assert_eq!(net.position(), 1);
    // One arena for both modes: no larger than training alone needs.
    let train_only = net.program(Mode::Train).expect("trains").clone();
    let planned =
        mxr::graph::memory::plan(&train_only.problem(&[]), mxr::graph::memory::Strategy::Best).bytes;
    assert_eq!(net.memory().arena as u64, planned);
}

#[test]
fn naive_and_planned_memory_give_the_same_bits() {
    assert_eq!(bits(options()), bits(options().naive_memory()));
    let arena = |o| branchy(o).memory().arena;
    let (planned, naive) = (arena(options()), arena(options().naive_memory()));
    assert!(planned * 2 < naive, "{planned} of {naive}");
}

/// Branches that are joined, taken apart and joined again, over the channels.
fn joined() -> Symbol {
    let x = Symbol::input("x");
    let (a, b) = (x.conv2d_with(3, 3, opts::Conv2d::new().pad(1)).relu(), x.conv2d(5, 1).tanh());
    let both = Symbol::concat(&[&a, &b]);
    let parts = both.split(2);
    let left = parts[0].sigmoid();
    let right = parts[1].conv2d_with(4, 3, opts::Conv2d::new().pad(1));
    let all = Symbol::concat(&[&right, &left, &(&both * 0.5)]);
    (all.conv2d(4, 1) + left).square().sum()
}

/// Branches of several shapes, then what reads all of them.
fn branches() -> Symbol {
    let x = Symbol::input("x");
    let (a, b) = (x.conv2d_with(3, 3, opts::Conv2d::new().pad(1)).tanh(), x.conv2d(5, 1).tanh());
    let both = Symbol::concat(&[&a, &b]);
    let c = both.conv2d_with(4, 3, opts::Conv2d::new().pad(1)).tanh();
    Symbol::concat(&[&c, &both.conv2d(2, 1).tanh()]).conv2d(4, 1).square().sum()
}

#[test]
fn parts_of_arrays_are_no_copies_where_they_lie_in_one_piece() {
    let run = |symbol: Symbol, n: usize, o: BindOptions| {
        let mut net = symbol.bind(&[("x", &[n, 2, 6, 5])], o.input_grad("x", GradReq::Write)).expect("fits");
        net.init(&Xavier::default(), 3).expect("initialises");
        net.set_input_host("x", &numbers::noise(7, &[n, 2, 6, 5])).expect("fits");
        pass(&mut net);
        let results = net.outputs().iter().chain(net.grads().map(|(_, g)| g));
        let bits: Vec<Vec<u32>> = results.map(|a| vec(a).into_iter().map(f32::to_bits).collect()).collect();
        (bits, net.program(Mode::Train).expect("trains").clone())
    };
    let programs = [1, 3].map(|n| {
        let same = |symbol: fn() -> Symbol| {
            let planned = run(symbol(), n, options());
            assert_eq!(planned.0, run(symbol(), n, options().naive_memory()).0, "batch of {n}");
            planned.1
        };
        same(joined);
        same(branches)
    });
    // The operands of a concatenation lie where its result has them, of channels at any batch size.
    let [one, three] = programs.map(|p| {
        let problem = p.problem(&[]);
        let places = plan(&problem, Strategy::Best).places;
        let joins = p.steps.iter().filter(|s| matches!(s.instr, Instr::Concat { .. }));
        joins
            .map(|s| {
                let mut next = places[s.writes[0] as usize];
                s.reads.iter().all(|r| {
                    let there = places[*r as usize] == next;
                    if let Place::Fixed(at) = &mut next {
                        *at += problem.sizes[*r as usize];
                    }
                    there
                })
            })
            .collect::<Vec<bool>>()
    });
    for joined in [one, three] {
        assert!(joined.len() >= 2 && joined.iter().all(|j| *j), "{joined:?}");
    }
}

#[test]
fn every_engine_and_any_number_of_threads_give_the_same_bits() {
    let serial = bits(options().device(&Device::with_engine(Engine::serial())));
    for threads in [1, 2, 3] {
        let device = Device::cpu_with_threads(threads).expect("threads");
        assert!(bits(options().device(&device)) == serial, "{threads} threads");
    }
}

#[test]
fn dropout_draws_anew_in_each_pass_also_without_gradients() {
    let y = Symbol::input("x").dropout();
    for request in [GradReq::Write, GradReq::Null] {
        let o = options().input_grad("x", request);
        let mut net = y.bind(&[("x", &[256])], o).expect("fits");
        net.input("x").expect("there").fill_with(1.0).expect("sound");
        let mut draw = |at: u64| {
            net.set_position(at).expect("idle");
            net.forward(Mode::Train).expect("can train");
            let first = vec(&net.outputs()[0]);
            net.forward(Mode::Train).expect("can train");
            (first, vec(&net.outputs()[0]))
        };
        let (a, b) = draw(0);
        assert_ne!(a, b, "{request:?}");
        assert!(a.iter().all(|x| *x == 0.0 || *x == 2.0));
        assert_eq!(draw(0), (a.clone(), b.clone()));
        assert_eq!(draw(1).0, b);
    }
}

#[test]
fn names_that_do_not_exist_are_errors_with_near_ones() {
    let net = branchy(options());
    let text = |r: mxr::Result<&NDArray>| r.expect_err("no such name").to_string();
    for (wrong, near) in [
        (text(net.param("stem_weigth")), "did you mean `stem_weight`?"),
        (text(net.state("stem_bn_moving_men")), "did you mean `stem_bn_moving_mean`?"),
        (text(net.input("dat")), "did you mean `data`?"),
        (text(net.grad("fc1_bais")), "did you mean `fc1_bias`?"),
        (text(net.input("zzzzzzzz")), "there are: data, label"),
    ] {
        assert!(wrong.contains(near), "{wrong}");
    }
    let value = NDArray::zeros(&[1]).expect("fits");
    assert!(net.set_input("lable", &value).expect_err("no such input").to_string().contains("`label`"));
    let shape = net.set_input("data", &value).expect_err("another shape").to_string();
    assert!(shape.contains("[1]") && shape.contains("[6, 2, 8, 8]"), "{shape}");
}

#[test]
fn wrong_symbols_are_errors() {
    let x = Symbol::input("x").shape(["N".into(), 4.into()]);
    let programs = x.dense(2).compile("net").expect("fits");
    let bind = |symbols: &[(&str, usize)]| Executor::bind_shared(programs.clone(), symbols, options());
    let text = |symbols: &[(&str, usize)]| bind(symbols).expect_err("does not bind").to_string();
    assert_eq!(bind(&[("N", 3)]).expect("binds").outputs()[0].shape(), [3, 2]);
    assert!(text(&[]).contains("`N`"));
    assert!(text(&[("N", 0)]).contains("at least 1"));
    assert!(text(&[("M", 3), ("N", 3)]).contains("no symbol `M`"));
    assert!(text(&[("N", 3), ("N", 4)]).contains("twice"));
    assert!(text(&[("N", usize::MAX)]).contains("2^48"));
    let x = Symbol::input("x");
    let unknown = x.relu().bind(&[("y", &[2])], options()).expect_err("no input y").to_string();
    assert!(unknown.contains("`x`"), "{unknown}");
    let twice =
        (&x + Symbol::input("x")).bind(&[("x", &[2])], options()).expect_err("two of them").to_string();
    assert!(twice.contains("two inputs or parameters"), "{twice}");
}

#[test]
fn memory_that_nobody_has_is_an_error() {
    let bind = |n: usize| nets::branchy().bind(&[("data", &[n, 2, 8, 8]), ("label", &[n])], options());
    for n in [1 << 40, 1 << 37] {
        let text = bind(n).expect_err("petabytes").to_string();
        assert!(text.contains("memory") || text.contains("2^48"), "{text}");
    }
    // Only arrays that the user keeps, no arena.
    let text = Symbol::input("x").relu().bind(&[("x", &[1 << 47])], options()).expect_err("petabytes");
    assert!(text.to_string().contains("memory"), "{text}");
    assert!(bind(2).is_ok(), "a later network is not affected");
}

#[test]
fn a_label_out_of_range_is_told_at_the_wait_and_the_network_goes_on() {
    let (mut net, mut same) = (branchy(options()), branchy(options()));
    let mut updater = Updater::new(&net, Sgd::new(0.1).momentum(0.9)).expect("f32");
    let mut other = Updater::new(&same, Sgd::new(0.1).momentum(0.9)).expect("f32");
    let names_the_layer = |e: Error| {
        let text = e.to_string();
        assert!(text.contains("softmax_cross_entropy0") && text.contains('7'), "{text}");
    };
    let bad = NDArray::from_slice(&[0i64, 1, 2, 7, 0, 1], &[BATCH]).expect("fits");

    // Forward alone: the next pass begins anew.
    net.set_input("label", &bad).expect("fits");
    net.forward(Mode::Train).expect("pushed");
    names_the_layer(net.outputs()[0].item::<f32>().expect_err("label 7 of 3 classes"));
    feed(&net, 0);
    net.forward(Mode::Train).expect("pushed");
    net.outputs()[0].item::<f32>().expect("the labels are good");

    // A whole step: the update is skipped, and the error is on the parameters until it is taken away.
    net.set_input("label", &bad).expect("fits");
    pass(&mut net);
    updater.update();
    names_the_layer(net.wait().expect_err("label 7 of 3 classes"));
    names_the_layer(net.param("stem_weight").expect("there").to_vec::<f32>().expect_err("never updated"));
    names_the_layer(net.grad("fc2_bias").expect("there").wait().expect_err("never made"));
    names_the_layer(updater.recover().expect("outside").expect("an error"));
    names_the_layer(net.recover().expect("outside").expect("an error"));
    assert!(net.recover().expect("outside").is_none());
    assert_eq!(updater.updates(), 0);

    // From here on as if nothing had happened, apart from the statistics that the failed passes took.
    for (name, state) in net.states() {
        state.assign(same.state(name).expect("the same network")).expect("the same shape");
    }
    net.set_position(0).expect("idle");
    for step in 0..3 {
        for (net, updater) in [(&mut net, &mut updater), (&mut same, &mut other)] {
            feed(net, step);
            pass(net);
            updater.update();
        }
    }
    for (name, w) in net.params().chain(net.states()) {
        let twin = same.param(name).or(same.state(name)).expect("the same network");
        assert_eq!(vec(w), vec(twin), "{name}");
    }
}

#[test]
fn a_failed_pass_does_not_spoil_sums_of_gradients_for_good() {
    let label = Symbol::input("label").dtype(DType::I64);
    let loss = Symbol::input("x").dense_with(3, opts::Dense::new().name("fc")).softmax_cross_entropy(&label);
    let bind = || {
        let mut net =
            loss.bind(&[("x", &[1, 2]), ("label", &[1])], options().grads(GradReq::Add)).expect("fits");
        net.init(&Constant(0.5), 0).expect("initialises");
        net
    };
    let (mut net, mut good) = (bind(), bind());
    net.input("label").expect("there").fill_with(-1.0).expect("sound");
    pass(&mut net);
    assert!(net.grad("fc_bias").expect("there").wait().is_err());
    net.zero_grads();
    net.input("label").expect("there").fill_with(1.0).expect("sound");
    good.input("label").expect("there").fill_with(1.0).expect("sound");
    for net in [&mut net, &mut good] {
        pass(net);
        pass(net);
    }
    assert_eq!(vec(net.grad("fc_bias").expect("there")), vec(good.grad("fc_bias").expect("there")));
}

#[test]
fn networks_may_go_while_they_work() {
    for threads in [1, 2] {
        let device = Device::cpu_with_threads(threads).expect("threads");
        let mut kept = Vec::new();
        for i in 0..10 {
            let mut net = branchy(options().device(&device));
            let mut updater = Updater::new(&net, Sgd::new(0.1)).expect("f32");
            for _ in 0..3 {
                pass(&mut net);
                updater.update();
            }
            if i % 3 == 0 {
                kept.push((net.outputs()[0].clone(), net.param("fc1_weight").expect("there").clone()));
            }
            // Both go here, with work pending.
        }
        let mut values = kept.iter().map(|(loss, w)| (vec(loss), vec(w)));
        let first = values.next().expect("kept");
        assert!(values.all(|v| v == first));
        device.wait_all().expect("nothing failed");
    }
}

#[test]
fn several_networks_of_one_program_do_not_meet() {
    let programs = {
        let label = Symbol::input("label").dtype(DType::I64).shape(["N".into()]);
        let x = Symbol::input("data").shape(["N".into(), 4.into()]);
        let loss =
            x.dense_with(8, opts::Dense::new().name("fc1")).relu().dense(3).softmax_cross_entropy(&label);
        loss.compile("small").expect("fits")
    };
    let train = |net: &mut Executor, n: usize, steps: u64| {
        for step in 0..steps {
            net.set_input_host("data", &numbers::noise(step, &[n, 4])).expect("fits");
            net.set_input_host("label", &numbers::labels(step, n, 3)).expect("fits");
            pass(net);
            for (name, w) in net.params() {
                let mut w = w.clone();
                w -= 0.1 * net.grad(name).expect("by default");
            }
        }
        net.params().flat_map(|(_, w)| vec(w)).collect::<Vec<f32>>()
    };
    let bind = |n: usize, seed: u64| {
        let mut net = Executor::bind_shared(programs.clone(), &[("N", n)], options()).expect("fits");
        net.init(&Xavier::default(), seed).expect("initialises");
        net
    };
    let alone: Vec<Vec<f32>> = (1..5).map(|n| train(&mut bind(n, n as u64), n, 20)).collect();
    // One thread each, all at once on one device.
    let together: Vec<Vec<f32>> = std::thread::scope(|s| {
        let train = &train;
        let bind = &bind;
        let threads: Vec<_> = (1..5).map(|n| s.spawn(move || train(&mut bind(n, n as u64), n, 20))).collect();
        threads.into_iter().map(|t| t.join().expect("no panic")).collect()
    });
    assert_eq!(alone, together);
    // In turns.
    let mut nets: Vec<Executor> = (1..5).map(|n| bind(n, n as u64)).collect();
    for net in &mut nets {
        net.forward(Mode::Train).expect("can train");
    }
    for net in &mut nets {
        net.backward().expect("each has its own forward pass");
    }
    assert!(nets.iter().all(|n| n.wait().is_ok()));
}

#[test]
fn arrays_and_networks_work_in_one_order() {
    // The mixed loop, twice: the update by hand, and by the optimizer.
    let (mut by_hand, mut by_optimizer) = (branchy(options()), branchy(options()));
    let mut updater = Updater::new(&by_optimizer, Sgd::new(0.125)).expect("f32");
    for step in 0..20 {
        feed(&by_hand, step);
        feed(&by_optimizer, step);
        pass(&mut by_hand);
        for (name, w) in by_hand.params() {
            let mut w = w.clone();
            w -= 0.125 * by_hand.grad(name).expect("by default");
        }
        pass(&mut by_optimizer);
        updater.update();
    }
    for (name, w) in by_hand.params() {
        let (a, b) = (vec(w), vec(by_optimizer.param(name).expect("the same network")));
        let far = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(far <= 1e-6, "{name}: {far}");
    }

    // Reads and writes of the same arrays between passes, without waiting.
    let mut net = square(options()).expect("fits");
    let w = net.param("w").expect("there").clone();
    let mut sums = Vec::new();
    for i in 0..50 {
        w.fill_with(f64::from(i)).expect("sound");
        net.forward(Mode::Train).expect("can train");
        w.fill_with(-1.0).expect("sound");
        sums.push(net.outputs()[0].copy().expect("sound"));
        net.forward(Mode::Train).expect("can train");
    }
    for (i, sum) in sums.iter().enumerate() {
        let r = |x: f32, t: f32| (x * i as f32 - t).powi(2);
        let want = r(1.0, 5.0) + r(-1.0, -1.0) + 2.0 * r(1.0, 1.0);
        assert_eq!(sum.item::<f32>().expect("computed"), want);
    }
}

#[test]
fn an_error_of_an_array_travels_through_the_network() {
    let mut net = square(options()).expect("fits");
    let (a, b) = (array([1.0, 2.0]), array([1.0, 2.0, 3.0]));
    let wrong = &a + &b;
    let text = net.set_input("x", &wrong).expect_err("2 against 3").to_string();
    assert!(text.contains("[2]") && text.contains("[3]"), "{text}");
    // The network's own arrays are sound.
    pass(&mut net);
    assert_eq!(vec(net.grad("w").expect("there")), GRAD);
}

#[test]
fn deep_networks_of_symbols_come_and_go() {
    let mut x = Symbol::input("x");
    for _ in 0..100_000 {
        x = x + 1.0;
    }
    drop(x);
    let mut x = Symbol::input("x");
    for _ in 0..300 {
        x = (-(2.0 - &x)).relu() + &x;
    }
    let mut net = x.bind(&[("x", &[1])], options().input_grad("x", GradReq::Write)).expect("fits");
    pass(&mut net);
    assert_eq!(vec(&net.outputs()[0]), [0.0]);
}
