//! Reading token trees one by one, with the means to hand some back.

use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

/// The tokens of one group that are still to be read.
pub(super) struct Cursor {
    /// In reverse: the next token is the last.
    rest: Vec<TokenTree>,
    /// The last token read, or the opening delimiter.
    last: Span,
    /// The closing delimiter.
    end: Span,
}

impl Cursor {
    pub(super) fn new(stream: TokenStream, open: Span, end: Span) -> Cursor {
        let mut rest: Vec<TokenTree> = stream.into_iter().collect();
        rest.reverse();
        Cursor { rest, last: open, end }
    }

    pub(super) fn of(group: &Group) -> Cursor {
        Cursor::new(group.stream(), group.span_open(), group.span_close())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.rest.len()
    }

    /// The token `n` places ahead.
    pub(super) fn peek(&self, n: usize) -> Option<&TokenTree> {
        self.rest.len().checked_sub(n + 1).map(|at| &self.rest[at])
    }

    pub(super) fn next(&mut self) -> Option<TokenTree> {
        let token = self.rest.pop()?;
        self.last = match &token {
            TokenTree::Group(g) => g.span_close(),
            other => other.span(),
        };
        Some(token)
    }

    /// The span of the next token, or of the closing delimiter.
    pub(super) fn here(&self) -> Span {
        match self.rest.last() {
            Some(TokenTree::Group(g)) => g.span_open(),
            Some(t) => t.span(),
            None => self.end,
        }
    }

    /// The span of the last token read.
    pub(super) fn last(&self) -> Span {
        self.last
    }

    /// The closing delimiter.
    pub(super) fn end(&self) -> Span {
        self.end
    }

    /// What is left of `other` is read next.
    pub(super) fn give_back(&mut self, other: Cursor) {
        self.rest.extend(other.rest);
    }

    /// Tokens in a group without delimiters (from a `macro_rules` variable) stand for themselves.
    pub(super) fn unwrap_invisible(&mut self) {
        while let Some(TokenTree::Group(g)) = self.rest.last()
            && g.delimiter() == Delimiter::None
        {
            let inner = Cursor::of(g);
            self.rest.pop();
            self.rest.extend(inner.rest);
        }
    }

    pub(super) fn ident(&self, n: usize) -> Option<&Ident> {
        match self.peek(n) {
            Some(TokenTree::Ident(i)) => Some(i),
            _ => None,
        }
    }

    pub(super) fn at_word(&self, word: &str) -> bool {
        self.ident(0).is_some_and(|i| i == word)
    }

    pub(super) fn at_group(&self, n: usize, delimiter: Delimiter) -> bool {
        matches!(self.peek(n), Some(TokenTree::Group(g)) if g.delimiter() == delimiter)
    }

    /// Whether the next tokens are the characters of `op`, joined.
    pub(super) fn at_op(&self, op: &str) -> bool {
        let last = op.len() - 1;
        op.chars().enumerate().all(|(n, c)| match self.peek(n) {
            Some(TokenTree::Punct(p)) => {
                p.as_char() == c && (n == last || p.spacing() == proc_macro2::Spacing::Joint)
            }
            _ => false,
        })
    }

    /// `=` that is not `==` or `=>`.
    pub(super) fn at_assign(&self, n: usize) -> bool {
        let eq = |n: usize, c: char| matches!(self.peek(n), Some(TokenTree::Punct(p)) if p.as_char() == c);
        let joint =
            matches!(self.peek(n), Some(TokenTree::Punct(p)) if p.spacing() == proc_macro2::Spacing::Joint);
        eq(n, '=') && !(joint && (eq(n + 1, '=') || eq(n + 1, '>')))
    }

    /// Reads the operator, if it is next.
    pub(super) fn eat(&mut self, op: &str) -> bool {
        let found = self.at_op(op);
        if found {
            for _ in 0..op.len() {
                self.next();
            }
        }
        found
    }

    pub(super) fn eat_word(&mut self, word: &str) -> Option<Span> {
        if !self.at_word(word) {
            return None;
        }
        self.next().map(|t| t.span())
    }

    pub(super) fn eat_ident(&mut self) -> Option<Ident> {
        self.ident(0)?;
        match self.next() {
            Some(TokenTree::Ident(i)) => Some(i),
            _ => None,
        }
    }

    pub(super) fn eat_group(&mut self, delimiter: Delimiter) -> Option<Group> {
        if !self.at_group(0, delimiter) {
            return None;
        }
        match self.next() {
            Some(TokenTree::Group(g)) => Some(g),
            _ => None,
        }
    }

    /// Whether the next token begins a statement or an item, so that whatever came before it has ended.
    pub(super) fn at_restart(&self) -> bool {
        self.is_restart(0)
    }

    /// The same of the token `n` places ahead.
    pub(super) fn is_restart(&self, n: usize) -> bool {
        match self.peek(n) {
            Some(TokenTree::Punct(p)) => p.as_char() == ';',
            Some(TokenTree::Ident(i)) => {
                ["let", "for", "fn", "pub", "const", "extern"].iter().any(|w| i == w)
            }
            _ => false,
        }
    }
}
