//! The oracle: every case that other systems computed, eagerly and as a network, forward and backward, in f32 and f64.
//!
//! A tensor passes when `max|a − b| ≤ tol · max(1, max|b|)`. The oracle's rule allows 4 · tol where the order of summation differs
//! from the reference's; no kernel of ours needs that, on any instruction set.

mod common;
#[path = "common/mxnet/mod.rs"]
mod mxnet;

use common::{data_dir, say};
use mxnet::{Attrs, Call, Operand, translate};
use mxr::io::{HostArray, NamedArrays, safetensors};
use mxr::optimizer::{Adam, Optimizer, Sgd, UpdateAt};
use mxr::{Axis, BindOptions, DType, Executor, GradReq, Mode, NDArray, Result, Symbol};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

/// One case of the index with its tensors.
struct Case<'a> {
    id: &'a str,
    op: &'a str,
    json: &'a Json,
    tensors: &'a NamedArrays,
    tol: f64,
}

impl<'a> Case<'a> {
    fn tensor(&self, key: &Json) -> &'a HostArray {
        let key = key.as_str().expect("a key");
        self.tensors.get(key).unwrap_or_else(|| panic!("{}: no tensor {key}", self.id))
    }

    /// Named tensors of a kind, in the order of the index.
    fn named(&self, kind: &str) -> Vec<(&'a str, &'a HostArray)> {
        let Some(map) = self.json[kind].as_object() else { return Vec::new() };
        map.iter().map(|(name, key)| (name.as_str(), self.tensor(key))).collect()
    }

    fn list(&self, kind: &str) -> Vec<&'a HostArray> {
        self.json[kind].as_array().map_or(Vec::new(), |l| l.iter().map(|k| self.tensor(k)).collect())
    }

    /// Operands in the order of the operator; the index is a JSON object, whose order a reader may lose.
    fn operands(&self) -> Vec<(&'a str, &'a HostArray)> {
        const ORDER: &[&str] = &[
            "data",
            "condition",
            "lhs",
            "rhs",
            "x",
            "y",
            "label",
            "weight",
            "bias",
            "gamma",
            "beta",
            "moving_mean",
            "moving_var",
            "h",
            "c",
            "i2h_weight",
            "h2h_weight",
            "i2h_bias",
            "h2h_bias",
            "arg0",
            "arg1",
            "arg2",
            "arg3",
            "indices",
            "index",
            "grads",
        ];
        let mut all = self.named("inputs");
        all.sort_by_key(|(n, _)| {
            ORDER.iter().position(|o| o == n).unwrap_or_else(|| panic!("{}: operand {n}", self.id))
        });
        all
    }
}

/// What the suite found.
#[derive(Default)]
struct Report {
    failures: String,
    tensors: usize,
    /// Per operator the worst error, in units of its tolerance.
    worst: BTreeMap<String, f64>,
}

impl Report {
    fn compare(&mut self, case: &Case<'_>, what: &str, have: &NDArray, want: &HostArray) {
        let shape = want.shape();
        if have.shape() != shape {
            let _ = writeln!(self.failures, "{} {what}: shape {:?}, not {shape:?}", case.id, have.shape());
            return;
        }
        let have = have.to_dtype(DType::F64).and_then(|a| a.to_vec::<f64>());
        match have {
            Ok(have) => self.numbers(case, what, &have, want),
            Err(e) => {
                let _ = writeln!(self.failures, "{} {what}: {e}", case.id);
            }
        }
    }

    fn numbers(&mut self, case: &Case<'_>, what: &str, have: &[f64], want: &HostArray) {
        let want: Vec<f64> = want.to_f32().into_iter().map(f64::from).collect();
        assert_eq!(have.len(), want.len(), "{} {what}", case.id);
        let size = want.iter().fold(1.0, |m: f64, x| m.max(x.abs()));
        // A NaN must not hide behind a maximum.
        let error = have
            .iter()
            .zip(&want)
            .map(|(a, b)| (a - b).abs())
            .fold(0.0, |m: f64, e| if e.is_nan() { f64::INFINITY } else { m.max(e) });
        let units = error / (case.tol * size);
        let worst = self.worst.entry(case.op.to_string()).or_default();
        *worst = worst.max(units);
        self.tensors += 1;
        if units > 1.0 {
            let _ = writeln!(self.failures, "{} {what}: off by {units:.1} tolerances", case.id);
        }
    }

    fn error(&mut self, case: &Case<'_>, what: &str, e: &mxr::Error) {
        let _ = writeln!(self.failures, "{} {what}: {e}", case.id);
    }
}

fn is_aux(name: &str) -> bool {
    name.starts_with("moving_")
}

/// What losses take in any element type.
fn is_label(op: &str, name: &str) -> bool {
    name == "label" && op != "MAERegressionOutput"
}

