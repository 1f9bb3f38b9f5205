//! One program bound: a place for every value, a kernel for every step, two operations for the engine.

use super::Mode;
use super::monitor::{Monitor, Observation};
use super::options::{BindOptions, GradReq};
use crate::device::Device;
use crate::device::cpu;
use crate::device::kernel::{Call, Kernel, Key, Part, Request, Spec};
use crate::engine::{EngineError, OpError, Prepared, Properties, RunContext, Var};
use crate::error::{Error, Result};
use crate::ndarray::{NDArray, memory};
use crate::storage::{Buffer, Operands, VarLists};
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
}

impl Arrays {
    pub(super) fn new(device: &Device) -> Arrays {
        Arrays {
            device: device.clone(),
            inputs: Vec::new(),
            params: Vec::new(),
            aux: Vec::new(),
            grads: Vec::new(),
        }
    }

    /// The array of this role and name, made at its first mention.
    fn of(&mut self, role: Role, name: &str, shape: &[usize], dtype: DType) -> Result<NDArray> {
        let list = match role {
            Role::Input => &mut self.inputs,
            Role::Param => &mut self.params,
            Role::Aux => &mut self.aux,
            Role::HeadGrad | Role::Internal => panic!("{name} is not shared between modes"),
        };
        if let Some((_, a)) = list.iter().find(|(n, _)| n == name) {
            debug_assert_eq!(a.shape(), shape, "{name} has one shape in all modes");
            return Ok(a.clone());
        }
        let array = NDArray::zeros_on(&self.device, shape, dtype)?;
        list.push((name.to_string(), array.clone()));
        Ok(array)
    }
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

    /// Without workspaces.
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
        cpu::prepare(&request(program, step, &reads, &writes, &in_place))
            .map_err(|e| at_layer(program, step, e))
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
    Request { instr: &step.instr, expr, reads, writes, in_place }
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
    pub(super) arena: Buffer,
    pub(super) seed: u64,
    pub(super) steps: &'a Arc<AtomicU64>,
    pub(super) monitor: &'a Arc<Monitor>,
    /// Where the network was bound: the place that errors of its passes name.
    pub(super) site: &'static std::panic::Location<'static>,
}

pub(super) fn block(bytes: usize) -> Result<Buffer> {
    let buffer = Buffer::new(bytes).map_err(memory)?;
    buffer.allocate().map_err(memory)?;
    Ok(buffer)
}

/// A program ready to run.
pub(super) struct Bound {
    forward: Prepared,
    backward: Option<Prepared>,
    /// Adds what the backward pass made to the gradients that are sums. An operation of its own: it needs their old values,
    /// the backward pass needs nothing old.
    accumulate: Option<Prepared>,
    /// Sets all gradients to 0.
    zero: Option<Prepared>,
    /// Of everything it reads or writes, each once.
    vars: Vec<Var>,
    pub(super) outputs: Vec<NDArray>,
    pub(super) predictions: Vec<NDArray>,
    /// Head gradients by the number of their output.
    pub(super) heads: Vec<(usize, NDArray)>,
    /// Bytes of the arena that internal arrays take.
    pub(super) arena: usize,
    /// And what kernels' workspaces need besides.
    pub(super) workspace: usize,
}

