//! Pooling.

use super::{float, four, kernel, read, write};
use crate::device::kernel::{Kernel, Request};
use crate::error::Result;
use mxr_graph::instr::{PoolAttrs, PoolKind};
use mxr_kernels::pool2d::{self, Pool2d};

/// Global pooling may have dropped its axes of extent 1.
fn descriptor(x: &[usize], y: &[usize], attrs: PoolAttrs) -> Pool2d {
    let [n, c, h, w] = four(x);
    let (oh, ow) = if attrs.global { (1, 1) } else { (y[2], y[3]) };
    Pool2d { n, c, h, w, oh, ow, attrs }
}

pub(super) fn forward(r: &Request<'_>, attrs: PoolAttrs) -> Result<Kernel> {
    let d = descriptor(r.reads[0].shape, r.writes[0].shape, attrs);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = read::<T>(call, s[0])?;
        pool2d::forward(&d, x, write::<T>(&mut call.writes[0])?);
        Ok(())
    })))
}

pub(super) fn backward(r: &Request<'_>, attrs: PoolAttrs) -> Result<Kernel> {
    let dy = r.reads.last().expect("a gradient").shape;
    let d = descriptor(r.writes[0].shape, dy, attrs);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        match attrs.kind {
            PoolKind::Max | PoolKind::ReluMax => {
                let (x, dy) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?);
                pool2d::backward_max(&d, x, dy, write::<T>(&mut call.writes[0])?);
            }
            PoolKind::Avg => {
                let dy = read::<T>(call, s[0])?;
                pool2d::backward_avg(&d, dy, write::<T>(&mut call.writes[0])?);
            }
        }
        Ok(())
    })))
}

pub(super) fn forward_places(r: &Request<'_>, attrs: PoolAttrs) -> Result<Kernel> {
    let d = descriptor(r.reads[0].shape, r.writes[0].shape, attrs);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let x = read::<T>(call, s[0])?;
        let [y, place, ..] = &mut *call.writes else { panic!("two results") };
        pool2d::forward_places(&d, x, write::<T>(y)?, write(place)?);
        Ok(())
    })))
}

pub(super) fn backward_places(r: &Request<'_>, attrs: PoolAttrs) -> Result<Kernel> {
    let d = descriptor(r.writes[0].shape, r.reads[1].shape, attrs);
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (place, dy) = (read::<u8>(call, s[0])?, read::<T>(call, s[1])?);
        pool2d::backward_places(&d, place, dy, write::<T>(&mut call.writes[0])?);
        Ok(())
    })))
}
