//! Half-typed code: whatever is being typed costs one message, and what is around it keeps its meaning.

use super::expanded;
use crate::errors::Faults;
use proc_macro2::TokenStream;
use std::str::FromStr;

/// A source whose every token is typed anew.
pub(crate) const SOURCE: &str = "
const WIDTH: usize = 16;
fn conv_bn(x: Tensor<N, C, _, _>, filters: usize, stride: usize) {
    batch_norm(conv2d(x, filters, kernel = (3, 3), stride = stride, pad = same, bias = false))
}
pub fn Net(data: Tensor<N, 3, 32, 32>, label: Tensor<N, i64>) {
    let x = conv_bn(data, WIDTH, 1);
    for (filters, stride) in [(WIDTH, 1), (2 * WIDTH, 1)] {
        x = conv_bn(x, filters, stride = stride);
        x = relu(x + 0.5 * x);
    }
    let (left, right) = split(x, 2);
    let pool1 = max_pool(left + right, kernel = 2, stride = 2);
    let fc = pool1.global_avg_pool().flatten().dense(10);
    let scores = if WIDTH == 16 { tanh(fc) } else { fc };
    (softmax_cross_entropy(scores, label), reshape(right, [N, 16384]))
}
pub fn Other(data: Tensor<N, 8>) {
    let fc1 = dense(data, 4);
    relu(fc1)
}";

/// The first lines of the faults of a text, and what it becomes.
fn expansion(text: &str) -> (Vec<String>, String) {
    let mut faults = Faults::default();
    let tokens = TokenStream::from_str(&repair(text)).expect("balanced by now");
    let out = expanded(tokens, false, &mut faults);
    let first = |m: String| m.lines().next().unwrap_or_default().to_string();
    (faults.list().iter().map(|f| first(f.message())).collect(), out.to_string())
}

/// Words and signs of the text by their places.
fn tokens(text: &str) -> Vec<(usize, usize)> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let mut out: Vec<(usize, usize)> = Vec::new();
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        match out.last_mut() {
            Some((start, end)) if *end == at && word(c) && text[*start..].starts_with(word) => *end = at + 1,
            _ => out.push((at, at + c.len_utf8())),
        }
    }
    out
}

/// The text without a token, and with only the first half of it on an unfinished line.
fn edits(at: (usize, usize)) -> [String; 2] {
    let (start, end) = at;
    let line = SOURCE[end..].find('\n').map_or(SOURCE.len(), |n| end + n);
    let half = start + (end - start).div_ceil(2);
    [format!("{}{}", &SOURCE[..start], &SOURCE[end..]), format!("{}{}", &SOURCE[..half], &SOURCE[line..])]
}

#[test]
fn what_is_being_typed_costs_one_message() {
    assert_eq!(expansion(SOURCE).0, [""; 0]);
    let (mut count, mut dear) = (0, Vec::new());
    for at in tokens(SOURCE) {
        for text in edits(at) {
            let (faults, _) = expansion(&text);
            count += 1;
            if faults.len() > 1 {
                dear.push(format!("`{}` at {}: {faults:#?}", &SOURCE[at.0..at.1], at.0));
            }
        }
    }
    println!("{count} edits, {} with more than one message", dear.len());
    // A number that is half-typed is another number, and a sign that is missing can make two faults that are both true.
    assert!(dear.len() * 100 <= count * 4, "{} of {count} edits:\n{}", dear.len(), dear.join("\n"));
}

#[test]
fn what_is_around_keeps_its_types() {
    let layers = ["pub const x :", "pub const pool1 :", "pub const fc :", "pub const scores :"];
    let (from, to) = (SOURCE.find("let x").expect("a line"), SOURCE.find("(softmax").expect("a line"));
    // Where a body ends that is not closed, nobody knows.
    for at in tokens(SOURCE).into_iter().filter(|at| &SOURCE[at.0..at.1] != "}") {
        for text in edits(at) {
            let (faults, out) = expansion(&text);
            // The other network is whole whatever is typed in this one.
            let other =
                out.contains("pub struct Other") && out.contains("`fc1`: dense → `[N, 4]`, 36 parameters");
            assert!(other || at.1 > SOURCE.find("pub fn Other").expect("a network"), "{text}\n{faults:#?}");
            if (from..to).contains(&at.0) && at.1 < to {
                assert!(out.contains("pub struct Net"), "{text}\n{faults:#?}");
                // All layers but those of the statement at hand.
                let there = layers.iter().filter(|l| out.contains(**l)).count();
                assert!(there + 1 >= layers.len(), "{text}\n{faults:#?}");
            }
        }
    }
}

/// Unbalanced text as an editor's server repairs it: a closing sign that fits nothing goes, what is open is closed before the next
/// closing sign of another kind.
fn repair(text: &str) -> String {
    let mut out = String::new();
    let mut open: Vec<char> = Vec::new();
    for c in text.chars() {
        match c {
            '(' => open.push(')'),
            '[' => open.push(']'),
            '{' => open.push('}'),
            ')' | ']' | '}' => {
                if open.contains(&c) {
                    while let Some(o) = open.pop() {
                        if o == c {
                            break;
                        }
                        out.push(o);
                    }
                } else {
                    continue;
                }
            }
            _ => {}
        }
        out.push(c);
    }
    while let Some(o) = open.pop() {
        out.push(o);
    }
    out
}
