//! `relu_mask`: `relu` that leaves a bit per element for its gradient.

use super::{Lower, Lowered, Operator, Sample, mask};
use crate::dtype::DType;
use crate::error::ShapeError;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::Instr;
use crate::schema::{Operand, Schema};
use alloc::vec::Vec;

/// See the schema.
pub struct ReluMask;

static SCHEMA: Schema = Schema {
    name: "relu_mask",
    auto_name: "relu_mask",
    doc: "`relu`, and a mask of type u8 with one bit per element: 1 where `x` is above 0.",
    inputs: &[Operand::data("x", "any shape")],
    outputs: &["output", "mask"],
    visible: 1,
    options: &[],
    internal: true,
};

impl Operator for ReluMask {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (x, dtype) = (cx.shape(0), cx.float(0)?);
        cx.output(x.clone(), dtype)?;
        cx.output(mask::shape(&x), DType::U8)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        Err(cx.no_gradient())
    }

    fn lower(&self, _: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::ReluMask)
    }

    fn samples(&self) -> Vec<Sample> {
        // A pass makes it of `relu`, whose samples run it.
        Vec::new()
    }
}
