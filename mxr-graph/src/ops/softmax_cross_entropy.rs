//! `softmax_cross_entropy`: the loss of classification, and its gradient.

use super::loss::{REDUCTION, reduction};
use super::softmax::SOFTMAX;
use super::{Lower, Lowered, Operator, Sample, SampleValues};
use crate::catalogue::Code;
use crate::dim::Dim;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::graph::{Graph, ValueId};
use crate::infer::Infer;
use crate::instr::{CrossEntropyAttrs, Instr, Reduction};
use crate::schema::{Arg, Attr, Attrs, Default, Operand, OptionDef, OptionKind, Options, Schema};
use crate::shape::Shape;
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// See the schema.
pub struct SoftmaxCrossEntropy;

/// The gradient; see the schema.
pub struct SoftmaxCrossEntropyBackward;

const OPTIONS: &[OptionDef] = &[
    OptionDef::named(
        "axis",
        OptionKind::Int(-8, 7),
        Default::Int(1),
        "the axis of the classes in the scores, negative ones count from the end; 1 by default",
    ),
    REDUCTION,
    OptionDef::named(
        "ignore",
        OptionKind::Int(i64::MIN, i64::MAX),
        Default::Absent,
        "samples with this label count for nothing; none by default",
    ),
    OptionDef::named(
        "smoothing",
        OptionKind::Float(0.0, 1.0),
        Default::Float(0.0),
        "this much of the probability moves from the true class, evenly to the others; 0 by default",
    ),
];

static SCHEMA: Schema = Schema {
    name: "softmax_cross_entropy",
    auto_name: "softmax_cross_entropy",
    doc: "The loss of classification from scores: `−ln softmax(logits)[label]`, for logits `[n, classes]` and labels `[n]`, or logits \
          `[n, classes, h, w]` and labels `[n, h, w]`. Labels are class numbers from 0, of any type. The result is the mean \
          over all samples that are not ignored (0 where all are), their sum, or one loss per label with 0 at ignored ones. With `smoothing = a` \
          the target is `1 − a` for the true class and `a / (classes − 1)` for every other one, as `smooth_alpha` of MXNet. The \
          gradient, `(softmax(logits) − target) / count`, comes from the probabilities of the forward pass. The network \
          predicts `softmax(logits)`.",
    inputs: &[
        Operand::data("logits", "scores `[n, classes, ..]`"),
        Operand::data(
            "label",
            "class numbers `[n, ..]`: the shape of the scores without the axis of the classes",
        ),
    ],
    outputs: &["output", "prob"],
    visible: 1,
    options: OPTIONS,
    internal: false,
};

static BACKWARD_SCHEMA: Schema = Schema {
    name: "softmax_cross_entropy_backward",
    auto_name: "softmax_cross_entropy_backward",
    doc: "The gradient of `softmax_cross_entropy` with respect to the scores: `(prob − target) · dloss`, divided by the number of \
          samples that are not ignored where the loss is a mean; 0 for ignored samples.",
    inputs: &[
        Operand::data("prob", "probabilities `[n, classes, ..]`"),
        Operand::data("label", "class numbers `[n, ..]`"),
        Operand::data("dloss", "a scalar, or `[n, ..]` where nothing is reduced"),
    ],
    outputs: &["output"],
    visible: 1,
    options: OPTIONS,
    internal: true,
};

