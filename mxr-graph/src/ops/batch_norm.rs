//! `batch_norm`: normalisation by the statistics of the batch, what replaces it in prediction, and the gradients of both.

use super::{Lower, Lowered, Operator, Sample};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::dtype::DType;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::graph::{Graph, ValueId};
use crate::infer::Infer;
use crate::instr::{BatchNormAttrs, Epilogue, Instr};
use crate::schema::{Attrs, Default, Operand, OptionDef, OptionKind, Options, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// See the schema.
pub struct BatchNorm;

/// With fixed statistics; see the schema.
pub struct BatchNormInfer;

/// The gradient; see the schema.
pub struct BatchNormBackward;

/// The gradient with fixed statistics; see the schema.
pub struct BatchNormInferBackward;

const INPUTS: &[Operand] = &[
    Operand::data("x", "at least two axes, such as `[n, c, h, w]` or `[n, c]`"),
    Operand::param("gamma", "scale `[c]`, made as 1"),
    Operand::param("beta", "offset `[c]`, made as 0"),
    Operand::aux("moving_mean", "running mean `[c]`, made as 0"),
    Operand::aux("moving_var", "running variance `[c]`, made as 1"),
];

pub(super) const OPTIONS: &[OptionDef] = &[
    OptionDef::named(
        "axis",
        OptionKind::Int(-8, 7),
        Default::Int(1),
        "the axis of the channels, negative ones count from the end; 1 by default",
    ),
    OptionDef::named(
        "eps",
        OptionKind::Float(0.0, f64::MAX),
        Default::Float(1e-5),
        "added to the variance; 1e-5 by default (as in PyTorch; 1e-3 in MXNet and Keras)",
    ),
    OptionDef::named(
        "momentum",
        OptionKind::Float(0.0, 1.0),
        Default::Float(0.9),
        "how much of the running statistics stays at each step; 0.9 by default (PyTorch calls this momentum 0.1)",
    ),
    OptionDef::named(
        "fix_gamma",
        OptionKind::Bool,
        Default::Bool(false),
        "gamma counts as 1 and gets the gradient 0; false by default (MXNet: true)",
    ),
    OptionDef::named(
        "global_stats",
        OptionKind::Bool,
        Default::Bool(false),
        "normalise by the running statistics in training too, and leave them alone; false by default",
    ),
];

static SCHEMA: Schema = Schema {
    name: "batch_norm",
    auto_name: "batchnorm",
    doc: "Batch normalisation: `y = (x − μ) / √(σ² + eps) · gamma + beta`, per channel. In training `μ` and `σ²` are mean and (biased) \
          variance of the channel over the batch and all positions, and the running statistics follow: `moving = moving · momentum + \
          batch · (1 − momentum)`, the variance biased too, as in MXNet. In prediction, and with `global_stats`, they are the running \
          statistics. Of `x` in f16 or bf16, parameters and statistics are f32. A bias before it is without effect: `conv2d(…, \
          bias = false)`. After Ioffe and Szegedy 2015; called BatchNorm in MXNet.",
    inputs: INPUTS,
    outputs: &["output", "mean", "inv_std"],
    visible: 1,
    options: OPTIONS,
    internal: false,
};

static INFER_SCHEMA: Schema = Schema {
    name: "batch_norm_infer",
    auto_name: "batch_norm_infer",
    doc: "Batch normalisation with fixed statistics: `y = (x − moving_mean) / √(moving_var + eps) · gamma + beta`.",
    inputs: INPUTS,
    outputs: &["output"],
    visible: 1,
    options: OPTIONS,
    internal: true,
};

static BACKWARD_SCHEMA: Schema = Schema {
    name: "batch_norm_backward",
    auto_name: "batch_norm_backward",
    doc: "The gradient of `batch_norm`: with `x̂ = (x − mean) · inv_std` and means over the batch and all positions, \
          `dx = gamma · inv_std · (dy − mean(dy) − x̂ · mean(dy · x̂))`, `dgamma = Σ dy · x̂`, `dbeta = Σ dy`.",
    inputs: &[
        Operand::data("x", "the input of the forward call"),
        Operand::data("gamma", "`[c]`"),
        Operand::data("mean", "`[c]`, of the batch"),
        Operand::data("inv_std", "`1 / √(σ² + eps)`, `[c]`, of the batch"),
        Operand::data("dy", "the shape of `x`"),
    ],
    outputs: &["dx", "dgamma", "dbeta"],
    visible: 3,
    options: OPTIONS,
    internal: true,
};

static INFER_BACKWARD_SCHEMA: Schema = Schema {
    name: "batch_norm_infer_backward",
    auto_name: "batch_norm_infer_backward",
    doc: "The gradient of batch normalisation with fixed statistics: `dx = gamma · dy / √(moving_var + eps)`, \
          `dgamma = Σ dy · (x − moving_mean) / √(moving_var + eps)`, `dbeta = Σ dy`.",
    inputs: &[
        Operand::data("x", "the input of the forward call"),
        Operand::data("gamma", "`[c]`"),
        Operand::data("moving_mean", "`[c]`"),
        Operand::data("moving_var", "`[c]`"),
        Operand::data("dy", "the shape of `x`"),
    ],
    outputs: &["dx", "dgamma", "dbeta"],
    visible: 3,
    options: OPTIONS,
    internal: true,
};

impl Operator for BatchNorm {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    /// With `global_stats` it is what prediction makes of it.
    fn compose(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        let fixed = Options { schema: &SCHEMA, attrs }.bool("global_stats");
        fixed.then(|| graph.apply(&BatchNormInfer, attrs.clone(), inputs, None))
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (channels, stat) = normalised(cx)?;
        cx.output([channels.clone()].into(), stat)?;
        cx.output([channels].into(), stat)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let statistics = [cx.y(1), cx.y(2)];
        backward(&BatchNormBackward, cx, statistics);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::BatchNormTrain(attrs(cx), Epilogue::NONE))
    }

    fn predict(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        Some(graph.apply(&BatchNormInfer, attrs.clone(), inputs, None))
    }

    fn mutates(&self) -> &'static [usize] {
        &[3, 4]
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[4, 3, 2, 3]]),
            Sample::new(&[&[6, 4]]).with("eps", 0.01),
            Sample::new(&[&[3, 4, 5]]).with("axis", -1).with("momentum", 0.5),
            Sample::new(&[&[4, 2, 3, 2]]).with("fix_gamma", true),
            Sample::new(&[&[3, 2, 3, 2]]).with("global_stats", true),
            Sample::new(&[&[3, 2, 3, 2]]).with("global_stats", true).with("fix_gamma", true),
        ]
    }
}

