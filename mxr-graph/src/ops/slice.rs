//! `slice`: a box of elements, with steps.

use super::slice_backward::SliceBackward;
use super::{Lower, Lowered, Operator, Sample};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::{Instr, MAX_RANK};
use crate::schema::{Arg, Attr, Default, OptionDef, OptionKind, Options, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::vec::Vec;

/// See the schema.
pub struct Slice;

static SCHEMA: Schema = Schema {
    options: &[
        OptionDef {
            name: "begin",
            kind: OptionKind::Indices,
            default: Default::Absent,
            positional: true,
            doc: "the first index per axis, negative ones count from the end; by default the start (the last element for a negative step)",
        },
        OptionDef {
            name: "end",
            kind: OptionKind::Indices,
            default: Default::Absent,
            positional: true,
            doc: "the index per axis before which it ends, negative ones count from the end; by default all the way",
        },
        OptionDef {
            name: "step",
            kind: OptionKind::Indices,
            default: Default::Absent,
            positional: true,
            doc: "the distance of neighbours per axis, negative to go backwards; 1 by default",
        },
    ],
    ..Schema::unary(
        "slice",
        "A box of elements: `y[i, j, ..] = x[begin₀ + i · step₀, begin₁ + j · step₁, ..]`, along each axis up to `end` without it; \
         extents are `⌈(end − begin) / step⌉`. Lists are in order of the axes, `_` in them and what they leave out mean all \
         the way: `slice(x, [_, 1], [_, -1])` drops the first and the last column. Indices past an end are an error, and so \
         are indices between which nothing is left. NumPy's basic slicing.",
    )
};

/// An entry of a list of indices: `None` when absent.
fn entry<'a>(options: Options<'a>, name: &str, axis: usize) -> Option<&'a Dim> {
    match &options.attrs[options.schema.option(name).expect("an option of the schema")] {
        Attr::Dims(list) => list.get(axis).and_then(|d| d.as_ref()),
        _ => None,
    }
}

fn step(options: Options<'_>, axis: usize) -> Option<i64> {
    entry(options, "step", axis).map_or(Some(1), Dim::as_const)
}

/// The first index along an axis, where it is a number.
fn begin(options: Options<'_>, axis: usize, extent: &Dim) -> Option<i64> {
    match entry(options, "begin", axis).map(Dim::as_const) {
        Some(Some(at)) if at >= 0 => Some(at),
        Some(Some(at)) => extent.as_const().map(|n| n + at),
        Some(None) => None,
        None if step(options, axis)? > 0 || *extent == Dim::ZERO => Some(0),
        None => extent.as_const().map(|n| n - 1),
    }
}

impl Operator for Slice {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let x = cx.shape(0);
        let text = cx.show(&x);
        for name in ["begin", "end", "step"] {
            let given = if let Attr::Dims(list) = cx.attr(name) { list.len() } else { 0 };
            if given > x.rank() {
                let message = format!("`{name}` has {given} entries, {text} has {} axes", x.rank());
                return Err(cx.err(Code::AxisOutOfRange, At::Option(name), message));
            }
        }
        let mut out = Vec::with_capacity(x.rank());
        for (axis, extent) in x.iter().enumerate() {
            let bounded = ["begin", "end"].iter().any(|name| entry(cx.options(), name, axis).is_some());
            if !bounded && *extent == Dim::ZERO {
                // All of nothing, in whatever steps.
                out.push(Dim::ZERO);
                continue;
            }
            let by = match step(cx.options(), axis) {
                Some(by) if by != 0 => by,
                _ => {
                    return Err(cx.err(
                        Code::OptionBounds,
                        At::Option("step"),
                        format!("the step along axis {axis} must be a number other than 0"),
                    ));
                }
            };
            let n = cx.show_dim(extent);
            let Some(first) = begin(cx.options(), axis, extent) else {
                let mut e = cx.err(
                        Code::SliceBeginsAtASymbol,
                    At::Option("begin"),
                    format!("the first index along axis {axis} of {text} is not known: it depends on the extent {n}"),
                );
                e.help = Some("give `begin` as a number from the front".into());
                return Err(e);
            };
            let end = entry(cx.options(), "end", axis).cloned();
            let end = match end {
                Some(d) if d.as_const().is_some_and(|d| d < 0) => extent.add(&d),
                Some(d) => d,
                None if by > 0 => extent.clone(),
                None => Dim::Const(-1),
            };

            let e = cx.err(
                Code::SliceOutside,
                At::Option("begin"),
                format!("index {first} is outside axis {axis} of {text}, whose extent is {n}"),
            );
            let e = within(e, "indices go from 0 to", extent, -1);
            if first < 0 {
                return Err(e);
            }
            cx.require(&extent.sub(&Dim::Const(first.saturating_add(1))), e)?;
            let last = cx.show_dim(&end);
            let e = cx.err(
                Code::SliceOutside,
                At::Option("end"),
                format!("end {last} is outside axis {axis} of {text}, whose extent is {n}"),
            );
            let e = if by > 0 { within(e, "`end` goes up to", extent, 0) } else { e };
            let within = if by > 0 { extent.sub(&end) } else { end.add(&Dim::ONE) };
            cx.require(&within, e)?;
            let count = if by > 0 { end.sub(&Dim::Const(first)) } else { Dim::Const(first).sub(&end) };
            let e = cx.err(
                Code::SliceEmpty,
                At::Option("end"),
                format!("nothing is left of axis {axis} of {text}: from {first} to {last} in steps of {by}"),
            );
            cx.require(&count.sub(&Dim::ONE), e)?;
            out.push(cx.ceil_div(&count, by.saturating_abs()));
        }
        let dtype = cx.dtype(0);
        cx.output(Shape(out), dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let x = cx.x(0);
        let shape = cx.graph().shape(x);
        let options = cx.options();
        let list = |f: &dyn Fn(usize, &Dim) -> i64| {
            Attr::Ints(shape.iter().enumerate().map(|(axis, d)| f(axis, d)).collect())
        };
        let begins = list(&|axis, d| begin(options, axis, d).expect("checked by the shape rule"));
        let steps = list(&|axis, _| step(options, axis).expect("checked by the shape rule"));
        let dims = Attr::Dims(shape.iter().map(|d| Some(d.clone())).collect());
        let dx = cx.apply(&SliceBackward, alloc::vec![dims, begins, steps], &[dy])[0];
        cx.add(0, dx);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let options = cx.options();
        let (mut first, mut by) = ([0; MAX_RANK], [1; MAX_RANK]);
        for (axis, d) in cx.shape(0).iter().enumerate() {
            first[axis] = begin(options, axis, d).expect("checked by the shape rule");
            by[axis] = step(options, axis).expect("checked by the shape rule");
        }
        if cx.shape(0) == cx.output(0) && by == [1; MAX_RANK] {
            return Lowered::Instr(Instr::View);
        }
        Lowered::Instr(Instr::Slice { begin: first, step: by })
    }

