//! Arrays from and to host memory and npy files.

use super::{NDArray, memory};
use crate::device::Device;
use crate::error::Result;
use crate::io::{HostArray, HostElement, npy};
use crate::storage::Buffer;
use mxr_graph::dtype::DType;
use std::path::Path;

/// Evaluate with a type alias for the Rust type of an element type.
macro_rules! with_element {
    ($dtype:expr, $T:ident => $body:expr) => {
        with_element!(@ $dtype, $T => $body;
            F32: f32, F64: f64, F16: half::f16, Bf16: half::bf16,
            I8: i8, U8: u8, I32: i32, I64: i64, Bool: bool)
    };
    (@ $dtype:expr, $T:ident => $body:expr; $($variant:ident: $type:ty),*) => {
        match $dtype {
            $(DType::$variant => {
                type $T = $type;
                $body
            })*
        }
    };
}

impl NDArray {
    /// A copy of a host array.
    pub fn from_host(host: &HostArray) -> Result<NDArray> {
        NDArray::from_host_on(&Device::cpu(), host)
    }

    /// A copy of a host array on a device.
    pub fn from_host_on(device: &Device, host: &HostArray) -> Result<NDArray> {
        let buffer =
            with_element!(host.dtype(), T => Buffer::from_slice(host.as_slice::<T>()?)).map_err(memory)?;
        Ok(NDArray::whole(buffer, host.shape(), host.dtype(), device))
    }

    /// A copy in host memory; waits.
    pub fn to_host(&self) -> Result<HostArray> {
        self.sound()?;
        fn host<T: HostElement>(array: &NDArray) -> Result<HostArray> {
            Ok(HostArray::from_vec(array.to_vec::<T>()?, array.shape())?)
        }
        with_element!(self.dtype, T => host::<T>(self))
    }

    /// Overwrite the elements with those of a host array, converted to this array's type; waits until the array may be
    /// written. Nothing is allocated when the types are the same.
    ///
    /// # Errors
    ///
    /// When the shapes differ, or integers are to be made of numbers that are none (labels `2.9` or NaN).
    pub fn copy_from_host(&self, host: &HostArray) -> Result<()> {
        self.sound()?;
        if host.shape() != self.shape() {
            return Err(crate::Error::invalid(
                "NDArray::copy_from_host",
                format!("shape {:?} into shape {:?}", host.shape(), self.shape()),
                "the shapes must be equal",
            ));
        }
        if host.dtype() == self.dtype {
            return with_element!(self.dtype, T => self.copy_from_slice(host.as_slice::<T>()?));
        }
        if host.dtype().is_float()
            && !self.dtype.is_float()
            && let Some((at, x)) = host.to_f32().iter().enumerate().find(|(_, x)| x.fract() != 0.0)
        {
            return Err(crate::Error::invalid(
                "NDArray::copy_from_host",
                format!("element {at} is {x}, which is no {}", self.dtype),
                "provide whole numbers, or convert them with `to_dtype`, which truncates",
            ));
        }
        self.assign(&NDArray::from_host_on(&self.device, host)?)
    }

    /// Read an array from an npy file.
    pub fn load_npy(path: impl AsRef<Path>) -> Result<NDArray> {
        NDArray::from_host(&npy::read(path)?)
    }

    /// Write the array as an npy file; waits.
    pub fn save_npy(&self, path: impl AsRef<Path>) -> Result<()> {
        Ok(npy::write(path, &self.to_host()?)?)
    }

    /// The same elements converted to another type. Floats to integers truncate and saturate.
    pub fn to_dtype(&self, dtype: DType) -> Result<NDArray> {
        if dtype == self.dtype {
            return Ok(self.clone());
        }
        let y = NDArray::uninit(&self.device, self.shape(), dtype)?;
        y.assign(self)?;
        Ok(y)
    }
}

macro_rules! nested {
    ($([$($k:ident)*] $ty:ty;)*) => {$(
        impl<T: HostElement, $(const $k: usize),*> TryFrom<$ty> for NDArray {
            type Error = crate::Error;
            /// From nested Rust arrays, outermost first.
            fn try_from(rows: $ty) -> Result<NDArray> {
                NDArray::from_slice(nested!(@flat rows $($k)*), &[$($k),*])
            }
        }
    )*};
    (@flat $rows:ident $a:ident) => { $rows.as_slice() };
    (@flat $rows:ident $a:ident $b:ident) => { $rows.as_flattened() };
    (@flat $rows:ident $a:ident $b:ident $c:ident) => { $rows.as_flattened().as_flattened() };
    (@flat $rows:ident $a:ident $b:ident $c:ident $d:ident) => { $rows.as_flattened().as_flattened().as_flattened() };
}
nested! {
    [A] [T; A];
    [A B] [[T; B]; A];
    [A B C] [[[T; C]; B]; A];
    [A B C D] [[[[T; D]; C]; B]; A];
}

