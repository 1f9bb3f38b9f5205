//! The training loop: it learns, it stops when it is told, and a run that was interrupted ends with the same bits.

mod numbers;

use mxr::init::{Constant, Fan, Initializer, Msra, Normal, Uniform, Xavier, by_name};
use mxr::io::iter::{ArrayIter, DataIter, LastBatch};
use mxr::io::{HostArray, checkpoint, params, safetensors};
use mxr::metric::{Accuracy, Confusion, Loss, Metric, TopK};
use mxr::optimizer::{Adam, Optimizer, Sgd, Updater};
use mxr::schedule::{Cosine, Schedule, Step};
use mxr::train::{EpochRecord, Fit, History, evaluate};
use mxr::{BindOptions, DType, Executor, Mode, NDArray, Symbol, opts};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

const BATCH: usize = 16;

/// A perceptron with everything that has a state: batch normalisation, dropout.
fn network(hidden: usize) -> Executor {
    let (data, label) = (Symbol::input("data"), Symbol::input("label").dtype(DType::I64));
    let fc1 = data.dense_with(hidden, opts::Dense::new().name("fc1"));
    let bn = fc1.batch_norm_with(opts::BatchNorm::new().name("bn")).relu();
    let kept = bn.dropout_with(opts::Dropout::new().p(0.1));
    let loss = kept.dense_with(3, opts::Dense::new().name("fc2")).softmax_cross_entropy(&label);
    let shapes: [(&str, &[usize]); 2] = [("data", &[BATCH, 8]), ("label", &[BATCH])];
    loss.bind(&shapes, BindOptions::new().seed(11)).expect("fits")
}

/// Points in eight dimensions; the class is the largest of the first three numbers.
fn samples(seed: u64, n: usize) -> (HostArray, HostArray) {
    let data = numbers::noise(seed, &[n, 8]);
    let rows = data.as_slice::<f32>().expect("f32").chunks(8);
    let largest = |row: &[f32]| (0..3).max_by(|a, b| row[*a].total_cmp(&row[*b])).expect("three") as i64;
    let label = HostArray::from_vec(rows.map(largest).collect(), &[n]).expect("one per row");
    (data, label)
}

fn iter(seed: u64, n: usize) -> ArrayIter {
    let (data, label) = samples(seed, n);
    ArrayIter::new(data, label, BATCH).expect("fits")
}

fn train_iter() -> ArrayIter {
    iter(1, 250).shuffle(4)
}

/// A folder of its own for each test.
fn folder(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("mxr-train-{}-{name}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder for temporary files");
    folder
}

fn fit<'a>(optimizer: impl Optimizer + 'static) -> Fit<'a> {
    Fit::new(optimizer).progress(false)
}

/// Parameters and states, bit by bit.
fn bits(net: &Executor) -> Vec<(String, Vec<u32>)> {
    let bits = |a: &NDArray| a.to_vec::<f32>().expect("sound").into_iter().map(f32::to_bits).collect();
    net.params().chain(net.states()).map(|(n, a)| (n.to_string(), bits(a))).collect()
}

/// A history without what a clock says.
fn timeless(history: &[EpochRecord]) -> History {
    history.iter().map(|r| EpochRecord { time: Default::default(), ..r.clone() }).collect()
}

fn value(values: &[(String, f64)], name: &str) -> f64 {
    values.iter().find(|(n, _)| n == name).unwrap_or_else(|| panic!("{name} in {values:?}")).1
}

