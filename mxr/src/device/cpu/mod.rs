//! Instructions on the CPU: one arm per instruction, which fixes the kernel and its descriptor once.

mod elementwise;
mod linear;
mod movement;
mod norm;
mod pool;

use super::kernel::{Call, From, Kernel, Request, Run};
use crate::engine::OpError;
use crate::error::{Error, Result};
use crate::storage::{slice_of, slice_of_mut};
use mxr_graph::dtype::DType;
use mxr_graph::instr::Instr;
use mxr_kernels::map::Src;

/// Fix the kernel of an instruction.
///
/// # Errors
///
/// When the CPU does not compute in this element type.
pub(crate) fn prepare(r: &Request<'_>) -> Result<Kernel> {
    match *r.instr {
        Instr::View => panic!("a view has no kernel; its result is the memory of its operand"),
        Instr::Map(_) => elementwise::map(r),
        Instr::MapReduce { kind, axes, .. } => elementwise::map_reduce(r, kind, axes),
        Instr::Cast => elementwise::cast(r),
        Instr::Fill(value) => elementwise::fill(r, value),
        Instr::ReluMask => elementwise::relu_mask(r),
        Instr::Dropout { p, stream } => elementwise::dropout(r, p, stream),
        Instr::DropoutBackward { p } => elementwise::dropout_backward(r, p),
        Instr::Reduce(kind, axes) => movement::reduce(r, kind, axes),
        Instr::Expand { axes, mean } => movement::expand(r, axes, mean),
        Instr::Transpose { perm } => movement::transpose(r, &perm),
        Instr::Concat { axis } => movement::concat(r, usize::from(axis)),
        Instr::Slice { begin, step } => movement::slice(r, &begin, &step),
        Instr::SliceBackward { begin, step } => movement::slice_backward(r, &begin, &step),
        Instr::MatMul { trans_a, trans_b, epilogue } => linear::matmul(r, trans_a, trans_b, epilogue),
        Instr::Conv2d(attrs, epilogue) => linear::conv2d(r, attrs, epilogue),
        Instr::Conv2dBackwardData(attrs, epilogue) => linear::conv2d_backward_data(r, attrs, epilogue),
        Instr::Conv2dBackwardWeight(attrs) => linear::conv2d_backward_weight(r, attrs),
        Instr::Pool2d(attrs) => pool::forward(r, attrs),
        Instr::Pool2dBackward(attrs) => pool::backward(r, attrs),
        Instr::Pool2dPlaces(attrs) => pool::forward_places(r, attrs),
        Instr::Pool2dPlacesBackward(attrs) => pool::backward_places(r, attrs),
        Instr::BatchNormTrain(attrs, epilogue) => norm::batch_norm_train(r, attrs, epilogue),
        Instr::BatchNormApply(attrs, epilogue) => norm::batch_norm_apply(r, attrs, epilogue),
        Instr::BatchNormInfer(attrs, epilogue) => norm::batch_norm_infer(r, attrs, epilogue),
        Instr::BatchNormBackward(attrs, epilogue) => norm::batch_norm_backward(r, attrs, epilogue),
        Instr::BatchNormInferBackward(attrs) => norm::batch_norm_infer_backward(r, attrs),
        Instr::Lrn(attrs) => norm::lrn(r, attrs),
        Instr::LrnBackward(attrs) => norm::lrn_backward(r, attrs),
        Instr::Softmax { axis, log } => norm::softmax(r, axis, log),
        Instr::SoftmaxBackward { axis, log } => norm::softmax_backward(r, axis, log),
        Instr::CrossEntropy(attrs) => norm::cross_entropy(r, attrs),
        Instr::CrossEntropyBackward(attrs) => norm::cross_entropy_backward(r, attrs),
        Instr::Extern(_) | Instr::ExternBackward { .. } => {
            panic!("an operator of the user's has a kernel of its own (mxr::op)")
        }
    }
}

/// Evaluate with `$T` the Rust type, f32 or f64; an error for other types.
macro_rules! float {
    ($request:expr, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            mxr_graph::dtype::DType::F32 => {
                type $T = f32;
                $body
            }
            mxr_graph::dtype::DType::F64 => {
                type $T = f64;
                $body
            }
            other => Err($crate::device::cpu::no_kernel($request, other)),
        }
    };
}
pub(super) use float;

/// Evaluate with `$T` a Rust type of the same size, for kernels that only move elements.
macro_rules! moved {
    ($dtype:expr, $T:ident => $body:expr) => {
        match $dtype.size() {
            1 => {
                type $T = u8;
                $body
            }
            2 => {
                type $T = u16;
                $body
            }
            4 => {
                type $T = u32;
                $body
            }
            _ => {
                type $T = u64;
                $body
            }
        }
    };
}
pub(super) use moved;

fn no_kernel(r: &Request<'_>, dtype: DType) -> Error {
    let text = format!("{:?}", r.instr);
    let name = text.split(['(', ' ', '{']).next().unwrap_or_default();
    Error::invalid(
        name,
        format!("is not computed in {dtype} on the CPU"),
        "convert the operands with `cast`, to f32 say",
    )
}

/// A kernel without scratch memory.
fn kernel(run: impl Fn(&mut Call<'_, '_, '_>) -> Result<(), OpError> + Send + Sync + 'static) -> Kernel {
    Kernel { workspace: 0, form: None, run: Box::new(run) as Run }
}

/// The elements of a part that is only read.
fn read<'b, T: Copy + 'static>(call: &Call<'_, 'b, '_>, from: From) -> Result<&'b [T], OpError> {
    match from {
        From::Read(n) => Ok(slice_of(call.reads[n])?),
        other => panic!("{other:?} is not a part that is only read"),
    }
}

/// The elements of an operand that may be in the result's memory.
fn source<'b, T: Copy + 'static>(call: &Call<'_, 'b, '_>, from: From) -> Result<Src<'b, T>, OpError> {
    match from {
        From::Out => Ok(Src::Out),
        _ => read(call, from).map(Src::Slice),
    }
}

/// The elements of a part that is written.
fn write<'w, T: Copy + 'static>(part: &'w mut &mut [u8]) -> Result<&'w mut [T], OpError> {
    Ok(slice_of_mut(part)?)
}

/// `[outer, axis, inner]` of a shape.
fn around(shape: &[usize], axis: usize) -> (usize, usize, usize) {
    (shape[..axis].iter().product(), shape[axis], shape[axis + 1..].iter().product())
}

/// A shape of four axes, which the shape rule has made sure of.
fn four(shape: &[usize]) -> [usize; 4] {
    shape.try_into().expect("the shape rule demands [n, c, h, w]")
}
