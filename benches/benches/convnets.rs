//! The convnet suite (soumith/convnet-benchmarks): forward, and forward with the gradients of all weights, through the
//! executor, on all threads.
//!
//! ```sh
//! cargo bench -p mxr-benches --bench convnets
//! MXR_BENCH_BATCH=32 cargo bench -p mxr-benches --bench convnets -- googlenet
//! ```
//!
//! The batch is 4 by default, so that the suite ends in minutes. Criterion's throughput is floating-point operations; images
//! a second are the batch over the time.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use mxr::init::Xavier;
use mxr::{BindOptions, Executor, Mode};
use mxr_benches::measured::{Work, bench};
use mxr_benches::numbers;
use mxr_examples::summary::Summary;
use mxr_examples::zoo::{self, Entry};
use std::error::Error;
use std::time::Duration;

const NETS: [&str; 4] = ["alexnet", "overfeat", "vgg_a_bench", "googlenet_bench"];

fn batch() -> usize {
    std::env::var("MXR_BENCH_BATCH").ok().and_then(|b| b.parse().ok()).unwrap_or(4)
}

fn bound(entry: &Entry, batch: usize) -> Result<Executor, Box<dyn Error>> {
    let mut net = Executor::bind(entry.programs, &[("N", batch)], BindOptions::new())?;
    net.init(&Xavier::default(), 0)?;
    let data = net.input("data")?;
    data.copy_from_slice(&numbers(data.len()))?;
    Ok(net)
}

fn convnets(c: &mut Criterion) {
    let batch = batch();
    let mut group = c.benchmark_group("convnets");
    for name in NETS {
        let entry = zoo::find(name).expect("a network of the zoo");
        let mut net = bound(entry, batch).expect("a network of the zoo binds");
        let summary = Summary::new(name, entry.programs, batch).expect("a network of the zoo binds");
        let forward = summary.flops as f64;
        // The data's gradient, which the first convolution alone would compute, is not asked for.
        let first = summary.layers.iter().find(|l| l.parameters > 0).map_or(0.0, |l| l.flops as f64);
        bench(&mut group, BenchmarkId::new("forward", name), Work::Flops(forward), || {
            net.forward(Mode::Predict).expect("it is bound");
            net.device().wait_all().expect("nothing fails");
        });
        let both = Work::Flops(3.0 * forward - first);
        bench(&mut group, BenchmarkId::new("forward and backward", name), both, || {
            net.forward(Mode::Train).expect("it is bound");
            net.backward().expect("after forward");
            net.device().wait_all().expect("nothing fails");
        });
    }
}

criterion_group! {
    name = suite;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(5));
    targets = convnets
}
criterion_main!(suite);