#[test]
fn a_network_learns() {
    let mut net = network(32);
    net.init(&Xavier::default(), 0).expect("initialises");
    let (mut train, mut test) = (train_iter(), iter(2, 100));
    let history = fit(Sgd::new(0.1).momentum(0.9))
        .epochs(12)
        .validation(&mut test)
        .run(&mut net, &mut train)
        .expect("trains");
    assert_eq!(history.len(), 12);
    let (first, last) = (&history[0], &history[11]);
    assert_eq!(history.iter().map(|r| r.epoch).collect::<Vec<_>>(), (0..12).collect::<Vec<_>>());
    assert!(history.iter().all(|r| r.samples == 250 && r.learning_rate == 0.1));
    assert!(value(&last.train, "loss") < value(&first.train, "loss") / 2.0, "{history:?}");
    assert!(value(&last.train, "accuracy") > 0.85, "{last:?}");
    assert!(value(&last.validation, "accuracy") > 0.85, "{last:?}");
    // What is measured afterwards is what was measured after the last epoch.
    let (mut accuracy, mut top3, mut confusion) = (Accuracy::default(), TopK::new(3), Confusion::new(3));
    let before = bits(&net);
    let metrics: &mut [&mut dyn Metric] = &mut [&mut accuracy, &mut top3, &mut confusion];
    evaluate(&mut net, &mut test, metrics).expect("predicts");
    assert_eq!(accuracy.value(), value(&last.validation, "accuracy"));
    assert_eq!((top3.value(), confusion.value()), (1.0, accuracy.value()));
    assert_eq!(bits(&net), before);
}

#[test]
fn metrics_are_those_that_were_asked_for() {
    let mut net = network(8);
    net.init(&Xavier::default(), 0).expect("initialises");
    let mut test = iter(2, 40);
    let history = fit(Sgd::new(0.1))
        .metric(TopK::new(2))
        .metric(Loss::default())
        .validation(&mut test)
        .run(&mut net, &mut train_iter())
        .expect("trains");
    let names = |v: &[(String, f64)]| v.iter().map(|(n, _)| n.clone()).collect::<Vec<_>>();
    assert_eq!(names(&history[0].train), ["top_2_accuracy", "loss"]);
    assert_eq!(names(&history[0].validation), ["top_2_accuracy"]);
}

