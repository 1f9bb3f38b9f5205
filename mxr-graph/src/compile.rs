//! From a declared network to programs: one that trains it, one that predicts.

use crate::dim::Dim;
use crate::error::ShapeError;
use crate::grad;
use crate::graph::{Graph, Source, ValueId};
use crate::lower;
use crate::memory;
use crate::ops::Lower;
use crate::passes::{self, Passes};
use crate::program::{Operand, Program, ProgramPlan};
use crate::recompute;
use alloc::vec::Vec;

pub use crate::lower::Declared;

/// The program that trains a network: it computes outputs, predictions, and the gradients of all weights and of
/// all floating-point inputs that have one.
///
/// `graph` is the declared network, its outputs set, and settled ([`Graph::settle`] leaves nothing open).
///
/// # Errors
/// When an operator without a gradient stands between an output and a weight.
///
/// ```
/// use mxr_graph::{compile, dtype::DType, graph::Graph, ops, shape::Shape};
/// let mut g = Graph::new("net");
/// let x = g.input("x", Shape::of(&[4, 3]), DType::F32);
/// let w = g.param("w", Shape::of(&[4, 3]), DType::F32);
/// let h = g.call(ops::find("relu").unwrap(), &[], &[w], Some("h"))?[0];
/// let loss = g.call(ops::find("sum").unwrap(), &[], &[h], Some("loss"))?[0];
/// g.outputs = vec![loss];
/// g.settle();
/// let program = compile::train(g)?;
/// assert_eq!(program.grads.len(), 1); // of `w`; nothing depends on `x`
/// # Ok::<(), mxr_graph::error::ShapeError>(())
/// ```
pub fn train(graph: Graph) -> Result<Program, ShapeError> {
    train_with(graph, &Passes::ALL)
}

/// [`train`] with chosen passes.
pub fn train_with(graph: Graph, passes: &Passes) -> Result<Program, ShapeError> {
    let (graph, declared) = training_graph(graph, passes)?;
    Ok(program(&graph, &declared))
}

/// The program that predicts: operators in their form for prediction, each output that depends on losses
/// replaced by what those predict, and nothing that only losses need (labels are no inputs of it).
///
/// `graph` is the declared network, as for [`train`].
pub fn predict(graph: Graph) -> Result<Program, ShapeError> {
    predict_with(graph, &Passes::ALL)
}

/// [`predict`] with chosen passes.
pub fn predict_with(graph: Graph, passes: &Passes) -> Result<Program, ShapeError> {
    let (graph, declared) = prediction_graph(graph, passes)?;
    let mut program = lower::lower(&graph, &declared);
    program.hoist();
    program.plan = memory::symbolic(&program);
    Ok(program)
}

/// The graph that [`train`] makes its program from, to look at.
pub fn training_graph(mut graph: Graph, passes: &Passes) -> Result<(Graph, Declared), ShapeError> {
    let mut declared = declared(&graph);
    passes::predictions(&mut graph)?;
    passes.run_before(&mut graph, true);
    let inputs = (0..graph.values.len() as u32).map(ValueId).filter(|v| {
        let v = graph.value(*v);
        v.source == Source::Input && v.dtype.is_float()
    });
    let trained = |v: &ValueId| !graph.value(*v).training.frozen;
    let trained: Vec<ValueId> = declared.params.iter().copied().filter(trained).collect();
    let wrt: Vec<ValueId> = trained.iter().copied().chain(inputs).collect();
    passes.look("grad", false, &graph);
    gradients(&mut graph, &wrt, &trained)?;
    passes.look("grad", true, &graph);
    declared.follow(&passes.run(&mut graph));
    Ok((graph, declared))
}

/// The graph that [`predict`] makes its program from, to look at.
pub fn prediction_graph(mut graph: Graph, passes: &Passes) -> Result<(Graph, Declared), ShapeError> {
    let mut declared = declared(&graph);
    passes.look("predict", false, &graph);
    declared.follow(&passes::predict(&mut graph)?);
    for (needed, l) in declared.needed.iter_mut().zip(&graph.layers) {
        *needed &= !l.outputs.is_empty();
    }
    passes.look("predict", true, &graph);
    passes.run_before(&mut graph, false);
    declared.follow(&passes.run(&mut graph));
    Ok((graph, declared))
}

