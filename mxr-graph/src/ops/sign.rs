//! `sign`: −1, 0 or 1.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Sign;

static SCHEMA: Schema =
    Schema::unary("sign", "The sign, elementwise: −1, 0 or 1; NaN stays NaN. The gradient is 0.");

impl Operator for Sign {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Sign))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::AwayFromZero(0.1, 2.0))]
    }
}
