//! The journal of a live guardian: one SQLite file, one transaction and one flush for each commit.
//!
//! Each commit signs a checkpoint over all entries and keeps it in the one-row table `head`. Those that matter later stay in
//! `checkpoints`: of each commit with outbox rows (an effect follows it) and whenever a bundle of 256 entries is full. An
//! Ed25519 signature costs a tenth of the flush, so that nothing durable is ever unsigned.

use crate::checkpoint::Checkpoint;
use crate::error::{Class, StoreError};
use crate::key::{LogKey, VerifierKey, check_origin};
use crate::merkle::{Frontier, Hash};
use crate::proof::{Consistency, Inclusion};
use crate::reader::{self, Hashes};
use crate::schema::{self, DB_FILE, Head, Kind, LOCK_FILE, Sent};
use alloy_primitives::B256;
use ripcord_core::ports::{Batch, Committed, Journal, JournalError, OutboxRow};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use tlog_tiles::tlog::stored_hash_count;

/// Entries in a full bundle; a checkpoint is kept each time one fills up.
const BUNDLE: u64 = 256;

/// An open store. One process at a time has it; a second one is refused at once.
#[derive(Debug)]
pub struct SqliteJournal {
    // Fields drop in this order: the database closes before the lock is given up.
    db: Connection,
    file: PathBuf,
    key: LogKey,
    vkey: VerifierKey,
    frontier: Frontier,
    head: Head,
    poison: Option<String>,
    _lock: Lock,
}

impl SqliteJournal {
    /// Opens the store in `dir` and makes it when there is none. What an earlier process acknowledged is there, whatever
    /// ended it.
    ///
    /// # Errors
    /// [`StoreError`]; nothing is changed in a store that is in use, newer, foreign, of another log or damaged.
    pub fn open(dir: &Path, key: LogKey, origin: &str) -> Result<Self, StoreError> {
        check_origin(origin)?;
        make_folder(dir)?;
        let lock = lock(dir)?;
        let file = dir.join(DB_FILE);
        let vkey = key.verifier(origin);
        let db = connect(&file, origin, &vkey)?;
        sync_folder(dir)?;
        let head = check_state(&db, &file, &vkey)?;
        let frontier = Frontier::load(head.size, &Hashes(&db))
            .map_err(|error| StoreError::Damaged { path: file.clone(), why: error.to_string() })?;
        if let Some(note) = &head.note {
            let expected = Checkpoint { origin: origin.to_owned(), size: head.size, root: frontier.root() };
            if !Checkpoint::verify(note, &vkey).is_ok_and(|found| found == expected) {
                let why = "the signed checkpoint does not match the stored hashes".to_owned();
                return Err(StoreError::Damaged { path: file, why });
            }
        }
        Ok(Self { db, file, key, vkey, frontier, head, poison: None, _lock: lock })
    }