impl Bound {
    pub(super) fn new(
        program: &Program,
        mode: Mode,
        layout: Layout,
        arrays: &mut Arrays,
        options: &BindOptions,
        shared: &Shared<'_>,
    ) -> Result<Bound> {
        let homes = homes(program, &layout, arrays, shared)?;
        let part = |v: u32| homes[v as usize].part.clone().expect("a step's operand has a place");
        let array = |v: u32| homes[v as usize].array.clone().expect("a kept value is an array");
        let mut steps = Vec::with_capacity(program.steps.len());
        let mut forward = 0;
        for at in 0..program.steps.len() {
            forward += usize::from(at < program.forward as usize);
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
                Part { buffer: shared.arena.clone(), bytes }
            });
            let operands =
                r.operands(&read_parts, &write_parts, scratch).map_err(|e| at_layer(program, step, e))?;
            operands.allocate().map_err(memory)?;
            let (layer, results) = (layer_name(program, step).to_string(), results(step));
            steps.push(Ready { operands, kernel: Some(kernel), layer, results });
        }
        let backward = steps.split_off(forward);
        let (mut sums, mut zeros) = (Vec::new(), Vec::new());
        for (of, grad) in program.grads.iter() {
            let name = program.values[*of as usize].name.to_string();
            let made = array(*grad);
            if options.request(&name).unwrap_or(options.all) == GradReq::Add {
                let sum = NDArray::zeros_on(shared.device, made.shape(), made.dtype())?;
                sums.push(accumulate(&sum, &made, &name)?);
                zeros.push(clear(&sum, &name)?);
                arrays.grads.push((name, sum));
            } else {
                zeros.push(clear(&made, &name)?);
                arrays.grads.push((name, made));
            }
        }
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
        let all = VarLists::of(steps.iter().chain(&backward).chain(&sums).map(|s| &s.operands));
        // Written by the forward pass and read by the backward pass, which must not run on what a failed one left.
        let passed = Var::new();
        let mut vars: Vec<Var> = all.reads().into_iter().chain(all.writes()).cloned().collect();
        vars.push(passed.clone());
        let pass = |what, steps: Vec<Ready>, reads: &[&Var], writes: &[&Var], whole, counts| {
            let kind = Pass { network: &program.name, what, reads, writes, whole, counts };
            operation(kind, steps, shared)
        };
        let some = |steps: &[Ready]| !steps.is_empty();
        Ok(Bound {
            // States are the exception among what it writes; where a pass failed they hold numbers all the same, of before
            // or after that pass.
            forward: pass("forward", steps, &[], &[&passed], true, mode == Mode::Train),
            backward: some(&backward).then(|| pass("backward", backward, &[&passed], &[], true, false)),
            accumulate: some(&sums).then(|| pass("accumulate", sums, &[&passed], &[], false, false)),
            zero: some(&zeros).then(|| pass("zero_grads", zeros, &[], &[], true, false)),
            vars,
            outputs: program.outputs.iter().map(|v| array(*v)).collect(),
            predictions: program.predictions.iter().map(|v| array(*v)).collect(),
            heads,
            arena: layout.internal,
            workspace: layout.arena - layout.internal,
        })
    }

    pub(super) fn forward(&self, device: &Device) {
        device.engine().push_prepared(&self.forward);
    }

    pub(super) fn backward(&self, device: &Device) {
        for pass in self.backward.iter().chain(&self.accumulate) {
            device.engine().push_prepared(pass);
        }
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
    for v in listed.copied() {
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
            Role::HeadGrad | Role::Internal => NDArray::zeros_on(shared.device, shape, value.dtype)?,
        };
        homes[i] = Home { part: Some(array.part()), array: Some(array) };
    }
    for i in 0..homes.len() {
        let bytes = Spec { shape: &layout.shapes[i], dtype: program.values[i].dtype }.bytes();
        match layout.plan.places[i] {
            Place::Fixed(offset) => {
                let start = offset as usize;
                homes[i].part = Some(Part { buffer: shared.arena.clone(), bytes: start..start + bytes });
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

/// `sum += made` after the backward pass.
fn accumulate(sum: &NDArray, made: &NDArray, name: &str) -> Result<Ready> {
    let expr = Expr::binary(BinOp::Add).lines;
    on_gradient(&Instr::Map(0), &expr, &[sum, made], &[Some(0), None], sum, name)
}

/// `gradient = 0`.
fn clear(gradient: &NDArray, name: &str) -> Result<Ready> {
    on_gradient(&Instr::Fill(0.0), &[], &[], &[], gradient, name)
}

/// A step on a gradient as a whole.
fn on_gradient(
    instr: &Instr,
    expr: &[Scalar],
    reads: &[&NDArray],
    in_place: &[Option<usize>],
    gradient: &NDArray,
    name: &str,
) -> Result<Ready> {
    let specs: Vec<Spec<'_>> = reads.iter().map(|a| a.spec()).collect();
    let parts: Vec<Part> = reads.iter().map(|a| a.part()).collect();
    let r = Request { instr, expr, reads: &specs, writes: &[gradient.spec()], in_place };
    let operands = r.operands(&parts, &[gradient.part()], None)?;
    operands.allocate().map_err(memory)?;
    let layer = format!("gradient of {name}");
    Ok(Ready { operands, kernel: Some(cpu::prepare(&r)?), layer, results: Vec::new() })
}

/// A step with everything it needs.
struct Ready {
    operands: Operands,
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
    /// Further variables.
    reads: &'a [&'a Var],
    writes: &'a [&'a Var],
    /// Whether it needs nothing of what was in the memory that it writes.
    whole: bool,
    /// Whether each run is a position of its own in the random numbers.
    counts: bool,
}

/// All steps of one direction as one operation of the engine: a step costs no more than its kernel.
fn operation(pass: Pass<'_>, steps: Vec<Ready>, shared: &Shared<'_>) -> Prepared {
    let vars = VarLists::of(steps.iter().map(|s| &s.operands));
    let (seed, position, monitor) = (shared.seed, shared.steps.clone(), shared.monitor.clone());
    let name = format!("{}.{}", pass.network, pass.what);
    let props = Properties::new(name).overwrites(pass.whole).pushed_at(shared.site);
    let counts = pass.counts;
    let run = move |ctx: &RunContext<'_>| -> Result<(), OpError> {
        let step =
            if counts { position.fetch_add(1, Ordering::Relaxed) } else { position.load(Ordering::Relaxed) };
        let (key, watched) = (Key { seed, step }, monitor.is_on());
        for s in &steps {
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
    };
    let (reads, writes) = ([&vars.reads(), pass.reads].concat(), [&vars.writes(), pass.writes].concat());
    shared.device.engine().prepare(&reads, &writes, props, run)
}
