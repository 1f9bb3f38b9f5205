//! From tokens to the tree: a parser of its own over token trees, because it has to go on after a fault. Whatever is
//! half-typed costs one message; all statements around it keep their meaning.

mod attrs;
mod cursor;
mod exprs;
mod external;
mod items;
mod stmts;
mod types;

use crate::ast::Source;
use crate::errors::Faults;
use cursor::Cursor;
use mxr_graph::catalogue::Code;
use proc_macro2::{Span, TokenStream, TokenTree};

/// Parses what stands inside `network!( … )`.
pub(crate) fn source(tokens: TokenStream, faults: &mut Faults) -> Source {
    let mut cursor = Cursor::new(tokens, Span::call_site(), Span::call_site());
    let mut parser = Parser { faults, source: Source::default(), depth: 0, open: false, lost: false };
    parser.items(&mut cursor);
    parser.source
}

/// The deepest nesting of expressions and blocks; the tree is walked recursively.
const MAX_DEPTH: u32 = 128;

struct Parser<'a> {
    faults: &'a mut Faults,
    source: Source,
    depth: u32,
    /// The body that is read has lost its braces: it ends where an item begins.
    open: bool,
    /// A loop or an assignment of the function that is read is half-typed.
    lost: bool,
}

impl Parser<'_> {
    /// Runs `f` one level deeper; too deep is a fault and gives `None`.
    fn deeper<T>(&mut self, at: Span, f: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            self.too_deep(at);
            return None;
        }
        self.depth += 1;
        let result = f(self);
        self.depth -= 1;
        Some(result)
    }

    fn too_deep(&mut self, at: impl Into<crate::errors::Spans>) {
        self.faults.push_help(
            Code::TooDeep,
            at,
            "this is nested too deeply",
            "give a part of it a name with `let`",
        );
    }

    /// Skips to the next statement or item, over a semicolon.
    fn skip_statement(&mut self, cursor: &mut Cursor) {
        // At least one token, so that nothing is looked at twice.
        cursor.next();
        while !cursor.is_empty() && !cursor.at_restart() {
            cursor.next();
        }
        cursor.eat(";");
    }
}

/// A token as a reader would name it.
fn describe(token: &TokenTree) -> String {
    match token {
        TokenTree::Group(g) => match g.delimiter() {
            proc_macro2::Delimiter::Parenthesis => "`(`".to_string(),
            proc_macro2::Delimiter::Brace => "`{`".to_string(),
            proc_macro2::Delimiter::Bracket => "`[`".to_string(),
            proc_macro2::Delimiter::None => "this".to_string(),
        },
        other => format!("`{other}`"),
    }
}

#[cfg(test)]
mod tests;
