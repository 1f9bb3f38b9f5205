//! Trains a U-Net for some steps to tell discs from squares, pixel by pixel, in pictures that are made up.
//!
//! ```sh
//! cargo run --release --example unet
//! cargo run --release --example unet -- --paper --steps 2
//! ```
//!
//! By default it is a small one, two levels deep with 16 channels at the top; `--paper` trains the paper's, on 572 by 572 pixels.

use clap::Parser;
use mxr::Executor;
use mxr::Network;
use mxr::init::Msra;
use mxr::optimizer::Adam;
use mxr_examples::generated::discs;
use mxr_examples::steps::{Steps, ended, print_parameters, train};
use mxr_examples::summary::grouped;
use mxr_examples::zoo::{self, unet::UNet};
use std::process::ExitCode;

mxr::network!(
    use mxr_examples::zoo::unet::level;

    /// Two levels: of `4 B + 12` pixels on each side, the middle `4 B − 28` get a class.
    pub fn Small(
        image: Tensor<N, 1, { 4 * B + 12 }, { 4 * B + 12 }>,
        label: Tensor<N, { 4 * B - 28 }, { 4 * B - 28 }, i64>,
    ) {
        let top = level(image, 16, 2);
        let scores = conv2d(top, 2, kernel = 1);
        softmax_cross_entropy(scores, label)
    }
);

/// Train a U-Net for some steps.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    steps: Steps,
    /// The network of the paper.
    #[arg(long)]
    paper: bool,
    /// Pixels on each side at the bottom of the small network: its pictures have 4 times as many and 12 more.
    #[arg(long, default_value_t = 26, value_parser = clap::value_parser!(u16).range(8..=256))]
    bottom: u16,
}

fn main() -> ExitCode {
    ended(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), mxr::Error> {
    if let Some(entry) = zoo::find("unet") {
        print_parameters(entry, UNet::PARAMETERS);
    }
    if options.paper {
        let batch = options.steps.batch.unwrap_or(1);
        return learn(&mut UNet::bind(batch)?, options, [batch, 572, 388], options.steps.steps.unwrap_or(2));
    }
    println!("the small one: {} parameters", grouped(Small::PARAMETERS));
    let (batch, bottom) = (options.steps.batch.unwrap_or(4), usize::from(options.bottom));
    let sizes = [batch, 4 * bottom + 12, 4 * bottom - 28];
    learn(&mut Small::bind(batch, bottom)?, options, sizes, options.steps.steps.unwrap_or(80))
}

fn learn(
    net: &mut impl Network,
    options: &Options,
    [batch, size, inner]: [usize; 3],
    steps: u32,
) -> Result<(), mxr::Error> {
    let net: &mut Executor = net.executor_mut();
    net.init(&Msra::default(), options.steps.seed)?;
    let mut rng = fastrand::Rng::with_seed(options.steps.seed);
    let run = train(net, Adam::new(1e-3), steps, |net| {
        let (image, label) = discs(batch, size, inner, &mut rng)?;
        net.set_input_host("image", &image)?;
        net.set_input_host("label", &label)
    })?;
    run.print();
    Ok(())
}
