//! Where a training step's time goes, by kind of instruction, with and without fusion: the programs of one network compiled with
//! all passes and without some, bound side by side and run in turn.
//!
//! ```sh
//! cargo run --release -p mxr-benches --example fusion -- resnet50 16 -fuse_norm,-fuse_grad,-fuse
//! ```
//!
//! The arguments are the network (`resnet50`, `inception_bn`), the batch, the passes to leave out, the number of rounds (3), and
//! `predict` for prediction. Times are the least of the rounds for each step, added up.

use mxr::graph::instr::Instr;
use mxr::init::Xavier;
use mxr::{BindOptions, DType, Executor, Mode, Symbol, opts};
use mxr_benches::numbers;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::{Arc, Mutex};
use std::time::Instant;

fn conv(x: &Symbol, filters: usize, kernel: (usize, usize), stride: usize, pad: (usize, usize)) -> Symbol {
    let options = opts::Conv2d::new().stride(stride).pad(pad).bias(false);
    x.conv2d_with(filters, kernel, options).batch_norm()
}

fn classifier(x: &Symbol, classes: usize) -> Symbol {
    let label = Symbol::input("label").dtype(DType::I64);
    x.global_avg_pool().flatten().dense(classes).softmax_cross_entropy(&label)
}

/// He et al. 2015, with projections where the shape changes and the stride in the 3×3 convolution.
fn resnet50() -> Symbol {
    let mut x = conv(&Symbol::input("data"), 64, (7, 7), 2, (3, 3)).relu();
    x = x.max_pool_with(3, opts::MaxPool::new().stride(2).pad(1));
    for (stage, blocks) in [3, 4, 6, 3].into_iter().enumerate() {
        let filters = 64 << stage;
        for block in 0..blocks {
            let stride = if block == 0 && stage > 0 { 2 } else { 1 };
            let a = conv(&x, filters, (1, 1), 1, (0, 0)).relu();
            let b = conv(&a, filters, (3, 3), stride, (1, 1)).relu();
            let c = conv(&b, 4 * filters, (1, 1), 1, (0, 0));
            let shortcut = if block == 0 { conv(&x, 4 * filters, (1, 1), stride, (0, 0)) } else { x };
            x = (&c + &shortcut).relu();
        }
    }
    classifier(&x, 1000)
}

/// Ioffe and Szegedy 2015 as in MXNet's examples: modules of 1×1, 3×3, double 3×3 and pooled branches.
fn inception_bn() -> Symbol {
    let one = |x: &Symbol, f: usize, k: usize, stride: usize| {
        let pad = (k - 1) / 2;
        conv(x, f, (k, k), stride, (pad, pad)).relu()
    };
    let pool = |x: &Symbol, stride: usize| x.max_pool_with(3, opts::MaxPool::new().stride(stride).pad(1));
    let mean = |x: &Symbol| x.avg_pool_with(3, opts::AvgPool::new().stride(1).pad(1));
    let module = |x: &Symbol, f: [usize; 6], max: bool| {
        let [n1, r3, n3, r5, n5, proj] = f;
        let a = one(x, n1, 1, 1);
        let b = one(&one(x, r3, 1, 1), n3, 3, 1);
        let c = one(&one(&one(x, r5, 1, 1), n5, 3, 1), n5, 3, 1);
        let pooled = if max { pool(x, 1) } else { mean(x) };
        Symbol::concat(&[&a, &b, &c, &one(&pooled, proj, 1, 1)])
    };
    let smaller = |x: &Symbol, [r3, n3, r5, n5]: [usize; 4]| {
        let a = one(&one(x, r3, 1, 1), n3, 3, 2);
        let b = one(&one(&one(x, r5, 1, 1), n5, 3, 1), n5, 3, 2);
        Symbol::concat(&[&a, &b, &pool(x, 2)])
    };
    let mut x = pool(&one(&Symbol::input("data"), 64, 7, 2), 2);
    x = pool(&one(&one(&x, 64, 1, 1), 192, 3, 1), 2);
    x = module(&x, [64, 64, 64, 64, 96, 32], false);
    x = module(&x, [64, 64, 96, 64, 96, 64], false);
    x = smaller(&x, [128, 160, 64, 96]);
    for f in [
        [224, 64, 96, 96, 128, 128],
        [192, 96, 128, 96, 128, 128],
        [160, 128, 160, 128, 160, 128],
        [96, 128, 192, 160, 192, 128],
    ] {
        x = module(&x, f, false);
    }
    x = smaller(&x, [128, 192, 192, 256]);
    x = module(&x, [352, 192, 320, 160, 224, 128], false);
    x = module(&x, [352, 192, 320, 192, 224, 128], true);
    classifier(&x, 1000)
}

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
        let made: Arc<Mutex<Vec<(String, Instant)>>> = Arc::default();
        let list = made.clone();
        net.set_monitor(Some(Box::new(move |o| {
            list.lock().expect("nobody panics").push((o.value.to_string(), Instant::now()));
        })))?;
        Ok(Timed { net, mode, kinds, made, best: HashMap::new() })
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
                let best = self.best.entry(name).or_insert(f64::INFINITY);
                *best = best.min(time);
                last = at;
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
    let net = match &*arg(0, "resnet50") {
        "resnet50" => resnet50(),
        "inception_bn" => inception_bn(),
        other => return Err(format!("no network `{other}`: resnet50, inception_bn").into()),
    };
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
