//! Trains a convolutional network on 1,797 real handwritten digits and tests it on the digits of people it has never seen.
//!
//! ```sh
//! cargo run --release --example digits
//! cargo run --release --example digits -- --epochs 60 --seed 7 --threads 1 --out curves
//! ```
//!
//! It shows a progress bar, prints a confusion matrix, writes the learning curve to `digits.svg` and ends with the test
//! accuracy, which is the same at every run with the same seed, for any number of threads.

use clap::Parser;
use mxr::init::Msra;
use mxr::io::iter::{ArrayIter, LastBatch};
use mxr::metric::{Accuracy, Confusion, CrossEntropy, Metric};
use mxr::optimizer::Sgd;
use mxr::schedule::Cosine;
use mxr::train::{Fit, evaluate};
use mxr::{BindOptions, Device};
use mxr_examples::chart::learning_curve;
use mxr_examples::digits::{Digits, TRAIN_LINES};
use mxr_examples::distort::{Bounds, Distorted};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

mxr::network!(
    fn block(x: Tensor, filters: usize) {
        relu(batch_norm(conv2d(x, filters, kernel = 3, pad = 1, bias = false)))
    }

    /// LeNet's form for pictures of 8 by 8 pixels: convolutions, pooling, dense layers.
    pub fn DigitNet(data: Tensor<N, 1, 8, 8>, label: Tensor<N, i64>) {
        let stage1 = block(block(data, 32), 32);
        let stage2 = block(block(max_pool(stage1, kernel = 2, stride = 2), 64), 64);
        let pooled = max_pool(stage2, kernel = 2, stride = 2);
        let fc1 = dense(flatten(pooled), 128);
        let fc2 = dense(dropout(relu(fc1), 0.5), 10);
        softmax_cross_entropy(fc2, label)
    }
);

/// Train a convolutional network on handwritten digits.
#[derive(Debug, Parser)]
struct Options {
    /// Passes over the training digits.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Of everything random: start values, order, distortions, dropout.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Digits in a batch.
    #[arg(long, default_value_t = 32)]
    batch: usize,
    /// Threads; as many as there are cores by default.
    #[arg(long)]
    threads: Option<usize>,
    /// Folder for `digits.svg`.
    #[arg(long, default_value = ".")]
    out: PathBuf,
    /// No progress.
    #[arg(long)]
    quiet: bool,
}

/// Chosen by leaving out a sixth of the training lines at a time: see `benches/records`.
const BOUNDS: Bounds = Bounds { shift: 0.75, turn: 0.2, stretch: 0.15, slant: 0.2, ink: 0.1 };

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(accuracy) => {
            println!("test accuracy: {accuracy:.4}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<f64, Box<dyn Error>> {
    let (train, test) = Digits::split()?;
    let train = ArrayIter::new(train.pictures, train.labels, options.batch)?
        .shuffle(options.seed)
        .last_batch(LastBatch::Discard)?;
    let mut train = Distorted::new(train, options.seed, BOUNDS)?;
    let mut test = ArrayIter::new(test.pictures, test.labels, options.batch)?;

    let device = options.threads.map_or_else(|| Ok(Device::cpu()), Device::cpu_with_threads)?;
    let bind = BindOptions::new().device(&device).seed(options.seed);
    let mut net = DigitNet::bind_with(options.batch, bind)?;
    net.init(&Msra::default(), options.seed)?;

    let updates = u64::from(options.epochs) * (TRAIN_LINES / options.batch) as u64;
    let sgd = Sgd::new(0.05).momentum(0.9).weight_decay(1e-3).schedule(Cosine::new(updates).warmup(50));
    let start = Instant::now();
    let history = Fit::new(sgd)
        .epochs(options.epochs)
        .metric(CrossEntropy::default())
        .metric(Accuracy::default())
        .validation(&mut test)
        .progress(!options.quiet)
        .run(&mut net, &mut train)?;
    if !options.quiet {
        eprintln!("trained in {:.1} s", start.elapsed().as_secs_f64());
    }

    std::fs::create_dir_all(&options.out).map_err(|e| format!("{}: {e}", options.out.display()))?;
    learning_curve(&options.out.join("digits.svg"), "digits of unseen writers", &history)?;
    let (mut confusion, mut accuracy) = (Confusion::new(10), Accuracy::default());
    evaluate(&mut net, &mut test, &mut [&mut confusion, &mut accuracy])?;
    println!("{confusion}");
    Ok(accuracy.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One short run in a folder of its own: the accuracy, and the learning curve.
    fn short(epochs: &str, threads: &str) -> (f64, Vec<u8>) {
        let name = format!("mxr-digits-{}-{epochs}-{threads}", std::process::id());
        let out = std::env::temp_dir().join(name);
        let words =
            ["digits", "--quiet", "--epochs", epochs, "--threads", threads, "--out"].map(String::from);
        let words = words.into_iter().chain([out.display().to_string()]);
        let options = Options::try_parse_from(words).expect("these are options");
        let accuracy = run(&options).expect("the digits are part of the project");
        let curve = std::fs::read(out.join("digits.svg")).expect("the learning curve");
        std::fs::remove_dir_all(&out).expect("a folder of this test");
        (accuracy, curve)
    }

    #[test]
    fn four_epochs_teach_most_digits() {
        let (accuracy, _) = short("4", "2");
        assert!(accuracy > 0.85, "{accuracy}");
    }

    #[test]
    fn any_number_of_threads_gives_the_same_curve() {
        assert_eq!(short("1", "1"), short("1", "2"));
    }
}
