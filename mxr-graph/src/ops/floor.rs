//! `floor`: rounded down.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Floor;

static SCHEMA: Schema = Schema::unary(
    "floor",
    "The largest integer that is not above x, elementwise: `y = ⌊x⌋`. The gradient is 0.",
);

impl Operator for Floor {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Floor))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[31]]).fill(0, SampleValues::AwayFromZero(0.1, 0.9))]
    }
}
