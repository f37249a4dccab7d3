//! Files of earlier releases open for ever.

use crate::support::{ORIGIN, batch, closed_store, entry, key, open};
use ripcord_core::ports::Journal;
use ripcord_store::{AuditError, LogKey, SqliteJournal, StoreError};
use std::path::{Path, PathBuf};

/// Seven entries, as schema version 1 left them. Made by `write_fixture`.
const ROOT: &str = "b8FPlf34zvyFmeYwco7fMW31xV4Co3KsTF5+tveooT4=";

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/v1/journal.db")
}

#[test]
fn a_store_of_version_1_opens_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::copy(fixture(), dir.path().join("journal.db")).unwrap();
    let audit = ripcord_store::verify(dir.path()).unwrap();
    assert_eq!((audit.size, audit.root.to_string().as_str(), audit.pending), (7, ROOT, 4));
    let mut journal = open(dir.path());
    assert_eq!(journal.read(0, 10).unwrap(), (0..7).map(entry).collect::<Vec<_>>());
    assert_eq!(journal.cursor().unwrap(), Some(7_u64.to_be_bytes().to_vec()));
    assert_eq!(journal.pending(10).unwrap().len(), 4);
    journal.commit(&batch(7, 2)).unwrap();
    journal.close().unwrap();
    assert_eq!(ripcord_store::verify(dir.path()).unwrap().size, 9);
}

/// `cargo test -p ripcord-store -- --ignored write_fixture` after the schema changed, into the folder of the new version.
#[test]
#[ignore = "writes tests/fixtures; run by hand for a new schema version"]
fn write_fixture() {
    let dir = closed_store(7);
    let mut journal = open(dir.path());
    journal.delivered(key(0)).unwrap();
    journal.close().unwrap();
    std::fs::create_dir_all(fixture().parent().unwrap()).unwrap();
    std::fs::copy(dir.path().join("journal.db"), fixture()).unwrap();
    let audit = ripcord_store::verify(dir.path()).unwrap();
    panic!("put this root into the test: {} (pending {})", audit.root, audit.pending);
}

/// Sets the file's marks and says what opening and verifying answer. The file stays as it is.
fn check_marks(pragma: &str, value: i64) -> (StoreError, AuditError) {
    let dir = closed_store(3);
    let file = dir.path().join("journal.db");
    let db = rusqlite::Connection::open(&file).unwrap();
    db.pragma_update(None, pragma, value).unwrap();
    db.close().unwrap();
    let before = std::fs::read(&file).unwrap();
    let audit = ripcord_store::verify(dir.path()).unwrap_err();
    let open = SqliteJournal::open(dir.path(), LogKey::from_seed([42; 32]), ORIGIN).unwrap_err();
    assert_eq!(std::fs::read(&file).unwrap(), before, "a file that is not ours was changed");
    (open, audit)
}

#[test]
fn a_store_of_a_later_version_is_refused() {
    let (open, audit) = check_marks("user_version", 2);
    assert!(open.to_string().ends_with("journal.db has schema version 2, this build knows versions up to 1"), "{open}");
    assert!(open.help().contains("install the release"), "{}", open.help());
    assert!(matches!(audit, AuditError::Newer { found: 2, .. }), "{audit}");
}

#[test]
fn another_programs_database_is_refused() {
    let (open, audit) = check_marks("application_id", 0x0f05_5112);
    assert!(matches!(open, StoreError::NotAJournal { found: 0x0f05_5112, .. }), "{open}");
    assert!(matches!(audit, AuditError::Database { .. }), "{audit}");
}
