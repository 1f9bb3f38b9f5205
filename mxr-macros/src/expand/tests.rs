//! Whole expansions: the zoo, its time, and what happens to damaged sources.

use super::damage::{LANGUAGE, Random, damage, leaves};
use super::expand;
use crate::errors::Faults;
use crate::{elaborate, emit, parse};
use mxr_graph::passes::Passes;
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::str::FromStr;
use std::time::{Duration, Instant};

/// What stands inside every `network!( … )` of the zoo's files, with the file's name.
pub(crate) fn zoo() -> Vec<(String, TokenStream)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/src/zoo");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("the zoo lies beside this crate")
        .map(|f| f.expect("a readable folder").path())
        .filter(|p| p.extension().is_some_and(|e| e == "rs"))
        .collect();
    files.sort();
    let mut out = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("a readable file");
        let name = file.file_stem().unwrap_or_default().to_string_lossy().to_string();
        sources(TokenStream::from_str(&text).expect("Rust"), &name, &mut out);
    }
    assert!(out.len() >= 6, "{} sources in the zoo", out.len());
    out
}

pub(crate) fn sources(stream: TokenStream, name: &str, out: &mut Vec<(String, TokenStream)>) {
    let mut network = false;
    for token in stream {
        match token {
            TokenTree::Group(g) if network && g.delimiter() == Delimiter::Parenthesis => {
                out.push((name.to_string(), g.stream()));
                network = false;
            }
            TokenTree::Group(g) => sources(g.stream(), name, out),
            TokenTree::Ident(i) => network = i == "network",
            TokenTree::Punct(p) if p.as_char() == '!' => {}
            _ => network = false,
        }
    }
}

pub(crate) fn faults_in(tokens: &TokenStream) -> usize {
    tokens.clone().into_iter().filter(|t| t.to_string() == "compile_error").count()
}

#[test]
fn good_sources_expand_without_a_fault() {
    let mut all = zoo();
    let language = concat!(env!("CARGO_MANIFEST_DIR"), "/../ui-tests/formatted/language.rs");
    let text = std::fs::read_to_string(language).expect("the file with every construct");
    sources(TokenStream::from_str(&text).expect("Rust"), "language", &mut all);
    for (name, source) in all {
        let tokens = expand(source);
        let text: String = tokens.to_string().chars().take(2000).collect();
        assert_eq!(faults_in(&tokens), 0, "{name}: {text}");
    }
}

const RUNS: u32 = 10;

/// What a person waits for at each key press, but for the compiler's own lexer, which has no stand-in here: the quickest of
/// a few expansions, since others may be using the machine, printed. The bound is generous, for slow machines.
#[test]
fn expansions_are_quick() {
    let only = std::env::var("MXR_ONLY").ok();
    for (name, source) in zoo() {
        let mut faults = Faults::default();
        let count = parse::source(source.clone(), &mut faults).fns.len();
        for at in 0..count {
            let run = |_| {
                let mut faults = Faults::default();
                let mut times = vec![Instant::now()];
                let source = parse::source(source.clone(), &mut faults);
                let item = &source.fns[at];
                if !item.is_network() || only.as_ref().is_some_and(|o| item.name != o.as_str()) {
                    return None;
                }
                times.push(Instant::now());
                let network = elaborate::network(&source, item, &mut faults);
                times.push(Instant::now());
                let (train, predict) = emit::compile(&network.graph, &Passes::ALL, true);
                let train = train.expect("asked for").expect("a zoo network trains");
                let predict = predict.expect("a zoo network predicts");
                times.push(Instant::now());
                let text = emit::programs(Some(&train), Some(&predict), "", &[]);
                times.push(Instant::now());
                let stages: Vec<Duration> = times.windows(2).map(|w| w[1] - w[0]).collect();
                let what = format!(
                    "{name} {}, {} nodes, {} bytes",
                    item.name,
                    network.graph.nodes.len(),
                    text.len()
                );
                Some((stages, what))
            };
            let runs = (0..RUNS).filter_map(run);
            let Some((stages, what)) = runs.min_by_key(|(s, _)| s.iter().sum::<Duration>()) else { continue };
            let total: Duration = stages.iter().sum();
            println!("{what}: {total:.1?} (parse, lay out, compile, write: {stages:.1?})");
            assert!(total < Duration::from_millis(500), "{what}: {total:?}");
        }
    }
}

