//! `select`: one of two values, element by element.

use super::{Operator, Sample, SampleValues, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::schema::{Operand, OperandKind, Options, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct Select;

static SCHEMA: Schema = Schema {
    inputs: &[
        Operand {
            name: "condition",
            kind: OperandKind::Data,
            doc: "0 or not, of the element type of the others",
        },
        Operand { name: "a", kind: OperandKind::Data, doc: "taken where the condition is not 0" },
        Operand { name: "b", kind: OperandKind::Data, doc: "taken where the condition is 0" },
    ],
    ..Schema::binary(
        "select",
        "One of two, elementwise with broadcasting: `y = a` where `condition ≠ 0`, `y = b` elsewhere; a NaN that is not taken \
         does no harm. The gradient goes to the one that was taken, none to the condition. `where` in NumPy and MXNet.",
    )
};

impl Operator for Select {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::build(|e| {
            let (condition, a, b) = (e.input(0), e.input(1), e.input(2));
            e.select(condition, a, b)
        }))
    }

    fn samples(&self) -> Vec<Sample> {
        let condition = SampleValues::AwayFromZero(0.5, 1.0);
        alloc::vec![
            Sample::new(&[&[2, 3, 5], &[2, 3, 5], &[2, 3, 5]]).fill(0, condition),
            Sample::new(&[&[3, 1], &[2, 3, 5], &[]]).fill(0, condition),
        ]
    }
}
