//! The speed of a network of the suite: medians of steps beside what the machine can do, and where a step's time goes.

mod layers;
mod step;

pub use layers::{LayerTime, Layers};
pub use step::Times;

use crate::zoo::{self, SUITE};
use clap::builder::PossibleValuesParser;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, ValueEnum};
use mxr::Error;
use mxr_kernels::isa::Isa;
use serde_json::{Value, json};
use std::ffi::OsString;
use std::fmt;
use step::{Step, default_runs};

/// Time a network of the convnet suite, beside the machine's measured peak of multiply-adds.
#[derive(Clone, Debug, Parser)]
#[command(name = "convnet_bench")]
pub struct Options {
    /// The network, without dropout and loss.
    #[arg(long, value_parser = PossibleValuesParser::new(SUITE))]
    pub net: String,
    /// Samples in a batch.
    #[arg(long, default_value_t = 16, value_parser = at_least_one)]
    pub batch: usize,
    /// What a step is.
    #[arg(long, value_enum, default_value_t = Measured::Train)]
    pub mode: Measured,
    /// Threads; all cores by default.
    #[arg(long, default_value_t = cores(), value_parser = at_least_one)]
    pub threads: usize,
    /// Timed steps; by default what fits into two seconds, from 5 to 200.
    #[arg(long, value_parser = at_least_one)]
    pub runs: Option<usize>,
    /// A step of training ends with an update of all weights: SGD with momentum.
    #[arg(long)]
    pub update: bool,
    /// Print one JSON object instead of text.
    #[arg(long, conflicts_with = "layers")]
    pub json: bool,
    /// Print where the time goes as well, layer by layer, updates aside; measured in steps of its own.
    #[arg(long)]
    pub layers: bool,
}

/// What a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Measured {
    /// Forward and backward, with the gradients of all weights; the outputs' gradients are ones.
    Train,
    /// Forward, as in prediction.
    Infer,
}

impl Options {
    /// From the words of a command line, the program's name first.
    ///
    /// # Errors
    ///
    /// What is wrong with them, with the choices and the nearest one; clap's `exit` prints it and ends the process with code 2.
    pub fn from_words(
        words: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Options, clap::Error> {
        let options = Options::try_parse_from(words)?;
        if options.update && options.mode == Measured::Infer {
            let text = "only training updates weights: leave out `--update`, or give `--mode train`";
            return Err(Options::command().error(ErrorKind::ArgumentConflict, text));
        }
        Ok(options)
    }
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was asked for.
    pub options: Options,
    /// Seconds of the steps.
    pub times: Times,
    /// Floating-point operations of a step, 2 per multiply-add of direct convolutions and dense layers whatever the algorithm: of
    /// a training step as computed, so without the gradient of the data.
    pub flops: f64,
    /// Floating-point operations a second of multiply-adds out of registers, on as many threads.
    pub peak: f64,
    /// By layer, where that was asked for.
    pub layers: Option<Layers>,
}

impl Report {
    /// Measure.
    ///
    /// # Errors
    ///
    /// When the network is not of the suite, or does not fit into memory with this batch.
    pub fn measure(options: &Options) -> Result<Report, Error> {
        let entry = zoo::timed(&options.net).ok_or_else(|| {
            Error::invalid("net", format!("`{}` is not in the suite", options.net), SUITE.join(", "))
        })?;
        let mut step = Step::new(entry.programs, options)?;
        let last = step.warm_up()?;
        let runs = options.runs.unwrap_or_else(|| default_runs(last));
        let times = step.times(runs)?;
        let (flops, peak) = (step.flops(), step.peak()?);
        let layers = options.layers.then(|| Layers::measure(&mut step, runs)).transpose()?;
        Ok(Report { options: options.clone(), times, flops, peak, layers })
    }

    /// Floating-point operations a second in the median step.
    pub fn rate(&self) -> f64 {
        self.flops / self.times.median()
    }

    /// One object, for programs: milliseconds, and 10⁹ operations.
    pub fn json(&self) -> Value {
        let Options { net, batch, threads, .. } = &self.options;
        json!({
            "net": net,
            "batch": batch,
            "mode": self.mode(),
            "threads": threads,
            "median_ms": self.times.median() * 1e3,
            "min_ms": self.times.min() * 1e3,
            "max_ms": self.times.max() * 1e3,
            "runs": self.times.runs(),
            "gflop": self.flops / 1e9,
            "gflops": self.rate() / 1e9,
            "peak_share": self.rate() / self.peak,
        })
    }

    fn mode(&self) -> String {
        self.options.mode.to_possible_value().map_or(String::new(), |v| v.get_name().to_string())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { net, batch, threads, mode, update, .. } = &self.options;
        let what = match (mode, update) {
            (Measured::Train, false) => "forward and backward",
            (Measured::Train, true) => "forward, backward and update",
            (Measured::Infer, _) => "forward",
        };
        let (t, isa) = (&self.times, Isa::detect().name());
        let threads = if *threads == 1 { "1 thread".to_string() } else { format!("{threads} threads") };
        writeln!(f, "{net}, batch {batch}, {what}, {threads}, {isa}")?;
        let [median, min, max] = [t.median(), t.min(), t.max()].map(|s| s * 1e3);
        writeln!(f, "step   {median:.3} ms, the median of {} from {min:.3} to {max:.3}", t.runs())?;
        let images = *batch as f64 / t.median();
        writeln!(f, "       {images:.1} samples/s")?;
        let [gflop, rate, peak] = [self.flops, self.rate(), self.peak].map(|n| n / 1e9);
        writeln!(f, "rate   {rate:.1} GFLOP/s: {gflop:.3} GFLOP a step, 2 per multiply-add")?;
        write!(
            f,
            "share  {:.1} % of {peak:.1} GFLOP/s, the measured peak of multiply-adds",
            100.0 * rate / peak
        )?;
        match &self.layers {
            Some(layers) => write!(f, "\n\n{layers}"),
            None => Ok(()),
        }
    }
}

fn at_least_one(word: &str) -> Result<usize, String> {
    match word.parse() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err("it is a whole number, at least 1".to_string()),
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