/// The case on arrays. `Some(reason)` when we lack the operator.
fn eagerly(case: &Case<'_>, dtype: DType, report: &mut Report) -> Result<Option<&'static str>> {
    let operands = case
        .operands()
        .into_iter()
        .map(|(name, t)| {
            let value = NDArray::from_host(t)?;
            let value = if is_label(case.op, name) { value } else { value.to_dtype(dtype)? };
            Ok(Operand { name: name.to_string(), shape: t.shape().to_vec(), value })
        })
        .collect::<Result<Vec<_>>>()?;
    let what = format!("eager {dtype}");
    let outputs = match translate(case.op, &Attrs(&case.json["attrs"]), &operands, None)? {
        Call::Absent(reason) => return Ok(Some(reason)),
        Call::Values(v) => v,
        Call::Loss { output, .. } => vec![output],
    };
    let want = case.list("outputs");
    assert_eq!(outputs.len(), want.len(), "{}", case.id);
    for (i, (y, want)) in outputs.iter().zip(want).enumerate() {
        report.compare(case, &format!("{what} output {i}"), y, want);
    }
    for (name, want) in case.named("aux_after") {
        let state = operands.iter().find(|o| o.name == name).expect("an operand");
        report.compare(case, &format!("{what} {name}"), &state.value, want);
    }
    Ok(None)
}

/// The case as a network: forward and backward with its head gradients.
fn as_network(case: &Case<'_>, dtype: DType, report: &mut Report) -> Result<()> {
    const WEIGHTS: [&str; 4] = ["weight", "bias", "gamma", "beta"];
    let inputs: Vec<(&str, &HostArray)> = case.operands().into_iter().filter(|(n, _)| !is_aux(n)).collect();
    let symbols: Vec<Operand<Symbol>> = inputs
        .iter()
        .map(|(name, t)| {
            let leaf = if WEIGHTS.iter().any(|w| name.ends_with(w)) {
                Symbol::param(name)
            } else {
                Symbol::input(name)
            };
            let leaf = leaf.dtype(if is_label(case.op, name) { t.dtype() } else { dtype });
            let value = leaf.shape(t.shape().iter().copied().map(Axis::from));
            Operand { name: name.to_string(), shape: t.shape().to_vec(), value }
        })
        .collect();
    let (outputs, loss) = match translate(case.op, &Attrs(&case.json["attrs"]), &symbols, Some("it"))? {
        Call::Absent(_) => unreachable!("skipped before"),
        Call::Values(v) => (v, false),
        Call::Loss { loss, .. } => (vec![loss], true),
    };
    let programs = Symbol::compile_group(case.id, &outputs)?;
    let grads = case.named("grads");
    let mut options = BindOptions::new().grads(GradReq::Null);
    for (name, _) in &grads {
        options = options.grad(name, GradReq::Write);
    }
    let mut net = Executor::bind_shared(programs, &[], options)?;
    for (name, t) in &inputs {
        match net.input(name) {
            Ok(input) => input.copy_from_host(t)?,
            Err(_) => net.param(*name)?.copy_from_host(t)?,
        }
    }
    for (name, t) in case.operands().into_iter().filter(|(n, _)| is_aux(n)) {
        net.state(&format!("it_{name}"))?.copy_from_host(t)?;
    }

    let what = format!("network {dtype}");
    let want = case.list("outputs");
    let training = !grads.is_empty();
    net.forward(if training { Mode::Train } else { Mode::Predict })?;
    let has_prediction = net.program(Mode::Train).is_some_and(|p| !p.predictions.is_empty());
    if !loss || has_prediction {
        let have = if loss { net.predictions() } else { net.outputs() };
        assert_eq!(have.len(), want.len(), "{}", case.id);
        for (i, (y, want)) in have.iter().zip(want).enumerate() {
            report.compare(case, &format!("{what} output {i}"), y, want);
        }
    }
    for (name, want) in case.named("aux_after") {
        report.compare(case, &format!("{what} {name}"), net.state(&format!("it_{name}"))?, want);
    }
    if training {
        for (i, t) in case.list("head_grads").into_iter().enumerate() {
            net.head_grad(i)?.copy_from_host(t)?;
        }
        net.backward()?;
        for (name, want) in grads {
            report.compare(case, &format!("{what} gradient of {name}"), net.grad(name)?, want);
        }
    }
    Ok(())
}

/// Five updates of one weight by an optimizer; `Some(reason)` when we lack it.
fn optimizer(case: &Case<'_>, report: &mut Report) -> Result<Option<&'static str>> {
    let attrs = Attrs(&case.json["attrs"]);
    let number = |name| attrs.float(name, f64::NAN);
    let (lr, wd, rescale, clip) =
        (number("lr"), number("wd"), number("rescale_grad"), number("clip_gradient"));
    let rule: Box<dyn Optimizer> = match case.op {
        "sgd_update" | "sgd_mom_update" => {
            let sgd = Sgd::new(lr).weight_decay(wd).rescale(rescale).momentum(attrs.float("momentum", 0.0));
            Box::new(if clip > 0.0 { sgd.clip_gradient(clip) } else { sgd })
        }
        "adam_update" => {
            assert!(clip < 0.0, "no case clips");
            let adam = Adam::new(lr).betas(number("beta1"), number("beta2")).epsilon(number("epsilon"));
            Box::new(adam.weight_decay(wd).rescale(rescale))
        }
        op => match translate::<Symbol>(op, &attrs, &[], None)? {
            Call::Absent(reason) => return Ok(Some(reason)),
            _ => unreachable!("only optimizers come here"),
        },
    };
    let inputs = case.operands();
    let input = |name: &str| inputs.iter().find(|(n, _)| *n == name).expect("an operand").1;
    let mut weight = input("weight").to_f32();
    let grads = input("grads").to_f32();
    let mut states = vec![vec![0.0f32; weight.len()]; rule.states()];
    let mut after = Vec::new();
    for (t, grad) in grads.chunks(weight.len()).enumerate() {
        // MXNet's operator leaves the correction of the bias to its caller, and the case has none.
        let correction = match case.op {
            "adam_update" => {
                let power = |beta: f64| 1.0 - beta.powi(t as i32 + 1);
                power(number("beta2")).sqrt() / power(number("beta1"))
            }
            _ => 1.0,
        };
        let at = UpdateAt { t: t as u64, lr_mult: 1.0 / correction, wd_mult: 1.0 };
        let mut slices: Vec<&mut [f32]> = states.iter_mut().map(Vec::as_mut_slice).collect();
        rule.update(&at, &mut weight, grad, &mut slices);
        after.extend(weight.iter().copied().map(f64::from));
    }
    let want = case.list("outputs");
    assert_eq!(want.len(), 1 + states.len(), "{}", case.id);
    report.numbers(case, "weights", &after, want[0]);
    for (i, state) in states.iter().enumerate() {
        let have: Vec<f64> = state.iter().copied().map(f64::from).collect();
        report.numbers(case, &format!("state {i}"), &have, want[1 + i]);
    }
    Ok(None)
}

#[test]
fn every_case_of_our_operators() {
    let Some(folder) = data_dir().map(|d| d.join("oracle")) else { return };
    let index: Json =
        serde_json::from_slice(&fs::read(folder.join("index.json")).expect("the index")).expect("JSON");
    let cases = index["cases"].as_array().expect("cases");
    assert_eq!(index["count"].as_u64(), Some(cases.len() as u64));
    let mut files: BTreeMap<&str, NamedArrays> = BTreeMap::new();
    for case in cases {
        let file = case["file"].as_str().expect("a file");
        files
            .entry(file)
            .or_insert_with(|| safetensors::read(folder.join(file)).expect("a readable file").arrays);
    }
    let (mut ran, mut skipped) = (0, BTreeMap::<(&str, &str), usize>::new());
    let mut report = Report::default();
    for json in cases {
        let text = |name: &str| json[name].as_str().expect("a text");
        let tol = json["tol"].as_f64().expect("a tolerance");
        let case = Case { id: text("id"), op: text("op"), json, tensors: &files[text("file")], tol };
        if case.op.ends_with("_update") {
            match optimizer(&case, &mut report) {
                Ok(None) => ran += 1,
                Ok(Some(reason)) => *skipped.entry((case.op, reason)).or_default() += 1,
                Err(e) => report.error(&case, "optimizer", &e),
            }
            continue;
        }
        let mut absent = None;
        for dtype in [DType::F32, DType::F64] {
            match eagerly(&case, dtype, &mut report) {
                Ok(None) => {}
                Ok(reason) => {
                    absent = reason;
                    break;
                }
                Err(e) => report.error(&case, &format!("eager {dtype}"), &e),
            }
            if let Err(e) = as_network(&case, dtype, &mut report) {
                report.error(&case, &format!("network {dtype}"), &e);
            }
        }
        match absent {
            None => ran += 1,
            Some(reason) => *skipped.entry((case.op, reason)).or_default() += 1,
        }
    }
    let list: Vec<String> = skipped.iter().map(|((op, why), n)| format!("{op}: {n} ({why})")).collect();
    let count: usize = skipped.values().sum();
    say(&format!("oracle: {ran} cases ran, {count} skipped: {}", list.join(", ")));
    let worst = report.worst.iter().max_by(|a, b| a.1.total_cmp(b.1)).expect("cases");
    let tensors = report.tensors;
    say(&format!(
        "oracle: {tensors} tensors compared, the worst at {:.2} of its tolerance ({})",
        worst.1, worst.0
    ));
    assert!(report.failures.is_empty(), "\n{}", report.failures);
    assert_eq!(ran + count, cases.len());
}
