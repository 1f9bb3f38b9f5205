//! Reductions, and kernels that only move elements.

use super::{float, kernel, moved, read, write};
use crate::device::kernel::{Kernel, Request};
use crate::error::Result;
use mxr_graph::instr::{Axes, MAX_RANK, ReduceKind};
use mxr_kernels::concat::{self, Concat};
use mxr_kernels::expand::{self, Expand};
use mxr_kernels::reduce::{self, Reduce};
use mxr_kernels::slice::{self, Slice};
use mxr_kernels::transpose::{self, Transpose};

pub(super) fn reduce(r: &Request<'_>, kind: ReduceKind, axes: Axes) -> Result<Kernel> {
    let d = Reduce::new(kind, r.reads[0].shape, axes);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = read::<T>(call, s[0])?;
        reduce::reduce(&d, x, write(&mut call.writes[0])?);
        Ok(())
    })))
}

pub(super) fn expand(r: &Request<'_>, axes: Axes, mean: bool) -> Result<Kernel> {
    let d = Expand::new(r.writes[0].shape, axes, mean);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = read::<T>(call, s[0])?;
        expand::expand(&d, x, write(&mut call.writes[0])?);
        Ok(())
    })))
}

pub(super) fn transpose(r: &Request<'_>, perm: &[u8; MAX_RANK]) -> Result<Kernel> {
    let shape = r.reads[0].shape;
    let d = Transpose::new(shape, &perm[..shape.len()]);
    let s = r.sources();
    moved!(r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = read::<T>(call, s[0])?;
        transpose::transpose(&d, x, write(&mut call.writes[0])?);
        Ok(())
    })))
}

pub(super) fn concat(r: &Request<'_>, axis: usize) -> Result<Kernel> {
    let d = Concat { outer: r.writes[0].shape[..axis].iter().product() };
    moved!(r.writes[0].dtype, T => Ok(kernel(move |call| {
        // The parts are only read, in order. Few enough fit on the stack.
        const FEW: usize = 16;
        let parts = call.reads.len();
        let y = write::<T>(&mut call.writes[0])?;
        if parts <= FEW {
            let mut list: [&[T]; FEW] = [&[]; FEW];
            for (place, bytes) in list.iter_mut().zip(call.reads) {
                *place = crate::storage::slice_of(bytes)?;
            }
            concat::concat(&d, &list[..parts], y);
        } else {
            let list = call.reads.iter().map(|b| crate::storage::slice_of(b)).collect::<Result<Vec<&[T]>, _>>()?;
            concat::concat(&d, &list, y);
        }
        Ok(())
    })))
}

pub(super) fn slice(r: &Request<'_>, begin: &[i64; MAX_RANK], step: &[i64; MAX_RANK]) -> Result<Kernel> {
    let d = Slice::new(r.reads[0].shape, r.writes[0].shape, begin, step);
    let s = r.sources();
    moved!(r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = read::<T>(call, s[0])?;
        slice::forward(&d, x, write(&mut call.writes[0])?);
        Ok(())
    })))
}

pub(super) fn slice_backward(
    r: &Request<'_>,
    begin: &[i64; MAX_RANK],
    step: &[i64; MAX_RANK],
) -> Result<Kernel> {
    let d = Slice::new(r.writes[0].shape, r.reads[0].shape, begin, step);
    let s = r.sources();
    // All-zero bytes are the number 0 in every element type.
    moved!(r.writes[0].dtype, T => Ok(kernel(move |call| {
        let dy = read::<T>(call, s[0])?;
        slice::backward(&d, dy, 0, write(&mut call.writes[0])?);
        Ok(())
    })))
}
