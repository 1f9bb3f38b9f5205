//! Plain arrays in host memory: what the file formats read and write and what the data iterators serve.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use half::{bf16, f16};
use mxr_graph::dtype::DType;
use zerocopy::{FromBytes, IntoBytes};

use super::error::FormatError;

/// A row-major array in host memory: an element type, a shape and the elements.
///
/// The shape `[]` is a scalar with one element; an extent of 0 makes an empty array. The elements are held in a
/// vector of their own type, so every typed view is aligned and free.
///
/// ```
/// use mxr::io::HostArray;
///
/// let a = HostArray::from_vec(vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 3])?;
/// assert_eq!(a.as_slice::<f32>()?[4], 5.0);
/// assert!(a.as_slice::<i64>().is_err());
/// assert!(HostArray::from_vec(vec![1i64, 2, 3], &[2, 2]).is_err());
/// # Ok::<(), mxr::io::FormatError>(())
/// ```
#[derive(Clone)]
pub struct HostArray {
    shape: Vec<usize>,
    elements: Elements,
}

/// A Rust type that is an element type of arrays: f32, f64, [`struct@f16`], [`bf16`], i8, u8, i32, i64 and bool.
pub trait HostElement: private::Held {}

/// Evaluates one expression with `$v` bound to the vector inside, whatever its type.
macro_rules! with_elements {
    ($elements:expr, $v:ident => $body:expr) => {
        match $elements {
            Elements::F32($v) => $body,
            Elements::F64($v) => $body,
            Elements::F16($v) => $body,
            Elements::Bf16($v) => $body,
            Elements::I8($v) => $body,
            Elements::U8($v) => $body,
            Elements::I32($v) => $body,
            Elements::I64($v) => $body,
            Elements::Bool($v) => $body,
        }
    };
}

impl HostArray {
    /// An array of `shape` over `data`, without copying.
    ///
    /// # Errors
    /// When the number of elements is not the product of the shape.
    pub fn from_vec<T: HostElement>(data: Vec<T>, shape: &[usize]) -> Result<HostArray, FormatError> {
        check_count(shape, data.len())?;
        Ok(HostArray { shape: shape.to_vec(), elements: T::wrap(data) })
    }

    /// An array of zeros (`false` for bool).
    ///
    /// # Errors
    /// When the product of the shape does not fit the address space.
    pub fn zeros(dtype: DType, shape: &[usize]) -> Result<HostArray, FormatError> {
        let n = element_count(shape)
            .filter(|n| n.checked_mul(dtype.size()).is_some_and(|bytes| isize::try_from(bytes).is_ok()))
            .ok_or_else(|| {
                FormatError::argument(
                    "HostArray",
                    format!("the shape {shape:?} is too large"),
                    "use a smaller shape",
                )
            })?;
        let elements = match dtype {
            DType::F32 => Elements::F32(vec![0.0; n]),
            DType::F64 => Elements::F64(vec![0.0; n]),
            DType::F16 => Elements::F16(vec![f16::ZERO; n]),
            DType::Bf16 => Elements::Bf16(vec![bf16::ZERO; n]),
            DType::I8 => Elements::I8(vec![0; n]),
            DType::U8 => Elements::U8(vec![0; n]),
            DType::I32 => Elements::I32(vec![0; n]),
            DType::I64 => Elements::I64(vec![0; n]),
            DType::Bool => Elements::Bool(vec![false; n]),
        };
        Ok(HostArray { shape: shape.to_vec(), elements })
    }

    /// An array from the memory image of its elements, in this machine's byte order.
    ///
    /// # Errors
    /// When the length does not fit type and shape, or a byte of a bool array is neither 0 nor 1.
    pub fn from_bytes(dtype: DType, shape: &[usize], bytes: &[u8]) -> Result<HostArray, FormatError> {
        let mut array = HostArray::zeros(dtype, shape)?;
        if bytes.len() != array.size_in_bytes() {
            return Err(FormatError::argument(
                "HostArray",
                format!(
                    "{} bytes for {dtype} of shape {shape:?}, which takes {}",
                    bytes.len(),
                    array.size_in_bytes()
                ),
                "pass the bytes of exactly this array",
            ));
        }
        match &mut array.elements {
            Elements::F32(v) => v.as_mut_bytes().copy_from_slice(bytes),
            Elements::F64(v) => v.as_mut_bytes().copy_from_slice(bytes),
            Elements::F16(v) => v.as_mut_bytes().copy_from_slice(bytes),
            Elements::Bf16(v) => v.as_mut_bytes().copy_from_slice(bytes),
            Elements::I8(v) => v.as_mut_bytes().copy_from_slice(bytes),
            Elements::U8(v) => v.copy_from_slice(bytes),
            Elements::I32(v) => v.as_mut_bytes().copy_from_slice(bytes),
            Elements::I64(v) => v.as_mut_bytes().copy_from_slice(bytes),
            Elements::Bool(v) => {
                *v = bools(bytes.to_vec()).map_err(|(at, byte)| {
                    FormatError::argument(
                        "HostArray",
                        format!("element {at} of a bool array is the byte {byte}"),
                        "a bool is the byte 0 or 1; use u8 for other values",
                    )
                })?
            }
        }
        Ok(array)
    }

