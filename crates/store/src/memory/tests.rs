use super::*;

fn batch(n: u8) -> Batch {
    let row = OutboxRow { key: B256::repeat_byte(n), kind: "notify".to_owned(), payload: vec![n] };
    Batch { entries: vec![vec![n]], outbox: vec![row], cursor: Some(vec![n]) }
}

/// Entries, cursor and pending keys, as their one byte.
fn state(journal: &MemoryJournal) -> (Vec<u8>, Option<u8>, Vec<u8>) {
    let entries = journal.read(0, 100).unwrap().iter().map(|entry| entry[0]).collect();
    let cursor = journal.cursor().unwrap().map(|cursor| cursor[0]);
    let pending = journal.pending(100).unwrap().iter().map(|row| row.key[0]).collect();
    (entries, cursor, pending)
}

fn with_faults(faults: Faults) -> MemoryJournal {
    let mut journal = MemoryJournal::with_tree();
    journal.set_faults(faults);
    journal
}

#[test]
fn a_failed_flush_poisons_for_ever_and_loses_the_write() {
    let mut journal = with_faults(Faults { fail_flush_at: Some(1), ..Faults::default() });
    journal.commit(&batch(1)).unwrap();
    assert!(matches!(journal.commit(&batch(2)), Err(JournalError::Poisoned(_))));
    assert!(matches!(journal.commit(&batch(3)), Err(JournalError::Poisoned(_))));
    assert!(matches!(journal.read(0, 1), Err(JournalError::Poisoned(_))));
    assert!(matches!(journal.delivered(B256::repeat_byte(1)), Err(JournalError::Poisoned(_))));
    let mut journal = journal.reopen();
    assert_eq!(state(&journal), (vec![1], Some(1), vec![1]));
    journal.commit(&batch(2)).unwrap();
    assert_eq!(state(&journal), (vec![1, 2], Some(2), vec![1, 2]));
}

#[test]
fn a_crash_loses_the_write_or_keeps_it_untold() {
    for (crash, expected) in [(Crash::Lost, vec![1]), (Crash::Unreported, vec![1, 2])] {
        let mut journal = with_faults(Faults { crash_at: Some((1, crash)), ..Faults::default() });
        journal.commit(&batch(1)).unwrap();
        assert!(journal.commit(&batch(2)).is_err());
        assert_eq!(state(&journal.reopen()).0, expected);
    }
}

#[test]
fn delivery_marks_are_writes_too() {
    for (crash, expected) in [(Crash::Lost, vec![1]), (Crash::Unreported, vec![])] {
        let mut journal = with_faults(Faults { crash_at: Some((1, crash)), ..Faults::default() });
        journal.commit(&batch(1)).unwrap();
        assert!(journal.delivered(B256::repeat_byte(1)).is_err());
        assert_eq!(state(&journal.reopen()).2, expected);
    }
}

#[test]
fn a_skipped_flush_loses_what_was_acknowledged() {
    let mut journal = MemoryJournal::with_tree();
    journal.commit(&batch(1)).unwrap();
    let root = journal.root();
    journal.set_faults(Faults { skip_flush: true, ..Faults::default() });
    journal.commit(&batch(2)).unwrap();
    journal.delivered(B256::repeat_byte(1)).unwrap();
    assert_eq!(state(&journal), (vec![1, 2], Some(2), vec![2]));
    let mut journal = journal.reopen();
    assert_eq!(state(&journal), (vec![1], Some(1), vec![1]));
    assert_eq!(journal.root(), root);
    // The key of a lost row is free again.
    journal.set_faults(Faults::default());
    journal.commit(&batch(2)).unwrap();
    assert_eq!(state(&journal.reopen()), (vec![1, 2], Some(2), vec![1, 2]));
}
