//! Operators off the beaten track: every element type, empty and tiny shapes, NaN and infinities, and calls that do not
//! fit. All of them loop over the list of operators; nothing may panic, and every error says what to do.

#[path = "common/samples.rs"]
mod samples;
#[path = "common/say.rs"]
mod say;

use mxr::graph::ops::{OPS, Operator, Sample};
use mxr::graph::schema::{Arg, OptionDef, OptionKind, Schema};
use mxr::io::HostArray;
use mxr::{BindOptions, DType, Mode, NDArray, Result, Symbol, opts};
use samples::{Case, Rng, numbers};
use say::say;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

const TYPES: [DType; 9] = DType::ALL;

/// The operators that users call.
fn public() -> impl Iterator<Item = &'static dyn Operator> {
    OPS.iter().copied().filter(|op| !op.schema().internal)
}

/// A sample's operands, parameters and states, each in the type that the sample gives it in a network of `float`s.
fn arrays(op: &'static dyn Operator, sample: &Sample, float: DType, seed: u64) -> Result<Vec<NDArray>> {
    let case = Case::new(op, sample, float, &mut Rng(seed))?;
    let net = case.bind()?;
    case.leaves.iter().map(|leaf| leaf.array(&net)?.copy()).collect()
}

fn apply(name: &str, operands: &[NDArray], options: &[(&str, Arg)]) -> Result<Vec<NDArray>> {
    NDArray::apply(name, &operands.iter().collect::<Vec<_>>(), options)
}

/// Everything that was pushed has run; the error if it failed.
fn finished(results: &[NDArray]) -> Result<()> {
    results.iter().try_for_each(|y| y.to_host().map(|_| ()))
}

/// The text of a panic, if `f` panics or the engine contained one.
fn panicked<R>(f: impl FnOnce() -> Result<R>) -> Result<R, Option<String>> {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(Ok(r)) => Ok(r),
        Ok(Err(e)) if e.to_string().contains("panicked") => Err(Some(e.to_string())),
        Ok(Err(_)) => Err(None),
        Err(payload) => {
            let text = payload.downcast_ref::<String>().cloned();
            Err(Some(
                text.or_else(|| payload.downcast_ref::<&str>().map(|s| s.to_string())).unwrap_or_default(),
            ))
        }
    }
}

#[test]
fn eager_operators_give_what_networks_give() {
    let mut count = 0;
    for op in public() {
        let schema = op.schema();
        // Each call of an eager dropout draws anew.
        if schema.name == "dropout" {
            continue;
        }
        for (i, sample) in op.samples().iter().enumerate() {
            for float in [DType::F32, DType::F64] {
                let mut run = || -> Result<()> {
                    let operands = arrays(op, sample, float, i as u64)?;
                    let eager = apply(schema.name, &operands, &sample.options)?;
                    let mut net = Case::new(op, sample, float, &mut Rng(i as u64))?.bind()?;
                    net.forward(Mode::Train)?;
                    for (a, b) in eager.iter().zip(net.outputs()) {
                        assert_eq!(
                            (a.shape(), a.dtype()),
                            (b.shape(), b.dtype()),
                            "{}, sample {i}",
                            schema.name
                        );
                        assert_eq!(numbers(a)?, numbers(b)?, "{}, sample {i}, {float}", schema.name);
                        count += 1;
                    }
                    Ok(())
                };
                run().unwrap_or_else(|e| panic!("{}, sample {i}, {float}: {e}", schema.name));
            }
        }
    }
    say(&format!("eager against networks: {count} results have the same bits"));
}

