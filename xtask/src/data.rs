//! Recorded chain data: archives named by `RIPCORD_DATA`, unpacked into `.cache/data`, which git ignores.
//!
//! None of it is needed to build, test or run. Tests over it stand in modules named `real_data` and are
//! `#[ignore = "needs ..."]`, so that a run without the data counts them as skipped, by name, and never as passed.

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use ruzstd::decoding::StreamingDecoder;

use crate::failure::Failure;

const CACHE: &str = ".cache/data";
const TREES: [&str; 2] = ["mainnet-blocks", "geth-tracetest-testdata"];
const FILES: [&str; 1] = ["mainnet-23587691-witness.json"];

/// What `unpack` found, and where it is now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unpacked {
    At(PathBuf),
    /// The folder that was looked for.
    Absent(PathBuf),
}

impl fmt::Display for Unpacked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(path) => write!(f, "data: unpacked in {}", path.display()),
            Self::Absent(path) => {
                write!(f, "data: none at {} (set RIPCORD_DATA); its tests are skipped", path.display())
            }
        }
    }
}

/// Unpacks every archive that is not unpacked yet.
pub(crate) fn unpack(root: &Path) -> Result<Unpacked, Failure> {
    let source = std::env::var_os("RIPCORD_DATA").map_or_else(|| PathBuf::from("../shared/data"), PathBuf::from);
    unpack_from(&root.join(source), &root.join(CACHE))
}

/// A folder that lacks one of the archives is an error: half of the data would let half of the tests pass for all of them.
fn unpack_from(source: &Path, cache: &Path) -> Result<Unpacked, Failure> {
    if !source.is_dir() {
        return Ok(Unpacked::Absent(source.to_path_buf()));
    }
    for name in TREES {
        once(&source.join(format!("{name}.tar.zst")), cache, name, |archive, to| {
            tar::Archive::new(archive).unpack(to)
        })?;
    }
    for name in FILES {
        once(&source.join(format!("{name}.zst")), cache, name, |mut archive, to| {
            io::copy(&mut archive, &mut File::create(to)?).map(|_bytes| ())
        })?;
    }
    Ok(Unpacked::At(cache.to_path_buf()))
}

/// Unpacks beside the goal and renames, so that a goal that exists is complete.
fn once(
    archive: &Path,
    cache: &Path,
    name: &str,
    write: impl FnOnce(StreamingDecoder<File, ruzstd::decoding::FrameDecoder>, &Path) -> io::Result<()>,
) -> Result<(), Failure> {
    let goal = cache.join(name);
    if goal.exists() {
        return Ok(());
    }
    let partial = cache.join(format!("partial-{name}"));
    fs::create_dir_all(cache).map_err(|error| Failure::file(cache, &error))?;
    if partial.is_dir() {
        fs::remove_dir_all(&partial).map_err(|error| Failure::file(&partial, &error))?;
    }
    let file = File::open(archive).map_err(|error| Failure::file(archive, &error))?;
    let decoder = StreamingDecoder::new(file).map_err(|error| Failure::file(archive, &error))?;
    write(decoder, &partial).map_err(|error| Failure::file(archive, &error))?;
    fs::rename(&partial, &goal).map_err(|error| Failure::file(&goal, &error))
}

#[cfg(test)]
mod tests {
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    use super::*;

    /// A source folder with every archive; each tree holds one file.
    fn source() -> tempfile::TempDir {
        let source = tempfile::tempdir().unwrap();
        for name in TREES {
            let mut tree = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_size(4);
            header.set_mode(0o644);
            tree.append_data(&mut header, "blocks/1.json", b"[1]\n".as_slice()).unwrap();
            write_zst(&source.path().join(format!("{name}.tar.zst")), &tree.into_inner().unwrap());
        }
        for name in FILES {
            write_zst(&source.path().join(format!("{name}.zst")), b"{}\n");
        }
        source
    }

    fn write_zst(path: &Path, bytes: &[u8]) {
        fs::write(path, compress_to_vec(bytes, CompressionLevel::Fastest)).unwrap();
    }

    #[test]
    fn archives_are_unpacked_once() {
        let (source, cache) = (source(), tempfile::tempdir().unwrap());
        let goal = Unpacked::At(cache.path().to_path_buf());
        assert_eq!(unpack_from(source.path(), cache.path()).unwrap(), goal);
        let block = cache.path().join(TREES[0]).join("blocks/1.json");
        assert_eq!(fs::read(&block).unwrap(), b"[1]\n");
        assert_eq!(fs::read(cache.path().join(FILES[0])).unwrap(), b"{}\n");

        fs::write(&block, "kept").unwrap();
        assert_eq!(unpack_from(source.path(), cache.path()).unwrap(), goal);
        assert_eq!(fs::read(&block).unwrap(), b"kept");
    }

    #[test]
    fn a_torn_archive_leaves_nothing_that_looks_complete() {
        let (source, cache) = (source(), tempfile::tempdir().unwrap());
        let archive = source.path().join(format!("{}.tar.zst", TREES[0]));
        let bytes = fs::read(&archive).unwrap();
        fs::write(&archive, &bytes[..bytes.len() / 2]).unwrap();
        assert!(unpack_from(source.path(), cache.path()).is_err());
        assert!(!cache.path().join(TREES[0]).exists());

        fs::write(&archive, bytes).unwrap();
        assert!(unpack_from(source.path(), cache.path()).is_ok());
    }

    #[test]
    fn no_folder_is_no_data_but_half_a_folder_is_an_error() {
        let (source, cache) = (source(), tempfile::tempdir().unwrap());
        let absent = source.path().join("absent");
        assert_eq!(unpack_from(&absent, cache.path()).unwrap(), Unpacked::Absent(absent));
        fs::remove_file(source.path().join(format!("{}.zst", FILES[0]))).unwrap();
        assert!(unpack_from(source.path(), cache.path()).is_err());
    }
}
