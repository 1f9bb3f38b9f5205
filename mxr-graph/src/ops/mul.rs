//! `mul`: a · b.

use super::{Operator, Sample, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Mul;

static SCHEMA: Schema = Schema::binary(
    "mul",
    "The product, elementwise with broadcasting: `y = a · b`. `a * b` in a network; `matmul` multiplies matrices.",
);

impl Operator for Mul {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::binary(BinOp::Mul))
    }

    fn samples(&self) -> Vec<Sample> {
        map::two_operands().into()
    }
}
