//! The verifier: whether a graph still keeps what every pass relies on.
//!
//! It runs between passes in debug builds and in the tests. A graph that it refuses is a mistake of ours, never of the user:
//! theirs are found when an operator is applied.

use crate::dim::Symbols;
use crate::graph::{Graph, Node, Source, ValueId};
use crate::infer::Infer;
use crate::schema::{Attr, Attrs};
use crate::shape::Shape;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// A broken invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyError {
    /// The value, the node (by its first result) or the layer.
    pub place: String,
    /// What does not hold.
    pub message: String,
}

impl fmt::Display for VerifyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.message)
    }
}

impl core::error::Error for VerifyError {}

fn broken<T>(place: &str, message: String) -> Result<T, VerifyError> {
    Err(VerifyError { place: place.into(), message })
}

/// Hold a graph against its invariants:
///
/// * every value is made where it says it is, exactly once, before it is read; names are unique;
/// * every node's options and results are what its operator's shape rule makes of its operands;
/// * the backward pass comes after the forward pass, and a gradient has the shape and the element type of its value;
/// * outputs, predictions, gradients and layers mention values that exist.
///
/// ```
/// use mxr_graph::{dtype::DType, graph::Graph, ops, shape::Shape, verify::verify};
/// let mut g = Graph::new("net");
/// let x = g.input("x", Shape::of(&[4, 3]), DType::F32);
/// let y = g.call(ops::find("relu").unwrap(), &[], &[x], None)?[0];
/// g.outputs.push(y);
/// assert_eq!(verify(&g), Ok(()));
/// g.values[y.index()].shape = Shape::of(&[3, 4]);
/// assert_eq!(
///     verify(&g).unwrap_err().to_string(),
///     "activation0_output: relu gives f32[4, 3], the value is f32[3, 4]"
/// );
/// # Ok::<(), mxr_graph::error::ShapeError>(())
/// ```
pub fn verify(graph: &Graph) -> Result<(), VerifyError> {
    values(graph)?;
    order(graph)?;
    rules(graph)?;
    layers(graph)?;
    results(graph)
}

/// Names are unique, and values and nodes agree on who makes what.
fn values(graph: &Graph) -> Result<(), VerifyError> {
    let mut names = BTreeSet::new();
    for (i, v) in graph.values.iter().enumerate() {
        if !names.insert(&v.name) {
            return broken(&v.name, "two values have this name".into());
        }
        match v.source {
            Source::Node { node, output } => {
                let made = graph.nodes.get(node as usize).and_then(|n| n.outputs.get(output as usize));
                if made != Some(&ValueId(i as u32)) {
                    return broken(&v.name, format!("result {output} of node {node} is another value"));
                }
            }
            Source::HeadGrad(of) => {
                let Some(of) = graph.values.get(of.index()) else {
                    return broken(&v.name, "the head gradient of a value that does not exist".into());
                };
                if (&of.shape, of.dtype) != (&v.shape, v.dtype) {
                    return broken(&v.name, format!("the head gradient of {} is not of its shape", of.name));
                }
            }
            Source::Input | Source::Param | Source::Aux => {}
        }
    }
    Ok(())
}

/// Operands are there before they are read, the backward pass is last.
fn order(graph: &Graph) -> Result<(), VerifyError> {
    let mut backward = false;
    for (at, n) in graph.nodes.iter().enumerate() {
        let place = place(graph, n);
        if n.layer.index() >= graph.layers.len() {
            return broken(&place, format!("belongs to layer {}, which does not exist", n.layer.0));
        }
        if backward && !n.backward {
            return broken(&place, "a node of the forward pass after one of the backward pass".into());
        }
        backward = n.backward;
        for (i, o) in n.outputs.iter().enumerate() {
            let here = Source::Node { node: at as u32, output: i as u32 };
            match graph.values.get(o.index()) {
                Some(v) if v.source == here => {}
                _ => return broken(&place, format!("result {i} does not come from it")),
            }
        }
        for (i, o) in n.inputs.iter().enumerate() {
            let Some(v) = graph.values.get(o.index()) else {
                return broken(&place, format!("operand {i} does not exist"));
            };
            match v.source {
                Source::Node { node, .. } if node as usize >= at => {
                    return broken(&place, format!("reads {} before it is made", v.name));
                }
                Source::Node { .. } if n.op.mutates().contains(&i) => {
                    return broken(&place, format!("updates {}, which is a result", v.name));
                }
                _ => {}
            }
        }
    }
    Ok(())
}