/// Neither a panic nor a hang, and always a struct for every network that has a name.
#[test]
fn damaged_sources_still_expand() {
    let source = TokenStream::from_str(LANGUAGE).expect("balanced");
    assert_eq!(faults_in(&expand(source.clone())), 0, "{}", expand(source));
    let source = TokenStream::from_str(LANGUAGE).expect("balanced");
    let mut donors = Vec::new();
    leaves(source.clone(), &mut donors);
    let mut random = Random::new(0);
    let rounds = 2000;
    let (mut sound, mut longest) = (0, Duration::ZERO);
    for _ in 0..rounds {
        let mut damaged = source.clone();
        for _ in 0..=random.below(3) {
            damaged = damage(damaged, &mut random, &donors);
        }
        let start = Instant::now();
        let tokens = expand(damaged.clone());
        longest = longest.max(start.elapsed());
        // Of some nothing is left but constants.
        assert!(!tokens.is_empty() || !damaged.to_string().contains("fn "), "{damaged}");
        sound += usize::from(faults_in(&tokens) == 0);
    }
    println!("{rounds} damaged sources, {sound} of them still networks; the longest took {longest:?}");
    assert!(sound < rounds, "damage is noticed");
    assert!(longest < Duration::from_secs(20), "{longest:?}");
}

#[test]
fn a_fault_leaves_the_struct_and_its_layers() {
    let tokens = expand(
        TokenStream::from_str(
            "pub fn Net(data: Tensor<N, T, 8>) {
                let a = relu(data);
                let b = relu(oops);
                let c = dense(a, 3, flatten = false);
                b + c
            }",
        )
        .expect("balanced"),
    );
    let text = tokens.to_string();
    assert_eq!(faults_in(&tokens), 1);
    for part in ["pub struct Net", "pub const a :", "pub const c :", "pub fn bind (n : usize , t : usize)"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.contains("`b`: has an error") && text.contains("pub const b :"), "{text}");
}

#[test]
fn a_lost_gradient_is_a_fault_unless_it_is_meant() {
    let faults = |middle: &str, attribute: &str| {
        let text = format!(
            "{attribute} pub fn Net(data: Tensor<N, 8>, label: Tensor<N, i64>) {{
                let fc1 = dense(data, 4);
                let middle = {middle};
                softmax_cross_entropy(dense(middle, 3), label)
            }}"
        );
        let tokens = expand(TokenStream::from_str(&text).expect("balanced"));
        (faults_in(&tokens), tokens.to_string())
    };
    let (count, text) = faults("floor(fc1)", "");
    assert_eq!(count, 1, "{text}");
    assert!(text.contains("`middle`: floor has no gradient"), "{text}");
    assert!(text.contains("`fc1_weight` and 1 more"), "{text}");
    assert!(text.contains("pub const PARAMETERS"), "{text}");
    for (middle, attribute) in
        [("floor(fc1) + fc1", ""), ("floor(stop_gradient(fc1))", ""), ("floor(fc1)", "#[predict]")]
    {
        let (count, text) = faults(middle, attribute);
        assert_eq!(count, 0, "{middle}: {text}");
    }
}

#[test]
fn faults_of_one_network_do_not_hide_those_of_another() {
    let tokens = expand(
        TokenStream::from_str(
            "fn A(data: Tensor<N, 8>) { relu(oops) } fn B(data: Tensor<N, 8>) { sum(dense(data, _)) }",
        )
        .expect("balanced"),
    );
    assert_eq!(faults_in(&tokens), 2, "{tokens}");
}
