//! A program with numbers for its symbols: extents, the memory plan with the kernels' workspaces, and which steps need a kernel.

use super::external;
use super::forms::Forms;
use super::options::BindOptions;
use super::{Compiled, Mode};
use crate::device::cpu;
use crate::device::kernel::{Kernel, Request, Spec};
use crate::error::{Error, Result};
use crate::op::Operator;
use mxr_graph::instr::Instr;
use mxr_graph::memory::{ALIGN, InPlace, Plan, Problem, Strategy, plan, symbolic_places, verify};
use mxr_graph::program::{Place, Program, ProgramPlan, Role};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// The numbers of a program for values of its symbols: extents, plan, kernels.
pub(super) struct Layout {
    pub(super) shapes: Vec<Vec<usize>>,
    pub(super) plan: Plan,
    /// Per step: which of its operands and results may be the same bytes.
    inplace: Vec<InPlace>,
    /// Per step: the part of the arena that its kernel works in.
    pub(super) workspaces: Vec<Range<usize>>,
    /// Bytes of the arena.
    arena: usize,
    /// Bytes of it without workspaces.
    internal: usize,
    /// Expressions that were compiled as functions.
    functions: &'static [Compiled],
    /// Operators of the user's by the numbers of their calls.
    operators: Vec<Arc<dyn Operator>>,
    /// Weights as kernels read them.
    pub(super) forms: Forms,
}

impl Layout {
    pub(super) fn new(
        program: &Program,
        operators: &[Arc<dyn Operator>],
        given: &[(&str, i64)],
        options: &BindOptions,
        mode: Mode,
    ) -> Result<Layout> {
        let symbols = program.bind_symbols(given)?;
        let shapes: Vec<Vec<usize>> =
            (0..program.values.len() as u32).map(|v| program.extents(v, &symbols)).collect();
        let mut problem = program.problem(&symbols);
        let plan = match options.naive_memory {
            true => plan(&problem, Strategy::Naive),
            false => promised(program, &symbols, &problem),
        };
        let mut layout = Layout {
            shapes,
            inplace: problem.steps.iter().map(|s| s.inplace).collect(),
            workspaces: Vec::new(),
            arena: 0,
            internal: plan.bytes as usize,
            plan,
            functions: options.functions,
            operators: operators.to_vec(),
            forms: match mode {
                Mode::Predict if options.prepares_weights() => Forms::for_prediction(program),
                _ => Forms::none(program),
            },
        };
        let mut needs = Vec::with_capacity(program.steps.len());
        for at in 0..program.steps.len() {
            let Some(step) = layout.work(program, at) else {
                needs.push(0);
                continue;
            };
            let kernel = layout.kernel(program, at, &step)?;
            needs.push(kernel.workspace as u64);
            layout.forms.note(program, at, &kernel);
        }
        let bytes = |v: u32| {
            Spec { shape: &layout.shapes[v as usize], dtype: program.values[v as usize].dtype }.bytes()
        };
        layout.forms.pass_on(program, &mut needs, bytes);
        layout.place_workspaces(&mut problem, &needs, options.naive_memory);
        Ok(layout)
    }

    /// Workspaces lie between the values that live at their step; in a block of their own where that takes less, or where every
    /// value has memory of its own.
    fn place_workspaces(&mut self, problem: &mut Problem, needs: &[u64], naive: bool) {
        let most = needs.iter().copied().max().unwrap_or(0);
        let apart = self.plan.bytes.next_multiple_of(ALIGN);
        let block = |start: u64, bytes: u64| start as usize..(start + bytes) as usize;
        let first = problem.sizes.len();
        if !naive && most > 0 {
            for (step, bytes) in needs.iter().enumerate().filter(|(_, bytes)| **bytes > 0) {
                problem.workspace(step, *bytes);
            }
            let together = plan(problem, Strategy::Best);
            if together.bytes < apart + most {
                let mut places = together.places[first..].iter();
                let mut place = |bytes: u64| match (bytes, places.as_slice()) {
                    (0, _) => 0..0,
                    (_, [Place::Fixed(start), ..]) => {
                        places.next();
                        block(*start, bytes)
                    }
                    (_, other) => panic!("a workspace lies in the arena, not at {:?}", other.first()),
                };
                self.workspaces = needs.iter().map(|n| place(*n)).collect();
                self.arena = together.bytes as usize;
                // Placing is no exact art: with the workspaces it may have come out better.
                self.internal = self.internal.min(self.arena);
                self.plan = together;
                return;
            }
        }
        self.workspaces = needs.iter().map(|n| block(apart, *n)).collect();
        self.arena = if most > 0 { (apart + most) as usize } else { self.plan.bytes as usize };
    }

    pub(super) fn arena(&self) -> usize {
        self.arena
    }

    /// Bytes of the arena without workspaces.
    pub(super) fn internal(&self) -> usize {
        self.internal
    }

    /// Bytes of what weights alone make, kept from run to run, without the [forms](Forms::bytes) of weights.
    pub(super) fn kept(&self, program: &Program) -> usize {
        let made: Vec<u32> = program.steps.iter().flat_map(|s| s.writes.iter().copied()).collect();
        let kept = made.into_iter().filter(|v| program.values[*v as usize].role == Role::Kept);
        let kept = kept.filter(|v| self.forms.passed_on(*v).is_none());
        self.specs(program, &kept.collect::<Vec<u32>>()).iter().map(Spec::bytes).sum()
    }

