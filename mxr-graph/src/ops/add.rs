//! `add`: a + b.

use super::{Operator, Sample, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Add;

static SCHEMA: Schema =
    Schema::binary("add", "The sum, elementwise with broadcasting: `y = a + b`. `a + b` in a network.");

impl Operator for Add {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::binary(BinOp::Add))
    }

    fn samples(&self) -> Vec<Sample> {
        map::two_operands().into()
    }
}
