//! `neg`: y = −x.

use super::{Operator, Sample, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::UnOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Neg;

static SCHEMA: Schema = Schema::unary("neg", "The negative, elementwise: `y = −x`. `-x` in a network.");

impl Operator for Neg {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::unary(UnOp::Neg))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]])]
    }
}