/// Every shape rule, once more.
fn rules(graph: &Graph) -> Result<(), VerifyError> {
    let mut scratch = graph.clone();
    for n in &graph.nodes {
        let (place, name) = (place(graph, n), n.op.schema().name);
        if n.attrs.len() != n.op.schema().options.len() {
            return broken(
                &place,
                format!("{} options, {name} has {}", n.attrs.len(), n.op.schema().options.len()),
            );
        }
        let mut infer = Infer::new(&mut scratch, n.op, n.attrs.clone(), &n.inputs, n.layer);
        let outcome = n.op.infer(&mut infer);
        let (mut attrs, inputs, results) = infer.finish();
        if let Err(e) = outcome {
            return broken(&place, format!("{e}"));
        }
        if inputs != n.inputs {
            return broken(&place, format!("{name} makes parameters that it was not given"));
        }
        let mut given = n.attrs.clone();
        resolve(&mut scratch.symbols, &mut attrs);
        resolve(&mut scratch.symbols, &mut given);
        for ((new, old), option) in attrs.iter().zip(&given).zip(n.op.schema().options) {
            if new != old {
                return broken(&place, format!("{name} makes `{}` {new:?}, it is {old:?}", option.name));
            }
        }
        if results.len() != n.outputs.len() {
            return broken(
                &place,
                format!("{name} gives {} results, not {}", results.len(), n.outputs.len()),
            );
        }
        for ((shape, dtype), o) in results.into_iter().zip(&n.outputs) {
            let shape = Shape(shape.iter().map(|d| scratch.symbols.resolve(d)).collect());
            let (v, have) = (graph.value(*o), scratch.shape(*o));
            if (&shape, dtype) != (&have, v.dtype) {
                let (shape, have) = (shape.display(&scratch.symbols), have.display(&scratch.symbols));
                let message = format!("{name} gives {dtype}{shape}, the value is {}{have}", v.dtype);
                return broken(&v.name, message);
            }
        }
    }
    Ok(())
}

fn layers(graph: &Graph) -> Result<(), VerifyError> {
    let mut names = BTreeSet::new();
    for l in &graph.layers {
        if !names.insert(&l.name) {
            return broken(&l.name, "two layers have this name".into());
        }
        if l.inputs.iter().chain(&l.outputs).any(|v| v.index() >= graph.values.len()) {
            return broken(&l.name, "mentions a value that does not exist".into());
        }
    }
    Ok(())
}

fn results(graph: &Graph) -> Result<(), VerifyError> {
    let pairs = graph.grads.iter().flat_map(|(v, g)| [v, g]);
    for v in graph.outputs.iter().chain(&graph.predictions).chain(pairs) {
        if v.index() >= graph.values.len() {
            return broken(&graph.name, format!("value {} is a result and does not exist", v.0));
        }
    }
    let mut symbols = graph.symbols.clone();
    let mut seen = BTreeSet::new();
    for (v, g) in &graph.grads {
        let (v, g) = (graph.value(*v), graph.value(*g));
        if !seen.insert(&v.name) {
            return broken(&v.name, "has two gradients".into());
        }
        let mut shape = |s: &Shape| Shape(s.iter().map(|d| symbols.resolve(d)).collect());
        let (x, dx) = (shape(&v.shape), shape(&g.shape));
        if (&x, v.dtype) != (&dx, g.dtype) {
            let (x, dx) = (x.display(&symbols), dx.display(&symbols));
            return broken(&g.name, format!("{}{dx}, the gradient of {}, {}{x}", g.dtype, v.name, v.dtype));
        }
    }
    Ok(())
}

