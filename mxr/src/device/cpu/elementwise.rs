//! Elementwise expressions, conversion, constants, rectifiers with masks, dropout.

use super::{float, kernel, moved, no_kernel, read, source, write};
use crate::device::kernel::{Call, From, Kernel, Request};
use crate::engine::OpError;
use crate::error::{Error, Result};
use mxr_graph::dtype::DType;
use mxr_graph::instr::{Axes, ReduceKind};
use mxr_kernels::map::{MapElement, Plan, Src};
use mxr_kernels::map_reduce::MapReduce;
use mxr_kernels::{cast, dropout, fill, random, relu_mask};

pub(super) fn map(r: &Request<'_>) -> Result<Kernel> {
    let shapes: Vec<&[usize]> = r.reads.iter().map(|s| s.shape).collect();
    let plan = Plan::new(r.expr, &shapes, r.writes[0].shape).map_err(defect)?.with(r.function);
    match r.writes[0].dtype {
        DType::F32 => mapped::<f32>(r, plan),
        DType::F64 => mapped::<f64>(r, plan),
        DType::I32 => mapped::<i32>(r, plan),
        DType::I64 => mapped::<i64>(r, plan),
        DType::U8 => mapped::<u8>(r, plan),
        other => Err(no_kernel(r, other)),
    }
}

fn mapped<T: MapElement>(r: &Request<'_>, plan: Plan) -> Result<Kernel> {
    let s = r.sources();
    Ok(kernel(move |call| with_sources::<T>(call, &s, |inputs, y| plan.run(inputs, y))))
}

fn defect(e: String) -> Error {
    Error::invalid("map", e, "this is a defect of a shape rule; please report it")
}

/// The operands in the order of the expression, and the result.
fn with_sources<T: MapElement>(
    call: &mut Call<'_, '_, '_>,
    list: &[From],
    run: impl FnOnce(&[Src<'_, T>], &mut [T]),
) -> Result<(), OpError> {
    /// Fused expressions read no more than this many arrays without a list on the heap.
    const FEW: usize = 16;
    if list.len() <= FEW {
        let mut inputs = [Src::<T>::Out; FEW];
        for (place, from) in inputs.iter_mut().zip(list) {
            *place = source(call, *from)?;
        }
        run(&inputs[..list.len()], write(&mut call.writes[0])?);
    } else {
        let inputs = list.iter().map(|from| source::<T>(call, *from)).collect::<Result<Vec<_>, _>>()?;
        run(&inputs, write(&mut call.writes[0])?);
    }
    Ok(())
}

/// Operands are never the result's memory: see [`Instr::inplace`](mxr_graph::instr::Instr::inplace).
pub(super) fn map_reduce(r: &Request<'_>, kind: ReduceKind, axes: Axes) -> Result<Kernel> {
    let shapes: Vec<&[usize]> = r.reads.iter().map(|s| s.shape).collect();
    let d = MapReduce::new(r.expr, &shapes, kind, axes).map_err(defect)?.with(r.function);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        with_sources::<T>(call, &s, |inputs, y| d.run(inputs, y))
    })))
}

pub(super) fn cast(r: &Request<'_>) -> Result<Kernel> {
    let (s, from, to) = (r.sources()[0], r.reads[0].dtype, r.writes[0].dtype);
    if from == to {
        return moved!(to, T => Ok(kernel(move |call| {
            let x = read::<T>(call, s)?;
            cast::copy(x, write::<T>(&mut call.writes[0])?);
            Ok(())
        })));
    }
    /// The source type is known, the target's follows.
    fn from_type<A: cast::Castable>(call: &mut Call<'_, '_, '_>, s: From, to: DType) -> Result<(), OpError> {
        let x = read::<A>(call, s)?;
        let y = &mut call.writes[0];
        match to {
            DType::F32 => cast::cast(x, write::<f32>(y)?),
            DType::F64 => cast::cast(x, write::<f64>(y)?),
            DType::F16 => cast::cast(x, write::<half::f16>(y)?),
            DType::Bf16 => cast::cast(x, write::<half::bf16>(y)?),
            DType::I8 => cast::cast(x, write::<i8>(y)?),
            DType::U8 => cast::cast(x, write::<u8>(y)?),
            DType::I32 => cast::cast(x, write::<i32>(y)?),
            DType::I64 => cast::cast(x, write::<i64>(y)?),
            DType::Bool => cast::cast(x, write::<bool>(y)?),
        }
        Ok(())
    }
    Ok(kernel(move |call| match from {
        DType::F32 => from_type::<f32>(call, s, to),
        DType::F64 => from_type::<f64>(call, s, to),
        DType::F16 => from_type::<half::f16>(call, s, to),
        DType::Bf16 => from_type::<half::bf16>(call, s, to),
        DType::I8 => from_type::<i8>(call, s, to),
        DType::U8 => from_type::<u8>(call, s, to),
        DType::I32 => from_type::<i32>(call, s, to),
        DType::I64 => from_type::<i64>(call, s, to),
        DType::Bool => from_type::<bool>(call, s, to),
    }))
}

pub(super) fn fill(r: &Request<'_>, value: f64) -> Result<Kernel> {
    /// `as` saturates, as `Cast` does.
    macro_rules! constant {
        ($($dtype:ident => $value:expr),*) => {
            match r.writes[0].dtype {
                $(DType::$dtype => {
                    let v = $value;
                    Ok(kernel(move |call| {
                        fill::fill(v, write(&mut call.writes[0])?);
                        Ok(())
                    }))
                })*
            }
        };
    }
    constant! {
        F32 => value as f32,
        F64 => value,
        F16 => half::f16::from_f64(value),
        Bf16 => half::bf16::from_f64(value),
        I8 => value as i8,
        U8 => value as u8,
        I32 => value as i32,
        I64 => value as i64,
        Bool => value != 0.0
    }
}

/// Elements of a row of a mask, whose last axis counts bytes.
fn mask_row(len: usize, mask: &[usize]) -> usize {
    let rows = mask.split_last().map_or(1, |(_, rows)| rows.iter().product::<usize>());
    len / rows.max(1)
}

pub(super) fn relu_mask(r: &Request<'_>) -> Result<Kernel> {
    let s = r.sources()[0];
    let row = mask_row(r.writes[0].len(), r.writes[1].shape);
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = source::<T>(call, s)?;
        let [y, mask, ..] = &mut *call.writes else { panic!("two results") };
        relu_mask::forward(row, x, write(y)?, write(mask)?);
        Ok(())
    })))
}

pub(super) fn dropout(r: &Request<'_>, p: f32, stream: u32) -> Result<Kernel> {
    let s = r.sources()[0];
    let row = mask_row(r.writes[0].len(), r.writes[1].shape);
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = source::<T>(call, s)?;
        let key = random::Key { seed: call.key.seed, step: call.key.step as u32, stream };
        let [y, mask, ..] = &mut *call.writes else { panic!("two results") };
        dropout::forward(p, key, row, x, write(y)?, write(mask)?);
        Ok(())
    })))
}

pub(super) fn dropout_backward(r: &Request<'_>, p: f32) -> Result<Kernel> {
    let s = r.sources();
    let row = mask_row(r.writes[0].len(), r.reads[1].shape);
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (dy, mask) = (source::<T>(call, s[0])?, read::<u8>(call, s[1])?);
        dropout::backward(p, row, dy, mask, write(&mut call.writes[0])?);
        Ok(())
    })))
}
