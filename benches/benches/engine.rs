//! What the engine costs: empty operations, pushed until all have run, in the patterns in which MXNet's engine was
//! measured. Criterion's throughput is operations a second.

use std::hint::black_box;

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use mxr::engine::{Engine, Prepared, Properties, Var};

/// Operations of one measured round.
const OPS: usize = 10_000;

/// The variables that operation `i` reads and writes.
type Lists = fn(usize) -> (Vec<usize>, Vec<usize>);

const PATTERNS: &[(&str, Lists)] = &[
    ("chain", |_| (vec![], vec![0])),
    ("8 chains", |i| (vec![], vec![i % 8])),
    ("64 chains", |i| (vec![], vec![i % 64])),
    ("read a, write b", |_| (vec![0], vec![1])),
    ("1 write, 7 reads", |i| if i % 8 == 0 { (vec![], vec![0]) } else { (vec![0], vec![]) }),
    ("4 reads, 1 write of 8", |i| ((1..5).map(|k| (i + k) % 8).collect(), vec![i % 8])),
];

/// How many different operations a pattern has at most.
const PERIOD: usize = 64;

fn engine(c: &mut Criterion) {
    let two_workers = Engine::builder().threads(2).workers(2).build().expect("two threads can be had");
    let engines =
        [("serial", Engine::serial()), ("1 worker", Engine::threaded(2)), ("2 workers", two_workers)];
    for (name, engine) in &engines {
        let mut group = c.benchmark_group(format!("engine/{name}"));
        patterns(&mut group, engine);
        group.throughput(Throughput::Elements(1));
        let var = engine.new_var();
        group.bench_function("push and wait", |b| {
            b.iter(|| {
                engine.push(&[], &[&var], "op", |_| Ok(()));
                engine.wait_for(&var)
            });
        });
        group.bench_function("run here", |b| {
            b.iter(|| engine.run_here(&[&var], &[], "op", |_| Ok(black_box(1))));
        });
        group.finish();
    }
}

fn patterns(group: &mut BenchmarkGroup<'_, WallTime>, engine: &Engine) {
    let vars: Vec<Var> = (0..64).map(|_| engine.new_var()).collect();
    let pick = |indices: Vec<usize>| -> Vec<&Var> { indices.into_iter().map(|i| &vars[i]).collect() };
    group.throughput(Throughput::Elements(OPS as u64));
    for (pattern, lists) in PATTERNS {
        let lists: Vec<_> =
            (0..PERIOD).map(lists).map(|(reads, writes)| (pick(reads), pick(writes))).collect();
        group.bench_function(format!("{pattern}, pushed"), |b| {
            b.iter(|| {
                for i in 0..OPS {
                    let (reads, writes) = &lists[i % PERIOD];
                    engine.push(reads, writes, "op", |_| Ok(()));
                }
                engine.wait_all()
            });
        });
        let prepare = |(reads, writes): &(Vec<&Var>, Vec<&Var>)| -> Prepared {
            engine.prepare(reads, writes, Properties::new("op").run_ahead(64), |_| Ok(()))
        };
        let prepared: Vec<_> = lists.iter().map(prepare).collect();
        group.bench_function(format!("{pattern}, prepared"), |b| {
            b.iter(|| {
                prepared.iter().cycle().take(OPS).for_each(|op| engine.push_prepared(op));
                engine.wait_all()
            });
        });
    }
}

criterion_group!(benches, engine);
criterion_main!(benches);
