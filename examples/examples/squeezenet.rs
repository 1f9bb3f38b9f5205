//! Trains SqueezeNet 1.0 for some steps on pictures of waves that are made up: of ten directions and colours.
//!
//! ```sh
//! cargo run --release --example squeezenet
//! cargo run --release --example squeezenet -- --size 224 --batch 8 --steps 5
//! ```

use clap::Parser;
use mxr::init::Msra;
use mxr::optimizer::Adam;
use mxr_examples::generated::waves;
use mxr_examples::steps::{Steps, ended, print_parameters, train};
use mxr_examples::zoo;
use std::process::ExitCode;

mxr::network!(
    use mxr_examples::zoo::squeezenet::squeezenet;

    /// SqueezeNet for square pictures of any size.
    pub fn AnySize(image: Tensor<N, 3, S, S>, label: Tensor<N, i64>) {
        let scores = squeezenet(image, 1000);
        softmax_cross_entropy(scores, label)
    }
);

/// Train SqueezeNet for some steps.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    steps: Steps,
    /// Pixels on each side.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(32..=512))]
    size: u16,
}

fn main() -> ExitCode {
    ended(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), mxr::Error> {
    let (batch, size) = (options.steps.batch.unwrap_or(16), usize::from(options.size));
    let mut net = AnySize::bind(batch, size)?;
    net.init(&Msra::default(), options.steps.seed)?;
    if let Some(entry) = zoo::find("squeezenet") {
        print_parameters(entry, AnySize::PARAMETERS);
    }
    let mut rng = fastrand::Rng::with_seed(options.steps.seed);
    let run = train(&mut net, Adam::new(5e-4), options.steps.steps.unwrap_or(60), |net| {
        let (image, label) = waves(batch, size, 10, &mut rng)?;
        net.set_input_host("image", &image)?;
        net.set_input_host("label", &label)
    })?;
    run.print();
    Ok(())
}
