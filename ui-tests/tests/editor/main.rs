//! What a person sees in an editor, asked of a real rust-analyzer: `ui-tests/editor.sh` installs one and runs this.
//!
//! The server is the program that `RUST_ANALYZER` names, or `rust-analyzer` of the path; it needs the sources of the standard
//! library (`RA_SYSROOT_SRC`, or rustup's). Where there is none, every test passes and says so. `cargo check` is off: all of it
//! is there while one types, before anything is saved.

mod client;

use client::{Diagnostic, Document, Server};
use mxr::graph::catalogue::{Entry, Scope};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

/// The one server of all tests.
static SERVER: OnceLock<Option<Mutex<Server>>> = OnceLock::new();

/// The server, or a word on why the test is skipped.
fn server() -> Option<MutexGuard<'static, Server>> {
    let server = SERVER.get_or_init(|| match Server::start() {
        Ok(server) => Some(Mutex::new(server)),
        Err(e) => {
            eprintln!("skipped: no rust-analyzer to ask ({e}); `ui-tests/editor.sh` installs one");
            None
        }
    });
    server.as_ref().map(|s| s.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A file of a crate, whose text is another while a test runs.
const FILE: &str = "ui-tests/src/lib.rs";

const SAMPLE: &str = "
mxr::network!(
    const WIDTH: usize = 16;

    /// A convolution and what follows it.
    #[defaults(stride = 1)]
    fn unit(x: Tensor<N, C, _, _>, filters: usize, stride: usize) {
        let conv = conv2d(x, filters, kernel = 3, stride = stride, pad = same);
        let sum = relu(batch_norm(conv)) + 1.0;
        sum
    }

    /// A network to be looked at.
    pub fn Sample(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
        let stem = unit(data, WIDTH);
        let conv1 = conv2d(stem, 20, kernel = 5, stride = 2);
        let x = max_pool(tanh(conv1), kernel = 2, stride = 2);
        for width in [32, 64] {
            x = unit(x, width, stride = 1);
        }
        let (left, right) = split(x, 2);
        let scores = dense(flatten(left + right), 10);
        let again = reshape(scores, [N, 2, _]);
        softmax_cross_entropy(reshape(again, [N, 10]), label)
    }
);

/// Code around the network.
pub fn outside(net: &Sample) -> bool {
    net.param(Sample::conv1).is_ok() && net.param(Sample::scores).is_ok()
}
";

fn sample(server: &mut Server) -> Document {
    let document = server.edit(FILE, SAMPLE);
    assert_eq!(faults(&server.diagnostics(&document)), [""; 0]);
    document
}

/// Errors and warnings.
fn faults(diagnostics: &[Diagnostic]) -> Vec<&str> {
    diagnostics.iter().filter(|d| d.severity <= 2).map(|d| d.message.as_str()).collect()
}

#[test]
fn examples_have_no_fault_in_an_editor() {
    let Some(mut server) = server() else { return };
    let folders = ["examples/src/zoo", "examples/examples", "examples/src", "ui-tests/formatted"];
    let files: Vec<String> = folders.iter().flat_map(|f| server.files(f)).collect();
    assert!(files.len() > 12, "{files:?}");
    for file in files {
        let text = server.read(&file);
        let document = server.edit(&file, &text);
        assert_eq!(faults(&server.diagnostics(&document)), [""; 0], "{file}");
    }
}

#[test]
fn words_say_what_they_are() {
    let Some(mut server) = server() else { return };
    let document = sample(&mut server);
    for (place, says) in [
        // The network: its table.
        (
            "pub fn |Sample",
            &[
                "A network to be looked at.",
                "`conv1`",
                "[N, 20, 14, 14]",
                "Parameters: ",
                "Memory to train: ",
            ][..],
        ),
        ("net: &|Sample", &["A network to be looked at.", "`conv1`"]),
        // A layer where it is made, where it is used, and outside.
        ("let |conv1 =", &["`conv1`: conv2d → `[N, 20, 14, 14]`, 8,020 parameters", "operations"]),
        ("tanh(|conv1)", &["`conv1`: conv2d → `[N, 20, 14, 14]`, 8,020 parameters"]),
        ("Sample::|conv1", &["`conv1`: conv2d → `[N, 20, 14, 14]`, 8,020 parameters"]),
        ("let |stem =", &["`[N, 16, 32, 32]`"]),
        // An operator: its docs, and the shape that this call gives.
        ("let conv1 = |conv2d", &["Two-dimensional convolution", "# Options", "(N, _20, _14, _14)"]),
        ("max_pool(|tanh(", &["(N, _20, _14, _14)"]),
        // An option.
        ("20, |kernel = 5", &["window, `n` or `(height, width)`"]),
        ("5, |stride = 2", &["step of the window"]),
        // Inputs, symbols, constants.
        ("unit(|data", &["`data`: `[N, 3, 32, 32]`"]),
        ("Tensor<|N, 3", &["`N`: a symbol"]),
        ("[|N, 2, _]", &["`N`: a symbol"]),
        ("unit(data, |WIDTH", &["WIDTH", "16"]),
        // A block, its inputs, what is inside, and what the calls make of it.
        ("let stem = |unit", &["A convolution and what follows it.", "(N, _16, _32, _32)"]),
        ("x, |filters, kernel", &["`filters`: 16, 32, 64"]),
        ("fn unit(|x:", &["`[N, 3, 32, 32]`", "`[N, 20, 7, 7]`"]),
        ("batch_norm(|conv)", &["`stem_conv`: conv2d → `[N, 16, 32, 32]`, 448 parameters"]),
        ("width, |stride = 1", &["`stride`: 1"]),
        ("Tensor<N, |C, _", &["`C`: 3, 20, 32"]),
        // A loop, a tuple.
        ("unit(x, |width", &["`width`: 32, 64"]),
        ("flatten(|left", &["`[N, 32, 7, 7]`"]),
        // Holes.
        ("[N, 2, |_]", &["`_` is 5, inferred."]),
        ("C, |_, _>", &["`_` is 32, inferred."]),
    ] {
        let text = server.hover(&document, place);
        for part in says {
            assert!(text.contains(part), "at `{place}` there is no {part:?} in\n{text}");
        }
        assert!(!text.contains("{unknown}"), "at `{place}`:\n{text}");
    }
}

#[test]
fn nothing_is_shown_twice() {
    let Some(mut server) = server() else { return };
    let document = sample(&mut server);
    for (place, once) in [
        ("pub fn |Sample", "A network to be looked at."),
        ("tanh(|conv1)", "`conv1`: conv2d"),
        ("Tensor<|N, 3", "a symbol"),
        ("let conv1 = |conv2d", "Two-dimensional"),
        ("x = |unit(x", "A convolution and what follows it."),
        ("left |+ right", "no such text"),
    ] {
        let text = server.hover(&document, place);
        let count = text.matches(once).count();
        assert_eq!(count, usize::from(once != "no such text"), "at `{place}`:\n{text}");
    }
}

#[test]
fn words_lead_to_their_definition() {
    let Some(mut server) = server() else { return };
    let document = sample(&mut server);
    for (place, line) in [
        ("tanh(|conv1)", "conv1 = conv2d(stem, 20, kernel = 5, stride = 2);"),
        ("Sample::|conv1", "conv1 = conv2d(stem, 20, kernel = 5, stride = 2);"),
        ("net: &|Sample", "Sample(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {"),
        ("unit(|data", "data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {"),
        ("let stem = |unit", "unit(x: Tensor<N, C, _, _>, filters: usize, stride: usize) {"),
        ("width, |stride = 1", "stride: usize) {"),
        ("#[defaults(|stride", "stride: usize) {"),
        ("batch_norm(|conv)", "conv = conv2d(x, filters, kernel = 3, stride = stride, pad = same);"),
        ("unit(x, |width", "width in [32, 64] {"),
        ("flatten(|left", "left, right) = split(x, 2);"),
        ("unit(data, |WIDTH", "WIDTH: usize = 16;"),
        ("[|N, 2, _]", "N, 3, 32, 32>, label: Tensor<N, i64>) {"),
    ] {
        assert_eq!(server.definitions(&document, place), [line], "{place}");
    }
}

#[test]
fn a_new_name_reaches_every_place() {
    let Some(mut server) = server() else { return };
    let document = sample(&mut server);
    for (places, old, new) in [
        (&["let |conv1 =", "tanh(|conv1)", "Sample::|conv1"][..], "conv1", "first"),
        (&["pub fn |Sample", "net: &|Sample"], "Sample", "Other"),
        (&["let |x =", "unit(|x, width"], "x", "features"),
        (&["filters: usize, |stride", "width, |stride = 1"], "stride", "step"),
        (&["fn |unit", "= |unit(data"], "unit", "block"),
        (&["Tensor<|N, 3", "[|N, 10]"], "N", "B"),
    ] {
        for place in places {
            let text = server.rename(&document, place, new);
            // What it reaches has the old name in front, and what is left of it belongs to something else.
            let renamed = server.edit(FILE, &text);
            assert_eq!(
                faults(&server.diagnostics(&renamed)),
                [""; 0],
                "{old} to {new} at `{place}`:\n{text}"
            );
            assert_ne!(text, document.text, "{old} to {new} at `{place}`");
            if matches!(old, "conv1" | "Sample" | "unit") {
                let word = |text: &str, name: &str| {
                    text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|w| *w == name).count()
                };
                assert_eq!((word(&text, old), word(&text, new)), (0, word(&document.text, old)), "{text}");
            }
            server.edit(FILE, SAMPLE);
        }
    }
}

