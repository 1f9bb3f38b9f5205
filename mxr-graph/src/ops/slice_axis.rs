//! `slice_axis`: a range of one axis.

use super::{Operator, Sample, Slice};
use crate::catalogue::Code;
use crate::error::{At, ShapeError};
use crate::graph::{Graph, ValueId};
use crate::schema::{Arg, Attr, Attrs, Default, OptionDef, OptionKind, Options, Schema};
use alloc::format;
use alloc::vec::Vec;

/// See the schema.
pub struct SliceAxis;

static SCHEMA: Schema = Schema {
    options: &[
        OptionDef {
            name: "axis",
            kind: OptionKind::Int(-8, 7),
            default: Default::Required,
            positional: true,
            doc: "the axis, negative ones count from the end",
        },
        OptionDef {
            name: "begin",
            kind: OptionKind::Int(i64::MIN, i64::MAX),
            default: Default::Int(0),
            positional: true,
            doc: "the first index, negative ones count from the end; 0 by default",
        },
        OptionDef {
            name: "end",
            kind: OptionKind::Int(i64::MIN, i64::MAX),
            default: Default::Absent,
            positional: true,
            doc: "the index before which it ends, negative ones count from the end; all the way by default",
        },
    ],
    ..Schema::unary(
        "slice_axis",
        "A range of one axis: `slice_axis(x, 1, 0, 3)` takes `[n, 3, h, w]` out of `[n, c, h, w]`, `slice_axis(x, -1, -2)` the last two \
         columns. A range past an end is an error, and so is an empty one.",
    )
};

impl Operator for SliceAxis {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn compose(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let options = Options { schema: &SCHEMA, attrs };
        Some(axis_of(self, graph, attrs, inputs).and_then(|axis| {
            let along = |index: Arg| {
                let mut list = alloc::vec![Arg::Hole; axis];
                list.push(index);
                Arg::List(list)
            };
            let end = if let Attr::Int(end) = options.get("end") { Arg::Int(*end) } else { Arg::Hole };
            let begin = Arg::Int(options.int("begin"));
            graph.call(&Slice, &[("begin", along(begin)), ("end", along(end))], inputs, None)
        }))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[4, 5]]).with("axis", 1).with("begin", 1).with("end", 4),
            Sample::new(&[&[4, 5, 2]]).with("axis", -2).with("begin", -3),
            Sample::new(&[&[4, 5]]).with("axis", 0).with("end", -1),
        ]
    }
}

/// The option `axis` of a composed operator, from the front.
pub(super) fn axis_of(
    op: &dyn Operator,
    graph: &mut Graph,
    attrs: &Attrs,
    inputs: &[ValueId],
) -> Result<usize, ShapeError> {
    let given = Options { schema: op.schema(), attrs }.int("axis");
    let shape = graph.shape(inputs[0]);
    let rank = shape.rank() as i64;
    let axis = if given < 0 { given + rank } else { given };
    if (0..rank).contains(&axis) {
        return Ok(axis as usize);
    }
    let message = format!("axis {given} is not one of the axes of {}", shape.display(&graph.symbols));
    let mut e = graph.error(op, inputs, Code::AxisOutOfRange, At::Option("axis"), message);
    e.help = (rank > 0).then(|| format!("axes go from {} to {}", -rank, rank - 1));
    Err(e)
}

#[cfg(test)]
mod tests {
    use crate::error::At;
    use crate::ops::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "slice_axis",
            &[
                ("N 8 28", "axis=1 begin=0 end=3", "[N, 3, 28]"),
                ("N 8 28", "axis=-1 begin=-2", "[N, 8, 2]"),
                ("N 8", "axis=0 end=-1", "[N - 1, 8]"),
            ],
        );
        refused(
            "slice_axis",
            &[
                ("N 8", "axis=2", "axis 2 is not one of the axes of [N, 8]", "from -2 to 1"),
                ("N 8", "axis=1 end=9", "end 9 is outside axis 1 of [N, 8], whose extent is 8", ""),
                ("N 8", "", "needs `axis`", "axis: the axis"),
            ],
        );
    }

    #[test]
    fn faults_are_those_of_the_operator_that_was_called() {
        let fault = |op: &str, inputs: &str, options: &str| {
            let e = infer(op, inputs, options).map(|_| ()).expect_err("refused");
            (e.op.into_owned(), e.at)
        };
        assert_eq!(fault("slice_axis", "N 8", "axis=1 end=9"), ("slice_axis".into(), At::Option("end")));
        // `split` has no `begin`.
        assert_eq!(fault("split", "2 0", "parts=1"), ("split".into(), At::Call));
    }
}
