//! Trains WRN-28-10 for some steps on pictures of waves that are made up: of ten directions and colours.
//!
//! ```sh
//! cargo run --release --example wide_resnet
//! cargo run --release --example wide_resnet -- --size 16 --steps 50
//! ```

use clap::Parser;
use mxr::init::Msra;
use mxr::optimizer::Sgd;
use mxr_examples::generated::waves;
use mxr_examples::steps::{Steps, ended, print_parameters, train};
use mxr_examples::zoo;
use std::process::ExitCode;

mxr::network!(
    use mxr_examples::zoo::wide_resnet::wide_resnet;

    /// WRN-28-10 for square pictures of any size.
    pub fn AnySize(image: Tensor<N, 3, S, S>, label: Tensor<N, i64>) {
        let scores = wide_resnet(image, 28, 10, 10);
        softmax_cross_entropy(scores, label)
    }
);

/// Train WRN-28-10 for some steps.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    steps: Steps,
    /// Pixels on each side.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(8..=512))]
    size: u16,
}

fn main() -> ExitCode {
    ended(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), mxr::Error> {
    let (batch, size) = (options.steps.batch.unwrap_or(8), usize::from(options.size));
    let mut net = AnySize::bind(batch, size)?;
    net.init(&Msra::default(), options.steps.seed)?;
    if let Some(entry) = zoo::find("wide_resnet") {
        print_parameters(entry, AnySize::PARAMETERS);
    }
    let mut rng = fastrand::Rng::with_seed(options.steps.seed);
    let run = train(
        &mut net,
        Sgd::new(0.003).momentum(0.9).weight_decay(5e-4),
        options.steps.steps.unwrap_or(24),
        |net| {
            let (image, label) = waves(batch, size, 10, &mut rng)?;
            net.set_input_host("image", &image)?;
            net.set_input_host("label", &label)
        },
    )?;
    run.print();
    Ok(())
}
