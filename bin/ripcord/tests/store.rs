//! Stores made by the library, for the commands that read them.

use alloy_primitives::{B256, U256};
use ripcord_core::chain::Millis;
use ripcord_core::io::{Body, Record};
use ripcord_core::ports::{Batch, Journal as _, OutboxRow};
use ripcord_store::{LogKey, SqliteJournal};
use rusqlite::Connection;
use std::path::Path;

pub(crate) const ORIGIN: &str = "ripcord.example.org/test";

pub(crate) fn open(folder: &Path) -> SqliteJournal {
    SqliteJournal::open(folder, LogKey::from_seed([7; 32]), ORIGIN).unwrap()
}

/// One entry, one effect per commit.
pub(crate) fn append(journal: &mut SqliteJournal, count: u64) {
    for n in journal.size()..journal.size() + count {
        let body = Body::Genesis { project: format!("project-{n}"), policy_hash: B256::from(U256::from(n)) };
        let record = Record { at: Millis(1_700_000_000_000 + n), body };
        journal
            .commit(&Batch {
                entries: vec![ripcord_store::replay::encode(&record).unwrap()],
                outbox: vec![OutboxRow {
                    key: B256::from(U256::from(n + 1)),
                    kind: "submit".to_owned(),
                    payload: vec![1, 2, 3],
                }],
                cursor: None,
            })
            .unwrap();
    }
}

/// A closed store of `count` entries.
pub(crate) fn make(folder: &Path, count: u64) {
    let mut journal = open(folder);
    append(&mut journal, count);
    journal.close().unwrap();
}

/// Runs SQL on the tables as somebody would who is not the guardian: the triggers that refuse changes are put away meanwhile.
pub(crate) fn tamper(folder: &Path, sql: &str) {
    let db = Connection::open(folder.join("journal.db")).unwrap();
    let triggers = "SELECT group_concat('DROP TRIGGER ' || name, ';'), group_concat(sql, ';') FROM sqlite_schema WHERE type = 'trigger'";
    let (drop, create): (String, String) = db.query_row(triggers, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    db.execute_batch(&format!("{drop}; {sql}; {create}")).unwrap();
    db.close().unwrap();
}

/// The bytes of one entry.
pub(crate) fn entry(folder: &Path, index: u64) -> Vec<u8> {
    let db = Connection::open(folder.join("journal.db")).unwrap();
    db.query_row("SELECT data FROM entries WHERE idx = ?1", [index], |row| row.get(0)).unwrap()
}
