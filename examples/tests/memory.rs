//! The rules of MXNet 2015 give the bytes that MXNet 2015 reported.

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
