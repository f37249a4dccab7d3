//! Where the unpacked archives lie.

use std::path::PathBuf;

/// A path inside `.cache/data` of the workspace, where `cargo xtask data` unpacks the archives of `RIPCORD_DATA`.
///
/// # Panics
/// When it is not there: a test that was asked to run must not pass without its data.
pub(crate) fn unpacked(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = root.join(".cache/data").join(name);
    assert!(
        path.exists(),
        "{} is missing: run `cargo xtask data` (RIPCORD_DATA names the folder of archives)",
        path.display()
    );
    path
}
