//! What the network is fed and what it returns, as types of `mxr::tensor`.

use crate::shape;
use mxr_graph::dim::{Dim, Symbol, SymbolDef};
use mxr_graph::dtype::DType;
use mxr_graph::graph::{Graph, Value};
use mxr_graph::program::Program;
use std::fmt::Write;

/// Tuples go up to this many; more are a list of arrays.
const LONGEST: usize = 8;

/// The associated types of `Network`.
pub(super) fn types(graph: &Graph, train: Option<&Program>, predict: Option<&Program>) -> String {
    let Some(predict) = predict.filter(|_| !graph.outputs.is_empty()) else {
        // Of a network with an error: nothing of it is said twice.
        let any = format!("::mxr::tensor::Tensor<f32, {UNKNOWN}>");
        let outputs = all(vec![any; graph.outputs.len().max(1)]);
        let (inputs, results) = (UNKNOWN, outputs);
        return format!(
            "type Inputs = {inputs}; type Data = {inputs}; type Outputs = {results}; type Predictions = {results};"
        );
    };
    let whole = train.unwrap_or(predict);
    format!(
        "type Inputs = {}; type Data = {}; type Outputs = {}; type Predictions = {};",
        of(whole, &whole.inputs),
        of(predict, &predict.inputs),
        of(whole, &whole.outputs),
        of(predict, &predict.outputs),
    )
}

/// The constant of an input, with its docs.
pub(super) fn input(graph: &Graph, input: &Value) -> String {
    let (name, dtype) = (&input.name, input.dtype);
    let (ty, shown) = (pair(dtype, &input.shape, graph.symbols.list()), input.shape.display(&graph.symbols));
    let raw = if super::is_keyword(name) { "r#" } else { "" };
    format!(
        "#[doc = \"`{name}`: input `{shown}` of {dtype}\"] pub const {raw}{name}: \
         ::mxr::tensor::InputId<{ty}> = ::mxr::tensor::InputId::new({name:?}); "
    )
}

fn of(program: &Program, values: &[u32]) -> String {
    let one = |v: &u32| {
        let value = &program.values[*v as usize];
        format!("::mxr::tensor::Tensor<{}>", pair(value.dtype, &value.shape, &program.symbols))
    };
    all(values.iter().map(one).collect())
}

/// A single one is no tuple; where there is none, anything is taken.
fn all(mut each: Vec<String>) -> String {
    match each.len() {
        0 => UNKNOWN.to_string(),
        1 => each.remove(0),
        2..=LONGEST => format!("({},)", each.join(", ")),
        _ => "::std::vec::Vec<::mxr::NDArray>".to_string(),
    }
}

const UNKNOWN: &str = "::mxr::tensor::Unknown";

/// `f32, (Sym<'N'>, D<3>,)`. What is not a number, or too large to have a type, is looked at when the network is fed.
fn pair(dtype: DType, shape: &[Dim], symbols: &[Symbol]) -> String {
    let mut text = match dtype {
        DType::F16 | DType::Bf16 => format!("::mxr::__private::{dtype}, ("),
        _ => format!("{dtype}, ("),
    };
    for d in shape {
        let number = || shape::number(usize::try_from(d.as_const()?).ok()?);
        let letter = || {
            let symbol = symbols.get(usize::from(d.as_symbol()?))?;
            let mut letters = symbol.name.chars().filter(|_| symbol.def == SymbolDef::Named);
            letters.next().filter(|_| letters.next().is_none())
        };
        let extent = number().unwrap_or_else(|| shape::symbol(letter().unwrap_or('_')));
        let _ = write!(text, "{extent},");
    }
    text.push(')');
    text
}
