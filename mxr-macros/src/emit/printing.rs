//! Graphs on the standard error while a network is compiled, where the environment asks for them by `MXR_PRINT`.

use crate::errors::Faults;
use mxr_graph::catalogue::Code;
use mxr_graph::passes::{Look, Passes, Printed};
use proc_macro2::Span;

/// All passes, watched where graphs are to be printed. The variable changes nothing in what is generated.
pub(super) fn passes(at: Span, faults: &mut Faults) -> Passes {
    match printed() {
        None => Passes::ALL,
        Some(Ok(_)) => Passes { watch: Some(print), ..Passes::ALL },
        Some(Err(e)) => {
            faults.push(Code::PrintVariable, at, format!("in the environment variable MXR_PRINT: {e}"));
            Passes::ALL
        }
    }
}

fn printed() -> Option<Result<Printed, String>> {
    std::env::var("MXR_PRINT").ok().map(|text| Printed::new(&text))
}

fn print(look: &Look<'_>) {
    if let Some(Ok(printed)) = printed()
        && let Some(text) = printed.at(look)
    {
        eprintln!("{text}");
    }
}
