//! `mse_loss`: the loss of regression.

use super::loss::{REDUCTION, reduce, reduction, target};
use super::{Map, Operator, Sample};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::graph::{Graph, ValueId};
use crate::instr::BinOp;
use crate::schema::{Attr, Attrs, Operand, Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct MseLoss;

static SCHEMA: Schema = Schema {
    name: "mse_loss",
    auto_name: "mse_loss",
    doc: "The mean squared error, `mean((pred − target)²)` over all elements; their sum, or all of them, by `reduction`. Both \
          operands have one shape, nothing broadcasts. The gradient is `2 · (pred − target) / count`. The network predicts \
          `pred`. LinearRegressionOutput of MXNet differs: its gradient is `(pred − target) / outputs per sample`.",
    inputs: &[
        Operand::data("pred", "any shape"),
        Operand::data("target", "the shape of `pred`, of any type"),
    ],
    outputs: &["output"],
    visible: 1,
    options: &[REDUCTION],
    internal: false,
};

impl Operator for MseLoss {
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
        let squared = Expr::build(|e| {
            let (a, b) = (e.input(0), e.input(1));
            let d = e.bin(BinOp::Sub, a, b);
            e.bin(BinOp::Mul, d, d)
        });
        let build = || {
            let target = target(graph, self, inputs)?;
            let losses = graph.apply(&Map, alloc::vec![Attr::Expr(squared)], &[inputs[0], target], None)?[0];
            Ok(alloc::vec![reduce(graph, losses, how)?])
        };
        Some(build())
    }

    fn prediction(
        &self,
        _: &mut Graph,
        _: &Attrs,
        inputs: &[ValueId],
        _: Option<&[ValueId]>,
    ) -> Option<Result<ValueId, ShapeError>> {
        Some(Ok(inputs[0]))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[3, 4], &[3, 4]]),
            Sample::new(&[&[3, 4], &[3, 4]]).with("reduction", "sum"),
            Sample::new(&[&[2, 3, 2], &[2, 3, 2]]).with("reduction", "none"),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "mse_loss",
            &[
                ("N 3 | N 3", "", "[]"),
                ("N 3 | N 3", "reduction=none", "[N, 3]"),
                ("N 3:f64 | N 3:u8", "reduction=sum", "f64[]"),
                ("N 3 | N _", "reduction=none", "[N, 3]"),
            ],
        );
        refused(
            "mse_loss",
            &[
                (
                    "N 1 | N",
                    "",
                    "`target` must be [N, 1] as `pred` is, it is [N]",
                    "reshape(target, [N, 1]) would fit",
                ),
                ("N 3 | N 4", "", "`target` must be [N, 3] as `pred` is, it is [N, 4]", ""),
                ("N 3:i64 | N 3", "", "needs floating-point numbers, this is i64", "cast"),
            ],
        );
    }

    #[test]
    fn both_sides_get_a_gradient() {
        let mut call = infer("mse_loss", "N 3 | N 3", "").expect("fits");
        assert_eq!(call.ops(), ["map", "mean"]);
        assert_eq!(call.graph.value(call.outputs[0]).name, "mse_loss0_output");
        assert_eq!(call.backward(), (2, 2));
    }
}
