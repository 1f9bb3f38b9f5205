//! `softplus`: y = ln (1 + eˣ).

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::{BinOp, UnOp};
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Softplus;

static SCHEMA: Schema = Schema {
    auto_name: "activation",
    ..Schema::unary(
        "softplus",
        "A smooth relu, elementwise: `y = ln (1 + eˣ)`, computed as `max(x, 0) + ln (1 + e^(−|x|))`, which neither overflows \
          nor loses digits. The gradient is `dy · sigmoid(x)`. MXNet calls it softrelu.",
    )
};

impl Operator for Softplus {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::build(|e| {
            let (x, zero) = (e.input(0), e.constant(0.0));
            let size = e.un(UnOp::Abs, x);
            let minus = e.un(UnOp::Neg, size);
            let small = e.un(UnOp::Exp, minus);
            let (positive, rest) = (e.bin(BinOp::Max, x, zero), e.un(UnOp::Log1p, small));
            e.bin(BinOp::Add, positive, rest)
        }))
    }

    /// `dy · sigmoid(x)`; the derivative of the stable form has a kink at 0 that the function has not.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let derivative = Expr::build(|e| {
            let (x, dy) = (e.input(0), e.input(1));
            let slope = e.un(UnOp::Sigmoid, x);
            e.bin(BinOp::Mul, dy, slope)
        });
        let dx = cx.map(derivative, &[cx.x(0), dy]);
        cx.add(0, dx);
        Ok(())
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::Uniform(-4.0, 4.0)),
            Sample::new(&[&[7]]).fill(0, SampleValues::Uniform(20.0, 60.0))
        ]
    }
}
