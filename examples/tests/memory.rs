//! The rules of MXNet 2015 give the bytes that MXNet 2015 reported; a bound network takes no more than its constants say.

use mxr::{BindOptions, Executor, Mode};
use mxr_examples::paper::MEMORY;
use mxr_examples::summary::Summary;
use mxr_examples::zoo;

#[test]
fn the_four_bars_are_mxnets_own() {
    let mut wrong = Vec::new();
    for row in &MEMORY {
        let entry = zoo::find(row.net).expect("a network of the zoo");
        let s = Summary::new(entry.name, entry.programs, 64).expect("any batch fits");
        let memory = if row.train { s.train } else { Some(s.predict) };
        let bars = memory.and_then(|m| m.mxnet2015).expect("operators of the time").all();
        // It reports whole MiB, rounded down; places here begin at multiples of 64 bytes.
        let mib = bars.map(|b| b >> 20);
        println!("{:12} train: {:5} {mib:?} beside {:?}", row.net, row.train, row.measured);
        if mib.iter().zip(row.measured).any(|(have, want)| have.abs_diff(want) > 1) {
            wrong.push(format!("{} train {}: {mib:?} beside {:?}", row.net, row.train, row.measured));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_batch_takes_more_than_the_constant_says() {
    for entry in zoo::ZOO {
        let programs =
            [(Mode::Predict, Some(entry.programs.predict())), (Mode::Train, entry.programs.train())];
        for (mode, program) in programs.into_iter().filter_map(|(m, p)| p.map(|p| (m, p))) {
            let promise = program.plan.as_ref().expect("every size of the zoo is linear in the batch");
            for n in [1, 2, 64] {
                let symbols = [("N", n)];
                let planned = Executor::planned(entry.programs, &symbols, &BindOptions::new(), mode);
                let report = planned.expect("any batch fits").expect("there is a program");
                let (takes, most) = (report.arena, promise.bytes(n as u64));
                assert!(takes as u64 <= most, "{} {mode:?}, batch {n}: {takes} above {most}", entry.name);
            }
        }
    }
}
