//! The tables of `journal.db`, their version, and the two ways to open the file.
//!
//! Append-only is enforced by triggers, so that not even a person with the `sqlite3` tool changes an entry by mistake.
//! Whoever goes around the triggers is caught by the audit.

use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::path::Path;

pub(crate) const DB_FILE: &str = "journal.db";
pub(crate) const WAL_FILE: &str = "journal.db-wal";
pub(crate) const LOCK_FILE: &str = "journal.lock";

/// `RIPC`.
pub(crate) const APPLICATION_ID: i32 = 0x5249_5043;
/// Raised with every change of the tables; a file of a later version is refused.
pub(crate) const VERSION: i32 = 1;

/// `head` has one row: what the last commit left behind. `seal` columns are SHA-256 over the other columns of their row.
/// `outbox.size` is the number of entries after the commit that brought the row.
pub(crate) const SQL_V1: &str = "
CREATE TABLE log(id INTEGER PRIMARY KEY CHECK(id = 1), origin TEXT NOT NULL, vkey TEXT NOT NULL) STRICT;
CREATE TABLE entries(idx INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
CREATE TABLE hashes(idx INTEGER PRIMARY KEY, hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;
CREATE TABLE checkpoints(size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;
CREATE TABLE outbox(seq INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE CHECK(length(key) = 32), kind TEXT NOT NULL,
  payload BLOB NOT NULL, size INTEGER NOT NULL, delivered INTEGER NOT NULL CHECK(delivered IN (0, 1)), seal BLOB NOT NULL) STRICT;
CREATE INDEX outbox_pending ON outbox(seq) WHERE delivered = 0;
CREATE TABLE head(id INTEGER PRIMARY KEY CHECK(id = 1), size INTEGER NOT NULL, note BLOB, checkpoints INTEGER NOT NULL,
  outbox INTEGER NOT NULL, cursor BLOB, seal BLOB NOT NULL) STRICT;
CREATE TRIGGER log_insert BEFORE INSERT ON log WHEN EXISTS (SELECT 1 FROM log)
  BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_update BEFORE UPDATE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_delete BEFORE DELETE ON log BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER entries_insert BEFORE INSERT ON entries WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM entries)
  BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER hashes_insert BEFORE INSERT ON hashes WHEN NEW.idx IS NOT (SELECT coalesce(max(idx) + 1, 0) FROM hashes)
  BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER checkpoints_insert BEFORE INSERT ON checkpoints WHEN NEW.size <= (SELECT max(size) FROM checkpoints)
  BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER entries_update BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER entries_delete BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER hashes_update BEFORE UPDATE ON hashes BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER hashes_delete BEFORE DELETE ON hashes BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER checkpoints_update BEFORE UPDATE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER checkpoints_delete BEFORE DELETE ON checkpoints BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER outbox_insert BEFORE INSERT ON outbox WHEN NEW.seq IS NOT (SELECT coalesce(max(seq) + 1, 1) FROM outbox)
  OR EXISTS (SELECT 1 FROM outbox WHERE key = NEW.key)
  BEGIN SELECT RAISE(ABORT, 'the outbox is append-only'); END;
CREATE TRIGGER outbox_update BEFORE UPDATE ON outbox WHEN NEW.seq IS NOT OLD.seq OR NEW.key IS NOT OLD.key
  OR NEW.kind IS NOT OLD.kind OR NEW.payload IS NOT OLD.payload OR NEW.size IS NOT OLD.size OR NEW.delivered < OLD.delivered
  BEGIN SELECT RAISE(ABORT, 'the outbox is append-only'); END;
CREATE TRIGGER outbox_delete BEFORE DELETE ON outbox BEGIN SELECT RAISE(ABORT, 'the outbox is append-only'); END;
CREATE TRIGGER head_insert BEFORE INSERT ON head WHEN EXISTS (SELECT 1 FROM head)
  BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER head_update BEFORE UPDATE ON head WHEN NEW.size < OLD.size OR NEW.checkpoints < OLD.checkpoints
  OR NEW.outbox < OLD.outbox
  BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER head_delete BEFORE DELETE ON head BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
";

/// What kind of database a file is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// No tables, no marks: a new file, or one whose creation was cut short.
    Empty,
    /// A journal of a version that this build can read.
    Journal,
    /// A journal of a later version.
    Newer(i32),
    /// Something else.
    Foreign(i32),
}

/// Reads the marks of a database. Writes nothing.
pub(crate) fn kind(db: &Connection) -> rusqlite::Result<Kind> {
    let application: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let tables: u32 = db.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(match (application, version, tables) {
        (0, 0, 0) => Kind::Empty,
        (APPLICATION_ID, 1..=VERSION, _) => Kind::Journal,
        (APPLICATION_ID, later, _) if later > VERSION => Kind::Newer(later),
        (other, _, _) => Kind::Foreign(other),
    })
}

/// Opens for the one writer. The exclusive locking mode keeps the WAL index in memory, so that no other program can write.
pub(crate) fn open_writer(file: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(file, flags)?;
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    harden(&db)?;
    Ok(db)
}

/// Turns the settings on that every commit relies on.
pub(crate) fn set_durable(db: &Connection) -> rusqlite::Result<()> {
    let mode: String = db.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))?;
    if mode != "wal" {
        return Err(rusqlite::Error::InvalidParameterName(format!("journal mode {mode} instead of wal")));
    }
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "foreign_keys", true)?;
    // After a checkpoint the WAL shrinks back to this many bytes.
    db.pragma_update(None, "journal_size_limit", 8 * 1024 * 1024)
}

