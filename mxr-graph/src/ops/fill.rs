//! `fill`: a constant array. Scalars in arithmetic and head gradients are made of it.

use super::{Lower, Lowered, Operator, Sample};
use crate::dtype::DType;
use crate::error::ShapeError;
use crate::grad::{Grad, NoGradient};
use crate::infer::Infer;
use crate::instr::Instr;
use crate::schema::{Attr, Default, OptionDef, OptionKind, Schema};
use crate::shape::Shape;
use alloc::vec::Vec;

/// See the schema.
pub struct Fill;

static SCHEMA: Schema = Schema {
    name: "fill",
    auto_name: "fill",
    doc: "A constant: `y = value` everywhere.",
    inputs: &[],
    outputs: &["output"],
    visible: 1,
    options: &[
        OptionDef {
            name: "value",
            kind: OptionKind::Float(f64::MIN, f64::MAX),
            default: Default::Required,
            positional: true,
            doc: "the number",
        },
        OptionDef {
            name: "shape",
            kind: OptionKind::Shape,
            default: Default::Absent,
            positional: false,
            doc: "the extents, a scalar by default",
        },
        OptionDef {
            name: "dtype",
            kind: OptionKind::Choice(&["f32", "f64", "f16", "bf16", "i8", "u8", "i32", "i64", "bool"]),
            default: Default::Word("f32"),
            positional: false,
            doc: "the element type, f32 by default",
        },
    ],
    internal: true,
};

impl Fill {
    /// Checked options for a constant of this shape.
    pub fn attrs(value: f64, shape: &Shape, dtype: DType) -> Vec<Attr> {
        let dims = shape.iter().map(|d| Some(d.clone())).collect();
        alloc::vec![Attr::Float(value), Attr::Dims(dims), Attr::Word(dtype.name())]
    }
}

impl Operator for Fill {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let shape = match cx.attr("shape") {
            Attr::Dims(d) => Shape(d.iter().flatten().cloned().collect()),
            _ => Shape::default(),
        };
        let dtype = match cx.attr("dtype") {
            Attr::Word(w) => DType::from_name(w).expect("a word of the choice"),
            _ => DType::F32,
        };
        cx.output(shape, dtype)
    }

    fn grad(&self, _: &mut Grad<'_>) -> Result<(), NoGradient> {
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Fill(cx.options().float("value")))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[]).with("value", 2.5).with_list("shape", &[2, 3])]
    }
}
