//! Files on disk: atomic writing, and that paths and memory give the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use mxr::io::params::Params;
use mxr::io::{
    FormatErrorKind, HostArray, NamedArrays, checkpoint, npy, npz, params, safetensors, write_atomic,
};

use super::strategies::assert_equal;

/// A folder of its own for a test, removed at its end.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let unique = format!("{name}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(unique);
        fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn two_arrays() -> NamedArrays {
    let mut arrays = NamedArrays::new();
    arrays.push("arg:w", HostArray::from_vec(vec![1.0f32, 2.0, 3.0], &[3]).unwrap()).unwrap();
    arrays.push("aux:m", HostArray::from_vec(vec![1i64, 2], &[2, 1]).unwrap()).unwrap();
    arrays
}

#[test]
fn every_format_goes_to_disk_and_back() {
    let folder = Folder::new("formats");
    let at = |name: &str| folder.path().join(name);
    let arrays = two_arrays();
    params::write(at("a.params"), &arrays).unwrap();
    assert_equal(&params::read(at("a.params")).unwrap(), &arrays);
    let list: Vec<&HostArray> = arrays.iter().map(|(_, array)| array).collect();
    params::write_list(at("list.params"), list).unwrap();
    let list = params::read_with(at("list.params"), params::Options::default()).unwrap();
    assert!(matches!(list, Params::List(arrays) if arrays.len() == 2));
    safetensors::write(at("a.safetensors"), &arrays, &BTreeMap::new()).unwrap();
    let found = safetensors::read(at("a.safetensors")).unwrap();
    assert_eq!(found.arrays.len(), 2);
    npz::write(at("a.npz"), &arrays).unwrap();
    assert_equal(&npz::read(at("a.npz")).unwrap(), &arrays);
    npz::write_compressed(at("z.npz"), &arrays).unwrap();
    assert_equal(&npz::read(at("z.npz")).unwrap(), &arrays);
    npy::write(at("a.npy"), arrays.get("arg:w").unwrap()).unwrap();
    assert_eq!(npy::read(at("a.npy")).unwrap().shape(), [3]);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 6, "no temporary file stays");
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = Folder::new("atomic");
    let path = folder.path().join("model.params");
    fs::write(&path, "old").unwrap();
    let failure = write_atomic(&path, |out| {
        out.write_all(b"half of the new").unwrap();
        Err(params::read("no such file").unwrap_err())
    });
    assert_eq!(failure.unwrap_err().kind(), FormatErrorKind::Io);
    assert_eq!(fs::read(&path).unwrap(), b"old");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    write_atomic(&path, |out| {
        out.write_all(b"new").unwrap();
        Ok(())
    })
    .unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
}

#[test]
fn places_that_cannot_be_written_or_read_are_errors() {
    let folder = Folder::new("places");
    let missing = params::write(folder.path().join("no/such/folder.params"), &two_arrays()).unwrap_err();
    assert_eq!(missing.kind(), FormatErrorKind::Io);
    assert!(std::error::Error::source(&missing).is_some());
    let directory = params::read(folder.path()).unwrap_err();
    assert!(directory.to_string().contains("this is a folder"), "{directory}");
    assert!(write_atomic("..", |_| Ok(())).is_err());
}

#[test]
fn the_latest_checkpoint_is_found() {
    let folder = Folder::new("checkpoints");
    let prefix = folder.path().join("net");
    assert_eq!(checkpoint::latest_epoch(&prefix).unwrap(), None);
    for epoch in [1, 12, 3] {
        params::write(checkpoint::params_path(&prefix, epoch), &two_arrays()).unwrap();
    }
    fs::write(folder.path().join("network-0099.params"), "").unwrap();
    assert_eq!(checkpoint::latest_epoch(&prefix).unwrap(), Some(12));
    assert!(folder.path().join("net-0012.params").is_file());
    assert_eq!(checkpoint::symbol_path(&prefix), folder.path().join("net-symbol.json"));
    assert_eq!(checkpoint::states_path(&prefix, 12), folder.path().join("net-0012.states"));
    let roles = checkpoint::split_roles(params::read(checkpoint::params_path(&prefix, 12)).unwrap()).unwrap();
    assert!(roles.arg.contains("w") && roles.aux.contains("m"));
}
