//! `slice_backward`: elements put back where `slice` took them from.

use super::{Lower, Lowered, Operator, Sample, Slice};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::{Instr, MAX_RANK};
use crate::schema::{Arg, Attr, Default, Operand, OperandKind, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::vec::Vec;

/// See the schema.
pub struct SliceBackward;

static SCHEMA: Schema = Schema {
    inputs: &[Operand { name: "dy", kind: OperandKind::Data, doc: "the gradient of the slice" }],
    options: &[
        OptionDef {
            name: "shape",
            kind: OptionKind::Shape,
            default: Default::Required,
            positional: false,
            doc: "the shape that was sliced",
        },
        OptionDef {
            name: "begin",
            kind: OptionKind::Ints,
            default: Default::Required,
            positional: false,
            doc: "the first index along each axis, from the front",
        },
        OptionDef {
            name: "step",
            kind: OptionKind::Ints,
            default: Default::Required,
            positional: false,
            doc: "the distance of neighbours along each axis",
        },
    ],
    internal: true,
    ..Schema::unary(
        "slice_backward",
        "The gradient of `slice`: zeros of `shape` with `y[begin₀ + i · step₀, ..] = dy[i, ..]`.",
    )
};

impl Operator for SliceBackward {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let Attr::Dims(dims) = cx.attr("shape").clone() else { unreachable!("a required shape") };
        let out = Shape(dims.into_iter().flatten().collect());
        let dy = cx.shape(0);
        let list = |name| cx.options().ints(name).expect("a required list").to_vec();
        let (begin, step) = (list("begin"), list("step"));
        if [dy.rank(), begin.len(), step.len()] != [out.rank(); 3] {
            let text = cx.show(&out);
            return Err(cx.err(
                Code::OperandRank,
                At::Call,
                format!("not every list has the {} axes of {text}", out.rank()),
            ));
        }
        for axis in 0..out.rank() {
            let last = dy[axis].sub(&Dim::ONE).scale(step[axis]).add(&Dim::Const(begin[axis]));
            let room = if step[axis] > 0 { out[axis].sub(&last).sub(&Dim::ONE) } else { last };
            if begin[axis] < 0 || step[axis] == 0 || room.upper_bound().is_some_and(|b| b < 0) {
                let (dy, out) = (cx.show(&dy), cx.show(&out));
                return Err(cx.err(
                    Code::WeightShape,
                    At::Input(0),
                    format!("{dy} does not come from axis {axis} of {out}"),
                ));
            }
        }
        let dtype = cx.dtype(0);
        cx.output(out, dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let x = cx.x(0);
        let shape = cx.graph().shape(x);
        let options = cx.options();
        let begin = options.ints("begin").expect("a required list");
        let step = options.ints("step").expect("a required list");
        let end = shape.iter().enumerate().map(|(axis, n)| {
            // One past the last; before the front it has no number.
            let past = n.sub(&Dim::ONE).scale(step[axis]).add(&Dim::Const(begin[axis] + step[axis].signum()));
            if past == Dim::Const(-1) { Arg::Hole } else { Arg::Dim(past) }
        });
        let end = Arg::List(end.collect());
        let list = |v: &[i64]| Arg::List(v.iter().map(|n| Arg::Int(*n)).collect());
        let dx = cx.call(&Slice, &[("begin", list(begin)), ("end", end), ("step", list(step))], &[dy])[0];
        cx.add(0, dx);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let (mut begin, mut step) = ([0; MAX_RANK], [1; MAX_RANK]);
        for (to, name) in [(&mut begin, "begin"), (&mut step, "step")] {
            let list = cx.options().ints(name).expect("a required list");
            to[..list.len()].copy_from_slice(list);
        }
        if cx.shape(0) == cx.output(0) && step == [1; MAX_RANK] {
            return Lowered::Instr(Instr::View);
        }
        Lowered::Instr(Instr::SliceBackward { begin, step })
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |from: &[usize], to: &[i64], begin: &[i64], step: &[i64]| {
            let lists = Sample::new(&[from]).with_list("shape", to);
            lists.with_list("begin", begin).with_list("step", step)
        };
        alloc::vec![
            sample(&[2, 3], &[4, 5], &[1, 2], &[1, 1]),
            sample(&[2, 2], &[4, 7], &[0, 1], &[2, 3]),
            sample(&[4, 3], &[4, 5], &[3, 4], &[-1, -2]),
        ]
    }
}
