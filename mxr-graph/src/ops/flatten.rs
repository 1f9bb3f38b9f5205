//! `flatten`: all axes from one on as one.

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
pub struct Flatten;

static SCHEMA: Schema = Schema {
    options: &[OptionDef {
        name: "axis",
        kind: OptionKind::Int(-8, 8),
        default: Default::Int(1),
        positional: false,
        doc: "the first axis that is merged, negative ones count from the end; 1 by default",
    }],
    ..Schema::unary(
        "flatten",
        "All axes from `axis` on as one: `[n, c, h, w]` to `[n, c·h·w]`. No element is moved.",
    )
};

impl Operator for Flatten {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (x, given) = (cx.shape(0), cx.options().int("axis"));
        let rank = x.rank() as i64;
        let axis = if given < 0 { given + rank } else { given };
        if !(0..=rank).contains(&axis) {
            let text = cx.show(&x);
            let mut e =
                cx.err(Code::AxisOutOfRange, At::Option("axis"), format!("{text} has no axis {given}"));
            e.help = Some(format!("`axis` goes from {} to {rank}", -rank));
            return Err(e);
        }
        cx.set_attr("axis", Attr::Int(axis));
        let (kept, merged) = x.split_at(axis as usize);
        let mut out = kept.to_vec();
        out.push(merged.iter().fold(Dim::ONE, |p, d| p.mul(d)));
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
            Sample::new(&[&[2, 3, 4, 5]]),
            Sample::new(&[&[2, 3, 4]]).with("axis", -2),
            Sample::new(&[&[2, 3]]).with("axis", 0),
            Sample::new(&[&[3]]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{refused, table};

    #[test]
    fn shapes() {
        table(
            "flatten",
            &[
                ("N 20 4 4", "", "[N, 320]"),
                ("N T 650", "", "[N, 650*T]"),
                ("N T 650", "axis=-1", "[N, T, 650]"),
                ("N T 650", "axis=0", "[650*N*T]"),
                ("7", "", "[7, 1]"),
                ("", "axis=0", "[1]"),
            ],
        );
        refused(
            "flatten",
            &[
                ("2 3", "axis=3", "[2, 3] has no axis 3", "from -2 to 2"),
                ("", "", "[] has no axis 1", "from 0 to 0"),
            ],
        );
    }
}