#[test]
fn options_of_an_operator_of_one_s_own_are_renamed() {
    let Some(mut server) = server() else { return };
    let text = "
use mxr::op::{ArrayType, Forward, Misfit, OpError, Operator};

struct Scaled {
    factor: f32,
}

impl Operator for Scaled {
    fn name(&self) -> &str {
        \"scaled\"
    }

    fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
        Ok(inputs.to_vec())
    }

    fn forward(&self, _: &mut Forward<'_>) -> Result<(), OpError> {
        Ok(())
    }
}

mxr::network!(
    #[defaults(by = 0.5)]
    extern \"Rust\" fn scaled(x: Tensor, by: f32) -> Tensor {
        Scaled { factor: by }
    }

    /// A network with an operator of its own.
    pub fn Own(data: Tensor<N, 4>) {
        dense(scaled(data, by = 2.0), 3)
    }
);
";
    let document = server.edit(FILE, text);
    assert_eq!(faults(&server.diagnostics(&document)), [""; 0]);
    assert_eq!(server.definitions(&document, "data, |by = 2.0"), ["by: f32) -> Tensor {"]);
    let renamed = server.rename(&document, "x: Tensor, |by: f32", "times");
    for part in ["#[defaults(times = 0.5)]", "times: f32)", "factor: times }", "times = 2.0"] {
        assert!(renamed.contains(part), "there is no `{part}` in\n{renamed}");
    }
    let document = server.edit(FILE, &text.replace("by = 2.0", "b"));
    let (items, _) = server.complete(&document, "data, b|)");
    assert!(items.iter().any(|i| i.label.starts_with("by")), "{items:?}");
}

