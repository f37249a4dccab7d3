//! Replay: the state again from the journal, with every derived record checked.

use super::Guardian;
use crate::io::{Body, Output, Record};
use crate::playbook::Program;
use std::collections::VecDeque;

/// Why a journal does not fit the program.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is no genesis record.
    #[error("the journal is empty")]
    Empty,
    /// The first record is not a genesis, or not that of this program.
    #[error("entry 0 is not the genesis of this policy")]
    Genesis,
    /// The record is not what follows from those before it.
    #[error("entry {index} is not what follows from the entries before it")]
    Differs {
        /// First entry that differs.
        index: u64,
        /// What follows instead, if anything.
        expected: Option<Box<Record>>,
    },
}

impl Guardian {
    /// Rebuilds the machine from its journal. Outputs that follow from the last entries and are not in the journal any more
    /// (records that a crash cut off, and effects after them) come back in order, to be done again.
    ///
    /// # Errors
    /// [`ReplayError`] with the first entry that does not follow from those before it.
    pub fn replay(
        program: Program,
        records: impl IntoIterator<Item = Record>,
    ) -> Result<(Self, Vec<Output>), ReplayError> {
        let mut records = (0u64..).zip(records);
        let (_, first) = records.next().ok_or(ReplayError::Empty)?;
        let mut guardian = Self::new(program, first.at);
        if guardian.poll_output() != Some(Output::Journal(first)) {
            return Err(ReplayError::Genesis);
        }
        let mut expected: VecDeque<Output> = VecDeque::new();
        for (index, record) in records {
            let mut next = next_record(&mut expected);
            if next.is_none() {
                let Body::Input(input) = &record.body else {
                    return Err(ReplayError::Differs { index, expected: None });
                };
                guardian.handle(record.at, input.clone());
                expected = std::mem::take(&mut guardian.queue);
                next = next_record(&mut expected);
            }
            if next.as_ref() != Some(&record) {
                return Err(ReplayError::Differs { index, expected: next.map(Box::new) });
            }
        }
        Ok((guardian, expected.into()))
    }
}

/// The next derived record; effects before it are done, since what follows them is in the journal.
fn next_record(expected: &mut VecDeque<Output>) -> Option<Record> {
    let at = expected.iter().position(|o| matches!(o, Output::Journal(_)))?;
    match expected.drain(..=at).next_back() {
        Some(Output::Journal(record)) => Some(record),
        Some(_) | None => None,
    }
}
