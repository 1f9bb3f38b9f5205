//! Steps that depend on weights and states alone: they run when one of these was written since.

use super::pass::Ready;
use crate::engine::{RunContext, Var};
use crate::storage::VarLists;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) struct Prologue {
    pub(super) steps: Vec<Ready>,
    /// What the steps read of others, each with the version that it had when they ran. Used by operations that write what the
    /// steps make, so by one at a time.
    seen: Vec<(Var, AtomicU64)>,
}

/// No version.
const NEVER: u64 = u64::MAX;

impl Prologue {
    pub(super) fn new(steps: Vec<Ready>) -> Prologue {
        let lists = VarLists::of(steps.iter().map(|s| &s.operands));
        let seen = lists.reads().into_iter().map(|v| (v.clone(), AtomicU64::new(NEVER))).collect();
        Prologue { steps, seen }
    }

    /// Run the steps where something that they read has changed.
    pub(super) fn refresh<E>(
        &self,
        ctx: &RunContext<'_>,
        run: impl FnOnce(&[Ready]) -> Result<(), E>,
    ) -> Result<(), E> {
        let version = |v: &Var| ctx.version(v).expect("an operation lists what its steps read");
        if self.seen.iter().all(|(v, seen)| seen.load(Ordering::Relaxed) == version(v)) {
            return Ok(());
        }
        // What was made before is gone with the first step, also where a later one fails.
        self.seen.iter().for_each(|(_, seen)| seen.store(NEVER, Ordering::Relaxed));
        run(&self.steps)?;
        self.seen.iter().for_each(|(v, seen)| seen.store(version(v), Ordering::Relaxed));
        Ok(())
    }
}
