//! From the tokens inside `network!( … )` to those it becomes.

use crate::ast::name_of;
use crate::editor;
use crate::elaborate::{self, Network, Reads, Seen};
use crate::emit;
use crate::errors::Faults;
use crate::imports::{self, Brought};
use crate::parse;
use mxr_graph::catalogue::Code;
use proc_macro2::TokenStream;
use std::collections::BTreeSet;

/// The expansion. A pure function of its tokens, whatever they are.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut faults = Faults::default();
    let editor = editor::is_asking();
    let out = expanded(input, editor, &mut faults);
    let faults = faults.to_tokens();
    // What an editor is shown has to begin at the same place whether there are faults or not.
    let (first, second) = if editor { (out, faults) } else { (faults, out) };
    first.into_iter().chain(second).collect()
}

/// What a source becomes apart from its faults, for the compiler or for an `editor`.
pub(crate) fn expanded(input: TokenStream, editor: bool, faults: &mut Faults) -> TokenStream {
    let (input, whole) = match imports::bring(&input, faults) {
        Some(Brought::Call(call)) => return call,
        Some(Brought::Without(rest)) => (rest, false),
        None => (input, true),
    };
    let mut source = parse::source(input.clone(), faults);
    source.half |= !whole;
    let completing = editor && editor::is_completing(&input);
    source.watched = editor && !completing;
    let source = source;
    elaborate::items(&source, faults);
    let mut out = TokenStream::new();
    let mut reads = Reads::new();
    let (mut seen, mut layers) = (Seen::default(), Vec::new());
    let mut operators = BTreeSet::new();
    let items = || source.fns.iter().enumerate().filter(|(_, f)| f.is_network());
    let mut networks: Vec<Network> =
        items().map(|(_, item)| elaborate::network(&source, item, faults)).collect();
    if completing {
        layers.extend(networks.iter().flat_map(emit::own_layers).cloned());
        // What is around the name is all that is looked at.
        return editor::shadow(&source, &seen, &layers, true);
    }
    if source.watched && faults.len() > 0 {
        // Somebody types and waits: what compiling finds out of the others can wait for the end of it.
        networks.iter_mut().for_each(|n| n.sound = false);
    }
    for ((at, item), mut network) in items().zip(networks) {
        let code = emit::network(item, &network, faults, source.watched);
        if source.watched {
            seen.merge(std::mem::take(&mut network.seen));
            layers.extend(emit::own_layers(&network).cloned());
        }
        // Two of one name have been reported: rustc would find each of their parts twice.
        if source.fns[..at].iter().all(|f| name_of(&f.name) != name_of(&item.name)) {
            out.extend(code);
        }
        operators.extend(network.operators.into_iter().map(|made| made.maker));
        for (place, (ident, read)) in network.reads {
            reads.entry(place).or_insert((ident, false)).1 |= read;
        }
    }
    out.extend(emit::constants(&elaborate::constants(&source, faults)));
    let reached = elaborate::reached(&source);
    let blocks = source.fns.iter().filter(|f| !f.is_network());
    let idle: Vec<_> = blocks.filter(|f| !reached.contains(&name_of(&f.name))).collect();
    let mut unread: Vec<_> = idle.iter().filter(|f| f.vis.is_empty()).map(|f| &f.name).collect();
    unread.extend(imports::idle(&source, &reached));
    for block in &idle {
        if block.external.is_some() {
            continue;
        }
        if block.vis.is_empty() || !block.could_be_network() {
            elaborate::block(&source, block, faults);
            continue;
        }
        let text =
            format!("`{0}` is `pub` and has the inputs of a network, but the name of a block", block.name);
        let network = camel_case(&name_of(&block.name));
        let help =
            format!("a network is called `{network}`, with a capital letter; networks may call it, too");
        faults.push_help(Code::SmallLetter, block.name.span(), text, help);
        // It is meant to be one, and what uses it need not fail as well.
        let mut network = elaborate::network(&source, block, faults);
        seen.merge(std::mem::take(&mut network.seen));
        // The compiler's own word on the letter would be a second one.
        out.extend(quote::quote!(#[allow(non_camel_case_types)]));
        out.extend(emit::network(block, &network, faults, source.watched));
    }
    out.extend(emit::makers(&source, &operators));
    out.extend(imports::leave(&input, &source, faults.len() == 0));
    if source.watched {
        // Lints are the compiler's.
        let mut all = editor::shadow(&source, &seen, &layers, false);
        all.extend(out);
        return all;
    }
    if faults.len() == 0 {
        out.extend(emit::unused(&reads, &unread));
    }
    out
}

/// `MyNet` for `my_net`.
fn camel_case(name: &str) -> String {
    let capital = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|c| c.to_uppercase().chain(letters).collect::<String>())
    };
    name.split('_').filter_map(capital).collect()
}

#[cfg(test)]
mod catalogue;
#[cfg(test)]
pub(crate) mod damage;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
pub(crate) mod typing;