    pub(super) fn specs(&self, program: &Program, values: &[u32]) -> Vec<Spec<'_>> {
        let spec =
            |v: &u32| Spec { shape: &self.shapes[*v as usize], dtype: program.values[*v as usize].dtype };
        values.iter().map(spec).collect()
    }

    /// Where a value begins: in the arena, or in the memory of a value outside.
    fn location(&self, v: u32) -> (Option<u32>, u64) {
        match self.plan.places[v as usize] {
            Place::Fixed(at) => (None, at),
            Place::Within(root, at) => (Some(root), at),
            Place::Outside | Place::Scaled(_) => (Some(v), 0),
        }
    }

    /// Per read: the result that lies where it lies.
    pub(super) fn in_place(&self, step: &mxr_graph::program::Step) -> Vec<Option<usize>> {
        let empty = |v: u32| self.shapes[v as usize].contains(&0);
        let same = |r: u32, w: u32| !empty(w) && !empty(r) && self.location(r) == self.location(w);
        step.reads.iter().map(|r| step.writes.iter().position(|w| same(*r, *w))).collect()
    }

    /// Step number `at` as a kernel does it: nothing where the result of a view, a slice or a concatenation is there already,
    /// a copy where the plan gives both sides of a view memory of their own.
    pub(super) fn work<'s>(
        &self,
        program: &'s Program,
        at: usize,
    ) -> Option<Cow<'s, mxr_graph::program::Step>> {
        let step = &program.steps[at];
        let bytes = |v: u32| {
            Spec { shape: &self.shapes[v as usize], dtype: program.values[v as usize].dtype }.bytes()
        };
        let parts = match self.inplace[at] {
            InPlace::View => vec![(step.reads[0], step.writes[0], 0)],
            InPlace::Part(begin) => vec![(step.writes[0], step.reads[0], begin)],
            InPlace::Concat => {
                let mut next = 0;
                let part = |r: &u32| {
                    let begin = next;
                    next += bytes(*r) as u64;
                    (*r, step.writes[0], begin)
                };
                step.reads.iter().map(part).collect()
            }
            _ => return Some(Cow::Borrowed(step)),
        };
        let there = |(part, whole, begin): &(u32, u32, u64)| {
            let (space, at) = self.location(*whole);
            bytes(*part) == 0 || self.location(*part) == (space, at + begin)
        };
        if parts.iter().all(there) {
            return None;
        }
        Some(match step.instr {
            Instr::View => Cow::Owned(mxr_graph::program::Step { instr: Instr::Cast, ..step.clone() }),
            _ => Cow::Borrowed(step),
        })
    }

    /// The kernel of step number `at`, which is done like this.
    pub(super) fn kernel(
        &self,
        program: &Program,
        at: usize,
        step: &mxr_graph::program::Step,
    ) -> Result<Kernel> {
        if let Some(kernel) = external::kernel(program, step, &self.shapes, &self.operators) {
            return Ok(kernel);
        }
        let (reads, writes) = (self.specs(program, &step.reads), self.specs(program, &step.writes));
        let in_place = self.in_place(step);
        let r = request(program, step, &reads, &writes, &in_place);
        let function = writes.first().and_then(|w| Compiled::of(self.functions, r.expr, w.dtype));
        let fixed_weight = self.forms.may_serve(program, at);
        cpu::prepare(&Request { function, fixed_weight, ..r }).map_err(|e| at_layer(program, step, e))
    }
}

/// The best plan, and what was promised when the program was made: its plan for all values of the symbols, should one for
/// these values be no better.
pub(super) fn promised(program: &Program, symbols: &[i64], problem: &Problem) -> Plan {
    let best = plan(problem, Strategy::Best);
    let parts = || problem.steps.iter().any(|s| matches!(s.inplace, InPlace::Concat | InPlace::Part(_)));
    let at = |p: &ProgramPlan| symbols.get(usize::from(p.symbol)).copied().unwrap_or(1);
    match &program.plan {
        Some(p) if p.bytes(at(p) as u64) < best.bytes => {
            let general = symbolic_places(program).map(|(p, places)| p.at(&places, at(&p)));
            // Those places do not know of parts, which here may or may not be in place.
            let sound = |g: &Plan| !parts() || verify(problem, g).is_ok();
            let better = general.filter(|g| g.bytes < best.bytes && sound(g));
            if cfg!(debug_assertions)
                && let Some(Err(e)) = better.as_ref().map(|g| verify(problem, g))
            {
                panic!("the memory plan of {} is wrong: {e}", program.name);
            }
            better.unwrap_or(best)
        }
        _ => best,
    }
}

pub(super) fn request<'a>(
    program: &'a Program,
    step: &'a mxr_graph::program::Step,
    reads: &'a [Spec<'a>],
    writes: &'a [Spec<'a>],
    in_place: &'a [Option<usize>],
) -> Request<'a> {
    let expr: &[_] = step.instr.expr().map_or(&[], |n| &program.exprs[n as usize]);
    Request { instr: &step.instr, expr, function: None, reads, writes, in_place, fixed_weight: false }
}

/// A step that belongs to no call copies an input that the network returns as it is.
pub(super) fn layer_name<'a>(program: &'a Program, step: &mxr_graph::program::Step) -> &'a str {
    program.layers.get(step.layer as usize).map_or(&*program.name, |l| &*l.name)
}

pub(super) fn at_layer(program: &Program, step: &mxr_graph::program::Step, e: Error) -> Error {
    let layer = layer_name(program, step);
    Error::invalid(format!("layer `{layer}`"), e.to_string(), "")
}
