//! Values that are made again have the same bits: networks trained within budgets and with segments hold every number of
//! the same networks trained without.

mod nets;
mod numbers;

use mxr::init::Xavier;
use mxr::optimizer::{Sgd, Updater};
use mxr::{BindOptions, DType, Executor, GradReq, Mode, NDArray, Network, Programs, Symbol, opts};

const BATCH: usize = 4;

fn bind(net: &Symbol, options: BindOptions) -> Result<Executor, mxr::Error> {
    let shapes: [(&str, &[usize]); 2] = [("data", &[BATCH, 2, 8, 8]), ("label", &[BATCH])];
    net.bind(&shapes, options.seed(11).input_grad("data", GradReq::Write))
}

/// Every bit that three steps of training leave, running statistics included.
fn bits(mut net: Executor) -> Vec<u32> {
    let floats = |a: &NDArray| a.to_vec::<f32>().expect("computed");
    net.init(&Xavier::default(), 9).expect("initialises");
    let mut updater = Updater::new(&net, Sgd::new(0.05).momentum(0.9)).expect("f32");
    let mut all = Vec::new();
    for step in 0..3 {
        net.set_input_host("data", &numbers::noise(step, &[BATCH, 2, 8, 8])).expect("fits");
        net.set_input_host("label", &numbers::labels(step, BATCH, 3)).expect("fits");
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("follows a forward pass");
        all.extend(net.outputs().iter().chain(net.predictions()).flat_map(floats));
        all.extend(net.grads().flat_map(|(_, g)| floats(g)));
        updater.update();
    }
    all.extend(net.params().chain(net.states()).flat_map(|(_, a)| floats(a)));
    assert!(all.iter().all(|x| x.is_finite()));
    all.into_iter().map(f32::to_bits).collect()
}

/// Steps that run twice.
fn again(net: &Executor) -> usize {
    let program = net.program(Mode::Train).expect("can train");
    program.values.iter().filter(|v| v.name.ends_with("_again")).count()
}

/// Least memory of training alone: prediction cannot do with less than its own plan.
fn budgets(net: &Symbol) -> Vec<usize> {
    let whole = bind(net, BindOptions::new()).expect("fits").memory().arena;
    (3..=9).rev().map(|tenths| whole * tenths / 10).collect()
}

#[test]
fn budgets_cost_no_bit() {
    let net = nets::branchy();
    let plain = bits(bind(&net, BindOptions::new()).expect("fits"));
    let mut most = 0;
    for budget in budgets(&net) {
        let Ok(small) = bind(&net, BindOptions::new().memory_budget(budget)) else { continue };
        assert!(small.memory().arena <= budget, "{:?}, {budget} wanted", small.memory());
        most = most.max(again(&small));
        assert_eq!(bits(small), plain, "budget {budget}");
    }
    assert!(most > 1, "{most} values are made again");
}

#[test]
fn memory_of_its_own_for_every_value_changes_nothing_either() {
    let net = nets::branchy();
    let plain = bits(bind(&net, BindOptions::new()).expect("fits"));
    let options = BindOptions::new().recompute("right").recompute("fc1").naive_memory();
    assert_eq!(bits(bind(&net, options).expect("fits")), plain);
}

#[test]
fn a_budget_that_holds_anyway_changes_nothing() {
    let net = nets::branchy();
    let whole = bind(&net, BindOptions::new()).expect("fits");
    let same = bind(&net, BindOptions::new().memory_budget(whole.memory().arena)).expect("fits");
    assert_eq!(again(&same), 0);
    assert_eq!(same.program(Mode::Train), whole.program(Mode::Train));
}

#[test]
fn a_budget_that_cannot_be_met_is_an_error_with_one_that_can() {
    let net = nets::branchy();
    let told = bind(&net, BindOptions::new().memory_budget(999)).expect_err("999 bytes are nothing");
    let text = told.to_string();
    for part in ["symbol.bind", "999 bytes", "as planned", "at least", "memory_budget"] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
}

#[test]
fn blocks_that_do_not_exist_are_told() {
    let net = nets::branchy();
    let told = bind(&net, BindOptions::new().recompute("rihgt")).expect_err("no such block");
    assert!(told.to_string().contains("did you mean `right"), "{told}");
}

