//! Networks of the zoo train within parts of their planned memory to the gradients that they have with all of it: the same bits,
//! or within rounding where the first layers run in slices of the batch.

use mxr::init::Xavier;
use mxr::{BindOptions, Executor, Mode};
use mxr_examples::zoo::{self, Entry, ZOO};

/// The gradients of one pass, in order.
fn gradients(net: &mut Executor, entry: &Entry) -> Vec<Vec<f32>> {
    for v in entry.programs.predict().inputs.iter() {
        let name = &*entry.programs.predict().values[*v as usize].name;
        let input = net.input(name).expect("listed");
        let noise = |i: usize| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 23) as f32 - 1.0;
        input.copy_from_slice(&(0..input.len()).map(noise).collect::<Vec<_>>()).expect("fits");
    }
    net.forward(Mode::Train).expect("can train");
    net.backward().expect("after forward");
    net.grads().map(|(_, g)| g.to_vec::<f32>().expect("computed")).collect()
}

/// Compare all that fits into these parts of the planned memory; how many did, and how many of them in slices.
fn compare(entry: &Entry, batch: usize, percents: &[usize]) -> (usize, usize) {
    let bind = |options| Executor::bind(entry.programs, &[("N", batch)], options);
    let mut whole = bind(BindOptions::new()).expect("any batch fits");
    whole.init(&Xavier::default(), 1).expect("initialises");
    let (all, arena) = (gradients(&mut whole, entry), whole.memory().arena);
    assert!(all.iter().flatten().all(|g| g.is_finite()) && all.iter().flatten().any(|g| *g != 0.0));
    let (mut smaller, mut in_slices) = (0, 0);
    for percent in percents {
        let budget = arena / 100 * percent;
        let Ok(mut small) = bind(BindOptions::new().memory_budget(budget).share_params(&whole)) else {
            println!("{} in {percent} %: does not fit", entry.name);
            continue;
        };
        assert!(small.memory().arena <= budget, "{} in {percent} %", entry.name);
        let program = small.program(Mode::Train).expect("can train");
        let sliced = program.values.iter().any(|v| v.name.ends_with("_slice1"));
        let mut worst = 0f32;
        for (got, want) in gradients(&mut small, entry).iter().zip(&all) {
            let same = got.iter().map(|g| g.to_bits()).eq(want.iter().map(|g| g.to_bits()));
            assert!(sliced || same, "{} in {percent} %", entry.name);
            let most = want.iter().fold(f32::MIN_POSITIVE, |m, g| m.max(g.abs()));
            let off = got.iter().zip(want).fold(0f32, |m, (a, b)| m.max((a - b).abs()));
            worst = worst.max(off / most);
        }
        let way = if sliced { "in slices, " } else { "" };
        println!("{} in {percent} %: {way}gradients within {worst:e}", entry.name);
        assert!(worst <= 1e-5, "{} in {percent} %: {worst}", entry.name);
        (smaller, in_slices) = (smaller + 1, in_slices + usize::from(sliced));
    }
    (smaller, in_slices)
}

#[test]
fn a_residual_network_has_the_same_gradients_in_half_the_memory() {
    let entry = zoo::find("resnet20").expect("a network of the zoo");
    assert_eq!(compare(entry, 2, &[80, 50]), (2, 0));
}

#[test]
#[ignore = "minutes, in release: cargo test --release -p mxr-examples --test recompute -- --ignored --nocapture"]
fn every_network_has_the_same_gradients_in_less_memory() {
    let (mut networks, mut in_slices) = (0, 0);
    for entry in ZOO.iter().filter(|e| e.programs.train().is_some()) {
        let (smaller, sliced) = compare(entry, 4, &[80, 65, 50]);
        networks += usize::from(smaller > 0);
        in_slices += sliced;
    }
    assert!(networks >= 8 && in_slices > 0, "{networks} networks, {in_slices} in slices");
}
