//! A training step allocates nothing after the first ones: not on the thread that asks for it, not on the engine's, not in
//! the pool. A binary of its own, for its allocator.

mod nets;
mod numbers;

use mxr::engine::Engine;
use mxr::init::Xavier;
use mxr::optimizer::{Adam, Optimizer, Sgd, Updater};
use mxr::schedule::Cosine;
use mxr::{BindOptions, DType, Device, GradReq, Mode, Symbol, opts};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

struct Counting;

/// Whether allocations count now, on whichever thread.
static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does the work.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if COUNTING.load(SeqCst) {
            ALLOCATIONS.fetch_add(1, SeqCst);
        }
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations `body` makes, together with all other threads.
fn counted(body: impl FnOnce()) -> usize {
    ALLOCATIONS.store(0, SeqCst);
    COUNTING.store(true, SeqCst);
    body();
    COUNTING.store(false, SeqCst);
    ALLOCATIONS.load(SeqCst)
}

const BATCH: usize = 4;
const SIZE: usize = 16;

/// Allocations of twenty steps after five.
fn train(device: &Device, optimizer: impl Optimizer + 'static, request: GradReq, run_ahead: bool) -> usize {
    let shapes: [(&str, &[usize]); 2] = [("data", &[BATCH, 2, SIZE, SIZE]), ("label", &[BATCH])];
    let options = BindOptions::new().device(device).grads(request).seed(1);
    let mut net = nets::branchy().bind(&shapes, options).expect("fits");
    net.init(&Xavier::default(), 3).expect("initialises");
    let mut updater = Updater::new(&net, optimizer).expect("f32 parameters");
    let (data, label) = (numbers::noise(1, shapes[0].1), numbers::labels(1, BATCH, 3));
    let mut loss = f32::NAN;
    let mut step = || {
        net.set_input_host("data", &data).expect("fits");
        net.set_input_host("label", &label).expect("fits");
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("follows a forward pass");
        updater.update();
        if request == GradReq::Add {
            net.zero_grads();
        }
        if !run_ahead {
            loss = net.outputs()[0].item::<f32>().expect("computed");
            net.wait().expect("computed");
        }
    };
    (0..5).for_each(|_| step());
    let count = least(step);
    net.wait().expect("computed");
    assert!(run_ahead || loss.is_finite());
    count
}

/// Allocations of twenty steps, the least of up to ten stretches: a thread allocates when it starts, and when it first steals
/// work, which is up to chance; what every step allocated would be in every stretch.
fn least(mut step: impl FnMut()) -> usize {
    let mut fewest = usize::MAX;
    for _ in 0..10 {
        fewest = fewest.min(counted(|| (0..20).for_each(|_| step())));
        if fewest == 0 {
            break;
        }
    }
    fewest
}

/// Allocations of twenty steps after five, each of which predicts from weights that were updated: what weights alone make is
/// made again, in the arena of another network.
fn evaluate(device: &Device) -> usize {
    let v = Symbol::param("v").shape([3.into(), 6.into()]);
    let label = Symbol::input("label").dtype(DType::I64);
    let scores = Symbol::input("x").dense_from(&[&v.softmax()], opts::Dense::new().name("fc"));
    let loss = scores.softmax_cross_entropy(&label);
    let bind = |n: usize, options: BindOptions| loss.bind(&[("x", &[n, 6]), ("label", &[n])], options);
    let mut net = bind(8, BindOptions::new().device(device)).expect("fits");
    let mut eval = bind(3, BindOptions::new().share_params(&net).share_memory(&net)).expect("fits");
    assert!(eval.memory().kept > 0);
    net.init(&Xavier::default(), 3).expect("initialises");
    let mut updater = Updater::new(&net, Sgd::new(0.1)).expect("f32 parameters");
    let mut step = || {
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("follows a forward pass");
        updater.update();
        eval.forward(Mode::Predict).expect("always");
        eval.forward(Mode::Predict).expect("always");
        eval.wait().expect("computed");
    };
    (0..5).for_each(|_| step());
    least(step)
}

#[test]
fn a_training_step_allocates_nothing() {
    assert_eq!(counted(|| drop(std::hint::black_box(Box::new(5)))), 1, "the counter counts");
    // All engines live until the end: threads that leave allocate.
    let mut devices = vec![("serial", Device::with_engine(Engine::serial()))];
    for (name, threads) in [("1 thread", 1), ("2 threads", 2), ("3 threads", 3)] {
        devices.push((name, Device::cpu_with_threads(threads).expect("threads")));
    }
    for (name, device) in &devices {
        assert_eq!(evaluate(device), 0, "evaluation in between, {name}");
        for run_ahead in [false, true] {
            let sgd = Sgd::new(0.01).momentum(0.9).weight_decay(1e-4).schedule(Cosine::new(100).warmup(3));
            let count = train(device, sgd, GradReq::Write, run_ahead);
            assert_eq!(count, 0, "sgd, {name}, running ahead: {run_ahead}");
            let count = train(device, Adam::new(1e-3).clip_gradient(1.0), GradReq::Write, run_ahead);
            assert_eq!(count, 0, "adam, {name}, running ahead: {run_ahead}");
            let count = train(device, Sgd::new(0.01), GradReq::Add, run_ahead);
            assert_eq!(count, 0, "sums of gradients, {name}, running ahead: {run_ahead}");
        }
    }
}
