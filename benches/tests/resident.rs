//! A training run takes what was planned.
#![cfg(target_os = "linux")]

use mxr_benches::resident::in_process;
use std::path::Path;

#[test]
fn a_training_run_takes_what_was_planned() {
    let program = Path::new(env!("CARGO_BIN_EXE_memory_figure"));
    let r = in_process(program, "googlenet", 8).expect("it runs");
    println!("{r:?}: {:.3}", r.ratio());
    assert!((0.95..1.05).contains(&r.ratio()), "{r:?}: {:.3} of the plan is resident", r.ratio());
}
