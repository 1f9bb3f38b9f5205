//! Parameters, states and gradients of a bound network: by name, by layer, from and to files.

use super::bound::named;
use super::{Executor, LayerId};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::io::{NamedArrays, params, safetensors};
use crate::ndarray::NDArray;
use std::path::Path;

/// What names a parameter: its full name (`"conv1_weight"`), or a layer (`LeNet::conv1`), which stands for its first
/// parameter, the weight.
pub trait ParamKey {
    /// The parameter's full name in this network.
    fn param_name(&self, net: &Executor) -> Result<String>;
}

impl ParamKey for &str {
    fn param_name(&self, _: &Executor) -> Result<String> {
        Ok((*self).to_string())
    }
}

impl ParamKey for &String {
    fn param_name(&self, _: &Executor) -> Result<String> {
        Ok((*self).clone())
    }
}

impl ParamKey for LayerId {
    fn param_name(&self, net: &Executor) -> Result<String> {
        net.layer_params(*self).first().map(|s| (*s).to_string()).ok_or_else(|| {
            Error::invalid(self.name(), "the layer has no parameters", "name a layer with weights")
        })
    }
}

impl Executor {
    /// A parameter.
    ///
    /// # Errors
    ///
    /// When there is none of this name; a near one is named.
    pub fn param(&self, key: impl ParamKey) -> Result<&NDArray> {
        named(&self.arrays.params, &key.param_name(self)?, "parameter")
    }

    /// The gradient of a parameter (or of an input that was asked for).
    ///
    /// # Errors
    ///
    /// When there is none: an unknown name, or a gradient that was not requested.
    pub fn grad(&self, key: impl ParamKey) -> Result<&NDArray> {
        named(&self.arrays.grads, &key.param_name(self)?, "gradient")
    }

    /// A state (running statistics).
    pub fn state(&self, name: &str) -> Result<&NDArray> {
        named(&self.arrays.aux, name, "state")
    }

    /// The full names of a layer's parameters and states.
    pub fn layer_params(&self, layer: LayerId) -> Vec<&str> {
        let programs = self.train_program.iter().chain([&self.predict_program]);
        for p in programs {
            if let Some(l) = p.layers.iter().find(|l| l.name == layer.name()) {
                return l.params.iter().map(|v| &*p.values[*v as usize].name).collect();
            }
        }
        Vec::new()
    }

    /// All parameters in MXNet's order.
    pub fn params(&self) -> impl Iterator<Item = (&str, &NDArray)> {
        self.arrays.params.iter().map(|(n, a)| (n.as_str(), a))
    }

    /// All states.
    pub fn states(&self) -> impl Iterator<Item = (&str, &NDArray)> {
        self.arrays.aux.iter().map(|(n, a)| (n.as_str(), a))
    }

    /// All gradients, by what they are the gradient of.
    pub fn grads(&self) -> impl Iterator<Item = (&str, &NDArray)> {
        self.arrays.grads.iter().map(|(n, a)| (n.as_str(), a))
    }

    /// Set every parameter and state to its start value: biases, betas and running means 0, gammas and running variances 1,
    /// the rest as `initializer` says. The same seed gives the same numbers.
    pub fn init(&mut self, initializer: &dyn Initializer, seed: u64) -> Result<()> {
        for (name, array) in self.arrays.params.iter().chain(&self.arrays.aux) {
            crate::init::fill(initializer, name, array, seed)?;
        }
        Ok(())
    }

    /// Write parameters and states to a file: safetensors when it is called `….safetensors`, MXNet's `.params` (names with
    /// `arg:` and `aux:`) otherwise. Waits for pending updates.
    pub fn save_params(&self, path: impl AsRef<Path>) -> Result<()> {
        let mxnet = !is_safetensors(path.as_ref());
        let mut arrays = NamedArrays::new();
        for (prefix, list) in [("arg:", &self.arrays.params), ("aux:", &self.arrays.aux)] {
            for (name, a) in list {
                let name = if mxnet { format!("{prefix}{name}") } else { name.clone() };
                arrays.push(name, a.to_host()?)?;
            }
        }
        match mxnet {
            true => params::write(path, arrays.iter())?,
            false => safetensors::write(path, arrays.iter(), &Default::default())?,
        }
        Ok(())
    }

    /// Read parameters and states from a file that [`Executor::save_params`] or MXNet wrote. Nothing is changed unless every
    /// parameter and state is there with its shape; further arrays in the file are an error too.
    pub fn load_params(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let arrays = match is_safetensors(path.as_ref()) {
            true => safetensors::read(&path)?.arrays,
            false => params::read(&path)?,
        };
        self.set_params(&arrays)
    }

    /// Set parameters and states from named arrays; names may have MXNet's prefixes. See [`Executor::load_params`].
    pub fn set_params(&mut self, arrays: &NamedArrays) -> Result<()> {
        let mut found = Vec::new();
        for (full, host) in arrays.iter() {
            let (list, name) = match (full.strip_prefix("arg:"), full.strip_prefix("aux:")) {
                (Some(n), _) => (&self.arrays.params, n),
                (_, Some(n)) => (&self.arrays.aux, n),
                _ if self.arrays.params.iter().any(|(n, _)| n == full) => (&self.arrays.params, full),
                _ => (&self.arrays.aux, full),
            };
            let array = named(list, name, "parameter or state")?;
            if array.shape() != host.shape() {
                return Err(Error::invalid(
                    format!("parameter `{name}`"),
                    format!("has the shape {:?}, the file has {:?}", array.shape(), host.shape()),
                    "load the file into the network that wrote it",
                ));
            }
            found.push((name.to_string(), array.clone(), host));
        }
        for (name, _) in self.arrays.params.iter().chain(&self.arrays.aux) {
            if !found.iter().any(|(n, ..)| n == name) {
                return Err(Error::invalid(
                    format!("parameter `{name}`"),
                    "is not among the loaded arrays",
                    "load the file into the network that wrote it",
                ));
            }
        }
        for (_, array, host) in found {
            array.copy_from_host(host)?;
        }
        Ok(())
    }
}

fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"))
}
