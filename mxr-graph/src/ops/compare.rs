//! `greater`, `greater_equal`, `less`, `less_equal`, `equal`: 1 where it holds, 0 elsewhere.

use super::{Operator, Sample, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::BinOp;
use crate::schema::{Options, Schema};
use alloc::vec::Vec;

/// See the schemas.
pub struct Compare {
    op: BinOp,
    /// `op(b, a)` instead of `op(a, b)`.
    swapped: bool,
    schema: &'static Schema,
}

macro_rules! compare {
    ($item:ident, $name:literal, $op:ident, $swapped:literal, $sign:literal) => {
        #[doc = concat!("`", $name, "`.")]
        pub static $item: Compare = Compare {
            op: BinOp::$op,
            swapped: $swapped,
            schema: &Schema::binary(
                $name,
                concat!(
                    "A comparison, elementwise with broadcasting: 1 where `a ",
                    $sign,
                    " b`, 0 elsewhere, in the element type of the operands. NaN compares to nothing. The gradient is 0."
                ),
            ),
        };
    };
}

compare!(GREATER, "greater", Gt, false, ">");
compare!(GREATER_EQUAL, "greater_equal", Ge, false, "≥");
compare!(LESS, "less", Gt, true, "<");
compare!(LESS_EQUAL, "less_equal", Ge, true, "≤");
compare!(EQUAL, "equal", Eq, false, "=");

impl Operator for Compare {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        map::infer_numbers(cx)
    }

    fn expr(&self, _: Options<'_>) -> Option<Expr> {
        Some(Expr::build(|e| {
            let (a, b) = (e.input(0), e.input(1));
            if self.swapped { e.bin(self.op, b, a) } else { e.bin(self.op, a, b) }
        }))
    }

    fn samples(&self) -> Vec<Sample> {
        map::two_operands().map(map::apart).into()
    }
}
