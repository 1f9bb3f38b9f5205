//! `log`: the natural logarithm.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Log;

static SCHEMA: Schema = Schema::unary(
    "log",
    "The natural logarithm, elementwise: `y = ln x`; −∞ at 0, NaN below. The gradient is `dy / x`.",
);

impl Operator for Log {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Log))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(0.2, 3.0))]
    }
}
