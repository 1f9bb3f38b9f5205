//! The shape rules of the user's operators, and their refusals in the words of the library.

use super::{ArrayType, Operator};
use crate::error::{Error, Result};
use mxr_graph::catalogue::Code;
use mxr_graph::error::{At, ShapeError};
use mxr_graph::instr::MAX_EXTERN;

/// What comes out of these inputs; of a layer, where there is one.
pub(crate) fn results(op: &dyn Operator, layer: &str, inputs: &[ArrayType]) -> Result<Vec<ArrayType>> {
    let few = |what: &str, count: usize| match count {
        0..=MAX_EXTERN => Ok(()),
        _ => {
            let message = format!("has {count} {what}, at most {MAX_EXTERN} are possible");
            let e = refused(op, layer, Code::TooManyArguments, message, inputs);
            let help = Some("`concat` makes one array of several".to_string());
            Err(Error::Shape(ShapeError { help, ..e }))
        }
    };
    few("operands", inputs.len())?;
    let made = op.infer(inputs).map_err(|misfit| {
        let e = refused(op, layer, Code::OperatorRefuses, misfit.message, inputs);
        Error::Shape(ShapeError { help: misfit.help, ..e })
    })?;
    if made.len() != op.results() {
        let (rule, stated) = (made.len(), op.results());
        let message = format!("gives {rule} results by its shape rule (`infer`), and {stated} by `results`");
        return Err(Error::Shape(refused(op, layer, Code::OperatorRefuses, message, inputs)));
    }
    few("results", made.len())?;
    few("saved arrays", op.saved(inputs).len())?;
    Ok(made)
}

/// An error of a call of an operator, with what goes in as notes.
pub(crate) fn refused(
    op: &dyn Operator,
    layer: &str,
    code: Code,
    message: String,
    inputs: &[ArrayType],
) -> ShapeError {
    ShapeError {
        code,
        op: op.name().to_string().into(),
        layer: layer.to_string(),
        at: At::Call,
        message,
        help: None,
        notes: inputs.iter().enumerate().map(|(i, t)| format!("input {i} is {t}")).collect(),
    }
}
