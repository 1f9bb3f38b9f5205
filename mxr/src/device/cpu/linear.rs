//! Matrix products and convolutions.

use super::{float, four, kernel, read, source, write};
use crate::device::kernel::{Call, Form, From, Kernel, Request};
use crate::engine::OpError;
use crate::error::{Error, Result};
use half::{bf16, f16};
use mxr_graph::dtype::DType;
use mxr_graph::instr::{self, ConvAttrs};
use mxr_kernels::cast::{Castable, cast};
use mxr_kernels::conv2d::{self, Conv2d, ConvElement, Direction};
use mxr_kernels::epilogue::Epilogue;
use mxr_kernels::gemm::{self, Gemm, GemmElement, gemm};
use mxr_kernels::map::Src;

/// What follows a product or a convolution: the operands after the first two.
fn epilogue<'b, T: Copy + 'static>(
    call: &Call<'_, 'b, '_>,
    s: &[From],
    e: instr::Epilogue,
) -> Result<Epilogue<'b, T>, OpError> {
    let residual = if e.residual { Some(source(call, s[2])?) } else { None };
    let (mask, rest) = match (e.mask, s) {
        (true, [rest @ .., mask]) => (Some(read(call, *mask)?), rest),
        (_, rest) => (None, rest),
    };
    let bias = rest.get(2 + usize::from(e.residual)).map(|b| read(call, *b)).transpose()?;
    Ok(Epilogue { bias, residual, relu: e.relu, mask })
}

pub(super) fn matmul(r: &Request<'_>, trans_a: bool, trans_b: bool, e: instr::Epilogue) -> Result<Kernel> {
    let (a, b, y) = (r.reads[0].shape, r.reads[1].shape, r.writes[0].shape);
    let rank = y.len();
    let (m, n) = (y[rank - 2], y[rank - 1]);
    let k = if trans_a { a[a.len() - 2] } else { a[a.len() - 1] };
    let one = Gemm::new(m, n, k).transposed(trans_a, trans_b);
    let products =
        Products::new(one, batches(&a[..a.len() - 2], &b[..b.len() - 2], &y[..rank - 2], m * k, k * n));
    let s = r.sources();
    match r.writes[0].dtype {
        DType::Bf16 if e == instr::Epilogue::NONE => {
            return Ok(halves::<bf16>(products, &s, r.writes[0].len()));
        }
        DType::F16 if e == instr::Epilogue::NONE => {
            return Ok(halves::<f16>(products, &s, r.writes[0].len()));
        }
        _ => {}
    }
    if let Some(g) = products.batched.filter(|_| r.fixed_weight) {
        let known = float!(r, r.writes[0].dtype, T => Ok(packed::<T>(&s, g, e)))?;
        if let Some(kernel) = known {
            return Ok(kernel);
        }
    }
    float!(r, r.writes[0].dtype, T => Ok(kernel(move |call| {
        let (a, b) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?);
        let after = epilogue::<T>(call, &s, e)?;
        products.multiply(a, b, after, write::<T>(&mut call.writes[0])?);
        Ok(())
    })))
}

/// The products of two stacks of matrices whose leading axes broadcast.
struct Products {
    one: Gemm,
    /// Where the operands of each begin.
    offsets: Vec<(usize, usize)>,
    /// All of them as one call, where operands follow each other in equal steps; broadcasting in between is one call per matrix.
    batched: Option<Gemm>,
}

impl Products {
    fn new(one: Gemm, offsets: Vec<(usize, usize)>) -> Products {
        let step = |f: fn(&(usize, usize)) -> usize| match offsets.len() {
            0 | 1 => Some(0),
            _ => {
                let d = f(&offsets[1]).checked_sub(f(&offsets[0]))?;
                offsets.windows(2).all(|w| f(&w[1]) == f(&w[0]) + d).then_some(d)
            }
        };
        let batched = match (step(|o| o.0), step(|o| o.1)) {
            (Some(sa), Some(sb)) => Some(one.batched(offsets.len(), sa, sb, one.m * one.n)),
            _ => None,
        };
        Products { one, offsets, batched }
    }

