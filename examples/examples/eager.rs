//! The mixed loop of the MXNet paper: the gradient comes from a network that was declared and compiled, the update is
//! written by hand on arrays, and one engine runs both, in the right order, in the background.
//!
//! ```sh
//! cargo run --release --example eager
//! ```
//!
//! It trains the same network twice on the digits from the same start, once with `w -= lr * g` and once with the library's
//! optimizer, and prints both losses: they are the same.

use clap::Parser;
use mxr::init::Xavier;
use mxr::io::iter::{ArrayIter, DataIter, LastBatch};
use mxr::metric::{Accuracy, Metric};
use mxr::optimizer::{Sgd, Updater};
use mxr::train::evaluate;
use mxr::{Mode, NDArray};
use mxr_examples::digits::Digits;
use std::process::ExitCode;

mxr::network!(
    /// One hidden layer between pixels and digits.
    pub fn Small(data: Tensor<N, 1, 8, 8>, label: Tensor<N, i64>) {
        let fc1 = dense(flatten(data), 64);
        let fc2 = dense(relu(fc1), 10);
        softmax_cross_entropy(fc2, label)
    }
);

const BATCH: usize = 32;

/// Train with an update that is written by hand.
#[derive(Debug, Parser)]
struct Options {
    /// Passes over the training digits.
    #[arg(long, default_value_t = 10)]
    epochs: u32,
    /// How far a step goes.
    #[arg(long, default_value_t = 0.2)]
    learning_rate: f64,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(_) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

/// The losses per epoch of the hand-written update and of the optimizer.
fn run(options: &Options) -> Result<Vec<(f64, f64)>, mxr::Error> {
    let (train, test) = Digits::split()?;
    let mut train =
        ArrayIter::new(train.pictures, train.labels, BATCH)?.shuffle(0).last_batch(LastBatch::Discard)?;
    let mut test = ArrayIter::new(test.pictures, test.labels, BATCH)?;

    let (mut by_hand, mut by_optimizer) = (Small::bind(BATCH)?, Small::bind(BATCH)?);
    by_hand.init(&Xavier::default(), 0)?;
    by_optimizer.init(&Xavier::default(), 0)?;
    let mut updater = Updater::new(&by_optimizer, Sgd::new(options.learning_rate))?;

    println!("epoch   loss by hand   loss by optimizer");
    let mut losses = Vec::new();
    for epoch in 1..=options.epochs {
        train.reset();
        let (sum, sum_optimizer) = (NDArray::zeros(&[])?, NDArray::zeros(&[])?);
        let (mut sum, mut sum_optimizer, mut batches) = (sum, sum_optimizer, 0.0);
        while let Some(batch) = train.next() {
            let batch = batch?;

            step(&mut by_hand, &batch.data[0], &batch.label[0])?;
            for (name, w) in by_hand.params() {
                let (mut w, g) = (w.clone(), by_hand.grad(name)?);
                w -= options.learning_rate * g;
            }

            step(&mut by_optimizer, &batch.data[0], &batch.label[0])?;
            updater.update();

            // Nothing waits here either: the sums are arrays.
            sum += &by_hand.outputs()[0];
            sum_optimizer += &by_optimizer.outputs()[0];
            batches += 1.0;
        }
        let mean = |sum: &NDArray| Ok::<f64, mxr::Error>(f64::from(sum.item::<f32>()?) / batches);
        let (hand, optimizer) = (mean(&sum)?, mean(&sum_optimizer)?);
        println!("{epoch:5}   {hand:12.6}   {optimizer:17.6}");
        losses.push((hand, optimizer));
    }

    let mut accuracy = Accuracy::default();
    evaluate(&mut by_hand, &mut test, &mut [&mut accuracy])?;
    println!("test accuracy: {:.4}", accuracy.value());
    Ok(losses)
}

/// Forward and backward: both are in the engine's queue when this returns.
fn step(net: &mut Small, data: &mxr::io::HostArray, label: &mxr::io::HostArray) -> Result<(), mxr::Error> {
    net.set_input_host("data", data)?;
    net.set_input_host("label", label)?;
    net.forward(Mode::Train)?;
    net.backward()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_update_by_hand_is_the_optimizers() {
        let losses =
            run(&Options { epochs: 3, learning_rate: 0.2 }).expect("the digits are part of the project");
        assert!(losses[2].0 < 0.5 * losses[0].0, "the loss falls: {losses:?}");
        for (hand, optimizer) in losses {
            // One rounds after the product, the other fuses it into the difference.
            assert!((hand - optimizer).abs() < 1e-3 * hand, "{hand} and {optimizer}");
        }
    }
}
