//! `div`: a / b.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Div;

static SCHEMA: Schema = Schema::binary(
    "div",
    "The quotient, elementwise with broadcasting: `y = a / b`. `a / b` in a network. Integers are truncated as in Rust; division of \
          an integer by 0 gives 0.",
);

impl Operator for Div {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::binary(BinOp::Div))
    }

    fn samples(&self) -> Vec<Sample> {
        map::two_operands().map(|s| s.fill(1, SampleValues::AwayFromZero(0.5, 2.0))).into()
    }
}