/// Append the backward pass of what can be differentiated of `wrt`, and of all of `params` that are trained.
fn gradients(graph: &mut Graph, wrt: &[ValueId], params: &[ValueId]) -> Result<(), ShapeError> {
    let (nodes, values, checks) = (graph.nodes.len(), graph.values.len(), graph.checks.len());
    let Err(e) = grad::backward(graph, wrt) else { return Ok(()) };
    // A gradient may be missing only on the way to an input, where nobody has to ask for it.
    graph.nodes.truncate(nodes);
    graph.values.truncate(values);
    graph.checks.truncate(checks);
    graph.grads.clear();
    grad::backward(graph, params).map_err(|_| e)
}

fn program(graph: &Graph, declared: &Declared) -> Program {
    let mut program = lower::lower(graph, declared);
    if graph.layers.iter().any(|l| l.segment.is_some()) {
        // Layers stay in their order.
        let mut layers = graph.layers.iter();
        let mut segment = |name: &str| layers.find(|l| l.name == name).and_then(|l| l.segment);
        let of: Vec<Option<u32>> = program.layers.iter().map(|l| segment(&l.name)).collect();
        program = recompute::segments(&program, |layer| of.get(layer as usize).copied().flatten());
    }
    program.plan = plan(&program);
    program
}

/// The memory that a program's own part takes for every batch size.
pub fn plan(program: &Program) -> Option<ProgramPlan> {
    match program.training.iter().any(|(_, t)| t.frozen) {
        false => memory::symbolic(program),
        // Gradients of inputs may be asked for, but what only they keep of frozen layers is no part of training these.
        true => program.trained().plan,
    }
}

/// The floating-point operations of each layer, of a graph as it is declared.
pub fn flops(graph: &Graph) -> Vec<Dim> {
    let mut flops = alloc::vec![Dim::ZERO; graph.layers.len()];
    for node in &graph.nodes {
        let own = node.op.flops(Lower { graph, node });
        if own != Dim::ZERO {
            let sum = &mut flops[node.layer.index()];
            *sum = sum.add(&own);
        }
    }
    flops
}

/// What later passes would change: the order of weights and states, the size of the layers.
fn declared(graph: &Graph) -> Declared {
    let flops = flops(graph);
    let shape = |l: &crate::graph::Layer| l.outputs.first().map(|o| graph.value(*o).shape.clone());
    let shapes = graph.layers.iter().map(|l| shape(l).unwrap_or_default()).collect();
    let operand = |v: &ValueId| match graph.value(*v).source {
        Source::Node { node, .. } => Some(Operand::Layer(graph.nodes[node as usize].layer.0)),
        Source::Input => Some(Operand::Fed(v.0)),
        Source::Param | Source::Aux | Source::HeadGrad(_) => None,
    };
    let operands = graph.layers.iter().map(|l| l.inputs.iter().filter_map(operand).collect()).collect();
    let (params, aux, reached) = depth_first(graph);
    let mut needed = alloc::vec![false; graph.layers.len()];
    for (node, _) in graph.nodes.iter().zip(reached).filter(|(_, reached)| *reached) {
        needed[node.layer.index()] = true;
    }
    Declared { params, aux, shapes, flops, operands, needed }
}

/// Weights and states that the outputs depend on, depth first: MXNet's order. Then those that are left. And which nodes the
/// outputs depend on.
fn depth_first(graph: &Graph) -> (Vec<ValueId>, Vec<ValueId>, Vec<bool>) {
    let (mut params, mut aux) = (Vec::new(), Vec::new());
    let mut seen = alloc::vec![false; graph.values.len()];
    let mut done = alloc::vec![false; graph.nodes.len()];
    let mut stack: Vec<(u32, usize)> = Vec::new();
    for out in &graph.outputs {
        let mut next = Some(*out);
        loop {
            if let Some(v) = next.take() {
                match graph.value(v).source {
                    Source::Node { node, .. } if !done[node as usize] => {
                        done[node as usize] = true;
                        stack.push((node, 0));
                    }
                    Source::Param if !seen[v.index()] => params.push(v),
                    Source::Aux if !seen[v.index()] => aux.push(v),
                    _ => {}
                }
                seen[v.index()] = true;
            }
            let Some((node, at)) = stack.last_mut() else { break };
            match graph.nodes[*node as usize].inputs.get(*at) {
                Some(v) => {
                    *at += 1;
                    next = Some(*v);
                }
                None => {
                    stack.pop();
                }
            }
        }
    }
    for v in (0..graph.values.len() as u32).map(ValueId).filter(|v| !seen[v.index()]) {
        match graph.value(v).source {
            Source::Param => params.push(v),
            Source::Aux => aux.push(v),
            _ => {}
        }
    }
    (params, aux, done)
}

#[cfg(test)]
mod tests;