    pub(crate) fn from_elements(elements: Elements, shape: Vec<usize>) -> HostArray {
        let n = with_elements!(&elements, v => v.len());
        assert_eq!(element_count(&shape), Some(n), "elements and shape were checked by the reader");
        HostArray { shape, elements }
    }

    /// The elements, to be changed in place.
    ///
    /// # Errors
    /// When `T` is not the element type.
    pub fn as_mut_slice<T: HostElement>(&mut self) -> Result<&mut [T], FormatError> {
        let dtype = self.dtype();
        T::held_mut(&mut self.elements).map(Vec::as_mut_slice).ok_or_else(|| wrong_type::<T>(dtype))
    }

    /// Copies the rows `ids` (indices into the first dimension) of `source` into the rows of this array, in order.
    ///
    /// # Errors
    /// When types or row shapes differ, the number of rows is not that of `ids`, or an id is out of range.
    pub fn gather_rows(&mut self, source: &HostArray, ids: &[usize]) -> Result<(), FormatError> {
        let rows = source.rows()?;
        if self.dtype() != source.dtype()
            || self.shape.is_empty()
            || self.shape[1..] != source.shape[1..]
            || self.shape[0] != ids.len()
        {
            return Err(FormatError::argument(
                "HostArray",
                format!("{} rows of {source:?} do not fit into {self:?}", ids.len()),
                "give the target the same type, one row per id and the row shape of the source",
            ));
        }
        if let Some(bad) = ids.iter().find(|&&id| id >= rows) {
            return Err(FormatError::argument(
                "HostArray",
                format!("row {bad} of an array of {rows} rows"),
                "row ids start at 0",
            ));
        }
        macro_rules! copy {
            ($($kind:ident),*) => {
                match (&source.elements, &mut self.elements) {
                    $((Elements::$kind(from), Elements::$kind(to)) => copy_rows(from, to, rows, ids),)*
                    _ => unreachable!("the types were compared above"),
                }
            };
        }
        copy!(F32, F64, F16, Bf16, I8, U8, I32, I64, Bool);
        Ok(())
    }

    /// Puts the stored runs of `run` elements of `source` to the places `targets` (counted in runs), which the
    /// caller has checked against both lengths. Types are equal.
    pub(crate) fn scatter_runs(&mut self, source: &HostArray, targets: &[usize], run: usize) {
        macro_rules! scatter {
            ($($kind:ident),*) => {
                match (&source.elements, &mut self.elements) {
                    $((Elements::$kind(from), Elements::$kind(to)) => {
                        for (i, &target) in targets.iter().enumerate() {
                            to[target * run..(target + 1) * run].copy_from_slice(&from[i * run..(i + 1) * run]);
                        }
                    })*
                    _ => unreachable!("the dense array was made with the type of the stored one"),
                }
            };
        }
        scatter!(F32, F64, F16, Bf16, I8, U8, I32, I64, Bool);
    }

    /// The elements at the positions that `source` gives one after the other, under a new shape.
    pub(crate) fn permuted(&self, mut source: impl FnMut() -> usize, shape: Vec<usize>) -> HostArray {
        macro_rules! pick {
            ($($kind:ident),*) => {
                match &self.elements {
                    $(Elements::$kind(v) => Elements::$kind((0..v.len()).map(|_| v[source()]).collect()),)*
                }
            };
        }
        HostArray::from_elements(pick!(F32, F64, F16, Bf16, I8, U8, I32, I64, Bool), shape)
    }

    /// The same elements under another shape.
    ///
    /// # Errors
    /// When the number of elements differs.
    pub fn reshape(self, shape: &[usize]) -> Result<HostArray, FormatError> {
        check_count(shape, self.len())?;
        Ok(HostArray { shape: shape.to_vec(), elements: self.elements })
    }

    /// The elements as a vector, without copying.
    ///
    /// # Errors
    /// When `T` is not the element type.
    pub fn into_vec<T: HostElement>(mut self) -> Result<Vec<T>, FormatError> {
        let dtype = self.dtype();
        T::held_mut(&mut self.elements).map(std::mem::take).ok_or_else(|| wrong_type::<T>(dtype))
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        match &self.elements {
            Elements::F32(_) => DType::F32,
            Elements::F64(_) => DType::F64,
            Elements::F16(_) => DType::F16,
            Elements::Bf16(_) => DType::Bf16,
            Elements::I8(_) => DType::I8,
            Elements::U8(_) => DType::U8,
            Elements::I32(_) => DType::I32,
            Elements::I64(_) => DType::I64,
            Elements::Bool(_) => DType::Bool,
        }
    }