    /// Copies the WAL back and closes, so that `journal.db` alone is the whole store. Dropping does the same without telling.
    ///
    /// # Errors
    /// [`StoreError::Poisoned`], or what SQLite says; the store is intact either way.
    pub fn close(self) -> Result<(), StoreError> {
        let Self { db, file, poison, _lock: lock, .. } = self;
        if let Some(why) = poison {
            return Err(StoreError::Poisoned(why));
        }
        let failed = |source| StoreError::Database { path: file.clone(), doing: "close the journal", source };
        let busy: bool = db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0)).map_err(failed)?;
        if busy {
            return Err(StoreError::Damaged { path: file, why: "another program reads the journal".to_owned() });
        }
        db.close().map_err(|(_, source)| failed(source))?;
        drop(lock);
        Ok(())
    }

    /// Public key of the log.
    #[must_use]
    pub fn verifier(&self) -> &VerifierKey {
        &self.vkey
    }

    /// Root of the tree over all entries.
    #[must_use]
    pub fn root(&self) -> Hash {
        self.frontier.root()
    }

    /// Signed checkpoint over all entries; `None` while there are none.
    #[must_use]
    pub fn checkpoint(&self) -> Option<&[u8]> {
        self.head.note.as_deref()
    }

    /// Whether a call can ever work again.
    #[must_use]
    pub fn class(&self) -> Option<Class> {
        self.poison.as_ref().map(|_| Class::Poisoned)
    }

    /// Proof that an entry is in the tree of `size` entries.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] when the index is not in that tree or hashes are missing; [`JournalError::Poisoned`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Inclusion, JournalError> {
        self.alive()?;
        Inclusion::build(index, size, &Hashes(&self.db)).map_err(|error| corrupt(index, &error))
    }

    /// Proof that the tree of `old` entries is the beginning of the tree of `new` entries.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] when there are no such trees or hashes are missing; [`JournalError::Poisoned`].
    pub fn consistency(&self, old: u64, new: u64) -> Result<Consistency, JournalError> {
        self.alive()?;
        Consistency::build(old, new, &Hashes(&self.db)).map_err(|error| corrupt(old, &error))
    }

    /// Writes checkpoint, tiles and entry bundles into a folder; see [`crate::tiles`].
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn export(&self, out: &Path) -> Result<(), StoreError> {
        if let Some(why) = &self.poison {
            return Err(StoreError::Poisoned(why.clone()));
        }
        crate::tiles::export_database(&self.db, &self.file, &self.head, &self.vkey, out)
    }

    fn alive(&self) -> Result<(), JournalError> {
        self.poison.as_ref().map_or(Ok(()), |why| Err(JournalError::Poisoned(why.clone())))
    }

    /// After a failed flush nobody knows what the disk holds, so nothing more is written: not even a checkpoint of the WAL.
    fn poison(&mut self, doing: &str, error: &rusqlite::Error) -> JournalError {
        let mut why = format!("{doing} {}: {error}", self.file.display());
        if let Err(error) = self.db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true) {
            why = format!("{why}; {error}");
        }
        self.poison = Some(why.clone());
        JournalError::Poisoned(why)
    }

    fn write(&self, batch: &Batch, head: &mut Head, frontier: &mut Frontier) -> rusqlite::Result<()> {
        let tx = rusqlite::Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        let mut hashes = Vec::with_capacity(batch.entries.len().saturating_mul(2));
        {
            let mut insert = tx.prepare_cached("INSERT INTO entries(idx, data) VALUES (?1, ?2)")?;
            for entry in &batch.entries {
                insert.execute((frontier.size(), entry))?;
                frontier.append(entry, |hash| hashes.push(hash));
            }
            let mut insert = tx.prepare_cached("INSERT INTO hashes(idx, hash) VALUES (?1, ?2)")?;
            for (index, hash) in (stored_hash_count(head.size)..).zip(&hashes) {
                insert.execute((index, hash.0))?;
            }
        }
        let old_size = head.size;
        head.size = frontier.size();
        for row in &batch.outbox {
            head.outbox = head.outbox.saturating_add(u64::from(put_outbox(&tx, row, head)?));
        }
        if !batch.entries.is_empty() {
            let checkpoint =
                Checkpoint { origin: self.vkey.origin().to_owned(), size: head.size, root: frontier.root() };
            let note = checkpoint.sign(&self.key).ok_or(rusqlite::Error::InvalidQuery)?;
            if !batch.outbox.is_empty() || old_size / BUNDLE != head.size / BUNDLE {
                tx.prepare_cached("INSERT INTO checkpoints(size, note) VALUES (?1, ?2)")?
                    .execute((head.size, &note))?;
                head.checkpoints = head.checkpoints.saturating_add(1);
            }
            head.note = Some(note);
        }
        if batch.cursor.is_some() {
            head.cursor.clone_from(&batch.cursor);
        }
        head.save(&tx)?;
        tx.commit()
    }

    fn mark(&self, key: B256) -> rusqlite::Result<bool> {
        let tx = rusqlite::Transaction::new_unchecked(&self.db, TransactionBehavior::Immediate)?;
        let sql = format!("SELECT {} FROM outbox WHERE key = ?1", Sent::COLUMNS);
        let row = tx.prepare_cached(&sql)?.query_row([key.as_slice()], Sent::from_row).optional()?;
        let Some(mut row) = row else { return Ok(false) };
        if !row.delivered {
            row.delivered = true;
            tx.prepare_cached("UPDATE outbox SET delivered = 1, seal = ?2 WHERE seq = ?1")?
                .execute((row.seq, row.expected_seal()))?;
        }
        tx.commit()?;
        Ok(true)
    }
}

