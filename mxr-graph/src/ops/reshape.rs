//! `reshape`: the same elements under another shape.

use super::{Lower, Lowered, Operator, Sample};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::graph::ValueId;
use crate::infer::Infer;
use crate::instr::Instr;
use crate::schema::{Arg, Attr, Default, Operand, OperandKind, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// See the schema.
pub struct Reshape;

static SCHEMA: Schema = Schema {
    name: "reshape",
    auto_name: "reshape",
    doc: "The same elements, in row-major order, under another shape. One extent may be `_` (or -1): it is computed. No \
          element is moved.",
    inputs: &[Operand { name: "x", kind: OperandKind::Data, doc: "any shape" }],
    outputs: &["output"],
    visible: 1,
    options: &[OptionDef {
        name: "shape",
        kind: OptionKind::Shape,
        default: Default::Required,
        positional: true,
        doc: "the new extents, such as `[N * T, 650]`; one may be `_`",
    }],
    internal: false,
};

impl Operator for Reshape {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let Attr::Dims(dims) = cx.attr("shape").clone() else { unreachable!("a required shape") };
        let x = cx.shape(0);
        if dims.iter().filter(|d| d.is_none()).count() > 1 {
            return Err(cx.err(
                Code::ReshapeTwoUnknowns,
                At::Option("shape"),
                "only one extent can be computed".into(),
            ));
        }
        let total = x.elements();
        let known = dims.iter().flatten().fold(Dim::ONE, |p, d| p.mul(d));
        let mut out = Vec::with_capacity(dims.len());
        for d in &dims {
            out.push(match d {
                Some(d) => d.clone(),
                None => match total.div_exact(&known) {
                    Some(d) => d,
                    None => return Err(does_not_divide(cx, &x, &total, &dims, &known)),
                },
            });
        }
        let out = Shape(out);
        if !cx.unify(&out.elements(), &total) {
            return Err(other_number(cx, &x, &total, &out));
        }
        let dtype = cx.dtype(0);
        cx.output(out, dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        grad(cx)
    }

    fn lower(&self, _: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::View)
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[2, 3, 4]]).with_list("shape", &[6, 4]),
            Sample::new(&[&[2, 3, 4]]).with_list("shape", &[2, -1]),
            Sample::new(&[&[1]]).with_list("shape", &[]),
        ]
    }
}

/// The gradient of an operator that gives its operand another shape.
pub(super) fn grad(cx: &mut Grad<'_>) -> Result<(), NoGradient> {
    let Some(dy) = cx.dy(0) else { return Ok(()) };
    let dx = reshape_like(cx, dy, cx.x(0));
    cx.add(0, dx);
    Ok(())
}

/// "[N, T, 512] has 512*N*T elements, which 12*N*T does not divide": one of the extents stands in the way, and numbers near it do not.
fn does_not_divide(cx: &Infer<'_>, x: &Shape, total: &Dim, dims: &[Option<Dim>], known: &Dim) -> ShapeError {
    let (text, t, k) = (cx.show(x), cx.show_dim(total), cx.show_dim(known));
    let mut e = cx.err(
        Code::ReshapeDoesNotDivide,
        At::Option("shape"),
        format!("{text} has {t} elements, which {k} does not divide"),
    );
    let mut numbers = dims.iter().flatten().filter_map(|d| d.as_const().filter(|n| (2..1 << 16).contains(n)));
    e.help = numbers.find_map(|n| {
        let others = known.div_exact(&Dim::Const(n))?;
        let whole = total.div_exact(&others)?.as_const()?;
        let below = (1..n).rev().find(|d| whole % d == 0);
        let above = (n + 1..=whole.min(4 * n)).find(|d| whole % d == 0);
        let near: Vec<String> = below.into_iter().chain(above).map(|d| d.to_string()).collect();
        Some(format!("{n} does not divide {whole}: {} would", near.join(" or ")))
    });
    e
}

/// "[N, 720] has 720*N elements, [N, 500] has 500*N", and which single extent would make them equal.
fn other_number(cx: &Infer<'_>, x: &Shape, total: &Dim, out: &Shape) -> ShapeError {
    let (a, b, m) = (cx.show(x), cx.show(out), out.elements());
    let mut e = cx.err(
        Code::ReshapeElements,
        At::Option("shape"),
        format!("{a} has {} elements, {b} has {}", cx.show_dim(total), cx.show_dim(&m)),
    );
    let replaced = |at: usize| {
        let others = out.iter().enumerate().filter(|(i, _)| *i != at).fold(Dim::ONE, |p, (_, d)| p.mul(d));
        let mut fits = out.clone();
        fits.0[at] = total.div_exact(&others)?;
        Some(fits)
    };
    e.help = match (total.div_exact(&m), (0..out.rank()).rev().find_map(replaced)) {
        (Some(q), Some(fits)) => {
            Some(format!("{} would fit, or a further axis of {}", cx.show(&fits), cx.show_dim(&q)))
        }
        (None, Some(fits)) => Some(format!("{} would fit", cx.show(&fits))),
        (Some(q), None) => Some(format!("a further axis of {} would make them equal", cx.show_dim(&q))),
        (None, None) => None,
    };
    e
}

/// `value` under the shape of `like`, for gradients.
pub(super) fn reshape_like(cx: &mut Grad<'_>, value: ValueId, like: ValueId) -> ValueId {
    let dims = cx.graph().shape(like).iter().map(|d| Arg::Dim(d.clone())).collect();
    cx.call(&Reshape, &[("shape", Arg::List(dims))], &[value])[0]
}

#[cfg(test)]
mod tests {
    use crate::ops::testing::{refused, table};

    #[test]
    fn shapes() {
        table(
            "reshape",
            &[
                ("N T 650", "shape=-1,650", "[N*T, 650]"),
                ("4 6", "shape=2,_,3", "[2, 4, 3]"),
                ("N 4 4", "shape=N,16", "[N, 16]"),
            ],
        );
        refused(
            "reshape",
            &[
                (
                    "4 6",
                    "shape=5,-1",
                    "[4, 6] has 24 elements, which 5 does not divide",
                    "5 does not divide 24: 4 or 6 would",
                ),
                (
                    "N 6",
                    "shape=N,3",
                    "[N, 6] has 6*N elements, [N, 3] has 3*N",
                    "[N, 6] would fit, or a further axis of 2",
                ),
                (
                    "N 720",
                    "shape=N,500",
                    "[N, 720] has 720*N elements, [N, 500] has 500*N",
                    "[N, 720] would fit",
                ),
                (
                    "N T 512",
                    "shape=N,T,12,_",
                    "[N, T, 512] has 512*N*T elements, which 12*N*T does not divide",
                    "12 does not divide 512: 8 or 16 would",
                ),
                ("4 6", "shape=-1,-1", "only one extent can be computed", ""),
            ],
        );
    }
}
