//! Normalisations, softmax and cross entropy.

use super::{around, float, kernel, read, source, write};
use crate::device::kernel::{Call, From, Kernel, Request};
use crate::engine::OpError;
use crate::error::Result;
use mxr_graph::dtype::DType;
use mxr_graph::instr::{BatchNormAttrs, CrossEntropyAttrs, Epilogue, LrnAttrs};
use mxr_kernels::batch_norm::{self, BatchNorm};
use mxr_kernels::cross_entropy::{self, CrossEntropy, Labels};
use mxr_kernels::lrn::{self, Lrn};
use mxr_kernels::map::Src;
use mxr_kernels::softmax::{self, Softmax};

fn batch(x: &[usize], attrs: BatchNormAttrs, relu: bool) -> BatchNorm {
    let (outer, channels, inner) = around(x, usize::from(attrs.axis));
    BatchNorm { outer, channels, inner, attrs, relu }
}

/// The residual, where there is one: the last operand.
fn residual<'b, T: Copy + 'static>(
    call: &Call<'_, 'b, '_>,
    s: &[From],
    e: Epilogue,
) -> Result<Option<Src<'b, T>>, OpError> {
    if e.residual { source(call, s[s.len() - 1]).map(Some) } else { Ok(None) }
}

pub(super) fn batch_norm_train(r: &Request<'_>, attrs: BatchNormAttrs, e: Epilogue) -> Result<Kernel> {
    let d = batch(r.reads[0].shape, attrs, e.relu);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (x, gamma, beta) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?, read::<T>(call, s[2])?);
        let rest = residual::<T>(call, &s, e)?;
        let [y, mean, inv_std, mm, mv, ..] = &mut *call.writes else {
            panic!("three results and two states");
        };
        let (mm, mv, mean, inv_std) = (write(mm)?, write(mv)?, write(mean)?, write(inv_std)?);
        batch_norm::train(&d, x, gamma, beta, rest, mm, mv, write(y)?, mean, inv_std);
        Ok(())
    })))
}

pub(super) fn batch_norm_infer(r: &Request<'_>, attrs: BatchNormAttrs, e: Epilogue) -> Result<Kernel> {
    let d = batch(r.reads[0].shape, attrs, e.relu);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (x, rest) = (source::<T>(call, s[0])?, residual::<T>(call, &s, e)?);
        let (gamma, beta) = (read::<T>(call, s[1])?, read::<T>(call, s[2])?);
        let (mean, var) = (read::<T>(call, s[3])?, read::<T>(call, s[4])?);
        batch_norm::infer(&d, x, gamma, beta, mean, var, rest, write(&mut call.writes[0])?);
        Ok(())
    })))
}

pub(super) fn batch_norm_apply(r: &Request<'_>, attrs: BatchNormAttrs, e: Epilogue) -> Result<Kernel> {
    let d = batch(r.reads[0].shape, attrs, e.relu);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (x, rest) = (source::<T>(call, s[0])?, residual::<T>(call, &s, e)?);
        let (gamma, beta) = (read::<T>(call, s[1])?, read::<T>(call, s[2])?);
        let (mean, inv_std) = (read::<T>(call, s[3])?, read::<T>(call, s[4])?);
        batch_norm::apply(&d, x, gamma, beta, mean, inv_std, rest, write(&mut call.writes[0])?);
        Ok(())
    })))
}

pub(super) fn batch_norm_backward(r: &Request<'_>, attrs: BatchNormAttrs, e: Epilogue) -> Result<Kernel> {
    let d = batch(r.reads[0].shape, attrs, e.relu);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (x, dy) = (source::<T>(call, s[0])?, source::<T>(call, s[4])?);
        let (gamma, mean, inv_std) = (read::<T>(call, s[1])?, read::<T>(call, s[2])?, read::<T>(call, s[3])?);
        let beta = if e.relu { Some(read::<T>(call, s[5])?) } else { None };
        let [dx, dgamma, dbeta, ..] = &mut *call.writes else { panic!("three results") };
        let (dx, dgamma, dbeta) = (write(dx)?, write(dgamma)?, write(dbeta)?);
        batch_norm::backward(&d, x, gamma, mean, inv_std, dy, beta, dx, dgamma, dbeta);
        Ok(())
    })))
}

