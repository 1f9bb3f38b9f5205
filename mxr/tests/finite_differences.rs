//! Every operator's gradient against central differences in f64, and every operator in f32 against itself in f64: all of the list's
//! samples, through compiler, memory plan, kernels and engine.

#[path = "common/samples.rs"]
mod samples;
#[path = "common/say.rs"]
mod say;

use mxr::graph::compile::training_graph;
use mxr::graph::ops::{OPS, SampleValues};
use mxr::graph::passes::Passes;
use mxr::{DType, Executor, Mode, Result};
use samples::{Case, Rng, numbers};
use say::say;
use std::collections::{BTreeMap, BTreeSet};

/// Operators without a checked element, each with its reason.
const UNCHECKED: &[(&str, &str)] = &[
    (
        "map_reduce",
        "fusion makes it of a map and a reduction; `elementwise.rs` holds its bits against theirs",
    ),
    (
        "relu_mask",
        "is what the graph makes of a relu whose result nobody keeps; random networks hold its bits against the relu's",
    ),
    (
        "window_max",
        "is what the graph makes of a max pooling whose operand nobody keeps; random networks hold its bits against the pooling's",
    ),
    ("fill", "has no operand that could vary"),
    ("stop_gradient", "has no gradient, which is checked instead"),
];

/// No more elements of one operand than this; larger ones are sampled.
const ELEMENTS: usize = 60;

/// The step of the differences: h² and ε/h both stay well below the tolerance.
const STEP: f64 = 1e-5;
const TOLERANCE: f64 = 1e-6;

/// The pass whose dropout masks are looked at.
const POSITION: u64 = 3;

/// `Σ ⟨output, weight⟩` in training mode.
fn loss(net: &mut Executor, weights: &[Vec<f64>]) -> Result<f64> {
    net.set_position(POSITION)?;
    net.forward(Mode::Train)?;
    let mut sum = 0.0;
    for (y, w) in net.outputs().iter().zip(weights) {
        sum += numbers(y)?.iter().zip(w).map(|(y, w)| y * w).sum::<f64>();
    }
    Ok(sum)
}

/// Weights of the outputs, put in as head gradients; scalar losses have 1.
fn weigh(net: &mut Executor, rng: &mut Rng) -> Result<Vec<Vec<f64>>> {
    net.forward(Mode::Train)?;
    let mut weights = Vec::new();
    for (i, y) in net.outputs().iter().enumerate() {
        weights.push(match net.head_grad(i) {
            Ok(head) => {
                let w = rng.fill(y.len(), SampleValues::Uniform(0.5, 1.5));
                head.copy_from_host(&mxr::io::HostArray::from_vec(w.clone(), y.shape())?)?;
                w
            }
            Err(_) => vec![1.0; y.len()],
        });
    }
    Ok(weights)
}

/// Gradients by name; what has none has zeros.
fn gradients(net: &mut Executor, case: &Case) -> Result<BTreeMap<String, Vec<f64>>> {
    net.set_position(POSITION)?;
    net.forward(Mode::Train)?;
    net.backward()?;
    let mut all = BTreeMap::new();
    for leaf in case.leaves.iter().filter(|l| l.float) {
        let g = match net.grad(&leaf.name) {
            Ok(g) => numbers(g)?,
            Err(_) => vec![0.0; leaf.values.len()],
        };
        all.insert(leaf.name.clone(), g);
    }
    Ok(all)
}

/// Every operator of the training graph, the backward pass included.
fn operators(case: &Case) -> Result<BTreeSet<&'static str>> {
    let (graph, _) = training_graph(case.graph.clone(), &Passes::NONE)?;
    Ok(graph.nodes.iter().map(|n| n.op.schema().name).collect())
}

/// How many elements were checked.
fn check(what: &str, case: &Case, rng: &mut Rng, wrong: &mut Vec<String>) -> Result<usize> {
    let mut net = case.bind()?;
    let weights = weigh(&mut net, rng)?;
    let have = gradients(&mut net, case)?;
    let mut count = 0;
    for leaf in case.leaves.iter().filter(|l| l.float) {
        let n = leaf.values.len();
        let chosen: BTreeSet<usize> =
            if n <= ELEMENTS { (0..n).collect() } else { (0..ELEMENTS).map(|_| rng.below(n)).collect() };
        for at in chosen {
            let mut side = |by: f64| {
                let mut values = leaf.values.clone();
                values[at] += by;
                leaf.put(&net, &values)?;
                loss(&mut net, &weights)
            };
            let want = (side(STEP)? - side(-STEP)?) / (2.0 * STEP);
            let have = have[&leaf.name][at];
            // A NaN is not within the tolerance.
            let agrees = (have - want).abs() <= TOLERANCE * (1.0 + want.abs());
            if !agrees {
                wrong.push(format!(
                    "{what}: gradient of {}[{at}] is {have}, differences say {want}",
                    leaf.name
                ));
            }
            count += 1;
        }
        leaf.put(&net, &leaf.values)?;
    }
    Ok(count)
}

