//! `concat`: arrays one after the other.

use super::split::part;
use super::{Fill, Lower, Lowered, Operator, Sample, Slice};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::Instr;
use crate::schema::{Arg, Default, Operand, OperandKind, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

/// See the schema.
pub struct Concat;

static SCHEMA: Schema = Schema {
    inputs: &[Operand {
        name: "x",
        kind: OperandKind::Variadic,
        doc: "one or more arrays that differ along `axis` at most",
    }],
    options: &[OptionDef {
        name: "axis",
        kind: OptionKind::Int(-8, 7),
        default: Default::Int(1),
        positional: false,
        doc: "the axis along which they are joined, negative ones count from the end; 1 (the channels) by default",
    }],
    ..Schema::unary(
        "concat",
        "Arrays one after the other along an axis: `[n, a, h, w]` and `[n, b, h, w]` to `[n, a + b, h, w]`. All other extents are \
         equal. The gradient of each operand is its slice.",
    )
};

impl Operator for Concat {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.same_dtype()?;
        let axis = cx.axis("axis")?;
        let first = cx.shape(0);
        let first_text = cx.show(&first);
        let mut sum = first[axis].clone();
        let mut wrong: Vec<(usize, String)> = Vec::new();
        let mut undecided = Vec::new();
        for i in 1..cx.inputs() {
            let next = cx.shape(i);
            let text = cx.show(&next);
            if next.rank() != first.rank() {
                let (have, want) = (next.rank(), first.rank());
                wrong.push((i, format!("input {i}, {text}, has {have} axes, not {want}")));
                continue;
            }
            for a in (0..first.rank()).filter(|a| *a != axis) {
                if !cx.unify(&first[a], &next[a]) {
                    let (have, want) = (cx.show_dim(&next[a]), cx.show_dim(&first[a]));
                    undecided.push((first[a].clone(), next[a].clone()));
                    wrong.push((i, format!("axis {a} of input {i}, {text}, is {have}, not {want}")));
                }
            }
            sum = sum.add(&next[axis]);
        }
        if let Some((input, _)) = wrong.first() {
            let all: Vec<&str> = wrong.iter().map(|(_, text)| &text[..]).collect();
            let mut e = cx.err(
                Code::ConcatExtents,
                At::Input(*input),
                format!("the inputs differ from the first, {first_text}, in more than axis {axis}"),
            );
            e.help = Some(all.join("; ") + &other_axis(cx, &first, axis));
            // A floor against a number may still come out equal when symbols are bound.
            if undecided.len() < wrong.len() {
                return Err(e);
            }
            for (a, b) in undecided {
                cx.require_equal(&a, &b, e.clone())?;
            }
        }
        let mut out = first.to_vec();
        out[axis] = sum;
        cx.output(Shape(out), dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let axis = cx.options().int("axis") as usize;
        let mut extents = Vec::with_capacity(cx.inputs());
        for i in 0..cx.inputs() {
            let x = cx.x(i);
            extents.push(cx.graph().shape(x)[axis].clone());
        }
        let equal = extents.iter().all(|d| *d == extents[0]);
        let mut begin = Dim::ZERO;
        for (i, extent) in extents.iter().enumerate() {
            let end = begin.add(extent);
            if cx.wants(i) {
                let (first, x) = (cx.x(0), cx.x(i));
                let (first, x) = (cx.graph().shape(first), cx.graph().shape(x));
                if (0..x.rank()).any(|a| a != axis && x[a] != first[a]) {
                    return Err(cx.undecided(i, 0));
                }
                let dx = if *extent == Dim::ZERO {
                    // A slice that is bounded is never empty.
                    let x = cx.x(i);
                    let (shape, dtype) = (cx.graph().shape(x), cx.graph().value(x).dtype);
                    cx.apply(&Fill, Fill::attrs(0.0, &shape, dtype), &[])[0]
                } else if begin.as_const().is_some() {
                    cx.call(&Slice, &range(axis, &begin, &end), &[dy])[0]
                } else if equal {
                    part(cx.graph(), dy, axis, extents.len() as i64, i as i64).expect("equal parts")
                } else {
                    let mut e = cx.no_gradient();
                    let text = begin.display(&cx.graph().symbols);
                    e.0.message = format!(
                        "has no gradient for input {i}, which begins at {text} along axis {axis}: not at a number"
                    );
                    e.0.help = Some("join arrays of one extent, or along an axis of known extents".into());
                    return Err(e);
                };
                cx.add(i, dx);
            }
            begin = end;
        }
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        match &cx.node.inputs[..] {
            [_] => Lowered::Instr(Instr::View),
            _ => Lowered::Instr(Instr::Concat { axis: cx.axis("axis") }),
        }
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 3, 4], &[2, 1, 4], &[2, 5, 4]]),
            Sample::new(&[&[2, 3], &[4, 3]]).with("axis", 0),
            Sample::new(&[&[2, 3, 1], &[2, 3, 4]]).with("axis", -1),
            Sample::new(&[&[2, 3]]),
        ]
    }
}

