//! `pow`: aᵇ.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Pow;

static SCHEMA: Schema = Schema::binary(
    "pow",
    "The power, elementwise with broadcasting: `y = aᵇ`; NaN for negative `a` unless `b` is a whole number. The gradients are \
          `dy · b · aᵇ⁻¹` and `dy · y · ln a`, 0 where `b` or `a` is 0.",
);

impl Operator for Pow {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::binary(BinOp::Pow))
    }

    fn samples(&self) -> Vec<Sample> {
        map::two_operands().map(|s| s.fill(0, SampleValues::Uniform(0.3, 2.0))).into()
    }
}
