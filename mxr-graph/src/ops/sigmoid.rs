//! `sigmoid`: y = 1 / (1 + e⁻ˣ).

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Sigmoid;

static SCHEMA: Schema = Schema {
    auto_name: "activation",
    ..Schema::unary(
        "sigmoid",
        "The logistic function, elementwise: `y = 1 / (1 + e⁻ˣ)`, between 0 and 1. The gradient is `dy · y · (1 − y)`.",
    )
};

impl Operator for Sigmoid {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Sigmoid))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(-4.0, 4.0))]
    }
}
