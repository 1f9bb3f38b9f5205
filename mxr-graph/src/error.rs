//! What is wrong with a network, as a value. The same error speaks in `network!`, in `Symbol` and in `NDArray`.

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
    /// The operator.
    pub op: &'static str,
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

impl fmt::Display for ShapeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.layer.is_empty() {
            write!(f, "`{}`: ", self.layer)?;
        }
        write!(f, "{}: {}", self.op, self.message)?;
        if let Some(help) = &self.help {
            write!(f, "\n  = help: {help}")?;
        }
        for note in &self.notes {
            write!(f, "\n  = note: {note}")?;
        }
        Ok(())
    }
}

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