/// The options of a `slice` of one axis.
pub(super) fn range(axis: usize, begin: &Dim, end: &Dim) -> [(&'static str, Arg); 2] {
    let along = |d: &Dim| {
        let mut list = alloc::vec![Arg::Hole; axis];
        list.push(Arg::Dim(d.clone()));
        Arg::List(list)
    };
    [("begin", along(begin)), ("end", along(end))]
}

/// "; along `axis = 2` they would fit", where that is the one axis in which the inputs differ.
fn other_axis(cx: &mut Infer<'_>, first: &Shape, axis: usize) -> String {
    let all: Vec<Shape> = (1..cx.inputs()).map(|i| cx.shape(i)).collect();
    if all.iter().any(|s| s.rank() != first.rank()) {
        return String::new();
    }
    let differs = |a: &usize| all.iter().any(|s| s[*a] != first[*a]);
    match (0..first.rank()).filter(differs).collect::<Vec<_>>()[..] {
        [other] if other != axis => format!("; along `axis = {other}` they would fit"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use crate::grad::backward;
    use crate::ops::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table(
            "concat",
            &[
                ("N 64 28 28 | N 128 28 28 | N 32 28 28", "", "[N, 224, 28, 28]"),
                ("N 5 | M 5", "axis=0", "[N + M, 5]"),
                ("2 3 | 2 _", "axis=0", "[4, 3]"),
                ("2 3", "axis=-1", "[2, 3]"),
            ],
        );
        refused(
            "concat",
            &[
                (
                    "N 64 28 28 | N 128 14 14 | N 32 28 28 | N 32 28",
                    "",
                    "the inputs differ from the first, [N, 64, 28, 28], in more than axis 1",
                    "axis 2 of input 1, [N, 128, 14, 14], is 14, not 28; axis 3 of input 1, [N, 128, 14, 14], is 14, not 28; \
                     input 3, [N, 32, 28], has 3 axes, not 4",
                ),
                ("2 3 | 2 3", "axis=2", "axis 2 is not one of the axes of [2, 3]", "from -2 to 1"),
                ("2 3 | 2 3:i64", "", "cannot mix f32 and i64", "cast"),
            ],
        );
    }

    #[test]
    fn gradients_along_a_symbolic_axis() {
        let mut equal = infer("concat", "N 5 | N 5 | N 5", "axis=0").expect("fits");
        assert_eq!(equal.backward(), (3, 3));
        let mut one_symbol = infer("concat", "3 5 | N 5", "axis=0").expect("fits");
        assert_eq!(one_symbol.backward(), (2, 2));
        let mut two = infer("concat", "N 5 | 3 5", "axis=0").expect("fits");
        two.graph.outputs = two.outputs.clone();
        let e = backward(&mut two.graph, &two.inputs).expect_err("the second begins at N");
        assert_eq!(e.message, "has no gradient for input 1, which begins at N along axis 0: not at a number");
    }

    #[test]
    fn operands_without_elements_have_gradients() {
        for (inputs, options) in [
            ("2 0 | 2 3", ""),
            ("2 3 | 2 0 | 2 1", ""),
            ("0 3 | 0 4", ""),
            ("0 3", "axis=0"),
            ("3 0 | 2 0", "axis=0"),
        ] {
            let mut call = infer("concat", inputs, options).expect("fits");
            let count = call.inputs.len();
            assert_eq!(call.backward(), (count, count), "{inputs}");
        }
    }
}
