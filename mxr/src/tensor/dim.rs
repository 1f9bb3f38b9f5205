//! Extents as types: numbers that messages show as they are written, and what typenum makes of them.

use std::marker::PhantomData;
use std::ops::{Add, Div, Mul, Rem};
use typenum::consts::{B0, B1, U1000, U1024};
use typenum::{Const, IsLessOrEqual, LeEq, Mod, Prod, Quot, Sum, ToUInt, UInt, UTerm, Unsigned};

/// The extent `N`, up to 1,024.
#[derive(Clone, Copy, Debug)]
pub struct D<const N: usize>;

/// An extent above 1,024, in thousands and the rest: `K<D<25>, D<88>>` is 25,088.
#[derive(Clone, Copy, Debug)]
pub struct K<Thousands, Rest>(PhantomData<(Thousands, Rest)>);

/// An extent that is known at run time alone, such as the batch size.
#[derive(Clone, Copy, Debug)]
pub struct Sym<const NAME: char>;

/// An extent of a shape.
pub trait Dim: Sealed + 'static {
    /// Its number, if it is one.
    const EXTENT: Option<usize>;
}

impl<const N: usize> Dim for D<N> {
    const EXTENT: Option<usize> = Some(N);
}

impl<const A: usize, const B: usize> Dim for K<D<A>, D<B>> {
    const EXTENT: Option<usize> = Some(1000 * A + B);
}

impl<const NAME: char> Dim for Sym<NAME> {
    const EXTENT: Option<usize> = None;
}

pub(super) type U<const N: usize> = <Const<N> as ToUInt>::Output;

/// An extent that is a number while compiling.
#[diagnostic::on_unimplemented(
    message = "the extent `{Self}` is no number that is known while compiling",
    label = "needs a number here",
    note = "numbers up to 1,024 are `D`, larger ones are `K`, as `shape!` writes them; a symbol is known at run time alone"
)]
pub trait Number: Dim {
    /// As typenum counts.
    type Value: Unsigned;
}

#[diagnostic::do_not_recommend]
impl<const N: usize> Number for D<N>
where
    Const<N>: ToUInt,
    U<N>: Unsigned,
{
    type Value = U<N>;
}

impl<const A: usize, const B: usize> Number for K<D<A>, D<B>>
where
    Const<A>: ToUInt,
    Const<B>: ToUInt,
    U<A>: Mul<U1000>,
    Prod<U<A>, U1000>: Add<U<B>>,
    Sum<Prod<U<A>, U1000>, U<B>>: Unsigned,
{
    type Value = Sum<Prod<U<A>, U1000>, U<B>>;
}

/// A number of typenum as the extent that messages show.
pub trait Written: Sealed {
    /// The extent.
    type Dim: Number;
}

/// The extent that a number is.
pub(super) type DimOf<X> = <X as Written>::Dim;

impl<X> Written for X
where
    X: Sealed + IsLessOrEqual<U1024>,
    LeEq<X, U1024>: InParts<X>,
{
    type Dim = <LeEq<X, U1024> as InParts<X>>::Dim;
}

/// By whether `X` is one part: its extent.
pub trait InParts<X>: Sealed {
    /// The extent.
    type Dim: Number;
}

impl<X: Small> InParts<X> for B1 {
    type Dim = X::Dim;
}

impl<X> InParts<X> for B0
where
    X: Div<U1000> + Rem<U1000>,
    Quot<X, U1000>: Small,
    Mod<X, U1000>: Small,
    K<<Quot<X, U1000> as Small>::Dim, <Mod<X, U1000> as Small>::Dim>: Number,
{
    type Dim = K<<Quot<X, U1000> as Small>::Dim, <Mod<X, U1000> as Small>::Dim>;
}

/// A number up to 1,024.
#[diagnostic::on_unimplemented(
    message = "the extent that comes out is above 1,024,999, the largest one that has a type",
    label = "too large for a type",
    note = "use `NDArray` for it, with `array()` of the tensor"
)]
pub trait Small: Sealed {
    /// The extent.
    type Dim: Number;
}

/// The rules have no implementations but these: what a number is, and what comes out of it, must not disagree.
pub trait Sealed {}

impl<const N: usize> Sealed for D<N> {}
impl<A, B> Sealed for K<A, B> {}
impl<const NAME: char> Sealed for Sym<NAME> {}
impl Sealed for UTerm {}
impl<U, B> Sealed for UInt<U, B> {}
impl Sealed for B0 {}
impl Sealed for B1 {}

// `impl Small for U17 { type Dim = D<17>; }` for each of them.
mxr_macros::__small_numbers!();
