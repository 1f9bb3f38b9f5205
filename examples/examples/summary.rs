//! Prints what a network of the zoo consists of: layers, shapes, parameters, FLOPs, and the memory that training and
//! prediction take, beside the four bars of MXNet's paper and the lower bound. Nothing is run: all of it is known after
//! compiling.
//!
//! ```sh
//! cargo run --release --example summary -- vgg_a --batch 64
//! cargo run --release --example summary -- vgg_a --batch 64 --json
//! cargo run --release --example summary -- googlenet --dot | dot -Tpdf > googlenet.pdf
//! cargo run --release --example summary -- googlenet --svg graph.svg --timeline memory.svg --mode train
//! ```

use clap::{Parser, ValueEnum};
use mxr::graph::error::did_you_mean;
use mxr_examples::drawing;
use mxr_examples::plan::Planned;
use mxr_examples::summary::Summary;
use mxr_examples::timeline::timeline;
use mxr_examples::zoo::{self, ZOO};
use std::path::{Path, PathBuf};
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
    /// Print the steps as a graph for Graphviz instead of a table.
    #[arg(long, conflicts_with = "json")]
    dot: bool,
    /// Draw the steps into this file; boxes of one colour share memory.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draw memory over time into this file.
    #[arg(long, value_name = "FILE")]
    timeline: Option<PathBuf>,
    /// Which program the drawings show.
    #[arg(long, value_enum, default_value_t = Shown::Train)]
    mode: Shown,
}

#[derive(Clone, Copy, Debug, PartialEq, ValueEnum)]
enum Shown {
    /// The forward and the backward pass.
    Train,
    /// Prediction.
    Predict,
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
    if let (Some(svg), Some(timeline)) = (&options.svg, &options.timeline)
        && svg == timeline
    {
        return Err(format!("{}: both drawings in one file\n  = help: name two files", svg.display()));
    }
    if options.dot || options.svg.is_some() || options.timeline.is_some() {
        let planned = match options.mode {
            Shown::Train => Planned::train(entry.programs, options.batch),
            Shown::Predict => Planned::predict(entry.programs, options.batch).map(Some),
        };
        let planned = planned.map_err(|e| e.to_string())?;
        let planned =
            planned.ok_or_else(|| format!("`{}` only predicts: give --mode predict", entry.name))?;
        let what = match options.mode {
            Shown::Train => "training",
            Shown::Predict => "prediction",
        };
        let title = format!("{}, {what}, batch {}", entry.name, options.batch);
        if let Some(file) = &options.svg {
            write(file, drawing::svg(&title, &planned))?;
        }
        if let Some(file) = &options.timeline {
            write(file, timeline(&title, &planned))?;
        }
        if options.dot {
            return Ok(drawing::dot(entry.name, &planned));
        }
    }
    Ok(if options.json { summary.json().to_string() } else { summary.to_string() })
}

fn write(file: &Path, text: Result<String, Box<dyn std::error::Error>>) -> Result<(), String> {
    let written = text.and_then(|t| Ok(std::fs::write(file, t)?));
    let help = "name a file in a folder that exists and may be written to";
    written.map_err(|e| format!("{}: {e}\n  = help: {help}", file.display()))
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
            let bars = ["both_bytes", "coshare_bytes", "inplace_bytes", "naive_bytes"];
            assert_eq!(keys(&memory["mxnet2015"]), bars);
            let mut names = [
                &bars[..],
                &["kept_bytes", "lower_bound_bytes", "mxnet2015", "planned_bytes", "workspace_bytes"],
            ]
            .concat();
            names.sort_unstable();
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
    fn drawings_are_written_where_asked() {
        let dir = std::env::temp_dir().join(format!("mxr-summary-{}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory for temporary files");
        let [graph, memory] = ["graph.svg", "memory.svg"].map(|f| dir.join(f).display().to_string());
        let text =
            run(&options(&["lenet", "--dot", "--svg", &graph, "--timeline", &memory, "--mode", "predict"]));
        assert!(text.expect("a network of the zoo").starts_with("digraph \"lenet\""));
        for file in [&graph, &memory] {
            let svg = std::fs::read_to_string(file).expect("it was written");
            assert!(svg.contains("lenet, prediction, batch 64"), "{svg}");
        }
        std::fs::remove_dir_all(&dir).expect("it was made here");
        let wrong = |words: &[&str]| run(&options(words)).expect_err("cannot be written");
        assert!(wrong(&["lenet", "--svg", "/nowhere/at/all.svg"]).contains("a folder that exists"));
        assert!(wrong(&["lenet", "--svg", &graph, "--timeline", &graph]).contains("name two files"));
    }

    #[test]
    fn unknown_networks_get_a_suggestion_and_the_list() {
        let e = run(&options(&["vgg_b"])).expect_err("not in the zoo");
        assert!(e.contains("did you mean `vgg_a`?") && e.contains("resnet50"), "{e}");
        assert!(run(&options(&["lenet", "--batch", "0"])).is_err());
    }
}
