//! How the extents of results are computed.

use super::dim::{D, Dim, DimOf, K, Number, Sealed, Sym, U, Written};
use std::ops::{Add, Div, Mul, Sub};
use typenum::consts::{B0, B1, U1};
use typenum::{Const, Diff, Eq, IsEqual, IsLessOrEqual, LeEq, Prod, Quot, Sum, ToUInt, UInt};

/// `A × B`.
pub trait Times<B>: Sealed {
    /// The product.
    type Output: Dim;
}

impl<A: Number, B: Number> Times<B> for A
where
    A::Value: Mul<B::Value>,
    Prod<A::Value, B::Value>: Written,
{
    type Output = DimOf<Prod<A::Value, B::Value>>;
}

/// `A + B`.
pub trait Plus<B>: Sealed {
    /// The sum.
    type Output: Dim;
}

impl<A: Number, B: Number> Plus<B> for A
where
    A::Value: Add<B::Value>,
    Sum<A::Value, B::Value>: Written,
{
    type Output = DimOf<Sum<A::Value, B::Value>>;
}

/// How often a window of `Kernel` fits in each of both directions: `(extent + 2·PAD − kernel) / STRIDE + 1`, rounded down.
#[diagnostic::on_unimplemented(
    message = "a window of `{Kernel}` with stride {STRIDE} and pad {PAD} does not fit into an image of `{Self}`",
    label = "the window does not fit",
    note = "a window is at most `extent + 2 * pad`, a stride is 1 to 1,024, a pad is 0 to 1,024; both extents are numbers"
)]
pub trait Window<Kernel, const STRIDE: usize, const PAD: usize>: Sealed {
    /// How often it fits from top to bottom.
    type Height: Dim;
    /// And from left to right.
    type Width: Dim;
}

type Padded<X, const PAD: usize> = Sum<Sum<<X as Number>::Value, U<PAD>>, U<PAD>>;

#[diagnostic::do_not_recommend]
impl<H, W, KH, KW, const STRIDE: usize, const PAD: usize> Window<(KH, KW), STRIDE, PAD> for (H, W)
where
    H: Slid<KH, STRIDE, PAD>,
    W: Slid<KW, STRIDE, PAD>,
{
    type Height = H::Output;
    type Width = W::Output;
}

/// The same in one direction.
pub trait Slid<Kernel, const STRIDE: usize, const PAD: usize>: Sealed {
    /// The extent of the result.
    type Output: Dim;
}

impl<X: Number, Kernel: Number, const STRIDE: usize, const PAD: usize> Slid<Kernel, STRIDE, PAD> for X
where
    Const<STRIDE>: ToUInt,
    Const<PAD>: ToUInt,
    X::Value: Add<U<PAD>>,
    Sum<X::Value, U<PAD>>: Add<U<PAD>>,
    Kernel::Value: IsLessOrEqual<Padded<X, PAD>>,
    LeEq<Kernel::Value, Padded<X, PAD>>: KernelFits<Padded<X, PAD>, Kernel::Value, U<STRIDE>>,
{
    type Output =
        <LeEq<Kernel::Value, Padded<X, PAD>> as KernelFits<Padded<X, PAD>, Kernel::Value, U<STRIDE>>>::Output;
}

/// That a window is not larger than what it slides over; then, how often it fits.
pub trait KernelFits<Padded, Kernel, Stride>: Sealed {
    /// The extent of the result.
    type Output: Dim;
}

/// The stride is not 0, which is a `UTerm`.
impl<Padded, Kernel, U, B> KernelFits<Padded, Kernel, UInt<U, B>> for B1
where
    Padded: Sub<Kernel>,
    Diff<Padded, Kernel>: Div<UInt<U, B>>,
    Quot<Diff<Padded, Kernel>, UInt<U, B>>: Add<U1>,
    Sum<Quot<Diff<Padded, Kernel>, UInt<U, B>>, U1>: Written,
{
    type Output = DimOf<Sum<Quot<Diff<Padded, Kernel>, UInt<U, B>>, U1>>;
}

