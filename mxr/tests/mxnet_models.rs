//! Networks that MXNet wrote: rebuilt from their symbol files with our operators, with MXNet's parameters, against the
//! outputs, internal arrays, gradients and running statistics that MXNet computed.

mod common;
#[path = "common/mxnet/mod.rs"]
mod mxnet;

use common::{data_dir, say};
use mxnet::{Attrs, Call, Operand, translate};
use mxr::io::{HostArray, NamedArrays, npz, params};
use mxr::{Axis, BindOptions, Executor, GradReq, Mode, NDArray, Result, Symbol};
use serde_json::Value as Json;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Relative to the largest element: both sides compute in f32, in different orders.
const GRADIENTS: f64 = 1e-4;
const OUTPUTS: f64 = 1e-5;

/// A network of a symbol file.
struct Model {
    /// What MXNet's output operator makes of the last layer: the loss to train with, or that layer itself.
    loss: Symbol,
    /// Every layer's output under MXNet's name for it.
    internals: Vec<(String, Symbol)>,
    /// MXNet's names of states by ours.
    states: HashMap<String, String>,
    data: Vec<usize>,
}

struct Files {
    prefix: PathBuf,
    params: NamedArrays,
    io: NamedArrays,
}

impl Files {
    fn read(prefix: PathBuf) -> Files {
        let file = |end: &str| with_end(&prefix, end);
        let params = params::read(file("-0000.params")).expect("a readable file");
        let io = npz::read(file("-io.npz")).expect("a readable file");
        Files { prefix, params, io }
    }

    fn io(&self, name: &str) -> &HostArray {
        self.io.get(name).unwrap_or_else(|| panic!("no {name} in {}", self.prefix.display()))
    }
}

fn with_end(prefix: &Path, end: &str) -> PathBuf {
    let mut path = prefix.as_os_str().to_owned();
    path.push(end);
    path.into()
}

/// The nodes of the symbol file as calls of our operators.
fn read(files: &Files) -> Result<Model> {
    let text = fs::read(with_end(&files.prefix, "-symbol.json")).expect("the symbol file");
    let json: Json = serde_json::from_slice(&text).expect("JSON");
    let data = files.io("input:data").shape().to_vec();
    let mut results: Vec<Vec<Symbol>> = Vec::new();
    let mut names: Vec<&str> = Vec::new();
    let (mut internals, mut states, mut loss) = (Vec::new(), HashMap::new(), None);
    for node in json["nodes"].as_array().expect("nodes") {
        let name = node["name"].as_str().expect("a name");
        names.push(name);
        let of_shape = |s: Symbol, shape: &[usize]| s.shape(shape.iter().copied().map(Axis::from));
        if node["op"] == "null" {
            let leaf = match (name, files.params.get(&format!("arg:{name}"))) {
                ("data", _) => of_shape(Symbol::input("data"), &data),
                ("softmax_label", _) => of_shape(Symbol::input(name), &data[..1]),
                (_, Some(weight)) => of_shape(Symbol::param(name), weight.shape()),
                // A state: our layer makes its own.
                _ => {
                    assert!(files.params.contains(&format!("aux:{name}")), "{name} is in no file");
                    Symbol::input(name)
                }
            };
            results.push(vec![leaf]);
            continue;
        }
        let inputs: Vec<(usize, usize)> = node["inputs"]
            .as_array()
            .expect("inputs")
            .iter()
            .map(|i| (i[0].as_u64().expect("a node") as usize, i[1].as_u64().expect("a result") as usize))
            .collect();
        let op = node["op"].as_str().expect("an operator");
        let own_states = if op == "BatchNorm" { &inputs[3..] } else { &[] };
        for ((input, _), ours) in own_states.iter().zip(["moving_mean", "moving_var"]) {
            states.insert(format!("{name}_{ours}"), names[*input].to_string());
        }
        let operands: Vec<Operand<Symbol>> = inputs[..inputs.len() - own_states.len()]
            .iter()
            .map(|(input, result)| Operand {
                name: names[*input].to_string(),
                // Only the labels' shape matters, to losses.
                shape: data[..1].to_vec(),
                value: results[*input][*result].clone(),
            })
            .collect();
        let outputs = match translate(op, &Attrs(&node["attrs"]), &operands, Some(name))? {
            Call::Values(v) => v,
            Call::Loss { loss: l, output } => {
                loss = Some(l);
                vec![output]
            }
            Call::Absent(reason) => panic!("{op}: {reason}"),
        };
        internals.push((format!("{name}_output"), outputs[0].clone()));
        results.push(outputs);
    }
    let last = results.last().expect("nodes")[0].clone();
    Ok(Model { loss: loss.unwrap_or(last), internals, states, data })
}

impl Model {
    /// Bound with MXNet's parameters and data.
    fn bind(&self, files: &Files, outputs: &[Symbol]) -> Result<Executor> {
        let programs = Symbol::compile_group("model", outputs)?;
        let options = BindOptions::new().input_grad("data", GradReq::Write);
        let net = Executor::bind_shared(programs, &[], options)?;
        let mut left: HashSet<&str> = files.params.names().collect();
        let mut take = |name: String| {
            left.remove(name.as_str());
            files.params.get(&name).unwrap_or_else(|| panic!("no {name}"))
        };
        for (name, array) in net.params() {
            array.copy_from_host(take(format!("arg:{name}")))?;
        }
        for (name, array) in net.states() {
            array.copy_from_host(take(format!("aux:{}", self.states[name])))?;
        }
        assert!(left.is_empty(), "the network does not have {left:?}");
        for name in net.input_names() {
            net.input(name)?.copy_from_host(files.io(&format!("input:{name}")))?;
        }
        Ok(net)
    }
}

