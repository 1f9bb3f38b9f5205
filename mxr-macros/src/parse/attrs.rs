//! Attributes: those of the language are read, the others are handed on.

use super::{Cursor, Parser, describe};
use crate::ast::{Attr, Call, ExprKind, LayerMarks, Marks, MemoryLimit};
use crate::errors::Spans;
use mxr_graph::catalogue::Code;
use proc_macro2::{Delimiter, Group, Ident, Span, TokenStream, TokenTree};

const UNITS: [(&str, u64); 5] =
    [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("TiB", 1 << 40)];
const EXAMPLE: &str = "`#[memory(batch = 64, max = \"2 GiB\")]`";

impl Parser<'_> {
    /// Attributes and docs; those of the language apart.
    pub(super) fn attrs(&mut self, cursor: &mut Cursor) -> (Vec<Attr>, Marks) {
        let (mut attrs, mut marks) = (Vec::new(), Marks::default());
        while cursor.at_op("#") && cursor.at_group(1, Delimiter::Bracket) {
            let hash = cursor.next();
            let Some(group) = cursor.eat_group(Delimiter::Bracket) else { break };
            let word = first_word(&group);
            if let Some(word) = word.clone().filter(|w| w == "defaults") {
                marks.defaults = self.defaults(&group, word).or(marks.defaults);
                continue;
            }
            let (name, at) = word.map_or((String::new(), group.span()), |w| (w.to_string(), w.span()));
            match name.as_str() {
                "predict" => {
                    if let Some(more) = group.stream().into_iter().nth(1) {
                        let help = "`#[predict]`";
                        self.faults.push_help(
                            Code::LayerAttribute,
                            more.span(),
                            "`predict` takes no value",
                            help,
                        );
                    }
                    marks.predict = Some(at);
                }
                "recompute" | "frozen" | "no_decay" | "lr" | "device" => {
                    self.layer_attribute(&group, &name, at, &mut marks.layer);
                }
                "same_as" => marks.same_as = self.same_as(&group, at).or(marks.same_as),
                "memory" if marks.memory.is_some() => {
                    self.faults.push(Code::GivenTwice, at, "`#[memory]` stands here twice");
                }
                "memory" => marks.memory = self.memory(&group, at),
                _ => {
                    let mut tokens = TokenStream::from_iter(hash);
                    tokens.extend([TokenTree::Group(group)]);
                    attrs.push(Attr { name, at, tokens });
                }
            }
        }
        (attrs, marks)
    }

    /// Attributes where nothing becomes of them: those that only speak to readers and to the compiler are let through.
    pub(super) fn no_attrs(&mut self, attrs: &[Attr], marks: &Marks, what: &str) {
        let defaults = marks.defaults.iter().map(|c| ("defaults", c.name.span()));
        let memory = marks.memory.iter().map(|m| ("memory", m.at.first));
        let same_as = marks.same_as.iter().map(|(at, _)| ("same_as", *at));
        let own =
            marks.predict.iter().map(|at| ("predict", *at)).chain(defaults).chain(memory).chain(same_as);
        let own = own.chain(marks.layer.named());
        let own = own.map(|(name, at)| (name.to_string(), at));
        let others = attrs.iter().filter(|a| !a.is_silent()).map(|a| (a.name.clone(), a.at));
        for (name, at) in own.chain(others) {
            self.faults.push(Code::UnknownAttribute, at, format!("`#[{name}]` says nothing about {what}"));
        }
    }

    /// `defaults(stride = 1, pad = same)`.
    fn defaults(&mut self, group: &Group, word: Ident) -> Option<Call> {
        let mut inside = Cursor::of(group);
        inside.next();
        let Some(list) = inside.eat_group(Delimiter::Parenthesis) else {
            let text = "`defaults` needs the options and their values";
            self.faults.push_help(Code::DefaultValue, word.span(), text, "`#[defaults(stride = 1)]`");
            return None;
        };
        let (before, written) = (self.faults.len(), self.call(&mut inside, None, word, &list));
        let ExprKind::Call(call) = written.kind else { return None };
        if let (Some(arg), true) = (call.args.iter().find(|a| a.name.is_none()), self.faults.len() == before)
        {
            let text = "which option is this the default of?";
            self.faults.push_help(Code::DefaultValue, arg.value.at, text, "`#[defaults(stride = 1)]`");
        }
        Some(call)
    }

    /// `same_as(crate::CLASSES)`.
    fn same_as(&mut self, group: &Group, at: Span) -> Option<(Span, TokenStream)> {
        let mut inside = Cursor::of(group);
        inside.next();
        let path = inside.eat_group(Delimiter::Parenthesis).map(|g| g.stream()).unwrap_or_default();
        let part = |t: &TokenTree| match t {
            TokenTree::Ident(_) => true,
            TokenTree::Punct(p) => p.as_char() == ':',
            _ => false,
        };
        let named = matches!(path.clone().into_iter().last(), Some(TokenTree::Ident(_)));
        if !named || !path.clone().into_iter().all(|t| part(&t)) || !inside.is_empty() {
            let text = "`same_as` needs the path of a constant";
            self.faults.push_help(Code::LayerAttribute, at, text, "`#[same_as(crate::CLASSES)]`");
            return None;
        }
        Some((at, path))
    }

    /// `frozen`, `lr(0.1)` and so on; what is wrong with it is said.
    fn layer_attribute(&mut self, group: &Group, name: &str, at: Span, marks: &mut LayerMarks) {
        let mut inside = Cursor::of(group);
        inside.next();
        let value = inside.eat_group(Delimiter::Parenthesis);
        let more = inside.peek(0).map(|_| inside.here());
        let number = matches!(name, "lr" | "device");
        let wrong = match (&value, more) {
            (None, _) if number => Some(Spans::from(at)),
            (Some(value), _) if !number => Some(Spans { first: value.span_open(), last: value.span_close() }),
            (_, Some(more)) => Some(more.into()),
            _ => None,
        };
        if let Some(wrong) = wrong {
            let (text, help) = match name {
                "lr" => ("`lr` needs a factor on the learning rate".to_string(), "`#[lr(0.1)]`".to_string()),
                "device" => ("`device` needs a number".to_string(), "`#[device(1)]`".to_string()),
                _ => (format!("`{name}` takes no value"), format!("`#[{name}]`")),
            };
            self.faults.push_help(Code::LayerAttribute, wrong, text, help);
            return;
        }
        if marks.named().any(|(known, _)| known == name) {
            self.faults.push(Code::LayerAttribute, at, format!("`#[{name}]` stands here twice"));
            return;
        }
        match name {
            "recompute" => marks.recompute = Some(at),
            "frozen" => marks.frozen = Some(at),
            "no_decay" => marks.no_decay = Some(at),
            _ => {
                let Some(value) = value else { return };
                let mut inside = Cursor::of(&value);
                let number = self.expr(&mut inside);
                if !inside.is_empty() {
                    let text = format!("`{name}` takes one number");
                    self.faults.push(Code::LayerAttribute, inside.here(), text);
                } else if name == "lr" {
                    marks.lr = Some((at, number));
                } else if matches!(number.kind, ExprKind::Int(n) if n >= 0) {
                    self.faults.push_help(
                        Code::DeviceAttribute,
                        Spans::from(at).to(value.span_close()),
                        "layers cannot be put on devices one by one: a network runs on one device",
                        "leave it out; `BindOptions::device` says where the whole network runs",
                    );
                } else if !matches!(number.kind, ExprKind::Error(_)) {
                    let text =
                        format!("`device` takes the number of a device, 0 or more, not {}", number.short());
                    self.faults.push_help(Code::LayerAttribute, number.at, text, "`#[device(1)]`");
                }
            }
        }
    }

    /// `memory(batch = 64, max = "2 GiB")`; `None` when something is wrong, which has been said.
    fn memory(&mut self, group: &Group, at: Span) -> Option<MemoryLimit> {
        let mut inside = Cursor::of(group);
        inside.next();
        let Some(list) = inside.eat_group(Delimiter::Parenthesis) else {
            self.faults.push_help(Code::MemoryAttribute, at, "`memory` needs a batch and a limit", EXAMPLE);
            return None;
        };
        let (mut max, mut sizes) = (None, Vec::new());
        let (before, mut cursor) = (self.faults.len(), Cursor::of(&list));
        while !cursor.is_empty() {
            let Some(key) = cursor.eat_ident() else {
                let found = cursor.peek(0).map(describe).unwrap_or_default();
                self.faults.push_help(
                    Code::MemoryAttribute,
                    cursor.here(),
                    format!("expected a name, found {found}"),
                    EXAMPLE,
                );
                return None;
            };
            let value = if cursor.at_assign(0) {
                cursor.next();
                cursor.unwrap_invisible();
                cursor.next()
            } else {
                None
            };
            let Some(TokenTree::Literal(value)) = value else {
                self.faults.push_help(
                    Code::MemoryAttribute,
                    key.span(),
                    format!("`{key}` needs a value"),
                    EXAMPLE,
                );
                return None;
            };
            let text = value.to_string();
            if key == "max" && max.is_some() {
                self.faults.push(Code::GivenTwice, key.span(), "`max` is given twice");
            } else if key == "max" {
                let quoted = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(&text);
                match bytes(quoted) {
                    Ok(bytes) => max = Some((bytes, quoted.to_string())),
                    Err(help) => {
                        self.faults.push_help(
                            Code::MemoryUnit,
                            value.span(),
                            format!("{text} is no amount of memory"),
                            help,
                        );
                    }
                }
            } else {
                match text.replace('_', "").parse::<i64>() {
                    Ok(n) if n > 0 => sizes.push((key, n)),
                    _ => {
                        let text = format!("`{key}` must be a number above 0, not {text}");
                        self.faults.push_help(Code::MemoryAttribute, value.span(), text, EXAMPLE);
                    }
                }
            }
            if !cursor.is_empty() && !cursor.eat(",") {
                self.faults.push(Code::NoComma, cursor.here(), "expected `,` and the next size");
                return None;
            }
        }
        if self.faults.len() > before {
            return None;
        }
        let Some((max, text)) = max else {
            self.faults.push_help(Code::MemoryAttribute, at, "`memory` needs a limit, `max`", EXAMPLE);
            return None;
        };
        Some(MemoryLimit { at: Spans::from(at).to(list.span_close()), max, text, sizes })
    }
}