/// Shapes that broadcast against each other: aligned at the innermost axis, each pair of extents equal or one of them 1.
#[diagnostic::on_unimplemented(
    message = "the shapes `{Self}` and `{Other}` do not broadcast",
    label = "does not broadcast",
    note = "aligned at the innermost axis, two extents are the same or one of them is 1"
)]
pub trait Broadcast<Other>: Sealed {
    /// The shape of the result.
    type Output: super::Shape;
}

/// Two extents that broadcast against each other.
#[diagnostic::on_unimplemented(
    message = "the extents `{Self}` and `{Other}` do not broadcast",
    label = "does not broadcast",
    note = "two extents are the same or one of them is 1"
)]
pub trait BroadcastDim<Other>: Sealed {
    /// The extent of the result.
    type Output: Dim;
}

#[diagnostic::do_not_recommend]
impl<const A: usize, const B: usize> BroadcastDim<D<B>> for D<A>
where
    Const<A>: ToUInt,
    Const<B>: ToUInt,
    U<A>: IsEqual<U1> + IsEqual<U<B>>,
    U<B>: IsEqual<U1>,
    Eq<U<A>, U1>: SameOrOne<D<A>, D<B>, Eq<U<B>, U1>, Eq<U<A>, U<B>>>,
{
    type Output = <Eq<U<A>, U1> as SameOrOne<D<A>, D<B>, Eq<U<B>, U1>, Eq<U<A>, U<B>>>>::Output;
}

/// By whether the first is 1, the second is 1 and both are the same: the larger one.
pub trait SameOrOne<A, B, SecondIsOne, Same>: Sealed {
    /// The extent of the result.
    type Output: Dim;
}

impl<A, B: Dim, SecondIsOne, Same> SameOrOne<A, B, SecondIsOne, Same> for B1 {
    type Output = B;
}

impl<A: Dim, B, Same> SameOrOne<A, B, B1, Same> for B0 {
    type Output = A;
}

impl<A: Dim, B> SameOrOne<A, B, B0, B1> for B0 {
    type Output = A;
}

impl<const A: usize, const B: usize> BroadcastDim<K<D<A>, D<B>>> for K<D<A>, D<B>> {
    type Output = Self;
}

impl<const A: usize, const B: usize> BroadcastDim<D<1>> for K<D<A>, D<B>> {
    type Output = Self;
}

impl<const A: usize, const B: usize> BroadcastDim<K<D<A>, D<B>>> for D<1> {
    type Output = K<D<A>, D<B>>;
}

impl<const N: char> BroadcastDim<Sym<N>> for Sym<N> {
    type Output = Self;
}

impl<const N: char> BroadcastDim<D<1>> for Sym<N> {
    type Output = Self;
}

impl<const N: char> BroadcastDim<Sym<N>> for D<1> {
    type Output = Sym<N>;
}

/// Extents that only one of them has stand in front; the others are paired.
macro_rules! broadcasts {
    ($([$($front:ident)*] [$($a:ident $b:ident)*])*) => {$(
        impl<$($front: Dim,)* $($a: BroadcastDim<$b>, $b,)*> Broadcast<($($b,)*)> for ($($front,)* $($a,)*) {
            type Output = ($($front,)* $(<$a as BroadcastDim<$b>>::Output,)*);
        }
    )*};
    (reversed $([$($front:ident)*] [$($a:ident $b:ident)*])*) => {$(
        impl<$($front: Dim,)* $($a: BroadcastDim<$b>, $b,)*> Broadcast<($($front,)* $($b,)*)> for ($($a,)*) {
            type Output = ($($front,)* $(<$a as BroadcastDim<$b>>::Output,)*);
        }
    )*};
}

