//! How the extents of results are computed.

use super::dim::{D, Dim, DimOf, K, Number, Symbol, U, Written};
use std::ops::{Add, Div, Mul, Sub};
use typenum::consts::{B0, B1, U1};
use typenum::{Const, Diff, Eq, IsEqual, IsLessOrEqual, LeEq, Prod, Quot, Sum, ToUInt};

/// `A × B`.
pub trait Times<B> {
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
pub trait Plus<B> {
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

/// How often a window of `Kernel` fits into an extent: `(extent + 2·PAD − kernel) / STRIDE + 1`, rounded down.
pub trait Window<Kernel, const STRIDE: usize, const PAD: usize> {
    /// The extent of the result.
    type Output: Dim;
}

type Padded<X, const PAD: usize> = Sum<Sum<X, U<PAD>>, U<PAD>>;

impl<X: Number, Kernel: Number, const STRIDE: usize, const PAD: usize> Window<Kernel, STRIDE, PAD> for X
where
    Const<STRIDE>: ToUInt,
    Const<PAD>: ToUInt,
    X::Value: Add<U<PAD>>,
    Sum<X::Value, U<PAD>>: Add<U<PAD>>,
    Kernel::Value: IsLessOrEqual<Padded<X::Value, PAD>>,
    LeEq<Kernel::Value, Padded<X::Value, PAD>>: KernelFits<Padded<X::Value, PAD>, Kernel::Value, U<STRIDE>>,
{
    type Output = <LeEq<Kernel::Value, Padded<X::Value, PAD>> as KernelFits<
        Padded<X::Value, PAD>,
        Kernel::Value,
        U<STRIDE>,
    >>::Output;
}

/// That a window is not larger than what it slides over; then, how often it fits.
#[diagnostic::on_unimplemented(
    message = "the window is larger than the padded image",
    label = "does not fit here",
    note = "pad the image, or use a smaller window"
)]
pub trait KernelFits<Padded, Kernel, Stride> {
    /// The extent of the result.
    type Output: Dim;
}

impl<Padded, Kernel, Stride> KernelFits<Padded, Kernel, Stride> for B1
where
    Padded: Sub<Kernel>,
    Diff<Padded, Kernel>: Div<Stride>,
    Quot<Diff<Padded, Kernel>, Stride>: Add<U1>,
    Sum<Quot<Diff<Padded, Kernel>, Stride>, U1>: Written,
{
    type Output = DimOf<Sum<Quot<Diff<Padded, Kernel>, Stride>, U1>>;
}

/// Shapes that broadcast against each other: aligned at the innermost axis, each pair of extents equal or one of them 1.
#[diagnostic::on_unimplemented(
    message = "the shapes `{Self}` and `{Other}` do not broadcast",
    label = "does not broadcast",
    note = "aligned at the innermost axis, two extents are the same or one of them is 1"
)]
pub trait Broadcast<Other> {
    /// The shape of the result.
    type Output: super::Shape;
}

/// Two extents that broadcast against each other.
#[diagnostic::on_unimplemented(
    message = "the extents `{Self}` and `{Other}` do not broadcast",
    label = "does not broadcast",
    note = "two extents are the same or one of them is 1"
)]
pub trait BroadcastDim<Other> {
    /// The extent of the result.
    type Output: Dim;
}

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
#[diagnostic::on_unimplemented(
    message = "the extents `{A}` and `{B}` do not broadcast",
    label = "does not broadcast",
    note = "two extents are the same or one of them is 1"
)]
pub trait SameOrOne<A, B, SecondIsOne, Same> {
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

impl<const N: char> BroadcastDim<Symbol<N>> for Symbol<N> {
    type Output = Self;
}

impl<const N: char> BroadcastDim<D<1>> for Symbol<N> {
    type Output = Self;
}

impl<const N: char> BroadcastDim<Symbol<N>> for D<1> {
    type Output = Symbol<N>;
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
    [F1] [] [F1] [X1 Y1] [F1] [X1 Y1 X2 Y2] [F1] [X1 Y1 X2 Y2 X3 Y3]
    [F1 F2] [] [F1 F2] [X1 Y1] [F1 F2] [X1 Y1 X2 Y2]
    [F1 F2 F3] [] [F1 F2 F3] [X1 Y1]
    [F1 F2 F3 F4] []
}

broadcasts! { reversed
    [F1] [] [F1] [X1 Y1] [F1] [X1 Y1 X2 Y2] [F1] [X1 Y1 X2 Y2 X3 Y3]
    [F1 F2] [] [F1 F2] [X1 Y1] [F1 F2] [X1 Y1 X2 Y2]
    [F1 F2 F3] [] [F1 F2 F3] [X1 Y1]
    [F1 F2 F3 F4] []
}

/// All axes behind the first as one.
pub trait Flatten {
    /// `[n, …]`.
    type Output: super::Shape;
}

impl<N: Dim, A: Dim> Flatten for (N, A) {
    type Output = (N, A);
}

impl<N: Dim, A: Times<B>, B> Flatten for (N, A, B) {
    type Output = (N, <A as Times<B>>::Output);
}

impl<N: Dim, A: Times<B>, B, C> Flatten for (N, A, B, C)
where
    <A as Times<B>>::Output: Times<C>,
{
    type Output = (N, <<A as Times<B>>::Output as Times<C>>::Output);
}

/// Shapes that differ in axis 1 alone, side by side.
#[diagnostic::on_unimplemented(
    message = "the shapes `{Self}` and `{Other}` cannot stand side by side",
    note = "but for axis 1 they have the same extents, and axis 1 of both is a number"
)]
pub trait Concat<Other> {
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

concats! { [] [C] [C E] }
