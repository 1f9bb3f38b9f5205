//! `logistic_loss`: the loss of yes-or-no questions.

use super::loss::{REDUCTION, reduce, reduction, target};
use super::map::infer_floats;
use super::{Map, Operator, Sample, SampleValues};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::graph::{Graph, ValueId};
use crate::infer::Infer;
use crate::instr::{BinOp, UnOp};
use crate::schema::{Attr, Attrs, Operand, Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct LogisticLoss;

/// The loss of every element; see the schema.
pub struct LogisticTerm;

static SCHEMA: Schema = Schema {
    name: "logistic_loss",
    auto_name: "logistic_loss",
    doc: "The loss of yes-or-no questions from scores (binary cross entropy): `−y·ln σ(z) − (1 − y)·ln(1 − σ(z))` with the score `z`, the label \
          `y` and `σ(z) = 1 / (1 + exp(−z))`, computed as `max(z, 0) − z·y + ln(1 + exp(−|z|))`, which neither overflows nor loses \
          digits. The result is the mean over all elements, their sum, or all of them. Labels are 0 or 1, of any type; numbers \
          between count as probabilities. Both operands have one shape, nothing broadcasts. The gradient is \
          `(σ(z) − y) / count`. The network predicts `σ(z)`. LogisticRegressionOutput of MXNet differs: its gradient is \
          `(σ(z) − y) / outputs per sample`.",
    inputs: &[
        Operand::data("logits", "scores of any shape"),
        Operand::data("label", "the shape of `logits`, of any type"),
    ],
    outputs: &["output"],
    visible: 1,
    options: &[REDUCTION],
    internal: false,
};

static TERM_SCHEMA: Schema = Schema {
    name: "logistic_term",
    auto_name: "logistic_term",
    doc: "The logistic loss of every element, `max(z, 0) − z·y + ln(1 + exp(−|z|))`. Its gradient `σ(z) − y` is smooth, where the \
          derivatives of the parts are not.",
    inputs: &[Operand::data("logits", "any shape"), Operand::data("label", "the same shape")],
    outputs: &["output"],
    visible: 1,
    options: &[],
    internal: true,
};

impl Operator for LogisticLoss {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn compose(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let how = reduction(Options { schema: &SCHEMA, attrs });
        let mut build = || {
            let label = target(graph, self, inputs)?;
            let losses = graph.apply(&LogisticTerm, Vec::new(), &[inputs[0], label], None)?[0];
            Ok(alloc::vec![reduce(graph, losses, how)?])
        };
        Some(build())
    }

    fn prediction(
        &self,
        graph: &mut Graph,
        _: &Attrs,
        inputs: &[ValueId],
        _: Option<&[ValueId]>,
    ) -> Option<Result<ValueId, ShapeError>> {
        let sigmoid = alloc::vec![Attr::Expr(Expr::unary(UnOp::Sigmoid))];
        Some(graph.apply(&Map, sigmoid, &inputs[..1], None).map(|y| y[0]))
    }

    fn samples(&self) -> Vec<Sample> {
        let loss = |shape: &[usize]| Sample::new(&[shape, shape]).fill(0, SampleValues::Uniform(-4.0, 4.0));
        alloc::vec![
            loss(&[3, 4]).fill(1, SampleValues::Labels(2)),
            loss(&[3, 4]).fill(1, SampleValues::Uniform(0.0, 1.0)),
            loss(&[5]).fill(1, SampleValues::Labels(2)).with("reduction", "sum"),
            loss(&[2, 1, 3]).fill(1, SampleValues::Uniform(0.0, 1.0)).with("reduction", "none"),
        ]
    }
}

impl Operator for LogisticTerm {
    fn schema(&self) -> &'static Schema {
        &TERM_SCHEMA
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::build(|e| {
            let (z, y, zero) = (e.input(0), e.input(1), e.constant(0.0));
            let positive = e.bin(BinOp::Max, z, zero);
            let zy = e.bin(BinOp::Mul, z, y);
            let linear = e.bin(BinOp::Sub, positive, zy);
            let abs = e.un(UnOp::Abs, z);
            let minus = e.un(UnOp::Neg, abs);
            let exp = e.un(UnOp::Exp, minus);
            let log = e.un(UnOp::Log1p, exp);
            e.bin(BinOp::Add, linear, log)
        }))
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        infer_floats(cx)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let (Some(dy), z, label) = (cx.dy(0), cx.x(0), cx.x(1)) else { return Ok(()) };
        if cx.wants(0) {
            let dz = Expr::build(|e| {
                let (z, y, dy) = (e.input(0), e.input(1), e.input(2));
                let sigmoid = e.un(UnOp::Sigmoid, z);
                let d = e.bin(BinOp::Sub, sigmoid, y);
                e.bin(BinOp::Mul, d, dy)
            });
            let dz = cx.map(dz, &[z, label, dy]);
            cx.add(0, dz);
        }
        if cx.wants(1) {
            let dlabel = Expr::build(|e| {
                let (z, dy) = (e.input(0), e.input(1));
                let p = e.bin(BinOp::Mul, z, dy);
                e.un(UnOp::Neg, p)
            });
            let dlabel = cx.map(dlabel, &[z, dy]);
            cx.add(1, dlabel);
        }
        Ok(())
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[4, 3], &[4, 3]]).fill(0, SampleValues::Uniform(-9.0, 9.0))]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "logistic_loss",
            &[
                ("N 1 | N 1:u8", "", "[]"),
                ("N 3:f64 | N 3", "reduction=none", "f64[N, 3]"),
                ("N 3 | _ _:bool", "reduction=sum", "[]"),
            ],
        );
        refused(
            "logistic_loss",
            &[
                (
                    "N 1 | N:i64",
                    "",
                    "`label` must be [N, 1] as `logits` is, it is [N]",
                    "reshape(label, [N, 1])",
                ),
                ("N:i64 | N:i64", "", "needs floating-point numbers, this is i64", "cast"),
            ],
        );
    }

    #[test]
    fn labels_are_converted_and_a_failed_call_leaves_nothing() {
        let mut call = infer("logistic_loss", "N | N:u8", "").expect("fits");
        assert_eq!(call.ops(), ["cast", "logistic_term", "mean"]);
        assert_eq!(call.backward(), (1, 1));
        let z = call.inputs[0];
        let (values, nodes) = (call.graph.values.len(), call.graph.nodes.len());
        let op = super::super::find("logistic_loss").expect("listed");
        assert!(call.graph.call(op, &[], &[z], None).is_err());
        assert_eq!((values, nodes), (call.graph.values.len(), call.graph.nodes.len()));
    }

    #[test]
    fn it_predicts_the_probability() {
        let mut call = infer("logistic_loss", "N 3 | N 3", "").expect("fits");
        let layer = call.graph.layers[0].clone();
        let p = layer.op.prediction(&mut call.graph, &layer.attrs, &layer.inputs, None).expect("a loss");
        assert_eq!(call.text(p.expect("fits")), "[N, 3]");
    }
}
