//! Loop bodies that know whether the fused multiply-add is one instruction.
//!
//! [`Kernel`] compiles a body for an instruction set; a [`Body`] is also told by its type parameter whether
//! `mul_add` is cheap there, because on the portable set it is a slow library call.

use std::marker::PhantomData;

use crate::element::Float;
use crate::isa::Isa;
use crate::simd::vector::{Registers, Vector};
use crate::simd::{Kernel, vectorize};

/// What a body may assume.
pub trait Level: Copy + Send + Sync + 'static {
    /// `mul_add` is one instruction.
    const FMA: bool;

    /// `a · b + c`, rounded once or twice.
    #[inline(always)]
    fn fma<T: Float>(a: T, b: T, c: T) -> T {
        if Self::FMA { a.mul_add(b, c) } else { a * b + c }
    }
}

/// AVX2 and up.
#[derive(Clone, Copy)]
pub(crate) struct Fused;
/// The portable set.
#[derive(Clone, Copy)]
pub(crate) struct Separate;

impl Level for Fused {
    const FMA: bool = true;
}
impl Level for Separate {
    const FMA: bool = false;
}

/// Work compiled once per instruction set; `run` must be `#[inline(always)]`, as for [`Kernel`].
pub(crate) trait Body {
    type Output;
    fn run<L: Level>(self) -> Self::Output;
}

struct At<L, B>(B, PhantomData<L>);

impl<L: Level, B: Body> Kernel for At<L, B> {
    type Output = B::Output;
    #[inline(always)]
    fn run(self) -> B::Output {
        self.0.run::<L>()
    }
}

/// Runs `body` compiled for `isa`, or the largest set below it that the CPU has.
#[inline]
pub(crate) fn run<B: Body>(isa: Isa, body: B) -> B::Output {
    match isa.min(Isa::of_cpu()) {
        Isa::Portable => vectorize(Isa::Portable, At::<Separate, B>(body, PhantomData)),
        isa => vectorize(isa, At::<Fused, B>(body, PhantomData)),
    }
}

/// As [`Body`], over registers rather than loops for the compiler to vectorise: for those that it would not find.
pub(crate) trait Wide<T> {
    type Output;
    fn run<V: Vector<Elem = T>>(self) -> Self::Output;
}

struct Over<V, B>(B, PhantomData<V>);

impl<V: Vector, B: Wide<V::Elem>> Kernel for Over<V, B> {
    type Output = B::Output;
    #[inline(always)]
    fn run(self) -> B::Output {
        self.0.run::<V>()
    }
}

/// [`run`] for bodies over registers.
#[inline]
pub(crate) fn run_wide<T: Registers, B: Wide<T>>(isa: Isa, body: B) -> B::Output {
    match isa.min(Isa::of_cpu()) {
        Isa::Avx512 => vectorize(Isa::Avx512, Over::<T::Avx512, B>(body, PhantomData)),
        Isa::Avx2 => vectorize(Isa::Avx2, Over::<T::Avx2, B>(body, PhantomData)),
        Isa::Portable => vectorize(Isa::Portable, Over::<T::Portable, B>(body, PhantomData)),
    }
}
