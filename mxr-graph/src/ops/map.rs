//! `map`: a scalar expression applied elementwise, with broadcasting. Gradients and fusion are made of it.

use super::{Operator, Sample, SampleValues};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::{At, ShapeError};
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::schema::{Attr, Default, Operand, OperandKind, OptionDef, OptionKind, Options, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// See the schema.
pub struct Map;

static SCHEMA: Schema = Schema {
    name: "map",
    auto_name: "map",
    doc: "A scalar expression of the inputs, elementwise, broadcasting to the common shape.",
    inputs: &[Operand { name: "x", kind: OperandKind::Variadic, doc: "any shapes that broadcast" }],
    outputs: &["output"],
    visible: 1,
    options: &[OptionDef {
        name: "expr",
        kind: OptionKind::Expr,
        default: Default::Absent,
        positional: false,
        doc: "the expression",
    }],
    internal: true,
};

impl Operator for Map {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn expr(&self, options: Options<'_>) -> Option<Expr> {
        match options.get("expr") {
            Attr::Expr(e) => Some(e.clone()),
            other => panic!("map without an expression: {other:?}"),
        }
    }

    fn samples(&self) -> Vec<Sample> {
        // Every elementwise operator is one.
        Vec::new()
    }
}

/// The shape rule of elementwise operators: numpy's broadcasting of all operands, which must have one element type.
pub fn infer_broadcast(cx: &mut Infer<'_>) -> Result<(), ShapeError> {
    let dtype = cx.same_dtype()?;
    let mut out = cx.shape(0);
    for i in 1..cx.inputs() {
        let next = cx.shape(i);
        out = broadcast(cx, &out, &next, i)?;
    }
    cx.output(out, dtype)
}

/// [`infer_broadcast`] of operands that one can calculate with: everything but truth values.
pub fn infer_numbers(cx: &mut Infer<'_>) -> Result<(), ShapeError> {
    for i in 0..cx.inputs() {
        if cx.dtype(i) == DType::Bool {
            let mut e = cx.err(Code::NeedsNumbers, At::Input(i), "needs numbers, this is bool".to_string());
            e.help = Some("convert it with `cast`".to_string());
            return Err(e);
        }
    }
    infer_broadcast(cx)
}

/// [`infer_broadcast`] of floating-point operands.
pub fn infer_floats(cx: &mut Infer<'_>) -> Result<(), ShapeError> {
    cx.float(0)?;
    infer_broadcast(cx)
}

/// The common shape of two operands; `input` is the number of the second.
pub fn broadcast(cx: &mut Infer<'_>, a: &Shape, b: &Shape, input: usize) -> Result<Shape, ShapeError> {
    let rank = a.rank().max(b.rank());
    let at = |s: &Shape, axis: usize| -> Dim {
        let missing = rank - s.rank();
        if axis < missing { Dim::ONE } else { s[axis - missing].clone() }
    };
    let mut out = Vec::with_capacity(rank);
    let mut wrong: Vec<String> = Vec::new();
    for axis in 0..rank {
        let (x, y) = (at(a, axis), at(b, axis));
        out.push(if x == Dim::ONE {
            y
        } else if y == Dim::ONE || cx.unify(&x, &y) {
            x
        } else {
            wrong.push(format!("axis {axis}: {} against {}", cx.show_dim(&x), cx.show_dim(&y)));
            x
        });
    }
    if wrong.is_empty() {
        return Ok(Shape(out));
    }
    let fits = if a.rank() < b.rank() { aligned(a, b) } else { aligned(b, a) };
    let (a, b) = (cx.show(a), cx.show(b));
    let mut e =
        cx.err(Code::Broadcast, At::Input(input), format!("the shapes {a} and {b} do not fit together"));
    e.help = Some(match fits {
        Some(shape) => format!("{}; reshaped to {} the smaller would fit", wrong.join(", "), cx.show(&shape)),
        None => format!("{}; extents must be equal, or 1", wrong.join(", ")),
    });
    Err(e)
}

/// The smaller shape with axes of 1 behind it, where it is that of other axes than the last: `[c]` beside `[n, c, h, w]`.
fn aligned(small: &Shape, large: &Shape) -> Option<Shape> {
    let missing = large.rank().checked_sub(small.rank()).filter(|n| *n > 0)?;
    let at = (0..missing).rev().find(|at| small.iter().zip(&large[*at..]).all(|(s, l)| s == l))?;
    let mut shape = small.clone();
    shape.0.extend((at..missing).map(|_| Dim::ONE));
    Some(shape)
}

/// The gradient of an elementwise operator from its expression.
pub fn grad_of_expr(expr: Option<Expr>, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
    let Some(expr) = expr else { return Err(cx.no_gradient()) };
    let Some(dy) = cx.dy(0) else { return Ok(()) };
    let k = expr.inputs();
    for i in 0..k {
        if !cx.wants(i) {
            continue;
        }
        let (derivative, used) = expr.gradient(i).compact();
        if derivative.lines.iter().all(|l| matches!(l, crate::instr::Scalar::Const(c) if *c == 0.0)) {
            continue;
        }
        let operands: Vec<_> = used
            .iter()
            .map(|u| match *u {
                u if u < k => cx.x(u),
                u if u == k => cx.y(0),
                _ => dy,
            })
            .collect();
        let dx =
            if operands == [dy] && derivative.lines.len() == 1 { dy } else { cx.map(derivative, &operands) };
        let dx = cx.sum_to(dx, cx.x(i));
        cx.add(i, dx);
    }
    Ok(())
}

/// Samples of two operands: of one shape, and such that one or both broadcast.
pub(super) fn two_operands() -> [Sample; 4] {
    [
        Sample::new(&[&[2, 3, 5], &[2, 3, 5]]),
        Sample::new(&[&[2, 3, 1], &[3, 5]]),
        Sample::new(&[&[2, 3, 5], &[]]),
        Sample::new(&[&[1, 4], &[3, 1, 4]]),
    ]
}

/// A sample of two operands with no element near one of the other, where comparisons jump.
pub(super) fn apart(sample: Sample) -> Sample {
    sample.fill(0, SampleValues::AwayFromZero(1.2, 2.0)).fill(1, SampleValues::AwayFromZero(0.1, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;

    #[test]
    fn shapes_broadcast_from_the_right() {
        let mut g = Graph::new("t");
        let n = Dim::symbol(g.symbols.named("N"));
        let a = g.input("a", Shape(alloc::vec![n.clone(), Dim::Const(3), Dim::ONE]), DType::F32);
        let b = g.input("b", Shape::of(&[3, 5]), DType::F32);
        let attrs = alloc::vec![Attr::Expr(Expr::binary(crate::instr::BinOp::Add))];
        let y = g.apply(&Map, attrs.clone(), &[a, b], None).expect("shapes fit")[0];
        assert_eq!(g.shape(y), Shape(alloc::vec![n, Dim::Const(3), Dim::Const(5)]));
        let c = g.input("c", Shape::of(&[4, 5]), DType::F32);
        let e = g.apply(&Map, attrs, &[a, c], None).expect_err("3 against 4");
        assert!(e.help.expect("says which axis").contains("axis 1: 3 against 4"));
    }

    fn elementwise() -> impl Iterator<Item = (&'static dyn crate::ops::Operator, Sample)> {
        crate::ops::OPS.iter().flat_map(|op| {
            let one = op.samples().into_iter().next().filter(|s| {
                let attrs = op.schema().attrs(s.options.iter().cloned()).expect("a sample's options");
                op.schema().name != "map" && op.expr(Options { schema: op.schema(), attrs: &attrs }).is_some()
            });
            one.map(|s| (*op, s))
        })
    }

    #[test]
    fn elementwise_operators_keep_symbolic_shapes_and_read_every_operand() {
        let mut count = 0;
        for (op, sample) in elementwise() {
            let schema = op.schema();
            let mut g = Graph::new("t");
            let n = Dim::symbol(g.symbols.named("N"));
            let shape = Shape(alloc::vec![n, Dim::Const(3)]);
            let inputs: Vec<_> =
                schema.inputs.iter().map(|i| g.input(i.name, shape.clone(), DType::F32)).collect();
            let y = g.call(op, &sample.options, &inputs, None).unwrap_or_else(|e| panic!("{e}"))[0];
            assert_eq!((g.shape(y), g.value(y).dtype), (shape, DType::F32), "{}", schema.name);
            let node = g.producer(y).expect("just made");
            let expr = op.expr(Options { schema, attrs: &node.attrs }).expect("chosen so");
            assert_eq!(expr.compact().1, (0..inputs.len()).collect::<Vec<_>>(), "{}", schema.name);
            count += 1;
        }
        assert!(count >= 33, "{count} elementwise operators");
    }

    #[test]
    fn element_types_are_checked() {
        let integers = [
            "add",
            "sub",
            "mul",
            "div",
            "pow",
            "neg",
            "maximum",
            "minimum",
            "abs",
            "sign",
            "square",
            "clip",
            "greater",
            "greater_equal",
            "less",
            "less_equal",
            "equal",
            "select",
            "relu",
        ];
        for (op, sample) in elementwise() {
            let name = op.schema().name;
            let try_with = |dtype: DType| {
                let mut g = Graph::new("t");
                let inputs: Vec<_> =
                    op.schema().inputs.iter().map(|i| g.input(i.name, Shape::of(&[4]), dtype)).collect();
                g.call(op, &sample.options, &inputs, None).map(|y| g.value(y[0]).dtype)
            };
            let i32s = try_with(DType::I32);
            assert_eq!(i32s.is_ok(), integers.contains(&name), "{name} of i32: {i32s:?}");
            let e = try_with(DType::Bool).expect_err("one cannot calculate with truth values");
            assert!(e.help.expect("says what to do").contains("`cast`"), "{name}");
        }
        let mut g = Graph::new("t");
        let a = g.input("a", Shape::of(&[4]), DType::F32);
        let b = g.input("b", Shape::of(&[4]), DType::I64);
        let e = g.call(&crate::ops::add::Add, &[], &[a, b], None).expect_err("two element types");
        assert_eq!(e.message, "cannot mix f32 and i64");
    }

    #[test]
    fn a_number_in_arithmetic_broadcasts_and_gets_no_gradient() {
        let mut g = Graph::new("t");
        let n = Dim::symbol(g.symbols.named("N"));
        let x = g.input("x", Shape(alloc::vec![n, Dim::Const(3)]), DType::F32);
        let w = g.param("w", Shape::of(&[3]), DType::F32);
        let scale = crate::ops::Fill::attrs(2.0, &Shape::default(), DType::F32);
        let two = g.apply(&crate::ops::Fill, scale, &[], None).expect("a number")[0];
        let a = g.call(&crate::ops::mul::Mul, &[], &[w, two], None).expect("broadcasts")[0];
        let b = g.call(&crate::ops::sub::Sub, &[], &[two, x], None).expect("broadcasts")[0];
        let y = g.call(&crate::ops::div::Div, &[], &[b, a], None).expect("broadcasts")[0];
        let loss = g.call(&crate::ops::reduce::SUM, &[], &[y], None).expect("sums")[0];
        assert_eq!(g.shape(y), g.shape(x));
        g.outputs.push(loss);
        crate::grad::backward(&mut g, &[w]).expect("differentiable");
        assert_eq!(g.grads.len(), 1);
        let dw = g.grads[0].1;
        assert_eq!(g.shape(dw), g.shape(w));
        // dy/dw takes: the gradient of the quotient by a, its sum over N, times two; nothing for x and for the number.
        let backward: Vec<_> = g.nodes.iter().filter(|n| n.backward).map(|n| n.op.schema().name).collect();
        assert_eq!(backward, ["fill", "expand", "map", "sum", "map"], "{g}");
    }
}
