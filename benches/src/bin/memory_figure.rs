//! Redraws the memory figure of MXNet's paper with our bars beside the paper's, and writes the record of memory: plans of the
//! zoo, and what a real training run has resident (Linux).
//!
//! ```sh
//! cargo run --release -p mxr-benches --bin memory_figure -- benches/records/2026-11-27-memory
//! ```
//!
//! writes `….svg` and `….md`; with `--plans-only` the runs are left out.

use mxr_benches::figure;
use mxr_benches::resident::{self, Resident};
use mxr_examples::paper::MEMORY;
use mxr_examples::summary::{Bars, Memory, Summary};
use mxr_examples::zoo;
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const NETS: [&str; 7] = ["alexnet", "alexnet_lrn", "googlenet", "vgg_a", "vgg16", "inception_bn", "resnet50"];
/// Networks that are trained for a moment, and their batches.
const RUNS: [(&str, usize); 2] = [("alexnet_lrn", 16), ("googlenet", 16)];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["--resident", net, batch] => batch
            .parse()
            .map_err(|e| format!("{batch}: {e}").into())
            .and_then(|batch| resident::report(net, batch))
            .map(|line| println!("{line}")),
        ["--plans-only", out] => record(Path::new(out), false),
        [out] if !out.starts_with('-') => record(Path::new(out), true),
        _ => Err("usage: memory_figure [--plans-only] OUT: writes OUT.svg and OUT.md".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn record(out: &Path, run: bool) -> Result<(), Box<dyn Error>> {
    let summaries = NETS
        .iter()
        .map(|n| Summary::new(n, zoo::find(n).ok_or("not in the zoo")?.programs, 64).map_err(Into::into))
        .collect::<Result<Vec<Summary>, Box<dyn Error>>>()?;
    let mut runs: Vec<(&str, usize, Resident)> = Vec::new();
    if run {
        let program = std::env::current_exe()?;
        for (net, batch) in RUNS {
            runs.push((net, batch, resident::in_process(&program, net, batch)?));
        }
    }
    let [svg, md] = ["svg", "md"].map(|e| PathBuf::from(format!("{}.{e}", out.display())));
    let name = svg.file_name().ok_or("no file name")?.to_string_lossy().into_owned();
    write(&svg, &figure::draw(&summaries)?)?;
    let text = text(&name, &summaries, &runs)?;
    write(&md, &text)?;
    println!("{text}");
    Ok(())
}

fn write(file: &Path, text: &str) -> Result<(), Box<dyn Error>> {
    std::fs::write(file, text).map_err(|e| format!("{}: {e}", file.display()).into())
}

fn text(
    figure: &str,
    summaries: &[Summary],
    runs: &[(&str, usize, Resident)],
) -> Result<String, Box<dyn Error>> {
    let date: String = figure.chars().take_while(|c| c.is_ascii_digit() || *c == '-').collect();
    let date = date.trim_end_matches('-');
    let mut t = format!(
        "# {date}{}memory\n\nMiB of the arrays between the layers at batch 64: without parameters, their gradients, inputs, results and \
         workspaces of kernels. Written by\n`cargo run --release -p mxr-benches --bin memory_figure -- \
         benches/records/{}`.\n\n![The memory figure]({figure})\n",
        if date.is_empty() { "" } else { ": " },
        figure.trim_end_matches(".svg")
    );
    t.push_str(
        "\n## The paper's bars (naive / in-place / co-share / both)\n\nThe paper's numbers are read from its figure 7 (a GPU, whose \
         operators kept more for the backward pass). MXNet 2015 is what the system itself reported on\na CPU; \"its rules\" are \
         `mxr_graph::memory::mxnet2015` on the same networks, which the tests hold to within 1 MiB of it.\n\n\
         | network, pass | paper | MXNet 2015 | its rules | mxr planned | MXNet's best / mxr |\n|---|---|---|---|---|---|\n",
    );
    for row in &MEMORY {
        let Some(m) = figure::of(row, summaries) else { continue };
        let pass = if row.train { "training" } else { "prediction" };
        let bars = |b: Option<[u64; 4]>| {
            let all = b.map(|b| b.map(|n| n.to_string()).join(" / "));
            all.unwrap_or_else(|| "–".to_string())
        };
        let then = bars(m.mxnet2015.map(|b| b.all().map(|n| n >> 20)));
        let [paper, measured] = [row.paper, Some(row.measured)].map(bars);
        let best = row.measured.iter().min().map_or(0.0, |n| *n as f64);
        writeln!(
            t,
            "| {}, {pass} | {paper} | {measured} | {then} | {} | {:.1} |",
            row.net,
            mib(m.planned),
            best / (m.planned as f64 / f64::from(1 << 20))
        )?;
    }
    t.push_str(
        "\n## mxr's plans\n\nNaive, in-place, co-share and both are MXNet's planner on mxr's arrays; 2015 is on its own arrays. \
         Kernels' workspaces lie between the\narrays; workspaces are what the arena takes besides for them. Kept is what predictions make of weights alone \
         (normalisations in\nweights) and keep outside of the arena between runs.\n\n| network, pass | naive | in-place | co-share | both | planned | lower bound | planned / bound | naive / \
         planned | 2015 naive / planned | 2015, both | workspaces | kept |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for s in summaries {
        for (pass, m) in [("prediction", Some(&s.predict)), ("training", s.train.as_ref())] {
            let Some(m) = m else { continue };
            writeln!(t, "| {}, {pass} | {} |", s.net, plan(m).join(" | "))?;
        }
    }
    if !runs.is_empty() {
        t.push_str(
            "\n## Resident memory of a training run\n\nTwo steps of SGD with momentum in a process of its own; the peak of resident \
             memory less what was there before the network, weights, gradients, momentum, inputs, workspaces\nand buffers of \
             packed operands (these belong to the process, not to the network). MiB.\n\n| network, batch | peak | weights, gradients, momentum | \
             inputs and results | workspaces | packing | left for the arena | planned | left / planned |\n|---|---|---|---|---|---|---|---|---|\n",
        );
        for (net, batch, r) in runs {
            let cells =
                [r.peak, r.trained, r.io, r.workspace, r.packing, r.arena(), r.planned].map(mib).join(" | ");
            writeln!(t, "| {net}, {batch} | {cells} | {:.3} |", r.ratio())?;
        }
    }
    Ok(t)
}

fn plan(m: &Memory) -> Vec<String> {
    let ratio = |a: u64, b: u64| format!("{:.2}", a as f64 / b.max(1) as f64);
    let then = |pick: fn(&Bars) -> u64| m.mxnet2015.as_ref().map(pick);
    let dash = || "–".to_string();
    let mut cells: Vec<String> = m.bars.all().map(mib).to_vec();
    cells.extend([mib(m.planned), mib(m.lower_bound), ratio(m.planned, m.lower_bound)]);
    cells.push(ratio(m.bars.naive, m.planned));
    cells.push(then(|b| b.naive).map_or_else(dash, |n| ratio(n, m.planned)));
    cells.push(then(|b| b.both).map_or_else(dash, mib));
    cells.extend([m.workspace, m.kept].map(mib));
    cells
}

fn mib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}
