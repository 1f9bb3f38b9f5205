//! `transpose`: axes in another order.

use super::{Lower, Lowered, Operator, Sample};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::{Instr, MAX_RANK};
use crate::schema::{Arg, Attr, Default, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::vec::Vec;

/// See the schema.
pub struct Transpose;

static SCHEMA: Schema = Schema {
    options: &[OptionDef {
        name: "axes",
        kind: OptionKind::Ints,
        default: Default::Absent,
        positional: true,
        doc: "for each axis of the result the axis of `x` that it is, negative ones count from the end; reversed by default",
    }],
    ..Schema::unary(
        "transpose",
        "Axes in another order: axis `i` of `y` is axis `axes[i]` of `x`. With `axes = (0, 2, 3, 1)` `[n, c, h, w]` to \
         `[n, h, w, c]`; without `axes` they are reversed, a matrix is transposed.",
    )
};

impl Operator for Transpose {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let x = cx.shape(0);
        let rank = x.rank();
        let axes: Vec<i64> = match cx.attr("axes") {
            Attr::Ints(list) => list.iter().map(|a| if *a < 0 { a + rank as i64 } else { *a }).collect(),
            _ => (0..rank as i64).rev().collect(),
        };
        let mut sorted = axes.clone();
        sorted.sort_unstable();
        if !sorted.iter().copied().eq(0..rank as i64) {
            let (text, Attr::Ints(given)) = (cx.show(&x), cx.attr("axes")) else {
                unreachable!("the reverse order is a permutation")
            };
            let mut e = cx.err(
                Code::NotAPermutation,
                At::Option("axes"),
                format!("{given:?} does not name every axis of {text} exactly once"),
            );
            let count = if rank == 1 { "axis 0".into() } else { format!("axes 0 to {}", rank as i64 - 1) };
            e.help = (rank > 0).then(|| format!("{text} has {count}"));
            return Err(e);
        }
        let out = axes.iter().map(|a| x[*a as usize].clone()).collect();
        cx.set_attr("axes", Attr::Ints(axes));
        let dtype = cx.dtype(0);
        cx.output(Shape(out), dtype)
    }

    /// The inverse permutation.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let axes = cx.options().ints("axes").expect("set by the shape rule").to_vec();
        let mut inverse = alloc::vec![Arg::Int(0); axes.len()];
        for (i, a) in axes.iter().enumerate() {
            inverse[*a as usize] = Arg::Int(i as i64);
        }
        let dx = cx.call(&Transpose, &[("axes", Arg::List(inverse))], &[dy])[0];
        cx.add(0, dx);
        Ok(())
    }

    /// Where only axes of extent 1 move, no element does.
    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let axes = cx.options().ints("axes").expect("set by the shape rule");
        let long = axes.iter().filter(|a| cx.shape(0)[**a as usize] != Dim::ONE);
        if long.is_sorted() {
            return Lowered::Instr(Instr::View);
        }
        let mut perm = [0; MAX_RANK];
        for (p, a) in perm.iter_mut().zip(axes) {
            *p = *a as u8;
        }
        Lowered::Instr(Instr::Transpose { perm })
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[3, 5]]),
            Sample::new(&[&[2, 3, 4]]),
            Sample::new(&[&[2, 3, 4, 5]]).with_list("axes", &[0, 2, 3, 1]),
            Sample::new(&[&[2, 3, 4, 5]]).with_list("axes", &[0, 2, 1, -1]),
            Sample::new(&[&[2, 1, 3]]).with_list("axes", &[1, 0, 2]),
            Sample::new(&[&[17, 33]]),
            Sample::new(&[&[2, 2, 3, 1, 2]]).with_list("axes", &[4, 0, 2, 3, 1]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "transpose",
            &[
                ("N 3 28", "", "[28, 3, N]"),
                ("N T 8 64", "axes=0,2,1,3", "[N, 8, T, 64]"),
                ("4 5", "axes=-1,-2", "[5, 4]"),
                ("", "", "[]"),
            ],
        );
        refused(
            "transpose",
            &[
                (
                    "N 3 28",
                    "axes=0,1",
                    "[0, 1] does not name every axis of [N, 3, 28] exactly once",
                    "axes 0 to 2",
                ),
                ("4 5", "axes=1,1", "[1, 1] does not name every axis of [4, 5] exactly once", ""),
                ("4 5", "axes=1,2", "[1, 2] does not name every axis of [4, 5] exactly once", ""),
            ],
        );
    }

    #[test]
    fn moving_an_axis_of_extent_one_moves_nothing() {
        for (shape, axes, moves) in
            [("N 1 3", "1,0,2", false), ("N 1 3", "2,0,1", true), ("N 3", "0,1", false)]
        {
            let call = infer("transpose", shape, &format!("axes={axes}")).expect("a permutation");
            let lowered = Transpose.lower(Lower { graph: &call.graph, node: &call.graph.nodes[0] });
            assert_eq!(lowered != Lowered::Instr(Instr::View), moves, "{shape} {axes}");
        }
    }
}
