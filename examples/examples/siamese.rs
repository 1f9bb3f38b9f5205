//! Trains a siamese network to tell whether two handwritten digits are the same one, and asks it about writers it has never seen.
//!
//! ```sh
//! cargo run --release --example siamese
//! cargo run --release --example siamese -- --paper --batch 4 --steps 10
//! ```
//!
//! By default it is a small tower with the contrastive loss; `--paper` trains Koch's network on the digits enlarged to its
//! 105 by 105 pixels.

use clap::Parser;
use mxr::init::Msra;
use mxr::io::HostArray;
use mxr::optimizer::Adam;
use mxr::tensor::{Tensor, shape};
use mxr::{Executor, Network};
use mxr_examples::digits::Digits;
use mxr_examples::pairs::Pairs;
use mxr_examples::steps::{Steps, ended, print_parameters, train};
use mxr_examples::summary::grouped;
use mxr_examples::zoo::{self, siamese::DigitPairs, siamese::Koch};
use std::process::ExitCode;

/// Train a siamese network for some steps.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    steps: Steps,
    /// The network of the paper.
    #[arg(long)]
    paper: bool,
}

fn main() -> ExitCode {
    ended(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), mxr::Error> {
    let (learn, test) = Digits::split()?;
    let mut rng = fastrand::Rng::with_seed(options.steps.seed);
    if let Some(entry) = zoo::find("siamese") {
        print_parameters(entry, Koch::PARAMETERS);
    }
    if options.paper {
        let batch = options.steps.batch.unwrap_or(4);
        let mut net = Koch::bind(batch)?;
        net.init(&Msra::default(), options.steps.seed)?;
        let steps = options.steps.steps.unwrap_or(10);
        let run = train(&mut net, Adam::new(1e-4), steps, |net| {
            let pairs = Pairs::draw(&learn, batch, 105, &mut rng)?;
            let same = pairs.same.clone().reshape(&[batch, 1])?;
            feed(net, &Pairs { same, ..pairs })
        })?;
        run.print();
        return Ok(());
    }
    println!("the small one: {} parameters", grouped(DigitPairs::PARAMETERS));
    let batch = options.steps.batch.unwrap_or(64);
    let mut net = DigitPairs::bind(batch)?;
    net.init(&Msra::default(), options.steps.seed)?;
    let run = train(&mut net, Adam::new(1e-3), options.steps.steps.unwrap_or(600), |net| {
        feed(net, &Pairs::draw(&learn, batch, 8, &mut rng)?)
    })?;
    run.print();
    let right = accuracy(&mut net, &test, batch, &mut rng)?;
    println!("pairs of unseen writers told right: {:.1} %", 100.0 * right);
    Ok(())
}

fn feed(net: &Executor, pairs: &Pairs) -> Result<(), mxr::Error> {
    net.set_input_host("left", &pairs.left)?;
    net.set_input_host("right", &pairs.right)?;
    net.set_input_host("same", &pairs.same)
}

/// How many of some thousand pairs are nearer than half the margin when they are the same digit, and farther when not.
fn accuracy(
    net: &mut DigitPairs,
    digits: &Digits,
    batch: usize,
    rng: &mut fastrand::Rng,
) -> Result<f64, mxr::Error> {
    let (mut right, mut count) = (0, 0);
    while count < 2000 {
        let pairs = Pairs::draw(digits, batch, 8, rng)?;
        let same: Tensor<f32, shape![N]> = Tensor::try_from(&pairs.same)?;
        // A picture of another size would not compile: `DigitPairs` says what it takes.
        let (_, distances) = net.predict((picture(&pairs.left)?, picture(&pairs.right)?, &same))?;
        let distances = distances.to_vec()?;
        right += distances.iter().zip(same.to_vec()?).filter(|(d, s)| (**d < 0.5) == (*s == 1.0)).count();
        count += batch;
    }
    Ok(right as f64 / count as f64)
}

/// Pictures of digits, as the tower takes them.
type Picture = Tensor<f32, shape![N, 1, 8, 8]>;

/// Looked at once, where it comes from a file.
fn picture(host: &HostArray) -> Result<Picture, mxr::Error> {
    Tensor::try_from(host)
}
