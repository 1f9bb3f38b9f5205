//! `exp`: y = eˣ.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Exp;

static SCHEMA: Schema =
    Schema::unary("exp", "The exponential function, elementwise: `y = eˣ`. The gradient is `dy · y`.");

impl Operator for Exp {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Exp))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(-2.0, 2.0))]
    }
}
