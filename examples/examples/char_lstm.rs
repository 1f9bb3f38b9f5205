//! Trains two LSTM layers to predict the next character of a text, and lets them write.
//!
//! ```sh
//! cargo run --release --example char_lstm                 # tinyshakespeare where it is found, else this project's README
//! cargo run --release --example char_lstm -- FILE --steps 2000
//! ```

use clap::Parser;
use mxr::init::Uniform;
use mxr::io::HostArray;
use mxr::optimizer::Adam;
use mxr::{BindOptions, Executor, Mode};
use mxr_examples::steps::{Steps, ended, print_parameters, train};
use mxr_examples::text::{README, Text};
use mxr_examples::zoo;
use mxr_examples::zoo::char_lstm::{CharLstm, CharStep, STEPS, VOCABULARY};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Train a language model of characters for some steps.
#[derive(Debug, Parser)]
struct Options {
    #[command(flatten)]
    steps: Steps,
    /// The text; by default `text/tinyshakespeare.txt` in the folder of test data, else the project's README.
    text: Option<PathBuf>,
    /// Characters to write in the end.
    #[arg(long, default_value_t = 300)]
    write: usize,
}

/// The states of both layers, in the order of the outputs behind the loss.
const STATES: [&str; 4] = ["h1", "c1", "h2", "c2"];

fn main() -> ExitCode {
    ended(run(&Options::parse()))
}

fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let text = read(options.text.as_deref())?;
    let batch = options.steps.batch.unwrap_or(32);
    let mut net = CharLstm::bind(batch)?;
    net.init(&Uniform(0.08), options.steps.seed)?;
    if let Some(entry) = zoo::find("char_lstm") {
        print_parameters(entry, CharLstm::PARAMETERS);
    }
    let mut at = 0;
    let run = train(&mut net, Adam::new(3e-3), options.steps.steps.unwrap_or(400), |net| {
        let (hot, next) = text.batch(at, STEPS, batch)?;
        net.set_input_host("text", &hot)?;
        net.set_input_host("next", &next)?;
        if at > 0 {
            carry(net, 1)?;
        }
        at += 1;
        Ok(())
    })?;
    run.print();
    let step = CharStep::bind_with(1, BindOptions::new().share_params(&net))?;
    println!("{}", write(step, &text, options)?);
    Ok(())
}

/// The states go on where the last step ended: they are outputs from number `first`.
fn carry(net: &Executor, first: usize) -> Result<(), mxr::Error> {
    STATES.iter().zip(&net.outputs()[first..]).try_for_each(|(name, state)| net.set_input(name, state))
}

/// Draws one character after the other from what is predicted.
fn write(mut net: CharStep, text: &Text, options: &Options) -> Result<String, mxr::Error> {
    let mut rng = fastrand::Rng::with_seed(options.steps.seed);
    let mut number = rng.usize(..text.letters());
    let mut out = String::new();
    for at in 0..options.write {
        let mut hot = vec![0.0f32; VOCABULARY];
        hot[number] = 1.0;
        net.set_input_host("text", &HostArray::from_vec(hot, &[1, 1, VOCABULARY])?)?;
        if at > 0 {
            carry(&net, 1)?;
        }
        net.forward(Mode::Predict)?;
        let scores = net.outputs()[0].to_vec::<f32>()?;
        let most = scores.iter().copied().fold(f32::MIN, f32::max);
        let weights: Vec<f32> = scores.iter().take(text.letters()).map(|s| (s - most).exp()).collect();
        let mut left = rng.f32() * weights.iter().sum::<f32>();
        number = weights
            .iter()
            .position(|w| {
                left -= w;
                left <= 0.0
            })
            .unwrap_or(0);
        out.push(text.letter(number));
    }
    Ok(out)
}

fn read(path: Option<&Path>) -> Result<Text, Box<dyn Error>> {
    let data =
        std::env::var_os("MXR_TEST_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    let found = data.join("text/tinyshakespeare.txt");
    let (name, text) = match path.map(Path::to_path_buf).or_else(|| found.exists().then_some(found)) {
        Some(path) => {
            let text = std::fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
            (path.display().to_string(), text)
        }
        None => ("this project's README".to_string(), README.to_string()),
    };
    let text = Text::new(&text);
    if text.len() < 2 * STEPS {
        return Err(format!("{name} has {} characters, too few to learn from", text.len()).into());
    }
    println!("{name}: {} characters, {} of them different", text.len(), text.letters());
    Ok(text)
}
