//! The catalogue of faults held against the macro: every wrong example has exactly the fault that is told, on its tokens, every right
//! one has none; and the pages of `docs/errors/` are those of the catalogue. `MXR_BLESS=1` writes them anew.

use super::expanded;
use crate::ast::Source;
use crate::errors::Faults;
use crate::{elaborate, parse};
use mxr_graph::catalogue::{Case, Code, Entry, Scope};
use mxr_graph::compile;
use mxr_graph::passes::Printed;
use proc_macro2::TokenStream;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A fault: its code, its message without the code, the tokens under it.
type Told = (Code, String, String);

/// The faults of a source.
fn told(source: &str) -> Vec<Told> {
    let mut faults = Faults::default();
    let tokens = TokenStream::from_str(source).unwrap_or_else(|e| panic!("{e} in\n{source}"));
    let _ = expanded(tokens, false, &mut faults);
    let under = |f: &crate::errors::Fault| {
        let joined = f.at.first.join(f.at.last).and_then(|s| s.source_text());
        joined.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    faults.list().iter().map(|f| (f.code, f.text.clone(), under(f))).collect()
}

/// The fault of a network that is bound to these numbers.
fn bound(source: &str, given: &[(&str, i64)]) -> String {
    let mut faults = Faults::default();
    let tokens = TokenStream::from_str(source).expect("balanced tokens");
    let source: Source = parse::source(tokens, &mut faults);
    let network = elaborate::network(&source, &source.fns[0], &mut faults);
    let program = compile::predict(network.graph).expect("a sound network");
    program.bind_symbols(given).expect_err("numbers that do not fit").to_string()
}

fn check(entry: &Entry, case: &Case) -> Result<(), String> {
    let (code, wrong) = (entry.code, case.wrong());
    let at = case.at.split_whitespace().collect::<Vec<_>>().join(" ");
    let right = told(&case.right());
    match case.scope {
        // The tests of the crate `mxr` have these.
        Scope::RunTime => return Ok(()),
        Scope::Language | Scope::Everywhere => {
            let have = told(&wrong);
            let want = vec![(code, case.says.to_string(), at)];
            if have != want {
                return Err(format!("{code}: the wrong example\n{wrong}has {have:#?}, not {want:#?}"));
            }
        }
        Scope::Bind(given) => {
            let (have, want) = (bound(&wrong, given), format!("{} ({code})", case.says));
            if have != want {
                return Err(format!("{code}: bound to {given:?}: {have:?}, not {want:?}"));
            }
        }
        // So have they these, and ui-tests the constants.
        Scope::Operators(_) | Scope::Run(..) | Scope::Constants => {
            let have = told(&wrong);
            if !have.is_empty() {
                return Err(format!("{code}: the wrong example\n{wrong}has {have:#?}"));
            }
        }
        Scope::Environment(name, value) => {
            let e = Printed::new(value).expect_err("nothing to print");
            let have = format!("in the environment variable {name}: {e}");
            if have != case.says {
                return Err(format!("{code}: {have:?}, not {:?}", case.says));
            }
        }
    }
    match right.is_empty() {
        true => Ok(()),
        false => Err(format!("{code}: the right example\n{}has {right:#?}", case.right())),
    }
}

#[test]
fn wrong_examples_have_their_fault_and_right_ones_none() {
    let cases = Entry::all().flat_map(|e| e.cases.iter().map(move |c| (e, c)));
    let wrong: Vec<String> = cases.filter_map(|(e, c)| check(e, c).err()).collect();
    assert!(wrong.is_empty(), "{} examples:\n{}", wrong.len(), wrong.join("\n"));
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors")
}

/// Every page by its name.
fn pages() -> Vec<(String, String)> {
    let mut index = String::from(
        "# The error index\n\n\
         Every fault that mxr finds in a network, by its code. The code stands at the end of a message's first line; in `network!`, in\n\
         `Symbol` and in `NDArray` it means the same.\n\n\
         These pages are written from `mxr-graph/src/catalogue/`; a test expands every example.\n",
    );
    let mut pages = Vec::new();
    let mut area = 0;
    for e in Entry::all() {
        if e.code.number() / 100 != area {
            area = e.code.number() / 100;
            let _ = write!(index, "\n## {}\n\n| code | mistake | underlined |\n|---|---|---|\n", title(area));
        }
        let at = e.cases[0].at.split_whitespace().collect::<Vec<_>>().join(" ");
        let short: String = at.chars().take(40).collect();
        let at = match at.len() - short.len() {
            _ if at.is_empty() => String::new(),
            0 => format!("`{at}`"),
            _ => format!("`{short}…`"),
        };
        let _ = writeln!(index, "| [{0}]({0}.md) | {1} | {at} |", e.code, e.title);
        pages.push((format!("{}.md", e.code), page(e)));
    }
    pages.push(("README.md".to_string(), index));
    pages
}

fn title(area: u16) -> &'static str {
    match area {
        1 => "Shapes and axes",
        2 => "Arguments and options",
        3 => "Names",
        4 => "Types",
        5 => "Blocks, loops, choices, results",
        6 => "Symbols and holes",
        7 => "Gradients and memory",
        8 => "Binding",
        10 => "Operators of one's own",
        _ => "Grammar",
    }
}

