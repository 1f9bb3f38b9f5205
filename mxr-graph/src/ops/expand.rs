//! `expand`: repeat along axes; the gradient of sums and means.

use super::reduce::{SUM, axes_of};
use super::{Lower, Lowered, Operator, Sample};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::expr::Expr;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::Instr;
use crate::schema::{Arg, Attr, Default, Operand, OperandKind, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::vec::Vec;

/// See the schema.
pub struct Expand;

static SCHEMA: Schema = Schema {
    name: "expand",
    auto_name: "expand",
    doc: "Repeat `x` along `axes` of `shape`: the axes are absent from `x` or have extent 1 there. With `mean` the result \
          is divided by the number of repetitions.",
    inputs: &[Operand {
        name: "x",
        kind: OperandKind::Data,
        doc: "the shape without `axes`, or with extent 1 there",
    }],
    outputs: &["output"],
    visible: 1,
    options: &[
        OptionDef {
            name: "shape",
            kind: OptionKind::Shape,
            default: Default::Required,
            positional: false,
            doc: "the extents of the result",
        },
        OptionDef {
            name: "axes",
            kind: OptionKind::Ints,
            default: Default::Required,
            positional: false,
            doc: "the axes that repeat",
        },
        OptionDef {
            name: "mean",
            kind: OptionKind::Bool,
            default: Default::Bool(false),
            positional: false,
            doc: "divide by the number of repetitions",
        },
    ],
    internal: true,
};

impl Operator for Expand {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let Attr::Dims(dims) = cx.attr("shape").clone() else { unreachable!("a required shape") };
        let shape = Shape(dims.into_iter().flatten().collect());
        let Attr::Ints(list) = cx.attr("axes").clone() else { unreachable!("required axes") };
        let axes = axes_of(Some(&list), shape.rank()).map_err(|a| {
            cx.err(Code::AxisOutOfRange, At::Option("axes"), format!("axis {a} is not an axis of the result"))
        })?;
        let x = cx.shape(0);
        let keep = x.rank() == shape.rank();
        let want: Vec<Dim> = shape
            .iter()
            .enumerate()
            .filter(|(a, _)| keep || !axes.has(*a))
            .map(|(a, d)| if axes.has(a) { Dim::ONE } else { d.clone() })
            .collect();
        if want.len() != x.rank() || !want.iter().zip(x.iter()).all(|(w, d)| cx.unify(w, d)) {
            let (x, shape) = (cx.show(&x), cx.show(&shape));
            return Err(cx.err(Code::Broadcast, At::Input(0), format!("{x} does not repeat to {shape}")));
        }
        let dtype = cx.dtype(0);
        cx.output(shape, dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dy) = cx.dy(0) else { return Ok(()) };
        let (x, shape) = (cx.x(0), cx.options().get("shape").clone());
        let Attr::Ints(list) = cx.options().get("axes").clone() else { unreachable!("required axes") };
        let Attr::Dims(dims) = shape else { unreachable!("a required shape") };
        let kept = cx.graph().shape(x).rank() == dims.len();
        let axes = Arg::List(list.into_iter().map(Arg::Int).collect());
        let options = [("axes", axes), ("keepdims", Arg::Bool(kept))];
        let op = if cx.options().bool("mean") { &super::reduce::MEAN } else { &SUM };
        let dx = cx.call(op, &options, &[dy])[0];
        cx.add(0, dx);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let axes =
            axes_of(cx.options().ints("axes"), cx.output(0).rank()).expect("checked by the shape rule");
        let mean = cx.options().bool("mean");
        if !mean && cx.shape(0).rank() == cx.output(0).rank() {
            return Lowered::Map(Expr::build(|e| e.input(0)));
        }
        Lowered::Instr(Instr::Expand { axes, mean })
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[3]]).with_list("shape", &[2, 3]).with_list("axes", &[0]),
            Sample::new(&[&[2, 1, 3]])
                .with_list("shape", &[2, 4, 3])
                .with_list("axes", &[1])
                .with("mean", true),
        ]
    }
}
