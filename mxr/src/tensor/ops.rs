//! Operators between typed tensors: the rule of the shapes, and the array's own operator.

use super::dim::{D, Dim};
use super::rules::{Broadcast, Concat, Flatten, Window};
use super::{Shape, Tensor};
use crate::error::Result;
use crate::io::HostElement;
use crate::ndarray::NDArray;
use mxr_graph::schema::Arg;
use std::ops::{Add, Div, Mul, Sub};

/// The extent of a window, in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Kernel<const N: usize>;

/// The step of a window, in both directions.
#[derive(Clone, Copy, Debug)]
pub struct Stride<const N: usize>;

/// What is added at each of the four sides of an image.
#[derive(Clone, Copy, Debug)]
pub struct Pad<const N: usize>;

/// Maps of `C` channels after a window has slid over them.
type Slid<T, N, C, H, W, KH, KW, const STRIDE: usize, const PAD: usize> = Tensor<
    T,
    (
        N,
        C,
        <(H, W) as Window<(KH, KW), STRIDE, PAD>>::Height,
        <(H, W) as Window<(KH, KW), STRIDE, PAD>>::Width,
    ),
>;

fn int(n: usize) -> Arg {
    // What a type of ours says is at most 1,024,999.
    Arg::Int(n as i64)
}

/// The single result of an operator.
#[track_caller]
fn one(op: &str, operands: &[&NDArray], options: &[(&str, Arg)]) -> Result<NDArray> {
    NDArray::apply(op, operands, options).map(|mut all| all.swap_remove(0))
}

