//! Operations that are prepared once and pushed many times, without allocation.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crossbeam::queue::ArrayQueue;

use super::Engine;
use super::context::{RunContext, inside_operation};
use super::core::Core;
use super::error::OpError;
use super::op::{Body, Op};
use super::properties::Properties;
use super::tally::Tally;
use super::var::{Dep, Var, fill_deps};

/// An operation that can be pushed again and again by [`Engine::push_prepared`], also before its earlier run has finished.
///
/// Runs of one prepared operation that writes anything follow each other, since they write the same variables; runs of
/// one that only reads may overlap. It keeps its engine and its variables alive.
#[derive(Clone)]
pub struct Prepared {
    recipe: Arc<Recipe>,
    // Dropping the last handle of an engine drains it, so a run under way must not hold one: it holds the recipe.
    _engine: Engine,
}

pub(super) type Run = Box<dyn Fn(&RunContext<'_>) -> Result<(), OpError> + Send + Sync>;

/// The part of a prepared operation that its runs share.
pub(super) struct Recipe {
    pub(super) run: Run,
    pub(super) props: Properties,
    pub(super) core: Arc<Core>,
    deps: Vec<Dep>,
    /// Blocks at rest, with their entries filled in.
    idle: ArrayQueue<Box<Op>>,
    under_way: Tally,
}

// SAFETY: `deps` is the only part that is not `Sync`: a template whose variables and modes are read, and whose cells nobody
// touches. It is `Send` for the same reason: its link pointers are null and stay so.
unsafe impl Sync for Recipe {}
// SAFETY: as above.
unsafe impl Send for Recipe {}

impl Prepared {
    #[track_caller]
    pub(super) fn new(
        engine: &Engine,
        reads: &[&Var],
        writes: &[&Var],
        mut props: Properties,
        run: Run,
    ) -> Prepared {
        props.site.get_or_insert(Location::caller());
        let mut deps = Vec::with_capacity(reads.len() + writes.len());
        fill_deps(&mut deps, reads, writes);
        let runs = props.run_ahead;
        let recipe = Recipe {
            run,
            props,
            core: Arc::clone(engine.core()),
            deps,
            idle: ArrayQueue::new(runs),
            under_way: Tally::new(runs),
        };
        for _ in 0..runs {
            recipe.rest(recipe.block());
        }
        Prepared { recipe: Arc::new(recipe), _engine: engine.clone() }
    }

    pub(super) fn push(&self) {
        let recipe = &self.recipe;
        let inside = inside_operation();
        recipe.under_way.enter(inside);
        // A block comes back before its run is counted out, so only pushes from inside operations can find none.
        let mut op = recipe.idle.pop().unwrap_or_else(|| recipe.block());
        op.body = Body::Prepared(Arc::clone(recipe));
        recipe.core.push(op, inside);
    }
}

impl Recipe {
    fn block(&self) -> Box<Op> {
        let mut op = Op::new();
        op.deps.extend(self.deps.iter().map(|dep| Dep::new(Arc::clone(&dep.var), dep.write)));
        op
    }

    /// Takes a block back; one too many is freed.
    fn rest(&self, op: Box<Op>) {
        drop(self.idle.push(op));
    }

    /// Ends a run.
    pub(super) fn finish(&self, op: Box<Op>) {
        self.rest(op);
        self.under_way.leave();
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("props", &self.recipe.props).finish_non_exhaustive()
    }
}