    fn samples(&self) -> Vec<Sample> {
        let every =
            |list: &[Option<i64>]| Arg::List(list.iter().map(|n| n.map_or(Arg::Hole, Arg::Int)).collect());
        alloc::vec![
            Sample::new(&[&[4, 5]]).with_list("begin", &[1, 2]).with_list("end", &[3, 5]),
            Sample::new(&[&[4, 7, 3]])
                .with("begin", every(&[None, Some(1)]))
                .with("end", every(&[None, Some(-1)]))
                .with_list("step", &[2, 3]),
            Sample::new(&[&[4, 5]]).with_list("step", &[-1, -2]),
            Sample::new(&[&[6]]).with("begin", -2).with("end", 0).with("step", -1),
            Sample::new(&[&[2, 3]]),
            Sample::new(&[&[5, 4, 3]]).with_list("begin", &[-3]).with_list("end", &[-2]),
        ]
    }
}

/// The error with "indices go from 0 to 7" as its help, where the extent is a number.
fn within(mut e: ShapeError, what: &str, extent: &Dim, offset: i64) -> ShapeError {
    e.help = extent.as_const().map(|n| format!("{what} {}", n + offset));
    e
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "slice",
            &[
                ("4 5", "begin=1,2 end=3,5", "[2, 3]"),
                ("N 28", "begin=_,1 end=_,-1", "[N, 26]"),
                ("N 28", "", "[N, 28]"),
                ("N 28", "end=-3", "[N - 3, 28]"),
                ("N 28", "begin=2", "[N - 2, 28]"),
                ("N 28", "begin=4,_ end=2,_ step=-1,2", "[2, 14]"),
                ("9", "begin=-5 end=-1 step=2", "[2]"),
                ("6", "begin=_ end=_ step=-1", "[6]"),
                ("6", "begin=_ end=2 step=-1", "[3]"),
                ("N 4", "step=2", "[floor((N + 1) / 2), 4]"),
                ("N:i64", "end=1", "i64[1]"),
                ("0 4", "begin=_,1", "[0, 3]"),
                ("4 0", "step=2,-1", "[2, 0]"),
            ],
        );
    }

    #[test]
    fn what_is_outside_is_refused() {
        refused(
            "slice",
            &[
                ("28", "end=30", "end 30 is outside axis 0 of [28], whose extent is 28", ""),
                (
                    "28",
                    "begin=9223372036854775807",
                    "index 9223372036854775807 is outside axis 0 of [28], whose extent is 28",
                    "",
                ),
                ("2 28", "begin=0,28", "index 28 is outside axis 1 of [2, 28], whose extent is 28", ""),
                ("28", "begin=-29", "index -1 is outside axis 0 of [28], whose extent is 28", ""),
                ("28", "begin=5 end=5", "nothing is left of axis 0 of [28]: from 5 to 5 in steps of 1", ""),
                (
                    "28",
                    "begin=5 end=9 step=-1",
                    "nothing is left of axis 0 of [28]: from 5 to 9 in steps of -1",
                    "",
                ),
                ("28", "step=0", "the step along axis 0 must be a number other than 0", ""),
                ("28", "begin=1,2", "`begin` has 2 entries, [28] has 1 axes", ""),
                (
                    "N",
                    "begin=-3",
                    "the first index along axis 0 of [N] is not known: it depends on the extent N",
                    "from the front",
                ),
                (
                    "N",
                    "step=-1",
                    "the first index along axis 0 of [N] is not known: it depends on the extent N",
                    "from the front",
                ),
            ],
        );
    }

    #[test]
    fn what_depends_on_symbols_is_checked_when_they_are_bound() {
        let call = infer("slice", "N 4", "begin=2 end=8").expect("may fit");
        let texts: Vec<_> = call
            .graph
            .checks
            .iter()
            .map(|c| c.dim.display(&call.graph.symbols))
            .map(|d| format!("{d}"))
            .collect();
        assert_eq!(texts, ["N - 3", "N - 8"]);
        assert!(infer("slice", "N 4", "begin=0 end=1").expect("N is at least 1").graph.checks.is_empty());
    }

    #[test]
    fn the_whole_is_no_copy() {
        let call = infer("slice", "N 4", "").expect("fits");
        let lowered = Slice.lower(Lower { graph: &call.graph, node: &call.graph.nodes[0] });
        assert_eq!(lowered, Lowered::Instr(Instr::View));
    }
}
