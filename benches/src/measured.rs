//! One bench whose result is printed beside the yardstick that bounds it.

use crate::yardstick;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Throughput};
use std::time::{Duration, Instant};

/// What a call does, and so what bounds it.
#[derive(Clone, Copy, Debug)]
pub enum Work {
    /// Floating-point operations, 2 per multiply-add: held against [`yardstick::fma_peak`].
    Flops(f64),
    /// Bytes that must be read and written: held against [`yardstick::copy_bandwidth`].
    Bytes(f64),
}

/// Run a bench; after criterion's own lines comes one with the best sample's rate and its share of the yardstick.
pub fn bench(group: &mut BenchmarkGroup<'_, WallTime>, id: BenchmarkId, work: Work, mut call: impl FnMut()) {
    group.throughput(match work {
        Work::Flops(n) => Throughput::Elements(n as u64),
        Work::Bytes(n) => Throughput::Bytes(n as u64),
    });
    let mut best = Duration::MAX;
    group.bench_function(id, |b| {
        b.iter_custom(|iterations| {
            let start = Instant::now();
            for _ in 0..iterations {
                call();
            }
            let time = start.elapsed();
            best = best.min(time.div_f64(iterations as f64));
            time
        });
    });
    if best == Duration::MAX {
        // Left out by the filter on the command line.
        return;
    }
    let (amount, unit, yardstick, name) = match work {
        Work::Flops(n) => (n, "GFLOP/s", yardstick::fma_peak(), "the FMA peak"),
        Work::Bytes(n) => (n, "GB/s", yardstick::copy_bandwidth(), "copying"),
    };
    let rate = amount / best.as_secs_f64();
    println!(
        "    best {:.3} ms: {:.1} {unit}, {:.0} % of {name} ({:.1})",
        best.as_secs_f64() * 1e3,
        rate / 1e9,
        100.0 * rate / yardstick,
        yardstick / 1e9
    );
}
