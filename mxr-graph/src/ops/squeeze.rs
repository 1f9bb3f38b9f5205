//! `squeeze`: without axes of extent 1.

use super::reduce::axes_of;
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
pub struct Squeeze;

static SCHEMA: Schema = Schema {
    options: &[OptionDef {
        name: "axes",
        kind: OptionKind::Ints,
        default: Default::Absent,
        positional: true,
        doc: "the axis or axes to drop, each of extent 1; negative ones count from the end; all of extent 1 by default",
    }],
    ..Schema::unary("squeeze", "Without axes of extent 1: `[n, c, 1, 1]` to `[n, c]`. No element is moved.")
};

impl Operator for Squeeze {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let x = cx.shape(0);
        let list = match cx.attr("axes") {
            Attr::Ints(list) => list.clone(),
            _ => (0..x.rank()).filter(|a| x[*a] == Dim::ONE).map(|a| a as i64).collect(),
        };
        let dropped = match axes_of(Some(&list), x.rank()) {
            Ok(axes) => axes,
            Err(axis) => {
                let text = cx.show(&x);
                let mut e = cx.err(
                    Code::AxisOutOfRange,
                    At::Option("axes"),
                    format!("axis {axis} is not one of the axes of {text}, or is given twice"),
                );
                e.help = Some(format!("axes go from {} to {}", -(x.rank() as i64), x.rank() as i64 - 1));
                return Err(e);
            }
        };
        let mut out = Vec::with_capacity(x.rank());
        for (axis, d) in x.iter().enumerate() {
            if !dropped.has(axis) {
                out.push(d.clone());
            } else if !cx.unify(d, &Dim::ONE) {
                let (text, d) = (cx.show(&x), cx.show_dim(d));
                let mut e = cx.err(
                    Code::SqueezeExtent,
                    At::Option("axes"),
                    format!("axis {axis} of {text} has extent {d}, not 1"),
                );
                e.help = Some(
                    "`slice_axis` takes one element of it, `reshape` merges it with another axis".into(),
                );
                return Err(e);
            }
        }
        // What "all of extent 1" means is settled here: an extent that is found to be 1 later stays.
        cx.set_attr(
            "axes",
            Attr::Ints((0..x.rank()).filter(|a| dropped.has(*a)).map(|a| a as i64).collect()),
        );
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
            Sample::new(&[&[2, 3, 1, 1]]),
            Sample::new(&[&[1, 3, 1, 2]]).with_list("axes", &[2]),
            Sample::new(&[&[1]]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "squeeze",
            &[("N 10 1 1", "", "[N, 10]"), ("1 10 1 1", "axes=-1,2", "[1, 10]"), ("3 2", "", "[3, 2]")],
        );
        refused(
            "squeeze",
            &[
                ("N 10 1", "axes=0", "axis 0 of [N, 10, 1] has extent N, not 1", "slice_axis"),
                (
                    "4 1",
                    "axes=2",
                    "axis 2 is not one of the axes of [4, 1], or is given twice",
                    "from -2 to 1",
                ),
            ],
        );
    }

    #[test]
    fn an_unknown_extent_that_is_dropped_is_one() {
        let mut call = infer("squeeze", "3 _", "axes=1").expect("the hole can be 1");
        let x = call.inputs[0];
        assert_eq!(call.text(x), "[3, 1]");
    }
}
