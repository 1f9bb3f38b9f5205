//! `expand_dims`: a further axis of extent 1.

use super::{Lower, Lowered, Operator, Sample, reshape};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::Instr;
use crate::schema::{Attr, Default, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::vec::Vec;

/// See the schema.
pub struct ExpandDims;

static SCHEMA: Schema = Schema {
    options: &[OptionDef {
        name: "axis",
        kind: OptionKind::Int(-8, 7),
        default: Default::Required,
        positional: true,
        doc: "the place of the new axis in the result, negative ones count from its end",
    }],
    ..Schema::unary(
        "expand_dims",
        "A further axis of extent 1: with `axis = 1` `[n, c]` to `[n, 1, c]`, with `axis = -1` to `[n, c, 1]`. No element is moved.",
    )
};

impl Operator for ExpandDims {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (x, given) = (cx.shape(0), cx.options().int("axis"));
        let rank = x.rank() as i64;
        let axis = if given < 0 { given + rank + 1 } else { given };
        if !(0..=rank).contains(&axis) {
            let text = cx.show(&x);
            let mut e = cx.err(
                Code::AxisOutOfRange,
                At::Option("axis"),
                format!("{text} cannot get an axis {given}"),
            );
            e.help = Some(format!("`axis` goes from {} to {rank}", -rank - 1));
            return Err(e);
        }
        cx.set_attr("axis", Attr::Int(axis));
        let mut out = x.to_vec();
        out.insert(axis as usize, Dim::ONE);
        let dtype = cx.dtype(0);
        cx.output(Shape(out), dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        reshape::grad(cx)
    }

    fn lower(&self, _: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::View)
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 3]]).with("axis", 1),
            Sample::new(&[&[2, 3]]).with("axis", -1),
            Sample::new(&[&[]]).with("axis", 0),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{refused, table};

    #[test]
    fn shapes() {
        table(
            "expand_dims",
            &[
                ("N 10", "axis=0", "[1, N, 10]"),
                ("N 10", "axis=2", "[N, 10, 1]"),
                ("N 10", "axis=-2", "[N, 1, 10]"),
            ],
        );
        refused(
            "expand_dims",
            &[
                ("2 3", "axis=3", "[2, 3] cannot get an axis 3", "from -3 to 2"),
                (
                    "1 1 1 1 1 1 1 1",
                    "axis=0",
                    "the result [1, 1, 1, 1, 1, 1, 1, 1, 1] would have more than 8 axes",
                    "",
                ),
            ],
        );
    }
}
