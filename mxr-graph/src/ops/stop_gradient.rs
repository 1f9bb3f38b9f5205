//! `stop_gradient`: the identity, through which no gradient flows.

use super::{Lower, Lowered, Operator, Sample};
use crate::error::ShapeError;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::Instr;
use crate::schema::Schema;
use alloc::vec::Vec;

/// See the schema.
pub struct StopGradient;

static SCHEMA: Schema = Schema {
    auto_name: "blockgrad",
    ..Schema::unary(
        "stop_gradient",
        "The identity, `y = x`, without a gradient: what comes before it is not trained through it. No element is moved. Called \
         BlockGrad in MXNet.",
    )
};

impl Operator for StopGradient {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (x, dtype) = (cx.shape(0), cx.dtype(0));
        cx.output(x, dtype)
    }

    fn grad(&self, _: &mut Grad<'_>) -> Result<(), NoGradient> {
        Ok(())
    }

    fn lower(&self, _: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::View)
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[2, 3]])]
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, table};

    #[test]
    fn the_value_passes_and_the_gradient_does_not() {
        table("stop_gradient", &[("N 3", "", "[N, 3]"), ("N:i64", "", "i64[N]")]);
        assert_eq!(infer("stop_gradient", "N 3", "").expect("fits").backward(), (0, 1));
    }
}
