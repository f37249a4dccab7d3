//! The journal of a simulated world: the same contract as [`crate::SqliteJournal`], in memory, with faults to order.
//!
//! A world that crashes its guardian calls [`MemoryJournal::reopen`] and gets what a disk would hold. Memory is bounded by
//! whoever runs the world: nothing is ever dropped here.

use crate::merkle::{Frontier, Hash};
use alloy_primitives::B256;
use ripcord_core::ports::{Batch, Committed, Journal, JournalError, OutboxRow};
use std::collections::BTreeMap;

/// What goes wrong, and when. Writes are commits and delivery marks, counted from 0 over the whole life of the journal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Faults {
    /// The flush of this write fails; the write is not on disk.
    pub fail_flush_at: Option<u64>,
    /// The process dies during this write.
    pub crash_at: Option<(u64, Crash)>,
    /// A planted defect: writes are acknowledged without a flush, and a crash loses them. A simulation that does not notice
    /// this is worth nothing.
    pub skip_flush: bool,
}

/// Two sides of the same crash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Before the flush: the write is lost whole.
    Lost,
    /// After the flush, before the answer: the write is on disk and nobody was told.
    Unreported,
}

#[derive(Debug, Clone)]
struct Row {
    row: OutboxRow,
    delivered: bool,
}

/// What was flushed last, as a way back to it.
#[derive(Debug, Clone, Default)]
struct Flushed {
    entries: usize,
    outbox: usize,
    cursor: Option<Vec<u8>>,
    frontier: Frontier,
    /// Rows marked delivered since then.
    marks: Vec<usize>,
}

/// A journal in memory.
#[derive(Debug, Clone, Default)]
pub struct MemoryJournal {
    entries: Vec<Vec<u8>>,
    outbox: Vec<Row>,
    rows_by_key: BTreeMap<B256, usize>,
    /// No row before this one is pending.
    first_pending: usize,
    cursor: Option<Vec<u8>>,
    frontier: Option<Frontier>,
    flushed: Flushed,
    faults: Faults,
    writes: u64,
    poison: Option<String>,
}

impl MemoryJournal {
    /// An empty journal without a tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty journal that keeps the tree's edge, so that [`Self::root`] can be compared between worlds.
    #[must_use]
    pub fn with_tree() -> Self {
        Self { frontier: Some(Frontier::default()), ..Self::default() }
    }

    /// Orders faults. Counting of writes goes on where it was.
    pub fn set_faults(&mut self, faults: Faults) {
        self.faults = faults;
    }