impl Journal for SqliteJournal {
    fn commit(&mut self, batch: &Batch) -> Result<Committed, JournalError> {
        self.alive()?;
        for (index, entry) in batch.entries.iter().enumerate() {
            if entry.len() > crate::ENTRY_BYTES_MAX {
                return Err(JournalError::TooLarge { index, bytes: entry.len() });
            }
            crate::replay::check_canonical(entry).map_err(|why| JournalError::NotCanonical { index, why })?;
        }
        let first = self.head.size;
        if *batch == Batch::default() {
            return Ok(Committed { first, size: first });
        }
        let mut head = self.head.clone();
        let mut frontier = self.frontier.clone();
        if let Err(error) = self.write(batch, &mut head, &mut frontier) {
            return Err(self.poison("commit to", &error));
        }
        self.head = head;
        self.frontier = frontier;
        Ok(Committed { first, size: self.head.size })
    }

    fn size(&self) -> u64 {
        self.head.size
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, JournalError> {
        self.alive()?;
        let to = from.saturating_add(u64::try_from(limit).unwrap_or(u64::MAX)).min(self.head.size);
        reader::entries(&self.db, from, to).map_err(|bad| JournalError::Corrupt { index: bad.index, why: bad.why })
    }

    fn cursor(&self) -> Result<Option<Vec<u8>>, JournalError> {
        self.alive()?;
        Ok(self.head.cursor.clone())
    }

    fn pending(&self, limit: usize) -> Result<Vec<OutboxRow>, JournalError> {
        self.alive()?;
        let failed = |error: rusqlite::Error| corrupt(self.head.size, &error);
        let sql = format!("SELECT {} FROM outbox WHERE delivered = 0 ORDER BY seq LIMIT ?1", Sent::COLUMNS);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut statement = self.db.prepare_cached(&sql).map_err(failed)?;
        let mut rows = Vec::new();
        for row in statement.query_map([limit], Sent::from_row).map_err(failed)? {
            let row = row.map_err(failed)?;
            let damaged = || JournalError::Corrupt {
                index: row.size.saturating_sub(1),
                why: format!("row {} of the outbox is damaged", row.seq),
            };
            let key = B256::try_from(row.key.as_slice()).map_err(|_| damaged())?;
            if row.seal != row.expected_seal() {
                return Err(damaged());
            }
            rows.push(OutboxRow { key, kind: row.kind, payload: row.payload });
        }
        Ok(rows)
    }

    fn delivered(&mut self, key: B256) -> Result<(), JournalError> {
        self.alive()?;
        match self.mark(key) {
            Ok(true) => Ok(()),
            Ok(false) => Err(JournalError::UnknownKey(key)),
            Err(error) => Err(self.poison("mark a delivery in", &error)),
        }
    }
}

/// Adds a row unless its key is known. Says whether it did.
fn put_outbox(tx: &Connection, row: &OutboxRow, head: &Head) -> rusqlite::Result<bool> {
    if tx.prepare_cached("SELECT 1 FROM outbox WHERE key = ?1")?.exists([row.key.as_slice()])? {
        return Ok(false);
    }
    let sent = Sent {
        seq: head.outbox.saturating_add(1),
        key: row.key.to_vec(),
        kind: row.kind.clone(),
        payload: row.payload.clone(),
        size: head.size,
        delivered: false,
        seal: Vec::new(),
    };
    let seal = sent.expected_seal();
    tx.prepare_cached(
        "INSERT INTO outbox(seq, key, kind, payload, size, delivered, seal) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)",
    )?
    .execute((sent.seq, sent.key, sent.kind, sent.payload, sent.size, seal))?;
    Ok(true)
}

fn corrupt(index: u64, error: &dyn std::fmt::Display) -> JournalError {
    JournalError::Corrupt { index, why: error.to_string() }
}

/// Opens the database file and makes sure that it is this log's.
fn connect(file: &Path, origin: &str, vkey: &VerifierKey) -> Result<Connection, StoreError> {
    let failed = |source| StoreError::Database { path: file.to_owned(), doing: "open the journal", source };
    let mut db = schema::open_writer(file).map_err(failed)?;
    // Until the file is known to be ours, closing it must not write either.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(failed)?;
    let path = || file.to_owned();
    match schema::kind(&db).map_err(failed)? {
        Kind::Newer(found) => return Err(StoreError::Newer { path: path(), found, known: schema::VERSION }),
        Kind::Foreign(found) => return Err(StoreError::NotAJournal { path: path(), found }),
        Kind::Empty => {
            schema::set_durable(&db).map_err(failed)?;
            schema::create(&mut db, origin, &vkey.to_string()).map_err(failed)?;
        }
        Kind::Journal => {}
    }
    let sql = "SELECT origin, vkey FROM log WHERE id = 1";
    let (found_origin, found_vkey): (String, String) =
        db.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).map_err(failed)?;
    for (found, expected) in [(found_origin, origin.to_owned()), (found_vkey, vkey.to_string())] {
        if found != expected {
            return Err(StoreError::OtherLog { path: path(), found, expected });
        }
    }
    schema::set_durable(&db).map_err(failed)?;
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false).map_err(failed)?;
    // What a crash left in the WAL is settled now: the audit relies on at most one unfinished write in it.
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
    Ok(db)
}

