//! Recomputation on the networks of the tests.

use super::*;
use crate::compile;
use crate::dtype::DType;
use crate::instr::Instr;
use crate::program::Role;
use crate::testnets::{self, Net};
use alloc::collections::BTreeSet;
use alloc::string::ToString;

const MIB: u64 = 1 << 20;

fn bound(program: &Program, batch: i64) -> Vec<i64> {
    program.bind_symbols(&[("N", batch)]).expect("they have one symbol")
}

fn fit(program: &Program, batch: i64, budget: u64) -> Result<Recomputed, OverBudget> {
    let symbols = bound(program, batch);
    within(program, &symbols, budget, Effort::SMALL, |p| arena(p, &symbols))
}

fn percent(r: &Recomputed) -> f64 {
    r.again.work() as f64 / r.once.work() as f64 * 100.0
}

/// Convolutions of one size, one after the other.
fn chain(depth: usize) -> Program {
    let mut n = Net::new("chain");
    let mut x = n.batch("data", &[16, 16, 16], DType::F32);
    for _ in 0..depth {
        let y = n.conv(x, 16, 3, 1, 1, false);
        x = n.call("tanh", &[], &[y]);
    }
    let p = n.call("global_avg_pool", &[], &[x]);
    let logits = n.dense(p, 10);
    compile::train(n.classify(logits)).expect("it has gradients")
}

#[test]
fn half_of_a_residual_network_costs_some_percent() {
    let p = compile::train(testnets::resnet50()).expect("it has gradients");
    let whole = arena(&p, &bound(&p, 64));
    let half = fit(&p, 64, whole / 2).expect("half is enough");
    assert!(half.bytes <= whole / 2 && percent(&half) < 15.0, "{} bytes, {} %", half.bytes, percent(&half));
    let cheap = fit(&p, 64, 4300 * MIB).expect("a little less");
    assert!(cheap.again.flops == 0 && percent(&cheap) < 3.0, "no convolution runs twice: {:?}", cheap.again);
}

#[test]
fn memory_of_chains_grows_like_the_root_of_their_length() {
    // Bytes of one layer's result.
    let layer = 16 * 16 * 16 * 4;
    for depth in [64, 256, 1024] {
        let p = chain(depth);
        let told = fit(&p, 1, 1).expect_err("one byte is too little");
        assert!(told.planned > depth as u64 * layer, "{told:?}");
        let root = (depth as f64).sqrt();
        assert!(told.least as f64 <= (2.0 * root + 6.0) * layer as f64, "{depth}: {told:?}");
        let small = fit(&p, 1, told.least).expect("what it said");
        assert!(small.bytes <= told.least && percent(&small) <= 35.0, "{depth}: {} %", percent(&small));
    }
}

/// What makes sense of a program that makes values again: each at most once, by instructions that may run twice.
fn sound(program: &Program, from: &Program) {
    let new = &program.values[from.values.len()..];
    let names: BTreeSet<&str> = program.values.iter().map(|v| &*v.name).collect();
    assert_eq!(names.len(), program.values.len(), "names are unique");
    let mut copied = BTreeSet::new();
    assert!(new.iter().all(|v| copied.insert(v.name.clone())));
    let forward = program.forward as usize;
    let fed = |role: Role| !matches!(role, Role::Internal | Role::Kept);
    let mut made: Vec<bool> = program.values.iter().map(|v| fed(v.role)).collect();
    for (at, s) in program.steps.iter().enumerate() {
        assert!(s.reads.iter().all(|r| made[*r as usize]), "step {at} reads what is not made yet");
        assert!(s.writes.iter().all(|w| !core::mem::replace(&mut made[*w as usize], true)));
        let draws = matches!(s.instr, Instr::Dropout { .. });
        assert!(at < forward || (s.instr.mutates().is_empty() && !draws), "{:?} twice", s.instr);
    }
    for v in program.outputs.iter().chain(program.predictions.iter()) {
        assert!(made[*v as usize], "{} is returned", program.values[*v as usize].name);
    }
}

#[test]
fn every_value_is_made_again_once() {
    for (name, net) in testnets::ALL {
        let p = compile::train(net()).expect("it has gradients");
        let whole = arena(&p, &bound(&p, 16));
        let mut last = 0;
        for tenths in [10, 9, 8, 7, 6, 5] {
            let Ok(r) = fit(&p, 16, whole * tenths / 10) else { continue };
            sound(&r.program, &p);
            assert!(r.bytes <= whole * tenths / 10);
            assert!((tenths == 10) == (r.program == p), "{name}");
            last = last.max(r.program.values.len() - p.values.len());
        }
        assert!(last > 0 || name == "lenet", "{name} can do with less");
    }
}

