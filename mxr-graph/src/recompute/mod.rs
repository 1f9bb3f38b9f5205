//! Memory for time: values that the backward part needs are dropped and made again right before it reads them.
//!
//! It works on programs, so one implementation serves `network!` (sizes with the symbols of its attribute), `Symbol` and
//! every bind. Results have the same bits: a step that runs again is the same kernel on the same operands, what draws random
//! numbers keeps what it drew, and what updates a state does that once ([`Instr::again`](crate::instr::Instr::again)).
//!
//! ```text
//! again:   how the results of an instruction are made a second time
//! rewrite: a choice of what to keep -> the program that makes the rest again
//! cost:    what running a step again costs
//! search:  a budget -> the choice
//! split:   the first layers in slices of the batch, for what no choice can make small
//! ```

mod again;
mod cost;
mod rewrite;
mod search;
mod split;
#[cfg(test)]
mod tests;

pub use again::{Again, From};
pub use cost::Cost;

use crate::memory::{self, Strategy};
use crate::program::Program;
use alloc::vec::Vec;
use core::fmt;
use cost::Sizes;
use rewrite::Outline;
use search::Search;

/// A program that makes values again.
#[derive(Clone, Debug)]
pub struct Recomputed {
    /// It, without a plan.
    pub program: Program,
    /// Bytes of its arena.
    pub bytes: u64,
    /// What one pass, forward and backward, costs without recomputation.
    pub once: Cost,
    /// What is added to that.
    pub again: Cost,
}

/// The arena cannot be as small as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverBudget {
    /// Bytes that were wanted.
    pub budget: u64,
    /// Bytes without recomputation.
    pub planned: u64,
    /// The least found.
    pub least: u64,
}

impl fmt::Display for OverBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let OverBudget { budget, planned, least } = *self;
        write!(
            f,
            "the arrays between the layers do not fit {}: they take {} as planned, and at least {} when values are \
             made again",
            Bytes(budget),
            Bytes(planned),
            Bytes(least),
        )
    }
}

impl core::error::Error for OverBudget {}

/// A number of bytes as people read it: `1.5 GiB`, `812 KiB`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(1u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let Some((unit, name)) = units.into_iter().find(|(unit, _)| self.0 >= *unit) else {
            return write!(f, "{} byte{}", self.0, if self.0 == 1 { "" } else { "s" });
        };
        let tenths = (u128::from(self.0) * 10).div_ceil(u128::from(unit));
        if tenths % 10 == 0 || tenths >= 1000 {
            write!(f, "{} {name}", tenths.div_ceil(10))
        } else {
            write!(f, "{}.{} {name}", tenths / 10, tenths % 10)
        }
    }
}

/// How many steps a search looks at, about; each choice that it tries is a planning of the whole program, without places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effort(pub usize);

impl Effort {
    /// While compiling, unoptimised.
    pub const SMALL: Effort = Effort(60_000);
}

impl Default for Effort {
    fn default() -> Effort {
        Effort(300_000)
    }
}

/// The program that needs no more than `budget` bytes of arena with the symbols bound ([`Program::bind_symbols`]) and makes as
/// little again as that allows; the program itself where it fits as it is. `planned` says what the arena of a
/// program takes.
///
/// # Errors
///
/// When no way was found, with the least memory that was.
pub fn within(
    program: &Program,
    symbols: &[i64],
    budget: u64,
    effort: Effort,
    planned: impl Fn(&Program) -> u64,
) -> Result<Recomputed, OverBudget> {
    by_choice(program, symbols, budget, effort, &planned).map_err(|(e, _)| e)
}

