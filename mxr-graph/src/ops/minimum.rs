//! `minimum`: the smaller of two.

use super::{Operator, Sample, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Minimum;

static SCHEMA: Schema = Schema::binary(
    "minimum",
    "The smaller of two, elementwise with broadcasting: `y = min(a, b)`; NaN wins. Between equals the gradient goes to `a`, as in MXNet. \
          `min` is the smallest element over axes.",
);

impl Operator for Minimum {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::binary(BinOp::Min))
    }

    fn samples(&self) -> Vec<Sample> {
        map::two_operands().map(map::apart).into()
    }
}
