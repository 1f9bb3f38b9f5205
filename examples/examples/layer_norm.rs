//! An operator of one's own, with its gradient, in a network that is trained: layer normalisation, which the library lacks, between the
//! dense layers of a network for 1,797 real handwritten digits.
//!
//! ```sh
//! cargo run --release --example layer_norm
//! cargo run --release --example layer_norm -- --steps 1000 --batch 64 --seed 3
//! ```

use clap::Parser;
use mxr::NDArray;
use mxr::init::Msra;
use mxr::io::iter::ArrayIter;
use mxr::metric::{Accuracy, Metric};
use mxr::op::{self, ArrayType, Backward, Forward, Misfit, Needs, OpError, Operator, parallel};
use mxr::optimizer::Adam;
use mxr::train::evaluate;
use mxr_examples::digits::{Digits, TRAIN_LINES};
use mxr_examples::steps::{Steps, ended, train};
use std::error::Error;
use std::process::ExitCode;

/// `y = (x − mean) / √(variance + ε)`, mean and variance of each row of the last axis.
///
/// With `s = 1 / √(variance + ε)` the gradient is `dx = s · (dy − mean(dy) − y · mean(y · dy))`: it needs the result, and `s`, which the
/// forward pass saves, one number a row.
struct LayerNorm {
    eps: f32,
}

impl LayerNorm {
    /// One row; gives `s`.
    fn row(&self, x: &[f32], y: &mut [f32]) -> f32 {
        let mean = mean(x.iter().copied());
        let scale = 1.0 / (mean_of_squares(x, mean) + self.eps).sqrt();
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * scale);
        scale
    }
}

fn mean(values: impl ExactSizeIterator<Item = f32>) -> f32 {
    let count = values.len() as f32;
    values.sum::<f32>() / count
}

fn mean_of_squares(x: &[f32], around: f32) -> f32 {
    mean(x.iter().map(|x| (x - around).powi(2)))
}

impl Operator for LayerNorm {
    fn name(&self) -> &str {
        "layer_norm"
    }

    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        match inputs {
            [x] if x.shape.last().is_some_and(|width| *width > 0) => Ok(vec![x.clone()]),
            [_] => Err(Misfit::new("needs an axis to normalise along").help("give it `[n, features]`")),
            _ => Err(format!("takes one input, {} given", inputs.len()).into()),
        }
    }

    fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
        let width = cx.inputs.shape(0)[cx.inputs.shape(0).len() - 1];
        let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
        let row = |i: usize| &x[i * width..][..width];
        // Nothing is saved in a prediction.
        match cx.saved.is_empty() {
            true => parallel::for_each_mut(y, width, |i, y| {
                self.row(row(i), y);
            }),
            false => {
                let scales = cx.saved.take::<f32>(0)?;
                parallel::for_each_mut2(y, width, scales, 1, |i, y, scale| scale[0] = self.row(row(i), y));
            }
        }
        Ok(())
    }

    fn gradient(&self) -> Option<Needs> {
        Some(Needs::OUTPUTS)
    }

    fn saved(&self, inputs: &[ArrayType]) -> Vec<ArrayType> {
        let rows = &inputs[0].shape[..inputs[0].shape.len() - 1];
        vec![inputs[0].with_shape(rows)]
    }

    fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
        let width = cx.outputs.shape(0)[cx.outputs.shape(0).len() - 1];
        let (y, dy) = (cx.outputs.get::<f32>(0)?, cx.output_grads.get::<f32>(0)?);
        let (scales, dx) = (cx.saved.get::<f32>(0)?, cx.input_grads.take::<f32>(0)?);
        parallel::for_each_mut(dx, width, |i, dx| {
            let (y, dy) = (&y[i * width..][..width], &dy[i * width..][..width]);
            let shift = mean(dy.iter().copied());
            let along = mean(y.iter().zip(dy).map(|(y, dy)| y * dy));
            for ((dx, y), dy) in dx.iter_mut().zip(y).zip(dy) {
                *dx = scales[i] * (dy - shift - y * along);
            }
        });
        Ok(())
    }
}

mxr::network!(
    #[defaults(eps = 0.00001)]
    extern "Rust" fn layer_norm(x: Tensor, eps: f32) -> Tensor {
        LayerNorm { eps }
    }

    fn hidden(x: Tensor, units: usize) {
        relu(layer_norm(dense(x, units)))
    }

    /// Dense layers for pictures of 8 by 8 pixels, each normalised.
    pub fn Normalised(data: Tensor<N, 1, 8, 8>, label: Tensor<N, i64>) {
        let first = hidden(flatten(data), 64);
        let second = hidden(first, 64);
        let scores = dense(hidden(second, 64), 10);
        softmax_cross_entropy(scores, label)
    }
);

/// Train with an operator of one's own.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    steps: Steps,
}

fn main() -> ExitCode {
    ended(run(&Options::parse()).map(|accuracy| println!("test accuracy: {accuracy:.4}")))
}

fn run(options: &Options) -> Result<f64, Box<dyn Error>> {
    // An operator's gradient is held against finite differences once, as any other.
    let some: Vec<f32> = (0..12).map(|i| (i as f32).sin()).collect();
    op::check_gradients(LayerNorm { eps: 1e-5 }, &[&NDArray::from_slice(&some, &[3, 4])?])?;

    let (digits, test) = Digits::split()?;
    let batch = options.steps.batch.unwrap_or(32).clamp(1, TRAIN_LINES);
    let mut net = Normalised::bind(batch)?;
    net.init(&Msra::default(), options.steps.seed)?;
    let mut rng = fastrand::Rng::with_seed(options.steps.seed);
    let run = train(&mut net, Adam::new(2e-3), options.steps.steps.unwrap_or(300), |net| {
        let start = rng.usize(0..=TRAIN_LINES - batch);
        let some = digits.part(start..start + batch)?;
        net.set_input_host("data", &some.pictures)?;
        net.set_input_host("label", &some.labels)
    })?;
    run.print();
    let (mut accuracy, mut test) = (Accuracy::default(), ArrayIter::new(test.pictures, test.labels, batch)?);
    evaluate(&mut net, &mut test, &mut [&mut accuracy])?;
    Ok(accuracy.value())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_steps_teach_most_digits() {
        let options = Options::try_parse_from(["layer_norm", "--steps", "150"]).expect("these are options");
        let accuracy = run(&options).expect("the digits are part of the project");
        assert!(accuracy > 0.8, "{accuracy}");
    }
}
