//! What `convnet_bench` takes and prints, and what it counts.

use mxr_examples::speed::{Measured, Options, Report};
use mxr_examples::summary::Summary;
use mxr_examples::zoo::{self, SUITE};
use serde_json::Value;

fn options(words: &[&str]) -> Result<Options, clap::Error> {
    Options::from_words([&["convnet_bench"], words].concat())
}

fn measured(words: &[&str]) -> Report {
    Report::measure(&options(words).expect("these are options")).expect("it fits into memory")
}

#[test]
fn defaults_are_training_on_all_cores() {
    let o = options(&["--net", "lenet"]).expect("a network is enough");
    assert_eq!((o.mode, o.batch, o.runs, o.json, o.update), (Measured::Train, 16, None, false, false));
    assert_eq!(o.threads, std::thread::available_parallelism().map_or(1, usize::from));
    for net in SUITE {
        assert_eq!(options(&["--net", net, "--mode", "infer"]).expect("of the suite").net, net);
    }
}

#[test]
fn bad_arguments_are_told_with_the_choices_and_end_with_code_2() {
    let cases: [(&[&str], &[&str]); 8] = [
        (&[], &["--net"]),
        (&["--net", "vgg_b"], &["'vgg_b'", "lenet_relu", "resnet50", "similar value exists: 'vgg_a'"]),
        (&["--net", "vgg_a_bench"], &["vgg_a"]),
        (&["--net", "lenet", "--mode", "trian"], &["train", "infer"]),
        (&["--net", "lenet", "--batch", "0"], &["--batch", "at least 1"]),
        (&["--net", "lenet", "--threads", "two"], &["--threads", "whole number"]),
        (&["--net", "lenet", "--json", "--layers"], &["cannot be used with"]),
        (&["--net", "lenet", "--mode", "infer", "--update"], &["leave out `--update`"]),
    ];
    for (words, told) in cases {
        let e = options(words).expect_err("these are no options");
        assert_eq!(e.exit_code(), 2, "{words:?}");
        let text = e.to_string();
        assert!(told.iter().all(|t| text.contains(t)), "{words:?}: {text}");
    }
}

#[test]
fn json_is_one_consistent_object() {
    for (mode, gflop) in [("infer", 0.009_172), ("train", 0.026_364)] {
        let words =
            ["--net", "lenet", "--batch", "2", "--mode", mode, "--threads", "2", "--runs", "3", "--json"];
        let all: Value = serde_json::from_str(&measured(&words).json().to_string()).expect("JSON");
        let mut keys: Vec<&str> = all.as_object().expect("an object").keys().map(String::as_str).collect();
        keys.sort_unstable();
        let mut want = [
            "net",
            "batch",
            "mode",
            "threads",
            "median_ms",
            "min_ms",
            "max_ms",
            "runs",
            "gflop",
            "gflops",
            "peak_share",
        ];
        want.sort_unstable();
        assert_eq!(keys, want);
        assert_eq!((&all["net"], &all["mode"]), (&Value::from("lenet"), &Value::from(mode)));
        assert_eq!([&all["batch"], &all["threads"], &all["runs"]].map(Value::as_u64), [2, 2, 3].map(Some));
        let number = |key: &str| all[key].as_f64().unwrap_or_else(|| panic!("`{key}` is a number: {all}"));
        assert!((number("gflop") - gflop).abs() < 1e-9, "{all}");
        assert!(number("min_ms") <= number("median_ms") && number("median_ms") <= number("max_ms"), "{all}");
        let rate = number("gflop") / (number("median_ms") / 1e3);
        assert!((number("gflops") / rate - 1.0).abs() < 1e-9, "{all}");
        assert!(number("min_ms") > 0.0 && number("peak_share") > 0.0, "{all}");
    }
}

#[test]
fn a_training_step_is_three_forward_passes_less_the_gradient_of_the_data() {
    for name in SUITE {
        let entry = zoo::timed(name).expect("of the suite");
        let s = Summary::new(entry.name, entry.programs, 1).expect("any batch fits");
        let first = s.layers.iter().find(|l| l.flops > 0).expect("a layer with weights").flops;
        let train = entry.programs.train().expect("it trains");
        assert_eq!(train.outputs.len(), 1, "{name}: logits out");
        assert!(train.inputs.len() == 1 && train.heads.len() == 1, "{name}: no label, no loss");
        assert_eq!(train.flops.eval(&[1]), Some((3 * s.flops - first) as i64), "{name}");
    }
    assert!(zoo::timed("resnet20").is_none());
}

#[test]
fn layers_add_up_to_the_step() {
    for (mode, update) in [("infer", false), ("train", false), ("train", true)] {
        let words = ["--net", "lenet_relu", "--batch", "2", "--mode", mode, "--threads", "1", "--runs", "2"];
        let more: &[&str] = if update { &["--layers", "--update"] } else { &["--layers"] };
        let report = measured(&[&words, more].concat());
        let layers = report.layers.as_ref().expect("they were asked for");
        let [forward, backward] = layers.totals();
        assert_eq!(forward.flops + backward.flops, report.flops, "{mode}");
        assert_eq!(backward.seconds > 0.0, mode == "train");
        for row in layers.rows.iter().filter(|r| r.op == "conv2d" || r.op == "dense") {
            assert!(row.forward.seconds > 0.0 && row.forward.flops > 0.0, "{row:?}");
        }
        let text = report.to_string();
        for word in ["lenet_relu, batch 2", "1 thread,", "conv2", "dense", "total", "100.0 %"] {
            assert!(text.contains(word), "{word} in\n{text}");
        }
        assert_eq!(text.contains("update"), update, "{text}");
    }
}
