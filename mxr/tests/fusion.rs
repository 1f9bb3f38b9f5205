//! What fusion makes of normalisations, of products and of their gradients has the bits of the program without it: losses, predictions,
//! gradients and states.

mod numbers;

use mxr::init::Xavier;
use mxr::{BindOptions, DType, GradReq, Mode, NDArray, Symbol, opts};

/// Normalisations before a relu, before a shortcut (plain, and normalised itself), over the last axis, of `[n, c]`, and in vain.
fn net(dtype: DType) -> Symbol {
    let data = Symbol::input("data").dtype(dtype);
    let label = Symbol::input("label").dtype(DType::I64);
    let conv = |x: &Symbol, filters: usize, kernel: usize, name: &str| {
        let options = opts::Conv2d::new().pad((kernel - 1) / 2).bias(false).name(name);
        x.conv2d_with(filters, kernel, options)
    };
    let norm = |x: &Symbol, name: &str| x.batch_norm_with(opts::BatchNorm::new().name(name));
    let stem = norm(&conv(&data, 4, 3, "stem"), "stem_bn").relu();
    let plain = norm(&conv(&stem, 4, 3, "plain"), "plain_bn");
    let plain = (&stem + &plain).relu();
    let (left, right) = (norm(&conv(&plain, 6, 3, "left"), "l"), norm(&conv(&plain, 6, 1, "right"), "r"));
    let both = (&left + &right).relu();
    let fixed = opts::BatchNorm::new().fix_gamma(true).global_stats(true).name("fixed");
    let kept = both.batch_norm_with(fixed).relu();
    let last = kept.batch_norm_with(opts::BatchNorm::new().axis(-1).name("last"));
    let read_twice = &last.relu() * &last;
    let fc = norm(&read_twice.flatten().dense(33), "fc_bn").relu();
    fc.dense(3).softmax_cross_entropy(&label)
}

/// Products before a relu, before shortcuts with and without one, over one and several blocks of their sums.
fn products(dtype: DType) -> Symbol {
    let data = Symbol::input("data").dtype(dtype);
    let label = Symbol::input("label").dtype(DType::I64);
    let conv = |x: &Symbol, kernel: usize, bias: bool| {
        x.conv2d_with(40, kernel, opts::Conv2d::new().pad((kernel - 1) / 2).bias(bias))
    };
    let stem = conv(&data, 3, true).relu();
    let rectified = (&stem + &conv(&conv(&stem, 3, true).relu(), 3, false)).relu();
    let added = &conv(&rectified, 1, true) + &rectified;
    let hidden = added.flatten().dense(33).relu();
    let hidden = (&hidden.dense(33) + &hidden).relu();
    hidden.dense(3).softmax_cross_entropy(&label)
}

fn bits(a: &NDArray) -> Vec<u64> {
    match a.dtype() {
        DType::F64 => a.to_vec::<f64>().expect("computed").into_iter().map(f64::to_bits).collect(),
        _ => a.to_vec::<f32>().expect("computed").into_iter().map(|x| u64::from(x.to_bits())).collect(),
    }
}

/// Losses, predictions, gradients and states of two passes, then predictions by running statistics.
fn run(dtype: DType, n: usize, passes: &str) -> Vec<Vec<u64>> {
    run_of(net(dtype), dtype, n, passes)
}

fn run_of(net: Symbol, dtype: DType, n: usize, passes: &str) -> Vec<Vec<u64>> {
    let options = BindOptions::new().passes(passes).input_grad("data", GradReq::Write);
    let mut net = net.bind(&[("data", &[n, 2, 6, 6]), ("label", &[n])], options).expect("binds");
    net.init(&Xavier::default(), 3).expect("initialises");
    let mut all = Vec::new();
    for step in 0..2 {
        let data = numbers::noise(step, &[n, 2, 6, 6]);
        let data: Vec<f64> = data.as_slice::<f32>().expect("f32").iter().map(|x| f64::from(*x)).collect();
        let input = net.input("data").expect("declared");
        match dtype {
            DType::F64 => input.copy_from_slice(&data),
            _ => input.copy_from_slice(&data.iter().map(|x| *x as f32).collect::<Vec<f32>>()),
        }
        .expect("fits");
        net.set_input_host("label", &numbers::labels(step, n, 3)).expect("fits");
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("follows");
        all.extend(net.outputs().iter().chain(net.predictions()).map(bits));
        all.extend(net.grads().map(|(_, g)| bits(g)));
    }
    all.extend(net.states().map(|(_, s)| bits(s)));
    net.forward(Mode::Predict).expect("always");
    all.extend(net.outputs().iter().map(bits));
    all
}

fn steps(passes: &str, mode: Mode) -> usize {
    let options = BindOptions::new().passes(passes);
    let net = net(DType::F32).bind(&[("data", &[2, 2, 6, 6]), ("label", &[2])], options).expect("binds");
    net.program(mode).expect("compiled").steps.len()
}

#[test]
fn fused_normalisations_keep_every_bit() {
    for dtype in [DType::F32, DType::F64] {
        for n in [1, 5] {
            let (fused, apart) = (run(dtype, n, "-fold_norm"), run(dtype, n, "-fold_norm,-fuse_norm"));
            assert!(fused == apart, "{dtype}, batch {n}");
            assert!(fused == run(dtype, n, "none,simplify,fuse_norm"), "{dtype}, batch {n}, alone");
        }
    }
    for mode in [Mode::Train, Mode::Predict] {
        assert!(steps("none,fuse_norm", mode) + 6 <= steps("none", mode), "{mode:?}");
    }
}

