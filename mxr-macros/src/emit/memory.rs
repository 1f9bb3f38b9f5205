//! `#[memory(batch = 64, max = "2 GiB")]`: programs that make values again until they fit.

use crate::ast::{MemoryLimit, name_of};
use crate::errors::{Faults, join_names};
use mxr_graph::catalogue::Code;
use mxr_graph::compile;
use mxr_graph::dim::SymbolDef;
use mxr_graph::error::did_you_mean;
use mxr_graph::graph::{Graph, Source};
use mxr_graph::program::Program;
use mxr_graph::recompute::{self, Bytes, Effort};

/// Make the programs, training and prediction, fit the limit.
pub(super) fn limit(
    limit: &MemoryLimit,
    graph: &Graph,
    programs: [&mut Option<Program>; 2],
    faults: &mut Faults,
) {
    let Some(given) = sizes(limit, graph, faults) else { return };
    let given: Vec<(&str, i64)> = given.iter().map(|(n, v)| (n.as_str(), *v)).collect();
    for (program, what) in programs.into_iter().zip(["training", "prediction"]) {
        let Some(p) = program else { continue };
        let symbols = match p.bind_symbols(&given) {
            Ok(symbols) => symbols,
            Err(e) => {
                faults.push(Code::MemoryExceeded, limit.at, format!("this cannot be planned: {e}"));
                return;
            }
        };
        let symbol = |s: u16| symbols.get(usize::from(s)).copied().unwrap_or(1);
        // Gradients of inputs are no part of training: of a network with frozen layers only they may keep what is before those.
        let planned = |p: &Program| match p.plan.or_else(|| compile::plan(p)) {
            Some(plan) => plan.bytes(symbol(plan.symbol).unsigned_abs()),
            None => recompute::arena(p, &symbols),
        };
        match recompute::within(p, &symbols, limit.max, Effort::SMALL, planned) {
            Ok(fits) if fits.program.plan.is_none() => {
                let plan = compile::plan(&fits.program);
                *p = Program { plan, ..fits.program };
            }
            Ok(_) => {}
            Err(e) => {
                let text = format!(
                    "{what} does not fit {}: the arrays between the layers take {}",
                    limit.text,
                    Bytes(e.planned)
                );
                let help = if e.least < e.planned {
                    format!(
                        "values that are made again in the backward pass bring it down to {}",
                        Bytes(e.least)
                    )
                } else {
                    "there is nothing to make again; a smaller batch needs less".to_string()
                };
                faults.push_help(Code::MemoryExceeded, limit.at, text, help);
                return;
            }
        }
    }
}

/// A number for every symbol of the network.
fn sizes(limit: &MemoryLimit, graph: &Graph, faults: &mut Faults) -> Option<Vec<(String, i64)>> {
    let before = faults.len();
    let named: Vec<&str> =
        graph.symbols.list().iter().filter(|s| s.def == SymbolDef::Named).map(|s| &*s.name).collect();
    // The batch is the first extent of the first input.
    let first = graph.values.iter().find(|v| v.source == Source::Input).and_then(|v| v.shape.0.first());
    let batch = first.and_then(|d| named.iter().find(|n| d.display(&graph.symbols).to_string() == **n));
    let mut given: Vec<(String, i64)> = Vec::new();
    for (key, value) in &limit.sizes {
        let name = name_of(key);
        let symbol = match batch {
            Some(b) if name == "batch" && !named.contains(&"batch") => (*b).to_string(),
            _ => name.clone(),
        };
        if !named.contains(&symbol.as_str()) {
            let known = || named.iter().copied().chain(batch.map(|_| "batch")).chain(["max"]);
            let help = match did_you_mean(&name, known()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("there are {}", join_names(known())),
            };
            let text = match name.as_str() {
                "batch" => {
                    "the network has no batch: the first extent of its first input is no symbol".to_string()
                }
                _ => format!("`{name}` is no symbol of the network"),
            };
            faults.push_help(Code::MemoryUnknownSymbol, key.span(), text, help);
        } else if given.iter().any(|(n, _)| *n == symbol) {
            faults.push(Code::GivenTwice, key.span(), format!("`{symbol}` is given twice"));
        } else {
            given.push((symbol, *value));
        }
    }
    let missing: Vec<&str> = named.iter().copied().filter(|n| !given.iter().any(|(g, _)| g == n)).collect();
    if faults.len() == before && !missing.is_empty() {
        let text = format!("`memory` needs a number for {}", join_names(missing.iter().copied()));
        faults.push_help(
            Code::MemoryMissingSymbol,
            limit.at,
            text,
            "memory is planned for one size of the batch, and of whatever else has a name",
        );
    }
    (faults.len() == before).then_some(given)
}
