//! New arrays: constants, copies of elements, random numbers.

use super::{NDArray, memory, size};
use crate::device::Device;
use crate::device::kernel::Key;
use crate::engine::Properties;
use crate::error::{Error, Result};
use crate::io::HostElement;
use crate::storage::{Buffer, slice_of_mut};
use mxr_graph::dtype::DType;
use mxr_kernels::random;

impl NDArray {
    /// Zeros of type f32 on the CPU.
    pub fn zeros(shape: &[usize]) -> Result<NDArray> {
        NDArray::zeros_on(&Device::cpu(), shape, DType::F32)
    }

    /// Ones of type f32 on the CPU.
    pub fn ones(shape: &[usize]) -> Result<NDArray> {
        NDArray::full(shape, 1.0f32)
    }

    /// Zeros of a type on a device.
    pub fn zeros_on(device: &Device, shape: &[usize], dtype: DType) -> Result<NDArray> {
        let bytes = size(shape, dtype)?;
        let buffer = Buffer::zeroed(bytes).map_err(memory)?;
        Ok(NDArray::whole(buffer, shape, dtype, device))
    }

    /// Zeros with the shape, type and device of this array.
    pub fn zeros_like(&self) -> Result<NDArray> {
        self.sound()?;
        NDArray::zeros_on(&self.device, &self.shape, self.dtype)
    }

    /// One value everywhere.
    ///
    /// # Errors
    ///
    /// When there is not that much memory.
    pub fn full<T: HostElement>(shape: &[usize], value: T) -> Result<NDArray> {
        NDArray::generated(shape, |elements: &mut [T]| elements.fill(value))
    }

    /// `0, 1, 2, …` of type f32, as a vector. Whole numbers are exact up to 2^24.
    ///
    /// ```
    /// let a = mxr::NDArray::arange(6)?.reshape([2, 3])?;
    /// assert_eq!(a.at(1)?.to_vec::<f32>()?, [3.0, 4.0, 5.0]);
    /// # Ok::<(), mxr::Error>(())
    /// ```
    pub fn arange(n: usize) -> Result<NDArray> {
        NDArray::generated(&[n], |elements: &mut [f32]| {
            elements.iter_mut().enumerate().for_each(|(i, x)| *x = i as f32);
        })
    }

    /// One number as an array without axes.
    pub fn scalar<T: HostElement>(value: T) -> Result<NDArray> {
        NDArray::from_slice(&[value], &[])
    }

    /// A copy of these elements, row by row. Arrays of other crates come this way: `from_slice(a.as_slice(), a.shape())`.
    ///
    /// # Errors
    ///
    /// When there are not as many as the shape says.
    pub fn from_slice<T: HostElement>(elements: &[T], shape: &[usize]) -> Result<NDArray> {
        NDArray::from_slice_on(&Device::cpu(), elements, shape)
    }

    /// A copy of these elements on a device.
    pub fn from_slice_on<T: HostElement>(
        device: &Device,
        elements: &[T],
        shape: &[usize],
    ) -> Result<NDArray> {
        if size(shape, T::DTYPE)? / T::DTYPE.size() != elements.len() {
            return Err(Error::invalid(
                "NDArray::from_slice",
                format!("{} elements for the shape {shape:?}", elements.len()),
                "the product of the extents is the number of elements",
            ));
        }
        let buffer = Buffer::from_slice(elements).map_err(memory)?;
        Ok(NDArray::whole(buffer, shape, T::DTYPE, device))
    }

    /// Random f32 numbers, uniform in `[low, high)`, drawn from the CPU device's sequence.
    ///
    /// ```
    /// use mxr::{Device, NDArray};
    /// Device::cpu().seed(7);
    /// let a = NDArray::random_uniform(&[2, 3], -1.0, 1.0)?;
    /// Device::cpu().seed(7);
    /// let b = NDArray::random_uniform(&[2, 3], -1.0, 1.0)?;
    /// assert_eq!(a.to_vec::<f32>()?, b.to_vec::<f32>()?);
    /// assert!(a.to_vec::<f32>()?.iter().all(|x| (-1.0..1.0).contains(x)));
    /// # Ok::<(), mxr::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// When the bounds are not numbers in order.
    pub fn random_uniform(shape: &[usize], low: f64, high: f64) -> Result<NDArray> {
        NDArray::random_uniform_on(&Device::cpu(), shape, low, high)
    }

