//! One program bound: a place for every value, a kernel for every step, two operations for the engine.

use super::arena::{Arena, Mark, TAKEN_OVER};
use super::monitor::{Monitor, Observation};
use super::options::{BindOptions, GradReq, SharedArrays};
use super::prologue::Prologue;
use super::{Compiled, Mode};
use crate::device::Device;
use crate::device::cpu;
use crate::device::kernel::{Call, Kernel, Key, Part, Request, Spec};
use crate::engine::{EngineError, OpError, Prepared, Properties, RunContext, Var};
use crate::error::{Error, Result};
use crate::ndarray::{NDArray, memory};
use crate::storage::{Operands, VarLists};
use mxr_graph::dtype::DType;
use mxr_graph::error::did_you_mean;
use mxr_graph::expr::Expr;
use mxr_graph::instr::{BinOp, Instr, Scalar};
use mxr_graph::memory::{ALIGN, InPlace, Plan, Problem, Strategy, plan, symbolic_places, verify};
use mxr_graph::program::{Place, Program, ProgramPlan, Role};
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The arrays that belong to the user, shared by both modes.
pub(super) struct Arrays {
    device: Device,
    pub(super) inputs: Vec<(String, NDArray)>,
    pub(super) params: Vec<(String, NDArray)>,
    pub(super) aux: Vec<(String, NDArray)>,
    /// By the name of what they are the gradient of.
    pub(super) grads: Vec<(String, NDArray)>,
    /// Of another network: what has a name of these is not made, but taken.
    shared: SharedArrays,
}

impl Arrays {
    pub(super) fn new(device: &Device, shared: &SharedArrays) -> Arrays {
        Arrays {
            device: device.clone(),
            shared: shared.clone(),
            inputs: Vec::new(),
            params: Vec::new(),
            aux: Vec::new(),
            grads: Vec::new(),
        }
    }

    /// The array of this role and name, made at its first mention.
    fn of(&mut self, role: Role, name: &str, shape: &[usize], dtype: DType) -> Result<NDArray> {
        let (list, theirs) = match role {
            Role::Input => (&mut self.inputs, &[][..]),
            Role::Param => (&mut self.params, &self.shared.params[..]),
            Role::Aux => (&mut self.aux, &self.shared.aux[..]),
            Role::HeadGrad | Role::Internal | Role::Kept => panic!("{name} is not shared between modes"),
        };
        if let Some((_, a)) = list.iter().find(|(n, _)| n == name) {
            debug_assert_eq!(a.shape(), shape, "{name} has one shape in all modes");
            return Ok(a.clone());
        }
        let array = match theirs.iter().find(|(n, _)| n == name) {
            None => NDArray::zeros_on(&self.device, shape, dtype)?,
            Some((_, a)) if a.shape() == shape && a.dtype() == dtype => a.clone(),
            Some((_, a)) => {
                return Err(Error::invalid(
                    format!("parameter `{name}`"),
                    format!(
                        "is {dtype}{shape:?} here and {}{:?} in `{}`, with which it is to be shared",
                        a.dtype(),
                        a.shape(),
                        self.shared.network
                    ),
                    "share parameters between forms of one network, or give the layer another name",
                ));
            }
        };
        list.push((name.to_string(), array.clone()));
        Ok(array)
    }

    /// The array of the gradient of a value.
    fn grad(&self, of: &str, shape: &[usize], dtype: DType) -> Result<NDArray> {
        let theirs = self.shared.grads.iter().find(|(n, _)| n == of);
        match theirs.filter(|(_, a)| a.shape() == shape && a.dtype() == dtype) {
            Some((_, a)) => Ok(a.clone()),
            None => NDArray::zeros_on(&self.device, shape, dtype),
        }
    }
}

/// Values whose gradients are added to sums, with these gradients, which die in the arena where they are made; and the
/// program in which they do.
pub(super) fn summed(mut program: Program, options: &BindOptions) -> (Program, Vec<(u32, u32)>) {
    let adds = |(of, _): &&(u32, u32)| {
        let value = &program.values[*of as usize];
        options.request(&value.name).unwrap_or(options.all) == GradReq::Add
    };
    let sums: Vec<(u32, u32)> = program.grads.iter().filter(adds).copied().collect();
    if !sums.is_empty() {
        program.grads.to_mut().retain(|pair| !sums.contains(pair));
        program.plan = mxr_graph::memory::symbolic(&program);
    }
    (program, sums)
}

