//! Operators of the user's: to the graph each call is a box, of which it knows the name, what comes in and what comes out. What they compute
//! is known to whoever binds the program (`mxr::op`), who holds the stated results against the operator's own rule there.
//!
//! They are not in the list of operators: nothing that loops over it could call them.

use super::{Fill, Lower, Lowered, Operator, Sample};
use crate::catalogue::Code;
use crate::error::{At, ShapeError};
use crate::grad::{Grad, NoGradient};
use crate::graph::ValueId;
use crate::infer::Infer;
use crate::instr::{Instr, MAX_EXTERN};
use crate::schema::{Attr, Attrs, Default, Operand, OperandKind, OptionDef, OptionKind, Schema};
use alloc::format;
use alloc::string::ToString;
use alloc::vec::Vec;

/// A call of an operator of the user's.
pub struct Extern;

/// Its gradient: operands, results, gradients of the results, to the gradients of the operands that somebody wants.
pub struct ExternBackward;

const NUMBER: OptionDef = OptionDef::named(
    "call",
    OptionKind::Int(0, u32::MAX as i64),
    Default::Required,
    "the number of the call among those of the graph",
);

static SCHEMA: Schema = Schema {
    name: "extern",
    auto_name: "extern",
    doc: "An operator that is written outside of this library.",
    inputs: &[Operand { name: "x", kind: OperandKind::Variadic, doc: "what it reads" }],
    outputs: &[],
    visible: 0,
    options: &[NUMBER],
    internal: false,
};

static BACKWARD: Schema = Schema {
    name: "extern_backward",
    auto_name: "extern_backward",
    doc: "The gradient of an operator that is written outside of this library.",
    inputs: &[Operand {
        name: "x",
        kind: OperandKind::Variadic,
        doc: "operands, results, gradients of results",
    }],
    outputs: &[],
    visible: 0,
    options: &[
        NUMBER,
        OptionDef::named(
            "wants",
            OptionKind::Int(0, u32::MAX as i64),
            Default::Required,
            "the operands whose gradients are made, one bit each",
        ),
    ],
    internal: true,
};

impl Extern {
    /// Checked options of the call of this number.
    pub fn attrs(call: usize) -> Attrs {
        alloc::vec![Attr::Int(call as i64)]
    }

    /// The number of the call, if it is one of these.
    pub fn number(op: &dyn Operator, attrs: &Attrs) -> Option<usize> {
        match attrs[..] {
            [Attr::Int(call)] if core::ptr::eq(op.schema(), &SCHEMA) => usize::try_from(call).ok(),
            _ => None,
        }
    }
}

impl Operator for Extern {
    fn schema(&self) -> &'static Schema {
        &SCHEMA
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let results = cx.stated(cx.options().int("call") as usize);
        for (what, count) in [("operands", cx.inputs()), ("results", results.len())] {
            if count > MAX_EXTERN {
                let message = format!("has {count} {what}, at most {MAX_EXTERN} are possible");
                let mut e = cx.err(Code::TooManyArguments, At::Call, message);
                e.help = Some("`concat` makes one array of several".to_string());
                return Err(e);
            }
        }
        results.into_iter().try_for_each(|(shape, dtype)| cx.output(shape, dtype))
    }

    fn grad(&self, cx: &mut Grad<'_>) -> Result<(), NoGradient> {
        let (inputs, outputs) = (cx.inputs(), cx.outputs());
        let wanted: Vec<usize> = (0..inputs).filter(|i| cx.wants(*i)).collect();
        let mut operands: Vec<ValueId> =
            (0..inputs).map(|i| cx.x(i)).chain((0..outputs).map(|i| cx.y(i))).collect();
        for i in 0..outputs {
            let dy = cx.dy(i).unwrap_or_else(|| {
                let y = cx.y(i);
                let (shape, dtype) = (cx.graph().shape(y), cx.graph().value(y).dtype);
                cx.apply(&Fill, Fill::attrs(0.0, &shape, dtype), &[])[0]
            });
            operands.push(dy);
        }
        let wants = wanted.iter().fold(0, |bits, i| bits | 1_i64 << i);
        let attrs = alloc::vec![cx.attrs()[0].clone(), Attr::Int(wants)];
        let made = cx.apply(&ExternBackward, attrs, &operands);
        wanted.into_iter().zip(made).for_each(|(i, dx)| cx.add(i, dx));
        Ok(())
    }

    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::Extern(cx.options().int("call") as u32))
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

