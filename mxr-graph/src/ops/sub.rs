//! `sub`: a − b.

use super::{Operator, Sample, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Sub;

static SCHEMA: Schema = Schema::binary(
    "sub",
    "The difference, elementwise with broadcasting: `y = a − b`. `a - b` in a network.",
);

impl Operator for Sub {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::binary(BinOp::Sub))
    }

    fn samples(&self) -> Vec<Sample> {
        map::two_operands().into()
    }
}
