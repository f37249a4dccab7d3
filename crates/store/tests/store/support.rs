use alloy_primitives::{B256, U256};
use ripcord_core::chain::Millis;
use ripcord_core::io::{Body, Record};
use ripcord_core::ports::{Batch, OutboxRow};
use ripcord_store::{LogKey, SqliteJournal};
use std::path::Path;

pub(crate) const ORIGIN: &str = "ripcord.example.org/test";

pub(crate) fn open(dir: &Path) -> SqliteJournal {
    SqliteJournal::open(dir, LogKey::from_seed([42; 32]), ORIGIN).unwrap()
}

pub(crate) fn record(n: u64) -> Record {
    let body = Body::Genesis { project: format!("project-{n}"), policy_hash: B256::from(U256::from(n)) };
    Record { at: Millis(1_700_000_000_000 + n), body }
}

pub(crate) fn entry(n: u64) -> Vec<u8> {
    ripcord_store::replay::encode(&record(n)).unwrap()
}

pub(crate) fn key(n: u64) -> B256 {
    B256::from(U256::from(n + 1))
}

/// Entries `first..first + count`, one outbox row and a cursor that names the size reached.
pub(crate) fn batch(first: u64, count: u64) -> Batch {
    let payload = format!("{{\"at\":{first}}}").into_bytes();
    Batch {
        entries: (first..first + count).map(entry).collect(),
        outbox: vec![OutboxRow { key: key(first), kind: "submit".to_owned(), payload }],
        cursor: Some((first + count).to_be_bytes().to_vec()),
    }
}

/// A store of `size` entries, closed.
pub(crate) fn closed_store(size: u64) -> tempfile::TempDir {
    use ripcord_core::ports::Journal as _;
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let mut first = 0;
    while first < size {
        let count = (1 + first % 3).min(size - first);
        journal.commit(&batch(first, count)).unwrap();
        first += count;
    }
    journal.close().unwrap();
    dir
}

/// Numbers that look random and are the same each time.
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (x ^ (x >> 31)) % bound
    }
}