/// The largest difference relative to the largest element.
fn apart(have: &NDArray, want: &HostArray) -> f64 {
    let same = have.len() == want.len() && have.shape()[..1] == want.shape()[..1];
    assert!(same, "shape {:?}, not {:?}", have.shape(), want.shape());
    let have = have.to_vec::<f32>().expect("computed");
    let want = want.to_f32();
    let size = want.iter().fold(f64::MIN_POSITIVE, |m, x| m.max(f64::from(x.abs())));
    let difference = |(a, b): (&f32, &f32)| f64::from(a - b).abs() / size;
    have.iter().zip(&want).map(difference).fold(0.0, |m, e| if e.is_nan() { f64::INFINITY } else { m.max(e) })
}

/// Collects what is too far apart.
struct Check {
    worst: f64,
    count: usize,
    wrong: Vec<String>,
}

impl Check {
    fn new() -> Check {
        Check { worst: 0.0, count: 0, wrong: Vec::new() }
    }

    fn compare(&mut self, what: &str, have: &NDArray, want: &HostArray, tolerance: f64) {
        let d = apart(have, want);
        self.worst = self.worst.max(d);
        self.count += 1;
        if d > tolerance {
            self.wrong.push(format!("{what}: {d:.2e} of the largest element"));
        }
    }

    fn done(self, name: &str, what: &str) {
        say(&format!("{name}: {} {what}, worst {:.1e} of the largest element", self.count, self.worst));
        assert!(self.wrong.is_empty(), "{name}, {what}:\n{}", self.wrong.join("\n"));
    }
}

fn model(name: &str) -> Option<(Files, Model)> {
    let files = Files::read(data_dir()?.join("mxnet").join(name));
    let model = read(&files).unwrap_or_else(|e| panic!("{name}: {e}"));
    Some((files, model))
}

/// Training from MXNet's starting state, prediction, and every internal array.
fn whole(name: &str) -> Result<()> {
    let Some((files, model)) = model(name) else { return Ok(()) };
    let mut net = model.bind(&files, std::slice::from_ref(&model.loss))?;

    let mut check = Check::new();
    net.forward(Mode::Predict)?;
    check.compare("eval_output", &net.outputs()[0], files.io("eval_output:0"), OUTPUTS);
    // Prediction leaves the state alone, so training starts where MXNet's did.
    net.forward(Mode::Train)?;
    check.compare("train_output", &net.predictions()[0], files.io("train_output:0"), OUTPUTS);
    check.done(name, "outputs");

    let mut check = Check::new();
    for (ours, theirs) in &model.states {
        let want = files.io(&format!("aux_after_train_forward:{theirs}"));
        check.compare(theirs, net.state(ours)?, want, OUTPUTS);
    }
    let wanted = files.io.names().filter(|n| n.starts_with("aux_after_train_forward:")).count();
    assert_eq!(check.count, wanted, "{name}: every state of the file");
    check.done(name, "states after training");

    net.backward()?;
    let mut check = Check::new();
    for (full, want) in files.io.iter() {
        if let Some(of) = full.strip_prefix("grad:") {
            check.compare(full, net.grad(of)?, want, GRADIENTS);
        }
    }
    assert_eq!(check.count, net.params().count() + 1, "{name}: every weight, and the data");
    check.done(name, "gradients");

    let symbols: Vec<Symbol> = model.internals.iter().map(|(_, s)| s.clone()).collect();
    let mut net = model.bind(&files, &symbols)?;
    net.forward(Mode::Predict)?;
    let internals = npz::read(with_end(&files.prefix, "-internals.npz")).expect("a readable file");
    assert_eq!(net.outputs().len(), internals.len(), "{name}: every internal array");
    let mut check = Check::new();
    for ((theirs, _), have) in model.internals.iter().zip(net.outputs()) {
        check.compare(theirs, have, internals.get(theirs).unwrap_or_else(|| panic!("no {theirs}")), OUTPUTS);
    }
    check.done(name, "internal arrays");
    Ok(())
}

#[test]
fn lenet() {
    whole("lenet").unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn resnet() {
    whole("resnet").unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn inception() {
    whole("inception").unwrap_or_else(|e| panic!("{e}"));
}

/// A trained network on test pictures: scores, and the classes that follow from them.
#[test]
fn trained_resnet20_of_gluoncv() {
    let name = "gluoncv/cifar_resnet20_v1";
    let Some((files, model)) = model(name) else { return };
    let run = || -> Result<_> {
        let mut net = model.bind(&files, std::slice::from_ref(&model.loss))?;
        net.forward(Mode::Predict)?;
        Ok(net.outputs()[0].clone())
    };
    let scores = run().unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(scores.shape(), [model.data[0], 10]);
    let mut check = Check::new();
    check.compare("eval_output", &scores, files.io("eval_output:0"), OUTPUTS);
    check.done(name, "outputs");
    let best = |row: &[f32]| (0..10).max_by(|a, b| row[*a].total_cmp(&row[*b])).expect("ten classes");
    let classes = |all: &[f32]| all.chunks(10).map(best).collect::<Vec<_>>();
    let have = classes(&scores.to_vec::<f32>().expect("computed"));
    assert_eq!(have, classes(&files.io("eval_output:0").to_f32()));
}