#[test]
fn segments_keep_what_crosses_them() {
    let p = compile::train(testnets::resnet20()).expect("it has gradients");
    assert_eq!(segments(&p, |_| None), p);
    // One segment of all layers from the third residual block to the sixth.
    let named = |name: &str| p.layers.iter().position(|l| l.name == name).expect("a layer") as u32;
    let (from, to) = (named("convolution6"), named("convolution14"));
    let small = segments(&p, |l| (from..to).contains(&l).then_some(0));
    sound(&small, &p);
    assert!(small.plan.is_some(), "it had one before");
    let again: Vec<&str> = small.values[p.values.len()..]
        .iter()
        .map(|v| v.name.strip_suffix("_again").expect("a copy"))
        .collect();
    assert!(again.contains(&"convolution7_output") && !again.contains(&"convolution5_output"), "{again:?}");
    assert!(arena(&small, &bound(&p, 64)) < arena(&p, &bound(&p, 64)));
}

#[test]
fn what_is_not_possible_is_said_in_units() {
    let p = compile::train(testnets::resnet20()).expect("it has gradients");
    let told = fit(&p, 64, MIB).expect_err("too little");
    assert!(told.least < told.planned && fit(&p, 64, told.least).is_ok(), "{told:?}");
    let text = told.to_string();
    assert!(text.contains("do not fit 1 MiB") && text.contains("as planned, and at least"), "{text}");
    let shown = [
        (5, "5 bytes"),
        (1536, "1.5 KiB"),
        (2 * MIB, "2 MiB"),
        (3 << 30, "3 GiB"),
        (200 * MIB + 1, "201 MiB"),
    ];
    for (bytes, want) in shown {
        assert_eq!(Bytes(bytes).to_string(), want);
    }
}

/// The convolutions of VGG-16.
fn vgg16() -> Program {
    let mut n = Net::new("VGG16");
    let mut x = n.batch("data", &[3, 224, 224], DType::F32);
    for (filters, count) in [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)] {
        for _ in 0..count {
            let y = n.conv(x, filters, 3, 1, 1, true);
            x = n.relu(y);
        }
        x = n.call("max_pool", &[("kernel", 2.into()), ("stride", 2.into())], &[x]);
    }
    let f = n.call("flatten", &[], &[x]);
    let d = n.dense(f, 4096);
    let t = n.relu(d);
    let logits = n.dense(t, 1000);
    compile::train(n.classify(logits)).expect("it has gradients")
}

#[test]
fn large_images_go_through_the_first_layers_in_slices() {
    let p = vgg16();
    let symbols = bound(&p, 64);
    let planned = |p: &Program| arena(p, &symbols);
    // Half of what the backward pass needs where relu and pooling keep no more than masks and places.
    let budget = 1195 * MIB;
    let alone =
        within(&p, &symbols, budget, Effort::SMALL, planned).expect_err("two results of the first layers");
    let half = within_slices(&p, &symbols, budget, Effort::SMALL, planned).expect("half is enough");
    sound(&half.program, &p);
    assert!(half.bytes <= budget && percent(&half) <= 35.0, "{} bytes, {} %", half.bytes, percent(&half));
    assert_eq!((&half.program.outputs, &half.program.grads), (&p.outputs, &p.grads));
    let told = within_slices(&p, &symbols, 1, Effort::SMALL, planned).expect_err("one byte is too little");
    assert!(told.least < alone.least / 3, "{told}; without slices {alone}");
    // Nothing but whole slices.
    assert!(split::split(&p, &symbols, 4, 7).is_none());
    let normalised = compile::train(testnets::resnet20()).expect("it has gradients");
    assert!(split::split(&normalised, &symbols, 4, 2).is_none(), "statistics are of the whole batch");
}

/// With normalisations in the weights: what is made of those comes before the slices.
#[test]
fn predictions_of_normalised_networks_go_in_slices() {
    let p = compile::predict(testnets::resnet20()).expect("has a form for prediction");
    let symbols = bound(&p, 64);
    let planned = |p: &Program| arena(p, &symbols);
    let budget = planned(&p) / 2;
    let half = within_slices(&p, &symbols, budget, Effort::SMALL, planned).expect("half is enough");
    assert!(half.bytes <= budget && p.prologue() > 0, "{} bytes", half.bytes);
    assert_eq!((half.program.prologue(), &half.program.outputs), (p.prologue(), &p.outputs));
    sound(&half.program, &p);
}