#[test]
fn gradients_of_every_operator() {
    let (mut checked, mut elements, mut samples) = (BTreeMap::<&str, usize>::new(), 0, 0);
    let mut wrong = Vec::new();
    let mut rng = Rng(1);
    for op in OPS.iter().copied() {
        let name = op.schema().name;
        for (i, sample) in op.samples().iter().enumerate() {
            let what = format!("{name}, sample {i}");
            let case = Case::new(op, sample, DType::F64, &mut rng).unwrap_or_else(|e| panic!("{what}: {e}"));
            if name == "stop_gradient" {
                let net = case.bind().unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(net.grads().count(), 0, "{what}");
                continue;
            }
            let n = check(&what, &case, &mut rng, &mut wrong).unwrap_or_else(|e| panic!("{what}: {e}"));
            elements += n;
            samples += 1;
            let seen = operators(&case).unwrap_or_else(|e| panic!("{what}: {e}"));
            for op in seen.into_iter().chain([name]) {
                *checked.entry(op).or_default() += n;
            }
        }
    }
    say(&format!(
        "finite differences: {} operators, {samples} samples, {elements} elements checked; {} without: {UNCHECKED:?}",
        checked.values().filter(|n| **n > 0).count(),
        UNCHECKED.len(),
    ));
    assert!(wrong.is_empty(), "{} of {elements} elements:\n{}", wrong.len(), wrong.join("\n"));
    for op in OPS {
        let name = op.schema().name;
        let excused = UNCHECKED.iter().any(|(n, _)| *n == name);
        let done = checked.get(name).is_some_and(|n| *n > 0);
        assert!(done || excused, "{name} was not checked: give it a sample, or an entry in UNCHECKED");
        assert!(name == "fill" || !(done && excused), "{name} is checked: it needs no entry in UNCHECKED");
    }
}

/// The vectorised f32 kernels against the f64 ones, forward and backward.
#[test]
fn f32_agrees_with_f64() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for op in OPS.iter().copied() {
        let name = op.schema().name;
        for (i, sample) in op.samples().iter().enumerate() {
            // The option says the type of its result.
            if name == "cast" {
                continue;
            }
            let what = format!("{name}, sample {i}");
            let run = |dtype| -> Result<_> {
                let mut rng = Rng(i as u64);
                let case = Case::new(op, sample, dtype, &mut rng)?;
                let mut net = case.bind()?;
                weigh(&mut net, &mut rng)?;
                let grads = gradients(&mut net, &case)?;
                let outputs = net.outputs().iter().map(numbers).collect::<Result<Vec<_>>>()?;
                net.forward(Mode::Predict)?;
                let predicted = net.outputs().iter().map(numbers).collect::<Result<Vec<_>>>()?;
                let named = |what: &str, list: Vec<Vec<f64>>| {
                    list.into_iter().enumerate().map(|(i, y)| (format!("{what} {i}"), y)).collect::<Vec<_>>()
                };
                let mut all = named("output", outputs);
                all.extend(named("prediction", predicted));
                all.extend(grads.into_iter().map(|(n, g)| (format!("gradient of {n}"), g)));
                Ok(all)
            };
            let wide = run(DType::F64).unwrap_or_else(|e| panic!("{what}: {e}"));
            let narrow = run(DType::F32).unwrap_or_else(|e| panic!("{what}: {e}"));
            for ((part, a), (_, b)) in narrow.iter().zip(&wide) {
                assert_eq!(a.len(), b.len(), "{what}, {part}");
                let size = b.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
                for (at, (a, b)) in a.iter().zip(b).enumerate() {
                    compared += 1;
                    let agrees = (a - b).abs() <= 1e-5 * size;
                    if !agrees {
                        wrong.push(format!("{what}, {part}[{at}]: {a} in f32, {b} in f64"));
                    }
                }
            }
        }
    }
    say(&format!("f32 against f64: {compared} numbers of all operators' samples compared"));
    assert!(wrong.is_empty(), "{} of {compared}:\n{}", wrong.len(), wrong.join("\n"));
}
