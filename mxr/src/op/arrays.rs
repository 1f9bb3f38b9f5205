//! What an operator of the user's sees of arrays: types, and typed slices of their memory.

use crate::engine::OpError;
use crate::io::HostElement;
use crate::storage::{slice_of, slice_of_mut};
use mxr_graph::dtype::DType;
use mxr_graph::instr::MAX_EXTERN;
use std::fmt;

/// Extents and element type of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrayType {
    /// The extents, outermost first.
    pub shape: Vec<usize>,
    /// The element type.
    pub dtype: DType,
}

impl ArrayType {
    /// An array of these extents.
    pub fn new(shape: impl Into<Vec<usize>>, dtype: DType) -> ArrayType {
        ArrayType { shape: shape.into(), dtype }
    }

    /// The same element type with other extents.
    pub fn with_shape(&self, shape: impl Into<Vec<usize>>) -> ArrayType {
        ArrayType::new(shape, self.dtype)
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// `[2, 3]`, and `i64[2, 3]` where it is not f32.
impl fmt::Display for ArrayType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.dtype {
            DType::F32 => write!(f, "{:?}", self.shape),
            other => write!(f, "{other}{:?}", self.shape),
        }
    }
}

/// Arrays that an operator reads.
#[derive(Clone, Copy)]
pub struct Arrays<'a> {
    what: &'static str,
    types: &'a [ArrayType],
    /// Nothing where only the types are there.
    parts: Option<&'a [&'a [u8]]>,
}

impl<'a> Arrays<'a> {
    pub(super) fn new(
        what: &'static str,
        types: &'a [ArrayType],
        parts: Option<&'a [&'a [u8]]>,
    ) -> Arrays<'a> {
        Arrays { what, types, parts }
    }

    /// The elements of an array, row-major.
    ///
    /// # Errors
    ///
    /// When the elements are of another type, there is no such array, or it was not kept for the backward pass.
    pub fn get<T: HostElement>(&self, i: usize) -> Result<&'a [T], OpError> {
        typed::<T>(self.what, self.types, i)?;
        match self.parts {
            Some(parts) => Ok(slice_of(parts[i])?),
            None => Err(OpError::new(format!(
                "{} {i} is not kept for the backward pass: `gradient` says that it is not needed",
                self.what
            ))),
        }
    }
}

/// What is known of arrays, whoever may read or write them.
macro_rules! described {
    ($($arrays:ident)*) => {$(
        impl<'a> $arrays<'a> {
            /// How many there are.
            pub fn len(&self) -> usize {
                self.types.len()
            }

            /// Whether there is none.
            pub fn is_empty(&self) -> bool {
                self.types.is_empty()
            }

            /// Extents and element type of an array.
            ///
            /// # Panics
            ///
            /// When there is no such array.
            pub fn ty(&self, i: usize) -> &'a ArrayType {
                &self.types[i]
            }

            /// Extents of an array.
            ///
            /// # Panics
            ///
            /// When there is no such array.
            pub fn shape(&self, i: usize) -> &'a [usize] {
                &self.types[i].shape
            }
        }
    )*};
}

described! { Arrays ArraysMut }

/// Arrays that an operator writes.
pub struct ArraysMut<'a> {
    what: &'static str,
    types: &'a [ArrayType],
    parts: [Option<&'a mut [u8]>; MAX_EXTERN],
    wanted: u32,
}

impl<'a> ArraysMut<'a> {
    /// Arrays of these types; those that are `wanted`, one bit each, have a part.
    pub(super) fn new(
        what: &'static str,
        types: &'a [ArrayType],
        parts: impl IntoIterator<Item = &'a mut [u8]>,
        wanted: u32,
    ) -> ArraysMut<'a> {
        let mut all = [const { None }; MAX_EXTERN];
        let mut parts = parts.into_iter();
        for (i, place) in all.iter_mut().enumerate().take(types.len()) {
            if wanted >> i & 1 == 1 {
                *place = parts.next();
            }
        }
        ArraysMut { what, types, parts: all, wanted }
    }

    /// Whether anybody asks for this array: gradients of inputs may be of no use to the network.
    pub fn is_wanted(&self, i: usize) -> bool {
        i < self.types.len().min(MAX_EXTERN) && self.wanted >> i & 1 == 1
    }

    /// The elements of an array, row-major, to be written. Each can be taken once, and several be held at a time.
    ///
    /// # Errors
    ///
    /// When the elements are of another type, there is no such array, it was taken before, or nobody wants it.
    pub fn take<T: HostElement>(&mut self, i: usize) -> Result<&'a mut [T], OpError> {
        typed::<T>(self.what, self.types, i)?;
        match self.parts.get_mut(i).and_then(Option::take) {
            Some(part) => Ok(slice_of_mut(part)?),
            None => Err(OpError::new(match self.is_wanted(i) {
                true => format!("{} {i} is taken twice", self.what),
                false => format!("{} {i} is not wanted: `is_wanted` says so", self.what),
            })),
        }
    }

    /// The elements of an array, if anybody asks for it.
    ///
    /// # Errors
    ///
    /// As [`ArraysMut::take`].
    pub fn take_wanted<T: HostElement>(&mut self, i: usize) -> Result<Option<&'a mut [T]>, OpError> {
        match self.is_wanted(i) || i >= self.types.len() {
            true => self.take(i).map(Some),
            false => Ok(None),
        }
    }
}

/// Whether array `i` is there and holds elements of this type.
fn typed<T: HostElement>(what: &str, types: &[ArrayType], i: usize) -> Result<(), OpError> {
    match types.get(i) {
        Some(t) if t.dtype == T::DTYPE => Ok(()),
        Some(t) => Err(OpError::new(format!("{what} {i} holds {}, not {}", t.dtype, T::DTYPE))),
        None => Err(OpError::new(format!("there is no {what} {i}, of {} in all", types.len()))),
    }
}
