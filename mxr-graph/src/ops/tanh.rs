//! `tanh`: the hyperbolic tangent.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Tanh;

static SCHEMA: Schema = Schema {
    auto_name: "activation",
    ..Schema::unary(
        "tanh",
        "The hyperbolic tangent, elementwise: `y = (eˣ − e⁻ˣ) / (eˣ + e⁻ˣ)`, between −1 and 1. The gradient is `dy · (1 − y²)`.",
    )
};

impl Operator for Tanh {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Tanh))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(-3.0, 3.0))]
    }
}
