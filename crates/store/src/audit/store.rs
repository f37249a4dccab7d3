//! The audit of a store folder: one pass over entries, stored hashes and checkpoints, side by side.

use super::error::{AuditError, Flaw, Place};
use super::evidence::Evidence;
use super::{Audit, Pins, Source};
use crate::checkpoint::Checkpoint;
use crate::key::VerifierKey;
use crate::merkle::{Frontier, Hash};
use crate::schema::{self, Head, Sent};
use rusqlite::{Connection, Row, Rows};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

pub(crate) fn verify(dir: &Path, pins: &Pins) -> Result<Audit, AuditError> {
    let evidence = Evidence::open(dir)?;
    let verdict = verify_database(&evidence, pins);
    // Somebody who writes meanwhile would make any verdict worthless, a finding above all.
    evidence.unchanged()?;
    verdict
}

fn verify_database(evidence: &Evidence, pins: &Pins) -> Result<Audit, AuditError> {
    let (db, file) = (&evidence.db, &evidence.file);
    let broken = |error: rusqlite::Error| AuditError::Database { file: file.clone(), why: error.to_string() };
    let statements = schema::statements(db).map_err(broken)?;
    if statements != schema::expected_statements().map_err(broken)? {
        let why = "tables or triggers are not those of schema version 1".to_owned();
        return Err(AuditError::Database { file: file.clone(), why });
    }
    let log = "SELECT count(*), min(origin), min(vkey) FROM log";
    let (rows, origin, vkey): (u64, String, String) =
        db.query_row(log, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).map_err(broken)?;
    let (key, pinned) = super::choose_key(&vkey, file, pins)?;
    if rows != 1 || origin != key.origin() {
        return Err(AuditError::Key { file: file.clone(), why: format!("the log calls itself {origin:?}") });
    }
    let pin = super::pinned_checkpoint(pins, &key, file)?;
    let head = Head::load(db).map_err(broken)?;
    let mut walk = Walk { file, key: &key, frontier: Frontier::default(), covered: 0, checkpoints: 0 };
    walk.entries(db, head.as_ref().ok(), pin.as_ref())?;
    let head = head.map_err(|()| walk.flaw(Place::Head, Flaw::Altered("its seal does not match".to_owned())))?;
    if walk.checkpoints != head.checkpoints {
        let why = format!("{} kept checkpoints, the last commit left {}", walk.checkpoints, head.checkpoints);
        return Err(walk.flaw(Place::Head, Flaw::Missing(why)));
    }
    let (pending, state) = walk.outbox(db, &head)?;
    integrity(db, file)?;
    Ok(Audit {
        source: Source::Store,
        origin,
        vkey,
        pinned,
        size: walk.frontier.size(),
        root: walk.frontier.root(),
        checkpoints: walk.checkpoints.saturating_add(u64::from(head.note.is_some())),
        unsigned_tail: walk.frontier.size().saturating_sub(walk.covered),
        outbox: head.outbox,
        pending,
        state,
        torn_tail: evidence.torn_tail,
    })
}

/// Pages that SQLite itself finds broken, indexes that disagree with their tables.
fn integrity(db: &Connection, file: &Path) -> Result<(), AuditError> {
    let broken = |why: String| AuditError::Database { file: file.to_owned(), why };
    let verdict: String =
        db.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(|error| broken(error.to_string()))?;
    if verdict == "ok" { Ok(()) } else { Err(broken(verdict)) }
}

struct Walk<'a> {
    file: &'a PathBuf,
    key: &'a VerifierKey,
    frontier: Frontier,
    /// Entries that a good checkpoint covers.
    covered: u64,
    /// Rows of `checkpoints` found good.
    checkpoints: u64,
}