/// The head row, after comparing it with what the tables hold.
fn check_state(db: &Connection, file: &Path, vkey: &VerifierKey) -> Result<Head, StoreError> {
    let failed = |source| StoreError::Database { path: file.to_owned(), doing: "read the journal", source };
    let damaged = |why: String| StoreError::Damaged { path: file.to_owned(), why };
    let head = Head::load(db).map_err(failed)?.map_err(|()| damaged("the head row is damaged".to_owned()))?;
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, u64>(0)).map_err(failed);
    let expected = [
        ("entries", count("SELECT coalesce(max(idx) + 1, 0) FROM entries")?, head.size),
        ("stored hashes", count("SELECT coalesce(max(idx) + 1, 0) FROM hashes")?, stored_hash_count(head.size)),
        ("checkpoints", count("SELECT count(*) FROM checkpoints")?, head.checkpoints),
        ("outbox rows", count("SELECT coalesce(max(seq), 0) FROM outbox")?, head.outbox),
    ];
    for (what, found, expected) in expected {
        if found != expected {
            return Err(damaged(format!("{found} {what} where the last commit of {} left {expected}", vkey.origin())));
        }
    }
    if head.note.is_none() != (head.size == 0) {
        return Err(damaged("the signed checkpoint is missing".to_owned()));
    }
    Ok(head)
}

/// The store's lock, given up when dropped. Closing the file alone would not do: a child process that is being started at that
/// moment shares it until its own program runs, and an opener would be refused for no reason.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Should this fail, the lock still ends with the file.
        let _ = self.0.unlock();
    }
}

/// Takes the store's lock or says at once that another process has it.
fn lock(dir: &Path) -> Result<Lock, StoreError> {
    let path = dir.join(LOCK_FILE);
    let failed = |doing, source| StoreError::Io { path: path.clone(), doing, source };
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|source| failed("open the lock file", source))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse { dir: dir.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed("lock the store", source)),
    }
}

/// Makes the store folder, for its owner only.
pub(crate) fn make_folder(dir: &Path) -> Result<(), StoreError> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(dir).map_err(|source| StoreError::Io {
        path: dir.to_owned(),
        doing: "make the store folder",
        source,
    })
}

/// Makes new names in a folder survive a power cut.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), StoreError> {
    let synced = File::open(dir).and_then(|folder| folder.sync_all());
    synced.map_err(|source| StoreError::Io { path: dir.to_owned(), doing: "flush the folder", source })
}

#[cfg(test)]
mod tests;
