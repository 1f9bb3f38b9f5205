//! `rsqrt`: y = 1 / √x.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::{BinOp, UnOp};
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Rsqrt;

static SCHEMA: Schema = Schema::unary(
    "rsqrt",
    "The reciprocal of the square root, elementwise: `y = 1 / √x`; infinite at 0, NaN below. The gradient is `−dy · y³ / 2`.",
);

impl Operator for Rsqrt {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::build(|e| {
            let x = e.input(0);
            let root = e.un(UnOp::Sqrt, x);
            e.un(UnOp::Recip, root)
        }))
    }

    /// From the output alone, so that y may overwrite x and no root is taken twice.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let derivative = Expr::build(|e| {
            let (y, dy, half) = (e.input(0), e.input(1), e.constant(-0.5));
            let square = e.bin(BinOp::Mul, y, y);
            let cube = e.bin(BinOp::Mul, square, y);
            let slope = e.bin(BinOp::Mul, half, cube);
            e.bin(BinOp::Mul, dy, slope)
        });
        let dx = cx.map(derivative, &[cx.y(0), dy]);
        cx.add(0, dx);
        Ok(())
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(0.2, 3.0))]
    }
}
