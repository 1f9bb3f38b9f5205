//! `log1p`: ln (1 + x).

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Log1p;

static SCHEMA: Schema = Schema::unary(
    "log1p",
    "The logarithm of one plus x, elementwise: `y = ln (1 + x)`, exact for small `x` too. The gradient is `dy / (1 + x)`.",
);

impl Operator for Log1p {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Log1p))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(-0.7, 3.0))]
    }
}