/// Operators of one operand that leave the shape as it is.
macro_rules! unary {
    ($($(#[$doc:meta])* $name:ident)*) => {
        impl<T: HostElement, S: Shape> Tensor<T, S> {$(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// When the element type is none that the operator takes.
            #[track_caller]
            pub fn $name(&self) -> Result<Self> {
                self.array.$name().map(Tensor::checked)
            }
        )*}
    };
}

unary! {
    /// `max(x, 0)`.
    relu
    /// The hyperbolic tangent.
    tanh
    /// `1 / (1 + exp(−x))`.
    sigmoid
    /// `exp(x)`.
    exp
    /// The natural logarithm.
    log
    /// The square root.
    sqrt
    /// `exp(x) / Σ exp(x)` over the last axis.
    softmax
}

impl<T: HostElement, M: Dim, I: Dim> Tensor<T, (M, I)> {
    /// The product of matrices, `[m, i] × [i, n] → [m, n]`.
    ///
    /// # Errors
    ///
    /// When symbols that should agree do not, or the element type is none that the operator takes.
    #[track_caller]
    pub fn matmul<N: Dim>(&self, other: &Tensor<T, (I, N)>) -> Result<Tensor<T, (M, N)>> {
        Tensor::result(self.array.matmul(&other.array)?)
    }

    /// A fully connected layer, `x·wᵀ + b`: `[m, i]`, weight `[o, i]`, bias `[o]` → `[m, o]`.
    ///
    /// # Errors
    ///
    /// As [`Tensor::matmul`].
    #[track_caller]
    pub fn dense<O: Dim>(
        &self,
        weight: &Tensor<T, (O, I)>,
        bias: &Tensor<T, (O,)>,
    ) -> Result<Tensor<T, (M, O)>> {
        Tensor::result(one("dense", &[&self.array, &weight.array, &bias.array], &[])?)
    }

    /// Rows as columns.
    ///
    /// # Errors
    ///
    /// What went wrong before.
    #[track_caller]
    pub fn transpose(&self) -> Result<Tensor<T, (I, M)>> {
        Tensor::result(self.array.transpose()?)
    }
}

impl<T: HostElement, N: Dim, C: Dim, H: Dim, W: Dim> Tensor<T, (N, C, H, W)> {
    /// Two-dimensional convolution without bias: `[n, c, h, w]`, weight `[o, c, kh, kw]` → `[n, o, h', w']` with
    /// `h' = (h + 2·pad − kh) / stride + 1`, rounded down.
    ///
    /// # Errors
    ///
    /// When symbols that should agree do not, or the element type is none that the operator takes.
    ///
    /// ```
    /// use mxr::tensor::{Pad, Stride, Tensor, shape};
    /// let x = Tensor::<f32, shape![2, 3, 224, 224]>::zeros()?;
    /// let weight = Tensor::<f32, shape![64, 3, 7, 7]>::zeros()?;
    /// let y: Tensor<f32, shape![2, 64, 112, 112]> = x.conv2d(&weight, Stride::<2>, Pad::<3>)?;
    /// # Ok::<(), mxr::Error>(())
    /// ```
    ///
    /// A window that is larger than the padded image does not compile:
    ///
    /// ```compile_fail,E0277
    /// # use mxr::tensor::{Pad, Stride, Tensor, shape};
    /// # fn f(x: Tensor<f32, shape![N, 3, 5, 5]>, weight: Tensor<f32, shape![8, 3, 7, 7]>) {
    /// let y = x.conv2d(&weight, Stride::<1>, Pad::<0>);
    /// # }
    /// ```
    #[track_caller]
    pub fn conv2d<O: Dim, KH: Dim, KW: Dim, const STRIDE: usize, const PAD: usize>(
        &self,
        weight: &Tensor<T, (O, C, KH, KW)>,
        _: Stride<STRIDE>,
        _: Pad<PAD>,
    ) -> Result<Slid<T, N, O, H, W, KH, KW, STRIDE, PAD>>
    where
        (H, W): Window<(KH, KW), STRIDE, PAD>,
    {
        weight.array.sound()?;
        let kernel = weight.shape()[2..].iter().map(|n| int(*n)).collect();
        let options = [
            ("kernel", Arg::List(kernel)),
            ("stride", int(STRIDE)),
            ("pad", int(PAD)),
            ("bias", Arg::Bool(false)),
        ];
        Tensor::result(one("conv2d", &[&self.array, &weight.array], &options)?)
    }

    /// The mean of each plane, `[n, c]`.
    ///
    /// # Errors
    ///
    /// When the element type is none that the operator takes.
    #[track_caller]
    pub fn global_avg_pool(&self) -> Result<Tensor<T, (N, C)>> {
        Tensor::result(self.array.global_avg_pool()?)
    }
}

/// Poolings, with the options that they have besides those of the window.
macro_rules! pools {
    ($($(#[$doc:meta])* $name:ident [$($option:expr),*])*) => {
        impl<T: HostElement, N: Dim, C: Dim, H: Dim, W: Dim> Tensor<T, (N, C, H, W)> {$(
            $(#[$doc])*
            ///
            /// # Errors
            ///
            /// When the element type is none that the operator takes, or `PAD` is not smaller than the window.
            #[track_caller]
            pub fn $name<const KERNEL: usize, const STRIDE: usize, const PAD: usize>(
                &self,
                _: Kernel<KERNEL>,
                _: Stride<STRIDE>,
                _: Pad<PAD>,
            ) -> Result<Slid<T, N, C, H, W, D<KERNEL>, D<KERNEL>, STRIDE, PAD>>
            where
                (H, W): Window<(D<KERNEL>, D<KERNEL>), STRIDE, PAD>,
            {
                let options =
                    [("kernel", int(KERNEL)), ("stride", int(STRIDE)), ("pad", int(PAD)), $($option),*];
                Tensor::result(one(stringify!($name), &[&self.array], &options)?)
            }
        )*}
    };
}

pools! {
    /// The largest number of each window.
    max_pool []
    /// The mean of each window, without the padding.
    avg_pool [("count_pad", Arg::Bool(false))]
}

impl<T: HostElement, S: Shape> Tensor<T, S> {
    /// All axes behind the first as one: `[n, c, h, w] → [n, c·h·w]`.
    ///
    /// # Errors
    ///
    /// What went wrong before.
    #[track_caller]
    pub fn flatten<F: Shape>(&self) -> Result<Tensor<T, F>>
    where
        S: Flatten<Output = F>,
    {
        Tensor::result(self.array.flatten()?)
    }

    /// Side by side in axis 1: `[n, a, …]` and `[n, b, …] → [n, a + b, …]`.
    ///
    /// # Errors
    ///
    /// When symbols that should agree do not.
    #[track_caller]
    pub fn concat<O: Shape, R: Shape>(&self, other: &Tensor<T, O>) -> Result<Tensor<T, R>>
    where
        S: Concat<O, Output = R>,
    {
        Tensor::result(NDArray::concat(&[&self.array, &other.array])?)
    }

    /// The sum of all elements.
    ///
    /// # Errors
    ///
    /// When the element type is none that the operator takes.
    #[track_caller]
    pub fn sum(&self) -> Result<Tensor<T, ()>> {
        Tensor::result(self.array.sum()?)
    }

    /// The mean of all elements.
    ///
    /// # Errors
    ///
    /// As [`Tensor::sum`].
    #[track_caller]
    pub fn mean(&self) -> Result<Tensor<T, ()>> {
        Tensor::result(self.array.mean()?)
    }
}

// `&a + &b`, broadcasting. What symbols leave open and does not agree becomes a fault of the result, as with `NDArray`: every reader and
// every further operator delivers it.
macro_rules! binary {
    ($($op:ident $name:ident)*) => {$(
        impl<T: HostElement, S: Shape + Broadcast<O>, O: Shape> $op<&Tensor<T, O>> for &Tensor<T, S> {
            type Output = Tensor<T, <S as Broadcast<O>>::Output>;

            #[track_caller]
            fn $name(self, other: &Tensor<T, O>) -> Self::Output {
                Tensor::checked($op::$name(&self.array, &other.array))
            }
        }

        impl<T: HostElement, S: Shape> $op<f64> for &Tensor<T, S> {
            type Output = Tensor<T, S>;

            #[track_caller]
            fn $name(self, other: f64) -> Self::Output {
                Tensor::checked($op::$name(&self.array, other))
            }
        }
    )*};
}

binary! { Add add Sub sub Mul mul Div div }
