//! Every construct of the language compiles, means what it should, and survives rustfmt.

#[path = "../formatted/language.rs"]
mod language;

use language::{Own, Residual, Sequence, Small};
use mxr::Network;
use std::io::Write;
use std::process::{Command, Stdio};

/// A network as an attribute.
#[mxr::network_fn]
pub fn Attribute(data: Tensor<N, 4>) {
    let fc1 = dense(data, 3);
    relu(fc1)
}

mod elsewhere {
    mxr::network!(
        use ui_tests::blocks::residual as unit;
        use ui_tests::nets::Backbone;

        /// Of parts of another crate.
        pub fn Composed(data: Tensor<N, 3, 16, 16>, label: Tensor<N, i64>) {
            let low = Backbone(data);
            let high = global_avg_pool(unit(data, kernel = 5));
            softmax_cross_entropy(dense(concat(low, high), 10), label)
        }
    );
}

/// Under the name that it is passed on with, and not in the first place.
mod passed_on {
    pub(crate) use ui_tests::blocks::residual as unit;

    mxr::network!(
        /// Behind it stands the `use`.
        pub fn Behind(data: Tensor<N, 3, 8, 8>) {
            renamed(data)
        }

        use super::passed_on::unit as renamed;
    );
}

#[test]
fn parts_may_be_passed_on_under_another_name() {
    let conv = 3 * 3 * 3 * 3 + 3;
    assert_eq!(passed_on::Behind::PARAMETERS, 2 * conv + 2 * 3);
}

#[test]
fn constants_of_a_network_are_those_of_the_file() {
    const WIDE: usize = 2 * language::WIDTH;
    assert_eq!((WIDE, language::STAGES), (32, [(16, 1), (32, 2)]));
}

#[test]
fn parts_of_other_crates_have_all_of_their_shapes() {
    use elsewhere::Composed;
    let net = Composed::bind(2).expect("small");
    assert_eq!(net.param("low_top_convolution0_weight").err().map(|e| e.to_string()), None);
    assert_eq!(Composed::low_top.name(), "low_top");
    let conv = |i: u64, o: u64, k: u64| i * o * k * k + o;
    let unit = |c: u64, k: u64| 2 * conv(c, c, k) + 2 * c;
    let parameters = conv(3, 8, 3) + unit(8, 3) + unit(3, 5) + 11 * 10 + 10;
    assert_eq!(Composed::PARAMETERS, parameters);
}

#[test]
fn operators_of_one_s_own_are_made_where_the_network_is_bound() {
    let layers: Vec<&str> = Own::PROGRAMS.predict().layers.iter().map(|l| &*l.op).collect();
    assert_eq!(layers, ["scaled", "parts", "rescaled", "scaled", "concat"]);
    let told = Own::bind(2).map(drop).expect_err("parts are three").to_string();
    let text = "`parts0`: scaled gives 1 results by its shape rule, and 3 are stated (MXR1002)";
    assert!(told.starts_with(text), "{told}");
}

fn shape(programs: &mxr::Programs, value: u32) -> String {
    let program = programs.train().unwrap_or(programs.predict());
    let symbols = mxr::graph::dim::Symbols::from(program.symbols.to_vec());
    let shape = mxr::graph::shape::Shape(program.values[value as usize].shape.to_vec());
    shape.display(&symbols).to_string()
}

#[test]
fn layers_are_constants_in_order_of_declaration() {
    let train = Residual::PROGRAMS.train().expect("it is trained");
    let some = [Residual::stem, Residual::basic0, Residual::basic1_shortcut, Residual::c_1_0, Residual::fc];
    for layer in some {
        assert!(train.layers.iter().any(|l| l.name == layer.name()), "{layer:?} in\n{train}");
    }
    assert!(some.windows(2).all(|w| w[0].index() < w[1].index()));
    assert_eq!(Residual::basic1_shortcut.name(), "basic1_shortcut");
    assert_eq!(Attribute::fc1.index(), 0);
}

#[test]
fn outputs_have_their_shapes() {
    let train = Residual::PROGRAMS.train().expect("it is trained");
    assert_eq!(train.outputs.len(), 2);
    assert_eq!(shape(Residual::PROGRAMS, train.outputs[1]), "[N]");
    assert!(Sequence::PROGRAMS.train().is_none());
    assert_eq!(shape(Sequence::PROGRAMS, Sequence::PROGRAMS.predict().outputs[0]), "[N, 5*T]");
}

#[test]
fn parameters_are_counted_and_named() {
    assert_eq!(Attribute::PARAMETERS, 4 * 3 + 3);
    assert_eq!(Small::PARAMETERS, 0);
    let train = Residual::PROGRAMS.train().expect("it is trained");
    let names: Vec<&str> = train.params.iter().map(|p| &*train.values[*p as usize].name).collect();
    assert_eq!(names[..2], ["convolution0_weight", "convolution0_bias"]);
    assert!(names.contains(&"basic1_shortcut_weight"), "{names:?}");
}

#[test]
fn symbols_become_parameters_of_bind() -> Result<(), mxr::Error> {
    let net = Sequence::bind(2, 3)?;
    assert_eq!(net.executor().param("projected_weight")?.shape(), [5, 32]);
    Small::bind()?;
    let named = Attribute::bind_symbols(&[("N", 2)], mxr::BindOptions::default())?;
    assert_eq!(named.param(Attribute::fc1)?.shape(), [3, 4]);
    Ok(())
}

/// rustfmt must understand what stands in the parentheses: a file without any layout becomes the good one.
#[test]
fn rustfmt_formats_networks() {
    let good = include_str!("../formatted/language.rs");
    let squeeze = |line: &str| {
        let line = line.trim();
        if line.starts_with("//") {
            return line.to_string();
        }
        line.replace(", ", ",")
            .replace(" = ", "=")
            .replace(" + ", "  +")
            .replace("{ ", "{")
            .replace(": ", ":")
    };
    let bad: Vec<String> = good.lines().map(squeeze).collect();
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let child = Command::new("rustfmt")
        .args(["--edition", "2024", "--config-path", root])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        println!("skipped: rustfmt is not installed");
        return;
    };
    child.stdin.take().expect("piped").write_all(bad.join("\n").as_bytes()).expect("rustfmt reads its input");
    let output = child.wait_with_output().expect("rustfmt ends");
    assert!(output.status.success(), "rustfmt refuses the file");
    assert_eq!(String::from_utf8_lossy(&output.stdout), good);
}
