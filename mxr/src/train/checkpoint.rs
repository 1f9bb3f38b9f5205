//! Checkpoints: everything that the next epoch depends on.

use crate::error::{Error, Result};
use crate::executor::Executor;
use crate::io::checkpoint::{params_path, states_path};
use crate::io::iter::{DataIter, IterState};
use crate::io::{HostArray, NamedArrays, params, safetensors};
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
    net.wait()?;
    let (params, states) = (net.host_params(true)?, updater.states()?);
    let mut meta = BTreeMap::from([
        ("version".to_string(), VERSION.to_string()),
        ("network".to_string(), net.name().to_string()),
        ("optimizer".to_string(), updater.name().to_string()),
        ("updates".to_string(), updater.updates().to_string()),
        ("position".to_string(), net.position().to_string()),
        ("data".to_string(), data.state().to_string()),
        ("params_crc32".to_string(), checksum(&params, &BTreeMap::new())),
    ]);
    meta.insert(OWN_CHECKSUM.to_string(), checksum(&states, &meta));
    safetensors::write(states_path(prefix, epoch), states.iter(), &meta)?;
    Ok(params::write(params_path(prefix, epoch), params.iter())?)
}

/// The entry that covers the rest of the states file. The formats have no checksum, and a flipped bit in a weight would go
/// unnoticed.
const OWN_CHECKSUM: &str = "crc32";

/// CRC-32 of arrays and metadata in the order of their names: what the files say, however they are laid out.
fn checksum(arrays: &NamedArrays, metadata: &BTreeMap<String, String>) -> String {
    fn text(crc: &mut flate2::Crc, t: &str) {
        crc.update(&(t.len() as u64).to_le_bytes());
        crc.update(t.as_bytes());
    }
    let mut crc = flate2::Crc::new();
    for (key, value) in metadata.iter().filter(|(k, _)| *k != OWN_CHECKSUM) {
        text(&mut crc, key);
        text(&mut crc, value);
    }
    let mut sorted: Vec<(&str, &HostArray)> = arrays.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    for (name, array) in sorted {
        text(&mut crc, name);
        text(&mut crc, &format!("{}{:?}", array.dtype(), array.shape()));
        crc.update(array.as_bytes());
    }
    format!("{:08x}", crc.sum())
}

/// Go where [`save`] was. Nothing is changed unless everything fits.
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
    let parameters = params_path(prefix, epoch);
    let weights = params::read(&parameters)?;
    net.matched(&weights)?;
    updater.matched(&file.arrays)?;
    for (path, key, found) in [
        (&path, OWN_CHECKSUM, checksum(&file.arrays, &file.metadata)),
        (&parameters, "params_crc32", checksum(&weights, &BTreeMap::new())),
    ] {
        if *get(key)? != found {
            return Err(Error::invalid(
                path.display().to_string(),
                "is not what was written: its checksum is another",
                "the file is damaged, or of another run; resume from another epoch",
            ));
        }
    }
    // The first thing that changes; it changes nothing when the data are not those of the checkpoint.
    data.restore(&state)?;
    net.set_params(&weights)?;
    updater.restore(&file.arrays, updates)?;
    net.set_position(position)
}