    /// The extents.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        with_elements!(&self.elements, v => v.len())
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that the elements take.
    pub fn size_in_bytes(&self) -> usize {
        self.len() * self.dtype().size()
    }

    /// The elements.
    ///
    /// # Errors
    /// When `T` is not the element type.
    pub fn as_slice<T: HostElement>(&self) -> Result<&[T], FormatError> {
        T::held(&self.elements).map(Vec::as_slice).ok_or_else(|| wrong_type::<T>(self.dtype()))
    }

    /// The memory image of the elements, in this machine's byte order.
    pub fn as_bytes(&self) -> &[u8] {
        with_elements!(&self.elements, v => v.as_bytes())
    }

    /// The elements as little-endian bytes, the order of every format written here.
    pub(crate) fn le_bytes(&self) -> Cow<'_, [u8]> {
        let bytes = self.as_bytes();
        let size = self.dtype().size();
        if cfg!(target_endian = "little") || size == 1 {
            return Cow::Borrowed(bytes);
        }
        let mut swapped = bytes.to_vec();
        swapped.chunks_exact_mut(size).for_each(<[u8]>::reverse);
        Cow::Owned(swapped)
    }

    /// Every element as f32: rounded to nearest from f64, i32 and i64; bool gives 0 and 1.
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.elements {
            Elements::F32(v) => v.clone(),
            Elements::F64(v) => v.iter().map(|&x| x as f32).collect(),
            Elements::F16(v) => v.iter().map(|x| x.to_f32()).collect(),
            Elements::Bf16(v) => v.iter().map(|x| x.to_f32()).collect(),
            Elements::I8(v) => v.iter().map(|&x| f32::from(x)).collect(),
            Elements::U8(v) => v.iter().map(|&x| f32::from(x)).collect(),
            Elements::I32(v) => v.iter().map(|&x| x as f32).collect(),
            Elements::I64(v) => v.iter().map(|&x| x as f32).collect(),
            Elements::Bool(v) => v.iter().map(|&x| f32::from(u8::from(x))).collect(),
        }
    }

    /// The rows `range` of the first dimension, copied.
    ///
    /// # Errors
    /// When the array is a scalar or the range does not lie within the rows.
    pub fn slice_rows(&self, range: Range<usize>) -> Result<HostArray, FormatError> {
        let rows = self.rows()?;
        if range.start > range.end || range.end > rows {
            return Err(FormatError::argument(
                "HostArray",
                format!("rows {range:?} of an array of {rows} rows"),
                "take a range within the first dimension",
            ));
        }
        let mut shape = self.shape.clone();
        shape[0] = range.len();
        let row: usize = self.shape[1..].iter().product();
        let part = range.start * row..range.end * row;
        macro_rules! cut {
            ($($kind:ident),*) => {
                match &self.elements { $(Elements::$kind(v) => Elements::$kind(v[part].to_vec()),)* }
            };
        }
        Ok(HostArray { shape, elements: cut!(F32, F64, F16, Bf16, I8, U8, I32, I64, Bool) })
    }

    /// The extent of the first dimension.
    pub(crate) fn rows(&self) -> Result<usize, FormatError> {
        self.shape.first().copied().ok_or_else(|| {
            FormatError::argument(
                "HostArray",
                "a scalar has no rows",
                "reshape it to [1] or pass an array of samples",
            )
        })
    }
}

impl fmt::Debug for HostArray {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?}", self.dtype(), self.shape)
    }
}

/// The product of a shape, when it and the product of its non-zero extents fit `usize`.
pub(crate) fn element_count(shape: &[usize]) -> Option<usize> {
    let nonzero = shape.iter().filter(|&&d| d != 0).try_fold(1usize, |n, &d| n.checked_mul(d))?;
    Some(if shape.contains(&0) { 0 } else { nonzero })
}

/// Bytes of a bool array as bools, or the first byte that is not 0 or 1 and where it is.
pub(crate) fn bools(bytes: Vec<u8>) -> Result<Vec<bool>, (usize, u8)> {
    match bytes.iter().position(|&b| b > 1) {
        Some(at) => Err((at, bytes[at])),
        None => Ok(bytes.into_iter().map(|b| b == 1).collect()),
    }
}

fn check_count(shape: &[usize], len: usize) -> Result<(), FormatError> {
    if element_count(shape) == Some(len) {
        return Ok(());
    }
    Err(FormatError::argument(
        "HostArray",
        format!("{len} elements do not make the shape {shape:?}"),
        "pass as many elements as the product of the shape",
    ))
}

