//! Arrays whose shape is a type, for hand-written Rust: what does not fit does not compile.
//!
//! `Tensor<f32, shape![N, 3, 224, 224]>` is an [`NDArray`] that has been looked at once: its element type, its rank and every extent
//! that the type names are known to be right, so that operators between typed tensors are checked by the compiler. What is inside of a
//! [`network!`](crate::network) does not need it, since its shapes are checked in the macro; what goes in and comes out has
//! [such types](#networks).
//!
//! ```
//! use mxr::NDArray;
//! use mxr::tensor::{Kernel, Pad, Stride, Tensor, shape};
//!
//! fn features(
//!     x: &Tensor<f32, shape![N, 3, 32, 32]>,
//!     weight: &Tensor<f32, shape![16, 3, 5, 5]>,
//! ) -> Result<Tensor<f32, shape![N, 4096]>, mxr::Error> {
//!     let maps = x.conv2d(weight, Stride::<1>, Pad::<2>)?.relu()?; // [N, 16, 32, 32]
//!     maps.max_pool(Kernel::<2>, Stride::<2>, Pad::<0>)?.flatten() // 16 * 16 * 16 = 4096
//! }
//!
//! let x = Tensor::try_from(NDArray::ones(&[8, 3, 32, 32])?)?; // N = 8
//! let y = features(&x, &Tensor::zeros()?)?;
//! assert_eq!(y.array().shape(), [8, 4096]);
//! assert!(Tensor::<f32, shape![N, 3, 32, 32]>::try_from(NDArray::ones(&[8, 3, 28, 28])?).is_err());
//! # Ok::<(), mxr::Error>(())
//! ```
//!
//! An operator that does not fit is an error of the compiler where it is called:
//!
//! ```compile_fail,E0308
//! # use mxr::tensor::{Tensor, shape};
//! fn f(x: &Tensor<f32, shape![N, 500]>, w: &Tensor<f32, shape![512, 10]>) {
//!     let y = x.matmul(w); // expected `D<500>`, found `D<512>`
//! }
//! ```
//!
//! # How shapes are written
//!
//! [`shape!`] takes extents as literals and symbols of one letter for those that are known at run time alone, and gives a tuple of
//! types: `shape![N, 3, 224, 224]` is `(Sym<'N'>, D<3>, D<224>, D<224>)`. What messages of the compiler show reads the same way: `D<64>` is 64,
//! and [`K<D<25>, D<88>>`](K) is 25,088, thousands first (extents above 1,024). Two extents with one symbol need not agree,
//! and `_` is a symbol like any other: what the types leave open is checked when the operator is called, by the rules of [`NDArray`].
//!
//! # Networks
//!
//! Every network of [`network!`](crate::network) knows the types of its inputs and results, so a batch of another shape or element
//! type is an error of the compiler. [`Network::feed`](crate::Network::feed), [`train`](crate::Network::train) and
//! [`predict`](crate::Network::predict) take all inputs, [`Executor::set`](crate::Executor::set) takes one, by its constant:
//!
//! ```
//! use mxr::Network;
//! use mxr::tensor::{Tensor, shape};
//!
//! mxr::network!(
//!     /// What two pictures have in common.
//!     pub fn Pairs(left: Tensor<N, 1, 8, 8>, right: Tensor<N, 1, 8, 8>, label: Tensor<N, i64>) {
//!         let a = flatten(left);
//!         let b = flatten(right);
//!         (softmax_cross_entropy(dense(a * b, 2), label), mean(a * b, axes = 1))
//!     }
//! );
//!
//! let mut net = Pairs::bind(4)?;
//! let pictures = Tensor::<f32, shape![4, 1, 8, 8]>::zeros()?; // 4, or N, which is looked at when it is fed
//! net.set(Pairs::left, &pictures)?;
//! let (probabilities, common) = net.predict((&pictures, &pictures))?; // no label is needed
//! let columns: Tensor<f32, shape![2, N]> = probabilities.transpose()?;
//! assert_eq!((columns.shape(), common.shape()), (&[2, 4][..], &[4][..]));
//! # Ok::<(), mxr::Error>(())
//! ```
//!
//! A symbol of several letters, an extent that is computed from symbols (`2 * T`) and one above 1,024,999 are `_` in these types. Networks of
//! more than 8 inputs (or results) take a list of arrays (return one), as [`Executor`](crate::Executor) does.
//!
//! A tensor has up to eight axes; broadcasting, `concat` and `flatten` go up to six. Arithmetic with signs cannot return an error: what symbols left open
//! and does not agree is delivered by whatever reads the result, as with [`NDArray`].
//!
//! Underneath, extents are numbers of [`typenum`], which stable Rust can compute with.

mod batch;
mod dim;
mod ops;
mod rules;
mod shape;

pub(crate) use batch::results;
pub use batch::{Batch, InputId, Results, Unknown};
pub use dim::{D, Dim, K, Number, Sym};
pub use mxr_macros::shape;
pub use ops::{Kernel, Pad, Stride};
pub use shape::{Shape, StaticShape};

/// The rules by which shapes of results are computed; bounds of the operators' methods.
pub mod rule {
    pub use super::dim::{InParts, Small, Written};
    pub use super::rules::{
        Broadcast, BroadcastDim, Concat, Flatten, KernelFits, Plus, SameOrOne, Slid, Times, Window,
    };
    pub use super::shape::{Fits, FitsDim};
}