#[test]
fn fused_products_keep_every_bit() {
    for dtype in [DType::F32, DType::F64] {
        for n in [1, 5] {
            let run = |passes: &str| run_of(products(dtype), dtype, n, passes);
            let apart = run("-fuse_conv");
            assert!(run("") == apart, "{dtype}, batch {n}");
            assert!(run("none,fuse_conv") == run("none"), "{dtype}, batch {n}, alone");
        }
    }
    for mode in [Mode::Train, Mode::Predict] {
        let steps = |passes: &str| {
            let options = BindOptions::new().passes(passes);
            let shapes: &[(&str, &[usize])] = &[("data", &[2, 2, 6, 6]), ("label", &[2])];
            let net = products(DType::F32).bind(shapes, options).expect("binds");
            net.program(mode).expect("compiled").steps.len()
        };
        assert_eq!(steps("none") - steps("none,fuse_conv"), 8, "5 relus, 3 sums, {mode:?}");
    }
    // With normalisations in the weights, relus and shortcuts follow convolutions.
    let last = |passes: &str| run(DType::F32, 5, passes).pop().expect("scores");
    assert!(last("") == last("-fuse_conv"));
}

#[test]
fn fused_gradients_keep_every_bit() {
    for dtype in [DType::F32, DType::F64] {
        for n in [1, 5] {
            for net in [net, products] {
                let run = |passes: &str| run_of(net(dtype), dtype, n, passes);
                let fused = run("");
                assert!(fused == run("-fuse_grad"), "{dtype}, batch {n}");
                assert!(run("none,fuse_grad") == run("none"), "{dtype}, batch {n}, alone");
            }
        }
    }
    let steps = |passes: &str| {
        let options = BindOptions::new().passes(passes);
        let shapes: &[(&str, &[usize])] = &[("data", &[2, 2, 6, 6]), ("label", &[2])];
        let net = products(DType::F32).bind(shapes, options).expect("binds");
        net.program(Mode::Train).expect("compiled").steps.len()
    };
    // Behind a flattening, the mask of a relu stands alone; behind everything else it is part of a product.
    assert_eq!(steps("none") - steps("none,fuse_grad"), 8, "3 sums, 5 masks");
}

/// Groups of few channels, and images of few, add up in the memory of the gradient: there, sums begin with what is added.
fn few_channels() -> Symbol {
    let data = Symbol::input("data").dtype(DType::F64);
    let label = Symbol::input("label").dtype(DType::I64);
    let conv = |x: &Symbol, filters: usize, groups: i64| {
        x.conv2d_with(filters, 3, opts::Conv2d::new().pad(1).groups(groups).bias(false))
    };
    let stem = conv(&data, 4, 1).relu();
    let joined =
        Symbol::concat(&[&conv(&stem, 4, 4), &conv(&stem, 9, 1), &conv(&stem, 8, 2), &conv(&stem, 4, 4)]);
    joined.flatten().dense(3).softmax_cross_entropy(&label)
}

#[test]
fn gradients_that_add_up_in_place_agree() {
    for n in [1, 5] {
        let run = |passes: &str| run_of(few_channels(), DType::F64, n, passes);
        let (fused, apart) = (run(""), run("-fuse_grad"));
        for (a, b) in fused.iter().flatten().zip(apart.iter().flatten()) {
            let (a, b) = (f64::from_bits(*a), f64::from_bits(*b));
            assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        }
    }
}

#[test]
fn a_bias_that_is_normalised_away_has_no_gradient() {
    let bias = |passes: &str| -> Vec<f32> {
        let data = Symbol::input("data");
        let label = Symbol::input("label").dtype(DType::I64);
        let conv = data.conv2d_with(5, 3, opts::Conv2d::new().name("conv"));
        let net = conv.batch_norm().relu().flatten().dense(3).softmax_cross_entropy(&label);
        let shapes: &[(&str, &[usize])] = &[("data", &[4, 2, 6, 6]), ("label", &[4])];
        let mut net = net.bind(shapes, BindOptions::new().passes(passes)).expect("binds");
        net.init(&Xavier::default(), 3).expect("initialises");
        net.set_input_host("data", &numbers::noise(0, &[4, 2, 6, 6])).expect("fits");
        net.set_input_host("label", &numbers::labels(0, 4, 3)).expect("fits");
        net.forward(Mode::Train).expect("can train");
        net.backward().expect("follows");
        let (_, grad) = net.grads().find(|(name, _)| *name == "conv_bias").expect("of a parameter");
        grad.to_vec().expect("computed")
    };
    assert_eq!(bias(""), [0.0; 5]);
    let summed = bias("-simplify");
    assert!(summed.iter().all(|g| g.abs() < 1e-6), "{summed:?} is what rounding leaves");
}

/// Folding rounds elsewhere, so numbers are near each other instead of the same.
#[test]
fn predictions_with_normalisations_in_the_weights_agree() {
    for n in [1, 5] {
        let (folded, apart) = (run(DType::F64, n, ""), run(DType::F64, n, "-fold_norm"));
        let (scores, passes) = (apart.last().expect("scores"), apart.len() - 1);
        assert!(folded[..passes] == apart[..passes], "training is the same");
        for (a, b) in folded[passes].iter().zip(scores) {
            let (a, b) = (f64::from_bits(*a), f64::from_bits(*b));
            assert!((a - b).abs() < 1e-12, "{a} is not {b}");
        }
    }
    let norms = |passes: &str| {
        let options = BindOptions::new().passes(passes);
        let net = net(DType::F32).bind(&[("data", &[2, 2, 6, 6]), ("label", &[2])], options).expect("binds");
        let steps = &net.program(Mode::Predict).expect("always").steps;
        steps.iter().filter(|s| format!("{:?}", s.instr).starts_with("BatchNorm")).count()
    };
    assert_eq!((norms("-fold_norm"), norms("")), (7, 2), "two do not follow a layer of weights");
}
