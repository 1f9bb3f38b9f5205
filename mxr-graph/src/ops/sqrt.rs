//! `sqrt`: y = √x.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Sqrt;

static SCHEMA: Schema = Schema::unary(
    "sqrt",
    "The square root, elementwise: `y = √x`; NaN below 0. The gradient is `dy / (2y)`, infinite at 0.",
);

impl Operator for Sqrt {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Sqrt))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(0.2, 3.0))]
    }
}