fn page(e: &Entry) -> String {
    let mut out = format!("# {}: {}\n\n{}\n", e.code, e.title, e.rule);
    for (i, c) in e.cases.iter().enumerate() {
        let (wrong, right) = (c.wrong(), c.right());
        let heading = if i == 0 { "Wrong" } else { "Also wrong" };
        let _ = write!(out, "\n## {heading}\n\n```rust\n{}```\n", network(&wrong));
        let (who, more) = match c.scope {
            Scope::Language => ("`network!` says", String::new()),
            Scope::Everywhere => {
                ("`network!` says, and `Symbol` and `NDArray` for the same call", String::new())
            }
            Scope::RunTime => ("`Symbol` and `NDArray` say for this call", String::new()),
            Scope::Bind(given) => {
                ("`bind_symbols` says", format!(" to `Net::bind_symbols(&{given:?}, options)`"))
            }
            Scope::Operators(given) => {
                ("`bind_symbols` says", format!(" to `Net::bind_symbols(&{given:?}, options)`"))
            }
            Scope::Constants => ("the compiler says", String::new()),
            Scope::Run(wrong, _) => ("The network says", format!(", bound with `N = 4`, to `{wrong}`")),
            Scope::Environment(name, value) => {
                ("`network!` says", format!(" when it is compiled with `{name}={value}`"))
            }
        };
        let (first, rest) = c.says.split_at(c.says.find('\n').unwrap_or(c.says.len()));
        let _ = write!(out, "\n{who}{more}:\n\n```text\nerror: {first} ({}){rest}\n", e.code);
        let lines: Vec<&str> = c.at.lines().map(str::trim).collect();
        if !c.at.is_empty() {
            let _ = writeln!(out, "  at: {}", lines.join(" "));
        }
        out.push_str("```\n");
        if wrong != right {
            let _ = write!(out, "\n## Right\n\n```rust\n{}```\n", network(&right));
        }
        if let Scope::Run(_, right) = c.scope {
            let _ = write!(out, "\n## Right\n\n```rust\n{right}\n```\n");
        }
    }
    let _ = write!(out, "\n## Elsewhere\n\n{}\n", e.elsewhere);
    out
}

/// An example inside its macro.
fn network(source: &str) -> String {
    let lines = source.lines().map(|l| if l.is_empty() { "\n".to_string() } else { format!("    {l}\n") });
    format!("network!(\n{});\n", lines.collect::<String>())
}

#[test]
fn the_pages_are_those_of_the_catalogue() {
    let (folder, pages) = (folder(), pages());
    if std::env::var("MXR_BLESS").is_ok() {
        std::fs::create_dir_all(&folder).expect("a folder for the pages");
        for (name, text) in &pages {
            std::fs::write(folder.join(name), text).expect("a page is written");
        }
    }
    for (name, text) in &pages {
        let have = std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            have == *text,
            "docs/errors/{name} is not what the catalogue says: run this test with MXR_BLESS=1"
        );
    }
    let known: BTreeSet<&str> = pages.iter().map(|(name, _)| name.as_str()).collect();
    for file in std::fs::read_dir(&folder).expect("the folder of the pages") {
        let name = file.expect("a readable folder").file_name().to_string_lossy().to_string();
        assert!(known.contains(name.as_str()), "docs/errors/{name} belongs to no code");
    }
}
