//! `leaky_relu`: x above 0, slope · x below.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Default, OptionDef, OptionKind, Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct LeakyRelu;

static SCHEMA: Schema = Schema {
    options: &[OptionDef {
        name: "slope",
        kind: OptionKind::Float(f64::MIN, f64::MAX),
        default: Default::Float(0.01),
        positional: true,
        doc: "the factor below 0; 0.01 by default",
    }],
    ..Schema::unary(
        "leaky_relu",
        "Leaky rectified linear unit, elementwise: `y = x` above 0 and `y = slope · x` elsewhere. The gradient at 0 is `slope · dy`.",
    )
};

impl Operator for LeakyRelu {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_floats(cx)
    }

    fn expr(&self, options: Options<'_>) -> Option<Expr> {
        let slope = options.float("slope");
        Some(Expr::build(|e| {
            let (x, zero, slope) = (e.input(0), e.constant(0.0), e.constant(slope));
            let (positive, below) = (e.bin(BinOp::Gt, x, zero), e.bin(BinOp::Mul, slope, x));
            e.select(positive, x, below)
        }))
    }

    /// A slope that is not negative keeps the sign: then from the output rather than the input, so that y may
    /// overwrite x.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let slope = cx.options().float("slope");
        let side = if slope >= 0.0 { cx.y(0) } else { cx.x(0) };
        let derivative = Expr::build(|e| {
            let (side, dy, zero, slope) = (e.input(0), e.input(1), e.constant(0.0), e.constant(slope));
            let (positive, below) = (e.bin(BinOp::Gt, side, zero), e.bin(BinOp::Mul, slope, dy));
            e.select(positive, dy, below)
        });
        let dx = cx.map(derivative, &[side, dy]);
        cx.add(0, dx);
        Ok(())
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::AwayFromZero(0.1, 2.0)),
            Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::AwayFromZero(0.1, 2.0)).with("slope", 0.25),
            Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::AwayFromZero(0.1, 2.0)).with("slope", 0.0),
            Sample::new(&[&[2, 3, 5]]).fill(0, SampleValues::AwayFromZero(0.1, 2.0)).with("slope", -0.5)
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::grad::backward;
    use crate::graph::Graph;
    use crate::schema::Arg;
    use crate::shape::Shape;

    #[test]
    fn the_gradient_reads_the_output_unless_the_slope_is_negative() {
        for (slope, from_output) in [(0.01, true), (0.0, true), (-0.5, false)] {
            let mut g = Graph::new("t");
            let x = g.param("x", Shape::of(&[4]), DType::F32);
            let y = g.call(&LeakyRelu, &[("slope", Arg::Float(slope))], &[x], None).expect("any shape")[0];
            g.outputs.push(y);
            backward(&mut g, &[x]).expect("differentiable");
            let node = g.producer(g.grads[0].1).expect("computed");
            assert_eq!(node.inputs[0], if from_output { y } else { x }, "slope {slope}");
        }
    }
}