impl<T: HostElement> TryFrom<&[T]> for NDArray {
    type Error = crate::Error;
    /// A vector.
    fn try_from(elements: &[T]) -> Result<NDArray> {
        NDArray::from_slice(elements, &[elements.len()])
    }
}

impl<T: HostElement> TryFrom<Vec<Vec<T>>> for NDArray {
    type Error = crate::Error;
    /// A matrix, row by row; the rows must be equally long.
    fn try_from(rows: Vec<Vec<T>>) -> Result<NDArray> {
        let columns = rows.first().map_or(0, Vec::len);
        if let Some(other) = rows.iter().find(|r| r.len() != columns) {
            return Err(crate::Error::invalid(
                "NDArray",
                format!("a row of {} elements beside one of {columns}", other.len()),
                "give all rows the same length",
            ));
        }
        NDArray::from_slice(&rows.concat(), &[rows.len(), columns])
    }
}

impl TryFrom<&HostArray> for NDArray {
    type Error = crate::Error;
    /// A copy.
    fn try_from(host: &HostArray) -> Result<NDArray> {
        NDArray::from_host(host)
    }
}

impl<T: HostElement> TryFrom<Vec<T>> for NDArray {
    type Error = crate::Error;
    /// A vector.
    fn try_from(elements: Vec<T>) -> Result<NDArray> {
        NDArray::from_slice(&elements, &[elements.len()])
    }
}

/// The elements as texts.
pub(super) fn texts(array: &NDArray) -> Result<Vec<String>> {
    fn all<T: HostElement + std::fmt::Debug>(array: &NDArray) -> Result<Vec<String>> {
        array.with_slice(|s: &[T]| s.iter().map(|x| format!("{x:?}")).collect())
    }
    match array.dtype {
        DType::F32 => array.with_slice(|s: &[f32]| s.iter().map(|x| number(f64::from(*x))).collect()),
        DType::F64 => array.with_slice(|s: &[f64]| s.iter().map(|x| number(*x)).collect()),
        DType::F16 | DType::Bf16 => array.with_f32(|s| s.iter().map(|x| number(f64::from(*x))).collect()),
        DType::I8 => all::<i8>(array),
        DType::U8 => all::<u8>(array),
        DType::I32 => all::<i32>(array),
        DType::I64 => all::<i64>(array),
        DType::Bool => all::<bool>(array),
    }
}

/// Four significant digits, whole numbers as `1.`, as numpy prints them.
fn number(x: f64) -> String {
    let size = x.abs();
    if x.is_nan() || x.is_infinite() {
        return format!("{x}").to_lowercase();
    }
    if x.fract() == 0.0 && size < 1e8 {
        return format!("{x:.0}.");
    }
    if !(1e-4..1e8).contains(&size) {
        return format!("{x:.4e}");
    }
    let digits = (4 - size.log10().floor() as i32).clamp(0, 8) as usize;
    let text = format!("{x:.digits$}");
    text.trim_end_matches('0').to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_arrays_and_vectors() {
        let a = NDArray::try_from([[1.0f32, 2.0], [3.0, 4.0], [5.0, 6.0]]).expect("fits");
        assert_eq!(
            (a.shape(), a.at(2).and_then(|r| r.to_vec::<f32>()).expect("a row")),
            (&[3, 2][..], vec![5.0, 6.0])
        );
        let v = NDArray::try_from(vec![1u8, 2]).expect("fits");
        assert_eq!((v.shape(), v.dtype()), (&[2][..], DType::U8));
        let m = NDArray::try_from(vec![vec![1f32, 2.0], vec![3.0, 4.0], vec![5.0, 6.0]]).expect("fits");
        assert_eq!((m.shape(), m.to_vec::<f32>().ok()), (a.shape(), a.to_vec::<f32>().ok()));
        assert!(NDArray::try_from(vec![vec![1f32], vec![]]).is_err());
        let cube = NDArray::try_from([[[[1i64; 2]; 3]; 1]; 2]).expect("fits");
        assert_eq!(cube.shape(), [2, 1, 3, 2]);
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(
            [1.0, -0.5, 123.456789, 1e-7, 1e12, f64::NAN].map(number),
            ["1.", "-0.5", "123.46", "1.0000e-7", "1.0000e12", "nan"]
        );
    }

    #[test]
    fn conversion_truncates_and_saturates() {
        let x = NDArray::try_from([1.9f32, -1.9, 300.0, f32::NAN]).expect("fits");
        assert_eq!(x.to_dtype(DType::U8).and_then(|y| y.to_vec::<u8>()).expect("converted"), [1, 0, 255, 0]);
        let h = x.to_dtype(DType::F16).and_then(|y| y.to_dtype(DType::F32)).expect("there and back");
        assert_eq!(h.rows(0..1).and_then(|r| r.item::<f32>()).expect("one"), 1.9003906);
    }
}
