//! Arrays that are computed with eagerly: every operation returns at once and runs in the engine when its turn comes.

mod arithmetic;
mod convert;
mod create;
mod custom;
mod display;
mod invoke;

pub use custom::gradients;
pub(crate) use invoke::invoke;

use crate::device::Device;
use crate::device::kernel::{Part, Spec};
use crate::error::{Error, Result};
use crate::io::HostElement;
use crate::storage::{Buffer, bytes_of, slice_of};
use mxr_graph::dtype::DType;
use std::ops::Range;

mxr_macros::__operators!(ndarray);

/// An array of numbers on a device.
///
/// * **Asynchronous.** Operations return at once; [`NDArray::to_vec`] and the other readers wait. What goes wrong while
///   an operation runs is delivered there.
/// * **Mutable.** `a += &b`, [`NDArray::assign`], [`NDArray::fill_with`] change the array in place, in push order.
/// * **Shared.** Cloning gives another handle of the same memory; so do the views [`NDArray::rows`], [`NDArray::at`] and
///   `reshape`. [`NDArray::copy`] makes new memory.
/// * Operators are methods, the same as in `network!`, with options in [`opts`](crate::opts).
///
/// Memory is dense and row-major.
///
/// ```
/// use mxr::NDArray;
/// let a = NDArray::from_slice(&[1.0f32, 2.0, 3.0, 4.0], &[2, 2])?;
/// let b = NDArray::full(&[2, 2], 10.0f32)?;
/// let mut c = &a * &b + 1.0;
/// c -= &a;
/// assert_eq!(c.to_vec::<f32>()?, [10.0, 19.0, 28.0, 37.0]);
/// assert_eq!(c.matmul(&a)?.sum()?.item::<f32>()?, 506.0);
/// # Ok::<(), mxr::Error>(())
/// ```
#[derive(Clone)]
pub struct NDArray {
    buffer: Buffer,
    /// First byte in the buffer.
    start: usize,
    shape: Vec<usize>,
    dtype: DType,
    device: Device,
    /// An operation written as `a + b` that did not fit: readers deliver it.
    fault: Option<Error>,
}

impl NDArray {
    /// Memory whose content does not matter: it is written before it is read.
    pub(crate) fn uninit(device: &Device, shape: &[usize], dtype: DType) -> Result<NDArray> {
        let buffer = Buffer::new(size(shape, dtype)?).map_err(memory)?;
        Ok(NDArray::whole(buffer, shape, dtype, device))
    }

    fn whole(buffer: Buffer, shape: &[usize], dtype: DType, device: &Device) -> NDArray {
        NDArray { buffer, start: 0, shape: shape.to_vec(), dtype, device: device.clone(), fault: None }
    }

    /// What stands for the result of an operation that did not fit.
    fn faulty(error: Error, device: &Device) -> NDArray {
        let buffer = Buffer::new(0).expect("no bytes are few enough");
        NDArray { fault: Some(error), ..NDArray::whole(buffer, &[0], DType::F32, device) }
    }

    /// The extents, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Number of axes.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Where it lives.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// A view of rows of axis 0: shares memory and order of operations with this array.
    ///
    /// # Errors
    ///
    /// When the range is not within axis 0.
    pub fn rows(&self, rows: Range<usize>) -> Result<NDArray> {
        self.sound()?;
        let Some(n) = self.shape.first().copied() else {
            return Err(Error::invalid(
                "NDArray::rows",
                "an array without axes has no rows",
                "reshape it first",
            ));
        };
        if rows.start > rows.end || rows.end > n {
            return Err(Error::invalid(
                "NDArray::rows",
                format!("rows {rows:?} of an array of shape {:?}", self.shape),
                format!("axis 0 has {n} rows"),
            ));
        }
        let mut view = self.clone();
        view.start += rows.start * self.shape[1..].iter().product::<usize>() * self.dtype.size();
        view.shape[0] = rows.len();
        Ok(view)
    }

    /// A view of one element of axis 0, without that axis.
    pub fn at(&self, row: usize) -> Result<NDArray> {
        let mut view = self.rows(row..row.saturating_add(1))?;
        view.shape.remove(0);
        Ok(view)
    }

    /// The same memory under another shape.
    pub(crate) fn view(&self, shape: &[usize]) -> NDArray {
        debug_assert_eq!(shape.iter().product::<usize>(), self.len(), "a view has the same elements");
        NDArray { shape: shape.to_vec(), ..self.clone() }
    }

    /// New memory with the same elements.
    #[track_caller]
    pub fn copy(&self) -> Result<NDArray> {
        self.sound()?;
        let new = NDArray::uninit(&self.device, &self.shape, self.dtype)?;
        new.assign(self)?;
        Ok(new)
    }

    /// A copy on another device.
    #[track_caller]
    pub fn copy_to(&self, device: &Device) -> Result<NDArray> {
        if self.device.same(device) {
            return self.copy();
        }
        let host = self.to_host()?;
        NDArray::from_host_on(device, &host)
    }

    /// Overwrite every element with those of `source`, converted to this array's type.
    ///
    /// # Errors
    ///
    /// When the shapes differ, or the arrays are on different devices.
    #[track_caller]
    pub fn assign(&self, source: &NDArray) -> Result<()> {
        self.sound()?;
        source.sound()?;
        if self.shape != source.shape {
            return Err(Error::invalid(
                "NDArray::assign",
                format!("shape {:?} into shape {:?}", source.shape, self.shape),
                "the shapes must be equal; `reshape` or broadcast first",
            ));
        }
        invoke::assign(self, source)
    }