broadcasts! {
    [] [] [] [X1 Y1] [] [X1 Y1 X2 Y2] [] [X1 Y1 X2 Y2 X3 Y3] [] [X1 Y1 X2 Y2 X3 Y3 X4 Y4]
    [] [X1 Y1 X2 Y2 X3 Y3 X4 Y4 X5 Y5] [] [X1 Y1 X2 Y2 X3 Y3 X4 Y4 X5 Y5 X6 Y6]
    [F1] [] [F1] [X1 Y1] [F1] [X1 Y1 X2 Y2] [F1] [X1 Y1 X2 Y2 X3 Y3] [F1] [X1 Y1 X2 Y2 X3 Y3 X4 Y4]
    [F1] [X1 Y1 X2 Y2 X3 Y3 X4 Y4 X5 Y5]
    [F1 F2] [] [F1 F2] [X1 Y1] [F1 F2] [X1 Y1 X2 Y2] [F1 F2] [X1 Y1 X2 Y2 X3 Y3]
    [F1 F2] [X1 Y1 X2 Y2 X3 Y3 X4 Y4]
    [F1 F2 F3] [] [F1 F2 F3] [X1 Y1] [F1 F2 F3] [X1 Y1 X2 Y2] [F1 F2 F3] [X1 Y1 X2 Y2 X3 Y3]
    [F1 F2 F3 F4] [] [F1 F2 F3 F4] [X1 Y1] [F1 F2 F3 F4] [X1 Y1 X2 Y2]
    [F1 F2 F3 F4 F5] [] [F1 F2 F3 F4 F5] [X1 Y1]
    [F1 F2 F3 F4 F5 F6] []
}

broadcasts! { reversed
    [F1] [] [F1] [X1 Y1] [F1] [X1 Y1 X2 Y2] [F1] [X1 Y1 X2 Y2 X3 Y3] [F1] [X1 Y1 X2 Y2 X3 Y3 X4 Y4]
    [F1] [X1 Y1 X2 Y2 X3 Y3 X4 Y4 X5 Y5]
    [F1 F2] [] [F1 F2] [X1 Y1] [F1 F2] [X1 Y1 X2 Y2] [F1 F2] [X1 Y1 X2 Y2 X3 Y3]
    [F1 F2] [X1 Y1 X2 Y2 X3 Y3 X4 Y4]
    [F1 F2 F3] [] [F1 F2 F3] [X1 Y1] [F1 F2 F3] [X1 Y1 X2 Y2] [F1 F2 F3] [X1 Y1 X2 Y2 X3 Y3]
    [F1 F2 F3 F4] [] [F1 F2 F3 F4] [X1 Y1] [F1 F2 F3 F4] [X1 Y1 X2 Y2]
    [F1 F2 F3 F4 F5] [] [F1 F2 F3 F4 F5] [X1 Y1]
    [F1 F2 F3 F4 F5 F6] []
}

/// All axes behind the first as one.
#[diagnostic::on_unimplemented(
    message = "the shape `{Self}` cannot be flattened",
    label = "cannot be flattened",
    note = "it takes 2 to 6 axes, of which those behind the first are numbers"
)]
pub trait Flatten: Sealed {
    /// `[n, …]`.
    type Output: super::Shape;
}

impl<N: Dim, A: Dim> Flatten for (N, A) {
    type Output = (N, A);
}

/// The last two axes as one, until two are left.
macro_rules! flattens {
    ($([$($a:ident)*])*) => {$(
        impl<N: Dim, $($a,)* Y: Times<Z>, Z> Flatten for (N, $($a,)* Y, Z)
        where
            (N, $($a,)* Y::Output): Flatten,
        {
            type Output = <(N, $($a,)* Y::Output) as Flatten>::Output;
        }
    )*};
}

flattens! { [] [A] [A B] [A B C] }

/// Shapes that differ in axis 1 alone, side by side.
#[diagnostic::on_unimplemented(
    message = "the shapes `{Self}` and `{Other}` cannot stand side by side",
    label = "cannot stand side by side",
    note = "but for axis 1 they have the same extents, and axis 1 of both is a number"
)]
pub trait Concat<Other>: Sealed {
    /// The shape of the result.
    type Output: super::Shape;
}

macro_rules! concats {
    ($([$($rest:ident)*])*) => {$(
        impl<N: Dim, A: Plus<B>, B, $($rest: Dim,)*> Concat<(N, B, $($rest,)*)> for (N, A, $($rest,)*) {
            type Output = (N, <A as Plus<B>>::Output, $($rest,)*);
        }
    )*};
}

concats! { [] [C] [C E] [C E F] [C E F G] }
