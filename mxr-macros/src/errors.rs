//! What is wrong, and where: faults are collected, so that independent ones are all reported, and become
//! `compile_error!` on the user's tokens.

use mxr_graph::catalogue::Code;
use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// A stretch of the user's tokens: the first and the last of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spans {
    pub(crate) first: Span,
    pub(crate) last: Span,
}

impl From<Span> for Spans {
    fn from(span: Span) -> Spans {
        Spans { first: span, last: span }
    }
}

impl Spans {
    /// From the first token of `self` to the last of `other`.
    pub(crate) fn to(self, other: impl Into<Spans>) -> Spans {
        Spans { first: self.first, last: other.into().last }
    }
}

/// One message on one stretch of tokens.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) code: Code,
    pub(crate) at: Spans,
    /// One sentence, then lines `  = help: …` and `  = note: …`.
    pub(crate) text: String,
}

impl Fault {
    /// As the compiler says it: the code ends the first line, where it is out of the way of the sentence and cannot be taken for a
    /// shape.
    pub(crate) fn message(&self) -> String {
        let (first, rest) = self.text.split_at(self.text.find('\n').unwrap_or(self.text.len()));
        format!("{first} ({}){rest}", self.code)
    }
}

/// The faults of one expansion in order of discovery.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    list: Vec<Fault>,
    /// Something was wrong with the statement that is being read: what else its grammar lacks follows from that.
    quiet: bool,
    /// What is being looked at was written elsewhere: faults stand at the call that led there.
    pub(crate) instead: Option<Spans>,
}

impl Faults {
    /// Report a fault.
    pub(crate) fn push(&mut self, code: Code, at: impl Into<Spans>, text: impl Into<String>) {
        if code.is_grammar() && self.quiet {
            return;
        }
        self.quiet = true;
        let fault = Fault { code, at: self.instead.unwrap_or(at.into()), text: text.into() };
        // A block that is called three times with one fault in it is wrong once; so is what gets longer and longer.
        let again = |f: &Fault| {
            same_place(f.at.first, fault.at.first)
                && (f.text == fault.text || same_place(f.at.last, fault.at.last))
        };
        if !self.list.iter().any(again) {
            self.list.push(fault);
        }
    }

    /// Report a fault with a line of help.
    pub(crate) fn push_help(
        &mut self,
        code: Code,
        at: impl Into<Spans>,
        text: impl AsRef<str>,
        help: impl AsRef<str>,
    ) {
        self.push(code, at, format!("{}\n  = help: {}", text.as_ref(), help.as_ref()));
    }

    /// Another statement begins, or with `true` goes on after something was wrong in it. Gives how it was before.
    pub(crate) fn begin(&mut self, quiet: bool) -> bool {
        std::mem::replace(&mut self.quiet, quiet)
    }

    /// Whether something is half-typed, from fault number `from` on.
    pub(crate) fn is_half(&self, from: usize) -> bool {
        self.list[from..].iter().any(|f| f.code.is_grammar())
    }

    /// Whether there is a fault with this code from number `from` on.
    pub(crate) fn has(&self, from: usize, code: Code) -> bool {
        self.list[from..].iter().any(|f| f.code == code)
    }

    /// Takes back the faults from number `from` on that are of these kinds: consequences of one that has been said.
    pub(crate) fn forgive(&mut self, from: usize, codes: &[Code]) {
        self.forgive_if(from, |code| codes.contains(&code));
    }

    /// Takes back the faults from number `from` on whose code is accepted.
    pub(crate) fn forgive_if(&mut self, from: usize, accept: impl Fn(Code) -> bool) {
        let mut at = 0;
        self.list.retain(|f| {
            at += 1;
            at <= from || !accept(f.code)
        });
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// All of them.
    #[cfg(test)]
    pub(crate) fn list(&self) -> &[Fault] {
        &self.list
    }

    /// One `compile_error!` per fault.
    pub(crate) fn to_tokens(&self) -> TokenStream {
        self.list.iter().flat_map(compile_error).collect()
    }
}

/// Spans have no equality on stable; their debug text names the file and the byte range.
fn same_place(a: Span, b: Span) -> bool {
    format!("{a:?}") == format!("{b:?}")
}

/// `::core::compile_error! { "…" }` with the path on the first token and the braces on the last: rustc underlines all
/// that lies between.
fn compile_error(fault: &Fault) -> TokenStream {
    let Spans { first, last } = fault.at;
    let punct = |c, spacing| {
        let mut p = Punct::new(c, spacing);
        p.set_span(first);
        TokenTree::from(p)
    };
    let mut text = Literal::string(&fault.message());
    text.set_span(last);
    let mut braces = Group::new(Delimiter::Brace, TokenTree::from(text).into());
    braces.set_span(last);
    [
        punct(':', Spacing::Joint),
        punct(':', Spacing::Alone),
        Ident::new("core", first).into(),
        punct(':', Spacing::Joint),
        punct(':', Spacing::Alone),
        Ident::new("compile_error", first).into(),
        punct('!', Spacing::Alone),
        braces.into(),
    ]
    .into_iter()
    .collect()
}

/// "`a`, `b` and `c`".
pub(crate) fn join_names<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<String> = names.into_iter().map(|n| format!("`{n}`")).collect();
    match names.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_becomes_one_compile_error() {
        let mut faults = Faults::default();
        faults.push_help(Code::NotCalled, Span::call_site(), "`x` is wrong", "make it right");
        faults.push(Code::NotCalled, Span::call_site(), "`x` is wrong\n  = note: for another call");
        assert_eq!(faults.len(), 1);
        let text = faults.to_tokens().to_string();
        assert_eq!(
            text,
            ":: core :: compile_error ! { \"`x` is wrong (MXR0304)\\n  = help: make it right\" }"
        );
    }

    #[test]
    fn names_are_joined_as_one_says_them() {
        assert_eq!(join_names(["a"]), "`a`");
        assert_eq!(join_names(["a", "b", "c"]), "`a`, `b` and `c`");
    }
}
