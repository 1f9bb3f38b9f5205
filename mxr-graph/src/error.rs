//! What is wrong with a network, as a value. The same error speaks in `network!`, in `Symbol` and in `NDArray`.

use crate::catalogue::Code;
use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// The part of a call that is wrong; the macro finds the user's token with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The whole call.
    Call,
    /// The operand of this number.
    Input(usize),
    /// The option of this name.
    Option(&'static str),
}

/// An operator does not accept what it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShapeError {
    /// Which mistake it is, for the error index.
    pub code: Code,
    /// The operator.
    pub op: Cow<'static, str>,
    /// The layer, where it has a name.
    pub layer: String,
    /// The part of the call.
    pub at: At,
    /// What is wrong, with the numbers; one sentence without the operator's name in front.
    pub message: String,
    /// The nearest change that would work.
    pub help: Option<String>,
    /// Where the shapes came from: ``"`data` is [N, 1, 5, 5]"``.
    pub notes: Vec<String>,
}

/// "`conv1`: conv2d: kernel 7 does not fit", but "conv2d has no option": one sentence.
impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.headline(), self.code)?;
        f.write_str(&self.details())
    }
}

impl ShapeError {
    /// What is wrong, without the code: layer, operator, message.
    pub fn headline(&self) -> String {
        let mut text = String::new();
        if !self.layer.is_empty() {
            text.push_str(&format!("`{}`: ", self.layer));
        }
        let sentence = VERBS.iter().any(|v| self.message.starts_with(v));
        text.push_str(&self.op);
        text.push_str(if sentence { " " } else { ": " });
        text.push_str(&self.message);
        text
    }

    /// The lines below the headline: help and notes, each after a line break.
    pub fn details(&self) -> String {
        let mut text = String::new();
        if let Some(help) = &self.help {
            text.push_str(&format!("\n  = help: {help}"));
        }
        for note in &self.notes {
            text.push_str(&format!("\n  = note: {note}"));
        }
        text
    }
}

/// With these a message goes on from the operator's name.
const VERBS: [&str; 9] =
    ["has ", "needs ", "takes ", "cannot ", "does ", "gives ", "makes ", "wants ", "expects "];

impl core::error::Error for ShapeError {}

/// Of `known`, the word nearest to `word`, when it is near enough to be meant.
///
/// ```
/// use mxr_graph::error::did_you_mean;
/// assert_eq!(did_you_mean("kernal", ["kernel", "stride"]), Some("kernel"));
/// assert_eq!(did_you_mean("zzz", ["kernel", "stride"]), None);
/// ```
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (distance(word, k), k))
        .filter(|(d, k)| *d <= 1 + k.len().min(word.len()) / 4)
        .min_by_key(|(d, _)| *d)
        .map(|(_, k)| k)
}

/// Edits (insert, delete, replace, swap of neighbours) that turn `a` into `b`, case aside.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().map(|c| c.to_ascii_lowercase()).collect();
    let b: Vec<char> = b.chars().map(|c| c.to_ascii_lowercase()).collect();
    let width = b.len() + 1;
    let mut table = alloc::vec![0usize; (a.len() + 1) * width];
    for i in 0..=a.len() {
        for j in 0..=b.len() {
            table[i * width + j] = if i == 0 || j == 0 {
                i + j
            } else {
                let change = table[(i - 1) * width + j - 1] + usize::from(a[i - 1] != b[j - 1]);
                let mut best = change.min(table[(i - 1) * width + j] + 1).min(table[i * width + j - 1] + 1);
                if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                    best = best.min(table[(i - 2) * width + j - 2] + 1);
                }
                best
            };
        }
    }
    table[a.len() * width + b.len()]
}