/// The first word between the brackets.
fn first_word(group: &Group) -> Option<Ident> {
    match group.stream().into_iter().next() {
        Some(TokenTree::Ident(word)) => Some(word),
        _ => None,
    }
}

/// The bytes of `2 GiB`, `1.5GiB`, `800 MiB`; or what would be right.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = (&text[..split], text[split..].trim());
    let known = UNITS.iter().find(|(u, _)| *u == unit);
    let near = UNITS.iter().find(|(u, _)| {
        let (a, b) = (u.to_lowercase(), unit.to_lowercase());
        a == b || a.replace('i', "") == b || a.starts_with(&b) && !b.is_empty()
    });
    match (known, number.parse::<f64>()) {
        (Some((_, unit)), Ok(n)) if n > 0.0 && n * (*unit as f64) < 1e18 => Ok((n * *unit as f64) as u64),
        (None, Ok(_)) if near.is_some() => {
            Err(format!("did you mean \"{number} {}\"?", near.map_or("", |(u, _)| u)))
        }
        _ => Err("a number and one of B, KiB, MiB, GiB, TiB: \"2 GiB\"".to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_of_memory() {
        assert_eq!(bytes("2 GiB"), Ok(2 << 30));
        assert_eq!(bytes("1.5KiB"), Ok(1536));
        assert_eq!(bytes(" 800 MiB "), Ok(800 << 20));
        assert_eq!(bytes("7 B"), Ok(7));
        for (wrong, near) in [("2 GB", "2 GiB"), ("3 mib", "3 MiB"), ("4 G", "4 GiB")] {
            assert_eq!(bytes(wrong), Err(format!("did you mean \"{near}\"?")));
        }
        for wrong in ["", "2", "GiB", "-1 MiB", "0 MiB", "1.2.3 MiB", "9 furlongs"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }
}