    /// Overwrite every element with this number, converted to the array's type.
    #[track_caller]
    pub fn fill_with(&self, value: f64) -> Result<()> {
        self.sound()?;
        invoke::fill(self, value)
    }

    /// Overwrite the elements with these; waits until the array may be written.
    ///
    /// # Errors
    ///
    /// When type or number differ.
    #[track_caller]
    pub fn copy_from_slice<T: HostElement>(&self, elements: &[T]) -> Result<()> {
        self.sound()?;
        if T::DTYPE != self.dtype || elements.len() != self.len() {
            return Err(Error::invalid(
                "NDArray::copy_from_slice",
                format!("{} elements of {} into {}{:?}", elements.len(), T::DTYPE, self.dtype, self.shape),
                "element type and number must be the same",
            ));
        }
        let bytes = bytes_of(elements).map_err(memory)?;
        let (start, engine) = (self.start, self.device.engine());
        let whole = self.start == 0 && self.buffer.len() == bytes.len();
        let props = crate::engine::Properties::new("copy_from_slice").overwrites(whole);
        engine.run_here(&[], &[self.buffer.var()], props, |ctx| {
            ctx.write(&self.buffer)?[start..start + bytes.len()].copy_from_slice(bytes);
            Ok(())
        })?;
        Ok(())
    }

    /// Wait for everything that writes the array, and deliver what went wrong.
    #[track_caller]
    pub fn wait(&self) -> Result<()> {
        self.sound()?;
        Ok(self.device.engine().wait_for(self.buffer.var())?)
    }

    /// The elements; waits.
    ///
    /// # Errors
    ///
    /// What went wrong in the operations that made the array, or a type that is not the array's.
    #[track_caller]
    pub fn to_vec<T: HostElement>(&self) -> Result<Vec<T>> {
        self.with_slice(|s: &[T]| s.to_vec())
    }

    /// The one element of an array that has one; waits.
    #[track_caller]
    pub fn item<T: HostElement>(&self) -> Result<T> {
        self.sound()?;
        if self.len() != 1 {
            return Err(Error::invalid(
                "NDArray::item",
                format!("the array of shape {:?} has {} elements", self.shape, self.len()),
                "reduce it to one element, or use `to_vec`",
            ));
        }
        self.with_slice(|s: &[T]| s[0])
    }

    /// Look at the elements without copying them; waits. The array cannot be written meanwhile.
    #[track_caller]
    pub fn with_slice<T: HostElement, R>(&self, look: impl FnOnce(&[T]) -> R) -> Result<R> {
        self.sound()?;
        if T::DTYPE != self.dtype {
            return Err(Error::invalid(
                "NDArray",
                format!("the elements are {}, not {}", self.dtype, T::DTYPE),
                "ask for the array's own type, or convert it with `cast`",
            ));
        }
        let range = self.bytes();
        let engine = self.device.engine();
        Ok(engine.run_here(&[self.buffer.var()], &[], "read", |ctx| {
            Ok(look(slice_of(&ctx.read(&self.buffer)?[range])?))
        })?)
    }

    /// Look at the elements as f32, converted if need be.
    pub(crate) fn with_f32<R>(&self, look: impl FnOnce(&[f32]) -> R) -> Result<R> {
        match self.dtype {
            DType::F32 => self.with_slice(look),
            _ => Ok(look(&self.to_host()?.to_f32())),
        }
    }

    /// The elements as integers: labels of any type.
    pub(crate) fn to_i64_vec(&self) -> Result<Vec<i64>> {
        match self.dtype {
            DType::I64 => self.to_vec(),
            DType::F64 => Ok(self.to_vec::<f64>()?.into_iter().map(|x| x as i64).collect()),
            DType::I32 => Ok(self.to_vec::<i32>()?.into_iter().map(i64::from).collect()),
            _ => self.with_f32(|s| s.iter().map(|x| *x as i64).collect()),
        }
    }

    /// Whether both are (parts of) the same memory.
    pub fn shares_memory_with(&self, other: &NDArray) -> bool {
        self.buffer.same(&other.buffer)
    }

    /// The fault that an operation written with an operator sign left.
    pub(crate) fn sound(&self) -> Result<()> {
        self.fault.clone().map_or(Ok(()), Err)
    }

    pub(crate) fn bytes(&self) -> Range<usize> {
        self.start..self.start + self.len() * self.dtype.size()
    }

    pub(crate) fn part(&self) -> Part {
        Part { buffer: self.buffer.clone(), bytes: self.bytes() }
    }

    pub(crate) fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    pub(crate) fn spec(&self) -> Spec<'_> {
        Spec { shape: &self.shape, dtype: self.dtype }
    }
}

/// Bytes of an array; an error where no machine has them.
fn size(shape: &[usize], dtype: DType) -> Result<usize> {
    let bytes = shape.iter().try_fold(dtype.size(), |p, d| p.checked_mul(*d));
    let nonzero = shape.iter().filter(|d| **d > 0).try_fold(dtype.size(), |p, d| p.checked_mul(*d));
    match (bytes, nonzero) {
        (Some(b), Some(n)) if n <= isize::MAX as usize => Ok(b),
        _ => Err(Error::invalid(
            "NDArray",
            format!("{dtype}{shape:?} has more bytes than an address space"),
            "use smaller extents",
        )),
    }
}

pub(crate) fn memory(e: crate::storage::StorageError) -> Error {
    Error::invalid("memory", e.to_string(), "use smaller arrays or a smaller batch")
}
