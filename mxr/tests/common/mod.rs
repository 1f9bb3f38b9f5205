//! What the suites share.

mod say;

pub(crate) use say::say;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::Once;

/// The folder with real data and files written by other systems: `MXR_TEST_DATA`, or `../shared/data` beside the
/// workspace. `None` when it is absent; the tests that need it then pass without it, and the run says so.
pub(crate) fn data_dir() -> Option<PathBuf> {
    let named = env::var_os("MXR_TEST_DATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = named.clone().unwrap_or(beside);
    if folder.join("README.md").is_file() {
        return Some(folder);
    }
    assert!(
        named.is_none(),
        "MXR_TEST_DATA names {}, which is not the folder of test data",
        folder.display()
    );
    static SAID: Once = Once::new();
    SAID.call_once(|| {
        say(&format!(
            "skipped: tests with real data, because {} does not exist (set MXR_TEST_DATA)",
            folder.display()
        ));
    });
    None
}
