//! Operators of the user's in a program that is bound: what is stated of their results is held against their shape rules, and each
//! gradient gets what its operator says that it needs, no more: until then a program keeps all operands and results for it.

use crate::device::kernel::Kernel;
use crate::error::{Error, Result};
use crate::op::kernel::{self, Gradient};
use crate::op::{ArrayType, Needs, Operator, refused, results};
use mxr_graph::catalogue::Code;
use mxr_graph::dim::Dim;
use mxr_graph::error::ShapeError;
use mxr_graph::instr::{Instr, Layout};
use mxr_graph::memory;
use mxr_graph::program::{Program, ProgramValue, Role, Step};
use std::sync::Arc;

/// The program with the operators' own rules.
///
/// # Errors
///
/// What an operator refuses, a stated result that is not what comes out, a gradient that an operator does not have.
pub(super) fn settled(
    mut program: Program,
    operators: &[Arc<dyn Operator>],
    given: &[(&str, i64)],
) -> Result<Program> {
    if !program.steps.iter().any(|s| matches!(s.instr, Instr::Extern(_))) {
        return Ok(program);
    }
    let symbols = program.bind_symbols(given)?;
    for step in program.steps[..program.forward as usize].iter() {
        let Instr::Extern(call) = step.instr else { continue };
        let (op, layer) = (&*operators[call as usize], layer_of(&program, step));
        let inputs = types(&program, &step.reads, &symbols);
        let made = results(op, layer, &inputs)?;
        let stated = types(&program, &step.writes, &symbols);
        if made.len() != stated.len() {
            let (rule, stated) = (made.len(), stated.len());
            let message = format!("gives {rule} results by its shape rule, and {stated} are stated");
            return Err(Error::Shape(refused(op, layer, Code::StatedShape, message, &inputs)));
        }
        if made != stated {
            let text =
                |list: &[ArrayType]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            let message = format!("gives {} by its shape rule, and {} is stated", text(&made), text(&stated));
            let e = refused(op, layer, Code::StatedShape, message, &inputs);
            let help = Some("state what the rule gives".to_string());
            return Err(Error::Shape(ShapeError { help, ..e }));
        }
    }
    let mut pruned = false;
    for at in program.forward as usize..program.steps.len() {
        let Instr::ExternBackward { call, .. } = program.steps[at].instr else { continue };
        let op = &*operators[call as usize];
        let Some(needs) = op.gradient() else {
            let message = "has no gradient, but the loss depends on trained weights through it".to_string();
            let e = refused(op, layer_of(&program, &program.steps[at]), Code::GradientNotKnown, message, &[]);
            let help = "implement `gradient` and `backward` of it, wrap its input in `stop_gradient`, or bind with \
                        `grads(GradReq::Null)` to predict only";
            return Err(Error::Shape(ShapeError { help: Some(help.to_string()), ..e }));
        };
        pruned |= needs != Needs::BOTH;
        saves(&mut program, at, op, needs, &symbols);
    }
    if pruned {
        // What only the gradient seemed to need has no reader left.
        let kept: Vec<u32> = program.outputs.iter().chain(program.predictions.iter()).copied().collect();
        let grads: Vec<u32> = program.grads.iter().map(|(of, _)| *of).collect();
        return Ok(program.select(&kept, &grads));
    }
    program.plan = memory::symbolic(&program);
    Ok(program)
}

/// Step number `at`, a gradient, with the reads that its operator needs, and what is saved for it by the last step before it that computes
/// the same call.
fn saves(program: &mut Program, at: usize, op: &dyn Operator, needs: Needs, symbols: &[i64]) {
    let Instr::ExternBackward { call, wants, .. } = program.steps[at].instr else { return };
    let from = program.steps[..at].iter().rposition(|s| s.instr == Instr::Extern(call));
    let from = from.expect("a gradient comes after what it is the gradient of");
    let inputs = types(program, &program.steps[from].reads, symbols);
    let mut saved = Vec::new();
    for (i, t) in op.saved(&inputs).into_iter().enumerate() {
        let shape: Vec<Dim> = t.shape.iter().map(|n| Dim::from(*n)).collect();
        saved.push(program.values.len() as u32);
        let name = format!("{}_saved{i}_{call}", layer_of(program, &program.steps[from])).into();
        let (dtype, shape, role, layout) = (t.dtype, shape.into(), Role::Internal, Layout::Nchw);
        program.values.to_mut().push(ProgramValue { name, dtype, shape, role, layout });
    }
    let steps = program.steps.to_mut();
    steps[from].writes.to_mut().extend(&saved);
    let (x, rest) = steps[at].reads.split_at(inputs.len());
    let (y, dy) = rest.split_at(op.results());
    let kept = |needed: bool, list: &[u32]| if needed { list.to_vec() } else { Vec::new() };
    let reads = [kept(needs.inputs, x), kept(needs.outputs, y), saved, dy.to_vec()].concat();
    let instr = Instr::ExternBackward { call, wants, inputs: needs.inputs, outputs: needs.outputs };
    steps[at] = Step { instr, reads: reads.into(), ..steps[at].clone() };
}

/// The kernel of a step that is an operator of the user's.
pub(super) fn kernel(
    program: &Program,
    step: &Step,
    shapes: &[Vec<usize>],
    operators: &[Arc<dyn Operator>],
) -> Option<Kernel> {
    let types = |values: &[u32]| -> Vec<ArrayType> {
        let ty = |v: &u32| ArrayType::new(shapes[*v as usize].clone(), program.values[*v as usize].dtype);
        values.iter().map(ty).collect()
    };
    match step.instr {
        Instr::Extern(call) => {
            let op = &operators[call as usize];
            let (outputs, saved) = step.writes.split_at(op.results());
            Some(kernel::forward(op.clone(), types(&step.reads), types(outputs), types(saved)))
        }
        Instr::ExternBackward { call, wants, inputs, outputs } => {
            let op = &operators[call as usize];
            let from = program.steps.iter().find(|s| s.instr == Instr::Extern(call));
            let from = from.expect("a gradient comes after what it is the gradient of");
            let (made, count) =
                (&from.writes[..op.results()], |there: bool, n: usize| if there { n } else { 0 });
            let before = count(inputs, from.reads.len()) + count(outputs, made.len());
            let saved = &step.reads[before..step.reads.len() - made.len()];
            let gradient = Gradient {
                needs: Needs { inputs, outputs },
                wants,
                inputs: types(&from.reads),
                outputs: types(made),
                saved: types(saved),
            };
            Some(kernel::backward(op.clone(), gradient))
        }
        _ => None,
    }
}

fn types(program: &Program, values: &[u32], symbols: &[i64]) -> Vec<ArrayType> {
    let ty = |v: &u32| ArrayType::new(program.extents(*v, symbols), program.values[*v as usize].dtype);
    values.iter().map(ty).collect()
}

fn layer_of<'a>(program: &'a Program, step: &Step) -> &'a str {
    super::layout::layer_name(program, step)
}
