//! Entries to and from [`Record`], strictly: an entry is read only if writing it again gives the same bytes.
//!
//! That one rule refuses unknown fields, doubled keys, other orders of keys, other spellings of numbers and integers beyond
//! 2^53, which RFC 8785 cannot carry.

use ripcord_core::io::Record;
use ripcord_core::ports::{Journal, JournalError};
use std::collections::VecDeque;

/// Entries fetched at once.
const PAGE: usize = 256;

/// Why an entry is not a record.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The bytes are not a record of this version.
    #[error("entry {index}, byte {offset}: {why}")]
    Entry {
        /// Entry.
        index: u64,
        /// First byte that does not fit; the end of the entry when it is JSON, but of no known kind.
        offset: usize,
        /// What is wrong there.
        why: String,
    },
    /// The journal could not give the entry.
    #[error("entry {index} cannot be read")]
    Journal {
        /// Entry.
        index: u64,
        /// The journal's answer.
        source: JournalError,
    },
}

impl ReplayError {
    /// What to do next.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Entry { .. } => {
                "run `ripcord audit verify`: if it passes, the entry was written by another release; replay it with that one"
                    .to_owned()
            }
            Self::Journal { .. } => "run `ripcord audit verify` on the store folder".to_owned(),
        }
    }

    /// Whether trying again can help.
    #[must_use]
    pub fn class(&self) -> crate::Class {
        match self {
            Self::Journal { source: JournalError::Poisoned(_), .. } => crate::Class::Poisoned,
            Self::Journal { .. } | Self::Entry { .. } => crate::Class::Permanent,
        }
    }
}

/// Why a record has no entry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// It cannot be written as JSON.
    #[error("the record cannot be written as JSON")]
    Json(#[source] serde_json::Error),
    /// Reading the JSON back gives another record: an integer beyond 2^53.
    #[error("the record does not survive canonical JSON: {0}")]
    Lossy(String),
    /// Longer than an entry may be.
    #[error("the record takes {0} bytes, the limit is 65535")]
    TooLarge(usize),
}

/// The entry of a record: RFC 8785 JSON.
///
/// # Errors
/// [`EncodeError`]; a record that could not be read back unchanged is never written.
pub fn encode(record: &Record) -> Result<Vec<u8>, EncodeError> {
    let entry = serde_json_canonicalizer::to_vec(record).map_err(EncodeError::Json)?;
    if entry.len() > crate::ENTRY_BYTES_MAX {
        return Err(EncodeError::TooLarge(entry.len()));
    }
    match serde_json::from_slice::<Record>(&entry) {
        Ok(back) if back == *record => Ok(entry),
        Ok(_) => Err(EncodeError::Lossy("an integer is beyond 2^53".to_owned())),
        Err(error) => Err(EncodeError::Lossy(error.to_string())),
    }
}

/// The record of one entry.
///
/// # Errors
/// [`ReplayError::Entry`] with the first byte that does not fit.
pub fn decode(index: u64, entry: &[u8]) -> Result<Record, ReplayError> {
    let bad = |offset, why: String| ReplayError::Entry { index, offset, why };
    let record: Record =
        serde_json::from_slice(entry).map_err(|error| bad(offset(entry, &error), error.to_string()))?;
    let again = serde_json_canonicalizer::to_vec(&record).map_err(|error| bad(0, error.to_string()))?;
    match first_difference(entry, &again) {
        None => Ok(record),
        Some(at) => Err(bad(at, "not the canonical JSON of a record that this build knows".to_owned())),
    }
}

/// Whether bytes are RFC 8785 JSON; the reason if not.
pub(crate) fn check_canonical(entry: &[u8]) -> Result<(), String> {
    let value: serde_json::Value =
        serde_json::from_slice(entry).map_err(|error| format!("byte {}: {error}", offset(entry, &error)))?;
    let again = serde_json_canonicalizer::to_vec(&value).map_err(|error| error.to_string())?;
    match first_difference(entry, &again) {
        None => Ok(()),
        Some(at) => Err(format!("byte {at}: RFC 8785 writes this otherwise")),
    }
}

fn first_difference(a: &[u8], b: &[u8]) -> Option<usize> {
    let common = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    (a.len() != b.len() || common < a.len()).then_some(common)
}

/// Byte offset of a parser's error: it counts lines and columns from 1.
fn offset(entry: &[u8], error: &serde_json::Error) -> usize {
    if error.is_eof() {
        return entry.len();
    }
    let before = error.line().saturating_sub(1);
    let line_start: usize = entry.split_inclusive(|byte| *byte == b'\n').take(before).map(<[u8]>::len).sum();
    line_start.saturating_add(error.column().saturating_sub(1)).min(entry.len())
}

/// The records of a journal in order. After an error it ends.
#[derive(Debug)]
pub struct Records<'a, J> {
    journal: &'a J,
    next: u64,
    page: VecDeque<Vec<u8>>,
    ended: bool,
}

/// Records from entry `from` on.
pub fn records<J: Journal>(journal: &J, from: u64) -> Records<'_, J> {
    Records { journal, next: from, page: VecDeque::new(), ended: false }
}

impl<J: Journal> Records<'_, J> {
    fn fetch(&mut self) -> Result<Option<Record>, ReplayError> {
        if self.page.is_empty() && self.next < self.journal.size() {
            let page = self.journal.read(self.next, PAGE);
            self.page = page.map_err(|source| ReplayError::Journal { index: self.next, source })?.into();
        }
        let Some(entry) = self.page.pop_front() else { return Ok(None) };
        let record = decode(self.next, &entry)?;
        self.next = self.next.saturating_add(1);
        Ok(Some(record))
    }
}

impl<J: Journal> Iterator for Records<'_, J> {
    type Item = Result<(u64, Record), ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let index = self.next;
        let item = self.fetch().map(|record| record.map(|record| (index, record))).transpose();
        self.ended = !matches!(item, Some(Ok(_)));
        item
    }
}
