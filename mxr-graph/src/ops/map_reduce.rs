//! `map_reduce`: an elementwise expression combined over axes, whose own value is never there. Fusion makes it.

use super::reduce::axes_of;
use super::{Lower, Lowered, Operator, Sample, map};
use crate::error::ShapeError;
use crate::expr::Expr;
use crate::infer::Infer;
use crate::instr::{Axes, ReduceKind};
use crate::schema::{Attr, Attrs, Default, Operand, OperandKind, OptionDef, OptionKind, Options, Schema};
use crate::shape::Shape;
use alloc::vec::Vec;

/// See the schema.
pub struct MapReduce;

static SCHEMA: Schema = Schema {
    name: "map_reduce",
    auto_name: "map_reduce",
    doc: "A scalar expression of the inputs, elementwise, broadcasting to the common shape, combined over axes of that shape.",
    inputs: &[Operand { name: "x", kind: OperandKind::Variadic, doc: "any shapes that broadcast" }],
    outputs: &["output"],
    visible: 1,
    options: &[
        OptionDef {
            name: "expr",
            kind: OptionKind::Expr,
            default: Default::Absent,
            positional: false,
            doc: "the expression",
        },
        OptionDef {
            name: "kind",
            kind: OptionKind::Choice(&["sum", "mean", "max", "min"]),
            default: Default::Word("sum"),
            positional: false,
            doc: "how elements are combined",
        },
        OptionDef {
            name: "axes",
            kind: OptionKind::Ints,
            default: Default::Absent,
            positional: false,
            doc: "the axes that are combined",
        },
        OptionDef {
            name: "keepdims",
            kind: OptionKind::Bool,
            default: Default::Bool(false),
            positional: false,
            doc: "keep combined axes with extent 1",
        },
    ],
    internal: true,
};

impl MapReduce {
    /// Checked options: the expression, how it is combined, and the options of the reduction that it goes into.
    pub(crate) fn attrs(expr: Expr, kind: ReduceKind, axes: Attr, keepdims: Attr) -> Attrs {
        let word = match kind {
            ReduceKind::Sum => "sum",
            ReduceKind::Mean => "mean",
            ReduceKind::Max => "max",
            ReduceKind::Min => "min",
        };
        alloc::vec![Attr::Expr(expr), Attr::Word(word), axes, keepdims]
    }
}

impl Operator for MapReduce {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.same_dtype()?;
        let mut wide = cx.shape(0);
        for i in 1..cx.inputs() {
            let next = cx.shape(i);
            wide = map::broadcast(cx, &wide, &next, i)?;
        }
        let Attr::Ints(axes) = cx.attr("axes") else { panic!("a fused reduction names its axes") };
        let axes: Vec<usize> = axes.iter().map(|a| *a as usize).collect();
        let keep = matches!(cx.attr("keepdims"), Attr::Bool(true));
        let kept = |a: usize| {
            if !axes.contains(&a) { Some(wide[a].clone()) } else { keep.then_some(crate::dim::Dim::ONE) }
        };
        cx.output(Shape((0..wide.rank()).filter_map(kept).collect()), dtype)
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let options: Options<'_> = cx.options();
        let Attr::Expr(expr) = options.get("expr") else { panic!("a fused reduction has an expression") };
        let kind = match options.get("kind") {
            Attr::Word("mean") => ReduceKind::Mean,
            Attr::Word("max") => ReduceKind::Max,
            Attr::Word("min") => ReduceKind::Min,
            _ => ReduceKind::Sum,
        };
        let axes = axes_of(options.ints("axes"), crate::instr::MAX_RANK).unwrap_or(Axes(0));
        Lowered::MapReduce(expr.clone(), kind, axes)
    }

    fn samples(&self) -> Vec<Sample> {
        // Users write the two operators.
        Vec::new()
    }
}
