//! Bytes seen as elements, and elements as bytes.

use std::any::TypeId;
use std::slice;

use half::{bf16, f16};

use super::error::StorageError;

/// The elements that these bytes are.
///
/// `T` is one of f32, f64, [`f16`](struct@half::f16), [`bf16`](half::bf16), the integers of 8 to 64 bits, and bool.
///
/// ```
/// use mxr::storage::{bytes_of, slice_of};
/// let bytes = bytes_of(&[1i32, -1]).unwrap();
/// assert_eq!(bytes[4..], [255; 4]);
/// assert_eq!(slice_of::<i32>(bytes), Ok(&[1, -1][..]));
/// ```
///
/// # Errors
///
/// If `T` is another type, the bytes are not a whole number of elements or not aligned for them, or a bool is neither
/// 0 nor 1.
pub fn slice_of<T: Copy + 'static>(bytes: &[u8]) -> Result<&[T], StorageError> {
    check::<T>(bytes)?;
    if TypeId::of::<T>() == TypeId::of::<bool>() && bytes.iter().any(|&b| b > 1) {
        return Err(refusal::<T>("one is neither 0 nor 1", bytes));
    }
    // SAFETY: `check` has seen that the address is aligned, that `T` is on the list of plain types, and that the length
    // is a multiple of its size; all bit patterns of these types are valid but for bool, looked at above.
    Ok(unsafe { slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len() / size_of::<T>()) })
}

/// The elements that these bytes are, to be changed. What is not 0 in a bool becomes 1.
///
/// # Errors
///
/// As [`slice_of`].
pub fn slice_of_mut<T: Copy + 'static>(bytes: &mut [u8]) -> Result<&mut [T], StorageError> {
    check::<T>(bytes)?;
    if TypeId::of::<T>() == TypeId::of::<bool>() {
        bytes.iter_mut().for_each(|b| *b = (*b).min(1));
    }
    // SAFETY: as in `slice_of`; every value of a plain type is valid bytes again.
    Ok(unsafe { slice::from_raw_parts_mut(bytes.as_mut_ptr().cast(), bytes.len() / size_of::<T>()) })
}

/// The bytes of these elements.
///
/// # Errors
///
/// If `T` is not one of the types of [`slice_of`].
pub fn bytes_of<T: Copy + 'static>(elements: &[T]) -> Result<&[u8], StorageError> {
    if !is_plain::<T>() {
        return Err(refusal::<T>("it is not an element type", &[]));
    }
    // SAFETY: plain types have no padding, so each of their bytes is initialised.
    Ok(unsafe { slice::from_raw_parts(elements.as_ptr().cast(), size_of_val(elements)) })
}

fn check<T: Copy + 'static>(bytes: &[u8]) -> Result<(), StorageError> {
    if !is_plain::<T>() {
        Err(refusal::<T>("it is not an element type", bytes))
    } else if !bytes.len().is_multiple_of(size_of::<T>()) {
        Err(refusal::<T>("they are not a whole number of elements", bytes))
    } else if !bytes.as_ptr().cast::<T>().is_aligned() {
        Err(refusal::<T>("they are not aligned", bytes))
    } else {
        Ok(())
    }
}

fn is_plain<T: 'static>() -> bool {
    macro_rules! one_of {
        ($($t:ty),*) => { false $(|| TypeId::of::<T>() == TypeId::of::<$t>())* };
    }
    one_of!(f32, f64, f16, bf16, i8, u8, i16, u16, i32, u32, i64, u64, bool)
}

fn refusal<T>(reason: &'static str, bytes: &[u8]) -> StorageError {
    StorageError::NotElements { element: std::any::type_name::<T>(), reason, bytes: bytes.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_aligned_valid_elements_pass() {
        let words = [1u64, 2];
        let bytes = bytes_of(&words).unwrap();
        assert_eq!(slice_of::<u64>(bytes).unwrap(), words);
        assert!(slice_of::<f32>(&bytes[..6]).is_err());
        assert!(slice_of::<f32>(&bytes[1..5]).unwrap_err().to_string().contains("not aligned"));
        assert!(slice_of::<char>(&bytes[..4]).unwrap_err().to_string().contains("not an element type"));
        assert!(slice_of::<[u8; 2]>(bytes).is_err());
        assert!(bytes_of(&["text"]).is_err());
        assert_eq!(slice_of::<bool>(&[0, 1]).unwrap(), [false, true]);
        assert!(slice_of::<bool>(&[0, 2]).is_err());
        assert_eq!(slice_of_mut::<bool>(&mut [0, 2]).unwrap(), [false, true]);
    }
}
