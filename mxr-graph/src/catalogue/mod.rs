//! The catalogue of faults: every mistake that the library tells people about, once, with a network that has it and the
//! same network without it.
//!
//! The pages of the error index, `docs/errors/`, are written from it. Its tests are those of `mxr-macros`, which expands every
//! example, and of `mxr`, where `Symbol` and `NDArray` say the same about the calls that are marked [`Scope::Everywhere`].

mod binding;
mod blocks;
mod code;
mod composition;
mod grammar;
mod names;
mod operators;
mod options;
mod shapes;
mod symbols;
mod training;
mod types;

pub use code::Code;

use alloc::format;
use alloc::string::{String, ToString};
#[cfg(test)]
use alloc::vec::Vec;

/// A mistake and all that is to be said about it.
#[derive(Debug)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// The mistake in a few words.
    pub title: &'static str,
    /// The rule that is broken, in one to three sentences of Markdown.
    pub rule: &'static str,
    /// Examples; the first is the usual one.
    pub cases: &'static [Case],
    /// What PyTorch, Keras or burn say to the same mistake, and when; with the source where it is a file.
    pub elsewhere: &'static str,
}

/// An example.
#[derive(Debug)]
pub struct Case {
    /// The inputs of the network, between its parentheses; empty when `wrong` and `right` are all that stands in `network!( … )`.
    pub inputs: &'static str,
    /// What has the fault: the body of the network. Lines are indented by whoever shows them.
    pub wrong: &'static str,
    /// The tokens that are underlined.
    pub at: &'static str,
    /// The message, without the code: one sentence, then lines `  = help: …` and `  = note: …`.
    pub says: &'static str,
    /// The same without the fault.
    pub right: &'static str,
    /// Who says it.
    pub scope: Scope,
}

/// Who finds a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `network!` alone: it is about the language.
    Language,
    /// `network!`, and with the same words `Symbol` when it is compiled and `NDArray` when it is computed. The first `let` of the
    /// example is the call.
    Everywhere,
    /// `Symbol` and `NDArray`, as [`Scope::Everywhere`]: no input of `network!` has so few elements.
    RunTime,
    /// The compiled network, when these numbers are given for its symbols.
    Bind(&'static [(&'static str, i64)]),
    /// The network, when it is bound with these numbers: its operators are the user's, and known no earlier.
    Operators(&'static [(&'static str, i64)]),
    /// The compiler, when it evaluates the constants of what `network!` has become.
    Constants,
    /// The network `net`, bound with `N = 4`, in the first statement; in the second one all is well.
    Run(&'static str, &'static str),
    /// `network!`, while this environment variable has this value.
    Environment(&'static str, &'static str),
}

impl Entry {
    /// All entries, by code.
    pub fn all() -> impl Iterator<Item = &'static Entry> {
        let areas = [
            shapes::ENTRIES,
            options::ENTRIES,
            names::ENTRIES,
            types::ENTRIES,
            blocks::ENTRIES,
            composition::ENTRIES,
            symbols::ENTRIES,
            training::ENTRIES,
            binding::ENTRIES,
            grammar::ENTRIES,
            operators::ENTRIES,
        ];
        areas.into_iter().flatten()
    }

    /// The entry of a code.
    ///
    /// ```
    /// use mxr_graph::catalogue::{Code, Entry};
    /// assert_eq!(Entry::of(Code::KernelDoesNotFit).title, "A window is larger than what it slides over");
    /// ```
    pub fn of(code: Code) -> &'static Entry {
        Entry::all().find(|e| e.code == code).expect("every code has an entry")
    }
}

impl Case {
    /// The wrong example as it stands in `network!( … )`.
    pub fn wrong(&self) -> String {
        self.source(self.wrong)
    }

    /// The right example as it stands in `network!( … )`.
    pub fn right(&self) -> String {
        self.source(self.right)
    }

    fn source(&self, body: &str) -> String {
        let whole = match self.inputs {
            "" => body.to_string(),
            inputs => format!("pub fn Net({inputs}) {{\n{body}\n}}"),
        };
        let (mut out, mut depth) = (String::new(), 0usize);
        for line in whole.lines().map(str::trim) {
            let closing = line.starts_with(['}', ')']);
            let indent = depth.saturating_sub(usize::from(closing));
            if !line.is_empty() {
                out.push_str(&" ".repeat(4 * indent));
            }
            out.push_str(line);
            out.push('\n');
            let count = |signs: [char; 2]| line.matches(signs).count();
            depth = (depth + count(['{', '('])).saturating_sub(count(['}', ')']));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_entry_and_they_are_in_order() {
        let codes: Vec<Code> = Entry::all().map(|e| e.code).collect();
        assert_eq!(codes, Code::ALL);
        assert!(codes.windows(2).all(|w| w[0] < w[1]));
        assert!(codes.len() >= 80, "{} mistakes", codes.len());
    }

    #[test]
    fn entries_say_what_they_must() {
        for e in Entry::all() {
            assert!(!e.title.is_empty() && !e.title.ends_with('.'), "{}: {}", e.code, e.title);
            assert!(e.rule.ends_with('.'), "{}: {}", e.code, e.rule);
            assert!(e.elsewhere.ends_with('.'), "{}: {}", e.code, e.elsewhere);
            assert!(!e.cases.is_empty(), "{}", e.code);
            for c in e.cases {
                assert!(
                    !c.says.is_empty() && c.wrong != c.right
                        || matches!(c.scope, Scope::Bind(_) | Scope::Run(..) | Scope::Environment(..))
                );
            }
        }
    }

    #[test]
    fn examples_are_indented_by_their_braces() {
        let case = Case {
            inputs: "x: Tensor<N, 4>",
            wrong: "for i in 0..2 {
                        x = relu(x);
                    }
                    x",
            at: "",
            says: "",
            right: "x",
            scope: Scope::Language,
        };
        let wrong =
            "pub fn Net(x: Tensor<N, 4>) {\n    for i in 0..2 {\n        x = relu(x);\n    }\n    x\n}\n";
        assert_eq!(case.wrong(), wrong);
        assert_eq!(case.right(), "pub fn Net(x: Tensor<N, 4>) {\n    x\n}\n");
    }
}
