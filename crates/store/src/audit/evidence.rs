//! A store folder opened without leaving a trace in it.

use super::error::AuditError;
use super::wal;
use crate::schema::{self, DB_FILE, Kind, LOCK_FILE, WAL_FILE};
use rusqlite::Connection;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The database of a store, or a private copy of it when a crash left a WAL that has to be read along.
pub(crate) struct Evidence {
    pub(crate) db: Connection,
    /// The file that findings are about.
    pub(crate) file: PathBuf,
    /// Whether the WAL ends in a write that a crash cut short.
    pub(crate) torn_tail: bool,
    stamps: [Stamp; 2],
    // Dropped after the connection.
    _copy: Option<tempfile::TempDir>,
}

#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    path: PathBuf,
    len_modified: Option<(u64, Option<SystemTime>)>,
}

impl Stamp {
    fn take(path: PathBuf) -> Self {
        let len_modified = std::fs::metadata(&path).ok().map(|meta| (meta.len(), meta.modified().ok()));
        Self { path, len_modified }
    }

    fn len(&self) -> u64 {
        self.len_modified.map_or(0, |(len, _)| len)
    }
}

impl Evidence {
    pub(crate) fn open(dir: &Path) -> Result<Self, AuditError> {
        refuse_in_use(dir)?;
        let file = dir.join(DB_FILE);
        let stamps = [Stamp::take(file.clone()), Stamp::take(dir.join(WAL_FILE))];
        let [_, wal_stamp] = &stamps;
        let broken = |error: rusqlite::Error| AuditError::Database { file: file.clone(), why: error.to_string() };
        let (db, torn_tail, copy) = if wal_stamp.len() == 0 {
            check_length(&file)?;
            (schema::open_immutable(&file).map_err(broken)?, false, None)
        } else {
            let torn_tail = wal::inspect(&wal_stamp.path)?;
            let copy = copy(dir)?;
            let db = schema::open_writer(&copy.path().join(DB_FILE)).map_err(broken)?;
            (db, torn_tail, Some(copy))
        };
        match schema::kind(&db).map_err(broken)? {
            Kind::Journal => {}
            Kind::Newer(found) => return Err(AuditError::Newer { file, found, known: schema::VERSION }),
            Kind::Empty => return Err(AuditError::Database { file, why: "the database holds no tables".to_owned() }),
            Kind::Foreign(found) => {
                let why = format!("application id {found:#010x} is not a Ripcord journal's");
                return Err(AuditError::Database { file, why });
            }
        }
        Ok(Self { db, file, torn_tail, stamps, _copy: copy })
    }

    /// Whether nobody wrote to the files since they were opened. A verdict on moving ground is none.
    pub(crate) fn unchanged(&self) -> Result<(), AuditError> {
        for stamp in &self.stamps {
            if Stamp::take(stamp.path.clone()) != *stamp {
                return Err(AuditError::InUse { path: stamp.path.clone() });
            }
        }
        Ok(())
    }
}

/// The lock is looked at, never held: an audit must not keep a guardian from starting.
fn refuse_in_use(dir: &Path) -> Result<(), AuditError> {
    let path = dir.join(LOCK_FILE);
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(AuditError::Io { path, source }),
    };
    match file.try_lock_shared() {
        // Unlocked by name: a child process being started right now would keep the lock of a file that is only closed.
        Ok(()) => file.unlock().map_err(|source| AuditError::Io { path, source }),
        Err(TryLockError::WouldBlock) => Err(AuditError::InUse { path: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(AuditError::Io { path, source }),
    }
}

/// SQLite ignores a cut last page; here it is a finding.
fn check_length(file: &Path) -> Result<(), AuditError> {
    let len = std::fs::metadata(file).map_err(|source| AuditError::Io { path: file.to_owned(), source })?.len();
    if len == 0 || len % 512 != 0 {
        let why = format!("{len} bytes is not a whole number of pages");
        return Err(AuditError::Database { file: file.to_owned(), why });
    }
    Ok(())
}

fn copy(dir: &Path) -> Result<tempfile::TempDir, AuditError> {
    let failed = |path: PathBuf| move |source| AuditError::Io { path, source };
    let copy = tempfile::Builder::new().prefix("ripcord-audit-").tempdir().map_err(failed(std::env::temp_dir()))?;
    for name in [DB_FILE, WAL_FILE] {
        let from = dir.join(name);
        std::fs::copy(&from, copy.path().join(name)).map_err(failed(from))?;
    }
    Ok(copy)
}
