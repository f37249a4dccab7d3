//! Findings of an audit.

use crate::error::{Class, StoreError};
use std::path::{Path, PathBuf};

/// Where a flaw is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The bytes of the entry.
    Entry,
    /// A stored hash that the entry completes; its index.
    Hash(u64),
    /// The signed checkpoint over so many entries. The entry named is the first that no good checkpoint covers.
    Checkpoint(u64),
    /// A row of the outbox. The entry named is the first after the commit of the last good row.
    Outbox(u64),
    /// The row that holds size, checkpoint and cursor of the last commit.
    Head,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Entry => f.write_str("its bytes"),
            Self::Hash(index) => write!(f, "stored hash {index}"),
            Self::Checkpoint(size) => write!(f, "the checkpoint of size {size}"),
            Self::Outbox(seq) => write!(f, "row {seq} of the outbox"),
            Self::Head => f.write_str("the head row"),
        }
    }
}

/// What is wrong there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Flaw {
    /// Not there, though something later refers to it.
    #[error("missing: {0}")]
    Missing(String),
    /// There, but not where it belongs.
    #[error("out of order: {0}")]
    Order(String),
    /// Its bytes are not what a hash, seal or signature says.
    #[error("altered: {0}")]
    Altered(String),
    /// It does not have the form that the log gives it.
    #[error("malformed: {0}")]
    Malformed(String),
    /// The file gives no bytes.
    #[error("unreadable: {0}")]
    Unreadable(String),
}

/// Why evidence does not stand.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// Neither store nor export.
    #[error("{} holds neither a journal nor an exported log", path.display())]
    NothingThere {
        /// Folder.
        path: PathBuf,
    },
    /// A guardian is writing to it.
    #[error("the store {} is being written to", path.display())]
    InUse {
        /// Folder or file.
        path: PathBuf,
    },
    /// A file could not be read.
    #[error("{}: cannot be read", path.display())]
    Io {
        /// File.
        path: PathBuf,
        /// The system's answer.
        source: std::io::Error,
    },
    /// Written by a newer release.
    #[error("{} has schema version {found}, this build knows versions up to {known}", file.display())]
    Newer {
        /// Database file.
        file: PathBuf,
        /// Its version.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// The database as such is broken, or is not a journal.
    #[error("{}: {why}", file.display())]
    Database {
        /// Database or WAL file.
        file: PathBuf,
        /// What SQLite or the comparison says.
        why: String,
    },
    /// The key is damaged, or not the pinned one.
    #[error("{}: {why}", file.display())]
    Key {
        /// File that holds the key.
        file: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// An entry, or something that vouches for it.
    #[error("{}: entry {entry}: {place}: {flaw}", file.display())]
    Entry {
        /// File.
        file: PathBuf,
        /// First bad entry.
        entry: u64,
        /// What about it.
        place: Place,
        /// What is wrong.
        flaw: Flaw,
    },
}

impl AuditError {
    /// The first entry that cannot be vouched for, when the damage has a place in the log.
    #[must_use]
    pub fn entry(&self) -> Option<u64> {
        if let Self::Entry { entry, .. } = self { Some(*entry) } else { None }
    }

    /// Whether this says something about the evidence (exit code 5), or only that it could not be looked at.
    #[must_use]
    pub fn is_finding(&self) -> bool {
        match self {
            Self::Database { .. } | Self::Key { .. } | Self::Entry { .. } => true,
            Self::NothingThere { .. } | Self::InUse { .. } | Self::Io { .. } | Self::Newer { .. } => false,
        }
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn class(&self) -> Class {
        if matches!(self, Self::InUse { .. }) { Class::Transient } else { Class::Permanent }
    }

    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::NothingThere { .. } => {
                "name the store folder of a guardian, or a folder that `ripcord audit export` wrote".to_owned()
            }
            Self::InUse { .. } => "export the live log and verify the export, or stop the guardian first".to_owned(),
            Self::Io { path, .. } => format!("check that {} exists and can be read", path.display()),
            Self::Newer { .. } => "verify with the release that wrote this store".to_owned(),
            Self::Database { .. } => {
                "keep the file as it is; compare it with a backup or an exported log of the same origin".to_owned()
            }
            Self::Key { .. } => "get the log's public key from its operator and pass it with `--vkey`".to_owned(),
            Self::Entry { entry: 0, .. } => {
                "keep the file as it is; compare it with a backup or an exported log of the same origin".to_owned()
            }
            Self::Entry { entry, .. } => format!(
                "keep the file as it is; entries before {entry} stand, compare the rest with a backup or an exported log"
            ),
        }
    }

    pub(crate) fn into_store_error(self, dir: &Path) -> StoreError {
        match self {
            Self::InUse { .. } => StoreError::InUse { dir: dir.to_owned() },
            Self::Io { path, source } => StoreError::Io { path, doing: "read the store", source },
            Self::Newer { file: path, found, known } => StoreError::Newer { path, found, known },
            Self::NothingThere { .. } | Self::Database { .. } | Self::Key { .. } | Self::Entry { .. } => {
                StoreError::Damaged { path: dir.to_owned(), why: self.to_string() }
            }
        }
    }
}