fn wrong_type<T: HostElement>(dtype: DType) -> FormatError {
    FormatError::argument(
        "HostArray",
        format!("the elements are {dtype}, not {}", T::DTYPE),
        "ask for the array's own type, or convert with `to_f32`",
    )
}

fn copy_rows<T: Copy>(from: &[T], to: &mut [T], rows: usize, ids: &[usize]) {
    if from.is_empty() {
        return;
    }
    let row = from.len() / rows;
    for (&id, target) in ids.iter().zip(to.chunks_exact_mut(row)) {
        target.copy_from_slice(&from[id * row..(id + 1) * row]);
    }
}

pub(crate) use private::Elements;

mod private {
    use super::{DType, bf16, f16};

    /// The elements in a vector of their type.
    #[derive(Clone)]
    pub enum Elements {
        F32(Vec<f32>),
        F64(Vec<f64>),
        F16(Vec<f16>),
        Bf16(Vec<bf16>),
        I8(Vec<i8>),
        U8(Vec<u8>),
        I32(Vec<i32>),
        I64(Vec<i64>),
        Bool(Vec<bool>),
    }

    pub trait Held: Copy + Send + Sync + 'static {
        const DTYPE: DType;
        fn wrap(data: Vec<Self>) -> Elements;
        fn held(elements: &Elements) -> Option<&Vec<Self>>;
        fn held_mut(elements: &mut Elements) -> Option<&mut Vec<Self>>;
    }
}

macro_rules! held {
    ($($ty:ty => $kind:ident),*) => {$(
        impl private::Held for $ty {
            const DTYPE: DType = DType::$kind;
            fn wrap(data: Vec<$ty>) -> Elements {
                Elements::$kind(data)
            }
            fn held(elements: &Elements) -> Option<&Vec<$ty>> {
                if let Elements::$kind(v) = elements { Some(v) } else { None }
            }
            fn held_mut(elements: &mut Elements) -> Option<&mut Vec<$ty>> {
                if let Elements::$kind(v) = elements { Some(v) } else { None }
            }
        }
        impl HostElement for $ty {}
    )*};
}
held!(f32 => F32, f64 => F64, f16 => F16, bf16 => Bf16, i8 => I8, u8 => U8, i32 => I32, i64 => I64, bool => Bool);

/// A number that can be read straight into memory and turned round when the file has the other byte order.
pub(crate) trait Raw: FromBytes + IntoBytes + Copy {
    const ZERO: Self;
}

macro_rules! raw {
    ($($ty:ty => $zero:expr),*) => {$( impl Raw for $ty { const ZERO: $ty = $zero; } )*};
}
raw!(f32 => 0.0, f64 => 0.0, f16 => f16::ZERO, bf16 => bf16::ZERO, i8 => 0, u8 => 0, i16 => 0, u16 => 0,
     i32 => 0, u32 => 0, i64 => 0);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_checked_even_when_an_extent_is_zero() {
        assert_eq!(element_count(&[]), Some(1));
        assert_eq!(element_count(&[0, 3]), Some(0));
        assert_eq!(element_count(&[0, usize::MAX, 2]), None);
        assert!(HostArray::zeros(DType::F64, &[usize::MAX / 8, 2]).is_err());
    }

    #[test]
    fn rows_are_gathered_and_sliced() {
        let source = HostArray::from_vec((0..12).collect::<Vec<i32>>(), &[4, 3]).unwrap();
        let mut two = HostArray::zeros(DType::I32, &[2, 3]).unwrap();
        two.gather_rows(&source, &[3, 1]).unwrap();
        assert_eq!(two.as_slice::<i32>().unwrap(), [9, 10, 11, 3, 4, 5]);
        assert!(two.gather_rows(&source, &[4, 0]).is_err());
        assert!(two.gather_rows(&source, &[1]).is_err());
        let tail = source.slice_rows(2..4).unwrap();
        assert_eq!((tail.shape(), tail.as_slice::<i32>().unwrap()[0]), (&[2, 3][..], 6));
        assert!(source.slice_rows(3..5).is_err());
    }

    #[test]
    fn bytes_go_in_and_out_for_every_type() {
        for dtype in DType::ALL {
            let bytes: Vec<u8> = (0..6 * dtype.size()).map(|i| (i % 2) as u8).collect();
            let array = HostArray::from_bytes(dtype, &[2, 3], &bytes).unwrap();
            assert_eq!((array.dtype(), array.as_bytes()), (dtype, &bytes[..]));
            assert!(HostArray::from_bytes(dtype, &[2, 4], &bytes).is_err());
        }
        assert!(HostArray::from_bytes(DType::Bool, &[1], &[2]).is_err());
    }
}