/// Find an array by name.
pub(super) fn named<'a>(list: &'a [(String, NDArray)], name: &str, kind: &str) -> Result<&'a NDArray> {
    list.iter().find(|(n, _)| n == name).map(|(_, a)| a).ok_or_else(|| {
        let near = did_you_mean(name, list.iter().map(|(n, _)| n.as_str()));
        Error::invalid(
            name,
            format!("the network has no {kind} of this name"),
            match near {
                Some(n) => format!("did you mean `{n}`?"),
                None => {
                    let all: Vec<&str> = list.iter().map(|(n, _)| n.as_str()).collect();
                    format!("there are: {}", all.join(", "))
                }
            },
        )
    })
}

/// The program with those gradients only that the options ask for.
pub(super) fn requested(program: Program, options: &BindOptions) -> Result<Program> {
    let name = |v: u32| &*program.values[v as usize].name;
    for (asked, _) in &options.by_name {
        let known = program.params.iter().chain(program.inputs.iter()).map(|v| name(*v));
        if !known.clone().any(|n| n == asked) {
            let near = did_you_mean(asked, known);
            return Err(Error::invalid(
                format!("gradient of `{asked}`"),
                "the network has no parameter or input of this name",
                near.map_or_else(String::new, |n| format!("did you mean `{n}`?")),
            ));
        }
        let differentiable = program.grads.iter().any(|(v, _)| name(*v) == asked);
        if !differentiable && options.request(asked) != Some(GradReq::Null) {
            return Err(Error::invalid(
                format!("gradient of `{asked}`"),
                "nothing that the network returns depends on it, or it does not hold floating-point numbers",
                "request the gradients of what the loss depends on",
            ));
        }
    }
    let wanted: Vec<u32> = program
        .grads
        .iter()
        .map(|(v, _)| *v)
        .filter(|v| {
            let default = match program.values[*v as usize].role {
                Role::Param => options.all,
                _ => GradReq::Null,
            };
            options.request(name(*v)).unwrap_or(default) != GradReq::Null
        })
        .collect();
    if wanted.len() == program.grads.len() {
        return Ok(program);
    }
    let results: Vec<u32> = program.outputs.iter().chain(program.predictions.iter()).copied().collect();
    Ok(program.select(&results, &wanted))
}

/// The numbers of a program for values of its symbols: extents, plan, kernels.
pub(super) struct Layout {
    shapes: Vec<Vec<usize>>,
    plan: Plan,
    /// Per step: which of its operands and results may be the same bytes.
    inplace: Vec<InPlace>,
    /// Per step: the part of the arena that its kernel works in.
    workspaces: Vec<Range<usize>>,
    /// Bytes of the arena.
    arena: usize,
    /// Bytes of it without workspaces.
    internal: usize,
    /// Expressions that were compiled as functions.
    functions: &'static [Compiled],
}

impl Layout {
    pub(super) fn new(program: &Program, given: &[(&str, i64)], options: &BindOptions) -> Result<Layout> {
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
        };
        let mut needs = Vec::with_capacity(program.steps.len());
        for at in 0..program.steps.len() {
            needs.push(match layout.work(program, at) {
                Some(step) => layout.kernel(program, &step)?.workspace as u64,
                None => 0,
            });
        }
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

    fn specs(&self, program: &Program, values: &[u32]) -> Vec<Spec<'_>> {
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
    fn in_place(&self, step: &mxr_graph::program::Step) -> Vec<Option<usize>> {
        let empty = |v: u32| self.shapes[v as usize].contains(&0);
        let same = |r: u32, w: u32| !empty(w) && !empty(r) && self.location(r) == self.location(w);
        step.reads.iter().map(|r| step.writes.iter().position(|w| same(*r, *w))).collect()
    }