    fn multiply<T: GemmElement>(&self, a: &[T], b: &[T], after: Epilogue<'_, T::Sum>, y: &mut [T::Sum]) {
        if let Some(all) = &self.batched {
            return gemm(all, a, b, after, y);
        }
        let size = (self.one.m * self.one.n).max(1);
        for (z, ((at, bt), y)) in self.offsets.iter().zip(y.chunks_exact_mut(size)).enumerate() {
            let residual = after.residual.map(|r| match r {
                Src::Slice(r) => Src::Slice(&r[z * size..]),
                Src::Out => Src::Out,
            });
            let mask = after.mask.map(|mask| &mask[z * size..]);
            gemm(&self.one, &a[*at..], &b[*bt..], Epilogue { residual, mask, ..after }, y);
        }
    }
}

/// Products of 16-bit numbers: `len` sums in the workspace, as `f32`, each rounded once to the result.
fn halves<T: GemmElement<Sum = f32> + Castable>(products: Products, s: &[From], len: usize) -> Kernel {
    let s = s.to_vec();
    Kernel {
        workspace: len * size_of::<f32>(),
        form: None,
        run: Box::new(move |call| {
            let (a, b) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?);
            let (y, rest) = call.writes.split_first_mut().expect("one result");
            let sums = &mut scratch::<f32>(rest)?[..len];
            products.multiply(a, b, Epilogue::NONE, sums);
            cast(sums, write::<T>(y)?);
            Ok(())
        }),
    }
}

/// With a second operand that is packed once, where that is worth it.
fn packed<T: GemmElement<Sum = T>>(s: &[From], g: Gemm, e: instr::Epilogue) -> Option<Kernel> {
    let candidate = gemm::prepared::select::<T>(&g)?;
    let len = candidate.prepared_len(&g).filter(|len| *len > 0)?;
    let s = s.to_vec();
    Some(Kernel {
        workspace: 0,
        form: Some(Form {
            read: 1,
            name: format!("matrix {}×{} of {}, {}", g.k, g.n, candidate.name(), g.trans_b),
            bytes: len * size_of::<T>(),
            make: Box::new(move |call| {
                candidate.prepare(&g, read::<T>(call, From::Read(0))?, write(&mut call.writes[0])?);
                Ok(())
            }),
        }),
        run: Box::new(move |call| {
            let (a, b) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?);
            let after = epilogue::<T>(call, &s, e)?;
            candidate.run_prepared(&g, a, b, after, write::<T>(&mut call.writes[0])?);
            Ok(())
        }),
    })
}

/// Where the matrices of each product start, for leading axes that broadcast.
fn batches(a: &[usize], b: &[usize], y: &[usize], a_size: usize, b_size: usize) -> Vec<(usize, usize)> {
    let strides = |dims: &[usize], size: usize| -> Vec<usize> {
        let mut out = vec![0; y.len()];
        let mut stride = size;
        for (i, d) in dims.iter().enumerate().rev() {
            if *d != 1 {
                out[i + y.len() - dims.len()] = stride;
            }
            stride *= d;
        }
        out
    };
    let (sa, sb) = (strides(a, a_size), strides(b, b_size));
    let count: usize = y.iter().product();
    (0..count)
        .map(|mut i| {
            let (mut at, mut bt) = (0, 0);
            for axis in (0..y.len()).rev() {
                at += i % y[axis] * sa[axis];
                bt += i % y[axis] * sb[axis];
                i /= y[axis];
            }
            (at, bt)
        })
        .collect()
}

fn descriptor(x: &[usize], w: &[usize], y: &[usize], attrs: ConvAttrs) -> Result<Conv2d> {
    Conv2d::new(four(x), four(w), four(y), attrs)
        .map_err(|e| Error::invalid("conv2d", e, "this is a defect of a shape rule; please report it"))
}