impl Operator for SoftmaxCrossEntropy {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.float(0)?;
        let axis = cx.axis("axis")?;
        let (scores, label) = (cx.shape(0), cx.shape(1));
        let mut want = scores.clone();
        let classes = want.0.remove(axis);
        let fits = label.rank() == want.rank() && label.iter().zip(want.iter()).all(|(a, b)| cx.unify(a, b));
        if !fits {
            let texts = (cx.show(&want), cx.show(&scores), cx.show(&label));
            let message = format!("the label must be {} for scores {}, it is {}", texts.0, texts.1, texts.2);
            let mut e = cx.err(Code::LabelShape, At::Input(1), message);
            let last_one = label.rank() == want.rank() + 1 && label.last() == Some(&Dim::ONE);
            e.help = Some(if label == scores {
                "labels are class numbers, not one-hot rows".to_string()
            } else if last_one && label[..want.rank()] == want[..] {
                "`squeeze` drops the axis of extent 1".to_string()
            } else {
                "one class number per sample: the shape of the scores without the axis of the classes"
                    .to_string()
            });
            return Err(e);
        }
        if classes == Dim::ONE && cx.options().float("smoothing") > 0.0 {
            return Err(cx.err(
                Code::Contradiction,
                At::Option("smoothing"),
                "there is no other class to move to".to_string(),
            ));
        }
        let label = Shape(want.iter().map(|d| cx.resolve(d)).collect());
        let loss = if reduction(cx.options()) == Reduction::None { label } else { Shape::default() };
        cx.output(loss, dtype)?;
        let prob = cx.shape(0);
        cx.output(prob, dtype)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let Some(dloss) = cx.dy(0) else { return Ok(()) };
        if cx.wants(0) {
            let (prob, label) = (cx.y(1), cx.x(1));
            let dx = cx.apply(&SoftmaxCrossEntropyBackward, cx.attrs().clone(), &[prob, label, dloss])[0];
            cx.add(0, dx);
        }
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::CrossEntropy(attrs(cx)))
    }

    fn prediction(
        &self,
        graph: &mut Graph,
        attrs: &Attrs,
        inputs: &[ValueId],
        outputs: Option<&[ValueId]>,
    ) -> Option<Result<ValueId, ShapeError>> {
        if let Some(outputs) = outputs {
            return Some(Ok(outputs[1]));
        }
        let axis = Arg::Int(Options { schema: &SCHEMA, attrs }.int("axis"));
        Some(graph.call(&SOFTMAX, &[("axis", axis)], &inputs[..1], None).map(|y| y[0]))
    }

    fn samples(&self) -> Vec<Sample> {
        let loss = |scores: &[usize], label: &[usize], classes: i64| {
            Sample::new(&[scores, label]).fill(1, SampleValues::Labels(classes))
        };
        alloc::vec![
            loss(&[5, 4], &[5], 4),
            loss(&[5, 4], &[5], 4).with("reduction", "sum"),
            loss(&[5, 4], &[5], 4).with("reduction", "none"),
            loss(&[6, 3], &[6], 3).with("ignore", 1),
            loss(&[6, 3], &[6], 3).with("ignore", 2).with("reduction", "none").with("smoothing", 0.3),
            loss(&[4, 5], &[4], 5).with("smoothing", 0.1),
            loss(&[2, 3, 2, 4], &[2, 2, 4], 3).with("ignore", 0).with("smoothing", 0.2),
            loss(&[2, 3, 4], &[2, 3], 4).with("axis", -1).with("reduction", "sum"),
            loss(&[4, 5], &[5], 4).with("axis", 0),
            // Nobody counts.
            loss(&[3, 2], &[3], 1).with("ignore", 0),
        ]
    }
}

impl Operator for SoftmaxCrossEntropyBackward {
    fn schema(&self) -> &'static Schema {
        &BACKWARD_SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.float(0)?;
        cx.axis("axis")?;
        let want = if reduction(cx.options()) == Reduction::None { cx.shape(1) } else { Shape::default() };
        let dloss = cx.shape(2);
        if want.rank() != dloss.rank() || !want.iter().zip(dloss.iter()).all(|(a, b)| cx.unify(a, b)) {
            let texts = (cx.show(&want), cx.show(&dloss));
            return Err(cx.err(
                Code::WeightShape,
                At::Input(2),
                format!("`dloss` must be {}, it is {}", texts.0, texts.1),
            ));
        }
        let prob = cx.shape(0);
        cx.output(prob, dtype)
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::CrossEntropyBackward(attrs(cx)))
    }

    fn samples(&self) -> Vec<Sample> {
        // `prob` must be what the forward call left, whose samples run it.
        Vec::new()
    }
}

