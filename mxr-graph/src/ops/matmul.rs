//! `matmul`: products of matrices, and of stacks of them.

use super::{Lower, Lowered, Operator, Reshape, Sample};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::graph::ValueId;
use crate::infer::Infer;
use crate::instr::{Epilogue, Instr};
use crate::schema::{Arg, Attr, Default, Operand, OperandKind, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::vec::Vec;

/// See the schema.
pub struct MatMul;

/// Of the product, whatever follows it.
pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef {
        name: "transpose_a",
        kind: OptionKind::Bool,
        default: Default::Bool(false),
        positional: false,
        doc: "`a` is stored `[.., k, m]`; false by default",
    },
    OptionDef {
        name: "transpose_b",
        kind: OptionKind::Bool,
        default: Default::Bool(false),
        positional: false,
        doc: "`b` is stored `[.., n, k]`; false by default",
    },
];

static SCHEMA: Schema = Schema {
    name: "matmul",
    auto_name: "matmul",
    doc: "Matrix product: `y[.., i, j] = Σₗ a[.., i, l] · b[.., l, j]`, of shapes `[.., m, k]` and `[.., k, n]` to \
          `[.., m, n]`. Leading axes broadcast: `[n, h, m, k]` times `[k, j]` gives `[n, h, m, j]`. \
          `transpose_a` reads `a` as stored `[.., k, m]`, `transpose_b` reads `b` as stored `[.., n, k]`. \
          2·m·k·n floating-point operations per product. `bf16` and `f16` are multiplied and added up in `f32` and rounded once.",
    inputs: &[
        Operand { name: "a", kind: OperandKind::Data, doc: "`[.., m, k]`" },
        Operand { name: "b", kind: OperandKind::Data, doc: "`[.., k, n]`" },
    ],
    outputs: &["output"],
    visible: 1,
    options: OPTIONS,
    internal: false,
};

impl Operator for MatMul {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (y, dtype) = multiplied(cx)?;
        cx.output(y, dtype)
    }

    /// `da = dy · bᵀ` and `db = aᵀ · dy`, each written so that it comes out the way its operand is stored.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let (a, b) = (cx.x(0), cx.x(1));
        let (ta, tb) = (cx.options().bool("transpose_a"), cx.options().bool("transpose_b"));
        let (sa, sb) = (cx.graph().shape(a), cx.graph().shape(b));
        if sa[sa.rank() - 1 - usize::from(ta)] != sb[sb.rank() - 2 + usize::from(tb)] {
            return Err(cx.undecided(0, 1));
        }
        if cx.wants(0) {
            let da = if ta { product(cx, (b, tb), (dy, true)) } else { product(cx, (dy, false), (b, !tb)) };
            let da = cx.sum_to(da, a);
            cx.add(0, da);
        }
        if cx.wants(1) {
            // One matrix against a stack: the sum over the stack is itself a product, of the stack laid end to end.
            let stacked = !ta && cx.graph().shape(b).rank() == 2;
            let (a, dy) = if stacked { (rows(cx, a), rows(cx, dy)) } else { (a, dy) };
            let db = if tb { product(cx, (dy, true), (a, ta)) } else { product(cx, (a, !ta), (dy, false)) };
            let db = cx.sum_to(db, b);
            cx.add(1, db);
        }
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let o = cx.options();
        let (trans_a, trans_b) = (o.bool("transpose_a"), o.bool("transpose_b"));
        Lowered::Instr(Instr::MatMul { trans_a, trans_b, epilogue: Epilogue::NONE })
    }

    fn flops(&self, cx: Lower<'_>) -> Dim {
        let a = cx.shape(0);
        let k = &a[a.rank() - if cx.options().bool("transpose_a") { 2 } else { 1 }];
        cx.output(0).elements().mul(k).scale(2)
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[3, 4], &[4, 5]]),
            Sample::new(&[&[4, 3], &[4, 5]]).with("transpose_a", true),
            Sample::new(&[&[3, 4], &[5, 4]]).with("transpose_b", true),
            Sample::new(&[&[4, 3], &[5, 4]]).with("transpose_a", true).with("transpose_b", true),
            Sample::new(&[&[1, 7], &[7, 1]]),
            Sample::new(&[&[17, 1], &[1, 33]]),
            Sample::new(&[&[2, 3, 4], &[2, 4, 5]]),
            Sample::new(&[&[2, 3, 3, 4], &[4, 5]]),
            Sample::new(&[&[3, 4], &[2, 4, 5]]),
            Sample::new(&[&[2, 1, 3, 4], &[3, 5, 4]]).with("transpose_b", true),
            Sample::new(&[&[2, 4, 3], &[4, 5]]).with("transpose_a", true),
        ]
    }
}