impl Operator for ExternBackward {
    fn schema(&self) -> &'static Schema {
        &BACKWARD
    }

    fn infer(&self, cx: &mut Infer<'_>) -> Result<(), ShapeError> {
        let wants = cx.options().int("wants");
        for i in (0..MAX_EXTERN).filter(|i| wants >> i & 1 == 1) {
            let (shape, dtype) = (cx.shape(i), cx.dtype(i));
            cx.output(shape, dtype)?;
        }
        Ok(())
    }

    /// Everything is read until the operator itself says what it needs, at bind.
    fn lower(&self, cx: Lower<'_>) -> Lowered {
        Lowered::Instr(Instr::ExternBackward {
            call: cx.options().int("call") as u32,
            wants: cx.options().int("wants") as u32,
            inputs: true,
            outputs: true,
        })
    }

    fn samples(&self) -> Vec<Sample> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compile;
    use crate::dtype::DType;
    use crate::graph::{ExternCall, Graph};
    use crate::ops::{find, reduce::SUM};
    use crate::shape::Shape;
    use crate::verify::verify;

    fn called(results: usize) -> (Graph, Vec<ValueId>) {
        let mut g = Graph::new("net");
        let x = g.input("x", Shape::of(&[4, 3]), DType::F32);
        let label = g.input("label", Shape::of(&[4]), DType::I64);
        let w = g.param("w", Shape::of(&[4, 3]), DType::F32);
        let call = ExternCall {
            name: "swish".to_string(),
            results: alloc::vec![(Shape::of(&[4, 3]), DType::F32); results],
        };
        let y = g.call_extern(call, &[x, label, w], None).expect("fits");
        (g, y)
    }

    #[test]
    fn a_call_is_named_after_its_operator_and_differentiated_as_a_whole() {
        let (mut g, y) = called(2);
        assert_eq!((g.layers[0].name.as_str(), g.value(y[1]).name.as_str()), ("swish0", "swish0_output_1"));
        let relu = find("relu").expect("an operator");
        let h = g.call(relu, &[], &[y[0]], None).expect("fits")[0];
        let loss = g.call(&SUM, &[], &[h], Some("loss")).expect("fits")[0];
        g.outputs = alloc::vec![loss];
        g.settle();
        assert!(
            g.to_string().contains(
                "swish0_output: f32[4, 3], swish0_output_1: f32[4, 3] = swish(x, label, w; call = 0)"
            )
        );
        let (graph, _) =
            compile::training_graph(g.clone(), &crate::passes::Passes::ALL).expect("differentiable");
        assert_eq!(verify(&graph), Ok(()), "{graph}");
        let train = compile::train(g).expect("differentiable");
        let step =
            train.steps.iter().find(|s| matches!(s.instr, Instr::ExternBackward { .. })).expect("there");
        assert_eq!(step.instr, Instr::ExternBackward { call: 0, wants: 0b101, inputs: true, outputs: true });
        assert_eq!((step.reads.len(), step.writes.len()), (3 + 2 + 2, 2));
        assert_eq!(train.layers[0].op, "swish");
    }

    #[test]
    fn there_are_not_any_number_of_results() {
        let mut g = called(MAX_EXTERN).0;
        let x = ValueId(0);
        let results = alloc::vec![(Shape::of(&[1]), DType::F32); MAX_EXTERN + 1];
        let e = g
            .call_extern(ExternCall { name: "many".to_string(), results }, &[x], None)
            .expect_err("too many");
        assert!(e.to_string().starts_with("`many0`: many has 33 results, at most 32 are possible"), "{e}");
        assert_eq!((g.externs.len(), g.layers.len()), (1, 1));
    }
}
