//! `dropout`: zeros at random, and its gradient.

use super::{Lower, Lowered, Operator, Sample, mask};
use crate::catalogue::Code;
use crate::dtype::DType;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::graph::{Graph, ValueId};
use crate::infer::Infer;
use crate::instr::Instr;
use crate::schema::{Attr, Attrs, Default, Operand, OptionDef, OptionKind, Options, Schema};
use alloc::string::ToString;
use alloc::vec::Vec;

/// See the schema.
pub struct Dropout;

/// The gradient; see the schema.
pub struct DropoutBackward;

/// Streams below this are the user's, those above are given out by layer.
const OWN_STREAMS: i64 = 1 << 31;

static SCHEMA: Schema = Schema {
    name: "dropout",
    auto_name: "dropout",
    doc: "In training, every element becomes 0 with probability `p` and is scaled by `1 / (1 − p)` otherwise, so that the mean stays. In \
          prediction the input itself. Which elements fall is a function of the run's seed, the step, the layer and the \
          element's place: the same on every device and for any number of threads. After Srivastava et al. 2014.",
    inputs: &[Operand::data("x", "any shape")],
    outputs: &["output", "mask"],
    visible: 1,
    options: &[
        OptionDef::positional(
            "p",
            OptionKind::Float(0.0, 1.0),
            Default::Float(0.5),
            "probability of a zero, below 1; 0.5 by default",
        ),
        OptionDef::named(
            "stream",
            OptionKind::Int(0, OWN_STREAMS - 1),
            Default::Absent,
            "number of a random stream: layers with one number drop the same places (variational dropout over time); each \
             layer has its own by default",
        ),
    ],
    internal: false,
};

static BACKWARD_SCHEMA: Schema = Schema {
    name: "dropout_backward",
    auto_name: "dropout_backward",
    doc: "The gradient of `dropout`, and with `p = 0` of `relu_mask`: `dx = dy · mask / (1 − p)`.",
    inputs: &[
        Operand::data("dy", "any shape"),
        Operand::data("mask", "one bit per element, 1 where it was kept"),
    ],
    outputs: &["output"],
    visible: 1,
    options: &[OptionDef::positional(
        "p",
        OptionKind::Float(0.0, 1.0),
        Default::Required,
        "as of the forward call",
    )],
    internal: true,
};

impl Operator for Dropout {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let dtype = cx.float(0)?;
        if cx.options().float("p") >= 1.0 {
            let mut e = cx.err(
                Code::OptionBounds,
                At::Option("p"),
                "`p` must be below 1: nothing would be left".to_string(),
            );
            e.help = Some("p is the probability of a zero, not of keeping".to_string());
            return Err(e);
        }
        if cx.attr("stream") == &Attr::Absent {
            // Part of the options, so that two dropouts of one value never count as one computation.
            let own = OWN_STREAMS + i64::from(cx.layer().0);
            cx.set_attr("stream", Attr::Int(own));
        }
        let x = cx.shape(0);
        cx.output(x.clone(), dtype)?;
        cx.output(mask::shape(&x), DType::U8)
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let (Some(dy), mask) = (cx.dy(0), cx.y(1)) else { return Ok(()) };
        let p = cx.options().get("p").clone();
        let dx = cx.apply(&DropoutBackward, alloc::vec![p], &[dy, mask])[0];
        cx.add(0, dx);
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let options = cx.options();
        let stream = u32::try_from(options.int("stream")).expect("set by the shape rule");
        Lowered::Instr(Instr::Dropout { p: options.float("p") as f32, stream })
    }

    fn predict(
        &self,
        _: &mut Graph,
        _: &Attrs,
        inputs: &[ValueId],
    ) -> Option<Result<Vec<ValueId>, ShapeError>> {
        Some(Ok(inputs.to_vec()))
    }

    fn samples(&self) -> Vec<Sample> {
        alloc::vec![
            Sample::new(&[&[4, 5]]),
            Sample::new(&[&[2, 3, 4]]).with("p", 0.2).with("stream", 7),
            Sample::new(&[&[6]]).with("p", 0.0),
        ]
    }
}

impl Operator for DropoutBackward {
    fn schema(&self) -> &'static Schema {
        &BACKWARD_SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let (dy, dtype) = (cx.shape(0), cx.float(0)?);
        cx.output(dy, dtype)
    }

    /// Linear: itself.
    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let (Some(ddx), mask) = (cx.dy(0), cx.x(1)) else { return Ok(()) };
        if cx.wants(0) {
            let ddy = cx.apply(&DropoutBackward, cx.attrs().clone(), &[ddx, mask])[0];
            cx.add(0, ddy);
        }
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        let p = Options { schema: &BACKWARD_SCHEMA, attrs: &cx.node.attrs }.float("p");
        Lowered::Instr(Instr::DropoutBackward { p: p as f32 })
    }

    fn samples(&self) -> Vec<Sample> {
        // The mask must be one of u8: the samples of the forward call run it.
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{infer, refused, table};

    #[test]
    fn shapes() {
        table("dropout", &[("N 4096", "p=0.5", "[N, 4096]"), ("N 3 H W:f16", "", "f16[N, 3, H, W]")]);
        refused(
            "dropout",
            &[
                ("N 3", "p=1.0", "`p` must be below 1: nothing would be left", "not of keeping"),
                ("N 3", "p=-1", "`p` must be a number from 0 to 1, not -1", "probability of a zero"),
                ("N 3:i32", "", "needs floating-point numbers, this is i32", "cast"),
            ],
        );
    }

    #[test]
    fn every_layer_has_a_stream_of_its_own() {
        let mut call = infer("dropout", "N 3", "").expect("fits");
        let op = super::super::find("dropout").expect("listed");
        call.graph.call(op, &[], &call.inputs.clone(), None).expect("fits");
        call.graph.call(op, &[("stream", 5i64.into())], &call.inputs.clone(), None).expect("fits");
        let streams: alloc::vec::Vec<_> = call.graph.nodes.iter().map(|n| n.attrs[1].clone()).collect();
        assert_ne!(streams[0], streams[1]);
        assert_eq!(streams[2], crate::schema::Attr::Int(5));
        assert_eq!(call.backward(), (1, 1));
    }

    #[test]
    fn prediction_is_the_input() {
        let mut call = infer("dropout", "N 3", "").expect("fits");
        let node = call.graph.nodes[0].clone();
        let y = node.op.predict(&mut call.graph, &node.attrs, &node.inputs).expect("another form");
        assert_eq!(y.expect("fits"), call.inputs);
    }
}
