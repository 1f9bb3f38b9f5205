//! `maximum`: the larger of two.

use super::{Operator, Sample, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Maximum;

static SCHEMA: Schema = Schema::binary(
    "maximum",
    "The larger of two, elementwise with broadcasting: `y = max(a, b)`; NaN wins. Between equals the gradient goes to `a`, as in MXNet. \
          `max` is the largest element over axes.",
);

impl Operator for Maximum {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::binary(BinOp::Max))
    }

    fn samples(&self) -> Vec<Sample> {
        map::two_operands().map(map::apart).into()
    }
}
