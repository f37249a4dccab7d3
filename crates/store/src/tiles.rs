//! The log as a folder of static files, the C2SP tlog-tiles layout: any web server can publish it, anyone can check it.
//!
//! ```text
//! checkpoint                   signed note over the whole log; written last
//! vkey                         the log's public key: pin it elsewhere, a copy beside the data proves nothing
//! tile/<L>/<N>[.p/<W>]         256 (or W) hashes of level 8·L
//! tile/entries/<N>[.p/<W>]     the same 256 entries, each after its length (two bytes, big-endian)
//! ```
//!
//! N is written in groups of three digits, all but the last with an `x`: 1234067 is `x001/x234/067`. Full tiles never change;
//! a second export into the same folder adds to it, and leaves older partial tiles for readers of the older checkpoint.

use crate::audit::evidence::Evidence;
use crate::error::StoreError;
use crate::key::VerifierKey;
use crate::merkle::{Hash, HashReader as _};
use crate::reader::{self, Hashes};
use crate::schema::Head;
use rusqlite::Connection;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tlog_tiles::tlog::stored_hash_index;

/// Hashes in a full tile, entries in a full bundle.
pub const WIDTH: u64 = 256;
/// Levels of the tree that one tile spans.
const HEIGHT: u32 = 8;

pub(crate) const CHECKPOINT_FILE: &str = "checkpoint";
pub(crate) const VKEY_FILE: &str = "vkey";

/// One file of the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tile {
    /// Level in tiles; `None` for an entry bundle.
    pub level: Option<u8>,
    /// Number within the level.
    pub number: u64,
    /// Hashes or entries in it, 1 to 256.
    pub width: u64,
}

impl Tile {
    /// Its path below the log's folder.
    #[must_use]
    pub fn path(&self) -> String {
        let level = self.level.map_or_else(|| "entries".to_owned(), |level| level.to_string());
        let mut number = format!("{:03}", self.number % 1000);
        let mut rest = self.number / 1000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1000);
            rest /= 1000;
        }
        let partial = if self.width == WIDTH { String::new() } else { format!(".p/{}", self.width) };
        format!("tile/{level}/{number}{partial}")
    }

    /// The tiles of one level (or the bundles) for a tree of `size` entries, in order.
    fn row(level: Option<u8>, size: u64) -> impl Iterator<Item = Self> {
        let nodes = size.checked_shr(u32::from(level.unwrap_or(0)).saturating_mul(HEIGHT)).unwrap_or(0);
        (0..nodes.div_ceil(WIDTH)).map(move |number| {
            let width = nodes.saturating_sub(number.saturating_mul(WIDTH)).min(WIDTH);
            Self { level, number, width }
        })
    }

    /// All files of a tree of `size` entries: bundles first, then the tiles from the lowest level up.
    pub fn all(size: u64) -> impl Iterator<Item = Self> {
        let levels = (0_u8..8).take_while(move |level| size >> (u32::from(*level) * HEIGHT) > 0);
        Self::row(None, size).chain(levels.flat_map(move |level| Self::row(Some(level), size)))
    }

    /// Index of the first hash or entry within the level.
    #[must_use]
    pub fn first(&self) -> u64 {
        self.number.saturating_mul(WIDTH)
    }

    /// Stored hash indexes of a hash tile.
    fn hash_indexes(&self, level: u8) -> Vec<u64> {
        let tree_level = level.saturating_mul(8);
        (self.first()..).take(256).zip(0..self.width).map(|(n, _)| stored_hash_index(tree_level, n)).collect()
    }
}

/// The bytes of an entry bundle.
#[must_use]
pub fn bundle(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in entries {
        // No longer entry ever gets into a log; saturating makes a longer one unreadable instead of shifting what follows.
        bytes.extend_from_slice(&u16::try_from(entry.len()).unwrap_or(u16::MAX).to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    bytes
}

/// Exports the store in `dir` without changing it; nobody may have it open.
///
/// # Errors
/// [`StoreError`]; the checkpoint is written last, so a partial export is not taken for a whole one.
pub fn export(dir: &Path, out: &Path) -> Result<(), StoreError> {
    let evidence = Evidence::open(dir).map_err(|error| error.into_store_error(dir))?;
    let failed = |source| StoreError::Database { path: evidence.file.clone(), doing: "read the journal", source };
    let damaged = |why: &str| StoreError::Damaged { path: evidence.file.clone(), why: why.to_owned() };
    let head = Head::load(&evidence.db).map_err(failed)?.map_err(|()| damaged("the head row is damaged"))?;
    let vkey: String = evidence.db.query_row("SELECT vkey FROM log", [], |row| row.get(0)).map_err(failed)?;
    let vkey = VerifierKey::parse(&vkey).ok_or_else(|| damaged("the public key is damaged"))?;
    export_database(&evidence.db, &evidence.file, &head, &vkey, out)
}

pub(crate) fn export_database(
    db: &Connection,
    file: &Path,
    head: &Head,
    vkey: &VerifierKey,
    out: &Path,
) -> Result<(), StoreError> {
    let damaged = |why: String| StoreError::Damaged { path: file.to_owned(), why };
    let note = head.note.as_ref().ok_or_else(|| damaged("the log has no entries to export".to_owned()))?;
    for tile in Tile::all(head.size) {
        let path = out.join(tile.path());
        if tile.width == WIDTH && path.exists() {
            continue;
        }
        let bytes = match tile.level {
            None => {
                let entries = reader::entries(db, tile.first(), tile.first().saturating_add(tile.width));
                bundle(&entries.map_err(|bad| damaged(format!("entry {}: {}", bad.index, bad.why)))?)
            }
            Some(level) => {
                let hashes = Hashes(db).read_hashes(&tile.hash_indexes(level));
                concat(&hashes.map_err(|error| damaged(error.to_string()))?)
            }
        };
        write(&path, &bytes)?;
    }
    write(&out.join(VKEY_FILE), format!("{vkey}\n").as_bytes())?;
    write(&out.join(CHECKPOINT_FILE), note)
}

pub(crate) fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Writes a file whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let failed = |source| StoreError::Io { path: PathBuf::from(path), doing: "write the export", source };
    let dir = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(dir).map_err(failed)?;
    let mut builder = tempfile::Builder::new();
    // What is exported is for others to read; the umask still applies.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644));
    let mut temporary = builder.prefix(".export-").tempfile_in(dir).map_err(failed)?;
    temporary.write_all(bytes).map_err(failed)?;
    temporary.as_file().sync_all().map_err(failed)?;
    temporary.persist(path).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests;
