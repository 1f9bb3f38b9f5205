//! `softsign`: y = x / (1 + |x|).

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::{BinOp, UnOp};
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Softsign;

static SCHEMA: Schema = Schema {
    auto_name: "activation",
    ..Schema::unary(
        "softsign",
        "A slower tanh, elementwise: `y = x / (1 + |x|)`, between −1 and 1. The gradient is `dy / (1 + |x|)²`.",
    )
};

impl Operator for Softsign {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::build(|e| {
            let (x, one) = (e.input(0), e.constant(1.0));
            let size = e.un(UnOp::Abs, x);
            let below = e.bin(BinOp::Add, one, size);
            e.bin(BinOp::Div, x, below)
        }))
    }

    /// `dy / (1 + |x|)²`: the derivative of the expression itself divides infinity by infinity for large x.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let derivative = Expr::build(|e| {
            let (x, dy, one) = (e.input(0), e.input(1), e.constant(1.0));
            let size = e.un(UnOp::Abs, x);
            let below = e.bin(BinOp::Add, one, size);
            let once = e.bin(BinOp::Div, dy, below);
            e.bin(BinOp::Div, once, below)
        });
        let dx = cx.map(derivative, &[cx.x(0), dy]);
        cx.add(0, dx);
        Ok(())
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::AwayFromZero(0.1, 3.0))]
    }
}