/// A random network of everything that recomputation treats in a way of its own.
fn random(seed: u64) -> Symbol {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut below = |n: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 33) as usize % n
    };
    let (data, label) = (Symbol::input("data"), Symbol::input("label").dtype(DType::I64));
    let mut pool = vec![data.conv2d_with(4, 3, opts::Conv2d::new().pad(1))];
    for _ in 0..12 {
        let recent = pool.len().min(3);
        let x = pool[pool.len() - 1 - below(recent)].clone();
        let y = pool[pool.len() - 1 - below(recent)].clone();
        pool.push(match below(9) {
            0 | 1 => x.conv2d_with(4, 3, opts::Conv2d::new().pad(1)),
            2 | 3 => x.batch_norm(),
            4 => x.relu(),
            5 => &x + &y,
            6 => x.dropout_with(opts::Dropout::new().p(0.3)),
            7 => Symbol::concat(&[&x, &y]).conv2d_with(4, 1, opts::Conv2d::new()),
            _ => x.max_pool_with(3, opts::MaxPool::new().stride(1).pad(1)).tanh(),
        });
    }
    let last = pool.pop().expect("not empty");
    last.relu().global_avg_pool().flatten().dense(3).softmax_cross_entropy(&label)
}

#[test]
fn random_networks_keep_their_bits() {
    let mut smaller = 0;
    for seed in 1..=12 {
        let net = random(seed);
        let plain = bits(bind(&net, BindOptions::new()).expect("fits"));
        for budget in budgets(&net).into_iter().step_by(2) {
            let Ok(small) = bind(&net, BindOptions::new().memory_budget(budget)) else { continue };
            smaller += usize::from(again(&small) > 0);
            assert_eq!(bits(small), plain, "seed {seed}, budget {budget}");
        }
    }
    assert!(smaller >= 12, "{smaller} programs made something again");
}

mxr::network!(
    /// Two stages and a head.
    pub fn Whole(data: Tensor<N, 2, 8, 8>, label: Tensor<N, i64>) {
        let a = stage(data);
        let b = stage(a);
        softmax_cross_entropy(dense(flatten(global_avg_pool(b)), 3), label)
    }

    fn stage(x: Tensor) {
        let y = relu(batch_norm(conv2d(x, 6, kernel = 3, pad = 1)));
        let z = dropout(conv2d(y, 6, kernel = 3, pad = 1), 0.2);
        tanh(z + y)
    }
);

mxr::network!(
    /// The same, its stages made again.
    pub fn Again(data: Tensor<N, 2, 8, 8>, label: Tensor<N, i64>) {
        let a = stage(data);
        let b = stage(a);
        softmax_cross_entropy(dense(flatten(global_avg_pool(b)), 3), label)
    }

    #[recompute]
    fn stage(x: Tensor) {
        let y = relu(batch_norm(conv2d(x, 6, kernel = 3, pad = 1)));
        let z = dropout(conv2d(y, 6, kernel = 3, pad = 1), 0.2);
        tanh(z + y)
    }
);

mxr::network!(
    /// The same, made again where it is called, and a part of a stage within that.
    pub fn Lets(data: Tensor<N, 2, 8, 8>, label: Tensor<N, i64>) {
        #[recompute]
        let a = stage(data);
        #[recompute]
        let b = stage(a);
        softmax_cross_entropy(dense(flatten(global_avg_pool(b)), 3), label)
    }

    fn stage(x: Tensor) {
        #[recompute]
        let y = relu(batch_norm(conv2d(x, 6, kernel = 3, pad = 1)));
        let z = dropout(conv2d(y, 6, kernel = 3, pad = 1), 0.2);
        tanh(z + y)
    }

    /// One layer of three made again.
    pub fn One(data: Tensor<N, 2, 8, 8>, label: Tensor<N, i64>) {
        #[recompute]
        let y = relu(batch_norm(conv2d(data, 6, kernel = 3, pad = 1)));
        let z = tanh(tanh(conv2d(y, 6, kernel = 3, pad = 1)));
        softmax_cross_entropy(dense(flatten(global_avg_pool(z)), 3), label)
    }

    /// No layer of three made again.
    pub fn Plain(data: Tensor<N, 2, 8, 8>, label: Tensor<N, i64>) {
        let y = relu(batch_norm(conv2d(data, 6, kernel = 3, pad = 1)));
        let z = tanh(tanh(conv2d(y, 6, kernel = 3, pad = 1)));
        softmax_cross_entropy(dense(flatten(global_avg_pool(z)), 3), label)
    }
);

mxr::network!(
    /// The same within a limit.
    #[memory(batch = 64, max = "640 KiB")]
    pub fn Limited(data: Tensor<N, 2, 8, 8>, label: Tensor<N, i64>) {
        let a = stage(data);
        let b = stage(a);
        softmax_cross_entropy(dense(flatten(global_avg_pool(b)), 3), label)
    }

    fn stage(x: Tensor) {
        let y = relu(batch_norm(conv2d(x, 6, kernel = 3, pad = 1)));
        let z = dropout(conv2d(y, 6, kernel = 3, pad = 1), 0.2);
        tanh(z + y)
    }
);