    /// Step number `at` as a kernel does it: nothing where the result of a view, a slice or a concatenation is there already,
    /// a copy where the plan gives both sides of a view memory of their own.
    fn work<'s>(&self, program: &'s Program, at: usize) -> Option<Cow<'s, mxr_graph::program::Step>> {
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

    fn kernel(&self, program: &Program, step: &mxr_graph::program::Step) -> Result<Kernel> {
        let (reads, writes) = (self.specs(program, &step.reads), self.specs(program, &step.writes));
        let in_place = self.in_place(step);
        let r = request(program, step, &reads, &writes, &in_place);
        let function = writes.first().and_then(|w| Compiled::of(self.functions, r.expr, w.dtype));
        cpu::prepare(&Request { function, ..r }).map_err(|e| at_layer(program, step, e))
    }
}

/// The best plan, and what was promised when the program was made: its plan for all values of the symbols, should one for
/// these values be no better.
fn promised(program: &Program, symbols: &[i64], problem: &Problem) -> Plan {
    let best = plan(problem, Strategy::Best);
    let at = |p: &ProgramPlan| symbols.get(usize::from(p.symbol)).copied().unwrap_or(1);
    let parts = || problem.steps.iter().any(|s| matches!(s.inplace, InPlace::Concat | InPlace::Part(_)));
    match &program.plan {
        // Where parts begin is not known for all values.
        Some(p) if p.bytes(at(p) as u64) < best.bytes && !parts() => {
            let general = symbolic_places(program).map(|(p, places)| p.at(&places, at(&p)));
            let better = general.filter(|g| g.bytes < best.bytes);
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

fn request<'a>(
    program: &'a Program,
    step: &'a mxr_graph::program::Step,
    reads: &'a [Spec<'a>],
    writes: &'a [Spec<'a>],
    in_place: &'a [Option<usize>],
) -> Request<'a> {
    let expr: &[_] = step.instr.expr().map_or(&[], |n| &program.exprs[n as usize]);
    Request { instr: &step.instr, expr, function: None, reads, writes, in_place }
}

/// A step that belongs to no call copies an input that the network returns as it is.
fn layer_name<'a>(program: &'a Program, step: &mxr_graph::program::Step) -> &'a str {
    program.layers.get(step.layer as usize).map_or(&*program.name, |l| &*l.name)
}

fn at_layer(program: &Program, step: &mxr_graph::program::Step, e: Error) -> Error {
    let layer = layer_name(program, step);
    Error::invalid(format!("layer `{layer}`"), e.to_string(), "")
}

/// What both modes use.
pub(super) struct Shared<'a> {
    pub(super) device: &'a Device,
    pub(super) arena: &'a Arena,
    pub(super) seed: u64,
    pub(super) steps: &'a Arc<AtomicU64>,
    pub(super) monitor: &'a Arc<Monitor>,
    /// Where the network was bound: the place that errors of its passes name.
    pub(super) site: &'static std::panic::Location<'static>,
}

/// A program ready to run.
pub(super) struct Bound {
    forward: Prepared,
    backward: Option<Prepared>,
    /// Sets all gradients to 0.
    zero: Option<Prepared>,
    /// Of everything it reads or writes, each once.
    vars: Vec<Var>,
    pub(super) outputs: Vec<NDArray>,
    pub(super) predictions: Vec<NDArray>,
    /// Head gradients by the number of their output.
    pub(super) heads: Vec<(usize, NDArray)>,
    /// Bytes of what weights alone make, kept from run to run.
    pub(super) kept: usize,
    pub(super) mark: Mark,
}

