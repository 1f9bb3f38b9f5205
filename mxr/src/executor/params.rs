//! Parameters, states and gradients of a bound network: by name, by layer, from and to files.

use super::bound::named;
use super::options::SharedArrays;
use super::{Executor, LayerId};
use crate::error::{Error, Result};
use crate::init::Initializer;
use crate::io::{HostArray, NamedArrays, params, safetensors};
use crate::ndarray::NDArray;
use mxr_graph::error::did_you_mean;
use mxr_graph::training::Training;
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
        let name = key.param_name(self)?;
        if self.training(&name).is_ok_and(|t| t.frozen) {
            return Err(Error::invalid(
                name,
                "is frozen by its layer, so it has no gradient",
                "declare the layer without `#[frozen]` (`frozen()` in a symbol) to train it",
            ));
        }
        named(&self.arrays.grads, &name, "gradient")
    }

    /// How its layer says that a parameter is trained: `#[lr(…)]`, `#[no_decay]` and `#[frozen]` in `network!`, `lr_mult`, `wd_mult` and
    /// `frozen` of a symbol. An [`Updater`](crate::optimizer::Updater) does as it says.
    ///
    /// # Errors
    ///
    /// When there is no parameter of this name.
    pub fn training(&self, key: impl ParamKey) -> Result<Training> {
        let name = key.param_name(self)?;
        named(&self.arrays.params, &name, "parameter")?;
        let stated = self.train_program.iter().find_map(|p| {
            let own = |(v, _): &&(u32, Training)| p.values[*v as usize].name == name;
            p.training.iter().find(own).map(|(_, how)| *how)
        });
        Ok(stated.unwrap_or_default())
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

    /// What another network takes over.
    pub(super) fn shared_arrays(&self) -> SharedArrays {
        let params = &self.arrays.params;
        let of_param = |(n, _): &&(String, NDArray)| params.iter().any(|(p, _)| p == n);
        SharedArrays {
            network: self.name.clone(),
            params: params.clone(),
            aux: self.arrays.aux.clone(),
            grads: self.arrays.grads.iter().filter(of_param).cloned().collect(),
        }
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
        match is_safetensors(path.as_ref()) {
            false => params::write(path, self.host_params(true)?.iter())?,
            true => safetensors::write(path, self.host_params(false)?.iter(), &Default::default())?,
        }
        Ok(())
    }

    /// Copies of parameters and states; `prefixed` with MXNet's `arg:` and `aux:`.
    pub(crate) fn host_params(&self, prefixed: bool) -> Result<NamedArrays> {
        let mut arrays = NamedArrays::new();
        for (prefix, list) in [("arg:", &self.arrays.params), ("aux:", &self.arrays.aux)] {
            for (name, a) in list {
                let name = if prefixed { format!("{prefix}{name}") } else { name.clone() };
                arrays.push(name, a.to_host()?)?;
            }
        }
        Ok(arrays)
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
        for (array, host) in self.matched(arrays)? {
            array.copy_from_host(host)?;
        }
        Ok(())
    }

    /// Each parameter and state with the array that is for it.
    pub(crate) fn matched<'a>(
        &'a self,
        arrays: &'a NamedArrays,
    ) -> Result<Vec<(&'a NDArray, &'a HostArray)>> {
        let mut found: Vec<(&str, &NDArray, &HostArray)> = Vec::new();
        for (full, host) in arrays.iter() {
            let (params, aux) = (&self.arrays.params, &self.arrays.aux);
            let (name, array) = match (full.strip_prefix("arg:"), full.strip_prefix("aux:")) {
                (Some(n), _) => (n, named(params, n, "parameter")?),
                (_, Some(n)) => (n, named(aux, n, "state")?),
                _ => (full, self.either(full)?),
            };
            if array.shape() != host.shape() {
                return Err(Error::invalid(
                    format!("parameter `{name}`"),
                    format!("has the shape {:?}, the file has {:?}", array.shape(), host.shape()),
                    "load the file into the network that wrote it",
                ));
            }
            if found.iter().any(|(n, ..)| *n == name) {
                return Err(Error::invalid(
                    format!("parameter `{name}`"),
                    "is there twice among the loaded arrays",
                    "keep one of `NAME`, `arg:NAME` and `aux:NAME`",
                ));
            }
            found.push((name, array, host));
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
        Ok(found.into_iter().map(|(_, array, host)| (array, host)).collect())
    }

    /// The parameter or state of this name.
    fn either(&self, name: &str) -> Result<&NDArray> {
        let all = || self.arrays.params.iter().chain(&self.arrays.aux);
        all().find(|(n, _)| n == name).map(|(_, a)| a).ok_or_else(|| {
            let near = did_you_mean(name, all().map(|(n, _)| n.as_str()));
            Error::invalid(
                name,
                "the network has no parameter or state of this name",
                near.map_or("load the file into the network that wrote it".to_string(), |n| {
                    format!("did you mean `{n}`?")
                }),
            )
        })
    }
}

fn is_safetensors(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("safetensors"))
}
