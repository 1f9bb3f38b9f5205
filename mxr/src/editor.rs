//! What rust-analyzer sees inside of `network!`, and nobody else: see `mxr-macros/src/editor/`.

#[cfg(rust_analyzer)]
mod shown {
    #![allow(missing_docs, non_upper_case_globals, unused_variables, clippy::all)]

    use std::marker::PhantomData;

    /// An array of the network, with its shape.
    #[doc(hidden)] // nobody writes it into an expression
    pub struct Tensor<Shape = Unknown> {
        shape: PhantomData<Shape>,
        #[doc(hidden)]
        pub the_name_that_is_being_typed: (),
    }

    /// Not known: something is wrong or still to be typed.
    pub struct Unknown;

    /// A list of constants.
    pub struct List;

    /// A block with weights of its own: `block::new(…)`.
    pub struct Block;

    mxr_macros::__operators!(editor);

    /// What is expected there.
    pub const fn any<T>(_: impl Sized) -> T {
        loop {}
    }

    /// The value of an expression.
    pub fn result<T>(_: impl Sized) -> T {
        loop {}
    }

    /// A value, and what its name refers to.
    pub fn of<T>(value: T, _: impl Sized) -> T {
        value
    }

    /// A call with what is given by name, and what has no place.
    pub fn set<T>(called: T, _: impl Sized, _: impl Sized) -> T {
        called
    }

    /// A receiver, and what is asked of it.
    pub fn part<T>(receiver: T, _: impl Sized) -> Tensor {
        loop {}
    }

    /// A name that is used.
    pub fn touch(_: impl Sized) {}

    /// Of which nothing is known.
    #[doc(hidden)]
    pub const the_name_that_is_being_typed: Tensor = any(());

    /// The same of what is called.
    #[doc(hidden)]
    pub fn the_call_that_is_being_typed(_: impl Sized) -> Tensor {
        loop {}
    }

    /// `-a`, `!a`
    pub fn unary<Shape>(_: impl Sized) -> Tensor<Shape> {
        loop {}
    }

    /// `a + b`
    pub fn binary<Shape>(_: impl Sized, _: impl Sized) -> Tensor<Shape> {
        loop {}
    }

    /// `a == b`
    pub fn compare(_: impl Sized, _: impl Sized) -> bool {
        loop {}
    }

    /// `if`
    pub fn choice<Shape>(_: impl Sized, _: impl Sized, _: impl Sized) -> Tensor<Shape> {
        loop {}
    }

    /// `block::new(…)`
    pub fn instance(_: impl Sized, _: impl Sized) -> Block {
        loop {}
    }

    /// A call of one.
    pub fn apply<Shape>(_: impl Sized, _: impl Sized) -> Tensor<Shape> {
        loop {}
    }

    /// The fields that are not given.
    pub fn rest<T>() -> T {
        loop {}
    }

}

#[cfg(rust_analyzer)]
pub use shown::*;

/// The code inside, for an editor alone.
#[cfg(rust_analyzer)]
#[doc(hidden)]
#[macro_export]
macro_rules! __ide {
    ($($code:tt)*) => { $($code)* };
}

/// Nothing: the code inside is for an editor.
#[cfg(not(rust_analyzer))]
#[doc(hidden)]
#[macro_export]
macro_rules! __ide {
    ($($code:tt)*) => {};
}
