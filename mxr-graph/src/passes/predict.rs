//! What a network predicts: the results of its losses' predictions, and the rewriting of training-time operators.

use crate::error::ShapeError;
use crate::graph::{Graph, LayerId, ValueId};
use alloc::vec::Vec;

/// Rewrite the graph for prediction: every operator that has another form there (dropout is its input, batch
/// normalisation uses its running statistics) is replaced by it, and every output that depends on losses by what
/// those losses predict, in order of their layers. What only losses need leaves the graph.
///
/// The numbers of values change: entry `i` of the result is the new number of value `i`.
pub fn predict(graph: &mut Graph) -> Result<Vec<Option<ValueId>>, ShapeError> {
    let mut became: Vec<ValueId> = (0..graph.values.len() as u32).map(ValueId).collect();
    let nodes = core::mem::take(&mut graph.nodes);
    graph.nodes.reserve(nodes.len());
    for mut n in nodes {
        for i in &mut n.inputs {
            *i = became[i.index()];
        }
        let before = graph.values.len();
        match graph.within(n.layer, |g| n.op.predict(g, &n.attrs, &n.inputs)) {
            Some(outputs) => {
                // Results for the backward pass only may have no counterpart; nothing reads them here.
                for (old, new) in n.outputs.iter().zip(outputs?) {
                    became[old.index()] = new;
                    if new.index() >= before {
                        // The result keeps its name.
                        let name = core::mem::take(&mut graph.values[old.index()].name);
                        let own = core::mem::replace(&mut graph.values[new.index()].name, name);
                        graph.values[old.index()].name = own;
                    }
                }
            }
            None => super::push(graph, n),
        }
    }
    for l in &mut graph.layers {
        for v in l.inputs.iter_mut().chain(&mut l.outputs) {
            *v = became[v.index()];
        }
    }

    let declared = core::mem::take(&mut graph.outputs);
    let mut known = Losses::new(graph);
    for out in declared {
        let out = became[out.index()];
        let predictions = known.predictions_of(graph, out, false)?;
        if predictions.is_empty() {
            graph.outputs.push(out);
        }
        for p in predictions {
            if !graph.outputs.contains(&p) {
                graph.outputs.push(p);
            }
            if !graph.predictions.contains(&p) {
                graph.predictions.push(p);
            }
        }
    }
    Ok(super::dce(graph))
}

/// In a graph that is to be trained: list what the losses behind its outputs predict in [`Graph::predictions`], taken
/// from where the losses have it already.
pub fn predictions(graph: &mut Graph) -> Result<(), ShapeError> {
    let mut known = Losses::new(graph);
    for out in graph.outputs.clone() {
        for p in known.predictions_of(graph, out, true)? {
            if !graph.predictions.contains(&p) {
                graph.predictions.push(p);
            }
        }
    }
    Ok(())
}

/// What each layer predicts, as far as it has been asked: `Some(None)` is not a loss.
struct Losses(Vec<Option<Option<ValueId>>>);

impl Losses {
    fn new(graph: &Graph) -> Losses {
        Losses(alloc::vec![None; graph.layers.len()])
    }

    /// The predictions of all losses that `output` depends on, in order of their layers.
    fn predictions_of(
        &mut self,
        graph: &mut Graph,
        output: ValueId,
        training: bool,
    ) -> Result<Vec<ValueId>, ShapeError> {
        let mut needed = alloc::vec![false; graph.values.len()];
        let mut behind = alloc::vec![false; graph.layers.len()];
        needed[output.index()] = true;
        for n in graph.nodes.iter().rev() {
            if n.outputs.iter().any(|o| needed[o.index()]) {
                behind[n.layer.index()] = true;
                for i in &n.inputs {
                    needed[i.index()] = true;
                }
            }
        }
        let mut found = Vec::new();
        for layer in (0..behind.len()).filter(|l| behind[*l]) {
            let prediction = match self.0[layer] {
                Some(known) => known,
                None => {
                    let l = &graph.layers[layer];
                    let (op, attrs) = (l.op, l.attrs.clone());
                    let (inputs, outputs) = (l.inputs.clone(), l.outputs.clone());
                    let outputs = training.then_some(&outputs[..]);
                    graph
                        .within(LayerId(layer as u32), |g| op.prediction(g, &attrs, &inputs, outputs))
                        .transpose()?
                }
            };
            self.0[layer] = Some(prediction);
            found.extend(prediction);
        }
        Ok(found)
    }
}
