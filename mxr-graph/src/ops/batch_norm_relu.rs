//! Batch normalisation with what follows it, `max(normalised + residual, 0)`, and the gradient of relu: what [`fuse_norm`] makes.
//!
//! [`fuse_norm`]: crate::passes::fuse_norm

use super::batch_norm::{self, OPTIONS};
use super::{Lower, Lowered, Operator, Sample};
use crate::error::ShapeError;
use crate::infer::Infer;
use crate::instr::{Epilogue, Instr};
use crate::schema::{Operand, Schema};
use alloc::vec::Vec;

/// One of them.
pub struct FusedNorm {
    schema: Schema,
    kind: Kind,
    residual: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Train,
    Infer,
    Backward,
}

macro_rules! operands {
    ($($name:literal: $doc:literal),*) => { &[$(Operand::data($name, $doc)),*] };
}

const FORWARD: &[Operand] = operands!(
    "x": "at least two axes", "gamma": "scale `[c]`", "beta": "offset `[c]`",
    "moving_mean": "running mean `[c]`", "moving_var": "running variance `[c]`"
);
const FORWARD_ADD: &[Operand] = operands!(
    "x": "at least two axes", "gamma": "scale `[c]`", "beta": "offset `[c]`",
    "moving_mean": "running mean `[c]`", "moving_var": "running variance `[c]`", "residual": "the shape of `x`"
);
const GRADIENT: &[Operand] = operands!(
    "x": "the input of the forward call", "gamma": "`[c]`", "mean": "`[c]`, of the batch",
    "inv_std": "`1 / √(σ² + eps)`, `[c]`, of the batch", "dy": "the shape of `x`", "beta": "`[c]`"
);
const fn schema(
    name: &'static str,
    doc: &'static str,
    inputs: &'static [Operand],
    outputs: &'static [&'static str],
) -> Schema {
    let visible = outputs.len();
    Schema { name, auto_name: name, doc, inputs, outputs, visible, options: OPTIONS, internal: true }
}

/// Training, with relu.
pub static TRAIN_RELU: FusedNorm = FusedNorm {
    schema: schema(
        "batch_norm_relu",
        "`max(y, 0)` of the `y` of `batch_norm`.",
        FORWARD,
        &["output", "mean", "inv_std"],
    ),
    kind: Kind::Train,
    residual: false,
};

/// Training, with a residual and relu.
pub static TRAIN_ADD_RELU: FusedNorm = FusedNorm {
    schema: schema(
        "batch_norm_add_relu",
        "`max(y + residual, 0)` of the `y` of `batch_norm`.",
        FORWARD_ADD,
        &["output", "mean", "inv_std"],
    ),
    kind: Kind::Train,
    residual: true,
};

/// Fixed statistics, with relu.
pub static INFER_RELU: FusedNorm = FusedNorm {
    schema: schema(
        "batch_norm_infer_relu",
        "`max(y, 0)` of the `y` of `batch_norm_infer`.",
        FORWARD,
        &["output"],
    ),
    kind: Kind::Infer,
    residual: false,
};

/// Fixed statistics, with a residual and relu.
pub static INFER_ADD_RELU: FusedNorm = FusedNorm {
    schema: schema(
        "batch_norm_infer_add_relu",
        "`max(y + residual, 0)` of the `y` of `batch_norm_infer`.",
        FORWARD_ADD,
        &["output"],
    ),
    kind: Kind::Infer,
    residual: true,
};

/// The gradient of [`TRAIN_RELU`].
pub static BACKWARD_RELU: FusedNorm = FusedNorm {
    schema: schema(
        "batch_norm_relu_backward",
        "The gradient of `batch_norm_relu`: that of `batch_norm` for the elements of `dy` whose result is positive, which is \
         computed once more.",
        GRADIENT,
        &["dx", "dgamma", "dbeta"],
    ),
    kind: Kind::Backward,
    residual: false,
};

impl Operator for FusedNorm {
    fn schema(&self) -> &'static Schema {
        // Every one of them is a static.
        match (self.kind, self.residual) {
            (Kind::Train, false) => &TRAIN_RELU.schema,
            (Kind::Train, true) => &TRAIN_ADD_RELU.schema,
            (Kind::Infer, false) => &INFER_RELU.schema,
            (Kind::Infer, true) => &INFER_ADD_RELU.schema,
            (Kind::Backward, _) => &BACKWARD_RELU.schema,
        }
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        match self.kind {
            Kind::Backward => batch_norm::gradients(cx),
            kind => {
                let (channels, statistics) = batch_norm::normalised(cx)?;
                for _ in 0..if kind == Kind::Train { 2 } else { 0 } {
                    cx.output([channels.clone()].into(), statistics)?;
                }
                Ok(())
            }
        }
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let (attrs, epilogue) =
            (batch_norm::attrs(cx), Epilogue { residual: self.residual, relu: true, mask: false });
        Lowered::Instr(match self.kind {
            Kind::Train => Instr::BatchNormTrain(attrs, epilogue),
            Kind::Infer => Instr::BatchNormInfer(attrs, epilogue),
            Kind::Backward => Instr::BatchNormBackward(attrs, epilogue),
        })
    }

    fn mutates(&self) -> &'static [usize] {
        if self.kind == Kind::Train { &[3, 4] } else { &[] }
    }

    fn samples(&self) -> Vec<Sample> {
        // Nobody calls them: the pass is held against the program without it.
        Vec::new()
    }
}
