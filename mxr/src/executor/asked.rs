//! What options ask for that the network does not have or cannot give.

use super::options::{BindOptions, GradReq};
use crate::error::{Error, Result};
use mxr_graph::error::did_you_mean;
use mxr_graph::program::{BindError, Program};

/// Refuses options that contradict each other, and names that the network does not have.
pub(super) fn check(train: Option<&Program>, predict: &Program, options: &BindOptions) -> Result<()> {
    let place = || format!("{}.bind", predict.name);
    if options.naive_memory && options.memory_budget.is_some() {
        return Err(Error::invalid(
            place(),
            "`naive_memory` gives every array memory of its own, and `memory_budget` limits planned memory",
            "leave one of the two out",
        ));
    }
    if options.outputs.as_ref().is_some_and(Vec::is_empty) {
        return Err(Error::invalid(
            place(),
            "`outputs` names no layer",
            "name the layers whose results are wanted, or leave `outputs` out for the whole network",
        ));
    }
    let whole = train.unwrap_or(predict);
    for (name, request) in &options.by_name {
        known(whole, name)?;
        if *request != GradReq::Null && (train.is_none() || options.outputs.is_some()) {
            return Err(Error::invalid(
                format!("gradient of `{name}`"),
                "the network is bound for prediction only",
                "declare it without `#[predict]`, and bind it without `outputs`, to train it",
            ));
        }
    }
    let layers = || whole.layers.iter().map(|l| &*l.name);
    if let Some(none) = options.recompute.iter().find(|n| !layers().any(|l| super::budget::within(l, n))) {
        return Err(Error::invalid(
            place(),
            format!("`recompute(\"{none}\")` names no layer and no block of the network"),
            did_you_mean(none, layers()).map_or_else(String::new, |n| format!("did you mean `{n}`?")),
        ));
    }
    Ok(())
}

/// Whether a parameter or an input has this name.
fn known(program: &Program, asked: &str) -> Result<()> {
    let names =
        || program.params.iter().chain(program.inputs.iter()).map(|v| &*program.values[*v as usize].name);
    if names().any(|n| n == asked) {
        return Ok(());
    }
    Err(Error::invalid(
        format!("gradient of `{asked}`"),
        "the network has no parameter or input of this name",
        did_you_mean(asked, names()).map_or_else(String::new, |n| format!("did you mean `{n}`?")),
    ))
}

/// The numbers of symbols as the graph has them.
pub(super) fn numbers<'a>(symbols: &[(&'a str, usize)]) -> Result<Vec<(&'a str, i64)>> {
    let number = |(name, n): &(&'a str, usize)| match i64::try_from(*n) {
        Ok(n) => Ok((*name, n)),
        Err(_) => {
            let message = format!("must be at least 1 and at most 2^48, not {n}");
            Err(BindError::Invalid { symbol: (*name).to_string(), message }.into())
        }
    };
    symbols.iter().map(number).collect()
}

impl From<BindError> for Error {
    fn from(e: BindError) -> Error {
        let help = match &e {
            // The nearest name is part of what it says.
            BindError::Unknown { .. } => "",
            BindError::Missing { .. } => "`bind` takes a number for each symbol of the signature",
            BindError::Twice { .. } => "give one of the two",
            BindError::Invalid { .. } => "a symbol counts samples, steps or pixels",
            BindError::Check { .. } => "bind other numbers, or change the layer",
            BindError::TooLarge { .. } => "bind a smaller batch or smaller extents",
            _ => "",
        };
        Error::invalid("bind", e.to_string(), help)
    }
}