/// What inference found out, in every option.
fn resolve(symbols: &mut Symbols, attrs: &mut Attrs) {
    for attr in attrs {
        match attr {
            Attr::Dim(d) => *d = symbols.resolve(d),
            Attr::Dims(list) => {
                for d in list.iter_mut().flatten() {
                    *d = symbols.resolve(d);
                }
            }
            _ => {}
        }
    }
}

/// A node is called by its first result.
fn place(graph: &Graph, node: &Node) -> String {
    let first = node.outputs.first().and_then(|o| graph.values.get(o.index()));
    first.map_or_else(|| node.op.schema().name.into(), |v| v.name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dim::Dim;
    use crate::dtype::DType;
    use crate::grad::backward;
    use crate::graph::LayerId;
    use crate::ops::{find, reduce::SUM};
    use alloc::string::ToString;

    fn network() -> Graph {
        let mut g = Graph::new("net");
        let n = Dim::symbol(g.symbols.named("N"));
        let x = g.input("x", Shape(alloc::vec![n, Dim::Const(4)]), DType::F32);
        let w = g.param("w", Shape::of(&[4, 3]), DType::F32);
        let op = |name| find(name).expect("an operator");
        let h = g.call(op("matmul"), &[], &[x, w], Some("h")).expect("fits")[0];
        let a = g.call(op("tanh"), &[], &[h], Some("a")).expect("fits")[0];
        let loss = g.call(&SUM, &[], &[a], Some("loss")).expect("fits")[0];
        g.outputs.push(loss);
        backward(&mut g, &[w]).expect("differentiable");
        g
    }

    fn message(change: impl FnOnce(&mut Graph)) -> String {
        let mut g = network();
        assert_eq!(verify(&g), Ok(()), "{g}");
        change(&mut g);
        verify(&g).expect_err("it was broken").to_string()
    }

    #[test]
    fn every_broken_invariant_is_found() {
        let relabel = |g: &mut Graph| g.values[2].name = "x".into();
        assert_eq!(message(relabel), "x: two values have this name");
        assert_eq!(message(|g| g.nodes.swap(0, 1)), "h_output: result 0 of node 0 is another value");
        let early = |g: &mut Graph| g.nodes[0].inputs[0] = g.nodes[1].outputs[0];
        assert_eq!(message(early), "h_output: reads a_output before it is made");
        assert_eq!(message(|g| g.nodes[1].inputs[0] = ValueId(99)), "a_output: operand 0 does not exist");
        let last = |g: &mut Graph| g.nodes.last_mut().expect("not empty").backward = false;
        assert!(message(last).ends_with("a node of the forward pass after one of the backward pass"));
        assert!(message(|g| g.nodes[0].layer = LayerId(7)).ends_with("layer 7, which does not exist"));
        assert_eq!(
            message(|g| g.values[1].shape = Shape::of(&[4, 5])),
            "h_output: matmul gives f32[N, 5], the value is f32[N, 3]"
        );
        assert_eq!(
            message(|g| g.values[3].dtype = DType::F64),
            "a_output: tanh gives f32[N, 3], the value is f64[N, 3]"
        );
        let turned = |g: &mut Graph| g.nodes[0].attrs[0] = Attr::Bool(true);
        assert!(message(turned).contains("the inner extents differ"));
        assert!(message(|g| g.layers[1].name = "h".into()).contains("two layers have this name"));
        assert!(message(|g| g.outputs[0] = ValueId(99)).contains("value 99 is a result and does not exist"));
        let other = |g: &mut Graph| g.grads[0].1 = g.nodes[0].outputs[0];
        assert_eq!(message(other), "h_output: f32[N, 3], the gradient of w, f32[4, 3]");
        let twice = |g: &mut Graph| g.grads.push(g.grads[0]);
        assert_eq!(message(twice), "w: has two gradients");
    }
}
