//! Where a training step's time goes, by kind of instruction, with and without fusion: the programs of one network compiled with
//! all passes and without some, bound side by side and run in turn.
//!
//! ```sh
//! cargo run --release -p mxr-benches --example fusion -- resnet50 16 -fuse_norm,-fuse_grad,-fuse
//! ```
//!
//! The arguments are the network (`resnet50`, `inception_bn`), the batch, the passes to leave out, the number of rounds (3), and
//! `predict` for prediction. Times are the least of the rounds for each step, added up; what a prediction computes of weights alone, once,
//! is left out.

use mxr::graph::instr::Instr;
use mxr::init::Xavier;
use mxr::{BindOptions, DType, Executor, Mode, Symbol};
use mxr_benches::numbers;
use mxr_examples::zoo::symbols;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// What an instruction's time is counted as.
fn kind(i: &Instr) -> &'static str {
    match i {
        Instr::Conv2d(..) | Instr::Conv2dBackwardData(..) | Instr::Conv2dBackwardWeight(_) => "convolution",
        Instr::MatMul { .. } => "product",
        Instr::Pool2d(_)
        | Instr::Pool2dBackward(_)
        | Instr::Pool2dPlaces(_)
        | Instr::Pool2dPlacesBackward(_) => "pooling",
        Instr::Concat { .. } | Instr::Slice { .. } | Instr::SliceBackward { .. } | Instr::View => "movement",
        Instr::BatchNormTrain(..)
        | Instr::BatchNormApply(..)
        | Instr::BatchNormInfer(..)
        | Instr::BatchNormBackward(..)
        | Instr::BatchNormInferBackward(_) => "normalisation",
        Instr::CrossEntropy(_) | Instr::CrossEntropyBackward(_) => "loss",
        _ => "elementwise",
    }
}

/// A bound network that notes when each of its values was made.
struct Timed {
    net: Executor,
    mode: Mode,
    /// By name of a step's first result: its kind.
    kinds: HashMap<String, &'static str>,
    /// Results of the prologue.
    once: HashSet<String>,
    made: Arc<Mutex<Vec<(String, Instant)>>>,
    /// Least seconds of each step.
    best: HashMap<String, f64>,
}

impl Timed {
    fn new(net: Symbol, batch: usize, passes: &str, mode: Mode) -> Result<Timed, Box<dyn Error>> {
        let shapes: &[(&str, &[usize])] = &[("data", &[batch, 3, 224, 224]), ("label", &[batch])];
        let mut net = net.bind(shapes, BindOptions::new().passes(passes))?;
        net.init(&Xavier::default(), 0)?;
        let data = net.input("data")?;
        data.copy_from_slice(&numbers(data.len()))?;
        let program = net.program(mode).ok_or("no program of this mode")?;
        let name = |v: &u32| program.values[*v as usize].name.to_string();
        let kinds = program.steps.iter().map(|s| (name(&s.writes[0]), kind(&s.instr))).collect();
        let once =
            program.steps[..program.prologue()].iter().flat_map(|s| s.writes.iter().map(name)).collect();
        let made: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
        let list = made.clone();
        net.set_monitor(Some(Box::new(move |o| {
            list.lock().expect("nobody panics").push((o.value.to_string(), Instant::now()));
        })))?;
        Ok(Timed { net, mode, kinds, once, made, best: HashMap::new() })
    }

    fn round(&mut self) -> mxr::Result<()> {
        let mut passes = vec![Executor::forward as fn(&mut Executor, Mode) -> mxr::Result<()>];
        if self.mode == Mode::Train {
            passes.push(|net, _| net.backward());
        }
        for pass in passes {
            let mut last = Instant::now();
            pass(&mut self.net, self.mode)?;
            self.net.device().wait_all()?;
            for (name, at) in self.made.lock().expect("nobody panics").drain(..) {
                // Of several results of one step, the later ones come at once after the first.
                let time = at.duration_since(last).as_secs_f64();
                last = at;
                if !self.once.contains(&name) {
                    let best = self.best.entry(name).or_insert(f64::INFINITY);
                    *best = best.min(time);
                }
            }
        }
        Ok(())
    }

    fn totals(&self) -> BTreeMap<&'static str, f64> {
        let mut totals = BTreeMap::new();
        for (name, time) in &self.best {
            *totals.entry(self.kinds.get(name).copied().unwrap_or("results")).or_default() += time;
        }
        totals
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |n: usize, default: &str| args.get(n).map_or(default, String::as_str).to_string();
    let scores = match &*arg(0, "resnet50") {
        "resnet50" => symbols::resnet50(),
        "inception_bn" => symbols::inception_bn(),
        other => return Err(format!("no network `{other}`: resnet50, inception_bn").into()),
    };
    let net = scores.softmax_cross_entropy(&Symbol::input("label").dtype(DType::I64));
    let (batch, without) = (arg(1, "16").parse()?, arg(2, "-fuse_norm,-fuse_grad,-fuse"));
    let rounds: usize = arg(3, "3").parse()?;
    let mode = if arg(4, "train") == "predict" { Mode::Predict } else { Mode::Train };
    let mut fused = Timed::new(net.clone(), batch, "", mode)?;
    let mut apart = Timed::new(net, batch, &without, mode)?;
    for _ in 0..=rounds {
        fused.round()?;
        apart.round()?;
    }
    let (fused, apart) = (fused.totals(), apart.totals());
    println!("{:>16} {:>10} {without:>27} {:>7}", "ms", "all passes", "ratio");
    let line = |name: &str, a: f64, b: f64| {
        println!("{name:>16} {:>10.1} {:>27.1} {:>7.2}", a * 1e3, b * 1e3, a / b)
    };
    let of = |totals: &BTreeMap<&str, f64>, kinds: &[&str]| {
        kinds.iter().filter_map(|k| totals.get(k)).sum::<f64>()
    };
    for k in apart.keys() {
        line(k, of(&fused, &[k]), of(&apart, &[k]));
    }
    let both = ["elementwise", "normalisation"];
    line("elem. + norm.", of(&fused, &both), of(&apart, &both));
    line("all", fused.values().sum(), apart.values().sum());
    Ok(())
}