/// The shape rule of a product.
pub(super) fn multiplied(cx: &mut Infer<'_>) -> Result<(Shape, DType), ShapeError> {
    let dtype = cx.same_dtype()?;
    cx.float(0)?;
    let (a, b) = (cx.shape(0), cx.shape(1));
    for (i, s) in [&a, &b].into_iter().enumerate() {
        if s.rank() < 2 {
            let text = cx.show(s);
            let mut e = cx.err(
                Code::OperandRank,
                At::Input(i),
                format!("`{}` must be a matrix or a stack of them, it is {text}", SCHEMA.inputs[i].name),
            );
            e.help =
                (s.rank() == 1).then(|| "`expand_dims` makes a row (axis = 0) or a column (axis = 1)".into());
            return Err(e);
        }
    }
    let (trans_a, trans_b) =
        (cx.attr("transpose_a") == &Attr::Bool(true), cx.attr("transpose_b") == &Attr::Bool(true));
    let (la, lb) = (a.rank() - 2, b.rank() - 2);
    let (m, ka) = if trans_a { (la + 1, la) } else { (la, la + 1) };
    let (kb, n) = if trans_b { (lb + 1, lb) } else { (lb, lb + 1) };

    let (ta, tb) = (cx.show(&a), cx.show(&b));
    let (x, y) = (cx.show_dim(&a[ka]), cx.show_dim(&b[kb]));
    let mut e = cx.err(
        Code::InnerExtents,
        At::Input(1),
        format!("the inner extents differ: axis {ka} of {ta} is {x}, axis {kb} of {tb} is {y}"),
    );
    let turn = |given| if given { "without `transpose_" } else { "with `transpose_" };
    e.help = if a[ka] == b[n] {
        Some(format!("{}b` they would be equal: axis {n} of {tb} is {x}", turn(trans_b)))
    } else if a[m] == b[kb] {
        Some(format!("{}a` they would be equal: axis {m} of {ta} is {y}", turn(trans_a)))
    } else {
        None
    };
    cx.require_equal(&a[ka], &b[kb], e)?;

    let rank = la.max(lb);
    let mut out = Vec::with_capacity(rank + 2);
    for axis in 0..rank {
        // Leading axes are aligned at their ends.
        let (i, j) = ((axis + la).checked_sub(rank), (axis + lb).checked_sub(rank));
        out.push(match (i, j) {
            (Some(i), Some(j)) if a[i] != Dim::ONE && b[j] != Dim::ONE => {
                if !cx.unify(&a[i], &b[j]) {
                    let (x, y) = (cx.show_dim(&a[i]), cx.show_dim(&b[j]));
                    let mut e = cx.err(
                        Code::StackedMatrices,
                        At::Input(1),
                        format!(
                            "the leading axes do not fit together: axis {i} of {ta} is {x}, axis {j} of {tb} is {y}"
                        ),
                    );
                    e.help = Some("leading extents must be equal, or 1".into());
                    return Err(e);
                }
                a[i].clone()
            }
            (Some(i), None) => a[i].clone(),
            (Some(i), Some(j)) if b[j] == Dim::ONE => a[i].clone(),
            (_, j) => b[j.expect("one of the two has the axis")].clone(),
        });
    }
    out.extend([a[m].clone(), b[n].clone()]);
    Ok((Shape(out), dtype))
}

/// A product in a gradient; a flag exchanges the last two axes of the factor.
fn product(cx: &mut Grad<'_>, a: (ValueId, bool), b: (ValueId, bool)) -> ValueId {
    let options = [("transpose_a", Arg::Bool(a.1)), ("transpose_b", Arg::Bool(b.1))];
    cx.call(&MatMul, &options, &[a.0, b.0])[0]
}

