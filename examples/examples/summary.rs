//! Prints what a network of the zoo consists of: layers, shapes, parameters, FLOPs, and the memory that training and
//! prediction take, as planned and as it would be without a plan. Nothing is run: all of it is known after compiling.
//!
//! ```sh
//! cargo run --release --example summary -- vgg_a --batch 64
//! cargo run --release --example summary -- vgg_a --batch 64 --json
//! ```

use clap::Parser;
use mxr::graph::error::did_you_mean;
use mxr_examples::summary::Summary;
use mxr_examples::zoo::{self, ZOO};
use std::process::ExitCode;

/// Print the layers, parameters, FLOPs and memory of a network of the zoo.
#[derive(Debug, Parser)]
struct Options {
    /// The network: lenet, alexnet, vgg_a, …
    net: String,
    /// Samples in a batch.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Print one JSON object instead of a table.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<String, String> {
    let entry = zoo::find(&options.net).ok_or_else(|| unknown(&options.net))?;
    let summary = Summary::new(entry.name, entry.programs, options.batch).map_err(|e| e.to_string())?;
    Ok(if options.json { summary.json().to_string() } else { summary.to_string() })
}

fn unknown(net: &str) -> String {
    let names = || ZOO.iter().map(|e| e.name);
    let near = did_you_mean(net, names()).map_or(String::new(), |n| format!("; did you mean `{n}`?"));
    format!(
        "the zoo has no network `{net}`{near}\n  = help: it has {}",
        names().collect::<Vec<_>>().join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn options(words: &[&str]) -> Options {
        Options::try_parse_from([&["summary"], words].concat()).expect("these are options")
    }

    #[test]
    fn json_has_exactly_the_promised_keys() {
        let text = run(&options(&["lenet", "--batch", "8", "--json"])).expect("a network of the zoo");
        let all: Value = serde_json::from_str(&text).expect("JSON");
        let keys = |v: &Value| -> Vec<String> {
            let mut keys: Vec<String> = v.as_object().expect("an object").keys().cloned().collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(&all), ["batch", "flops", "layers", "net", "parameters", "predict", "train"]);
        assert_eq!((&all["net"], &all["batch"]), (&Value::from("lenet"), &Value::from(8)));
        for layer in all["layers"].as_array().expect("a list") {
            assert_eq!(keys(layer), ["flops", "name", "op", "parameters", "shape"]);
        }
        for mode in ["predict", "train"] {
            let memory = &all[mode];
            let names =
                ["coshare_bytes", "inplace_bytes", "lower_bound_bytes", "naive_bytes", "planned_bytes"];
            assert_eq!(keys(memory), names);
            let bytes = |key: &str| memory[key].as_u64().expect("bytes");
            assert!(bytes("lower_bound_bytes") <= bytes("planned_bytes"));
            assert!(bytes("planned_bytes") < bytes("naive_bytes"));
        }
    }

    #[test]
    fn the_table_names_layers_and_totals() {
        let text = run(&options(&["lenet"])).expect("a network of the zoo");
        for word in ["conv1", "[64, 20, 24, 24]", "25,050", "431,080", "planned", "training"] {
            assert!(text.contains(word), "{word} in\n{text}");
        }
    }

    #[test]
    fn unknown_networks_get_a_suggestion_and_the_list() {
        let e = run(&options(&["vgg_b"])).expect_err("not in the zoo");
        assert!(e.contains("did you mean `vgg_a`?") && e.contains("resnet50"), "{e}");
        assert!(run(&options(&["lenet", "--batch", "0"])).is_err());
    }
}