#[test]
fn attributes_of_a_network_cost_no_bit() {
    fn bound<N: Network>(batch: usize) -> Executor {
        let options = BindOptions::new().seed(11);
        Executor::bind(N::PROGRAMS, &[("N", batch)], options).expect("fits")
    }
    let plain = bits(bound::<Whole>(BATCH));
    assert_eq!(bits(bound::<Again>(BATCH)), plain);
    assert_eq!(bits(bound::<Limited>(BATCH)), plain);
    let arena = |net: Executor| net.memory().arena;
    let (whole, limited) = (arena(bound::<Whole>(64)), arena(bound::<Limited>(64)));
    assert!(limited <= 640 << 10 && whole > 640 << 10, "{limited} of {whole} bytes");
    let (stages, some) = (again(&bound::<Again>(1)), again(&bound::<Limited>(1)));
    assert!(stages >= 2 && some > 0, "{stages} and {some} values are made again");

    // A `let` is what a block is; within another one it is a part of that.
    let steps =
        |programs: &'static Programs| programs.train().map(|p| (&p.values, &p.steps)).expect("a loss");
    assert_eq!(steps(Lets::PROGRAMS), steps(Again::PROGRAMS));
    assert_eq!(bits(bound::<One>(BATCH)), bits(bound::<Plain>(BATCH)));
    assert_eq!((again(&bound::<One>(1)), again(&bound::<Plain>(1))), (1, 0), "the convolution's result");

    // Blocks by name, at bind.
    let named =
        Executor::bind(Whole::PROGRAMS, &[("N", 1)], BindOptions::new().recompute("a").recompute("b"));
    assert_eq!(again(&named.expect("fits")), again(&bound::<Again>(1)));
}

/// Convolutions, a pooling and dense layers: samples have nothing to do with each other.
fn rows() -> Symbol {
    let data = Symbol::input("data").shape(["N".into(), 2.into(), 8.into(), 8.into()]);
    let label = Symbol::input("label").dtype(DType::I64).shape(["N".into()]);
    let conv = |x: &Symbol, filters| x.conv2d_with(filters, 3, opts::Conv2d::new().pad(1));
    let x = conv(&conv(&data, 12).relu(), 12).relu();
    let x = x.max_pool_with(4, opts::MaxPool::new().stride(4));
    x.flatten().dense(16).relu().dense(3).softmax_cross_entropy(&label)
}

#[test]
fn slices_of_the_batch_differ_by_rounding_alone() {
    slices_differ_by_rounding_alone(|options| options.input_grad("data", GradReq::Write));
    slices_differ_by_rounding_alone(|options| options.grads(GradReq::Add).input_grad("data", GradReq::Add));
}

fn slices_differ_by_rounding_alone(with: fn(BindOptions) -> BindOptions) {
    let bound = |options: BindOptions| -> Result<Executor, mxr::Error> {
        let mut net = Executor::bind_shared(rows().compile("rows")?, &[("N", 16)], options)?;
        net.init(&Xavier::default(), 9)?;
        net.set_input_host("data", &numbers::noise(1, &[16, 2, 8, 8]))?;
        net.set_input_host("label", &numbers::labels(1, 16, 3))?;
        Ok(net)
    };
    let mut whole = bound(with(BindOptions::new())).expect("fits");
    let arena = whole.memory().arena;
    let run = |net: &mut Executor| {
        let floats = |a: &NDArray| a.to_vec::<f32>().expect("computed");
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("after forward");
        let made: Vec<Vec<f32>> = net.outputs().iter().chain(net.predictions()).map(floats).collect();
        let data = floats(net.grad("data").expect("asked for"));
        let grads: Vec<Vec<f32>> = net.grads().map(|(_, g)| floats(g)).collect();
        net.forward(Mode::Predict).expect("always");
        let predicted: Vec<Vec<f32>> = net.outputs().iter().map(floats).collect();
        made.into_iter().chain([data]).chain(predicted).chain(grads).collect::<Vec<_>>()
    };
    let all = run(&mut whole);
    let mut sliced = 0;
    for tenths in [7, 6, 5, 4, 3, 2] {
        let Ok(mut small) = bound(with(BindOptions::new()).memory_budget(arena * tenths / 10)) else {
            continue;
        };
        assert!(small.memory().arena <= arena * tenths / 10);
        let program = small.program(Mode::Train).expect("can train");
        sliced += usize::from(program.values.iter().any(|v| v.name.ends_with("_slice1")));
        for (got, want) in run(&mut small).iter().zip(&all) {
            let most = want.iter().fold(0f32, |m, x| m.max(x.abs()));
            let off = got.iter().zip(want).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
            assert!(want.len() == got.len() && off <= most * 1e-5, "{off} of {most}");
        }
    }
    assert!(sliced > 0, "slices were tried");
}