#[test]
fn what_can_be_written_is_offered() {
    let Some(mut server) = server() else { return };
    let layers = &["scores", "conv1", "stem", "data"][..];
    let line = "let again = reshape(scores, [N, 2, _]);";
    let options = &["kernel", "stride", "pad", "dilation", "groups", "bias", "weight"][..];
    for (typed, place, offers) in [
        // Layers, with shapes; operators, with their inputs.
        ("let again = reshape(sc, [N, 10]);", "reshape(sc|,", layers),
        ("let again = de;", "let again = de|;", &["dense", "conv2d", "unit", "scores"]),
        ("let again = dense(, 10);", "dense(|, 10)", layers),
        ("let again = ; ", "let again = |;", layers),
        ("let again = conv2d(da", "conv2d(da|", layers),
        ("dense(scores, 10)\n", "let (left, right) = |split", &["split", "dense", "x"]),
        // Methods.
        ("let again = scores.;", "scores.|;", &["relu", "dense", "reshape"]),
        ("let again = scores.re;", "scores.re|;", &["relu", "reshape"]),
        ("let again = scores.relu().so", "relu().so|", &["softmax"]),
        ("let again = scores.\n", "scores.|\n", &["relu", "dense"]),
        ("let again = tanh(scores.);", "scores.|)", &["relu", "dense"]),
        // Options, and none that is there already.
        ("let again = conv2d(stem, 20, ke);", "20, ke|)", options),
        ("let again = conv2d(stem, 20, stride = 1, );", "stride = 1, |)", &["kernel", "pad"]),
        ("let again = conv2d(stem, 20, pad = 1, ke, groups = 1);", "pad = 1, ke|,", &["kernel", "stride"]),
        ("let again = stem.conv2d(20, ke);", "20, ke|)", options),
        ("let again = unit(stem, 20, str);", "20, str|)", &["stride"]),
        // Values of options; extents.
        ("let again = dense(scores, WI);", "scores, WI|)", &["WIDTH"]),
        ("let again = reshape(scores, [N, WI]);", "[N, WI|]", &["WIDTH", "N"]),
    ] {
        assert!(SAMPLE.contains(line));
        let document = server.edit(FILE, &SAMPLE.replace(line, typed));
        let (items, _) = server.complete(&document, place);
        let labels: Vec<&str> =
            items.iter().map(|i| i.label.split(['(', ' ']).next().unwrap_or_default()).collect();
        for offer in offers {
            assert!(labels.contains(offer), "`{place}` does not offer {offer}: {labels:?}");
        }
        if *offers == *options {
            assert_eq!(labels.len(), options.len(), "{labels:?}");
        }
        if offers.contains(&"pad") && !offers.contains(&"groups") {
            assert!(!labels.contains(&"stride"), "{labels:?}");
        }
        let shape = |name: &str| items.iter().find(|i| i.label == name).map(|i| i.detail.as_str());
        if offers.contains(&"stem") {
            assert_eq!(shape("conv1"), Some("Tensor<(N, _20, _14, _14)>"), "{place}");
            assert_eq!(shape("scores"), Some("Tensor<(N, _10)>"), "{place}");
        }
        // What expansions are written with is nobody's to write.
        let ours = items.iter().find(|i| i.label.contains("being_typed") || i.label.starts_with("__a"));
        assert!(ours.is_none(), "{place} offers {ours:?}");
    }
    let document = server.edit(FILE, &SAMPLE.replace(line, "let again = conv;"));
    let (items, _) = server.complete(&document, "again = conv|;");
    let conv = items.iter().find(|i| i.label.starts_with("conv2d")).expect("an operator");
    assert!(conv.detail.contains("Tensor"), "{conv:?}");
    assert!(conv.insert.starts_with("conv2d"), "{conv:?}");
}

