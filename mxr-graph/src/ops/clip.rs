//! `clip`: held between two bounds.

use super::{Operator, Sample, SampleValues, map};
use crate::catalogue::Code;
use crate::error::{At, ShapeError};
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Attr, Default, OptionDef, OptionKind, Options, Schema};
use alloc::format;
use alloc::vec::Vec;

/// See the schema.
pub struct Clip;

static SCHEMA: Schema = Schema {
    options: &[
        OptionDef {
            name: "min",
            kind: OptionKind::Float(f64::MIN, f64::MAX),
            default: Default::Required,
            positional: true,
            doc: "the lower bound",
        },
        OptionDef {
            name: "max",
            kind: OptionKind::Float(f64::MIN, f64::MAX),
            default: Default::Required,
            positional: true,
            doc: "the upper bound, not below `min`",
        },
    ],
    ..Schema::unary(
        "clip",
        "Held between two bounds, elementwise: `y = min(max(x, min), max)`. The gradient is `dy` where `min ≤ x ≤ max` and 0 \
     elsewhere. NaN stays NaN. `clip(x, 0, 6)` is relu6.",
    )
};

impl Operator for Clip {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (Attr::Float(min), Attr::Float(max)) = (cx.attr("min"), cx.attr("max")) else {
            unreachable!("required numbers")
        };
        if min > max {
            let mut e =
                cx.err(Code::Contradiction, At::Option("max"), format!("`max` is {max}, below `min`, {min}"));
            e.help = Some("exchange them".into());
            return Err(e);
        }
        map::infer_numbers(cx)
    }

    fn expr(&self, options: Options<'_>) -> Option<Expr> {
        let (min, max) = (options.float("min"), options.float("max"));
        Some(Expr::build(|e| {
            let (x, min, max) = (e.input(0), e.constant(min), e.constant(max));
            let above = e.bin(BinOp::Max, x, min);
            e.bin(BinOp::Min, above, max)
        }))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 3, 5]])
                .fill(0, SampleValues::AwayFromZero(0.6, 1.4))
                .with("min", -0.5)
                .with("max", 0.5),
            Sample::new(&[&[31]])
                .fill(0, SampleValues::AwayFromZero(0.1, 0.9))
                .with("min", 0.0)
                .with("max", 1.0)
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::DType;
    use crate::graph::Graph;
    use crate::schema::Arg;
    use crate::shape::Shape;

    #[test]
    fn bounds_the_wrong_way_round_are_refused() {
        let mut g = Graph::new("t");
        let x = g.input("x", Shape::of(&[4]), DType::I32);
        let mut clip =
            |min, max| g.call(&Clip, &[("min", Arg::Int(min)), ("max", Arg::Int(max))], &[x], None);
        assert!(clip(-2, 2).is_ok());
        let e = clip(6, 0).expect_err("6 is above 0");
        assert_eq!(
            (e.message.as_str(), e.help.as_deref()),
            ("`max` is 0, below `min`, 6", Some("exchange them"))
        );
    }
}