impl Bound {
    pub(super) fn new(
        program: &Program,
        mode: Mode,
        sums: &[(u32, u32)],
        layout: Layout,
        arrays: &mut Arrays,
        shared: &Shared<'_>,
    ) -> Result<Bound> {
        let homes = homes(program, &layout, arrays, shared)?;
        let part = |v: u32| homes[v as usize].part.clone().expect("a step's operand has a place");
        let array = |v: u32| homes[v as usize].array.clone().expect("a kept value is an array");
        let mut steps = Vec::with_capacity(program.steps.len());
        let mut forward = 0;
        let mut zeros = Vec::new();
        for at in 0..program.steps.len() {
            forward += usize::from(at < program.forward as usize);
            // A sum takes up its gradient before a later step overwrites that.
            for (of, grad) in made_before(program, at, sums) {
                let (array, step) = sum(program, of, layout.specs(program, &[grad])[0], part(grad), arrays)?;
                zeros.push(clear(&array, &program.values[of as usize].name)?);
                steps.push(step);
            }
            let results = |s: &mxr_graph::program::Step| {
                s.writes.iter().map(|v| Made::new(program, *v, &layout.shapes)).collect()
            };
            let Some(step) = layout.work(program, at) else {
                let step = &program.steps[at];
                let there = part(step.writes[0]);
                let operands = Operands::builder().read(&there.buffer, there.bytes).build();
                let operands = operands.map_err(|e| at_layer(program, step, memory(e)))?;
                let (layer, results) = (layer_name(program, step).to_string(), results(step));
                steps.push(Ready { operands, kernel: None, layer, results });
                continue;
            };
            let step = &*step;
            let kernel = layout.kernel(program, step)?;
            let (reads, writes) = (layout.specs(program, &step.reads), layout.specs(program, &step.writes));
            let in_place = layout.in_place(step);
            let r = request(program, step, &reads, &writes, &in_place);
            let read_parts: Vec<Part> = step.reads.iter().map(|v| part(*v)).collect();
            let write_parts: Vec<Part> = step.writes.iter().map(|v| part(*v)).collect();
            let scratch = (kernel.workspace > 0).then(|| {
                let bytes = layout.workspaces[at].clone();
                assert_eq!(bytes.len(), kernel.workspace, "a kernel needs what was planned for it");
                Part { buffer: shared.arena.buffer().clone(), bytes }
            });
            let operands =
                r.operands(&read_parts, &write_parts, scratch).map_err(|e| at_layer(program, step, e))?;
            operands.allocate().map_err(memory)?;
            let (layer, results) = (layer_name(program, step).to_string(), results(step));
            steps.push(Ready { operands, kernel: Some(kernel), layer, results });
        }
        for (of, grad) in made_before(program, program.steps.len(), sums) {
            let (array, step) = sum(program, of, layout.specs(program, &[grad])[0], part(grad), arrays)?;
            zeros.push(clear(&array, &program.values[of as usize].name)?);
            steps.push(step);
        }
        let backward = steps.split_off(forward);
        let run = steps.split_off(program.prologue());
        let prologue = (!steps.is_empty()).then(|| Prologue::new(steps));
        for (of, grad) in program.grads.iter() {
            let (name, made) = (program.values[*of as usize].name.to_string(), array(*grad));
            zeros.push(clear(&made, &name)?);
            arrays.grads.push((name, made));
        }
        let place = |name: &str| program.values.iter().position(|v| v.name == name);
        arrays.grads.sort_by_key(|(name, _)| place(name));
        let heads: Vec<(usize, NDArray)> = program
            .heads
            .iter()
            .map(|(out, head)| {
                let at = program.outputs.iter().position(|o| o == out).expect("the head of an output");
                (at, array(*head))
            })
            .collect();
        for (_, h) in &heads {
            h.fill_with(1.0)?;
        }
        let ahead = prologue.iter().flat_map(|p| &p.steps);
        let all = VarLists::of(ahead.chain(&run).chain(&backward).map(|s| &s.operands));
        // Written by the forward pass and read by the backward pass, which must not run on what a failed one left.
        let passed = Var::new();
        let mut vars: Vec<Var> = all.reads().into_iter().chain(all.writes()).cloned().collect();
        vars.push(passed.clone());
        let (mark, arena) = (Mark::new(), shared.arena);
        let pass = |what, turn, steps: Vec<Ready>, prologue, reads: &[&Var], writes: &[&Var], whole| {
            let kind = Pass { network: &program.name, what, turn, prologue, reads, writes, whole };
            operation(kind, steps, shared)
        };
        let some = |steps: &[Ready]| !steps.is_empty();
        let (onward, back) = (Turn::Forward(mark, mode), Turn::Backward(mark));
        let kept = (0..program.values.len()).filter(|v| program.values[*v].role == Role::Kept);
        let kept = kept.filter_map(|v| homes[v].part.as_ref()).map(|p| p.bytes.len()).sum();
        Ok(Bound {
            // States are the exception among what it writes; where a pass failed they hold numbers all the same, of before
            // or after that pass.
            forward: pass("forward", onward, run, prologue, &[], &[&passed, arena.var()], true),
            // Sums need their old values.
            backward: some(&backward)
                .then(|| pass("backward", back, backward, None, &[&passed], &[arena.var()], sums.is_empty())),
            zero: some(&zeros).then(|| pass("zero_grads", Turn::Other, zeros, None, &[], &[], true)),
            vars,
            outputs: program.outputs.iter().map(|v| array(*v)).collect(),
            predictions: program.predictions.iter().map(|v| array(*v)).collect(),
            heads,
            kept,
            mark,
        })
    }