#[test]
fn integers_compute_exactly() {
    fn check(dtype: DType) -> Result<()> {
        let array = |v: [i64; 4]| NDArray::from_slice(&v, &[2, 2])?.to_dtype(dtype);
        let (a, b) = (array([7, 0, 3, 100])?, array([2, 5, 0, 7])?);
        let numbers = |y: Result<NDArray>| y?.to_dtype(DType::I64)?.to_vec::<i64>();
        let same = |what: &str, y: Result<NDArray>, want: [i64; 4]| -> Result<()> {
            let y = y?;
            assert_eq!((y.dtype(), y.shape()), (dtype, &[2, 2][..]), "{what} of {dtype}");
            assert_eq!(numbers(Ok(y))?, want, "{what} of {dtype}");
            Ok(())
        };
        same("add", a.add(&b), [9, 5, 3, 107])?;
        same("mul", a.mul(&b), [14, 0, 0, 700 & if dtype == DType::U8 { 255 } else { i64::MAX }])?;
        // Integer division truncates; by zero it gives 0.
        same("div", a.div(&b), [3, 0, 0, 14])?;
        same("maximum", a.maximum(&b), [7, 5, 3, 100])?;
        same("minimum", a.minimum(&b), [2, 0, 0, 7])?;
        same("square", b.square(), [4, 25, 0, 49])?;
        same("clip", a.clip(1.0, 50.0), [7, 1, 3, 50])?;
        same("relu", a.relu(), [7, 0, 3, 100])?;
        same("sign", a.sign(), [1, 0, 1, 1])?;
        same("greater", a.greater(&b), [1, 0, 1, 1])?;
        same("equal", a.equal(&a), [1, 1, 1, 1])?;
        same("select", a.select(&b, &a), [2, 0, 0, 7])?;
        same("transpose", a.transpose(), [7, 3, 0, 100])?;
        assert_eq!(numbers(NDArray::concat(&[&a, &b]))?, [7, 0, 2, 5, 3, 100, 0, 7]);
        assert_eq!(numbers(Ok(a.split(2)?.remove(1)))?, [0, 100]);
        assert_eq!(numbers(Ok(&a + 1.0))?, [8, 1, 4, 101]);
        if dtype != DType::U8 {
            same("sub", b.sub(&a), [-5, 5, -3, -93])?;
            same("neg", a.neg(), [-7, 0, -3, -100])?;
            same("abs", a.neg()?.abs(), [7, 0, 3, 100])?;
        }
        let half = (&a + 0.5).to_host().expect_err("a fraction has no place").to_string();
        assert!(half.contains("0.5") && half.contains("cast"), "{half}");
        Ok(())
    }
    for dtype in [DType::I32, DType::I64, DType::U8] {
        check(dtype).unwrap_or_else(|e| panic!("{dtype}: {e}"));
    }
    let big = NDArray::from_slice(&[i64::MAX, i64::MIN, 1 << 53], &[3]).and_then(|a| a.add(&a));
    let wrapped = big.and_then(|y| y.to_vec::<i64>()).expect("i64 is not computed in floats");
    assert_eq!(wrapped, [-2, 0, 1 << 54]);
}