pub(super) fn conv2d(r: &Request<'_>, attrs: ConvAttrs, e: instr::Epilogue) -> Result<Kernel> {
    let d = descriptor(r.reads[0].shape, r.reads[1].shape, r.writes[0].shape, attrs)?;
    float!(r, r.writes[0].dtype, T => Ok(convolution::<T>(r, d, attrs, e)))
}

/// With a weight that is prepared once, where there is one and that is worth it, or in each call.
fn convolution<T: ConvElement>(r: &Request<'_>, d: Conv2d, attrs: ConvAttrs, e: instr::Epilogue) -> Kernel {
    let (s, groups) = (r.sources(), attrs.groups);
    let candidate = if r.fixed_weight { conv2d::prepared::select::<T>(&d) } else { None };
    let prepared = candidate.and_then(|c| Some((c, c.prepared_len(&d).filter(|len| *len > 0)?)));
    let Some((candidate, len)) = prepared else {
        return Kernel {
            workspace: conv2d::workspace_len::<T>(&d, Direction::Forward) * size_of::<T>(),
            form: None,
            run: Box::new(move |call| {
                let (x, w) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?);
                let after = epilogue::<T>(call, &s, e)?;
                let (y, rest) = call.writes.split_first_mut().expect("one result");
                conv2d::forward(&d, x, w, after, write::<T>(y)?, scratch::<T>(rest)?);
                Ok(())
            }),
        };
    };
    Kernel {
        workspace: candidate.prepared_workspace_len(&d) * size_of::<T>(),
        form: Some(Form {
            read: 1,
            name: format!("weight {:?} in {groups} groups of {}", r.reads[1].shape, candidate.name()),
            bytes: len * size_of::<T>(),
            make: Box::new(move |call| {
                candidate.prepare(&d, read::<T>(call, From::Read(0))?, write(&mut call.writes[0])?);
                Ok(())
            }),
        }),
        run: Box::new(move |call| {
            let (x, w) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?);
            let after = epilogue::<T>(call, &s, e)?;
            let (y, rest) = call.writes.split_first_mut().expect("one result");
            candidate.forward_prepared(&d, x, w, after, write::<T>(y)?, scratch::<T>(rest)?);
            Ok(())
        }),
    }
}

pub(super) fn conv2d_backward_data(r: &Request<'_>, attrs: ConvAttrs, e: instr::Epilogue) -> Result<Kernel> {
    let d = descriptor(r.writes[0].shape, r.reads[1].shape, r.reads[0].shape, attrs)?;
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(Kernel {
        workspace: conv2d::workspace_len::<T>(&d, Direction::BackwardData) * size_of::<T>(),
        form: None,
        run: Box::new(move |call| {
            let (dy, w) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?);
            let after = epilogue::<T>(call, &s, e)?;
            let (dx, rest) = call.writes.split_first_mut().expect("one result");
            conv2d::backward_data(&d, dy, w, after, write::<T>(dx)?, scratch::<T>(rest)?);
            Ok(())
        }),
    }))
}

pub(super) fn conv2d_backward_weight(r: &Request<'_>, attrs: ConvAttrs) -> Result<Kernel> {
    let d = descriptor(r.reads[0].shape, r.writes[0].shape, r.reads[1].shape, attrs)?;
    let s = r.sources();
    float!(r, r.writes[0].dtype, T => Ok(Kernel {
        workspace: conv2d::workspace_len::<T>(&d, Direction::BackwardWeight) * size_of::<T>(),
        form: None,
        run: Box::new(move |call| {
            let (x, dy) = (read::<T>(call, s[0])?, read::<T>(call, s[1])?);
            let (dw, rest) = call.writes.split_first_mut().expect("one result");
            conv2d::backward_weight(&d, x, dy, write::<T>(dw)?, scratch::<T>(rest)?);
            Ok(())
        }),
    }))
}

/// The scratch memory, where a kernel asked for some.
fn scratch<'w, T: Copy + 'static>(rest: &'w mut [&mut [u8]]) -> Result<&'w mut [T], crate::engine::OpError> {
    match rest.last_mut() {
        Some(part) => write(part),
        None => Ok(&mut []),
    }
}