impl Walk<'_> {
    fn at(&self, entry: u64, place: Place, flaw: Flaw) -> AuditError {
        AuditError::Entry { file: self.file.clone(), entry, place, flaw }
    }

    /// A flaw after everything walked so far; the first entry in doubt is the first that nothing signed covers.
    fn flaw(&self, place: Place, flaw: Flaw) -> AuditError {
        self.at(self.covered, place, flaw)
    }

    fn next_row<'r>(&self, rows: &'r mut Rows<'_>, place: Place) -> Result<Option<&'r Row<'r>>, AuditError> {
        rows.next().map_err(|error| self.at(self.frontier.size(), place, Flaw::Unreadable(error.to_string())))
    }

    fn entries(&mut self, db: &Connection, head: Option<&Head>, pin: Option<&Checkpoint>) -> Result<(), AuditError> {
        let broken = |error: rusqlite::Error| AuditError::Database { file: self.file.clone(), why: error.to_string() };
        let mut entries = db.prepare("SELECT idx, data FROM entries ORDER BY idx").map_err(broken)?;
        let mut hashes = db.prepare("SELECT idx, hash FROM hashes ORDER BY idx").map_err(broken)?;
        let mut notes = db.prepare("SELECT size, note FROM checkpoints ORDER BY size").map_err(broken)?;
        let mut entries = entries.query([]).map_err(broken)?;
        let mut hashes = hashes.query([]).map_err(broken)?;
        let mut notes = notes.query([]).map_err(broken)?;
        let mut next_hash = 0_u64;
        let mut note = self.next_note(&mut notes)?;
        self.compare_pin(pin)?;
        while let Some(row) = self.next_row(&mut entries, Place::Entry)? {
            let index = self.frontier.size();
            let unreadable = |error: rusqlite::Error| self.at(index, Place::Entry, Flaw::Unreadable(error.to_string()));
            let found: i64 = row.get(0).map_err(unreadable)?;
            let data = row.get_ref(1).and_then(|value| Ok(value.as_blob()?)).map_err(unreadable)?;
            self.check_index(index, found)?;
            self.append(data, &mut hashes, &mut next_hash)?;
            if let Some((size, bytes)) = note.take_if(|(size, _)| *size <= self.frontier.size()) {
                self.check_note(size, &bytes)?;
                self.checkpoints = self.checkpoints.saturating_add(1);
                note = self.next_note(&mut notes)?;
            }
            if let Some(head) = head.filter(|head| head.size == self.frontier.size()) {
                self.check_note(head.size, head.note.as_deref().unwrap_or_default())?;
            }
            self.compare_pin(pin)?;
        }
        self.nothing_lost(note.map(|(size, _)| size), head, pin)?;
        match self.next_row(&mut hashes, Place::Hash(next_hash))? {
            None => Ok(()),
            Some(_) => {
                let why = Flaw::Missing("a stored hash belongs to an entry that is not there".to_owned());
                Err(self.at(self.frontier.size(), Place::Hash(next_hash), why))
            }
        }
    }

    fn check_index(&self, index: u64, found: i64) -> Result<(), AuditError> {
        match u64::try_from(found) {
            Ok(found) if found == index => Ok(()),
            Ok(found) if found > index => {
                Err(self.at(index, Place::Entry, Flaw::Missing(format!("the next entry there is {found}"))))
            }
            _ => Err(self.at(index, Place::Entry, Flaw::Order(format!("index {found} stands in its place")))),
        }
    }

    /// Computes the hashes of the next entry and compares them with the stored ones.
    fn append(&mut self, data: &[u8], hashes: &mut Rows<'_>, next_hash: &mut u64) -> Result<(), AuditError> {
        let index = self.frontier.size();
        let mut new = Vec::with_capacity(2);
        let mut grown = self.frontier.clone();
        grown.append(data, |hash| new.push(hash));
        for (level, hash) in new.into_iter().enumerate() {
            let place = if level == 0 { Place::Entry } else { Place::Hash(*next_hash) };
            let missing = || self.at(index, Place::Hash(*next_hash), Flaw::Missing("no stored hash".to_owned()));
            let row = self.next_row(hashes, Place::Hash(*next_hash))?.ok_or_else(missing)?;
            let unreadable = |error: rusqlite::Error| self.at(index, place, Flaw::Unreadable(error.to_string()));
            let found: i64 = row.get(0).map_err(unreadable)?;
            if u64::try_from(found) != Ok(*next_hash) {
                let why = Flaw::Order(format!("hash {found} stands in its place"));
                return Err(self.at(index, Place::Hash(*next_hash), why));
            }
            let stored = Hash(row.get(1).map_err(unreadable)?);
            if stored != hash {
                let why = format!("computed {hash}, stored hash {next_hash} is {stored}");
                return Err(self.at(index, place, Flaw::Altered(why)));
            }
            *next_hash = next_hash.saturating_add(1);
        }
        self.frontier = grown;
        check_form(data).map_err(|why| self.at(index, Place::Entry, Flaw::Malformed(why)))
    }

    fn next_note(&self, notes: &mut Rows<'_>) -> Result<Option<(u64, Vec<u8>)>, AuditError> {
        let place = Place::Checkpoint(self.frontier.size());
        let Some(row) = self.next_row(notes, place)? else { return Ok(None) };
        let note = row.get(0).and_then(|size| Ok((size, row.get(1)?)));
        note.map(Some).map_err(|error| self.flaw(place, Flaw::Unreadable(error.to_string())))
    }

    /// A signed checkpoint, met when the tree has reached its size.
    fn check_note(&mut self, size: u64, note: &[u8]) -> Result<(), AuditError> {
        let place = Place::Checkpoint(size);
        let found =
            Checkpoint::verify(note, self.key).map_err(|error| self.flaw(place, Flaw::Altered(error.to_string())))?;
        if size != self.frontier.size() || found.size != size {
            let why = format!("it says size {} at {}", found.size, self.frontier.size());
            return Err(self.flaw(place, Flaw::Order(why)));
        }
        if found.root != self.frontier.root() {
            let why = format!("it signs root {}, the entries give {}", found.root, self.frontier.root());
            return Err(self.flaw(place, Flaw::Altered(why)));
        }
        self.covered = size;
        Ok(())
    }

    fn compare_pin(&self, pin: Option<&Checkpoint>) -> Result<(), AuditError> {
        match pin {
            Some(pin) if pin.size == self.frontier.size() && pin.root != self.frontier.root() => {
                let why =
                    format!("the pinned checkpoint has root {}, the entries give {}", pin.root, self.frontier.root());
                Err(self.at(0, Place::Checkpoint(pin.size), Flaw::Altered(why)))
            }
            _ => Ok(()),
        }
    }

    /// Whatever speaks of more entries than there are proves that the last ones were taken away.
    fn nothing_lost(&self, kept: Option<u64>, head: Option<&Head>, pin: Option<&Checkpoint>) -> Result<(), AuditError> {
        let size = self.frontier.size();
        let lost = |what: &str, at: u64| {
            let why = Flaw::Missing(format!("{what} covers {at} entries, {size} are there"));
            Err(self.at(size, Place::Entry, why))
        };
        match (kept, head, pin) {
            (Some(at), _, _) => lost("a signed checkpoint", at),
            (_, Some(head), _) if head.size > size => lost("the last commit", head.size),
            (_, _, Some(pin)) if pin.size > size => lost("the pinned checkpoint", pin.size),
            (None, _, _) => Ok(()),
        }
    }

    /// Outbox rows: whole, in order, and caused by entries that are there.
    fn outbox(&self, db: &Connection, head: &Head) -> Result<(u64, [u8; 32]), AuditError> {
        let broken = |error: rusqlite::Error| AuditError::Database { file: self.file.clone(), why: error.to_string() };
        let sql = format!("SELECT {} FROM outbox ORDER BY seq", Sent::COLUMNS);
        let mut statement = db.prepare(&sql).map_err(broken)?;
        let mut rows = statement.query([]).map_err(broken)?;
        let mut state = Sha256::new();
        state.update([u8::from(head.cursor.is_some())]);
        state.update(head.cursor.as_deref().unwrap_or_default());
        let (mut seq, mut size, mut pending) = (0_u64, 0_u64, 0_u64);
        while let Some(row) = self.next_row(&mut rows, Place::Outbox(seq.saturating_add(1)))? {
            let expected = seq.saturating_add(1);
            let at = |size: u64, flaw| self.at(size, Place::Outbox(expected), flaw);
            let sent = Sent::from_row(row).map_err(|error| at(size, Flaw::Unreadable(error.to_string())))?;
            if sent.seal != sent.expected_seal() {
                return Err(at(size, Flaw::Altered("its seal does not match".to_owned())));
            }
            if sent.seq != expected {
                return Err(at(size, Flaw::Missing(format!("row {} stands in its place", sent.seq))));
            }
            if sent.size < size || sent.size > head.size {
                return Err(at(size, Flaw::Order(format!("it belongs to a log of {} entries", sent.size))));
            }
            state.update(&sent.seal);
            pending = pending.saturating_add(u64::from(!sent.delivered));
            (seq, size) = (sent.seq, sent.size);
        }
        if seq != head.outbox {
            let why = format!("{seq} rows, the last commit left {}", head.outbox);
            return Err(self.at(size, Place::Outbox(seq.saturating_add(1)), Flaw::Missing(why)));
        }
        Ok((pending, state.finalize().into()))
    }
}

/// Length and spelling of one entry.
pub(crate) fn check_form(data: &[u8]) -> Result<(), String> {
    if data.len() > crate::ENTRY_BYTES_MAX {
        return Err(format!("{} bytes, the limit is {}", data.len(), crate::ENTRY_BYTES_MAX));
    }
    crate::replay::check_canonical(data)
}
