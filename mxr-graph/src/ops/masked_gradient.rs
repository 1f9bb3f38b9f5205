//! Gradients of products with what follows them, `y + residual` where a mask is positive or a part of it: what [`fuse_grad`] makes.
//!
//! [`fuse_grad`]: crate::passes::fuse_grad

use super::conv2d::{self, Conv2dBackwardData};
use super::matmul::{self, MatMul};
use super::window::conv_attrs;
use super::{Lower, Lowered, Operator, Sample};
use crate::dim::Dim;
use crate::error::ShapeError;
use crate::infer::Infer;
use crate::instr::{Epilogue, Instr};
use crate::schema::{Operand, OptionDef, Schema};
use alloc::vec::Vec;

/// One of them.
pub struct MaskedGradient {
    schema: Schema,
    of: Product,
    epilogue: Epilogue,
}

/// What the gradient is a product of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Product {
    /// Two matrices.
    MatMul,
    /// The gradient of a convolution and its weight.
    Conv2d,
}

const RESIDUAL: Operand = Operand::data("residual", "the shape of the result");
const MASK: Operand = Operand::data("mask", "the shape of the result");

const A: Operand = Operand::data("a", "`[.., m, k]`");
const B: Operand = Operand::data("b", "`[.., k, n]`");
const DY: Operand = Operand::data("dy", "`[n, filters, oh, ow]`");
const WEIGHT: Operand = Operand::data("weight", "`[filters, c / groups, kh, kw]`");

const ADD: Epilogue = Epilogue { residual: true, relu: false, mask: false };
const WHERE: Epilogue = Epilogue { residual: false, relu: false, mask: true };
const ADD_WHERE: Epilogue = Epilogue { residual: true, relu: false, mask: true };

const fn masked(
    of: Product,
    epilogue: Epilogue,
    name: &'static str,
    doc: &'static str,
    inputs: &'static [Operand],
) -> MaskedGradient {
    let options: &[OptionDef] = match of {
        Product::MatMul => matmul::OPTIONS,
        Product::Conv2d => &conv2d::BACKWARD_OPTIONS,
    };
    let outputs = &["output"];
    let schema = Schema { name, auto_name: name, doc, inputs, outputs, visible: 1, options, internal: true };
    MaskedGradient { schema, of, epilogue }
}

static MATMUL_ADD: MaskedGradient =
    masked(Product::MatMul, ADD, "matmul_add", "`y + residual` of the `y` of `matmul`.", &[A, B, RESIDUAL]);
static MATMUL_WHERE: MaskedGradient = masked(
    Product::MatMul,
    WHERE,
    "matmul_where",
    "The `y` of `matmul`, and 0 where `mask` is not above 0.",
    &[A, B, MASK],
);
static MATMUL_ADD_WHERE: MaskedGradient = masked(
    Product::MatMul,
    ADD_WHERE,
    "matmul_add_where",
    "`y + residual` of the `y` of `matmul`, and 0 where `mask` is not above 0.",
    &[A, B, RESIDUAL, MASK],
);
static CONV2D_ADD: MaskedGradient = masked(
    Product::Conv2d,
    ADD,
    "conv2d_backward_data_add",
    "`dx + residual` of the `dx` of `conv2d_backward_data`.",
    &[DY, WEIGHT, RESIDUAL],
);
static CONV2D_WHERE: MaskedGradient = masked(
    Product::Conv2d,
    WHERE,
    "conv2d_backward_data_where",
    "The `dx` of `conv2d_backward_data`, and 0 where `mask` is not above 0.",
    &[DY, WEIGHT, MASK],
);
static CONV2D_ADD_WHERE: MaskedGradient = masked(
    Product::Conv2d,
    ADD_WHERE,
    "conv2d_backward_data_add_where",
    "`dx + residual` of the `dx` of `conv2d_backward_data`, and 0 where `mask` is not above 0.",
    &[DY, WEIGHT, RESIDUAL, MASK],
);

/// The operator of such a product with a residual, a mask or both behind it.
///
/// # Panics
///
/// If nothing is behind it.
pub(crate) fn with(of: Product, residual: bool, mask: bool) -> &'static MaskedGradient {
    match (of, residual, mask) {
        (Product::MatMul, true, false) => &MATMUL_ADD,
        (Product::MatMul, false, true) => &MATMUL_WHERE,
        (Product::MatMul, true, true) => &MATMUL_ADD_WHERE,
        (Product::Conv2d, true, false) => &CONV2D_ADD,
        (Product::Conv2d, false, true) => &CONV2D_WHERE,
        (Product::Conv2d, true, true) => &CONV2D_ADD_WHERE,
        (_, false, false) => panic!("an epilogue does something"),
    }
}

impl Operator for MaskedGradient {
    fn schema(&self) -> &'static Schema {
        // Every one of them is a static.
        &with(self.of, self.epilogue.residual, self.epilogue.mask).schema
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (y, dtype) = match self.of {
            Product::MatMul => matmul::multiplied(cx)?,
            Product::Conv2d => conv2d::returned(cx)?,
        };
        for operand in &self.schema.inputs[2..] {
            cx.expect(operand.name, y.clone(), dtype)?;
        }
        cx.output(y, dtype)
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let epilogue = self.epilogue;
        Lowered::Instr(match self.of {
            Product::MatMul => {
                let flag = |name| cx.options().bool(name);
                Instr::MatMul { trans_a: flag("transpose_a"), trans_b: flag("transpose_b"), epilogue }
            }
            Product::Conv2d => Instr::Conv2dBackwardData(conv_attrs(cx.options()), epilogue),
        })
    }

    fn flops(&self, cx: Lower<'_>) -> Dim {
        match self.of {
            Product::MatMul => MatMul.flops(cx),
            Product::Conv2d => Conv2dBackwardData.flops(cx),
        }
    }

    fn samples(&self) -> Vec<Sample> {
        // Nobody calls them: the pass is held against the program without it.
        Vec::new()
    }
}