    pub(super) fn forward(&self, device: &Device, arena: &Arena) {
        arena.ask(self.mark);
        device.engine().push_prepared(&self.forward);
    }

    /// # Errors
    ///
    /// When the values of the forward pass are known to be gone.
    pub(super) fn backward(&self, device: &Device, arena: &Arena) -> Result<(), &'static str> {
        if !arena.is_asked(self.mark) {
            return Err(TAKEN_OVER);
        }
        if let Some(pass) = &self.backward {
            device.engine().push_prepared(pass);
        }
        Ok(())
    }

    pub(super) fn zero_grads(&self, device: &Device) {
        if let Some(pass) = &self.zero {
            device.engine().push_prepared(pass);
        }
    }

    /// Wait for everything that writes what it uses; the first error there is.
    pub(super) fn wait(&self, device: &Device) -> Result<(), EngineError> {
        self.vars.iter().map(|v| device.engine().wait_for(v)).fold(Ok(()), Result::and)
    }

    /// Wait, and take the errors away; the first there was.
    pub(super) fn recover(&self, device: &Device) -> Result<Option<EngineError>, EngineError> {
        let mut first = None;
        for v in &self.vars {
            first = first.or(device.engine().clear_error(v)?);
        }
        Ok(first)
    }
}

/// Where a value lives.
#[derive(Clone, Default)]
struct Home {
    /// Its bytes; `None` for values that no step of this program touches.
    part: Option<Part>,
    /// The array, for values that the user keeps.
    array: Option<NDArray>,
}

fn homes(program: &Program, layout: &Layout, arrays: &mut Arrays, shared: &Shared<'_>) -> Result<Vec<Home>> {
    let mut homes = vec![Home::default(); program.values.len()];
    let kept = program.inputs.iter().chain(program.params.iter()).chain(program.aux.iter());
    let listed = kept
        .chain(program.heads.iter().map(|(_, h)| h))
        .chain(program.outputs.iter())
        .chain(program.predictions.iter())
        .chain(program.grads.iter().map(|(_, g)| g));
    let between = |v: &&u32| program.values[**v as usize].role == Role::Kept;
    let between = program.steps.iter().flat_map(|s| s.writes.iter()).filter(between);
    for v in listed.chain(between).copied() {
        let i = v as usize;
        if homes[i].array.is_some() {
            continue;
        }
        let value = &program.values[i];
        let shape = &layout.shapes[i];
        let array = match value.role {
            Role::Input | Role::Param | Role::Aux => {
                arrays.of(value.role, &value.name, shape, value.dtype)?
            }
            Role::HeadGrad | Role::Internal | Role::Kept => {
                match program.grads.iter().find(|(_, g)| *g == v) {
                    Some((of, _)) => arrays.grad(&program.values[*of as usize].name, shape, value.dtype)?,
                    None => NDArray::zeros_on(shared.device, shape, value.dtype)?,
                }
            }
        };
        homes[i] = Home { part: Some(array.part()), array: Some(array) };
    }
    for i in 0..homes.len() {
        let bytes = Spec { shape: &layout.shapes[i], dtype: program.values[i].dtype }.bytes();
        match layout.plan.places[i] {
            Place::Fixed(offset) => {
                let start = offset as usize;
                homes[i].part =
                    Some(Part { buffer: shared.arena.buffer().clone(), bytes: start..start + bytes });
            }
            Place::Within(root, at) => {
                if let Some(array) = &homes[root as usize].array {
                    let part = array.part();
                    let start = part.bytes.start + at as usize;
                    homes[i].part = Some(Part { buffer: part.buffer, bytes: start..start + bytes });
                }
            }
            Place::Outside | Place::Scaled(_) => {}
        }
    }
    Ok(homes)
}

