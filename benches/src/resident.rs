//! The resident memory of a real training run beside its plan, on Linux.

use mxr::optimizer::{Sgd, Updater};
use mxr::{BindOptions, Executor, Mode, NDArray};
use mxr_examples::zoo::{self, Entry};
use mxr_kernels::scratch_bytes;
use std::error::Error;
use std::path::Path;
use std::process::Command;
use std::{fs, io};

/// Bytes of one run. The process that measures does nothing else, so the peak is the run's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resident {
    /// The arena of the arrays between the layers, as planned.
    pub planned: u64,
    /// The most that was resident during the steps, less what was there before the network.
    pub peak: u64,
    /// Weights, states, gradients and momentum.
    pub trained: u64,
    /// Inputs, outputs, predictions.
    pub io: u64,
    /// What the arena takes besides for scratch memory of the kernels, as planned.
    pub workspace: u64,
    /// Buffers of packed operands, which belong to the process.
    pub packing: u64,
}

impl Resident {
    /// What is left of the peak for the arrays between the layers.
    pub fn arena(&self) -> u64 {
        self.peak.saturating_sub(self.trained + self.io + self.workspace + self.packing)
    }

    /// What was resident beside what was planned.
    pub fn ratio(&self) -> f64 {
        self.arena() as f64 / self.planned as f64
    }

    fn fields(&self) -> [u64; 6] {
        [self.planned, self.peak, self.trained, self.io, self.workspace, self.packing]
    }
}

/// Measure in a process of its own: `program` is called as `program --resident NET BATCH` and prints [`report`].
///
/// # Errors
///
/// When the process fails or says something else.
pub fn in_process(program: &Path, net: &str, batch: usize) -> Result<Resident, Box<dyn Error>> {
    let mut call = Command::new(program);
    call.args(["--resident", net, &batch.to_string()]);
    // Freed memory goes back at once, so that what setting up took is not counted.
    call.env("MALLOC_MMAP_THRESHOLD_", "65536").env("MALLOC_TRIM_THRESHOLD_", "65536");
    let out = call.output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let numbers: Vec<u64> = text.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    match numbers[..] {
        [planned, peak, trained, io, workspace, packing] if out.status.success() => {
            Ok(Resident { planned, peak, trained, io, workspace, packing })
        }
        _ => Err(format!("{net}: {text}{}", String::from_utf8_lossy(&out.stderr)).into()),
    }
}

/// Train a network of the zoo for two steps in this process and tell what was resident, for [`in_process`].
///
/// # Errors
///
/// When there is no such network, or no `/proc`.
pub fn report(net: &str, batch: usize) -> Result<String, Box<dyn Error>> {
    let entry = zoo::find(net).ok_or_else(|| format!("the zoo has no network `{net}`"))?;
    let fields = measure(entry, batch)?.fields().map(|f| f.to_string());
    Ok(fields.join(" "))
}

fn measure(entry: &Entry, batch: usize) -> Result<Resident, Box<dyn Error>> {
    mxr::storage::set_cache_limit(0);
    // Threads, code, tables and the kernels' scratch memory are there before the count begins, and as full as they get.
    train(&mut bound(entry, batch)?)?;
    mxr::storage::trim();
    let (before, packing) = (status("VmRSS")?, scratch_bytes());

    let mut net = bound(entry, batch)?;
    // The peak so far is forgotten: what setting up took is no part of a run.
    fs::write("/proc/self/clear_refs", "5")?;
    train(&mut net)?;
    let peak = status("VmHWM")? - before;
    let report = net.memory();
    let planned = Executor::planned(entry.programs, &[("N", batch)], &BindOptions::new(), Mode::Train)?;
    let planned = planned.ok_or("the network only predicts")?;
    Ok(Resident {
        planned: planned.arena as u64,
        peak,
        // Momentum is as large as the gradients.
        trained: (report.parameters + 2 * report.gradients) as u64,
        io: report.io as u64,
        workspace: planned.workspace as u64,
        packing: (scratch_bytes() - packing) as u64,
    })
}

fn bound(entry: &Entry, batch: usize) -> Result<Executor, Box<dyn Error>> {
    let net = Executor::bind(entry.programs, &[("N", batch)], BindOptions::new())?;
    let names: Vec<String> = entry
        .programs
        .predict()
        .params
        .iter()
        .map(|v| entry.programs.predict().values[*v as usize].name.to_string())
        .collect();
    for name in &names {
        net.param(name.as_str())?.fill_with(0.01)?;
    }
    net.input("data")?.fill_with(0.5)?;
    Ok(net)
}

fn train(net: &mut Executor) -> Result<(), Box<dyn Error>> {
    let mut updater = Updater::new(net, Sgd::new(1e-9).momentum(0.9))?;
    for _ in 0..2 {
        net.forward(Mode::Train)?;
        net.backward()?;
        updater.update();
    }
    net.device().wait_all()?;
    let losses: Vec<f32> = net.outputs().iter().map(NDArray::item::<f32>).collect::<Result<_, _>>()?;
    if losses.iter().any(|l| l.is_nan()) {
        return Err("the loss is not a number".into());
    }
    Ok(())
}

/// A line of `/proc/self/status`, in bytes.
fn status(key: &str) -> io::Result<u64> {
    let text = fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(':'));
    let kib = line.and_then(|l| l.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|k| k * 1024).ok_or_else(|| io::Error::other(format!("/proc/self/status has no {key}")))
}
