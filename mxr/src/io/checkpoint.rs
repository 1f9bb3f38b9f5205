//! The names of a checkpoint's files, as MXNet gives them: `PREFIX-symbol.json` and `PREFIX-0001.params`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::{fs, io};

use super::error::FormatError;
use super::named::NamedArrays;

/// `PREFIX-NNNN.params`, the epoch with at least 4 digits.
///
/// ```
/// use mxr::io::checkpoint;
/// assert_eq!(checkpoint::params_path("run/lenet", 7).to_str(), Some("run/lenet-0007.params"));
/// ```
pub fn params_path(prefix: impl AsRef<Path>, epoch: u32) -> PathBuf {
    with_suffix(prefix.as_ref(), &format!("-{epoch:04}.params"))
}

/// `PREFIX-NNNN.states`: the optimizer's state and the place in the data, beside the parameters.
pub fn states_path(prefix: impl AsRef<Path>, epoch: u32) -> PathBuf {
    with_suffix(prefix.as_ref(), &format!("-{epoch:04}.states"))
}

/// `PREFIX-symbol.json`.
pub fn symbol_path(prefix: impl AsRef<Path>) -> PathBuf {
    with_suffix(prefix.as_ref(), "-symbol.json")
}

/// The last epoch with a file of parameters under this prefix, if there is one; there is none in a folder that does not exist.
///
/// # Errors
/// When the folder cannot be read.
pub fn latest_epoch(prefix: impl AsRef<Path>) -> Result<Option<u32>, FormatError> {
    let prefix = prefix.as_ref();
    let folder = match prefix.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |e| FormatError::io(folder.display().to_string(), "list the folder", e);
    let mut last = None;
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries.map_err(failed)?,
    };
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        let Some(epoch) = name.to_str().and_then(|name| epoch_of(name, prefix)) else { continue };
        last = last.max(Some(epoch));
    }
    Ok(last)
}

/// The arrays of a checkpoint by role.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// `arg:NAME`: weights.
    pub arg: NamedArrays,
    /// `aux:NAME`: running statistics.
    pub aux: NamedArrays,
    /// Without such a prefix, as Gluon's `save_parameters` writes them.
    pub bare: NamedArrays,
}

/// Sorts the arrays of a `.params` file by the prefix of their names, which is taken off.
///
/// # Errors
/// None of its own: distinct names stay distinct within a role.
pub fn split_roles(arrays: NamedArrays) -> Result<Roles, FormatError> {
    let mut roles = Roles::default();
    for (name, array) in arrays {
        if let Some(name) = name.strip_prefix("arg:") {
            roles.arg.push(name, array)?;
        } else if let Some(name) = name.strip_prefix("aux:") {
            roles.aux.push(name, array)?;
        } else {
            roles.bare.push(name, array)?;
        }
    }
    Ok(roles)
}

fn with_suffix(prefix: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(prefix);
    path.push(suffix);
    PathBuf::from(path)
}

fn epoch_of(name: &str, prefix: &Path) -> Option<u32> {
    let stem = prefix.file_name()?.to_str()?;
    let digits = name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(".params")?;
    (digits.len() >= 4 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_prefix_count() {
        let prefix = Path::new("run/lenet");
        assert_eq!(epoch_of("lenet-0012.params", prefix), Some(12));
        assert_eq!(epoch_of("lenet-12345.params", prefix), Some(12345));
        assert_eq!(epoch_of("lenet-12.params", prefix), None);
        assert_eq!(epoch_of("lenet-symbol.json", prefix), None);
        assert_eq!(epoch_of("lenet5-0001.params", prefix), None);
    }
}
