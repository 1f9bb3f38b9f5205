//! Times a network of the convnet suite (soumith/convnet-benchmarks, with smaller and newer ones beside it): the median step, its
//! rate, and its share of the peak of multiply-adds that the same process measures.
//!
//! ```sh
//! cargo run --release --example convnet_bench -- --net alexnet --batch 16 --mode train
//! cargo run --release --example convnet_bench -- --net googlenet --batch 1 --mode infer --threads 1 --json
//! cargo run --release --example convnet_bench -- --net resnet50 --batch 8 --layers
//! ```
//!
//! `benches/peers` runs it beside other systems.

use mxr_examples::speed::{Options, Report};
use std::process::ExitCode;

fn main() -> ExitCode {
    let options = Options::from_words(std::env::args_os()).unwrap_or_else(|e| e.exit());
    match Report::measure(&options) {
        Ok(report) if options.json => println!("{}", report.json()),
        Ok(report) => println!("{report}"),
        Err(e) => {
            eprintln!("error: {e}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}