pub(super) fn batch_norm_infer_backward(r: &Request<'_>, attrs: BatchNormAttrs) -> Result<Kernel> {
    let d = batch(r.reads[0].shape, attrs, false);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (x, gamma, dy) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?, read::<T>(call, s[4])?);
        let (mean, var) = (read::<T>(call, s[2])?, read::<T>(call, s[3])?);
        let [dx, dgamma, dbeta, ..] = &mut *call.writes else { panic!("three results") };
        batch_norm::infer_backward(&d, x, gamma, mean, var, dy, write(dx)?, write(dgamma)?, write(dbeta)?);
        Ok(())
    })))
}

pub(super) fn softmax(r: &Request<'_>, axis: u8, log: bool) -> Result<Kernel> {
    let (outer, classes, inner) = around(r.reads[0].shape, usize::from(axis));
    let d = Softmax { outer, classes, inner, log };
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = source::<T>(call, s[0])?;
        softmax::forward(&d, x, write(&mut call.writes[0])?);
        Ok(())
    })))
}

pub(super) fn softmax_backward(r: &Request<'_>, axis: u8, log: bool) -> Result<Kernel> {
    let (outer, classes, inner) = around(r.reads[0].shape, usize::from(axis));
    let d = Softmax { outer, classes, inner, log };
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (y, dy) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?);
        softmax::backward(&d, y, dy, write(&mut call.writes[0])?);
        Ok(())
    })))
}

fn entropy(logits: &[usize], attrs: CrossEntropyAttrs) -> CrossEntropy {
    let (outer, classes, inner) = around(logits, usize::from(attrs.axis));
    CrossEntropy { outer, classes, inner, attrs }
}

/// The labels as what they are.
fn labels<'b>(call: &Call<'_, 'b, '_>, from: From, dtype: DType) -> Result<Labels<'b>, OpError> {
    Ok(match dtype {
        DType::F32 => Labels::F32(read(call, from)?),
        DType::F64 => Labels::F64(read(call, from)?),
        DType::I32 => Labels::I32(read(call, from)?),
        DType::I64 => Labels::I64(read(call, from)?),
        DType::U8 => Labels::U8(read(call, from)?),
        other => return Err(OpError::new(format!("labels of {other}; convert them to i64 with `cast`"))),
    })
}

pub(super) fn cross_entropy(r: &Request<'_>, attrs: CrossEntropyAttrs) -> Result<Kernel> {
    let d = entropy(r.reads[0].shape, attrs);
    let (s, of) = (r.sources(), r.reads[1].dtype);
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (logits, labels) = (read::<T>(call, s[0])?, labels(call, s[1], of)?);
        let [loss, prob, ..] = &mut *call.writes else { panic!("two results") };
        Ok(cross_entropy::forward(&d, logits, labels, write(loss)?, write(prob)?)?)
    })))
}

pub(super) fn cross_entropy_backward(r: &Request<'_>, attrs: CrossEntropyAttrs) -> Result<Kernel> {
    let d = entropy(r.reads[0].shape, attrs);
    let (s, of) = (r.sources(), r.reads[1].dtype);
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (prob, labels, dloss) = (read::<T>(call, s[0])?, labels(call, s[1], of)?, read::<T>(call, s[2])?);
        Ok(cross_entropy::backward(&d, prob, labels, dloss, write(&mut call.writes[0])?)?)
    })))
}

fn response(x: &[usize], attrs: LrnAttrs) -> Lrn {
    let (n, channels, inner) = around(x, 1);
    Lrn { n, channels, inner, attrs }
}

pub(super) fn lrn(r: &Request<'_>, attrs: LrnAttrs) -> Result<Kernel> {
    let d = response(r.reads[0].shape, attrs);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = read::<T>(call, s[0])?;
        lrn::forward(&d, x, write(&mut call.writes[0])?);
        Ok(())
    })))
}

pub(super) fn lrn_backward(r: &Request<'_>, attrs: LrnAttrs) -> Result<Kernel> {
    let d = response(r.reads[0].shape, attrs);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (x, y, dy) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?, read::<T>(call, s[2])?);
        lrn::backward(&d, x, y, dy, write(&mut call.writes[0])?);
        Ok(())
    })))
}