/// What cannot be computed in a type says which operator, which type, and that there is `cast`.
#[test]
fn every_operator_in_every_type_computes_or_says_what_to_do() {
    let mut computed: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut wrong = Vec::new();
    for op in public() {
        let name = op.schema().name;
        for sample in &op.samples() {
            for dtype in TYPES {
                let what = format!("{name} of {dtype}");
                let operands = arrays(op, sample, DType::F32, 1)
                    .and_then(|list| {
                        let convert =
                            |a: NDArray| if a.dtype() == DType::F32 { a.to_dtype(dtype) } else { Ok(a) };
                        list.into_iter().map(convert).collect::<Result<Vec<_>>>()
                    })
                    .unwrap_or_else(|e| panic!("{what}: {e}"));
                let run = || apply(name, &operands, &sample.options).and_then(|y| finished(&y));
                match catch_unwind(AssertUnwindSafe(run)) {
                    Ok(Ok(())) => {
                        computed.entry(name).or_default().insert(dtype.name());
                    }
                    Ok(Err(e)) => {
                        let text = e.to_string();
                        let words = [name, "cast"].iter().all(|w| text.contains(w));
                        if !words
                            || !TYPES.iter().any(|t| text.contains(t.name()))
                            || text.contains("panicked")
                        {
                            wrong.push(format!("{what}: {text}"));
                        }
                    }
                    Err(_) => wrong.push(format!("{what} panicked")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<&str> = TYPES.iter().map(|t| t.name()).collect();
    for op in public() {
        let name = op.schema().name;
        let have = computed.get(name).cloned().unwrap_or_default();
        assert!(have.contains("f32") && have.contains("f64"), "{name} computes in {have:?}");
        let moves = [
            "reshape",
            "flatten",
            "squeeze",
            "expand_dims",
            "transpose",
            "concat",
            "split",
            "slice",
            "slice_axis",
            "cast",
            "stop_gradient",
        ];
        if moves.contains(&name) {
            assert_eq!(have, all, "{name} only moves elements");
        }
    }
    let layer = Symbol::input("x").dtype(DType::Bf16).exp_with(opts::Exp::new().name("growth"));
    let text = layer.bind(&[("x", &[3])], BindOptions::new()).expect_err("no bf16 on the CPU").to_string();
    assert!(text.contains("growth") && text.contains("bf16") && text.contains("cast"), "{text}");
}

/// Products of 16-bit numbers are those of the same numbers in `f32`, rounded once.
#[test]
fn products_of_16_bits_are_added_up_in_f32() -> Result<()> {
    for dtype in [DType::Bf16, DType::F16] {
        for (a, b) in [(vec![3, 70], vec![70, 5]), (vec![4, 1, 9, 33], vec![3, 33, 17])] {
            let mut random = Rng(7);
            let mut array = |shape: &[usize]| {
                let len = shape.iter().product();
                let numbers: Vec<f32> = (0..len).map(|_| random.uniform(-1.0, 1.0) as f32).collect();
                NDArray::from_slice(&numbers, shape)?.to_dtype(dtype)
            };
            let (a, b) = (array(&a)?, array(&b)?);
            let y = a.matmul(&b)?;
            assert_eq!(y.dtype(), dtype);
            let wide = a.to_dtype(DType::F32)?.matmul(&b.to_dtype(DType::F32)?)?;
            let (y, wide) = (y.to_dtype(DType::F32)?.to_vec::<f32>()?, wide.to_vec::<f32>()?);
            // One rounding to 8 or 11 bits, and sums that may be added up in another order.
            let unit = if dtype == DType::Bf16 { 1.0 / 256.0 } else { 1.0 / 2048.0 };
            for (y, wide) in y.iter().zip(&wide) {
                assert!((y - wide).abs() <= unit * wide.abs() + 1e-5, "{dtype}: {y} is not {wide}");
            }
        }
    }
    Ok(())
}

/// Every extent of every operand of every sample, one at a time, as 0 and as 1: eagerly and as a network, backward too.
#[test]
fn empty_and_tiny_shapes() {
    let (mut accepted, mut refused, mut wrong) = (0, 0, BTreeSet::new());
    for op in public() {
        let name = op.schema().name;
        for sample in &op.samples() {
            for input in 0..sample.inputs.len() {
                for axis in 0..sample.inputs[input].shape.len() {
                    for extent in [0, 1] {
                        // All operands that have this extent there change together, as a batch would.
                        let old = sample.inputs[input].shape[axis];
                        let mut s = sample.clone();
                        for x in &mut s.inputs {
                            match x.shape.get_mut(axis) {
                                Some(d) if *d == old => *d = extent,
                                _ => {}
                            }
                        }
                        let eager = || {
                            let operands = arrays(op, &s, DType::F32, 1)?;
                            apply(name, &operands, &s.options).and_then(|y| finished(&y))
                        };
                        let network = || {
                            let mut net = Case::new(op, &s, DType::F32, &mut Rng(1))?.bind()?;
                            net.forward(Mode::Train)?;
                            net.backward()?;
                            finished(net.outputs())?;
                            let grads: Vec<NDArray> = net.grads().map(|(_, g)| g.clone()).collect();
                            finished(&grads)?;
                            net.forward(Mode::Predict)?;
                            finished(net.outputs())
                        };
                        for result in [panicked(eager), panicked(network)] {
                            match result {
                                Ok(()) => accepted += 1,
                                Err(None) => refused += 1,
                                Err(Some(text)) => {
                                    let shapes: Vec<_> = s.inputs.iter().map(|x| &x.shape).collect();
                                    wrong.insert(format!("{name} {:?} of {shapes:?}: {text}", s.options));
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    say(&format!("empty and tiny shapes: {accepted} computed, {refused} refused"));
    assert!(wrong.is_empty(), "{}", wrong.into_iter().collect::<Vec<_>>().join("\n"));
    assert!(accepted > refused, "most operators have a meaning for no and for one element");
}

#[test]
fn empty_arrays_have_the_values_of_no_elements() {
    let run = || -> Result<()> {
        let none = NDArray::zeros(&[0, 3])?;
        assert!(none.relu()?.to_vec::<f32>()?.is_empty());
        assert_eq!(none.sum()?.item::<f32>()?, 0.0);
        assert_eq!(none.sum_with(opts::Sum::new().axes(0))?.to_vec::<f32>()?, [0.0; 3]);
        assert_eq!(none.matmul(&NDArray::zeros(&[3, 2])?)?.shape(), [0, 2]);
        // An empty sum is 0, also inside of a product.
        assert_eq!(NDArray::ones(&[2, 0])?.matmul(&NDArray::ones(&[0, 2])?)?.to_vec::<f32>()?, [0.0; 4]);
        let joined = NDArray::concat_with(&[&none, &NDArray::ones(&[1, 3])?], opts::Concat::new().axis(0))?;
        assert_eq!(joined.to_vec::<f32>()?, [1.0; 3]);
        let e = none.max().expect_err("there is none").to_string();
        assert!(e.contains("max: there is no max of no elements"), "{e}");
        Ok(())
    };
    run().unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn nan_and_infinities_go_through() {
    const NAN: f32 = f32::NAN;
    const INF: f32 = f32::INFINITY;
    fn same(what: &str, have: &NDArray, want: &[f32]) {
        let have = have.to_vec::<f32>().unwrap_or_else(|e| panic!("{what}: {e}"));
        let equal = have.len() == want.len()
            && have.iter().zip(want).all(|(a, b)| a.is_nan() && b.is_nan() || (a - b).abs() < 1e-6 || a == b);
        assert!(equal, "{what}: {have:?}, not {want:?}");
    }
    // Vectors and remainders: the special values at every place of 70 elements.
    fn everywhere(
        f: impl Fn(&NDArray) -> Result<NDArray>,
        value: f32,
        want: impl Fn(f32) -> f32,
        what: &str,
    ) {
        for at in 0..70 {
            let mut x: Vec<f32> = (0..70).map(|i| i as f32 - 35.5).collect();
            x[at] = value;
            let y =
                NDArray::from_slice(&x, &[70]).and_then(|x| f(&x)).unwrap_or_else(|e| panic!("{what}: {e}"));
            let want: Vec<f32> = x.iter().map(|x| want(*x)).collect();
            same(&format!("{what} with {value} at {at}"), &y, &want);
        }
    }
    let nan_max = |a: f32, b: f32| if a.is_nan() { a } else { a.max(b) };
    everywhere(NDArray::relu, NAN, |x| nan_max(x, 0.0), "relu");
    everywhere(NDArray::relu, -INF, |x| nan_max(x, 0.0), "relu");
    everywhere(NDArray::relu, INF, |x| nan_max(x, 0.0), "relu");
    everywhere(NDArray::abs, NAN, f32::abs, "abs");
    everywhere(|x| x.clip(-1.0, 2.0), NAN, |x| if x.is_nan() { x } else { x.clamp(-1.0, 2.0) }, "clip");
    everywhere(NDArray::sigmoid, NAN, |x| 1.0 / (1.0 + (-x).exp()), "sigmoid");
    everywhere(NDArray::tanh, INF, f32::tanh, "tanh");
    everywhere(|x| x.maximum(&NDArray::scalar(3.0f32)?), NAN, |x| nan_max(x, 3.0), "maximum");
    everywhere(|x| NDArray::scalar(3.0f32)?.minimum(x), NAN, |x| -nan_max(-x, -3.0), "minimum");

    let run = || -> Result<()> {
        for at in 0..70 {
            let mut x: Vec<f32> = (0..70).map(|i| (i % 9) as f32).collect();
            x[at] = NAN;
            let x = NDArray::from_slice(&x, &[7, 10])?;
            assert!(x.max()?.item::<f32>()?.is_nan() && x.min()?.item::<f32>()?.is_nan(), "max, min at {at}");
            assert!(
                x.sum()?.item::<f32>()?.is_nan() && x.mean()?.item::<f32>()?.is_nan(),
                "sum, mean at {at}"
            );
            let rows = x.max_with(opts::Max::new().axes(1))?.to_vec::<f32>()?;
            let columns = x.max_with(opts::Max::new().axes(0))?.to_vec::<f32>()?;
            assert!(rows.iter().enumerate().all(|(i, y)| y.is_nan() == (i == at / 10)), "{rows:?}");
            assert!(columns.iter().enumerate().all(|(i, y)| y.is_nan() == (i == at % 10)), "{columns:?}");
            let soft = x.softmax()?.to_vec::<f32>()?;
            assert!(soft.iter().enumerate().all(|(i, y)| y.is_nan() == (i / 10 == at / 10)), "{soft:?}");
            // 2x2 windows of one image of 7 by 10; the last row is in none.
            let pooled = x.reshape([1, 1, 7, 10])?.max_pool(2)?.to_vec::<f32>()?;
            let window = (at / 20 < 3).then_some(at / 20 * 5 + at % 10 / 2);
            assert!(
                pooled.iter().enumerate().all(|(i, y)| y.is_nan() == (Some(i) == window)),
                "{at}: {pooled:?}"
            );
        }
        let scores = NDArray::try_from([[1.0f32, -INF, 1.0], [INF, 0.0, 0.0], [-INF, -INF, -INF]])?;
        same("softmax", &scores.softmax()?, &[0.5, 0.0, 0.5, NAN, NAN, NAN, NAN, NAN, NAN]);
        same("max_pool", &NDArray::full(&[1, 1, 2, 2], -INF)?.max_pool(2)?, &[-INF]);
        let corner =
            NDArray::full(&[1, 1, 1, 1], -INF)?.max_pool_with(2, opts::MaxPool::new().pad(1).stride(1))?;
        same("max_pool, padding never wins", &corner, &[-INF; 4]);

        // Channel 1 of two: [n, c] = [2, 2].
        let x = NDArray::try_from([[1.0f32, NAN], [3.0, 2.0]])?;
        let fill = |v: f32| NDArray::full(&[2], v);
        let (mean, var) = (fill(0.0)?, fill(1.0)?);
        let y = apply("batch_norm", &[x, fill(1.0)?, fill(0.0)?, mean.clone(), var.clone()], &[])?;
        let one = 1.0 / (1.0f32 + 1e-5).sqrt();
        same("batch_norm", &y[0], &[-one, NAN, one, NAN]);
        same("its running mean", &mean, &[0.2, NAN]);
        same("its running variance", &var, &[1.0, NAN]);
        Ok(())
    };
    run().unwrap_or_else(|e| panic!("{e}"));
}

/// A value for an option that often does not fit.
fn odd(option: &OptionDef, rng: &mut Rng) -> Arg {
    let ints = [-1000, -9, -2, -1, 0, 1, 2, 3, 7, 1000, i64::MAX, i64::MIN];
    let int = |rng: &mut Rng| Arg::Int(ints[rng.below(ints.len())]);
    match rng.below(9) {
        0 => Arg::Float([f64::NAN, f64::INFINITY, -1.0, 0.0, 0.5, 1e300][rng.below(6)]),
        1 => Arg::Bool(rng.below(2) == 0),
        2 => Arg::from(["same", "ceil", "none", "nonsense", ""][rng.below(5)]),
        3 => Arg::Hole,
        4 | 5 => {
            let n = rng.below(7);
            Arg::List((0..n).map(|_| if rng.below(6) == 0 { Arg::Hole } else { int(rng) }).collect())
        }
        _ => match option.kind {
            OptionKind::Choice(words) => Arg::from(words[rng.below(words.len())]),
            _ => int(rng),
        },
    }
}

fn random_array(rng: &mut Rng) -> NDArray {
    let rank = rng.below(6);
    let shape: Vec<usize> = (0..rank).map(|_| [0, 1, 2, 3, 4, 5][rng.below(6)]).collect();
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| rng.uniform(-3.0, 3.0)).collect();
    let host = HostArray::from_vec(values, &shape).expect("as many as the shape says");
    let dtype = if rng.below(3) == 0 { TYPES[rng.below(9)] } else { DType::F32 };
    NDArray::from_host(&host).and_then(|a| a.to_dtype(dtype)).expect("any type")
}

/// A call with something wrong in it, or several things.
fn spoil(
    schema: &'static Schema,
    operands: &mut Vec<NDArray>,
    options: &mut Vec<(&'static str, Arg)>,
    rng: &mut Rng,
) {
    for _ in 0..1 + rng.below(3) {
        match rng.below(8) {
            0 if !operands.is_empty() => {
                operands.remove(rng.below(operands.len()));
            }
            1 => operands.push(random_array(rng)),
            2 | 3 if !operands.is_empty() => {
                let at = rng.below(operands.len());
                operands[at] = random_array(rng);
            }
            4 if !options.is_empty() => {
                options.remove(rng.below(options.len()));
            }
            5 => options.push(("no_such_option", Arg::Int(1))),
            _ if !schema.options.is_empty() => {
                let option = &schema.options[rng.below(schema.options.len())];
                let value = odd(option, rng);
                options.retain(|(n, _)| *n != option.name);
                options.push((option.name, value));
            }
            _ => {}
        }
    }
}

fn describe(name: &str, operands: &[NDArray], options: &[(&str, Arg)]) -> String {
    let shapes: Vec<String> = operands.iter().map(|a| format!("{}{:?}", a.dtype(), a.shape())).collect();
    format!("{name}({}; {options:?})", shapes.join(", "))
}

#[test]
fn calls_that_do_not_fit_are_errors_that_help() {
    let (mut fits, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut rng = Rng(7);
    for op in public() {
        let schema = op.schema();
        let name = schema.name;
        for round in 0..300 {
            let samples = op.samples();
            let sample = &samples[round % samples.len()];
            let mut operands = arrays(op, sample, DType::F32, 1).unwrap_or_else(|e| panic!("{name}: {e}"));
            let mut options = sample.options.clone();
            spoil(schema, &mut operands, &mut options, &mut rng);
            let what = describe(name, &operands, &options);
            let run = || apply(name, &operands, &options).and_then(|y| finished(&y));
            match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(())) => fits += 1,
                Ok(Err(e)) => {
                    refused += 1;
                    let text = e.to_string();
                    if !text.contains(name) || text.len() < name.len() + 12 || text.contains("panicked") {
                        wrong.push(format!("{what}: {text}"));
                    }
                }
                Err(_) => wrong.push(format!("{what} panicked")),
            }
        }
    }
    say(&format!("calls that do not fit: {refused} refused, {fits} fit after all"));
    let text: Vec<_> = wrong.iter().take(60).cloned().collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), refused + fits, text.join("\n"));
    assert!(refused > fits, "most of these calls are wrong");
}

#[test]
fn networks_that_do_not_fit_are_errors_that_help() {
    let (mut fits, mut refused, mut wrong) = (0, 0, Vec::new());
    let mut rng = Rng(11);
    for op in public() {
        let schema = op.schema();
        let name = schema.name;
        for round in 0..60 {
            let samples = op.samples();
            let sample = &samples[round % samples.len()];
            let mut operands = arrays(op, sample, DType::F32, 1).unwrap_or_else(|e| panic!("{name}: {e}"));
            // The layer makes the states by itself; parameters are given now and then.
            if rng.below(2) == 0 {
                operands.truncate(sample.inputs.len());
            }
            let mut options = sample.options.clone();
            spoil(schema, &mut operands, &mut options, &mut rng);
            let what = describe(name, &operands, &options);
            let run = || -> Result<()> {
                let leaf = |(i, a): (usize, &NDArray)| {
                    let axes = a.shape().iter().copied().map(mxr::Axis::from);
                    Symbol::param(&format!("x{i}")).dtype(a.dtype()).shape(axes)
                };
                let leaves: Vec<Symbol> = operands.iter().enumerate().map(leaf).collect();
                let y = Symbol::apply(name, &leaves.iter().collect::<Vec<_>>(), &options, Some("it"))?;
                let programs = Symbol::compile_group("net", &y)?;
                let mut net = mxr::Executor::bind_shared(programs, &[], BindOptions::new())?;
                for (i, a) in operands.iter().enumerate() {
                    // What nothing depends on is not there.
                    if let Ok(x) = net.param(&format!("x{i}")) {
                        x.assign(a)?;
                    }
                }
                net.forward(Mode::Predict)?;
                finished(net.outputs())?;
                net.forward(Mode::Train)?;
                net.backward()?;
                finished(net.outputs())?;
                finished(&net.grads().map(|(_, g)| g.clone()).collect::<Vec<_>>())
            };
            match catch_unwind(AssertUnwindSafe(run)) {
                Ok(Ok(())) => fits += 1,
                Ok(Err(e)) => {
                    refused += 1;
                    let text = e.to_string();
                    if text.len() < 20 || text.contains("panicked") {
                        wrong.push(format!("{what}: {text}"));
                    }
                }
                Err(_) => wrong.push(format!("{what} panicked")),
            }
        }
    }
    say(&format!("networks that do not fit: {refused} refused, {fits} fit after all"));
    let text: Vec<_> = wrong.iter().take(60).cloned().collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), refused + fits, text.join("\n"));
}

#[test]
fn operators_by_name_say_what_is_not_there() {
    let text = |r: Result<Vec<NDArray>>| r.expect_err("refused").to_string();
    let x = NDArray::zeros(&[2, 2]).expect("small");
    let e = text(NDArray::apply("sofmax", &[&x], &[]));
    assert!(e.contains("sofmax") && e.contains("did you mean `softmax`?"), "{e}");
    let e = text(NDArray::apply("softmax", &[&x], &[("axes", Arg::Int(0))]));
    assert!(e.contains("did you mean `axis`?"), "{e}");
    // What only passes may use is not in the language.
    assert!(text(NDArray::apply("softmax_backward", &[&x, &x], &[])).contains("no operator of this name"));
    let e = text(NDArray::apply("dense", &[&x, &x], &[]));
    assert!(e.contains("dense: its operand `bias` is missing") && e.contains("`bias` to false"), "{e}");
    let e = Symbol::apply("relo", &[&Symbol::input("x")], &[], None).expect_err("refused").to_string();
    assert!(e.contains("did you mean `relu`?"), "{e}");
}

#[test]
fn numbers_beside_symbols_have_the_type_of_the_array() {
    let run = |dtype: DType| -> Result<(DType, Vec<f64>)> {
        let x = Symbol::input("x").dtype(dtype);
        let y = 2.0 * &(&(&x * 3.0) - 1.0);
        let mut net = y.bind(&[("x", &[2])], BindOptions::new())?;
        net.set_input("x", &NDArray::from_slice(&[1.0f32, 5.0], &[2])?)?;
        net.forward(Mode::Predict)?;
        Ok((net.outputs()[0].dtype(), numbers(&net.outputs()[0])?))
    };
    for dtype in [DType::F32, DType::F64, DType::I32, DType::I64] {
        assert_eq!(run(dtype).unwrap_or_else(|e| panic!("{e}")), (dtype, vec![4.0, 28.0]));
    }
    let half = &Symbol::input("x").dtype(DType::I64) * 0.5;
    let e = half.bind(&[("x", &[2])], BindOptions::new()).expect_err("a fraction").to_string();
    assert!(e.contains("0.5 beside an array of i64") && e.contains("cast"), "{e}");
}
