//! What every journal promises, asked of both.

use crate::support::{ORIGIN, batch, closed_store, entry, key, open};
use proptest::prelude::*;
use ripcord_core::ports::{Batch, Committed, Journal, JournalError};
use ripcord_store::{Class, LogKey, MemoryJournal, SqliteJournal, StoreError};

fn check_contract(journal: &mut dyn Journal) {
    assert_eq!(journal.size(), 0);
    assert_eq!(journal.cursor().unwrap(), None);
    assert_eq!(journal.commit(&Batch::default()).unwrap(), Committed { first: 0, size: 0 });
    assert_eq!(journal.commit(&batch(0, 3)).unwrap(), Committed { first: 0, size: 3 });
    assert_eq!(journal.commit(&batch(3, 2)).unwrap(), Committed { first: 3, size: 5 });
    assert_eq!(journal.read(1, 3).unwrap(), [entry(1), entry(2), entry(3)]);
    assert_eq!(journal.read(4, usize::MAX).unwrap(), [entry(4)]);
    assert_eq!(journal.read(5, 1).unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(journal.read(u64::MAX, usize::MAX).unwrap(), Vec::<Vec<u8>>::new());
    assert_eq!(journal.cursor().unwrap(), Some(5_u64.to_be_bytes().to_vec()));

    // A batch that moves nothing but the cursor; a row whose key is known is dropped, whatever it says.
    let mut again = batch(0, 0);
    again.outbox[0].payload = b"\"other\"".to_vec();
    again.cursor = Some(b"moved".to_vec());
    assert_eq!(journal.commit(&again).unwrap(), Committed { first: 5, size: 5 });
    assert_eq!(journal.cursor().unwrap().as_deref(), Some(b"moved".as_slice()));
    let pending = journal.pending(10).unwrap();
    assert_eq!(pending, [batch(0, 3).outbox, batch(3, 2).outbox].concat());
    assert_eq!(journal.pending(1).unwrap(), pending[..1]);

    journal.delivered(key(0)).unwrap();
    journal.delivered(key(0)).unwrap();
    assert_eq!(journal.pending(10).unwrap(), pending[1..]);
    journal.commit(&again).unwrap();
    assert_eq!(journal.pending(10).unwrap(), pending[1..], "a delivered row came back");
    assert_eq!(journal.delivered(key(99)), Err(JournalError::UnknownKey(key(99))));

    // Refused batches leave nothing behind.
    let mut large = batch(5, 2);
    large.entries[1] = format!("\"{}\"", "x".repeat(65_534)).into_bytes();
    assert_eq!(journal.commit(&large), Err(JournalError::TooLarge { index: 1, bytes: 65_536 }));
    assert_eq!((journal.size(), journal.pending(10).unwrap().len()), (5, 1));
    large.entries[1] = format!("\"{}\"", "x".repeat(65_533)).into_bytes();
    assert_eq!(journal.commit(&large).unwrap(), Committed { first: 5, size: 7 });
    assert_eq!(journal.read(6, 1).unwrap(), [large.entries[1].clone()]);
}

#[test]
fn the_sqlite_journal_keeps_the_contract() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    check_contract(&mut journal);
    drop(journal);
    let audit = ripcord_store::verify(dir.path()).unwrap();
    assert_eq!((audit.size, audit.outbox, audit.pending, audit.unsigned_tail), (7, 3, 2, 0));
}

#[test]
fn the_memory_journal_keeps_the_contract() {
    check_contract(&mut MemoryJournal::new());
    check_contract(&mut MemoryJournal::with_tree());
}

#[test]
fn an_entry_that_no_audit_would_pass_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    for bad in
        ["{\"b\":1,\"a\":2}", "{\"a\": 1}", "{\"a\":1,\"a\":1}", "1.0", "18446744073709551615", "\"\\u0041\"", "{", ""]
    {
        let batch = Batch { entries: vec![entry(0), bad.as_bytes().to_vec()], ..Batch::default() };
        let error = journal.commit(&batch).unwrap_err();
        assert!(matches!(error, JournalError::NotCanonical { index: 1, .. }), "{bad}: {error}");
    }
    assert_eq!(journal.size(), 0);
    journal.commit(&batch(0, 1)).unwrap();
}

#[test]
fn a_second_opener_is_refused_at_once_and_told_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let error = SqliteJournal::open(dir.path(), LogKey::from_seed([42; 32]), ORIGIN).unwrap_err();
    assert_eq!(error.to_string(), format!("store {} is in use by another process", dir.path().display()));
    assert_eq!(error.class(), Class::Transient);
    assert!(error.help().contains("own store folder"), "{}", error.help());
    assert!(matches!(ripcord_store::verify(dir.path()), Err(ripcord_store::AuditError::InUse { .. })));
    drop(journal);
    open(dir.path());
}

#[test]
fn a_store_opens_only_for_its_own_log() {
    let dir = closed_store(4);
    let other_key = SqliteJournal::open(dir.path(), LogKey::from_seed([1; 32]), ORIGIN).unwrap_err();
    let other_origin = SqliteJournal::open(dir.path(), LogKey::from_seed([42; 32]), "other").unwrap_err();
    assert!(matches!(other_key, StoreError::OtherLog { .. }), "{other_key}");
    assert!(matches!(other_origin, StoreError::OtherLog { .. }), "{other_origin}");
    assert_eq!(open(dir.path()).size(), 4);
}

#[test]
fn a_clean_close_leaves_the_whole_store_in_one_file() {
    let dir = closed_store(20);
    let mut names: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["journal.db", "journal.lock"]);
    let copy = tempfile::tempdir().unwrap();
    std::fs::copy(dir.path().join("journal.db"), copy.path().join("journal.db")).unwrap();
    assert_eq!(ripcord_store::verify(copy.path()).unwrap(), ripcord_store::verify(dir.path()).unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Both journals, given the same batches with re-openings between them, say the same.
    #[test]
    fn both_journals_agree(steps in prop::collection::vec((0_u64..6, any::<bool>(), any::<bool>(), 0_u64..40), 1..25)) {
        let dir = tempfile::tempdir().unwrap();
        let mut disk = open(dir.path());
        let mut memory = MemoryJournal::with_tree();
        for (count, cursor, reopen, deliver) in steps {
            let mut batch = batch(memory.size(), count);
            if !cursor {
                batch.cursor = None;
            }
            prop_assert_eq!(disk.commit(&batch), memory.commit(&batch));
            prop_assert_eq!(disk.delivered(key(deliver)), memory.delivered(key(deliver)));
            if reopen {
                drop(disk);
                disk = open(dir.path());
                memory = memory.reopen();
            }
            prop_assert_eq!(Some(disk.root()), memory.root());
            prop_assert_eq!(disk.read(0, 1_000), memory.read(0, 1_000));
            prop_assert_eq!(disk.cursor(), memory.cursor());
            prop_assert_eq!(disk.pending(1_000), memory.pending(1_000));
        }
        drop(disk);
        let audit = ripcord_store::verify(dir.path()).unwrap();
        prop_assert_eq!((audit.size, Some(audit.root), audit.unsigned_tail), (memory.size(), memory.root(), 0));
    }
}
