//! Operators of the user's on arrays.

use super::invoke::same_device;
use super::{NDArray, memory};
use crate::device::Device;
use crate::device::kernel::{Call, Kernel, Key};
use crate::engine::Properties;
use crate::error::{Error, Result};
use crate::op::kernel::{Gradient, backward, forward};
use crate::op::{ArrayType, Operator, refused, results};
use crate::storage::Operands;
use mxr_graph::catalogue::Code;
use std::sync::Arc;

impl NDArray {
    /// An operator of one's own, see [`op`](crate::op); runs in the engine like any other.
    ///
    /// # Errors
    ///
    /// What its shape rule refuses. What goes wrong while it runs is delivered by the readers of its results.
    #[track_caller]
    pub fn custom(op: impl Operator, inputs: &[&NDArray]) -> Result<Vec<NDArray>> {
        let call = Applied::new(Arc::new(op), inputs, false)?;
        Ok(call.outputs)
    }
}

/// The gradients of an operator of one's own: `dL/dx` of every input of floating-point numbers, given `dL/dy` of every output. The
/// forward pass is run for it.
///
/// ```
/// # use mxr::op::{self, *};
/// # use mxr::NDArray;
/// struct Double;
/// impl Operator for Double {
///     fn name(&self) -> &str {
///         "double"
///     }
///     fn infer(&self, inputs: &[ArrayType]) -> Result<Vec<ArrayType>, Misfit> {
///         Ok(inputs.to_vec())
///     }
///     fn forward(&self, cx: &mut Forward<'_>) -> Result<(), OpError> {
///         let (x, y) = (cx.inputs.get::<f32>(0)?, cx.outputs.take::<f32>(0)?);
///         Ok(y.iter_mut().zip(x).for_each(|(y, x)| *y = 2.0 * x))
///     }
///     fn gradient(&self) -> Option<Needs> {
///         Some(Needs::NOTHING)
///     }
///     fn backward(&self, cx: &mut Backward<'_>) -> Result<(), OpError> {
///         let (dy, dx) = (cx.output_grads.get::<f32>(0)?, cx.input_grads.take::<f32>(0)?);
///         Ok(dx.iter_mut().zip(dy).for_each(|(dx, dy)| *dx = 2.0 * dy))
///     }
/// }
/// let (x, dy) = (NDArray::try_from([1.0f32, 2.0])?, NDArray::try_from([1.0f32, 10.0])?);
/// let dx = op::gradients(Double, &[&x], &[&dy])?;
/// assert_eq!(dx[0].as_ref().unwrap().to_vec::<f32>()?, [2.0, 20.0]);
/// # Ok::<(), mxr::Error>(())
/// ```
///
/// # Errors
///
/// What the shape rule refuses, gradients of outputs that are not of their shapes, an operator without a gradient.
#[track_caller]
pub fn gradients(
    op: impl Operator,
    inputs: &[&NDArray],
    output_grads: &[&NDArray],
) -> Result<Vec<Option<NDArray>>> {
    let op: Arc<dyn Operator> = Arc::new(op);
    let Some(needs) = op.gradient() else {
        let types: Vec<ArrayType> = inputs.iter().map(|x| x.ty()).collect();
        return Err(Error::Shape(refused(
            &*op,
            "",
            Code::GradientNotKnown,
            "has no gradient".to_string(),
            &types,
        )));
    };
    let call = Applied::new(op, inputs, true)?;
    let given: Vec<ArrayType> = output_grads.iter().map(|dy| dy.ty()).collect();
    if given != call.output_types {
        let show = |list: &[ArrayType]| list.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(Error::invalid(
            call.op.name(),
            format!("the gradients of its outputs are {}", show(&given)),
            format!("they have the shapes of the outputs, {}", show(&call.output_types)),
        ));
    }
    output_grads.iter().try_for_each(|dy| dy.sound())?;
    let mut made = Vec::with_capacity(inputs.len());
    let mut wants = 0;
    for (i, x) in inputs.iter().enumerate() {
        made.push(match x.dtype().is_float() {
            true => {
                wants |= 1 << i;
                Some(NDArray::uninit(&call.device, x.shape(), x.dtype())?)
            }
            false => None,
        });
    }
    let mut reads: Vec<&NDArray> = Vec::new();
    if needs.inputs {
        reads.extend(inputs);
    }
    if needs.outputs {
        reads.extend(&call.outputs);
    }
    reads.extend(call.saved.iter().chain(output_grads.iter().copied()));
    same_device(call.op.name(), &reads)?;
    let writes: Vec<&NDArray> = made.iter().flatten().collect();
    let gradient = Gradient {
        needs,
        wants,
        inputs: call.input_types,
        outputs: call.output_types,
        saved: call.saved_types,
    };
    push(call.op.name(), backward(call.op.clone(), gradient), &call.device, &reads, &writes)?;
    Ok(made)
}

/// An operator that was applied.
struct Applied {
    op: Arc<dyn Operator>,
    device: Device,
    input_types: Vec<ArrayType>,
    output_types: Vec<ArrayType>,
    saved_types: Vec<ArrayType>,
    outputs: Vec<NDArray>,
    saved: Vec<NDArray>,
}

impl Applied {
    /// Push the forward pass; with what the backward pass reads of it, if one follows.
    #[track_caller]
    fn new(op: Arc<dyn Operator>, inputs: &[&NDArray], trains: bool) -> Result<Applied> {
        inputs.iter().try_for_each(|i| i.sound())?;
        same_device(op.name(), inputs)?;
        let device = inputs.first().map_or_else(Device::cpu, |a| a.device.clone());
        let input_types: Vec<ArrayType> = inputs.iter().map(|x| x.ty()).collect();
        let output_types = results(&*op, "", &input_types)?;
        let saved_types = if trains { op.saved(&input_types) } else { Vec::new() };
        let make = |types: &[ArrayType]| -> Result<Vec<NDArray>> {
            types.iter().map(|t| NDArray::uninit(&device, &t.shape, t.dtype)).collect()
        };
        let (outputs, saved) = (make(&output_types)?, make(&saved_types)?);
        let kernel = forward(op.clone(), input_types.clone(), output_types.clone(), saved_types.clone());
        let writes: Vec<&NDArray> = outputs.iter().chain(&saved).collect();
        push(op.name(), kernel, &device, inputs, &writes)?;
        Ok(Applied { op, device, input_types, output_types, saved_types, outputs, saved })
    }
}

impl NDArray {
    fn ty(&self) -> ArrayType {
        ArrayType::new(self.shape(), self.dtype())
    }
}

#[track_caller]
fn push(name: &str, kernel: Kernel, device: &Device, reads: &[&NDArray], writes: &[&NDArray]) -> Result<()> {
    let mut list = Operands::builder();
    for r in reads {
        list = list.read(&r.buffer, r.bytes());
    }
    for w in writes {
        list = list.write(&w.buffer, w.bytes());
    }
    let operands = list.build().map_err(memory)?;
    let vars = operands.vars();
    let props = Properties::new(name.to_string()).overwrites(true);
    device.engine().push(&vars.reads(), &vars.writes(), props, move |ctx| {
        ctx.with(&operands, |reads, writes| (kernel.run)(&mut Call { reads, writes, key: Key::default() }))?
    });
    Ok(())
}