#[test]
fn callbacks_see_everything_and_can_stop() {
    let folder = folder("callbacks");
    let mut net = network(8);
    net.init(&Xavier::default(), 0).expect("initialises");
    let mut events = Vec::new();
    let history = fit(Sgd::new(0.1))
        .epochs(5)
        .checkpoint(folder.join("net"))
        .on_batch(|e| {
            assert_eq!(e.metrics.len(), 2);
            events.push((e.epoch, e.batch));
            if e.epoch == 1 && e.batch == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .run(&mut net, &mut train_iter())
        .expect("trains");
    let want: Vec<(u32, usize)> = (0..16).map(|b| (0, b)).chain((0..3).map(|b| (1, b))).collect();
    assert_eq!(events, want);
    assert_eq!((history.len(), history[1].samples), (2, 3 * BATCH));
    // The second epoch was not finished.
    assert_eq!(checkpoint::latest_epoch(folder.join("net")).expect("a folder"), Some(1));

    let mut epochs = 0;
    let history = fit(Sgd::new(0.1))
        .epochs(5)
        .on_epoch(|r| {
            epochs += 1;
            assert_eq!(r.epoch + 1, epochs);
            if epochs == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .run(&mut net, &mut train_iter())
        .expect("trains");
    assert_eq!(history.len(), 3);
    assert_eq!(epochs, 3);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn schedules_decide_how_far_each_update_goes() {
    // The gradient of sum(w x) is x, whatever w is: after t updates w = −lr · x · (sum of the factors).
    let run = |schedule: Box<dyn Fn(Sgd) -> Sgd>, factor: &dyn Fn(u64) -> f64| {
        let w = Symbol::param("w").shape([3.into()]);
        let mut net =
            (&w * &Symbol::input("x")).sum().bind(&[("x", &[3])], BindOptions::new()).expect("fits");
        let x = [1.0f32, -2.0, 0.5];
        net.set_input("x", &NDArray::try_from(x).expect("fits")).expect("fits");
        let mut updater = Updater::new(&net, schedule(Sgd::new(0.25))).expect("f32");
        let mut sum = 0.0;
        for t in 0..25 {
            assert!((updater.learning_rate() - 0.25 * factor(t)).abs() < 1e-12, "{t}");
            sum += 0.25 * factor(t);
            net.forward(Mode::Train).expect("can train");
            net.backward().expect("follows");
            updater.update();
            let w = net.param("w").expect("there").to_vec::<f32>().expect("computed");
            for (w, x) in w.iter().zip(x) {
                assert!((f64::from(*w) + sum * f64::from(x)).abs() < 1e-5, "{t}: {w} is not −{sum} · {x}");
            }
        }
        assert_eq!(updater.updates(), 25);
    };
    run(Box::new(|s| s), &|_| 1.0);
    run(Box::new(|s| s.schedule(Step::every(4, 0.5))), &|t| 0.5f64.powi((t / 4) as i32));
    run(Box::new(|s| s.schedule(Step::at([3, 10], 0.1))), &|t| match t {
        0..3 => 1.0,
        3..10 => 0.1,
        _ => 0.01,
    });
    let cosine = |t: u64| match t {
        0..5 => (t + 1) as f64 / 5.0,
        5..20 => 0.1 + 0.9 * 0.5 * (1.0 + (std::f64::consts::PI * (t - 5) as f64 / 15.0).cos()),
        _ => 0.1,
    };
    run(Box::new(|s| s.schedule(Cosine::new(20).warmup(5).down_to(0.1))), &cosine);
}

#[test]
fn the_loop_follows_the_schedule_and_the_factors() {
    let mut net = network(8);
    net.init(&Constant(0.5), 0).expect("initialises");
    let before = bits(&net);
    let step = Step::every(7, 0.5);
    let mut rates = Vec::new();
    let history = fit(Sgd::new(0.2).schedule(step.clone()))
        .epochs(2)
        .factors(|name| (if name.starts_with("fc1") { 0.0 } else { 1.0 }, 1.0))
        .on_batch(|e| {
            rates.push(e.learning_rate);
            ControlFlow::Continue(())
        })
        .run(&mut net, &mut train_iter())
        .expect("trains");
    let want: Vec<f64> = (0..32).map(|t| 0.2 * step.factor(t)).collect();
    assert_eq!(rates, want);
    assert_eq!([history[0].learning_rate, history[1].learning_rate], [want[15], want[31]]);
    for ((name, was), (_, is)) in before.iter().zip(bits(&net)) {
        let frozen = name.starts_with("fc1");
        assert_eq!(*was == is, frozen, "{name}");
    }
}

/// Trains up to `epochs`; what is there under `prefix` is gone on from.
fn train(
    optimizer: impl Optimizer + 'static,
    rule: LastBatch,
    epochs: u32,
    seed: u64,
    prefix: Option<&Path>,
) -> (Executor, History) {
    let mut net = network(12);
    net.init(&Xavier::default(), seed).expect("initialises");
    let mut data = train_iter().last_batch(rule).expect("enough samples");
    let mut test = iter(2, 50);
    let mut fit = fit(optimizer).epochs(epochs).validation(&mut test).resume(true);
    if let Some(prefix) = prefix {
        fit = fit.checkpoint(prefix);
    }
    let history = fit.run(&mut net, &mut data).expect("trains");
    (net, history)
}

fn exact_resume<O: Optimizer + 'static>(name: &str, optimizer: impl Fn() -> O, rule: LastBatch) {
    let folder = folder(name);
    // The folder of the checkpoints need not exist.
    let (whole, parts) = (folder.join("whole/net"), folder.join("parts/net"));
    let (net, history) = train(optimizer(), rule, 5, 0, Some(&whole));
    let (without, same) = train(optimizer(), rule, 5, 0, None);
    assert_eq!(bits(&net), bits(&without), "checkpoints change nothing");
    assert_eq!(timeless(&history), timeless(&same));

    let mut joined = History::new();
    for (until, seed) in [(2, 0), (3, 77), (5, 99)] {
        // Weights of another seed: everything comes from the checkpoint.
        let (part, records) = train(optimizer(), rule, until, seed, Some(&parts));
        joined.extend(records);
        if until == 5 {
            assert_eq!(bits(&part), bits(&net), "{name}");
            assert_eq!(part.position(), net.position());
        }
    }
    assert_eq!(timeless(&joined), timeless(&history), "{name}");
    for epoch in 1..=5 {
        let files = |prefix: &Path| {
            let paths = [checkpoint::params_path(prefix, epoch), checkpoint::states_path(prefix, epoch)];
            paths.map(|p| fs::read(p).expect("written"))
        };
        assert!(files(&whole) == files(&parts), "{name}, epoch {epoch}");
    }
    // Nothing is left to do.
    let (done, records) = train(optimizer(), rule, 5, 1, Some(&whole));
    assert_eq!((bits(&done), records.len()), (bits(&net), 0));
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn a_resumed_run_has_the_bits_of_an_uninterrupted_one() {
    let cosine = || Cosine::new(80).warmup(3);
    exact_resume(
        "sgd",
        move || Sgd::new(0.1).momentum(0.9).weight_decay(1e-3).schedule(cosine()),
        LastBatch::Pad,
    );
    exact_resume("adam", move || Adam::new(0.01).schedule(cosine()), LastBatch::RollOver);
    exact_resume("plain", || Sgd::new(0.05), LastBatch::Discard);
}

/// One attempt to go on from `prefix`: the error, after proof that nothing was changed.
fn refused(
    net: &mut Executor,
    data: &mut ArrayIter,
    optimizer: impl Optimizer + 'static,
    prefix: &Path,
) -> Option<String> {
    net.init(&Xavier::default(), 123).expect("initialises");
    net.set_position(17).expect("idle");
    let before = (bits(net), net.position(), data.state());
    let result = fit(optimizer).epochs(1).checkpoint(prefix).resume(true).run(net, data);
    let error = result.err()?;
    assert_eq!((bits(net), net.position(), data.state()), before, "{error}");
    Some(error.to_string())
}

#[test]
fn a_checkpoint_of_something_else_is_an_error_and_changes_nothing() {
    let folder = folder("else");
    let prefix = folder.join("net");
    train(Sgd::new(0.1).momentum(0.9), LastBatch::Pad, 1, 0, Some(&prefix));
    let sgd = || Sgd::new(0.1).momentum(0.9);
    let text =
        |net: &mut Executor, data: &mut ArrayIter| refused(net, data, sgd(), &prefix).expect("does not fit");

    let mut net = network(12);
    let adam = refused(&mut net, &mut train_iter(), Adam::new(0.1), &prefix).expect("another optimizer");
    assert!(adam.contains("`sgd`") && adam.contains("`adam`"), "{adam}");
    let plain = refused(&mut net, &mut train_iter(), Sgd::new(0.1), &prefix).expect("no momentum");
    assert!(plain.contains(":0`") && plain.contains("momentum"), "{plain}");
    let wide = text(&mut network(13), &mut train_iter());
    assert!(wide.contains("[12, 8]") && wide.contains("[13, 8]"), "{wide}");
    for data in [iter(1, 249).shuffle(4), iter(1, 250).shuffle(5), iter(1, 250)] {
        let other = text(&mut net, &mut data.clone());
        assert!(other.contains("another iterator"), "{other}");
    }
    let rule = train_iter().last_batch(LastBatch::RollOver).expect("enough samples");
    assert!(text(&mut net, &mut rule.clone()).contains("last_batch=pad"));
    // Another rate is a wish, not a mistake.
    assert_eq!(refused(&mut net, &mut train_iter(), Sgd::new(0.01).momentum(0.5), &prefix), None);
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn a_damaged_checkpoint_is_an_error_and_changes_nothing() {
    let folder = folder("damaged");
    let prefix = folder.join("net");
    let (good, _) = train(Sgd::new(0.1).momentum(0.9), LastBatch::Pad, 1, 0, Some(&prefix));
    let good = bits(&good);
    let mut net = network(12);
    let mut attempt = || {
        let error = refused(&mut net, &mut train_iter(), Sgd::new(0.1).momentum(0.9), &prefix);
        if error.is_none() {
            assert_eq!(bits(&net), good, "what is loaded is what was saved");
        }
        error
    };
    assert_eq!(attempt(), None);
    let (mut noticed, mut tried) = (0, 0);
    for path in [checkpoint::params_path(&prefix, 1), checkpoint::states_path(&prefix, 1)] {
        let whole = fs::read(&path).expect("written");
        for length in (0..whole.len()).step_by(whole.len() / 40).chain([whole.len() - 1]) {
            fs::write(&path, &whole[..length]).expect("writable");
            assert!(attempt().is_some(), "{} cut to {length} of {} bytes", path.display(), whole.len());
        }
        for at in (0..whole.len()).step_by(11) {
            let mut damaged = whole.clone();
            damaged[at] ^= 1 << (at % 8);
            fs::write(&path, &damaged).expect("writable");
            noticed += usize::from(attempt().is_some());
            tried += 1;
        }
        let mut longer = whole.clone();
        longer.push(0);
        fs::write(&path, &longer).expect("writable");
        assert!(attempt().is_some(), "one byte more");
        fs::write(&path, &whole).expect("writable");
        assert_eq!(attempt(), None);
    }
    // The others hit bytes without a meaning, such as padding.
    assert!(noticed * 100 >= tried * 97, "{noticed} of {tried} flipped bits noticed");
    fs::remove_file(checkpoint::states_path(&prefix, 1)).expect("there");
    assert!(attempt().expect("half a checkpoint").contains("net-0001.states"));
    let _ = fs::remove_dir_all(folder);
}

#[test]
fn data_that_does_not_fit_the_network_is_an_error() {
    let mut net = network(8);
    let text = |net: &mut Executor, mut data: ArrayIter| {
        fit(Sgd::new(0.1)).run(net, &mut data).expect_err("does not fit").to_string()
    };
    let (data, label) = (numbers::noise(1, &[64, 8]), numbers::labels(1, 64, 3));
    let batch = text(&mut net, ArrayIter::new(data.clone(), label.clone(), 8).expect("fits"));
    assert!(batch.contains("[16, 8]") && batch.contains("[8, 8]") && batch.contains("batch size"), "{batch}");
    let none: [(&str, HostArray); 0] = [];
    let alone = text(&mut net, ArrayIter::with_inputs([("data", data.clone())], none, BATCH).expect("fits"));
    assert!(alone.contains("label"), "{alone}");
    let wrong = HostArray::from_vec(vec![3i64; 64], &[64]).expect("fits");
    let class = text(&mut net, ArrayIter::new(data, wrong, BATCH).expect("fits"));
    assert!(class.contains("softmax_cross_entropy0"), "{class}");
    // The network can be used afterwards.
    net.recover().expect("outside of operations");
    fit(Sgd::new(0.1)).run(&mut net, &mut train_iter()).expect("trains");
}

#[test]
fn parameters_survive_files_bit_for_bit() {
    let folder = folder("params");
    let mut net = network(12);
    net.init(&Normal(1.0), 5).expect("initialises");
    // Numbers that a detour through decimals or another type would lose.
    let odd = [f32::MIN_POSITIVE / 8.0, -0.0, f32::INFINITY, f32::from_bits(0x7fc0_1234)];
    let bias = net.param("fc1_bias").expect("there").clone();
    bias.rows(0..4).expect("12 rows").copy_from_slice(&odd).expect("fits");
    net.state("bn_moving_mean").expect("there").fill_with(0.1).expect("sound");
    let saved = bits(&net);
    let names: Vec<&str> = saved.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(
        names,
        [
            "fc1_weight",
            "fc1_bias",
            "bn_gamma",
            "bn_beta",
            "fc2_weight",
            "fc2_bias",
            "bn_moving_mean",
            "bn_moving_var"
        ]
    );
    for name in ["net.params", "net.safetensors"] {
        let path = folder.join(name);
        net.save_params(&path).expect("writable");
        let mut other = network(12);
        other.init(&Xavier::default(), 1).expect("initialises");
        other.load_params(&path).expect("its own file");
        assert_eq!(bits(&other), saved, "{name}");
    }
    let mxnet = params::read(folder.join("net.params")).expect("MXNet's format");
    let of = |n: &&str| if n.contains("moving") { format!("aux:{n}") } else { format!("arg:{n}") };
    assert_eq!(mxnet.names().collect::<Vec<_>>(), names.iter().map(of).collect::<Vec<_>>());
    let plain = safetensors::read(folder.join("net.safetensors")).expect("safetensors").arrays;
    assert!(names.iter().all(|n| plain.contains(n)));

    // Wrong files change nothing.
    let mut other = network(13);
    other.init(&Xavier::default(), 1).expect("initialises");
    let before = bits(&other);
    let mut refuse = |path: &Path| {
        let text = other.load_params(path).expect_err("does not fit").to_string();
        assert_eq!(bits(&other), before, "{text}");
        text
    };
    assert!(refuse(&folder.join("net.params")).contains("[13, 8]"));
    assert!(refuse(&folder.join("net.safetensors")).contains("[13"));
    assert!(refuse(&folder.join("absent.params")).contains("absent.params"));
    let whole = fs::read(folder.join("net.params")).expect("written");
    fs::write(folder.join("half.params"), &whole[..whole.len() / 2]).expect("writable");
    refuse(&folder.join("half.params"));
    let mut own = mxr::io::NamedArrays::new();
    for (name, array) in plain.iter().filter(|(n, _)| *n != "fc2_bias") {
        own.push(name, array.clone()).expect("distinct");
    }
    let mut net = network(12);
    let missing = net.set_params(&own).expect_err("no fc2_bias").to_string();
    assert!(missing.contains("`fc2_bias`"), "{missing}");
    own.push("fc2_bais", plain.get("fc2_bias").expect("there").clone()).expect("distinct");
    let misspelt = net.set_params(&own).expect_err("fc2_bais").to_string();
    assert!(misspelt.contains("did you mean `fc2_bias`?"), "{misspelt}");
    let mut twice = mxr::io::NamedArrays::new();
    for (name, array) in plain.iter() {
        twice.push(name, array.clone()).expect("distinct");
    }
    twice.push("arg:fc1_bias", plain.get("fc1_bias").expect("there").clone()).expect("distinct");
    assert!(net.set_params(&twice).expect_err("two of one").to_string().contains("twice"));
    let _ = fs::remove_dir_all(folder);
}

/// Mean and standard deviation of one weight, and its largest magnitude.
fn statistics(initializer: &dyn Initializer) -> (f64, f64, f64) {
    let mut net = big();
    net.init(initializer, 3).expect("initialises");
    let w = net.param("conv_weight").expect("there").to_vec::<f32>().expect("sound");
    let n = w.len() as f64;
    let mean = w.iter().map(|x| f64::from(*x)).sum::<f64>() / n;
    let variance = w.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / n;
    let largest = w.iter().map(|x| f64::from(x.abs())).fold(0.0, f64::max);
    (mean, variance.sqrt(), largest)
}

/// One convolution from 40 to 80 channels with a window of 5 by 5: 1000 inputs and 2000 outputs of a unit.
fn big() -> Executor {
    let y = Symbol::input("x").conv2d_with(80, 5, opts::Conv2d::new().name("conv"));
    y.bind(&[("x", &[1, 40, 5, 5])], BindOptions::new()).expect("fits")
}

#[test]
fn initialisers_have_the_spread_that_they_promise() {
    let near = |have: f64, want: f64| (have - want).abs() < 0.01 * want;
    let uniform = |initializer: &dyn Initializer, scale: f64| {
        let (mean, deviation, largest) = statistics(initializer);
        assert!(mean.abs() < 0.01 * scale, "{initializer:?}: mean {mean}");
        assert!(near(deviation, scale / 3f64.sqrt()), "{initializer:?}: {deviation}");
        assert!(largest <= scale && largest > 0.999 * scale, "{initializer:?}: {largest}");
    };
    let normal = |initializer: &dyn Initializer, want: f64| {
        let (mean, deviation, largest) = statistics(initializer);
        assert!(mean.abs() < 0.015 * want, "{initializer:?}: mean {mean}");
        assert!(near(deviation, want), "{initializer:?}: {deviation}");
        assert!((3.5 * want..6.5 * want).contains(&largest), "{initializer:?}: {largest}");
    };
    uniform(&Uniform(0.2), 0.2);
    uniform(&Uniform::default(), f64::from(0.07f32));
    normal(&Normal(0.5), 0.5);
    normal(&Normal::default(), 0.01);
    uniform(&Xavier::default(), (3.0f64 / 1500.0).sqrt());
    uniform(&Xavier { fan: Fan::In, magnitude: 2.0, gaussian: false }, (2.0f64 / 1000.0).sqrt());
    normal(&Xavier { fan: Fan::Out, magnitude: 1.0, gaussian: true }, (1.0f64 / 2000.0).sqrt());
    normal(&Msra::default(), (2.0f64 / 1500.0).sqrt());
    normal(&Msra { fan: Fan::In, slope: 0.5 }, (2.0f64 / 1.25 / 1000.0).sqrt());
    assert_eq!(statistics(&Constant(0.25)), (0.25, 0.0, 0.25));
}

#[test]
fn roles_in_names_decide_before_the_initialiser() {
    let x = Symbol::input("x");
    let bias = Symbol::param("bias").shape([12.into()]);
    let mine = Symbol::param("debias").shape([12.into()]);
    let loss = (x.dense_with(12, opts::Dense::new().name("fc")) + bias + mine)
        .batch_norm_with(opts::BatchNorm::new().name("bn"));
    let mut net = loss.bind(&[("x", &[4, 8])], BindOptions::new()).expect("fits");
    net.init(&Constant(0.5), 0).expect("initialises");
    let all = |a: &NDArray| {
        let v = a.to_vec::<f32>().expect("sound");
        assert!(v.iter().all(|x| *x == v[0]));
        v[0]
    };
    let values: Vec<(&str, f32)> = net.params().chain(net.states()).map(|(n, a)| (n, all(a))).collect();
    let want = [
        ("fc_weight", 0.5),
        ("fc_bias", 0.0),
        ("bias", 0.0),
        ("debias", 0.5),
        ("bn_gamma", 1.0),
        ("bn_beta", 0.0),
        ("bn_moving_mean", 0.0),
        ("bn_moving_var", 1.0),
    ];
    assert_eq!(values, want);
    for name in ["xavier", "MSRA", "he", "uniform", "normal", "zeros", "ones"] {
        by_name(name).expect("known");
    }
    let unknown = by_name("xaviar").expect_err("unknown").to_string();
    assert!(unknown.contains("xavier"), "{unknown}");
}

#[test]
fn a_seed_and_a_name_fix_the_start_values() {
    let make = |first: usize| {
        let fc = |x: &Symbol, name: &str| x.dense_with(6, opts::Dense::new().name(name));
        let (x, z) = (Symbol::input("x"), Symbol::input("z"));
        // The same layers, declared in another order.
        let y = match first {
            0 => fc(&x, "a") + fc(&z, "b"),
            _ => fc(&z, "b") + fc(&x, "a"),
        };
        y.bind(&[("x", &[2, 6]), ("z", &[2, 6])], BindOptions::new()).expect("fits")
    };
    let weights = |first: usize, seed: u64| {
        let mut net = make(first);
        net.init(&Xavier::default(), seed).expect("initialises");
        ["a_weight", "b_weight"].map(|n| net.param(n).expect("there").to_vec::<f32>().expect("sound"))
    };
    assert_eq!(weights(0, 1), weights(1, 1));
    let [a, b] = weights(0, 1);
    assert_ne!(a, b, "each parameter has numbers of its own");
    assert_ne!(weights(0, 1), weights(0, 2));
}
