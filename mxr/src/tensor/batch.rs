//! What a network of `network!` is fed and what it returns, as types.

use super::shape::Fits;
use super::{Shape, Tensor};
use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::io::HostElement;
use crate::ndarray::NDArray;
use std::fmt;
use std::marker::PhantomData;

/// An input of a network, by name, with what it takes: `LeNet::data` is one of `f32` and `shape![N, 1, 28, 28]`.
pub struct InputId<T, S> {
    name: &'static str,
    types: PhantomData<fn() -> (T, S)>,
}

impl<T, S> InputId<T, S> {
    /// Made by `network!`.
    #[doc(hidden)]
    pub const fn new(name: &'static str) -> InputId<T, S> {
        InputId { name, types: PhantomData }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.name
    }
}

impl<T, S> Clone for InputId<T, S> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T, S> Copy for InputId<T, S> {}

impl<T, S> AsRef<str> for InputId<T, S> {
    fn as_ref(&self) -> &str {
        self.name
    }
}

impl<T, S> fmt::Debug for InputId<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Typed tensors that a network with these inputs takes: one, or a tuple in the order of declaration.
///
/// An extent that the network knows has to be the same; where it has a symbol, any extent is taken, and has to be the one of the bind.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no batch of `{Inputs}`",
    label = "the network takes `{Inputs}`",
    note = "several inputs are a tuple in the order of declaration; an `NDArray` is looked at once: `Tensor::try_from(array)?`"
)]
pub trait Batch<Inputs>: sealed::Batch {
    /// Fills the inputs of these names.
    #[doc(hidden)]
    fn feed(self, net: &Executor, names: &mut dyn Iterator<Item = &str>) -> Result<()>;
}

#[diagnostic::do_not_recommend]
impl<T: HostElement, S: Shape + Fits<W>, W> Batch<Tensor<T, W>> for &Tensor<T, S> {
    fn feed(self, net: &Executor, names: &mut dyn Iterator<Item = &str>) -> Result<()> {
        feed(net, names, self.array())
    }
}

#[diagnostic::do_not_recommend]
impl<T: HostElement, S: Shape + Fits<W>, W> Batch<Tensor<T, W>> for Tensor<T, S> {
    fn feed(self, net: &Executor, names: &mut dyn Iterator<Item = &str>) -> Result<()> {
        feed(net, names, self.array())
    }
}

/// More inputs than tuples have.
impl Batch<Vec<NDArray>> for &[NDArray] {
    fn feed(self, net: &Executor, names: &mut dyn Iterator<Item = &str>) -> Result<()> {
        self.iter().try_for_each(|array| feed(net, names, array))
    }
}

/// Of a network with an error, which has been told.
impl<B: sealed::Batch> Batch<Unknown> for B {
    fn feed(self, _: &Executor, _: &mut dyn Iterator<Item = &str>) -> Result<()> {
        Ok(())
    }
}

fn feed(net: &Executor, names: &mut dyn Iterator<Item = &str>, array: &NDArray) -> Result<()> {
    match names.next() {
        Some(name) => net.set_input(name, array),
        None => Err(Error::invalid(
            format!("{}.feed", net.name()),
            "there are more arrays than the network has inputs",
            "give one for each, in the order of declaration",
        )),
    }
}

/// What a network returns, as types: one tensor, or a tuple.
pub trait Results: Sized + sealed::Results {
    /// How many arrays they are; `None` for any number.
    #[doc(hidden)]
    const COUNT: Option<usize>;

    /// The first of these arrays, with their types checked.
    #[doc(hidden)]
    fn take(arrays: &mut dyn Iterator<Item = &NDArray>) -> Result<Self>;
}

impl<T: HostElement, S: Shape> Results for Tensor<T, S> {
    const COUNT: Option<usize> = Some(1);

    fn take(arrays: &mut dyn Iterator<Item = &NDArray>) -> Result<Self> {
        let array = arrays.next().expect("they have been counted");
        Tensor::try_from(array.clone())
    }
}

/// More results than tuples have.
impl Results for Vec<NDArray> {
    const COUNT: Option<usize> = None;

    fn take(arrays: &mut dyn Iterator<Item = &NDArray>) -> Result<Self> {
        Ok(arrays.cloned().collect())
    }
}

/// The types of a network's results for its arrays.
pub(crate) fn results<R: Results>(net: &Executor) -> Result<R> {
    let arrays = net.outputs();
    if R::COUNT.is_some_and(|count| count != arrays.len()) {
        return Err(Error::invalid(
            net.name(),
            format!("has {} results here, its types say {}", arrays.len(), R::COUNT.unwrap_or_default()),
            "bind it without `outputs`, or read them with `outputs()`",
        ));
    }
    R::take(&mut arrays.iter())
}

/// What is not known of a network with an error.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Unknown;

macro_rules! tuples {
    ($($($letter:ident $want:ident),*;)*) => {$(
        impl<$($letter: Batch<$want>, $want,)*> Batch<($($want,)*)> for ($($letter,)*) {
            #[allow(non_snake_case)]
            fn feed(self, net: &Executor, names: &mut dyn Iterator<Item = &str>) -> Result<()> {
                let ($($letter,)*) = self;
                $($letter.feed(net, names)?;)*
                Ok(())
            }
        }

        impl<$($letter: Results),*> Results for ($($letter,)*) {
            const COUNT: Option<usize> = Some([$(stringify!($letter)),*].len());

            fn take(arrays: &mut dyn Iterator<Item = &NDArray>) -> Result<Self> {
                Ok(($($letter::take(arrays)?,)*))
            }
        }

        impl<$($letter: sealed::Batch),*> sealed::Batch for ($($letter,)*) {}
        impl<$($letter: sealed::Results),*> sealed::Results for ($($letter,)*) {}
    )*};
}

tuples! {
    A A1, B B1;
    A A1, B B1, C C1;
    A A1, B B1, C C1, D D1;
    A A1, B B1, C C1, D D1, E E1;
    A A1, B B1, C C1, D D1, E E1, F F1;
    A A1, B B1, C C1, D D1, E E1, F F1, G G1;
    A A1, B B1, C C1, D D1, E E1, F F1, G G1, H H1;
}

mod sealed {
    use super::{NDArray, Tensor};

    pub trait Batch {}
    impl<T, S> Batch for &Tensor<T, S> {}
    impl<T, S> Batch for Tensor<T, S> {}
    impl Batch for &[NDArray] {}

    pub trait Results {}
    impl<T, S> Results for Tensor<T, S> {}
    impl Results for Vec<NDArray> {}
}
