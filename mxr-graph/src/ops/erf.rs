//! `erf`: the error function.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Erf;

static SCHEMA: Schema = Schema::unary(
    "erf",
    "The error function, elementwise: `y = 2/√π · ∫₀ˣ e^(−t²) dt`, between −1 and 1. The gradient is `dy · 2/√π · e^(−x²)`.",
);

impl Operator for Erf {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Erf))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(-2.0, 2.0))]
    }
}
