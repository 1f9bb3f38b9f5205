//! Files that are either the old one or the new one, whatever happens while they are written.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};

use super::error::FormatError;

/// Writes `path` through `write`: into a new file beside it, synchronised to the disk, then renamed over it.
/// A reader, and a machine that loses power, sees the whole old file or the whole new one.
///
/// # Errors
/// Those of `write`, and those of the operating system. The old file is then untouched and the new one removed.
pub fn write_atomic(
    path: impl AsRef<Path>,
    write: impl FnOnce(&mut dyn Write) -> Result<(), FormatError>,
) -> Result<(), FormatError> {
    let path = path.as_ref();
    let failed = |doing: &str, e| FormatError::io(path.display().to_string(), doing, e);
    let temporary = beside(path)?;
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)
        .map_err(|e| failed("create a file beside it", e))?;
    let result = (|| {
        let mut out = BufWriter::with_capacity(64 * 1024, file);
        write(&mut out)?;
        let file = out.into_inner().map_err(|e| failed("write it", e.into_error()))?;
        file.sync_all().map_err(|e| failed("bring it to the disk", e))?;
        drop(file);
        fs::rename(&temporary, path).map_err(|e| failed("put the new file in its place", e))
    })();
    match result {
        // The rename itself lasts only once the folder is on the disk. Some systems cannot synchronise a
        // folder; the file is whole either way.
        Ok(()) => {
            if let Ok(folder) = File::open(folder_of(path)) {
                let _ = folder.sync_all();
            }
            Ok(())
        }
        Err(error) => {
            let _ = fs::remove_file(&temporary);
            Err(error)
        }
    }
}

/// A name in the same folder, and so on the same disk, that no other writer uses.
fn beside(path: &Path) -> Result<PathBuf, FormatError> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| {
        FormatError::argument(
            path.display().to_string(),
            "this path has no file name",
            "name the file to write",
        )
    })?;
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(format!(".{}-{}.new", process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    Ok(folder_of(path).join(temporary))
}

fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Where a format is written, with the name for its errors.
pub(crate) struct Output<'a> {
    out: &'a mut dyn Write,
    what: &'a str,
}

impl<'a> Output<'a> {
    pub(crate) fn new(out: &'a mut dyn Write, what: &'a str) -> Output<'a> {
        Output { out, what }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), FormatError> {
        self.out.write_all(bytes).map_err(|e| FormatError::io(self.what, "write it", e))
    }
}
