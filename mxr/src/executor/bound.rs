//! One program bound: a place for every value, a kernel for every step, two operations for the engine.

use super::Mode;
use super::arena::{Arena, Mark, TAKEN_OVER};
use super::forms::Makers;
use super::layout::{Layout, at_layer, layer_name, request};
use super::monitor::Monitor;
use super::options::{BindOptions, GradReq, SharedArrays};
use super::pass::{Made, Pass, Ready, Turn, operation};
use super::prologue::Prologue;
use crate::device::Device;
use crate::device::cpu;
use crate::device::kernel::{Part, Request, Spec};
use crate::engine::{EngineError, Prepared, Var};
use crate::error::{Error, Result};
use crate::ndarray::{NDArray, memory};
use crate::storage::{Operands, VarLists};
use mxr_graph::catalogue::Code;
use mxr_graph::dtype::DType;
use mxr_graph::error::did_you_mean;
use mxr_graph::expr::Expr;
use mxr_graph::instr::{BinOp, Instr, Scalar};
use mxr_graph::program::{Place, Program, Role};
use mxr_graph::training::Training;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

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
        let code = if kind == "input" { Code::FedUnknown } else { Code::NoParameter };
        Error::invalid(
            name,
            format!("the network has no {kind} of this name ({code})"),
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
        let differentiable = program.grads.iter().any(|(v, _)| name(*v) == asked);
        let own = |(v, how): &(u32, Training)| how.frozen && name(*v) == asked;
        if !differentiable
            && options.request(asked) != Some(GradReq::Null)
            && program.training.iter().any(own)
        {
            return Err(Error::invalid(
                format!("gradient of `{asked}`"),
                "its layer is frozen",
                "declare the layer without `#[frozen]` (`frozen()` in a symbol) to train it",
            ));
        }
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
    /// Bytes of weights as kernels read them.
    pub(super) prepared: usize,
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
        let mut makers = Makers::new(&layout.forms);
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
            let mut kernel = layout.kernel(program, at, step)?;
            let served = makers.serve(program, at, &mut kernel, part)?;
            let (reads, writes) = (layout.specs(program, &step.reads), layout.specs(program, &step.writes));
            let in_place = layout.in_place(step);
            let r = request(program, step, &reads, &writes, &in_place);
            let mut read_parts: Vec<Part> = step.reads.iter().map(|v| part(*v)).collect();
            let form = served.map(|(read, form)| {
                read_parts[read] = form;
                read
            });
            let write_parts: Vec<Part> = step.writes.iter().map(|v| part(*v)).collect();
            let scratch = (kernel.workspace > 0).then(|| {
                let bytes = layout.workspaces[at].clone();
                assert_eq!(bytes.len(), kernel.workspace, "a kernel needs what was planned for it");
                Part { buffer: shared.arena.buffer().clone(), bytes }
            });
            let operands =
                r.operands(&read_parts, &write_parts, scratch).map_err(|e| at_layer(program, step, e))?;
            // The form of a weight takes memory in the first prediction: who trains may never make one.
            let reads = read_parts.iter().enumerate().filter(|(i, _)| Some(*i) != form).map(|(_, part)| part);
            reads.chain(&write_parts).try_for_each(|part| part.buffer.allocate()).map_err(memory)?;
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
        let steps = makers.among(steps);
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
            kept: layout.kept(program),
            prepared: layout.forms.bytes(),
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
        if let Some(maker) = layout.forms.passed_on(v) {
            let bytes = layout.workspaces[maker].clone();
            homes[i].part = Some(Part { buffer: shared.arena.buffer().clone(), bytes });
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
    let writes = &[gradient.spec()];
    let r = Request { instr, expr, function: None, reads, writes, in_place, fixed_weight: false };
    let operands = r.operands(parts, &[gradient.part()], None)?;
    operands.allocate().map_err(memory)?;
    let layer = format!("gradient of {name}");
    Ok(Ready { operands, kernel: Some(cpu::prepare(&r)?), layer, results: Vec::new() })
}