    /// [`NDArray::random_uniform`] on a device: the numbers depend on [`Device::seed`] and on how many draws there were
    /// before, not on the number of threads.
    pub fn random_uniform_on(device: &Device, shape: &[usize], low: f64, high: f64) -> Result<NDArray> {
        if !(low <= high && (high - low).is_finite()) {
            return Err(Error::invalid(
                "NDArray::random_uniform",
                format!("the bounds are {low} and {high}"),
                "give the lower one first",
            ));
        }
        NDArray::drawn("random_uniform", device, shape, move |key, y| random::uniform(key, low, high, y))
    }

    /// Random f32 numbers from the normal distribution with this mean and standard deviation, drawn from the CPU device's
    /// sequence.
    ///
    /// # Errors
    ///
    /// When the standard deviation is negative, or one of both is not a number.
    pub fn random_normal(shape: &[usize], mean: f64, deviation: f64) -> Result<NDArray> {
        NDArray::random_normal_on(&Device::cpu(), shape, mean, deviation)
    }

    /// [`NDArray::random_normal`] on a device. See [`NDArray::random_uniform_on`].
    pub fn random_normal_on(device: &Device, shape: &[usize], mean: f64, deviation: f64) -> Result<NDArray> {
        if !(mean.is_finite() && deviation.is_finite() && deviation >= 0.0) {
            return Err(Error::invalid(
                "NDArray::random_normal",
                format!("mean {mean} and standard deviation {deviation}"),
                "both are numbers, and the deviation is not negative",
            ));
        }
        NDArray::drawn("random_normal", device, shape, move |key, y| random::normal(key, mean, deviation, y))
    }

    /// Memory that is filled here and now.
    fn generated<T: HostElement>(shape: &[usize], fill: impl FnOnce(&mut [T])) -> Result<NDArray> {
        let mut result = Ok(());
        let buffer = Buffer::filled(size(shape, T::DTYPE)?, |bytes| result = slice_of_mut(bytes).map(fill));
        result.map_err(memory)?;
        Ok(NDArray::whole(buffer.map_err(memory)?, shape, T::DTYPE, &Device::cpu()))
    }

    /// Random numbers, made when their turn comes.
    fn drawn(
        name: &'static str,
        device: &Device,
        shape: &[usize],
        draw: impl FnOnce(random::Key, &mut [f32]) + Send + 'static,
    ) -> Result<NDArray> {
        let array = NDArray::uninit(device, shape, DType::F32)?;
        let (Key { seed, step }, buffer) = (device.next_key(), array.buffer.clone());
        let key = random::Key { seed, step: step as u32, stream: u32::MAX };
        let props = Properties::new(name).overwrites(true);
        device.engine().push(&[], &[array.buffer.var()], props, move |ctx| {
            draw(key, ctx.write_as(&buffer)?);
            Ok(())
        });
        Ok(array)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_sizes_are_errors() {
        for n in [usize::MAX, usize::MAX / 8, 1 << 60] {
            assert!(NDArray::full(&[n], 1.0f32).is_err(), "{n}");
            assert!(NDArray::arange(n).is_err(), "{n}");
            assert!(NDArray::zeros(&[n]).and_then(|a| a.wait().and(a.at(0)?.item::<f32>())).is_err(), "{n}");
        }
    }

    #[test]
    fn draws_follow_the_seed_and_the_order_of_calls() {
        let numbers = |threads: usize| {
            let device = Device::cpu_with_threads(threads).expect("threads");
            device.seed(3);
            let draw = |n: usize| {
                let a = NDArray::random_normal_on(&device, &[n], 1.0, 2.0).expect("fits");
                a.to_vec::<f32>().expect("drawn")
            };
            (draw(100_000), draw(10))
        };
        let (many, few) = numbers(1);
        assert_eq!((&many, &few), (&numbers(2).0, &numbers(2).1));
        assert_ne!(many[..10], few);
        let mean = many.iter().map(|x| f64::from(*x)).sum::<f64>() / 1e5;
        let variance = many.iter().map(|x| (f64::from(*x) - mean).powi(2)).sum::<f64>() / 1e5;
        assert!((mean - 1.0).abs() < 0.03 && (variance - 4.0).abs() < 0.1, "{mean} {variance}");
        assert!(NDArray::random_uniform(&[1], 1.0, 0.0).is_err());
        assert!(NDArray::random_uniform(&[1], f64::NAN, 0.0).is_err());
        assert!(NDArray::random_normal(&[1], 0.0, -1.0).is_err());
        let none = NDArray::random_uniform(&[0, 3], 0.0, 1.0).expect("fits");
        assert!(none.to_vec::<f32>().expect("empty").is_empty());
    }
}