impl Operator for BatchNormInfer {
    fn schema(&self) -> &'static Schema {
        &INFER_SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        normalised(cx)?;
        Ok(())
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let statistics = [cx.x(3), cx.x(4)];
        backward(&BatchNormInferBackward, cx, statistics);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::BatchNormInfer(attrs(cx), Epilogue::NONE))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![Sample::new(&[&[3, 2, 3]]).with("eps", 0.1)]
    }
}

impl Operator for BatchNormBackward {
    fn schema(&self) -> &'static Schema {
        &BACKWARD_SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        gradients(cx)
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::BatchNormBackward(attrs(cx), Epilogue::NONE))
    }

    fn samples(&self) -> Vec<Sample> {
        // The statistics must be those of `x`: the samples of the forward call run it.
        Vec::new()
    }
}

impl Operator for BatchNormInferBackward {
    fn schema(&self) -> &'static Schema {
        &INFER_BACKWARD_SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        gradients(cx)
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::BatchNormInferBackward(attrs(cx)))
    }

    fn samples(&self) -> Vec<Sample> {
        // The variance must not be negative: the samples of the forward call run it.
        Vec::new()
    }
}

/// The rule of both forward operators up to the first result; gives the number of channels and the type of statistics.
pub(super) fn normalised(cx: &mut Infer<'_>) -> Result<(Dim, DType), ShapeError> {
    let dtype = cx.float(0)?;
    let x = cx.shape(0);
    if x.rank() < 2 {
        let text = cx.show(&x);
        let message = format!("needs a batch and channels, this is {text}");
        let mut e = cx.err(Code::OperandRank, At::Input(0), message);
        e.help = Some("inputs are [n, c], [n, c, h, w] and the like".to_string());
        return Err(e);
    }
    let axis = cx.axis("axis")?;
    let (channels, stat) = (x[axis].clone(), statistics_of(dtype));
    for name in ["gamma", "beta", "moving_mean", "moving_var"] {
        cx.expect(name, [channels.clone()].into(), stat)?;
    }
    let x = cx.shape(0);
    cx.output(x, dtype)?;
    Ok((channels, stat))
}

