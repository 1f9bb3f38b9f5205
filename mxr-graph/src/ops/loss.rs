//! What the losses share: the option `reduction`, and for composed ones the shape rule and the reduction itself.

use super::Operator;
use super::cast::Cast;
use super::reduce::{MEAN, SUM};
use crate::catalogue::Code;
use crate::error::{At, ShapeError};
use crate::graph::{Graph, ValueId};
use crate::instr::Reduction;
use crate::schema::{Arg, Default, OptionDef, OptionKind, Options};
use alloc::format;
use alloc::string::ToString;

/// How the losses of all samples become the result.
pub(super) const REDUCTION: OptionDef = OptionDef::named(
    "reduction",
    OptionKind::Choice(&["mean", "sum", "none"]),
    Default::Word("mean"),
    "`mean` or `sum` for a number, `none` for one loss per sample; `mean` by default",
);

/// The option [`REDUCTION`].
pub(super) fn reduction(options: Options<'_>) -> Reduction {
    match options.word("reduction") {
        Some("sum") => Reduction::Sum,
        Some("none") => Reduction::None,
        _ => Reduction::Mean,
    }
}

/// A loss per element as the option [`REDUCTION`] wants it.
pub(super) fn reduce(graph: &mut Graph, losses: ValueId, how: Reduction) -> Result<ValueId, ShapeError> {
    match how {
        Reduction::None => Ok(losses),
        Reduction::Sum => graph.call(&SUM, &[], &[losses], None).map(|y| y[0]),
        Reduction::Mean => graph.call(&MEAN, &[], &[losses], None).map(|y| y[0]),
    }
}

/// Operands 0 and 1 of `op` must have one shape: broadcasting `[n, 1]` against `[n]` would silently compare all with all.
/// The first must hold floating-point numbers; the second comes back, converted to the first's type if need be.
pub(super) fn target(
    graph: &mut Graph,
    op: &dyn Operator,
    inputs: &[ValueId],
) -> Result<ValueId, ShapeError> {
    let dtype = graph.value(inputs[0]).dtype;
    if !dtype.is_float() {
        let mut e = graph.error(
            op,
            inputs,
            Code::NeedsFloats,
            At::Input(0),
            format!("needs floating-point numbers, this is {dtype}"),
        );
        e.help = Some("convert it with `cast`".to_string());
        return Err(e);
    }
    let (a, b) = (graph.shape(inputs[0]), graph.shape(inputs[1]));
    if a.rank() != b.rank() || !a.iter().zip(b.iter()).all(|(a, b)| graph.symbols.unify(a, b)) {
        let names = [0, 1].map(|i| op.schema().inputs[i].name);
        let texts = [&a, &b].map(|s| s.display(&graph.symbols).to_string());
        let message = format!("`{}` must be {} as `{}` is, it is {}", names[1], texts[0], names[0], texts[1]);
        let mut e = graph.error(op, inputs, Code::TargetShape, At::Input(1), message);
        if a.elements() == b.elements() {
            e.help = Some(format!("reshape({}, {}) would fit", names[1], texts[0]));
        }
        return Err(e);
    }
    if graph.value(inputs[1]).dtype == dtype {
        return Ok(inputs[1]);
    }
    graph.call(&Cast, &[("dtype", Arg::from(dtype.name()))], &inputs[1..2], None).map(|y| y[0])
}
