//! Attributes of layers: what a block, a `let` or an assignment says about the training of the weights that it makes.

use super::{Elab, value::Value};
use crate::ast::LayerMarks;
use mxr_graph::catalogue::Code;
use mxr_graph::training::Training;

impl Elab<'_> {
    /// What is called inside is trained, and made again, as the attributes say.
    pub(super) fn marked(&mut self, marks: &LayerMarks, inside: impl FnOnce(&mut Self) -> Value) -> Value {
        let outer = self.graph.training;
        self.graph.training = outer.within(self.training(marks));
        let result = self.segment(marks.recompute.is_some(), inside);
        self.graph.training = outer;
        result
    }

    /// The same of a statement, which has to make weights for such attributes to mean something.
    pub(super) fn marked_statement(
        &mut self,
        marks: &LayerMarks,
        inside: impl FnOnce(&mut Self) -> Value,
    ) -> Value {
        if marks.training().next().is_none() {
            return self.marked(marks, inside);
        }
        let faults = self.faults.len();
        self.instances.statements += 1;
        let outer = std::mem::replace(&mut self.made_weights, false);
        let result = self.marked(marks, inside);
        let made = std::mem::replace(&mut self.made_weights, outer);
        self.made_weights |= made;
        // What it makes later is its own.
        let instance = matches!(result, Value::Instance(_));
        if !made && !instance && self.faults.len() == faults && !result.has_unknown() {
            for (name, at) in marks.training() {
                let text = format!("`#[{name}]` says nothing here: no weights are made");
                let help = "it belongs to the layer that makes them: `dense`, `conv2d`, `batch_norm`, or a block of these";
                self.fault_help(Code::LayerAttribute, at, text, help);
            }
        }
        result
    }

    /// What the attributes alone say.
    fn training(&mut self, marks: &LayerMarks) -> Training {
        let mut own = Training { frozen: marks.frozen.is_some(), ..Training::DEFAULT };
        if marks.no_decay.is_some() {
            own.wd_mult = 0.0;
        }
        let Some((at, factor)) = &marks.lr else { return own };
        let value = match self.expr(factor) {
            Value::Float(x) => x,
            Value::Int(n) => n as f64,
            Value::Unknown => return own,
            other => {
                let what = other.describe(&mut self.graph);
                let text = format!("`lr` takes a factor on the learning rate, this is {what}");
                self.fault_help(Code::LayerAttribute, factor.at, text, "`#[lr(0.1)]`");
                return own;
            }
        };
        if own.frozen {
            let text = "`#[lr]` says nothing about weights that are frozen";
            self.fault(Code::LayerAttribute, *at, text);
        } else if value == 0.0 {
            let text = "a learning rate of 0 computes gradients that change nothing";
            self.fault_help(Code::LayerAttribute, factor.at, text, "`#[frozen]` computes none");
        } else if value > 0.0 && value.is_finite() {
            own.lr_mult = value;
        } else {
            let text = format!("a factor on the learning rate is above 0, this is {value:?}");
            self.fault_help(Code::LayerAttribute, factor.at, text, "`#[lr(0.1)]`");
        }
        own
    }
}
