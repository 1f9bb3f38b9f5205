//! What an editor is shown, as text: the part of the promise that needs no server. `ui-tests/tests/editor` asks a real one.

use crate::errors::Faults;
use crate::expand::expanded;
use crate::expand::tests::zoo;
use crate::expand::typing::SOURCE;
use proc_macro2::TokenStream;
use std::str::FromStr;
use std::time::{Duration, Instant};

/// What a text becomes for an editor.
fn shown(text: &str) -> (String, usize) {
    let mut faults = Faults::default();
    let out = expanded(TokenStream::from_str(text).expect("balanced tokens"), true, &mut faults);
    (out.to_string(), faults.len())
}

#[test]
fn the_compiler_gets_nothing_of_it() {
    assert!(!super::is_asking());
    for (name, source) in zoo() {
        let text = |editor| expanded(source.clone(), editor, &mut Faults::default()).to_string();
        let (compiler, editor) = (text(false), text(true));
        assert!(!compiler.contains("__ide"), "{name}");
        assert!(editor.starts_with("# [allow"), "{name}: {}", &editor[..100]);
        // And an editor nothing of the tables.
        assert!(compiler.contains("static TRAIN") && !editor.contains("static TRAIN"), "{name}");
    }
}

#[test]
fn bodies_are_restated_with_what_is_known() {
    let (text, faults) = shown(SOURCE);
    assert_eq!(faults, 0);
    for part in [
        // A layer: its constant and its local; the options by name.
        "let pool1 : __Net :: shape_",
        "__set (max_pool :: < __Net :: shape_",
        "__ide :: opts :: MaxPool { kernel : __any (2) , stride : __any (2) ,",
        "__of (pool1 , Net :: pool1)",
        // Shapes, symbols, holes, in the module behind.
        "= :: mxr :: __ide :: Tensor < (N , _16 , _16 , _16 ,) > ;",
        "pub struct N ;",
        "`_` is 32, inferred.",
        // An input, a name of a loop.
        "__any :: < __Net :: inputs > (()) . label",
        "`filters`: 16, 32",
    ] {
        assert!(text.contains(part), "there is no `{part}` in\n{text}");
    }
}

/// What an editor waits for at each key press, printed; the bound is for slow machines.
#[test]
fn an_edit_is_restated_quickly() {
    let whole = zoo().into_iter().find(|(name, _)| name == "resnet").expect("in the zoo").1.to_string();
    let sound = whole.find("let stem = relu").expect("a line");
    let edited = format!(
        "{}let stem = re ;{}",
        &whole[..sound],
        &whole[sound + whole[sound..].find(';').expect("an end") + 1..]
    );
    let marked = edited.replace("stem = re ;", &format!("stem = re{} ;", super::MARKS[0]));
    for (what, text) in [("whole", &whole), ("edited", &edited), ("to be completed", &marked)] {
        let tokens = TokenStream::from_str(text).expect("balanced");
        let run = |_| {
            let start = Instant::now();
            let out = expanded(tokens.clone(), true, &mut Faults::default());
            (start.elapsed(), out.to_string().len())
        };
        let (took, bytes) = (0..10).map(run).min().expect("ten runs");
        println!("resnet, {what}: {took:.1?}, {bytes} bytes");
        assert!(took < Duration::from_millis(500), "{what}: {took:?}");
    }
}

/// The words of the bodies by their places, but for those that are keywords, and for names where they are made.
fn words() -> Vec<(usize, usize)> {
    let letter = |c: char| c.is_alphanumeric() || c == '_';
    let (mut out, mut at) = (Vec::new(), 0);
    let mut before = String::new();
    let mut depth = 0usize;
    while at < SOURCE.len() {
        let rest = &SOURCE[at..];
        let end = rest.find(|c: char| !letter(c)).unwrap_or(rest.len());
        let c = rest.chars().next().unwrap_or(' ');
        if end == 0 {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            if !c.is_whitespace() && !matches!(c, '(' | ',') {
                before.clear();
            }
            at += c.len_utf8();
            continue;
        }
        let word = &rest[..end];
        let keyword = ["let", "for", "in", "if", "else", "false", "true"].contains(&word);
        let made = matches!(before.as_str(), "let" | "for");
        let assigned =
            SOURCE[at + end..].trim_start().starts_with("= ") && SOURCE[..at].ends_with("        ");
        let value = ["same"].contains(&word);
        if depth > 0 && !keyword && !made && !assigned && !value && !c.is_ascii_digit() && word != "_" {
            out.push((at, at + end));
        }
        if keyword {
            before = word.to_string();
        } else if !made {
            before.clear();
        }
        at += end;
    }
    out
}

/// An editor looks up what surrounds a name at the same place in the expansion without its mark.
#[test]
fn a_mark_changes_nothing_in_front_of_it() {
    let mark = super::MARKS[0];
    let (plain, _) = shown(SOURCE);
    let words = words();
    assert!(words.len() > 40, "{}", words.len());
    for (start, end) in words {
        // Typed to its end, and one letter of it.
        for upto in [end, start + 1] {
            let marked = shown(&format!("{}{mark}{}", &SOURCE[..upto], &SOURCE[end..])).0;
            let actual = match upto == end {
                true => plain.clone(),
                false => shown(&format!("{}{}", &SOURCE[..upto], &SOURCE[end..])).0,
            };
            let word = &SOURCE[start..upto];
            let at = marked.find(&format!("{word}{mark}"));
            let at = at.unwrap_or_else(|| panic!("`{word}` at {start} is not restated: {marked}"));
            assert!(actual.starts_with(&marked[..at]), "`{word}` at {start}:\n{}\n{actual}", &marked[..at]);
            // Something with a name stands there.
            let there: String =
                actual[at..].chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            assert!(there.len() >= word.len(), "`{word}` at {start}: {}", &actual[at..at + 40]);
        }
    }
}
