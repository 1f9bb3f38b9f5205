//! `sum`, `mean`, `max`, `min` over axes.

use super::{Expand, Lower, Lowered, Operator, Sample, SampleValues};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::{Axes, BinOp, Instr, ReduceKind};
use crate::schema::{Arg, Attr, Default, Operand, OperandKind, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::vec::Vec;

/// See the schemas.
pub struct Reduce {
    kind: ReduceKind,
    schema: &'static Schema,
}

macro_rules! schema {
    ($name:literal, $doc:literal) => {
        &Schema {
            name: $name,
            auto_name: $name,
            doc: $doc,
            inputs: &[Operand { name: "x", kind: OperandKind::Data, doc: "any shape" }],
            outputs: &["output"],
            visible: 1,
            options: &[
                OptionDef {
                    name: "axes",
                    kind: OptionKind::Ints,
                    default: Default::Absent,
                    positional: false,
                    doc: "the axis or axes to combine, negative ones count from the end; all by default",
                },
                OptionDef {
                    name: "keepdims",
                    kind: OptionKind::Bool,
                    default: Default::Bool(false),
                    positional: false,
                    doc: "keep combined axes with extent 1; false by default",
                },
            ],
            internal: false,
        }
    };
}

/// `sum`.
pub static SUM: Reduce = Reduce {
    kind: ReduceKind::Sum,
    schema: schema!(
        "sum",
        "Sum over axes: `y = Σ x`. Of all axes the result is a scalar `[]`; over no element it is 0."
    ),
};
/// `mean`.
pub static MEAN: Reduce = Reduce {
    kind: ReduceKind::Mean,
    schema: schema!("mean", "Mean over axes: `y = Σ x / count`. Of all axes the result is a scalar `[]`."),
};
/// `max`.
pub static MAX: Reduce = Reduce {
    kind: ReduceKind::Max,
    schema: schema!(
        "max",
        "The largest element over axes; NaN wins. The gradient is shared evenly between equal largest elements."
    ),
};
/// `min`.
pub static MIN: Reduce = Reduce {
    kind: ReduceKind::Min,
    schema: schema!(
        "min",
        "The smallest element over axes; NaN wins. The gradient is shared evenly between equal smallest elements."
    ),
};

impl Reduce {
    /// The operator `sum`.
    pub fn sum() -> &'static Reduce {
        &SUM
    }
}

/// The axes an option names, as a set: negative ones count from the end, `None` means all.
pub fn axes_of(list: Option<&[i64]>, rank: usize) -> Result<Axes, i64> {
    let Some(list) = list else { return Ok(Axes(((1u16 << rank) - 1) as u8)) };
    let mut set = 0u8;
    for a in list {
        let at = if *a < 0 { a + rank as i64 } else { *a };
        if at < 0 || at >= rank as i64 || set >> at & 1 == 1 {
            return Err(*a);
        }
        set |= 1 << at;
    }
    Ok(Axes(set))
}

impl Operator for Reduce {
    fn schema(&self) -> &'static Schema {
        self.schema
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let shape = cx.shape(0);
        let list = match cx.attr("axes") {
            Attr::Ints(v) => Some(v.clone()),
            _ => None,
        };
        let axes = axes_of(list.as_deref(), shape.rank()).map_err(|bad| {
            let text = cx.show(&shape);
            let mut e = cx.err(
                Code::AxisOutOfRange,
                At::Option("axes"),
                format!("axis {bad} is not one of the axes of {text}, or is given twice"),
            );
            e.help = Some(format!("axes go from {} to {}", -(shape.rank() as i64), shape.rank() as i64 - 1));
            e
        })?;
        let keep = matches!(cx.attr("keepdims"), Attr::Bool(true));
        if matches!(self.kind, ReduceKind::Max | ReduceKind::Min | ReduceKind::Mean)
            && (0..shape.rank()).any(|a| axes.has(a) && shape[a] == Dim::ZERO)
        {
            return Err(cx.err(
                Code::NoElements,
                At::Input(0),
                format!("there is no {} of no elements", self.schema.name),
            ));
        }
        if self.kind == ReduceKind::Mean {
            cx.float(0)?;
        }
        let mut out = Vec::new();
        for (i, d) in shape.iter().enumerate() {
            match (axes.has(i), keep) {
                (false, _) => out.push(d.clone()),
                (true, true) => out.push(Dim::ONE),
                (true, false) => {}
            }
        }
        cx.set_attr(
            "axes",
            Attr::Ints((0..shape.rank()).filter(|a| axes.has(*a)).map(|a| a as i64).collect()),
        );
        let dtype = cx.dtype(0);
        cx.output(Shape(out), dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let (x, y) = (cx.x(0), cx.y(0));
        let shape = cx.graph().shape(x);
        let axes = cx.options().get("axes").clone();
        let expand = |cx: &mut Grad<'_>, v, mean| {
            let dims = Attr::Dims(shape.iter().map(|d| Some(d.clone())).collect());
            cx.apply(&Expand, alloc::vec![dims, axes.clone(), Attr::Bool(mean)], &[v])[0]
        };
        let dx = match self.kind {
            ReduceKind::Sum => expand(cx, dy, false),
            ReduceKind::Mean => expand(cx, dy, true),
            ReduceKind::Max | ReduceKind::Min => {
                let wide = expand(cx, y, false);
                let mask = cx.map(Expr::binary(BinOp::Eq), &[x, wide]);
                let Attr::Ints(list) = &axes else { unreachable!("set by the shape rule") };
                let list = Arg::List(list.iter().map(|a| Arg::Int(*a)).collect());
                let keep = cx.options().get("keepdims").clone() == Attr::Bool(true);
                let count = cx.call(&SUM, &[("axes", list), ("keepdims", Arg::Bool(keep))], &[mask])[0];
                let share = cx.map(Expr::binary(BinOp::Div), &[dy, count]);
                let wide = expand(cx, share, false);
                let chosen = Expr::build(|e| {
                    let (mask, d, zero) = (e.input(0), e.input(1), e.constant(0.0));
                    e.select(mask, d, zero)
                });
                cx.map(chosen, &[mask, wide])
            }
        };
        cx.add(0, dx);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let axes = axes_of(cx.options().ints("axes"), cx.shape(0).rank()).expect("checked by the shape rule");
        Lowered::Instr(Instr::Reduce(self.kind, axes))
    }

    fn samples(&self) -> Vec<Sample> {
        let distinct = |s: Sample| s.fill(0, SampleValues::Distinct);
        alloc::vec![
            distinct(Sample::new(&[&[3, 4, 5]])),
            distinct(Sample::new(&[&[3, 4, 5]])).with_list("axes", &[1]),
            distinct(Sample::new(&[&[3, 4, 5]])).with_list("axes", &[0, -1]).with("keepdims", true),
            distinct(Sample::new(&[&[1, 7]])).with_list("axes", &[0]),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_are_checked() {
        assert_eq!(axes_of(None, 3), Ok(Axes(0b111)));
        assert_eq!(axes_of(None, 8), Ok(Axes(0xff)));
        assert_eq!(axes_of(None, 0), Ok(Axes(0)));
        assert_eq!(axes_of(Some(&[-1, 0]), 3), Ok(Axes(0b101)));
        assert_eq!(axes_of(Some(&[3]), 3), Err(3));
        assert_eq!(axes_of(Some(&[1, -2]), 3), Err(-2));
    }
}