/// [`within`]; where that is not enough, the first layers, as long as they treat each sample by itself, run in slices of the batch. The
/// program is then one for these values of the symbols alone, and its results agree up to rounding.
///
/// # Errors
///
/// When no way was found, with the least memory that was.
pub fn within_slices(
    program: &Program,
    symbols: &[i64],
    budget: u64,
    effort: Effort,
    planned: impl Fn(&Program) -> u64,
) -> Result<Recomputed, OverBudget> {
    let (mut told, ends) = match by_choice(program, symbols, budget, effort, &planned) {
        Ok(fits) => return Ok(fits),
        Err(e) => e,
    };
    let once = total(program, symbols);
    let mut best: Option<Recomputed> = None;
    for parts in [2, 4, 8, 16] {
        for split in ends.iter().filter_map(|until| split::split(program, symbols, *until, parts)) {
            match by_choice(&split, symbols, budget, effort, &planned) {
                Ok(fits) => {
                    let all = total(&split, symbols) + fits.again;
                    let again = Cost {
                        flops: all.flops.saturating_sub(once.flops),
                        bytes: all.bytes.saturating_sub(once.bytes),
                    };
                    if best.as_ref().is_none_or(|b| again.work() < b.again.work()) {
                        best = Some(Recomputed { once, again, ..fits });
                    }
                }
                Err((e, _)) => told.least = told.least.min(e.least),
            }
        }
        if best.is_some() {
            break;
        }
    }
    best.ok_or(told)
}

/// What all steps cost.
fn total(program: &Program, symbols: &[i64]) -> Cost {
    let sizes = Sizes::new(program, symbols);
    program.steps.iter().fold(Cost::default(), |all, s| all + sizes.cost(s, |v| v))
}

/// By the choice of what to keep alone; with an error come the ends of what could run in slices.
fn by_choice(
    program: &Program,
    symbols: &[i64],
    budget: u64,
    effort: Effort,
    planned: &impl Fn(&Program) -> u64,
) -> Result<Recomputed, (OverBudget, Vec<usize>)> {
    let outline = Outline::new(program, Some(symbols));
    let search = Search::new(outline, Sizes::new(program, symbols), effort);
    let once = total(program, symbols);
    let bytes = planned(program);
    if bytes <= budget {
        return Ok(Recomputed { program: program.clone(), bytes, once, again: Cost::default() });
    }
    let build = |choice: &search::Choice| {
        let program = search.outline.rewrite(&choice.kept).program(program);
        let bytes = planned(&program);
        Recomputed { program, bytes, once, again: choice.cost }
    };
    // A plan may miss the bound by a little; what it misses is then left free.
    let (mut target, mut least) = (budget, u64::MAX);
    for _ in 0..4 {
        let Some(choice) = search.within(target) else { break };
        let made = build(&choice);
        if made.bytes <= budget {
            return Ok(made);
        }
        least = least.min(made.bytes);
        target = (choice.peak.min(target) as u128 * budget as u128 / made.bytes as u128) as u64;
    }
    let made = build(search.least());
    if made.bytes <= budget {
        return Ok(made);
    }
    let least = least.min(made.bytes).min(bytes);
    Err((OverBudget { budget, planned: bytes, least }, split::ends(program, &search.crossing)))
}

/// Bytes of the arena that the executor plans at bind.
pub fn arena(program: &Program, symbols: &[i64]) -> u64 {
    memory::plan(&program.problem(symbols), Strategy::Best).bytes
}

/// The program that keeps nothing inside of segments: `segment` gives the number of a layer's segment. What other segments,
/// or steps outside of any, read of a segment is kept, as are its inputs.
pub fn segments(program: &Program, segment: impl Fn(u32) -> Option<u32>) -> Program {
    let outline = Outline::new(program, None);
    let forward = &program.steps[..program.forward as usize];
    let of = |at: u32| segment(forward[at as usize].layer);
    let mut kept = outline.saved();
    let mut inside = alloc::vec![false; kept.len()];
    for (v, maker) in outline.maker.iter().enumerate().filter(|(_, m)| **m != rewrite::NONE) {
        inside[v] = of(*maker).is_some();
    }
    for (at, s) in forward.iter().enumerate() {
        for r in s.reads.iter().map(|r| outline.root[*r as usize] as usize) {
            let maker = outline.maker[r];
            if maker != rewrite::NONE && of(maker) != of(at as u32) {
                inside[r] = false;
                // What only forward steps read would have to be made again with all that it is made of.
                kept[r] = true;
            }
        }
    }
    let dropped: Vec<usize> = (0..kept.len()).filter(|v| inside[*v] && outline.free[*v]).collect();
    if dropped.is_empty() {
        return program.clone();
    }
    dropped.iter().for_each(|v| kept[*v] = false);
    let plan = program.plan.is_some();
    let mut program = outline.rewrite(&kept).program(program);
    if plan {
        program.plan = memory::symbolic(&program);
    }
    program
}
