//! The networks of the zoo against what is published about them.

use mxr_examples::summary::{Summary, grouped};
use mxr_examples::zoo::{self, ZOO};

fn summary(name: &str, batch: usize) -> Summary {
    let entry = zoo::find(name).expect("a network of the zoo");
    Summary::new(entry.name, entry.programs, batch).expect("any batch fits")
}

#[test]
fn parameters_are_the_published_ones() {
    println!("{:16} {:>12} {:>12}  source", "network", "parameters", "published");
    let mut wrong = Vec::new();
    for entry in ZOO {
        let s = summary(entry.name, 1);
        println!(
            "{:16} {:>12} {:>12}  {}",
            s.net,
            grouped(s.parameters),
            grouped(entry.published),
            entry.source
        );
        assert_eq!(s.parameters, s.layers.iter().map(|l| l.parameters).sum::<u64>(), "{}", s.net);
        if s.parameters != entry.published {
            wrong.push(s.net);
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn multiply_adds_of_convolutions_and_dense_layers_are_the_published_ones() {
    // Giga multiply-adds an image in torchvision's model table ("GFLOPS"); GoogLeNet's pools there round down.
    for (name, published) in [("alexnet", 0.71), ("vgg_a", 7.61), ("vgg16", 15.47), ("resnet50", 4.09)] {
        let s = summary(name, 2);
        let products = s.layers.iter().filter(|l| l.op == "conv2d" || l.op == "dense").map(|l| l.flops);
        let giga = products.sum::<u64>() as f64 / 2.0 / 2.0 / 1e9;
        assert!((giga - published).abs() < 0.0051, "{name}: {giga} beside {published}");
    }
}

#[test]
fn planned_memory_is_below_mxnets_planner_and_grows_with_the_batch() {
    for entry in ZOO {
        let (one, two) = (summary(entry.name, 8), summary(entry.name, 16));
        for (m, larger) in [(Some(one.predict), Some(two.predict)), (one.train, two.train)] {
            let (m, larger) = (m.expect("the zoo trains"), larger.expect("the zoo trains"));
            assert!(m.lower_bound <= m.planned, "{}: {m:?}", entry.name);
            let bars = m.bars;
            assert!(m.planned <= bars.inplace.min(bars.coshare), "{}: {m:?}", entry.name);
            assert!(bars.inplace <= bars.naive && bars.coshare <= bars.naive, "{}: {m:?}", entry.name);
            assert!(m.planned < larger.planned, "{}: {m:?} {larger:?}", entry.name);
        }
    }
}

#[test]
fn names_are_unique_and_found() {
    for (i, entry) in ZOO.iter().enumerate() {
        assert!(ZOO[..i].iter().all(|e| e.name != entry.name), "{}", entry.name);
        assert_eq!(zoo::find(entry.name).map(|e| e.name), Some(entry.name));
    }
    assert!(zoo::find("vgg_b").is_none());
}
