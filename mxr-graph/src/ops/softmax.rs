//! `softmax`, `log_softmax`, and their gradients.

use super::{Lower, Lowered, Map, Operator, Sample};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::graph::{Graph, ValueId};
use crate::infer::Infer;
use crate::instr::{BinOp, Instr};
use crate::schema::{Attr, Attrs, Default, Operand, OptionDef, OptionKind, Schema};
use alloc::vec::Vec;

/// See the schemas.
pub struct Softmax {
    log: bool,
    schema: &'static Schema,
    backward: &'static SoftmaxBackward,
}

/// The gradient; see the schemas.
pub struct SoftmaxBackward {
    log: bool,
    schema: &'static Schema,
}

const OPTIONS: &[OptionDef] = &[
    OptionDef::named(
        "axis",
        OptionKind::Int(-8, 7),
        Default::Int(-1),
        "the axis that adds up to 1, negative ones count from the end; the last one by default",
    ),
    OptionDef::named(
        "temperature",
        OptionKind::Float(1e-6, f64::MAX),
        Default::Float(1.0),
        "what `x` is divided by before; 1 by default",
    ),
];

const BACKWARD_OPTIONS: &[OptionDef] =
    &[OptionDef::named("axis", OptionKind::Int(-8, 7), Default::Int(-1), "the axis that adds up to 1")];

const BACKWARD_INPUTS: &[Operand] =
    &[Operand::data("y", "the result of the forward call"), Operand::data("dy", "the shape of `y`")];

/// `softmax`.
pub static SOFTMAX: Softmax = Softmax {
    log: false,
    schema: &Schema {
        name: "softmax",
        auto_name: "softmax",
        doc: "Probabilities from scores, along an axis: `y[k] = exp(x[k] / t) / Σⱼ exp(x[j] / t)` with `t` the temperature. The largest \
              score is subtracted first, so nothing overflows. For training, `softmax_cross_entropy` takes the scores \
              themselves.",
        inputs: &[Operand::data("x", "any shape with at least one axis")],
        outputs: &["output"],
        visible: 1,
        options: OPTIONS,
        internal: false,
    },
    backward: &SOFTMAX_BACKWARD,
};

/// `log_softmax`.
pub static LOG_SOFTMAX: Softmax = Softmax {
    log: true,
    schema: &Schema {
        name: "log_softmax",
        auto_name: "log_softmax",
        doc: "The logarithm of softmax, along an axis: `y[k] = x[k] / t − ln Σⱼ exp(x[j] / t)` with `t` the temperature; exact where \
              softmax itself would underflow to 0.",
        inputs: &[Operand::data("x", "any shape with at least one axis")],
        outputs: &["output"],
        visible: 1,
        options: OPTIONS,
        internal: false,
    },
    backward: &LOG_SOFTMAX_BACKWARD,
};

/// `softmax_backward`.
pub static SOFTMAX_BACKWARD: SoftmaxBackward = SoftmaxBackward {
    log: false,
    schema: &Schema {
        name: "softmax_backward",
        auto_name: "softmax_backward",
        doc: "The gradient of `softmax`: `dx = y · (dy − Σⱼ dy[j] · y[j])` along the axis.",
        inputs: BACKWARD_INPUTS,
        outputs: &["output"],
        visible: 1,
        options: BACKWARD_OPTIONS,
        internal: true,
    },
};

/// `log_softmax_backward`.
pub static LOG_SOFTMAX_BACKWARD: SoftmaxBackward = SoftmaxBackward {
    log: true,
    schema: &Schema {
        name: "log_softmax_backward",
        auto_name: "log_softmax_backward",
        doc: "The gradient of `log_softmax`: `dx = dy − exp(y) · Σⱼ dy[j]` along the axis.",
        inputs: BACKWARD_INPUTS,
        outputs: &["output"],
        visible: 1,
        options: BACKWARD_OPTIONS,
        internal: true,
    },
};

impl Softmax {
    fn itself(&self) -> &'static Softmax {
        if self.log { &LOG_SOFTMAX } else { &SOFTMAX }
    }
}

impl Operator for Softmax {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    /// With a temperature: a division, then itself without.
    fn compose(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let Attr::Float(temperature) = attrs[1] else { return None };
        if temperature == 1.0 || !graph.value(inputs[0]).dtype.is_float() {
            return None;
        }
        let divided = Expr::build(|e| {
            let (x, t) = (e.input(0), e.constant(temperature));
            e.bin(BinOp::Div, x, t)
        });
        let attrs = alloc::vec![attrs[0].clone(), Attr::Float(1.0)];
        let scaled = graph.apply(&Map, alloc::vec![Attr::Expr(divided)], inputs, None);
        Some(scaled.and_then(|x| graph.apply(self.itself(), attrs, &x, None)))
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.float(0)?;
        cx.axis("axis")?;
        let shape = cx.shape(0);
        cx.output(shape, dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let (Some(dy), y) = (cx.dy(0), cx.y(0)) else { return Ok(()) };
        let attrs = alloc::vec![cx.options().get("axis").clone()];
        let dx = cx.apply(self.backward, attrs, &[y, dy])[0];
        cx.add(0, dx);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Softmax { axis: cx.axis("axis"), log: self.log })
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[3, 5]]),
            Sample::new(&[&[2, 4, 3]]).with("axis", 1),
            Sample::new(&[&[2, 3, 2, 2]]).with("axis", -3),
            Sample::new(&[&[4, 3]]).with("axis", 0).with("temperature", 2.0),
            Sample::new(&[&[3, 1]]),
        ]
    }
}

impl Operator for SoftmaxBackward {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.same_dtype()?;
        cx.axis("axis")?;
        let y = cx.shape(0);
        cx.output(y, dtype)
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::SoftmaxBackward { axis: cx.axis("axis"), log: self.log })
    }

    fn samples(&self) -> Vec<Sample> {
        // `y` must be a result of the forward call, whose samples run it.
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        for op in ["softmax", "log_softmax"] {
            table(
                op,
                &[
                    ("N 10", "", "[N, 10]"),
                    ("N 10 H W", "axis=1", "[N, 10, H, W]"),
                    ("7", "axis=0 temperature=3", "[7]"),
                ],
            );
            refused(
                op,
                &[
                    ("N 10", "axis=2", "axis 2 is not one of the axes of [N, 10]", "axes go from -2 to 1"),
                    (
                        "N 10",
                        "temperature=0",
                        "`temperature` must be a number of at least 0.000001, not 0",
                        "divided by",
                    ),
                    ("N 10:i32", "", "needs floating-point numbers, this is i32", "cast"),
                    ("N 10:i32", "temperature=2", "needs floating-point numbers, this is i32", "cast"),
                ],
            );
        }
    }

    #[test]
    fn axes_count_from_the_front_afterwards() {
        let call = infer("softmax", "2 3 4", "axis=-2").expect("fits");
        assert_eq!(call.options().int("axis"), 1);
        let call = infer("softmax", "2 3 4", "temperature=2").expect("fits");
        assert_eq!(call.ops(), ["map", "softmax"]);
    }
}
