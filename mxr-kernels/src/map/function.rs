//! Expressions compiled by rustc: one loop for the whole expression, for every instruction set.
//!
//! `network!` writes a [`Formula`] for each of its expressions; [`Function`] is its loop, which a
//! [`Plan`](super::Plan) calls tile by tile in place of its steps. The scalar functions are the ones of the steps,
//! so the bits are the same.

use std::any::Any;
use std::marker::PhantomData;

use mxr_graph::dtype::DType;

use crate::element::Num;
use crate::isa::Isa;
pub use crate::level::Level;
use crate::level::{self, Body};
use crate::map::MapElement;
use crate::map::cpu::Val;
pub use crate::map::element::Ops;

/// A scalar expression of `K` inputs.
pub trait Formula<T, const K: usize>: 'static {
    /// Its value. Must be `#[inline(always)]`: it is compiled for each instruction set.
    fn at<L: Level>(x: [T; K]) -> T;
}

/// A constant of an expression as an element.
#[inline(always)]
pub fn constant<T: Num>(x: f64) -> T {
    T::from_f64(x)
}

/// `if c != 0 { a } else { b }`.
#[inline(always)]
pub fn select<T: Num>(c: T, a: T, b: T) -> T {
    if c != T::ZERO { a } else { b }
}

/// The loop of a [`Formula`].
#[derive(Clone, Copy, Debug)]
pub struct Function {
    inputs: usize,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    F32(Call<f32>),
    F64(Call<f64>),
}

/// Evaluates a tile; slices are as long as the result.
pub(crate) type Call<T> = fn(Isa, &[Val<'_, T>], &mut [T]);

impl Function {
    /// The loop over elements of `f32`.
    ///
    /// ```
    /// use mxr_graph::instr::{BinOp, Scalar};
    /// use mxr_kernels::map::{Function, Plan, Src, function::{Formula, Level, Ops}};
    ///
    /// struct Axpy;
    /// impl Formula<f32, 2> for Axpy {
    ///     #[inline(always)]
    ///     fn at<L: Level>(x: [f32; 2]) -> f32 {
    ///         Ops::add::<L>(Ops::mul::<L>(2.0f32, x[0]), x[1])
    ///     }
    /// }
    ///
    /// let expr =
    ///     [Scalar::Const(2.0), Scalar::In(0), Scalar::In(1), Scalar::Bin(BinOp::Mul, 0, 1), Scalar::Bin(BinOp::Add, 3, 2)];
    /// let plan = Plan::new(&expr, &[&[3], &[3]], &[3]).unwrap().with(Some(Function::f32::<Axpy, 2>()));
    /// let mut y = [0f32; 3];
    /// plan.run(&[Src::Slice(&[1., 2., 3.]), Src::Slice(&[10., 20., 30.])], &mut y);
    /// assert_eq!(y, [12., 24., 36.]);
    /// ```
    pub const fn f32<F: Formula<f32, K>, const K: usize>() -> Function {
        Function { inputs: K, kind: Kind::F32(tile::<F, f32, K>) }
    }

    /// The loop over elements of `f64`.
    pub const fn f64<F: Formula<f64, K>, const K: usize>() -> Function {
        Function { inputs: K, kind: Kind::F64(tile::<F, f64, K>) }
    }

    /// The element type.
    pub const fn dtype(&self) -> DType {
        match self.kind {
            Kind::F32(_) => DType::F32,
            Kind::F64(_) => DType::F64,
        }
    }

    /// How many inputs it reads.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The loop, if it is over elements of `T`.
    pub(crate) fn call<T: MapElement>(&self) -> Option<Call<T>> {
        let call: &dyn Any = match &self.kind {
            Kind::F32(call) => call,
            Kind::F64(call) => call,
        };
        call.downcast_ref::<Call<T>>().copied()
    }
}

fn tile<F: Formula<T, K>, T: MapElement, const K: usize>(isa: Isa, inputs: &[Val<'_, T>], dst: &mut [T]) {
    let inputs: &[Val<'_, T>; K] = inputs.try_into().expect("as many inputs as the function reads");
    level::run(isa, Tile::<F, T, K> { inputs, dst, formula: PhantomData });
}

/// Elements that are evaluated together: some vectors of each instruction set.
const W: usize = 64;

struct Tile<'a, F, T: Copy, const K: usize> {
    inputs: &'a [Val<'a, T>; K],
    dst: &'a mut [T],
    formula: PhantomData<F>,
}

impl<F: Formula<T, K>, T: MapElement, const K: usize> Body for Tile<'_, F, T, K> {
    type Output = ();

    #[inline(always)]
    fn run<L: Level>(self) {
        // What is no run of memory to read from: repeated elements, and those about to be overwritten.
        let mut held = [[T::ZERO; W]; K];
        for (h, input) in held.iter_mut().zip(self.inputs) {
            if let Val::Scalar(c) = input {
                *h = [*c; W];
            }
        }
        let mut at = 0;
        let (whole, tail) = self.dst.as_chunks_mut::<W>();
        for y in whole {
            for (h, input) in held.iter_mut().zip(self.inputs) {
                if let Val::Own = input {
                    *h = *y;
                }
            }
            let mut x = held.each_ref();
            for (x, input) in x.iter_mut().zip(self.inputs) {
                if let Val::Slice(s) = input {
                    *x = s[at..].first_chunk().expect("slices are as long as the result");
                }
            }
            *y = chunk::<F, T, L, K>(x);
            at += W;
        }
        if !tail.is_empty() {
            for (h, input) in held.iter_mut().zip(self.inputs) {
                match input {
                    Val::Slice(s) => h[..tail.len()].copy_from_slice(&s[at..]),
                    Val::Own => h[..tail.len()].copy_from_slice(tail),
                    Val::Scalar(_) => {}
                }
            }
            let len = tail.len();
            tail.copy_from_slice(&chunk::<F, T, L, K>(held.each_ref())[..len]);
        }
    }
}

/// The result is memory of its own, so the compiler needs no proof that it is not an input.
#[inline(always)]
fn chunk<F: Formula<T, K>, T: MapElement, L: Level, const K: usize>(x: [&[T; W]; K]) -> [T; W] {
    let mut y = [T::ZERO; W];
    for j in 0..W {
        let mut v = [T::ZERO; K];
        for (v, x) in v.iter_mut().zip(x) {
            *v = x[j];
        }
        y[j] = F::at::<L>(v);
    }
    y
}
