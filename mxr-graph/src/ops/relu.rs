//! `relu`: y = max(x, 0).

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Operand, OperandKind, Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Relu;

/// max(x, 0).
pub(crate) fn relu() -> Expr {
    Expr::build(|e| {
        let (x, zero) = (e.input(0), e.constant(0.0));
        e.bin(BinOp::Max, x, zero)
    })
}

/// The gradient from `y` and `dy`: what of dy counts.
pub(crate) fn mask() -> Expr {
    Expr::build(|e| {
        let (y, dy, zero) = (e.input(0), e.input(1), e.constant(0.0));
        let positive = e.bin(BinOp::Gt, y, zero);
        e.select(positive, dy, zero)
    })
}

static SCHEMA: Schema = Schema {
    name: "relu",
    auto_name: "activation",
    doc: "Rectified linear unit, elementwise: `y = max(x, 0)`. The gradient at 0 is 0. NaN stays NaN.",
    inputs: &[Operand { name: "x", kind: OperandKind::Data, doc: "any shape" }],
    outputs: &["output"],
    visible: 1,
    options: &[],
    internal: false,
};

impl Operator for Relu {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(relu())
    }

    /// From the output rather than the input, so that y may overwrite x; and 0 where x is 0.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let (Some(dy), y) = (cx.dy(0), cx.y(0)) else { return Ok(()) };
        let dx = cx.map(mask(), &[y, dy]);
        cx.add(0, dx);
        Ok(())
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::AwayFromZero(0.1, 2.0))]
    }
}
