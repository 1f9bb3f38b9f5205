//! Training steps within parts of the planned memory, beside those with all of it: bytes, time, and whether every gradient
//! has the same bits. Steps take turns, the best of each counts.
//!
//! ```sh
//! cargo run --release -p mxr-benches --example recompute -- resnet50 8 100 50 33
//! ```
//!
//! Network, batch, and the parts in percent.

use mxr::graph::memory::{Strategy, plan};
use mxr::graph::recompute::{self, Effort};
use mxr::init::Xavier;
use mxr::{BindOptions, Executor, Mode};
use mxr_benches::numbers;
use mxr_examples::zoo::{self, Entry};
use std::error::Error;
use std::time::{Duration, Instant};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let usage = "NET BATCH PERCENT…";
    let entry = zoo::find(words.first().ok_or(usage)?).ok_or("the zoo has no such network")?;
    let batch: usize = words.get(1).ok_or(usage)?.parse()?;
    let parts: Vec<u64> = words[2..].iter().map(|w| w.parse()).collect::<Result<_, _>>()?;
    planned(entry, &parts)?;

    let whole = bound(entry, batch, BindOptions::new())?;
    let arena = whole.memory().arena;
    let mut nets = vec![(100, whole)];
    for part in parts.iter().filter(|p| **p < 100) {
        let budget = arena / 100 * *part as usize;
        match bound(entry, batch, BindOptions::new().memory_budget(budget)) {
            Ok(net) => nets.push((*part, net)),
            Err(e) => println!("{part} %: {e}"),
        }
    }
    let mut best = vec![Duration::MAX; nets.len()];
    let start = Instant::now();
    let mut rounds = 0;
    while rounds < 3 || start.elapsed() < Duration::from_secs(40) {
        for (time, (_, net)) in best.iter_mut().zip(&mut nets) {
            let one = Instant::now();
            net.forward(Mode::Train)?;
            net.backward()?;
            net.wait()?;
            *time = (*time).min(one.elapsed());
        }
        rounds += 1;
    }
    let bits = |net: &Executor| -> Result<Vec<Vec<u32>>, mxr::Error> {
        net.grads().map(|(_, g)| Ok(g.to_vec::<f32>()?.into_iter().map(f32::to_bits).collect())).collect()
    };
    let want = bits(&nets[0].1)?;
    for (time, (part, net)) in best.iter().zip(&nets) {
        println!(
            "batch {batch}, {part} %: {:.1} MiB, {:.3} s, {:.3} of the time, gradients {}",
            net.memory().arena as f64 / f64::from(1 << 20),
            time.as_secs_f64(),
            time.as_secs_f64() / best[0].as_secs_f64(),
            if bits(net)? == want { "the same" } else { "differ" },
        );
    }
    Ok(())
}

/// What a batch of 64 would take, which nothing has to run for.
fn planned(entry: &Entry, parts: &[u64]) -> Result<(), Box<dyn Error>> {
    let program = entry.programs.train().ok_or("the network is not trained")?;
    let symbols = program.bind_symbols(&[("N", 64)])?;
    let arena = |p: &mxr::graph::program::Program| plan(&p.problem(&symbols), Strategy::Best).bytes;
    let whole = arena(program);
    for part in parts {
        let start = Instant::now();
        match recompute::within_slices(program, &symbols, whole / 100 * part, Effort::default(), arena) {
            Ok(r) => println!(
                "batch 64, {part} %: {:.0} MiB, {:.1} % more FLOPs, {:.1} % more work, found in {:.0} ms",
                r.bytes as f64 / f64::from(1 << 20),
                r.again.flops as f64 / r.once.flops as f64 * 100.0,
                r.again.work() as f64 / r.once.work() as f64 * 100.0,
                start.elapsed().as_secs_f64() * 1e3,
            ),
            Err(e) => println!("batch 64, {part} %: {e}"),
        }
    }
    Ok(())
}

fn bound(entry: &Entry, batch: usize, options: BindOptions) -> Result<Executor, Box<dyn Error>> {
    let mut net = Executor::bind(entry.programs, &[("N", batch)], options)?;
    net.init(&Xavier::default(), 0)?;
    let data = net.input("data")?;
    data.copy_from_slice(&numbers(data.len()))?;
    Ok(net)
}
