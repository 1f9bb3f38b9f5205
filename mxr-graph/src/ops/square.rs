//! `square`: y = x².

use super::{Operator, Sample, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Square;

static SCHEMA: Schema =
    Schema::unary("square", "The square, elementwise: `y = x²`. The gradient is `2 · dy · x`.");

impl Operator for Square {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::build(|e| {
            let x = e.input(0);
            e.bin(BinOp::Mul, x, x)
        }))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]])]
    }
}