    /// Writes so far, failed ones included.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.writes
    }

    /// Root over all entries; `None` without a tree.
    #[must_use]
    pub fn root(&self) -> Option<Hash> {
        self.frontier.as_ref().map(Frontier::root)
    }

    /// The process died: what a new one finds on disk. Faults that have struck are not ordered again, `skip_flush` stays.
    #[must_use]
    pub fn reopen(mut self) -> Self {
        self.entries.truncate(self.flushed.entries);
        for lost in self.outbox.split_off(self.flushed.outbox) {
            self.rows_by_key.remove(&lost.row.key);
        }
        for mark in std::mem::take(&mut self.flushed.marks) {
            if let Some(row) = self.outbox.get_mut(mark) {
                row.delivered = false;
            }
        }
        self.first_pending = 0;
        self.cursor.clone_from(&self.flushed.cursor);
        if let Some(frontier) = &mut self.frontier {
            frontier.clone_from(&self.flushed.frontier);
        }
        let still_due = |at: u64| at >= self.writes;
        self.faults.fail_flush_at = self.faults.fail_flush_at.filter(|at| still_due(*at));
        self.faults.crash_at = self.faults.crash_at.filter(|(at, _)| still_due(*at));
        self.poison = None;
        self
    }

    fn alive(&self) -> Result<(), JournalError> {
        self.poison.as_ref().map_or(Ok(()), |why| Err(JournalError::Poisoned(why.clone())))
    }

    fn die(&mut self, why: &str, write: u64) -> JournalError {
        let why = format!("{why} at write {write}");
        self.poison = Some(why.clone());
        JournalError::Poisoned(why)
    }

    /// Carries a write out and lets the ordered faults strike.
    fn write<T>(&mut self, apply: impl FnOnce(&mut Self) -> T) -> Result<T, JournalError> {
        let write = self.writes;
        self.writes = self.writes.saturating_add(1);
        if self.faults.fail_flush_at == Some(write) {
            return Err(self.die("flush failed", write));
        }
        let crash = self.faults.crash_at.filter(|(at, _)| *at == write).map(|(_, crash)| crash);
        if crash == Some(Crash::Lost) {
            return Err(self.die("crash before the flush", write));
        }
        let answer = apply(self);
        if !self.faults.skip_flush {
            self.flush();
        }
        if crash == Some(Crash::Unreported) {
            return Err(self.die("crash after the flush", write));
        }
        Ok(answer)
    }

    fn flush(&mut self) {
        self.flushed.entries = self.entries.len();
        self.flushed.outbox = self.outbox.len();
        self.flushed.cursor.clone_from(&self.cursor);
        if let Some(frontier) = &self.frontier {
            self.flushed.frontier.clone_from(frontier);
        }
        self.flushed.marks.clear();
    }

    fn apply(&mut self, batch: &Batch) {
        for entry in &batch.entries {
            if let Some(frontier) = &mut self.frontier {
                frontier.append(entry, |_| ());
            }
            self.entries.push(entry.clone());
        }
        for row in &batch.outbox {
            let index = self.outbox.len();
            if *self.rows_by_key.entry(row.key).or_insert(index) == index {
                self.outbox.push(Row { row: row.clone(), delivered: false });
            }
        }
        if batch.cursor.is_some() {
            self.cursor.clone_from(&batch.cursor);
        }
    }
}

fn count(len: usize) -> u64 {
    u64::try_from(len).unwrap_or(u64::MAX)
}

impl Journal for MemoryJournal {
    fn commit(&mut self, batch: &Batch) -> Result<Committed, JournalError> {
        self.alive()?;
        for (index, entry) in batch.entries.iter().enumerate() {
            if entry.len() > crate::ENTRY_BYTES_MAX {
                return Err(JournalError::TooLarge { index, bytes: entry.len() });
            }
        }
        let first = self.size();
        if *batch != Batch::default() {
            self.write(|journal| journal.apply(batch))?;
        }
        Ok(Committed { first, size: self.size() })
    }

    fn size(&self) -> u64 {
        count(self.entries.len())
    }

    fn read(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, JournalError> {
        self.alive()?;
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        Ok(self.entries.iter().skip(from).take(limit).cloned().collect())
    }

    fn cursor(&self) -> Result<Option<Vec<u8>>, JournalError> {
        self.alive()?;
        Ok(self.cursor.clone())
    }

    fn pending(&self, limit: usize) -> Result<Vec<OutboxRow>, JournalError> {
        self.alive()?;
        let rows = self.outbox.iter().skip(self.first_pending).filter(|row| !row.delivered);
        Ok(rows.take(limit).map(|row| row.row.clone()).collect())
    }

    fn delivered(&mut self, key: B256) -> Result<(), JournalError> {
        self.alive()?;
        let Some(&index) = self.rows_by_key.get(&key) else { return Err(JournalError::UnknownKey(key)) };
        if self.outbox.get(index).is_some_and(|row| row.delivered) {
            return Ok(());
        }
        self.write(|journal| {
            if let Some(row) = journal.outbox.get_mut(index) {
                row.delivered = true;
                journal.flushed.marks.push(index);
            }
            while journal.outbox.get(journal.first_pending).is_some_and(|row| row.delivered) {
                journal.first_pending = journal.first_pending.saturating_add(1);
            }
        })
    }
}

#[cfg(test)]
mod tests;
