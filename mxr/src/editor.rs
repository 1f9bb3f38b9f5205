//! What an editor is shown inside of `network!`: see `mxr-macros/src/editor/`. For the compiler the macro around it gives nothing.

mxr_macros::__for_editors! {
    pub use words::Tensor;

    mxr_macros::__operators!(editor);

    /// A list of constants.
    pub struct List;

    /// A block with weights of its own: `block::new(…)`.
    pub struct Block;

    /// Not known: something is wrong or still to be typed.
    pub struct Unknown;

    /// The words that expansions are written with. Nothing is ever reported about a call of them, and an editor does not offer them.
    pub mod words {
        use super::{Block, Unknown};
        use std::marker::PhantomData;

        /// An array of the network, with its shape.
        #[doc(hidden)]
        pub struct Tensor<Shape = Unknown> {
            shape: PhantomData<Shape>,
            #[doc(hidden)]
            pub the_name_that_is_being_typed: (),
        }

        macro_rules! words {
            ($($(#[$doc:meta])* fn $name:ident<$($of:ident),*>($($arg:ident: $ty:ty),*) -> $result:ty;)*) => {$(
                $(#[$doc])*
                #[doc(hidden)]
                pub const fn $name<$($of),*>($($arg: $ty),*) -> $result {
                    loop {}
                }
            )*};
        }

        words! {
            /// What is expected there.
            fn __any<T>(of: impl Sized) -> T;
            /// The value of an expression.
            fn __result<T>(of: impl Sized) -> T;
            /// A value, and what its name refers to.
            fn __of<T>(value: T, reference: impl Sized) -> T;
            /// A call with what is given by name, and with what has no place.
            fn __set<T>(called: T, named: impl Sized, more: impl Sized) -> T;
            /// A receiver, and what is asked of it.
            fn __part<>(of: impl Sized, parameter: impl Sized) -> Tensor;
            /// What is mentioned.
            fn __touch<>(of: impl Sized) -> ();
            /// `-a`, `!a`
            fn __unary<Shape>(a: impl Sized) -> Tensor<Shape>;
            /// `a + b`
            fn __binary<Shape>(a: impl Sized, b: impl Sized) -> Tensor<Shape>;
            /// `a == b`
            fn __compare<>(a: impl Sized, b: impl Sized) -> bool;
            /// `if a { b } else { c }`
            fn __choice<Shape>(a: impl Sized, b: impl Sized, c: impl Sized) -> Tensor<Shape>;
            /// `block::new(…)`
            fn __instance<>(block: impl Sized, given: impl Sized) -> Block;
            /// A call of one.
            fn __apply<Shape>(block: impl Sized, given: impl Sized) -> Tensor<Shape>;
            /// The fields that are not given.
            fn __rest<T>() -> T;
            /// Something that is called by a name that is not known.
            fn the_call_that_is_being_typed<>(given: impl Sized) -> Tensor;
        }

        /// A name that is not known.
        #[doc(hidden)]
        #[allow(non_upper_case_globals)]
        pub const the_name_that_is_being_typed: Tensor = __any(());
    }
}