/// A stack of matrices as one with all their rows.
fn rows(cx: &mut Grad<'_>, x: ValueId) -> ValueId {
    let shape = cx.graph().shape(x);
    if shape.rank() == 2 {
        return x;
    }
    let (last, stack) = shape.split_last().expect("a stack of matrices");
    // Counted rather than computed from the elements: there may be none.
    let rows = Shape(stack.to_vec()).elements();
    let dims = alloc::vec![Arg::Dim(rows), Arg::Dim(last.clone())];
    cx.call(&Reshape, &[("shape", Arg::List(dims))], &[x])[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grad::backward;
    use crate::graph::Graph;
    use crate::ops::reduce::SUM;

    fn shape(a: &[usize], b: &[usize], ta: bool, tb: bool) -> Result<Shape, ShapeError> {
        let mut g = Graph::new("t");
        let a = g.input("a", Shape::of(a), DType::F32);
        let b = g.input("b", Shape::of(b), DType::F32);
        let options = [("transpose_a", Arg::Bool(ta)), ("transpose_b", Arg::Bool(tb))];
        g.call(&MatMul, &options, &[a, b], Some("y")).map(|y| g.shape(y[0]))
    }

    #[test]
    fn shapes() {
        assert_eq!(shape(&[3, 4], &[4, 5], false, false), Ok(Shape::of(&[3, 5])));
        assert_eq!(shape(&[4, 3], &[5, 4], true, true), Ok(Shape::of(&[3, 5])));
        assert_eq!(shape(&[2, 1, 3, 4], &[7, 4, 5], false, false), Ok(Shape::of(&[2, 7, 3, 5])));
        assert_eq!(shape(&[3, 4], &[7, 4, 5], false, false), Ok(Shape::of(&[7, 3, 5])));
        assert_eq!(shape(&[6, 3, 4], &[4, 5], false, false), Ok(Shape::of(&[6, 3, 5])));
    }

    #[test]
    fn an_unknown_inner_extent_is_solved_for() {
        let mut g = Graph::new("t");
        let n = Dim::symbol(g.symbols.named("N"));
        let hole = g.symbols.hole();
        let a = g.input("a", Shape(alloc::vec![n.clone(), Dim::Const(64)]), DType::F32);
        let b = g.param("b", Shape(alloc::vec![hole, Dim::Const(10)]), DType::F32);
        let y = g.call(&MatMul, &[], &[a, b], None).expect("64 rows will do")[0];
        assert_eq!(g.shape(y), Shape(alloc::vec![n.clone(), Dim::Const(10)]));
        assert_eq!(g.shape(b), Shape::of(&[64, 10]));
        let cx = Lower { graph: &g, node: &g.nodes[0] };
        assert_eq!(MatMul.flops(cx), n.scale(2 * 64 * 10));
    }

    #[test]
    fn errors_name_both_shapes_and_the_axes() {
        let e = shape(&[8, 64], &[65, 10], false, false).expect_err("64 against 65");
        assert_eq!(e.message, "the inner extents differ: axis 1 of [8, 64] is 64, axis 0 of [65, 10] is 65");
        assert_eq!((e.at, e.help), (At::Input(1), None));
        let e = shape(&[8, 64], &[10, 64], false, false).expect_err("b is stored the other way");
        assert_eq!(
            e.help.as_deref(),
            Some("with `transpose_b` they would be equal: axis 1 of [10, 64] is 64")
        );
        let e = shape(&[64, 8], &[64, 10], false, false).expect_err("a is stored the other way");
        assert_eq!(
            e.help.as_deref(),
            Some("with `transpose_a` they would be equal: axis 0 of [64, 8] is 64")
        );
        let e = shape(&[2, 3, 4], &[5, 4, 6], false, false).expect_err("2 against 5");
        assert!(e.message.ends_with("axis 0 of [2, 3, 4] is 2, axis 0 of [5, 4, 6] is 5"), "{e}");
        let e = shape(&[4], &[4, 6], false, false).expect_err("a vector");
        assert!(e.message.contains("`a` must be a matrix"), "{e}");
    }

    #[test]
    fn gradients_come_out_as_their_operands_are_stored() {
        for s in MatMul.samples() {
            let mut g = Graph::new("t");
            let a = g.param("a", Shape::of(&s.inputs[0].shape), DType::F64);
            let b = g.param("b", Shape::of(&s.inputs[1].shape), DType::F64);
            let y = g.call(&MatMul, &s.options, &[a, b], None).expect("a sample")[0];
            let loss = g.call(&SUM, &[], &[y], None).expect("sums fit")[0];
            g.outputs.push(loss);
            backward(&mut g, &[a, b]).expect("differentiable");
            for (v, d) in g.grads.clone() {
                assert_eq!(g.shape(v), g.shape(d), "{g}");
            }
            assert_eq!(g.grads.len(), 2);
        }
    }

    #[test]
    fn products_without_elements_have_gradients() {
        for (a, b) in [(&[2, 3, 4][..], &[4, 0][..]), (&[0, 3, 4], &[4, 5]), (&[2, 3, 0], &[0, 5])] {
            let mut g = Graph::new("t");
            let (a, b) = (g.param("a", Shape::of(a), DType::F64), g.param("b", Shape::of(b), DType::F64));
            let y = g.call(&MatMul, &[], &[a, b], None).expect("fits")[0];
            g.outputs.push(y);
            backward(&mut g, &[a, b]).expect("differentiable");
            assert_eq!(g.grads.len(), 2, "{g}");
        }
    }

    #[test]
    fn the_gradient_of_a_shared_matrix_is_one_product() {
        let mut g = Graph::new("t");
        let a = g.input("a", Shape::of(&[2, 3, 4]), DType::F32);
        let b = g.param("b", Shape::of(&[4, 5]), DType::F32);
        let y = g.call(&MatMul, &[], &[a, b], None).expect("fits")[0];
        let loss = g.call(&SUM, &[], &[y], None).expect("fits")[0];
        g.outputs.push(loss);
        backward(&mut g, &[b]).expect("differentiable");
        let (_, db) = g.grads[0];
        let node = g.producer(db).expect("computed");
        assert_eq!(node.op.schema().name, "matmul", "no reduction over a stack of products: {g}");
    }
}