fn attrs(cx: Lower<'_>) -> CrossEntropyAttrs {
    let options = cx.options();
    let ignore = match options.get("ignore") {
        Attr::Int(n) => Some(*n),
        _ => None,
    };
    CrossEntropyAttrs {
        axis: cx.axis("axis"),
        ignore,
        smoothing: options.float("smoothing") as f32,
        reduction: reduction(options),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};
    use super::*;

    #[test]
    fn shapes() {
        table(
            "softmax_cross_entropy",
            &[
                ("N 10 | N:i64", "", "[]"),
                ("N 10 | N", "reduction=sum", "[]"),
                ("N 10 | N:u8", "reduction=none", "[N]"),
                ("N 21 H W | N H W:i32", "reduction=none ignore=255", "[N, H, W]"),
                ("N T 50 | N T:i64", "axis=-1 smoothing=0.1", "[]"),
                ("N 10:f64 | N:i64", "", "f64[]"),
            ],
        );
    }

    #[test]
    fn refused_shapes() {
        refused(
            "softmax_cross_entropy",
            &[
                (
                    "N 10 | N 10:i64",
                    "",
                    "the label must be [N] for scores [N, 10], it is [N, 10]",
                    "not one-hot rows",
                ),
                ("N 10 | N 1:i64", "", "the label must be [N] for scores [N, 10], it is [N, 1]", "`squeeze`"),
                (
                    "N 10 | M:i64",
                    "",
                    "the label must be [N] for scores [N, 10], it is [M]",
                    "one class number",
                ),
                ("N 10 | N:i64", "axis=2", "axis 2 is not one of the axes of [N, 10]", "from -2 to 1"),
                ("N 1 | N:i64", "smoothing=0.1", "there is no other class to move to", ""),
                ("N 10:i32 | N:i64", "", "needs floating-point numbers, this is i32", "cast"),
                ("N 10", "", "takes 2 inputs, 1 given", "softmax_cross_entropy(logits, label, …)"),
                (
                    "N 10 | N:i64",
                    "reduction=avg",
                    "`reduction` must be one of `mean`, `sum`, `none`, not `avg`",
                    "a number",
                ),
            ],
        );
    }

    #[test]
    fn holes_in_the_label_are_solved() {
        let mut call = infer("softmax_cross_entropy", "N 10 | _:i64", "").expect("fits");
        assert_eq!(call.text(call.inputs[1]), "[N]");
    }

    #[test]
    fn the_gradient_takes_the_probabilities_and_only_the_scores_get_one() {
        let mut call = infer("softmax_cross_entropy", "N 10 | N", "").expect("fits");
        assert_eq!(call.backward(), (1, 2));
        let last = call.graph.nodes.last().expect("a backward pass");
        assert_eq!(last.op.schema().name, "softmax_cross_entropy_backward");
        assert_eq!(call.graph.value(last.inputs[0]).name, "softmax_cross_entropy0_prob");
    }

    #[test]
    fn it_predicts_the_probabilities() {
        let mut call = infer("softmax_cross_entropy", "N 10 4 | N 4:i64", "").expect("fits");
        let node = call.graph.nodes[0].clone();
        let predict = |g: &mut Graph, outputs| {
            let p = node.op.prediction(g, &node.attrs, &node.inputs, outputs).expect("a loss").expect("fits");
            g.value(p).name.clone()
        };
        assert_eq!(predict(&mut call.graph, Some(&node.outputs)), "softmax_cross_entropy0_prob");
        assert_eq!(predict(&mut call.graph, None), "softmax0_output");
        let softmax = call.graph.nodes.last().expect("added");
        assert_eq!(softmax.attrs[0], Attr::Int(1));
    }
}
