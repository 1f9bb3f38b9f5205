//! The loop that the networks of papers are tried with: some steps of training, with the loss and the time of each.

use crate::summary::grouped;
use crate::zoo::Entry;
use clap::Args;
use mxr::optimizer::{Optimizer, Updater};
use mxr::{Executor, Mode};
use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How long, and with how much at a time.
#[derive(Clone, Debug, Args)]
pub struct Steps {
    /// Steps of training; by default what takes some seconds.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub steps: Option<u32>,
    /// Samples in a batch.
    #[arg(long)]
    pub batch: Option<usize>,
    /// Of everything random: start values, data, dropout.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// What training came to.
#[derive(Clone, Debug)]
pub struct Run {
    /// The loss of each step.
    pub losses: Vec<f32>,
    /// The time of a step, that of the middle one.
    pub time: Duration,
}

impl Run {
    /// The mean loss of the first or the last quarter of the steps.
    fn quarter(&self, last: bool) -> f32 {
        let count = self.losses.len().div_ceil(4);
        let part = if last { &self.losses[self.losses.len() - count..] } else { &self.losses[..count] };
        part.iter().sum::<f32>() / count as f32
    }

    /// The mean losses of the first and of the last quarter of the steps.
    pub fn ends(&self) -> (f32, f32) {
        (self.quarter(false), self.quarter(true))
    }

    /// One line: how the loss went and what a step takes.
    pub fn print(&self) {
        let (first, last) = self.ends();
        let time = self.time.as_secs_f64() * 1e3;
        println!("loss {first:.4} in the first quarter, {last:.4} in the last; {time:.1} ms a step");
    }
}

/// The end of a program: what went wrong on the standard error.
pub fn ended(result: Result<(), impl Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

/// One line: the parameters beside those that are published.
pub fn print_parameters(entry: &Entry, parameters: u64) {
    let (have, published) = (grouped(parameters), grouped(entry.published));
    println!("{}: {have} parameters, published {published} ({})", entry.name, entry.source);
}

/// Trains on what `feed` puts into the inputs before each step; the first output is the loss, which is printed now and then.
///
/// # Errors
///
/// Those of the network and of `feed`.
pub fn train(
    net: &mut Executor,
    optimizer: impl Optimizer + 'static,
    steps: u32,
    mut feed: impl FnMut(&mut Executor) -> Result<(), mxr::Error>,
) -> Result<Run, mxr::Error> {
    let mut updater = Updater::new(net, optimizer)?;
    let (mut losses, mut times) = (Vec::new(), Vec::new());
    for step in 0..steps {
        feed(net)?;
        let start = Instant::now();
        net.forward(Mode::Train)?;
        net.backward()?;
        updater.update();
        let loss = net.outputs()[0].item::<f32>()?;
        // The update counts, too.
        net.wait()?;
        times.push(start.elapsed());
        losses.push(loss);
        if step % (steps / 10).max(1) == 0 || step + 1 == steps {
            println!("step {:4}  loss {loss:.4}", step + 1);
        }
    }
    times.sort();
    let time = times.get(times.len() / 2).copied().unwrap_or_default();
    Ok(Run { losses, time })
}
