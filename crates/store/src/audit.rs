//! Reading a store, or an exported log, as evidence: offline, read-only, trusting nothing.
//!
//! Every leaf hash is computed anew from the entry's bytes, every stored hash and every root from those, every signature is
//! checked. The first entry that cannot be vouched for is named. What the audit cannot see is a store that was put back as a
//! whole to an earlier state: pin a checkpoint that was kept elsewhere ([`Pins::checkpoint`]) to see that too.

mod error;
pub(crate) mod evidence;
mod export;
mod prove;
mod store;
mod wal;

pub use error::{AuditError, Flaw, Place};
pub use prove::{Proven, consistency, inclusion};

use crate::checkpoint::Checkpoint;
use crate::key::VerifierKey;
use crate::merkle::Hash;
use std::path::{Path, PathBuf};

/// What was verified.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// What kind of copy it was.
    pub source: Source,
    /// The log's name.
    pub origin: String,
    /// The public key that all checkpoints are signed with.
    pub vkey: String,
    /// Whether the caller named that key. If not, the copy vouches for itself only.
    pub pinned: bool,
    /// Entries.
    pub size: u64,
    /// Root over all of them.
    pub root: Hash,
    /// Signed checkpoints that were checked.
    pub checkpoints: u64,
    /// Entries after the last signed checkpoint. Ripcord leaves none: somebody else appended them.
    pub unsigned_tail: u64,
    /// Outbox rows; 0 for an export, which carries none.
    pub outbox: u64,
    /// Outbox rows not yet delivered.
    pub pending: u64,
    /// SHA-256 of ingestion cursor and outbox rows: equal for equal content. Zero for an export.
    pub state: [u8; 32],
    /// Whether the last write was cut short by a crash. It was never acknowledged, and it is not counted.
    pub torn_tail: bool,
}

/// Kinds of evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// A store folder.
    Store,
    /// A folder of tiles.
    Export,
}

/// What the caller knows from elsewhere.
#[derive(Debug, Clone, Default)]
pub struct Pins {
    /// The log's public key.
    pub vkey: Option<VerifierKey>,
    /// A signed checkpoint from an earlier day: the log must begin with what it covers.
    pub checkpoint: Option<Vec<u8>>,
}

/// Verifies a store folder or an exported log.
///
/// # Errors
/// [`AuditError`] names the first bad entry, what is wrong and where.
pub fn verify(path: &Path) -> Result<Audit, AuditError> {
    verify_pinned(path, &Pins::default())
}

/// Verifies against what the caller knows from elsewhere.
///
/// # Errors
/// [`AuditError`].
pub fn verify_pinned(path: &Path, pins: &Pins) -> Result<Audit, AuditError> {
    if path.join(crate::schema::DB_FILE).exists() {
        store::verify(path, pins)
    } else if path.join(crate::tiles::CHECKPOINT_FILE).exists() || path.join("tile").exists() {
        export::verify(path, pins)
    } else {
        Err(AuditError::NothingThere { path: path.to_owned() })
    }
}

/// The key to check with, and whether it is pinned.
fn choose_key(found: &str, file: &Path, pins: &Pins) -> Result<(VerifierKey, bool), AuditError> {
    let key = VerifierKey::parse(found)
        .ok_or_else(|| AuditError::Key { file: file.to_owned(), why: "the public key is damaged".to_owned() })?;
    match &pins.vkey {
        Some(pinned) if *pinned != key => {
            let why = format!("the log is signed by {key}, not by the pinned {pinned}");
            Err(AuditError::Key { file: file.to_owned(), why })
        }
        pinned => Ok((key, pinned.is_some())),
    }
}

/// The pinned checkpoint, as a root that the tree must reach at its size.
fn pinned_checkpoint(pins: &Pins, key: &VerifierKey, file: &Path) -> Result<Option<Checkpoint>, AuditError> {
    let Some(note) = &pins.checkpoint else { return Ok(None) };
    let checkpoint = Checkpoint::verify(note, key).map_err(|error| AuditError::Key {
        file: PathBuf::from(file),
        why: format!("the pinned checkpoint does not fit this log: {error}"),
    })?;
    Ok(Some(checkpoint))
}