pub(super) fn gradients(cx: &mut Infer<'_>) -> Result<(), ShapeError> {
    let axis = cx.axis("axis")?;
    let (x, dtype) = (cx.shape(0), cx.dtype(0));
    let channel = Shape(alloc::vec![x[axis].clone()]);
    cx.output(x, dtype)?;
    for _ in 0..2 {
        cx.output(channel.clone(), statistics_of(dtype))?;
    }
    Ok(())
}

/// Half-precision sums over a batch would lose most of their digits.
fn statistics_of(dtype: DType) -> DType {
    if dtype == DType::F64 { DType::F64 } else { DType::F32 }
}

fn backward(op: &'static dyn Operator, cx: &mut Grad<'_>, statistics: [ValueId; 2]) {
    let Some(dy) = cx.dy(0) else { return };
    let operands = [cx.x(0), cx.x(1), statistics[0], statistics[1], dy];
    let results = cx.apply(op, cx.attrs().clone(), &operands);
    for (i, g) in results.into_iter().enumerate().filter(|(i, _)| *i < 3) {
        if cx.wants(i) {
            cx.add(i, g);
        }
    }
}

pub(super) fn attrs(cx: Lower<'_>) -> BatchNormAttrs {
    let options = cx.options();
    BatchNormAttrs {
        axis: cx.axis("axis"),
        eps: options.float("eps") as f32,
        momentum: options.float("momentum") as f32,
        fix_gamma: options.bool("fix_gamma"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};
    use super::*;

    #[test]
    fn shapes() {
        let four = |c: &str| format!("gamma [{c}], beta [{c}], moving_mean [{c}], moving_var [{c}]");
        table(
            "batch_norm",
            &[
                ("N 64 H W", "", &format!("[N, 64, H, W]; {}", four("64"))),
                ("N C", "fix_gamma=true", &format!("[N, C]; {}", four("C"))),
                ("N 8 9", "axis=-1 eps=0.001", &format!("[N, 8, 9]; {}", four("9"))),
                ("N 8 9", "global_stats=true", &format!("[N, 8, 9]; {}", four("8"))),
                ("N 2:f16", "", "f16[N, 2]; gamma [2], beta [2], moving_mean [2], moving_var [2]"),
                (
                    "N 2:f64",
                    "",
                    "f64[N, 2]; gamma f64[2], beta f64[2], moving_mean f64[2], moving_var f64[2]",
                ),
                ("N _ | 3 | 3 | 3 | 3", "", "[N, 3]"),
            ],
        );
    }

    #[test]
    fn refused_shapes() {
        refused(
            "batch_norm",
            &[
                ("N", "", "needs a batch and channels, this is [N]", "[n, c]"),
                ("N 3", "axis=3", "axis 3 is not one of the axes of [N, 3]", "from -2 to 1"),
                ("N 3 | 4 | 3 | 3 | 3", "", "`gamma` must be [3], it is [4]", ""),
                ("N 3 | 3 | 3 | 3:f64 | 3", "", "`moving_mean` must hold f32, it holds f64", "cast"),
                ("N 3:u8", "", "needs floating-point numbers, this is u8", "cast"),
                ("N 3", "momentum=2", "`momentum` must be a number from 0 to 1, not 2", "0.9 by default"),
            ],
        );
    }

    #[test]
    fn states_get_no_gradient_and_statistics_stay_hidden() {
        let mut call = infer("batch_norm", "N 3 H W", "").expect("fits");
        assert_eq!(call.outputs.len(), 1);
        assert_eq!(call.graph.nodes[0].outputs.len(), 3);
        assert_eq!(call.backward(), (3, 3));
        let mut fixed = infer("batch_norm", "N 3 H W", "global_stats=true").expect("fits");
        assert_eq!(fixed.ops(), ["batch_norm_infer"]);
        assert_eq!(fixed.graph.layers[0].inputs.len(), 5);
        assert_eq!(fixed.backward(), (3, 3));
    }

    #[test]
    fn prediction_uses_the_running_statistics() {
        let mut call = infer("batch_norm", "N 3 H W", "axis=-2").expect("fits");
        let node = call.graph.nodes[0].clone();
        let y = node.op.predict(&mut call.graph, &node.attrs, &node.inputs).expect("another form");
        let y = y.expect("fits")[0];
        assert_eq!(call.text(y), "[N, 3, H, W]");
        assert!(call.graph.nodes[1].op.mutates().is_empty());
        assert_eq!(call.graph.nodes[1].inputs, node.inputs);
    }
}
