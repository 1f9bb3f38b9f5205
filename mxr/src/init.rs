//! Initialisers: the numbers that training starts from, by name.

use crate::error::{Error, Result};
use crate::ndarray::NDArray;
use mxr_graph::dtype::DType;
use mxr_kernels::random;
use std::fmt::Debug;

/// Start values of weights. Parameters whose role is in their name are not asked for: `…_bias`, `…_beta` and
/// `…_moving_mean` (or just `bias`, …) start at 0, `…_gamma` and `…_moving_var` at 1.
///
/// ```
/// use mxr::init::{Initializer, StreamKey, Xavier};
///
/// /// Embeddings start small, all other weights as `Xavier` says.
/// #[derive(Debug)]
/// struct Mine;
///
/// impl Initializer for Mine {
///     fn fill(&self, name: &str, shape: &[usize], key: StreamKey, weight: &mut [f32]) {
///         Xavier::default().fill(name, shape, key, weight);
///         if name.contains("embed") {
///             weight.iter_mut().for_each(|w| *w *= 0.1);
///         }
///     }
/// }
/// # let mut w = [0f32; 4];
/// # Mine.fill("embed_weight", &[2, 2], StreamKey::new(0, "embed_weight"), &mut w);
/// # assert!(w.iter().all(|x| x.abs() < 0.13));
/// ```
pub trait Initializer: Debug {
    /// Fill the weight `name` of extents `shape` from the random stream `key`.
    fn fill(&self, name: &str, shape: &[usize], key: StreamKey, weight: &mut [f32]);
}

/// Names a stream of random numbers, one per seed and parameter: the same key gives the same numbers, on every machine
/// and for any number of threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamKey(random::Key);

impl StreamKey {
    /// The stream of a parameter.
    pub fn new(seed: u64, parameter: &str) -> StreamKey {
        let h = mxr_graph::fnv::text(parameter);
        StreamKey(random::Key { seed, step: (h >> 32) as u32, stream: h as u32 })
    }
}

/// Every element the same.
#[derive(Clone, Copy, Debug)]
pub struct Constant(pub f32);

impl Initializer for Constant {
    fn fill(&self, _: &str, _: &[usize], _: StreamKey, weight: &mut [f32]) {
        weight.fill(self.0);
    }
}

/// Uniform in `[-scale, scale)`; MXNet's default scale is 0.07.
#[derive(Clone, Copy, Debug)]
pub struct Uniform(pub f32);

impl Default for Uniform {
    fn default() -> Uniform {
        Uniform(0.07)
    }
}

impl Initializer for Uniform {
    fn fill(&self, _: &str, _: &[usize], key: StreamKey, weight: &mut [f32]) {
        random::uniform(key.0, -f64::from(self.0), f64::from(self.0), weight);
    }
}

/// Normal with mean 0 and this standard deviation; MXNet's default is 0.01.
#[derive(Clone, Copy, Debug)]
pub struct Normal(pub f32);

impl Default for Normal {
    fn default() -> Normal {
        Normal(0.01)
    }
}

impl Initializer for Normal {
    fn fill(&self, _: &str, _: &[usize], key: StreamKey, weight: &mut [f32]) {
        random::normal(key.0, 0.0, f64::from(self.0), weight);
    }
}

/// What the variance is divided by: the number of inputs of a unit, of outputs, or their mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fan {
    /// Inputs: `shape[1] · kernel`.
    In,
    /// Outputs: `shape[0] · kernel`.
    Out,
    /// The mean of both.
    #[default]
    Avg,
}

/// Xavier (Glorot and Bengio, 2010) as MXNet has it: scale `√(magnitude / fan)`, uniform in `±scale` or normal with that
/// standard deviation. The default is uniform with magnitude 3 over the mean of both fans.
#[derive(Clone, Copy, Debug)]
pub struct Xavier {
    /// Normal instead of uniform.
    pub gaussian: bool,
    /// Which fan.
    pub fan: Fan,
    /// Numerator of the variance.
    pub magnitude: f32,
}

impl Default for Xavier {
    fn default() -> Xavier {
        Xavier { gaussian: false, fan: Fan::Avg, magnitude: 3.0 }
    }
}

impl Initializer for Xavier {
    fn fill(&self, _: &str, shape: &[usize], key: StreamKey, weight: &mut [f32]) {
        let kernel: usize = shape.iter().skip(2).product();
        let fan_out = (shape.first().copied().unwrap_or(1) * kernel) as f32;
        let fan_in = (shape.get(1).copied().unwrap_or(1) * kernel) as f32;
        let fan = match self.fan {
            Fan::In => fan_in,
            Fan::Out => fan_out,
            Fan::Avg => (fan_in + fan_out) / 2.0,
        };
        let scale = f64::from(self.magnitude / fan.max(1.0)).sqrt();
        match self.gaussian {
            true => random::normal(key.0, 0.0, scale, weight),
            false => random::uniform(key.0, -scale, scale, weight),
        }
    }
}

/// He et al., 2015: normal with standard deviation `√(2 / ((1 + slope²) · fan))`, for (leaky) rectifiers; over the mean
/// of both fans by default, as MXNet's MSRAPrelu with slope 0.
#[derive(Clone, Copy, Debug, Default)]
pub struct Msra {
    /// Which fan.
    pub fan: Fan,
    /// The rectifier's slope below 0.
    pub slope: f32,
}

impl Initializer for Msra {
    fn fill(&self, name: &str, shape: &[usize], key: StreamKey, weight: &mut [f32]) {
        let magnitude = 2.0 / (1.0 + self.slope * self.slope);
        Xavier { gaussian: true, fan: self.fan, magnitude }.fill(name, shape, key, weight);
    }
}

/// The initialiser of this name at its default: `xavier`, `msra`, `uniform`, `normal`, `zeros`, `ones`.
///
/// # Errors
///
/// For another name; the known ones are listed.
pub fn by_name(name: &str) -> Result<Box<dyn Initializer>> {
    Ok(match name.to_ascii_lowercase().as_str() {
        "xavier" => Box::new(Xavier::default()),
        "msra" | "msraprelu" | "he" => Box::new(Msra::default()),
        "uniform" => Box::new(Uniform::default()),
        "normal" => Box::new(Normal::default()),
        "zeros" => Box::new(Constant(0.0)),
        "ones" => Box::new(Constant(1.0)),
        _ => {
            return Err(Error::invalid(
                format!("initialiser `{name}`"),
                "there is none of this name",
                "one of xavier, msra, uniform, normal, zeros, ones",
            ));
        }
    })
}

/// Set one parameter to its start value.
pub(crate) fn fill(initializer: &dyn Initializer, name: &str, array: &NDArray, seed: u64) -> Result<()> {
    let is = |roles: &[&str]| {
        let role =
            |r: &&str| name.strip_suffix(*r).is_some_and(|layer| layer.is_empty() || layer.ends_with('_'));
        roles.iter().any(role)
    };
    if is(&["bias", "beta", "moving_mean"]) {
        return array.fill_with(0.0);
    }
    if is(&["gamma", "moving_var"]) {
        return array.fill_with(1.0);
    }
    let mut values = vec![0f32; array.len()];
    initializer.fill(name, array.shape(), StreamKey::new(seed, name), &mut values);
    match array.dtype() {
        DType::F32 => array.copy_from_slice(&values),
        _ => array.assign(&NDArray::from_slice_on(array.device(), &values, array.shape())?),
    }
}
