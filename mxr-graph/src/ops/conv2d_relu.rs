//! Convolutions and fully connected layers with what follows them, `max(y + residual, 0)` or a part of it: what [`fuse_conv`]
//! makes.
//!
//! [`fuse_conv`]: crate::passes::fuse_conv

use super::conv2d::{self, Conv2d};
use super::dense::{self, Dense};
use super::window::conv_attrs;
use super::{Lower, Lowered, Operator, Sample};
use crate::dim::Dim;
use crate::error::ShapeError;
use crate::infer::Infer;
use crate::instr::{Epilogue, Instr};
use crate::schema::{Operand, OptionDef, Schema};
use alloc::vec::Vec;

/// One of them.
pub struct FusedConv {
    schema: Schema,
    dense: bool,
    epilogue: Epilogue,
}

const CONV_OPERANDS: &[Operand] = &[
    Operand::data("x", "`[n, c, h, w]`"),
    Operand::param("weight", "`[filters, c / groups, kh, kw]`"),
    Operand::param("bias", "`[filters]`, unless `bias = false`"),
];
const CONV_OPERANDS_ADD: &[Operand] = &[
    Operand::data("x", "`[n, c, h, w]`"),
    Operand::param("weight", "`[filters, c / groups, kh, kw]`"),
    Operand::data("residual", "`[n, filters, oh, ow]`"),
    Operand::param("bias", "`[filters]`, unless `bias = false`"),
];
const DENSE_OPERANDS: &[Operand] = &[
    Operand::data("x", "`[.., f]`"),
    Operand::param("weight", "`[units, f]`"),
    Operand::param("bias", "`[units]`, unless `bias = false`"),
];
const DENSE_OPERANDS_ADD: &[Operand] = &[
    Operand::data("x", "`[.., f]`"),
    Operand::param("weight", "`[units, f]`"),
    Operand::data("residual", "`[.., units]`"),
    Operand::param("bias", "`[units]`, unless `bias = false`"),
];

const fn fused(
    dense: bool,
    epilogue: Epilogue,
    name: &'static str,
    doc: &'static str,
    inputs: &'static [Operand],
) -> FusedConv {
    let options: &[OptionDef] = if dense { dense::OPTIONS } else { conv2d::OPTIONS };
    let outputs = &["output"];
    let schema = Schema { name, auto_name: name, doc, inputs, outputs, visible: 1, options, internal: true };
    FusedConv { schema, dense, epilogue }
}

const RELU: Epilogue = Epilogue { relu: true, ..Epilogue::NONE };
const ADD: Epilogue = Epilogue { residual: true, ..Epilogue::NONE };
const ADD_RELU: Epilogue = Epilogue { residual: true, relu: true, mask: false };

static CONV2D_RELU: FusedConv =
    fused(false, RELU, "conv2d_relu", "`max(y, 0)` of the `y` of `conv2d`.", CONV_OPERANDS);
static CONV2D_ADD: FusedConv =
    fused(false, ADD, "conv2d_add", "`y + residual` of the `y` of `conv2d`.", CONV_OPERANDS_ADD);
static CONV2D_ADD_RELU: FusedConv = fused(
    false,
    ADD_RELU,
    "conv2d_add_relu",
    "`max(y + residual, 0)` of the `y` of `conv2d`.",
    CONV_OPERANDS_ADD,
);
static DENSE_RELU: FusedConv =
    fused(true, RELU, "dense_relu", "`max(y, 0)` of the `y` of `dense`.", DENSE_OPERANDS);
static DENSE_ADD: FusedConv =
    fused(true, ADD, "dense_add", "`y + residual` of the `y` of `dense`.", DENSE_OPERANDS_ADD);
static DENSE_ADD_RELU: FusedConv = fused(
    true,
    ADD_RELU,
    "dense_add_relu",
    "`max(y + residual, 0)` of the `y` of `dense`.",
    DENSE_OPERANDS_ADD,
);

/// The operator of a convolution or a fully connected layer with this behind it.
///
/// # Panics
///
/// If nothing is behind it.
pub(crate) fn with(dense: bool, epilogue: Epilogue) -> &'static FusedConv {
    match (dense, epilogue.residual, epilogue.relu) {
        (false, false, true) => &CONV2D_RELU,
        (false, true, false) => &CONV2D_ADD,
        (false, true, true) => &CONV2D_ADD_RELU,
        (true, false, true) => &DENSE_RELU,
        (true, true, false) => &DENSE_ADD,
        (true, true, true) => &DENSE_ADD_RELU,
        (_, false, false) => panic!("an epilogue does something"),
    }
}

impl Operator for FusedConv {
    fn schema(&self) -> &'static Schema {
        // Every one of them is a static.
        &with(self.dense, self.epilogue).schema
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (y, dtype) = if self.dense { dense::connected(cx)? } else { conv2d::convolved(cx)? };
        if self.epilogue.residual {
            cx.expect("residual", y.clone(), dtype)?;
        }
        cx.output(y, dtype)
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let epilogue = self.epilogue;
        Lowered::Instr(if self.dense {
            Instr::MatMul { trans_a: false, trans_b: true, epilogue }
        } else {
            Instr::Conv2d(conv_attrs(cx.options()), epilogue)
        })
    }

    fn flops(&self, cx: Lower<'_>) -> Dim {
        if self.dense { Dense.flops(cx) } else { Conv2d.flops(cx) }
    }

    fn samples(&self) -> Vec<Sample> {
        // Nobody calls them: the pass is held against the program without it.
        Vec::new()
    }
}