/// Of these, the gradients that the step before step `at` has made.
fn made_before(program: &Program, at: usize, sums: &[(u32, u32)]) -> Vec<(u32, u32)> {
    let made = at.checked_sub(1).map_or(&[][..], |before| &program.steps[before].writes);
    sums.iter().filter(|(_, grad)| made.contains(grad)).copied().collect()
}

/// The sum of the gradients of a value, and `sum += made`.
fn sum(
    program: &Program,
    of: u32,
    spec: Spec<'_>,
    made: Part,
    arrays: &mut Arrays,
) -> Result<(NDArray, Ready)> {
    let name = &*program.values[of as usize].name;
    let sum = arrays.grad(name, spec.shape, spec.dtype)?;
    let expr = Expr::binary(BinOp::Add).lines;
    let (reads, parts) = ([sum.spec(), spec], [sum.part(), made]);
    let step = on_gradient((&Instr::Map(0), &expr), &reads, &parts, &[Some(0), None], &sum, name)?;
    arrays.grads.push((name.to_string(), sum.clone()));
    Ok((sum, step))
}

/// `gradient = 0`.
fn clear(gradient: &NDArray, name: &str) -> Result<Ready> {
    on_gradient((&Instr::Fill(0.0), &[]), &[], &[], &[], gradient, name)
}

/// A step on a gradient as a whole.
fn on_gradient(
    (instr, expr): (&Instr, &[Scalar]),
    reads: &[Spec<'_>],
    parts: &[Part],
    in_place: &[Option<usize>],
    gradient: &NDArray,
    name: &str,
) -> Result<Ready> {
    let r = Request { instr, expr, function: None, reads, writes: &[gradient.spec()], in_place };
    let operands = r.operands(parts, &[gradient.part()], None)?;
    operands.allocate().map_err(memory)?;
    let layer = format!("gradient of {name}");
    Ok(Ready { operands, kernel: Some(cpu::prepare(&r)?), layer, results: Vec::new() })
}

/// A step with everything it needs.
pub(super) struct Ready {
    pub(super) operands: Operands,
    /// None where the result is there already: it is read then, and only shown.
    kernel: Option<Kernel>,
    layer: String,
    results: Vec<Made>,
}

/// What a monitor is told of a result.
struct Made {
    name: String,
    shape: Vec<usize>,
    dtype: DType,
}

impl Made {
    fn new(program: &Program, v: u32, shapes: &[Vec<usize>]) -> Made {
        let value = &program.values[v as usize];
        Made { name: value.name.to_string(), shape: shapes[v as usize].clone(), dtype: value.dtype }
    }
}

/// What an operation of several steps is beside them.
struct Pass<'a> {
    network: &'a str,
    what: &'a str,
    turn: Turn,
    /// What runs before the steps, where it has to.
    prologue: Option<Prologue>,
    /// Further variables.
    reads: &'a [&'a Var],
    writes: &'a [&'a Var],
    /// Whether it needs nothing of what was in the memory that it writes.
    whole: bool,
}

/// What an operation is to the arena.
#[derive(Clone, Copy)]
enum Turn {
    Forward(Mark, Mode),
    Backward(Mark),
    Other,
}

/// All steps of one direction as one operation of the engine: a step costs no more than its kernel.
fn operation(pass: Pass<'_>, steps: Vec<Ready>, shared: &Shared<'_>) -> Prepared {
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
            let show = |(made, bytes): (&Made, &[u8])| {
                monitor.show(&Observation {
                    layer: &s.layer,
                    value: &made.name,
                    shape: &made.shape,
                    dtype: made.dtype,
                    bytes,
                });
            };
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
