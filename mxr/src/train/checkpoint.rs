//! Checkpoints: everything that the next epoch depends on.

use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::io::checkpoint::{params_path, states_path};
use crate::io::iter::{DataIter, IterState};
use crate::io::safetensors;
use crate::optimizer::Updater;
use std::collections::BTreeMap;
use std::path::Path;

/// The version of the states file; a change of its meaning gets another number.
const VERSION: &str = "1";

/// Write parameters and states after `epoch` epochs. The states are written first: a parameter file means a whole
/// checkpoint.
pub(super) fn save(
    prefix: &Path,
    epoch: u32,
    net: &Executor,
    updater: &Updater,
    data: &dyn DataIter,
) -> Result<()> {
    if let Some(folder) = prefix.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(|e| {
            Error::invalid(
                folder.display().to_string(),
                format!("cannot make the folder: {e}"),
                "choose another prefix",
            )
        })?;
    }
    net.device().wait_all()?;
    let meta = BTreeMap::from([
        ("version".to_string(), VERSION.to_string()),
        ("network".to_string(), net.name().to_string()),
        ("optimizer".to_string(), updater.name().to_string()),
        ("updates".to_string(), updater.updates().to_string()),
        ("position".to_string(), net.position().to_string()),
        ("data".to_string(), data.state().to_string()),
    ]);
    let states = updater.states()?;
    safetensors::write(states_path(prefix, epoch), states.iter(), &meta)?;
    net.save_params(params_path(prefix, epoch))
}

/// Go where [`save`] was.
pub(super) fn load(
    prefix: &Path,
    epoch: u32,
    net: &mut Executor,
    updater: &mut Updater,
    data: &mut dyn DataIter,
) -> Result<()> {
    let path = states_path(prefix, epoch);
    let file = safetensors::read(&path)?;
    let get = |key: &str| {
        file.metadata.get(key).ok_or_else(|| {
            Error::invalid(
                path.display().to_string(),
                format!("does not say its `{key}`"),
                "resume from a checkpoint that `Fit` wrote",
            )
        })
    };
    let number = |key: &str| -> Result<u64> {
        get(key)?.parse().map_err(|_| {
            Error::invalid(
                path.display().to_string(),
                format!("its `{key}` is not a number"),
                "resume from another epoch",
            )
        })
    };
    for (key, have) in [("version", VERSION), ("network", net.name()), ("optimizer", updater.name())] {
        let want = get(key)?;
        if want != have {
            return Err(Error::invalid(
                path.display().to_string(),
                format!("was written for the {key} `{want}`, this is `{have}`"),
                "resume with the network and the optimizer of the checkpoint",
            ));
        }
    }
    let (updates, position) = (number("updates")?, number("position")?);
    let state: IterState = get("data")?.parse()?;
    net.load_params(params_path(prefix, epoch))?;
    updater.restore(&file.arrays, updates)?;
    net.set_position(position)?;
    data.restore(&state)?;
    Ok(())
}