/// Makes the tables with the log's name and public key in them, all or nothing.
pub(crate) fn create(db: &mut Connection, origin: &str, vkey: &str) -> rusqlite::Result<()> {
    let tx = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", VERSION)?;
    tx.execute_batch(SQL_V1)?;
    tx.execute("INSERT INTO log(id, origin, vkey) VALUES (1, ?1, ?2)", (origin, vkey))?;
    let head = Head::default();
    tx.execute(
        "INSERT INTO head(id, size, note, checkpoints, outbox, cursor, seal) VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6)",
        head.columns(),
    )?;
    tx.commit()
}

/// Opens as evidence: no lock is taken, no file is made, nothing is written. Right only while no WAL is beside the file.
pub(crate) fn open_immutable(file: &Path) -> rusqlite::Result<Connection> {
    let mut uri = String::from("file:");
    for byte in file.as_os_str().as_encoded_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte) {
            uri.push(char::from(*byte));
        } else {
            write!(uri, "%{byte:02X}").map_err(|_| rusqlite::Error::InvalidPath(file.to_owned()))?;
        }
    }
    uri.push_str("?immutable=1&mode=ro");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(uri, flags)?;
    harden(&db)?;
    Ok(db)
}

fn harden(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "trusted_schema", false)?;
    db.pragma_update(None, "cell_size_check", true)
}

/// The statements that made the tables, in a form that two files can be compared by.
pub(crate) fn statements(db: &Connection) -> rusqlite::Result<Vec<String>> {
    db.prepare("SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name")?
        .query_map([], |row| {
            let field = |n: usize| row.get::<_, String>(n);
            Ok(format!("{} {} {} {}", field(0)?, field(1)?, field(2)?, field(3)?))
        })?
        .collect()
}

/// What [`statements`] gives for a file that this build made.
pub(crate) fn expected_statements() -> rusqlite::Result<Vec<String>> {
    let db = Connection::open_in_memory()?;
    db.execute_batch(SQL_V1)?;
    statements(&db)
}

/// SHA-256 over length-prefixed fields: damage to any of them shows.
fn seal(domain: &str, fields: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for field in std::iter::once(&domain.as_bytes()).chain(fields) {
        // usize is at most 64 bits wide on every target of Rust.
        hash.update((field.len() as u64).to_be_bytes());
        hash.update(field);
    }
    hash.finalize().into()
}

/// The one row of `head`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Entries.
    pub(crate) size: u64,
    /// Signed checkpoint over all of them; `None` while there are none.
    pub(crate) note: Option<Vec<u8>>,
    /// Rows in `checkpoints`.
    pub(crate) checkpoints: u64,
    /// Outbox rows ever made.
    pub(crate) outbox: u64,
    /// Ingestion cursor.
    pub(crate) cursor: Option<Vec<u8>>,
}

impl Head {
    fn seal(&self) -> [u8; 32] {
        let present = [u8::from(self.note.is_some()), u8::from(self.cursor.is_some())];
        let note = self.note.as_deref().unwrap_or_default();
        let cursor = self.cursor.as_deref().unwrap_or_default();
        let [size, checkpoints, outbox] = [self.size, self.checkpoints, self.outbox].map(u64::to_be_bytes);
        seal("ripcord/head/1", &[&size, &present, note, &checkpoints, &outbox, cursor])
    }

    /// Reads the row. `Ok(Err(()))` when its seal does not match.
    pub(crate) fn load(db: &Connection) -> rusqlite::Result<Result<Self, ()>> {
        let mut statement =
            db.prepare_cached("SELECT size, note, checkpoints, outbox, cursor, seal FROM head WHERE id = 1")?;
        let (head, stored) = statement.query_row([], |row| {
            let (size, note, checkpoints) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let head = Self { size, note, checkpoints, outbox: row.get(3)?, cursor: row.get(4)? };
            Ok((head, row.get::<_, Vec<u8>>(5)?))
        })?;
        Ok(if stored == head.seal() { Ok(head) } else { Err(()) })
    }

    fn columns(&self) -> impl rusqlite::Params + '_ {
        (self.size, self.note.as_deref(), self.checkpoints, self.outbox, self.cursor.as_deref(), self.seal())
    }

    pub(crate) fn save(&self, db: &Connection) -> rusqlite::Result<()> {
        let sql =
            "UPDATE head SET size = ?1, note = ?2, checkpoints = ?3, outbox = ?4, cursor = ?5, seal = ?6 WHERE id = 1";
        match db.prepare_cached(sql)?.execute(self.columns())? {
            1 => Ok(()),
            rows => Err(rusqlite::Error::StatementChangedRows(rows)),
        }
    }
}

/// A row of `outbox`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) seq: u64,
    pub(crate) key: Vec<u8>,
    pub(crate) kind: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) size: u64,
    pub(crate) delivered: bool,
    pub(crate) seal: Vec<u8>,
}

impl Sent {
    pub(crate) const COLUMNS: &str = "seq, key, kind, payload, size, delivered, seal";

    pub(crate) fn from_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            key: row.get(1)?,
            kind: row.get(2)?,
            payload: row.get(3)?,
            size: row.get(4)?,
            delivered: row.get(5)?,
            seal: row.get(6)?,
        })
    }

    pub(crate) fn expected_seal(&self) -> [u8; 32] {
        let (seq, size) = (self.seq.to_be_bytes(), self.size.to_be_bytes());
        let delivered = [u8::from(self.delivered)];
        seal("ripcord/outbox/1", &[&seq, &self.key, self.kind.as_bytes(), &self.payload, &size, &delivered])
    }
}
