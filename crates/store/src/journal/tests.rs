use super::*;

const ORIGIN: &str = "ripcord.example.org/test";

fn open(dir: &Path) -> SqliteJournal {
    SqliteJournal::open(dir, LogKey::from_seed([1; 32]), ORIGIN).unwrap()
}

fn batch(n: u64) -> Batch {
    let row = OutboxRow {
        key: B256::from(alloy_primitives::U256::from(n)),
        kind: "notify".to_owned(),
        payload: vec![7; 500],
    };
    Batch {
        entries: vec![format!("{{\"n\":{n}}}").into_bytes(); 3],
        outbox: vec![row],
        cursor: Some(n.to_be_bytes().to_vec()),
    }
}

/// The path that SQLite takes when the disk is full, reached with a cap on the number of pages.
#[test]
fn a_full_database_poisons_for_ever_and_keeps_what_was_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let pages: u32 = journal.db.pragma_query_value(None, "page_count", |row| row.get(0)).unwrap();
    journal.db.pragma_update(None, "max_page_count", pages + 8).unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match journal.commit(&batch(acknowledged)) {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
    };
    assert!(acknowledged > 0);
    let JournalError::Poisoned(why) = &error else { panic!("{error}") };
    assert!(why.contains("journal.db: database or disk is full"), "{why}");
    assert_eq!(journal.class(), Some(Class::Poisoned));
    // Room does not help: nobody knows what the disk holds.
    journal.db.pragma_update(None, "max_page_count", 1_000_000).unwrap();
    let poisoned = Err(error.clone());
    assert_eq!(journal.commit(&batch(0)).map(|_| ()), poisoned);
    assert_eq!(journal.commit(&Batch::default()).map(|_| ()), poisoned);
    assert_eq!(journal.read(0, 1).map(|_| ()), poisoned);
    assert_eq!(journal.cursor().map(|_| ()), poisoned);
    assert_eq!(journal.pending(1).map(|_| ()), poisoned);
    assert_eq!(journal.delivered(B256::ZERO).map(|_| ()), poisoned);
    assert_eq!(journal.inclusion(0, 1).map(|_| ()), poisoned);
    assert!(matches!(journal.export(dir.path()), Err(StoreError::Poisoned(_))));
    assert!(matches!(journal.close(), Err(StoreError::Poisoned(_))));

    assert_eq!(crate::verify(dir.path()).unwrap().size, acknowledged * 3);
    let mut journal = open(dir.path());
    assert_eq!(journal.size(), acknowledged * 3);
    assert_eq!(journal.cursor().unwrap(), Some((acknowledged - 1).to_be_bytes().to_vec()));
    assert_eq!(journal.pending(1_000).unwrap().len(), usize::try_from(acknowledged).unwrap());
    journal.commit(&batch(acknowledged)).unwrap();
}

#[test]
fn every_commit_is_flushed_to_a_write_ahead_log() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let pragma =
        |name: &str| journal.db.pragma_query_value(None, name, |row| row.get::<_, rusqlite::types::Value>(0)).unwrap();
    assert_eq!(pragma("journal_mode"), rusqlite::types::Value::Text("wal".to_owned()));
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2));
    assert_eq!(pragma("foreign_keys"), rusqlite::types::Value::Integer(1));
    assert_eq!(pragma("locking_mode"), rusqlite::types::Value::Text("exclusive".to_owned()));
}

#[test]
fn the_tables_are_append_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    for n in 0..3 {
        journal.commit(&batch(n)).unwrap();
    }
    journal.delivered(B256::ZERO).unwrap();
    let forbidden = [
        "UPDATE entries SET data = x'00' WHERE idx = 1",
        "DELETE FROM entries WHERE idx = (SELECT max(idx) FROM entries)",
        "INSERT OR REPLACE INTO entries(idx, data) VALUES (1, x'00')",
        "INSERT INTO entries(idx, data) VALUES (99, x'00')",
        "UPDATE hashes SET hash = zeroblob(32)",
        "DELETE FROM hashes",
        "INSERT OR REPLACE INTO hashes(idx, hash) VALUES (1, zeroblob(32))",
        "UPDATE checkpoints SET note = x'00'",
        "DELETE FROM checkpoints",
        "INSERT OR REPLACE INTO checkpoints(size, note) VALUES (3, x'00')",
        "DELETE FROM outbox",
        "UPDATE outbox SET payload = x'00'",
        "UPDATE outbox SET delivered = 0 WHERE seq = 1",
        "INSERT OR REPLACE INTO outbox SELECT seq, key, kind, payload, size, 1, seal FROM outbox WHERE seq = 2",
        "INSERT OR REPLACE INTO outbox SELECT 4, key, kind, payload, size, 1, seal FROM outbox WHERE seq = 2",
        "UPDATE head SET size = 1",
        "DELETE FROM head",
        "INSERT OR REPLACE INTO head SELECT * FROM head",
        "UPDATE log SET origin = 'x'",
        "DELETE FROM log",
        "INSERT OR REPLACE INTO log VALUES (1, 'x', 'x')",
    ];
    for sql in forbidden {
        let error = journal.db.execute(sql, []).unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    journal.close().unwrap();
    assert_eq!(crate::verify(dir.path()).unwrap().size, 9);
}