use crate::error::{Error, Result};
use crate::io::{HostArray, HostElement};
use crate::ndarray::NDArray;
use std::fmt;
use std::marker::PhantomData;

/// An [`NDArray`] of elements `T` and the shape `S`. See the [module](self).
pub struct Tensor<T, S> {
    array: NDArray,
    types: PhantomData<fn() -> (T, S)>,
}

impl<T: HostElement, S: Shape> Tensor<T, S> {
    /// The array, for whatever has no types.
    pub fn array(&self) -> &NDArray {
        &self.array
    }

    /// The array alone.
    pub fn into_array(self) -> NDArray {
        self.array
    }

    /// The extents, outermost first, with what the symbols are.
    pub fn shape(&self) -> &[usize] {
        self.array.shape()
    }

    /// Elements in row-major order. The extent of one symbol is told by how many they are.
    ///
    /// # Errors
    ///
    /// When their number is not that of the shape.
    ///
    /// ```
    /// use mxr::tensor::{Tensor, shape};
    /// let x = Tensor::<f32, shape![N, 2]>::from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    /// assert_eq!(x.shape(), [3, 2]);
    /// assert!(Tensor::<f32, shape![N, 2]>::from_slice(&[1.0, 2.0, 3.0]).is_err());
    /// # Ok::<(), mxr::Error>(())
    /// ```
    #[track_caller]
    pub fn from_slice(elements: &[T]) -> Result<Self> {
        // More than there can be elements if it overflows.
        let known = S::EXTENTS.iter().flatten().fold(1usize, |product, e| product.saturating_mul(*e));
        let open = S::EXTENTS.iter().filter(|e| e.is_none()).count();
        let fits = match open {
            0 => known == elements.len(),
            _ => known > 0 && elements.len().is_multiple_of(known),
        };
        if !fits || open > 1 {
            return Err(Error::invalid(
                "Tensor::from_slice",
                format!("{} elements for a tensor {}", elements.len(), shape::text(S::EXTENTS)),
                match open {
                    0 => format!("it takes {known}"),
                    1 => format!("it takes a multiple of {known}"),
                    _ => "more than one extent is open: make an `NDArray` with its shape and convert it"
                        .to_string(),
                },
            ));
        }
        let extents: Vec<usize> =
            S::EXTENTS.iter().map(|e| e.unwrap_or_else(|| elements.len() / known)).collect();
        Ok(Tensor::checked(NDArray::from_slice(elements, &extents)?))
    }

    /// Waits, and copies the elements.
    ///
    /// # Errors
    ///
    /// What went wrong while they were computed.
    pub fn to_vec(&self) -> Result<Vec<T>> {
        self.array.to_vec()
    }

    /// An array of which this is known.
    fn checked(array: NDArray) -> Self {
        Tensor { array, types: PhantomData }
    }

    /// The result of an operator whose shape the types tell.
    #[track_caller]
    fn result(array: NDArray) -> Result<Self> {
        Tensor::try_from(array)
    }
}

impl<T: HostElement> Tensor<T, ()> {
    /// The number of a tensor without axes, such as a loss; waits.
    ///
    /// # Errors
    ///
    /// What went wrong while it was computed.
    #[track_caller]
    pub fn item(&self) -> Result<T> {
        self.array.item()
    }
}

impl<T: HostElement, S: StaticShape> Tensor<T, S> {
    /// Zeros. The shape has no symbol.
    ///
    /// # Errors
    ///
    /// When there is not enough memory.
    #[track_caller]
    pub fn zeros() -> Result<Self> {
        let extents: Vec<usize> = S::EXTENTS.iter().flatten().copied().collect();
        NDArray::zeros_on(&crate::Device::cpu(), &extents, T::DTYPE).map(Tensor::checked)
    }
}

impl<T: HostElement, S: Shape> TryFrom<NDArray> for Tensor<T, S> {
    type Error = Error;

    /// Checks element type, rank and extents, once; the memory is shared.
    #[track_caller]
    fn try_from(array: NDArray) -> Result<Self> {
        array.sound()?;
        let (shape, expected) = (array.shape(), S::EXTENTS);
        let fits = |(extent, expected): (&usize, &Option<usize>)| expected.is_none_or(|e| e == *extent);
        if array.dtype() == T::DTYPE && shape.len() == expected.len() && shape.iter().zip(expected).all(fits)
        {
            return Ok(Tensor::checked(array));
        }
        Err(Error::invalid(
            "Tensor::try_from",
            format!(
                "an array of {} of shape {shape:?} is no tensor of {} {}",
                array.dtype(),
                T::DTYPE,
                shape::text(expected)
            ),
            "convert it with `cast` and `reshape`, or change the type",
        ))
    }
}

impl<T: HostElement, S: Shape> TryFrom<&HostArray> for Tensor<T, S> {
    type Error = Error;

    /// A copy of a host array, checked as an [`NDArray`] is.
    #[track_caller]
    fn try_from(host: &HostArray) -> Result<Self> {
        Tensor::try_from(NDArray::from_host(host)?)
    }
}

impl<T, S> Clone for Tensor<T, S> {
    /// Another handle of the same memory.
    fn clone(&self) -> Self {
        Tensor { array: self.array.clone(), types: PhantomData }
    }
}

impl<T, S> fmt::Debug for Tensor<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.array, f)
    }
}

impl<T, S> fmt::Display for Tensor<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.array, f)
    }
}
