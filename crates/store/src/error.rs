//! What can go wrong with a store, and what to do about it.

use std::path::PathBuf;

/// Whether trying again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The same call may succeed later.
    Transient,
    /// The same call gives the same answer until a person changes something.
    Permanent,
    /// A flush failed: this store object will never work again, and the process must stop.
    Poisoned,
}

/// Why a store could not be opened, closed or exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another process has the store open.
    #[error("store {} is in use by another process", dir.display())]
    InUse {
        /// Store folder.
        dir: PathBuf,
    },
    /// A file or folder could not be read or written.
    #[error("{}: cannot {doing}", path.display())]
    Io {
        /// File or folder.
        path: PathBuf,
        /// What was being done, an infinitive.
        doing: &'static str,
        /// The system's answer.
        source: std::io::Error,
    },
    /// SQLite refused.
    #[error("{}: cannot {doing}", path.display())]
    Database {
        /// Database file.
        path: PathBuf,
        /// What was being done, an infinitive.
        doing: &'static str,
        /// SQLite's answer.
        source: rusqlite::Error,
    },
    /// The file is a database, but not a journal.
    #[error("{} is not a Ripcord journal: application id is {found:#010x}", path.display())]
    NotAJournal {
        /// Database file.
        path: PathBuf,
        /// Its application id.
        found: i32,
    },
    /// The store was written by a newer release.
    #[error("{} has schema version {found}, this build knows versions up to {known}", path.display())]
    Newer {
        /// Database file.
        path: PathBuf,
        /// Its version.
        found: i32,
        /// Ours.
        known: i32,
    },
    /// The store is damaged; [`crate::verify`] says where.
    #[error("{}: {why}", path.display())]
    Damaged {
        /// Database file.
        path: PathBuf,
        /// What was found.
        why: String,
    },
    /// The store belongs to another log.
    #[error("{} belongs to log {found:?}, not to {expected:?}", path.display())]
    OtherLog {
        /// Database or key file.
        path: PathBuf,
        /// Origin or verifier key in the file.
        found: String,
        /// Origin or verifier key asked for.
        expected: String,
    },
    /// The origin cannot name a key.
    #[error("log origin {0:?} is empty, too long, or holds a space, a plus sign or a control character")]
    Origin(String),
    /// The key file is not one.
    #[error("{}: {why}", path.display())]
    Key {
        /// Key file.
        path: PathBuf,
        /// What is wrong with it; never its content.
        why: &'static str,
    },
    /// The operating system gave no randomness for a new key.
    #[error("no randomness from the operating system")]
    Randomness(#[source] getrandom::Error),
    /// A flush failed earlier.
    #[error("the store is poisoned: {0}")]
    Poisoned(String),
}

impl StoreError {
    /// Whether trying again can help.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::InUse { .. } | Self::Randomness(_) => Class::Transient,
            Self::Io { source, .. } if source.kind() == std::io::ErrorKind::Interrupted => Class::Transient,
            Self::Poisoned(_) => Class::Poisoned,
            Self::Io { .. }
            | Self::Database { .. }
            | Self::NotAJournal { .. }
            | Self::Newer { .. }
            | Self::Damaged { .. }
            | Self::OtherLog { .. }
            | Self::Origin(_)
            | Self::Key { .. } => Class::Permanent,
        }
    }

    /// What to do next, one line without the word `help`.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::InUse { dir } => format!(
                "stop the guardian that uses {} (`fuser {}` names it), or give this one its own store folder",
                dir.display(),
                dir.join(crate::schema::LOCK_FILE).display()
            ),
            Self::Io { path, .. } => format!("check owner, permissions and free space of {}", path.display()),
            Self::Database { path, .. } | Self::Damaged { path, .. } => format!(
                "run `ripcord audit verify {}`: it names the first bad entry and changes nothing",
                path.parent().unwrap_or(path).display()
            ),
            Self::NotAJournal { path, .. } => {
                format!("give a folder whose {} was written by Ripcord", file_name(path))
            }
            Self::Newer { .. } => "install the release that wrote this store; versions only go up".to_owned(),
            Self::OtherLog { found, .. } => {
                format!("use the log's own settings ({found}), or start a new store folder for another log")
            }
            Self::Origin(_) => "use a name such as `ripcord.example.org/guardian`, at most 255 bytes".to_owned(),
            Self::Key { path, .. } => {
                format!("restore {} from your backup with mode 0600; a new key means a new log", path.display())
            }
            Self::Randomness(_) => "try again once the system has started up".to_owned(),
            Self::Poisoned(_) => "free the disk or replace it, then restart: what was acknowledged is kept".to_owned(),
        }
    }
}

fn file_name(path: &std::path::Path) -> std::borrow::Cow<'_, str> {
    path.file_name().map_or_else(|| "database".into(), |name| name.to_string_lossy())
}
