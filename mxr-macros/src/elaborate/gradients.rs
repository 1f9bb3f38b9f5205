//! Weights that no gradient reaches: an operator on the way to the outputs has a derivative of 0 everywhere. Training would
//! leave such weights as they are and say nothing.

use super::Network;
use crate::errors::Faults;
use mxr_graph::catalogue::Code;
use mxr_graph::graph::{Node, Source};
use mxr_graph::instr::Scalar;
use mxr_graph::program::Program;
use mxr_graph::schema::Options;
use std::collections::BTreeMap;

/// How a weight comes to a value.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    /// Not at all, or past a `stop_gradient`, which says that this is meant.
    None,
    /// Only past this node, whose derivative is 0.
    Cut(usize),
    /// With a gradient.
    Open,
}

impl Network {
    /// Says where the gradient of a weight is lost.
    pub(crate) fn gradients(&self, train: &Program, faults: &mut Faults) {
        let graph = &self.graph;
        let name = |v: u32| &*train.values[v as usize].name;
        let trained: Vec<&str> = train.grads.iter().map(|(v, _)| name(*v)).collect();
        let frozen = |v: &&u32| train.training.iter().any(|(w, how)| w == *v && how.frozen);
        let lost: Vec<&str> = train
            .params
            .iter()
            .filter(|v| !frozen(v))
            .map(|v| name(*v))
            .filter(|n| !trained.contains(n))
            .collect();
        let mut blame: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
        for weight in lost {
            let mut ways = vec![Way::None; graph.values.len()];
            for (way, v) in ways.iter_mut().zip(&graph.values) {
                if v.name == weight && v.source == Source::Param {
                    *way = Way::Open;
                }
            }
            for (at, node) in graph.nodes.iter().enumerate() {
                let way = node.inputs.iter().enumerate().fold(Way::None, |way, (i, v)| {
                    let next = match ways[v.index()] {
                        Way::Open if self.cuts(node, i) => Way::Cut(at),
                        other => other,
                    };
                    match (way, next) {
                        (Way::Open, _) | (_, Way::Open) => Way::Open,
                        (Way::None, next) => next,
                        (way, _) => way,
                    }
                });
                if node.op.schema().name != "stop_gradient" {
                    node.outputs.iter().for_each(|o| ways[o.index()] = way);
                }
            }
            let ends: Vec<Way> = graph.outputs.iter().map(|o| ways[o.index()]).collect();
            let cut = ends.iter().find_map(|w| if let Way::Cut(at) = w { Some(*at) } else { None });
            if let Some(at) = cut.filter(|_| !ends.contains(&Way::Open)) {
                blame.entry(at).or_default().push(weight);
            }
        }
        for (at, weights) in blame {
            let node = &graph.nodes[at];
            let others = match weights.len() {
                1 => String::new(),
                n => format!(" and {} more", n - 1),
            };
            let message = format!(
                "has no gradient: its derivative is 0 everywhere, so `{}`{others} could not be trained",
                weights[0]
            );
            let mut error = node.op.schema().error(Code::NoGradient, mxr_graph::error::At::Call, message);
            error.layer = graph.layers[node.layer.index()].name.clone();
            error.help =
                Some("`stop_gradient` around its input says that this is meant, `#[predict]` that nothing is trained".into());
            let (at, text) = self.fault(&error);
            faults.push(error.code, at, text);
        }
    }

    /// Whether the derivative of a node with respect to its operand is 0 everywhere.
    fn cuts(&self, node: &Node, input: usize) -> bool {
        if node.outputs.iter().all(|o| !self.graph.value(*o).dtype.is_float()) {
            return true;
        }
        let options = Options { schema: node.op.schema(), attrs: &node.attrs };
        let Some(expr) = node.op.expr(options) else { return false };
        let zero = |l: &Scalar| matches!(l, Scalar::Const(c) if *c == 0.0);
        input < expr.inputs() && expr.gradient(input).compact().0.lines.iter().all(zero)
    }
}