#[test]
fn what_is_half_typed_costs_one_message_and_leaves_the_rest() {
    let Some(mut server) = server() else { return };
    let line = "let again = reshape(scores, [N, 2, _]);";
    for (typed, says) in [
        ("let again = reshape(score, [N, 10]);", "there is no layer or input `score` here"),
        ("let again = den(scores, 10);", "there is no operator or block `den`"),
        ("let again = scores.;", "expected the name of an operator after `.`"),
        ("let again = scores.rel;", "has no `rel`"),
        ("let again = dense(scores, 10, bi);", "there is no layer or input `bi` here"),
        ("let again = dense(scores, 10)", "expected `;` after this"),
        ("let again = ;", "expected an expression after this"),
        ("let again = dense(scores, 10;", "expected `)` after this"),
    ] {
        let document = server.edit(FILE, &SAMPLE.replace(line, typed));
        let diagnostics = server.diagnostics(&document);
        // Of unbalanced brackets the editor's own parser speaks as well.
        let all = faults(&diagnostics);
        let ours: Vec<_> = all.iter().filter(|m| !m.starts_with("Syntax Error")).collect();
        assert_eq!(ours.len(), 1, "{typed}: {all:#?}");
        assert!(ours[0].contains(says), "{typed}: {ours:?}");
        for place in ["tanh(|conv1)", "Sample::|conv1"] {
            let text = server.hover(&document, place);
            assert!(text.contains("`conv1`: conv2d → `[N, 20, 14, 14]`"), "{typed}: {text}");
        }
    }
}

