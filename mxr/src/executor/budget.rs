//! Recomputation at bind: blocks that keep nothing inside, and an arena of no more than so many bytes.

use super::options::BindOptions;
use super::{Mode, images};
use crate::error::{Error, Result};
use mxr_graph::program::Program;
use mxr_graph::recompute::{self, Bytes, Effort};

/// The program that makes again what the options ask for.
pub(super) fn fitted(
    program: Program,
    mode: Mode,
    given: &[(&str, i64)],
    fixed: &[(u32, u32)],
    options: &BindOptions,
) -> Result<Program> {
    let program = match mode {
        Mode::Train => blocks(program, &options.recompute),
        Mode::Predict => program,
    };
    let Some(budget) = options.memory_budget else { return Ok(program) };
    let symbols = program.bind_symbols(given)?;
    // Gradients that are added to sums are made whole, like those that the user keeps, and yet die in the arena.
    let kept = Program { grads: [&program.grads[..], fixed].concat().into(), ..program.clone() };
    let dying = |mut p: Program| {
        p.grads.to_mut().retain(|pair| !fixed.contains(pair));
        p
    };
    let planned = |p: &Program| recompute::arena(&dying(p.clone()), &symbols);
    // Recomputation cuts the batch, and so comes before feature maps are arranged; that they fit as they will lie is enough.
    if planned(&images::arranged(program.clone(), fixed, given, options)?) <= budget {
        return Ok(program);
    }
    let fits = recompute::within_slices(&kept, &symbols, budget, Effort::default(), planned);
    fits.map(|r| dying(r.program)).map_err(|e| {
        let (what, again) = match mode {
            Mode::Train => ("training", "values are made again in the backward pass"),
            Mode::Predict => ("prediction", "the batch goes through the first layers in slices"),
        };
        let least = Bytes(e.least);
        Error::invalid(
            format!("{}.bind", program.name),
            format!(
                "{what} does not fit {}: the arrays between the layers take {} as planned, and at least {least} \
                 when {again}",
                Bytes(budget),
                Bytes(e.planned)
            ),
            format!("give `memory_budget` at least {least}, or bind a smaller batch"),
        )
    })
}

/// Every block called by one of these names is a segment.
fn blocks(program: Program, names: &[String]) -> Program {
    if names.is_empty() {
        return program;
    }
    let layers = program.layers.iter().map(|l| &*l.name);
    let of: Vec<Option<u32>> =
        layers.map(|l| names.iter().position(|n| within(l, n)).map(|at| at as u32)).collect();
    recompute::segments(&program, |layer| of.get(layer as usize).copied().flatten())
}

/// Whether a layer is called like a block, or is inside of one.
pub(super) fn within(layer: &str, block: &str) -> bool {
    layer.strip_prefix(block).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}
