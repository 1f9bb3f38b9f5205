//! `split`: an array in equal parts.

use super::concat::range;
use super::slice_axis::axis_of;
use super::{Operator, Reshape, Sample, Slice};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::graph::{Graph, ValueId};
use crate::schema::{Arg, Attrs, Default, OptionDef, OptionKind, Options, Schema};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// See the schema.
pub struct Split;

static SCHEMA: Schema = Schema {
    visible: 0,
    options: &[
        OptionDef {
            name: "parts",
            kind: OptionKind::Int(1, 1 << 16),
            default: Default::Required,
            positional: true,
            doc: "how many parts, and results",
        },
        OptionDef {
            name: "axis",
            kind: OptionKind::Int(-8, 7),
            default: Default::Int(1),
            positional: false,
            doc: "the axis that is parted, negative ones count from the end; 1 (the channels) by default",
        },
    ],
    ..Schema::unary(
        "split",
        "An array in `parts` equal parts along an axis, in order: with `parts = 2` `[n, 2c, h, w]` to `[n, c, h, w]` and \
         `[n, c, h, w]`. `concat` joins them again. SliceChannel in MXNet.",
    )
};

impl Operator for Split {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn compose(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        Some(self.parts(graph, attrs, inputs))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 6, 3]]).with("parts", 3),
            Sample::new(&[&[4, 5]]).with("parts", 2).with("axis", 0),
            Sample::new(&[&[2, 4]]).with("parts", 4).with("axis", -1),
            Sample::new(&[&[2, 3]]).with("parts", 1),
        ]
    }
}

impl Split {
    fn parts(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Result<Vec<ValueId>, ShapeError> {
        let parts = Options { schema: &SCHEMA, attrs }.int("parts");
        let axis = axis_of(self, graph, attrs, inputs)?;
        let shape = graph.shape(inputs[0]);
        let extent = &shape[axis];
        if extent.div_exact(&Dim::Const(parts)).is_none() {
            let text = shape.display(&graph.symbols);
            let message = format!(
                "axis {axis} of {text} is {}, which is not a multiple of {parts}",
                extent.display(&graph.symbols)
            );
            let mut e = graph.error(self, inputs, Code::SplitDoesNotDivide, At::Option("parts"), message);
            e.help = extent.as_const().map(|n| nearest_divisors(n, parts));
            return Err(e);
        }
        (0..parts).map(|i| part(graph, inputs[0], axis, parts, i)).collect()
    }
}

/// "8 or 16 parts would fit".
fn nearest_divisors(n: i64, parts: i64) -> String {
    let below = (1..parts.min(n)).rev().find(|d| n % d == 0).unwrap_or(1);
    match (parts + 1..=n).find(|d| n % d == 0) {
        Some(above) => format!("{below} or {above} parts would fit"),
        None => format!("{below} would fit"),
    }
}

/// Part `i` of `parts` equal ones along an axis; the caller has seen that they are equal. Where a part's extent is
/// not a number the parts get an axis of their own, because a slice begins at a number.
pub(super) fn part(
    graph: &mut Graph,
    x: ValueId,
    axis: usize,
    parts: i64,
    i: i64,
) -> Result<ValueId, ShapeError> {
    let shape = graph.shape(x);
    let each = shape[axis].div_exact(&Dim::Const(parts)).expect("looked at by the caller");
    if each.as_const().is_some() || parts == 1 {
        let options = range(axis, &each.scale(i), &each.scale(i + 1));
        return Ok(graph.call(&Slice, &options, &[x], None)?[0]);
    }
    let reshape = |graph: &mut Graph, x: ValueId, dims: &[Dim]| {
        let dims = Arg::List(dims.iter().map(|d| Arg::Dim(d.clone())).collect());
        Ok(graph.call(&Reshape, &[("shape", dims)], &[x], None)?[0])
    };
    let mut dims = shape.to_vec();
    dims[axis] = each;
    let merged = dims.clone();
    dims.insert(axis, Dim::Const(parts));
    let apart = reshape(graph, x, &dims)?;
    let options = range(axis, &Dim::Const(i), &Dim::Const(i + 1));
    let one = graph.call(&Slice, &options, &[apart], None)?[0];
    reshape(graph, one, &merged)
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{infer, refused, table};
    use alloc::vec::Vec;

    #[test]
    fn shapes() {
        table(
            "split",
            &[
                ("N 6 4", "parts=3", "[N, 2, 4], [N, 2, 4], [N, 2, 4]"),
                ("8 N", "parts=2 axis=0", "[4, N], [4, N]"),
                ("2 5", "parts=1", "[2, 5]"),
            ],
        );
        refused(
            "split",
            &[
                (
                    "N 512",
                    "parts=12",
                    "axis 1 of [N, 512] is 512, which is not a multiple of 12",
                    "8 or 16 parts would fit",
                ),
                ("N 3", "parts=5", "axis 1 of [N, 3] is 3, which is not a multiple of 5", "1 would fit"),
                ("N 4", "parts=2 axis=0", "axis 0 of [N, 4] is N, which is not a multiple of 2", ""),
                ("N 4", "parts=0", "`parts` must be an integer from 1 to 65536, not 0", "how many parts"),
            ],
        );
    }

    #[test]
    fn results_are_named_in_order_and_have_gradients() {
        let mut call = infer("split", "N 6", "parts=3").expect("fits");
        let names: Vec<_> = call.outputs.iter().map(|o| call.graph.value(*o).name.clone()).collect();
        assert_eq!(names, ["split0_output", "split0_output_1", "split0_output_2"]);
        assert_eq!(call.graph.layers[0].outputs, call.outputs);
        assert_eq!(call.backward(), (1, 1));
    }

    #[test]
    fn a_multiple_of_a_symbol_is_split_through_an_axis_of_its_own() {
        let mut joined = infer("concat", "N 5 | N 5", "axis=0").expect("fits");
        let (g, x) = (&mut joined.graph, joined.outputs[0]);
        let options = [("parts", 2.into()), ("axis", 0.into())];
        let parts = g.call(&super::Split, &options, &[x], None).expect("2·N is even");
        assert_eq!(parts.len(), 2);
        assert_eq!(g.shape(parts[1]), g.shape(joined.inputs[1]));
    }
}