#[test]
fn faults_of_the_catalogue_are_said_while_typing() {
    let Some(mut server) = server() else { return };
    let (mut said, mut elsewhere, mut wrong) = (0, 0, Vec::new());
    for (entry, case) in Entry::all().flat_map(|e| e.cases.iter().map(move |c| (e, c))) {
        if !matches!(case.scope, Scope::Language | Scope::Everywhere) {
            elsewhere += 1;
            continue;
        }
        let text = format!("mxr::network!(\n{});\n", case.wrong());
        let document = server.edit(FILE, &text);
        let diagnostics = server.diagnostics(&document);
        let (first, rest) = case.says.split_at(case.says.find('\n').unwrap_or(case.says.len()));
        let want = format!("{first} ({}){rest}", entry.code);
        let words = |s: &str| s.split_whitespace().collect::<Vec<_>>().join(" ");
        let found = match &diagnostics[..] {
            [d] => {
                d.severity == 1 && d.message == want && words(&text[d.start..]).starts_with(&words(case.at))
            }
            _ => false,
        };
        match found {
            true => said += 1,
            false => {
                wrong.push(format!("{}: {want:?} at `{}` in\n{text}{diagnostics:#?}", entry.code, case.at))
            }
        }
    }
    println!("{said} faults said at their tokens, {elsewhere} examples are not of a source");
    assert!(wrong.is_empty(), "{} of {said}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_attribute_is_in_the_outline() {
    let Some(mut server) = server() else { return };
    let text = "
#[mxr::network_fn]
pub fn Linear(data: Tensor<N, 784>, label: Tensor<N, i64>) {
    let scores = dense(data, 10);
    softmax_cross_entropy(scores, label)
}

/// Outside.
pub fn outside() -> mxr::LayerId {
    Linear::scores
}
";
    let document = server.edit(FILE, text);
    assert_eq!(faults(&server.diagnostics(&document)), [""; 0]);
    assert!(server.outline(&document).contains(&"Linear".to_string()));
    for place in ["entropy(|scores", "Linear::|scores", "let |scores"] {
        let shown = server.hover(&document, place);
        assert!(shown.contains("`scores`: dense → `[N, 10]`, 7,850 parameters"), "{place}: {shown}");
    }
    assert_eq!(server.rename(&document, "Linear::|scores", "logits").matches("logits").count(), 3);
    let document = server.edit(FILE, &text.replace("(scores, label)", "(sc, label)"));
    let (items, _) = server.complete(&document, "entropy(sc|,");
    assert!(items.iter().any(|i| i.label == "scores" && i.detail == "Tensor<(N, _10)>"), "{items:?}");
}

/// Printed, for the record: machines differ.
#[test]
fn completion_in_a_large_network() {
    let Some(mut server) = server() else { return };
    let file = "examples/src/zoo/resnet.rs";
    let whole = server.read(file);
    let (mut edited, mut rest) = (Vec::new(), Vec::new());
    for (typed, place, offer) in [
        ("let stem = re;", "let stem = re|;", "relu"),
        ("let stem = relu(da);", "relu(da|)", "data"),
        ("let stem = relu(data.);", "data.|)", "conv2d"),
        ("let stem = conv2d(data, 64, ke);", "64, ke|)", "kernel"),
    ] {
        let old = "let stem = relu(conv_bn(data, 64, 7, 2, 3));";
        assert!(whole.contains(old));
        for _ in 0..5 {
            server.edit(file, &whole);
            let document = server.edit(file, &whole.replace(old, typed));
            let (items, took) = server.complete(&document, place);
            assert!(items.iter().any(|i| i.label.starts_with(offer)), "{place}: {items:?}");
            edited.push(took);
            rest.push(server.complete(&document, place).1);
        }
    }
    server.edit(file, &whole);
    for (when, mut times) in [("right after an edit", edited), ("of the same text again", rest)] {
        times.sort_unstable();
        println!(
            "completion inside ResNet50 {when}: median {:.0?}, least {:.0?}, most {:.0?} of {}",
            times[times.len() / 2],
            times[0],
            times[times.len() - 1],
            times.len()
        );
    }
}
