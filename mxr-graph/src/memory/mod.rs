//! The memory planner: which values share bytes, and at which offset of one arena each of them lives.
//!
//! It works on plain arrays ([`Problem`]) and knows neither graph nor kernels, so the macro runs it on sizes per
//! unit of a symbol ([`symbolic`]) and the executor at bind on bytes. Values live exactly from the step that writes
//! them to the last step that reads them.
//!
//! ```text
//! lifetime: values -> buffers (views, in-place results), each with first and last step
//! assign:   buffers -> offsets in one arena
//! verify:   replays the steps and proves that nothing alive is overwritten
//! ```

mod assign;
mod inplace;
mod lifetime;
mod mxnet2015;
mod neighbours;
mod order;
mod strategies;
mod symbolic;
#[cfg(test)]
mod tests;
mod verify;

pub use inplace::InPlace;
pub use mxnet2015::mxnet2015;
pub use symbolic::{symbolic, symbolic_places};
pub use verify::verify;

use crate::program::Place;
use alloc::vec::Vec;

/// Every place in the arena starts at a multiple of this many bytes.
pub const ALIGN: u64 = 64;

/// Parts of arrays that are no copies may cost one part in this many of the arena: they save time.
const WORTH: u64 = 32;

/// What the planner sees of a list of steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Problem {
    /// Bytes of every value.
    pub sizes: Vec<u64>,
    /// Values whose memory belongs to somebody else: inputs, weights, outputs, gradients.
    pub outside: Vec<bool>,
    /// The steps in order of execution.
    pub steps: Vec<Access>,
    /// The first step of the backward pass. What the user keeps of one pass is not used as memory in the other.
    pub boundary: u32,
}

/// What one step touches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Access {
    /// Values it reads.
    pub reads: Vec<u32>,
    /// Values it writes. A value that nobody reads lives during the step: a kernel's workspace is one.
    pub writes: Vec<u32>,
    /// Which results may lie where operands lie.
    pub inplace: InPlace,
}

/// How memory is planned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Every value has memory of its own.
    Naive,
    /// Results may overwrite operands (MXNet 2015).
    InPlace,
    /// Blocks are used again when their value is dead (MXNet 2015: a block serves sizes within a factor of 16).
    CoShare,
    /// [`Strategy::InPlace`] and [`Strategy::CoShare`] together: what MXNet 2015 does by default.
    Both,
    /// Exact lifetimes, views and in-place results, offsets in one arena.
    #[default]
    Best,
}

/// Where every value lives.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Bytes of the arena.
    pub bytes: u64,
    /// One place per value: [`Place::Fixed`] in the arena, [`Place::Outside`], or [`Place::Within`] an outside value of
    /// which it is a view or a part.
    pub places: Vec<Place>,
}

impl Problem {
    /// Add a value.
    pub fn value(&mut self, bytes: u64, outside: bool) -> u32 {
        self.sizes.push(bytes);
        self.outside.push(outside);
        (self.sizes.len() - 1) as u32
    }

    /// Add a step.
    pub fn step(&mut self, reads: &[u32], writes: &[u32], inplace: InPlace) {
        self.steps.push(Access { reads: reads.to_vec(), writes: writes.to_vec(), inplace });
    }

    /// Memory that step number `step` needs while it runs; the value that stands for it.
    pub fn workspace(&mut self, step: usize, bytes: u64) -> u32 {
        let v = self.value(bytes, false);
        self.steps[step].writes.push(v);
        v
    }
}

/// Plan the memory of all values that are not outside.
///
/// ```
/// use mxr_graph::memory::{plan, InPlace, Problem, Strategy};
/// let mut p = Problem::default();
/// let data = p.value(4096, true);
/// let (a, b, c) = (p.value(4096, false), p.value(4096, false), p.value(4096, false));
/// p.step(&[data], &[a], InPlace::Never);
/// p.step(&[a], &[b], InPlace::Any);
/// p.step(&[b], &[c], InPlace::Never);
/// assert_eq!(plan(&p, Strategy::Naive).bytes, 3 * 4096);
/// assert_eq!(plan(&p, Strategy::Best).bytes, 2 * 4096);
/// ```
pub fn plan(problem: &Problem, strategy: Strategy) -> Plan {
    let plan = match strategy {
        Strategy::Naive => strategies::greedy(problem, false, false),
        Strategy::InPlace => strategies::greedy(problem, true, false),
        Strategy::CoShare => strategies::greedy(problem, false, true),
        Strategy::Both => strategies::greedy(problem, true, true),
        Strategy::Best => best(problem),
    };
    if cfg!(debug_assertions)
        && let Err(e) = verify(problem, &plan)
    {
        panic!("the memory plan is wrong: {e}");
    }
    plan
}

/// The largest number of bytes alive at one time under the in-place decisions of [`Strategy::Best`]: no plan of the
/// same steps with the same decisions needs less.
pub fn lower_bound(problem: &Problem) -> u64 {
    let bound = |parts| {
        let (buffers, sizes) = buffers(problem, parts);
        (assign::most_alive(&buffers.items(&sizes), problem.steps.len()), buffers.has_parts())
    };
    match bound(true) {
        (bytes, true) => bytes.min(bound(false).0),
        (bytes, false) => bytes,
    }
}

/// What is alive at every step under the same decisions, in bytes: [`lower_bound`] is the largest of these.
pub fn alive(problem: &Problem) -> Vec<u64> {
    let profile = |parts| {
        let (buffers, sizes) = buffers(problem, parts);
        let alive = assign::alive(&buffers.items(&sizes), problem.steps.len());
        (alive, buffers.has_parts())
    };
    let most = |list: &[u64]| list.iter().copied().max().unwrap_or(0);
    match profile(true) {
        (with, true) => {
            let without = profile(false).0;
            if most(&without) < most(&with) { without } else { with }
        }
        (list, false) => list,
    }
}

fn buffers(problem: &Problem, parts: bool) -> (lifetime::Buffers, Vec<u64>) {
    let rules = lifetime::Rules { problem, keys: &problem.sizes, bytes: true, parts };
    let buffers = lifetime::buffers(rules);
    let sizes = buffers.value.iter().map(|v| aligned(problem.sizes[*v as usize])).collect();
    (buffers, sizes)
}

/// Parts of arrays that are no copies save time, and mostly memory; where they would cost more than a little there are none.
fn best(problem: &Problem) -> Plan {
    let place = |buffers: &lifetime::Buffers, items: &[lifetime::Item], count: usize| {
        let (offsets, bytes) = assign::assign(items, count, problem.steps.len());
        Plan { bytes, places: buffers.places(|b| Place::Fixed(offsets[b])) }
    };
    let (with, sizes) = buffers(problem, true);
    let plan = place(&with, &with.items(&sizes), sizes.len());
    if with.has_parts() {
        let (without, sizes) = buffers(problem, false);
        let items = without.items(&sizes);
        let enough = |bytes: u64| plan.bytes <= bytes + bytes / WORTH;
        if !enough(assign::most_alive(&items, problem.steps.len())) {
            let copied = place(&without, &items, sizes.len());
            return if enough(copied.bytes) { plan } else { copied };
        }
    }
    plan
}

/// Rounded up to a multiple of [`ALIGN`].
pub(crate) fn aligned(bytes: u64) -> u64 {
    bytes.next_multiple_of(ALIGN)
}
