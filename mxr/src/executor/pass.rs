//! The steps of one direction as one operation of the engine.

use super::Mode;
use super::arena::Mark;
use super::bound::Shared;
use super::monitor::{Monitor, Observation};
use super::prologue::Prologue;
use crate::device::kernel::{Call, Kernel, Key};
use crate::engine::{OpError, Prepared, Properties, RunContext, Var};
use crate::storage::{Operands, VarLists};
use mxr_graph::dtype::DType;
use mxr_graph::instr::Layout;
use mxr_graph::program::Program;
use std::sync::atomic::Ordering;

/// A step with everything it needs.
pub(super) struct Ready {
    pub(super) operands: Operands,
    /// None where the result is there already: it is read then, and only shown.
    pub(super) kernel: Option<Kernel>,
    pub(super) layer: String,
    pub(super) results: Vec<Made>,
}

/// What a monitor is told of a result.
pub(super) struct Made {
    name: String,
    shape: Vec<usize>,
    dtype: DType,
    /// Bytes lie channel after channel, and are shown as images.
    channels_outermost: bool,
}

impl Made {
    pub(super) fn new(program: &Program, v: u32, shapes: &[Vec<usize>]) -> Made {
        let value = &program.values[v as usize];
        let mut shape = shapes[v as usize].clone();
        let channels_outermost = value.layout == Layout::Cnhw;
        if channels_outermost {
            shape.swap(0, 1);
        }
        Made { name: value.name.to_string(), shape, dtype: value.dtype, channels_outermost }
    }

    fn show(&self, layer: &str, memory: &[u8], monitor: &Monitor) {
        let Made { name, shape, dtype, channels_outermost } = self;
        monitor.show(&Observation {
            layer,
            value: name,
            shape,
            dtype: *dtype,
            memory,
            channels_outermost: *channels_outermost,
        });
    }
}

/// What an operation of several steps is beside them.
pub(super) struct Pass<'a> {
    pub(super) network: &'a str,
    pub(super) what: &'a str,
    pub(super) turn: Turn,
    /// What runs before the steps, where it has to.
    pub(super) prologue: Option<Prologue>,
    /// Further variables.
    pub(super) reads: &'a [&'a Var],
    pub(super) writes: &'a [&'a Var],
    /// Whether it needs nothing of what was in the memory that it writes.
    pub(super) whole: bool,
}

/// What an operation is to the arena.
#[derive(Clone, Copy)]
pub(super) enum Turn {
    Forward(Mark, Mode),
    Backward(Mark),
    Other,
}

/// All steps of one direction as one operation of the engine: a step costs no more than its kernel.
pub(super) fn operation(pass: Pass<'_>, steps: Vec<Ready>, shared: &Shared<'_>) -> Prepared {
    let ahead = pass.prologue.iter().flat_map(|p| &p.steps);
    let vars = VarLists::of(ahead.chain(&steps).map(|s| &s.operands));
    let (seed, position, monitor) = (shared.seed, shared.steps.clone(), shared.monitor.clone());
    let name = format!("{}.{}", pass.network, pass.what);
    let props = Properties::new(name).overwrites(pass.whole).pushed_at(shared.site);
    let (turn, prologue, arena) = (pass.turn, pass.prologue, shared.arena.clone());
    let run = move |ctx: &RunContext<'_>| -> Result<(), OpError> {
        match turn {
            Turn::Forward(mark, _) => arena.enter(mark),
            Turn::Backward(mark) => arena.take(mark)?,
            Turn::Other => {}
        }
        // Each training pass is a position of its own in the random numbers.
        let step = match turn {
            Turn::Forward(_, Mode::Train) => position.fetch_add(1, Ordering::Relaxed),
            _ => position.load(Ordering::Relaxed),
        };
        let key = Key { seed, step };
        if let Some(prologue) = &prologue {
            prologue.refresh(ctx, |steps| replay(steps, ctx, key, &monitor))?;
        }
        replay(&steps, ctx, key, &monitor)
    };
    let (reads, writes) = ([&vars.reads(), pass.reads].concat(), [&vars.writes(), pass.writes].concat());
    shared.device.engine().prepare(&reads, &writes, props, run)
}

fn replay(steps: &[Ready], ctx: &RunContext<'_>, key: Key, monitor: &Monitor) -> Result<(), OpError> {
    let watched = monitor.is_on();
    for s in steps {
        if s.kernel.is_none() && !watched {
            continue;
        }
        ctx.with(&s.operands, |reads, writes| {
            if let Some(kernel) = &s.kernel {
                (kernel.run)(&mut Call { reads, writes: &mut *writes, key })
                    .map_err(|e| OpError::new(format!("layer `{}`: {e}", s.layer)))?;
            }
            let show = |(made, bytes): (&Made, &[u8])| made.show(&s.layer, bytes, monitor);
            if watched && s.kernel.is_some() {
                s.results.iter().zip(writes.iter().map(|w| &**w)).for_each(show);
            } else if watched {
                s.results.iter().zip(reads.iter().copied()).for_each(show);
            }
            Ok::<(), OpError>(())
        })??;
    }
    Ok(())
}
