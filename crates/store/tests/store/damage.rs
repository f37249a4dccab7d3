//! Evidence that somebody, or something, has changed.

use crate::support::{Numbers, batch, closed_store, entry, key, open};
use ripcord_core::ports::Journal as _;
use ripcord_store::audit::Place;
use ripcord_store::{Audit, AuditError, verify};
use rusqlite::Connection;
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// Changes a closed store by SQL, with the triggers out of the way, and puts them back: what a person with tools can do.
fn tamper(size: u64, sql: &str) -> Result<Audit, AuditError> {
    let dir = closed_store(size);
    let db = Connection::open(dir.path().join("journal.db")).unwrap();
    let triggers: Vec<(String, String)> = db
        .prepare("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (name, _) in &triggers {
        db.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    db.execute_batch(sql).unwrap();
    for (_, sql) in &triggers {
        db.execute_batch(sql).unwrap();
    }
    db.close().unwrap();
    verify(dir.path())
}

#[test]
fn the_first_bad_entry_is_named() {
    let check = |sql: &str, entry: u64, place: Place, words: &str| {
        let error = tamper(30, sql).unwrap_err();
        let AuditError::Entry { file, entry: found, place: at, .. } = &error else { panic!("{sql}: {error}") };
        assert!(file.ends_with("journal.db"), "{error}");
        assert_eq!((*found, *at), (entry, place), "{sql}: {error}");
        assert!(error.to_string().contains(words), "{sql}: {error}");
        assert!(error.is_finding() && !error.help().is_empty());
    };
    // An entry altered, swapped with another, taken out, inserted, cut off.
    check(
        "UPDATE entries SET data = x'7b7d' WHERE idx = 17; UPDATE entries SET data = x'7b7d' WHERE idx = 20",
        17,
        Place::Entry,
        "altered: computed",
    );
    check(
        "UPDATE entries SET data = (SELECT data FROM entries e WHERE e.idx = 9 - entries.idx) WHERE idx IN (4, 5)",
        4,
        Place::Entry,
        "altered",
    );
    check(
        "UPDATE entries SET idx = 1000 - idx WHERE idx IN (4, 5)",
        4,
        Place::Entry,
        "missing: the next entry there is 6",
    );
    check("DELETE FROM entries WHERE idx = 7", 7, Place::Entry, "missing: the next entry there is 8");
    check("DELETE FROM entries WHERE idx = 0", 0, Place::Entry, "missing: the next entry there is 1");
    check("DELETE FROM entries WHERE idx >= 28", 28, Place::Entry, "missing: a signed checkpoint covers");
    check("DELETE FROM entries", 0, Place::Entry, "missing");
    check("INSERT INTO entries VALUES (-1, x'30')", 0, Place::Entry, "out of order: index -1 stands in its place");
    // Hashes.
    check("UPDATE hashes SET hash = zeroblob(32) WHERE idx = 2", 1, Place::Hash(2), "altered");
    check("UPDATE hashes SET hash = zeroblob(32) WHERE idx = 3", 2, Place::Entry, "altered");
    check("DELETE FROM hashes WHERE idx = 2", 1, Place::Hash(2), "out of order");
    check("DELETE FROM hashes WHERE idx = (SELECT max(idx) FROM hashes)", 29, Place::Hash(55), "missing");
    check("INSERT INTO hashes SELECT max(idx) + 1, zeroblob(32) FROM hashes", 30, Place::Hash(56), "missing");
    // Checkpoints: damaged, of another size, taken out.
    check("UPDATE checkpoints SET note = x'00' WHERE size = 6", 4, Place::Checkpoint(6), "not a signed checkpoint");
    check(
        "UPDATE checkpoints SET note = (SELECT note FROM checkpoints WHERE size = 4) WHERE size = 6",
        4,
        Place::Checkpoint(6),
        "it says size 4",
    );
    check("DELETE FROM checkpoints WHERE size = 6", 30, Place::Head, "kept checkpoints");
    check("UPDATE head SET note = (SELECT note FROM checkpoints WHERE size = 6)", 30, Place::Head, "seal");
    check("UPDATE head SET cursor = x'00'", 30, Place::Head, "seal");
    check("UPDATE head SET cursor = NULL", 30, Place::Head, "seal");
    // Outbox.
    check("UPDATE outbox SET payload = x'00' WHERE seq = 3", 3, Place::Outbox(3), "altered");
    check("UPDATE outbox SET delivered = 1 WHERE seq = 3", 3, Place::Outbox(3), "altered");
    check("DELETE FROM outbox WHERE seq = 3", 3, Place::Outbox(3), "missing");
    check("DELETE FROM outbox WHERE seq = (SELECT max(seq) FROM outbox)", 28, Place::Outbox(20), "missing");
    // All that the log keeps about the last entries taken away together: the outbox and the last commit still speak of them.
    check(
        "DELETE FROM entries WHERE idx >= 28; DELETE FROM hashes WHERE idx >= 53; DELETE FROM checkpoints WHERE size > 28",
        28,
        Place::Entry,
        "missing: the last commit covers 30 entries, 28 are there",
    );
}

/// Whoever also computes the hashes anew is stopped by the signatures.
#[test]
fn a_history_rewritten_with_matching_hashes_is_found() {
    let dir = closed_store(30);
    let forged = tempfile::tempdir().unwrap();
    let mut other = open(forged.path());
    for n in 0..30 {
        other.commit(&batch(if n == 11 { 99 } else { n }, 1)).unwrap();
    }
    other.close().unwrap();
    let db = Connection::open(dir.path().join("journal.db")).unwrap();
    db.execute("ATTACH ?1 AS forged", [forged.path().join("journal.db").to_str().unwrap()]).unwrap();
    let triggers = "SELECT group_concat('DROP TRIGGER ' || name, ';'), group_concat(sql, ';') FROM sqlite_schema WHERE type = 'trigger'";
    let (drop, create): (String, String) = db.query_row(triggers, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    db.execute_batch(&drop).unwrap();
    db.execute_batch("DELETE FROM entries; INSERT INTO entries SELECT * FROM forged.entries;").unwrap();
    db.execute_batch("DELETE FROM hashes; INSERT INTO hashes SELECT * FROM forged.hashes;").unwrap();
    db.execute_batch(&create).unwrap();
    db.close().unwrap();
    let error = verify(dir.path()).unwrap_err();
    assert_eq!(error.entry(), Some(10), "the last good checkpoint covers 10 entries: {error}");
    assert!(error.to_string().contains("it signs root"), "{error}");
}

#[test]
fn entries_that_nothing_signed_covers_are_counted_not_trusted() {
    let donor = closed_store(33);
    let dir = closed_store(30);
    let db = Connection::open(dir.path().join("journal.db")).unwrap();
    db.execute("ATTACH ?1 AS donor", [donor.path().join("journal.db").to_str().unwrap()]).unwrap();
    db.execute_batch("INSERT INTO entries SELECT * FROM donor.entries WHERE idx >= 30").unwrap();
    db.execute_batch("INSERT INTO hashes SELECT * FROM donor.hashes WHERE idx > (SELECT max(idx) FROM main.hashes)")
        .unwrap();
    db.close().unwrap();
    let audit = verify(dir.path()).unwrap();
    assert_eq!((audit.size, audit.unsigned_tail), (33, 3));
}

#[test]
fn missing_triggers_are_found() {
    let dir = closed_store(3);
    let db = Connection::open(dir.path().join("journal.db")).unwrap();
    db.execute_batch("DROP TRIGGER entries_update").unwrap();
    db.close().unwrap();
    let error = verify(dir.path()).unwrap_err();
    assert!(error.to_string().contains("tables or triggers"), "{error}");
}

fn flip(file: &Path, at: u64, mask: u8) {
    let mut file = std::fs::File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.seek(SeekFrom::Start(at)).unwrap();
    file.read_exact(&mut byte).unwrap();
    file.seek(SeekFrom::Start(at)).unwrap();
    file.write_all(&[byte[0] ^ mask]).unwrap();
}

/// A store with everything in it, and its one file.
fn full_store() -> (tempfile::TempDir, PathBuf) {
    let dir = closed_store(12);
    let mut journal = open(dir.path());
    journal.delivered(key(0)).unwrap();
    journal.close().unwrap();
    let file = dir.path().join("journal.db");
    (dir, file)
}

/// For each byte of the file, or enough of them: flipped, it is found, or it carries nothing and the verdict is the same.
#[test]
fn no_flipped_byte_changes_the_content_silently() {
    let (dir, file) = full_store();
    let good = verify(dir.path()).unwrap();
    let len = std::fs::metadata(&file).unwrap().len();
    // Every byte that is not zero, and a sample of the others: those are free space for the most part.
    let bytes = std::fs::read(&file).unwrap();
    let mut numbers = Numbers(3);
    let offsets: Vec<u64> =
        (0..len).filter(|at| bytes[usize::try_from(*at).unwrap()] != 0 || numbers.below(20) == 0).collect();
    assert!(offsets.len() >= 2_000, "{}", offsets.len());
    let (mut found, mut harmless) = (0, 0);
    for at in &offsets {
        let mask = 1 << numbers.below(8);
        flip(&file, *at, mask);
        match verify(dir.path()) {
            Err(error) => {
                assert!(error.is_finding() || matches!(error, AuditError::Newer { .. }), "byte {at}: {error}");
                found += 1;
            }
            Ok(audit) => {
                assert_eq!(audit, good, "byte {at} ^ {mask:#x} changed the content unseen");
                harmless += 1;
            }
        }
        flip(&file, *at, mask);
    }
    assert_eq!(verify(dir.path()).unwrap(), good);
    writeln!(
        std::io::stdout(),
        "{} of {len} bytes flipped: {found} found, {harmless} without effect on the content",
        offsets.len()
    )
    .unwrap();
    assert!(found > offsets.len() / 2);
}

/// Each byte of what the log carries, wherever the file holds it.
#[test]
fn every_flipped_byte_of_an_entry_hash_checkpoint_or_cursor_is_found() {
    let (dir, file) = full_store();
    let db = Connection::open(&file).unwrap();
    let blobs = |sql: &str| -> Vec<Vec<u8>> {
        db.prepare(sql).unwrap().query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let mut items = blobs("SELECT data FROM entries");
    items.extend(blobs("SELECT hash FROM hashes"));
    items.extend(blobs("SELECT note FROM checkpoints"));
    items.extend(blobs("SELECT note FROM head"));
    items.extend(blobs("SELECT cursor FROM head"));
    items.extend(blobs("SELECT key FROM outbox"));
    items.extend(blobs("SELECT payload FROM outbox"));
    db.close().unwrap();
    let bytes = std::fs::read(&file).unwrap();
    let mut flips = 0;
    for item in items {
        let places: Vec<usize> =
            bytes.windows(item.len()).enumerate().filter(|(_, window)| *window == item).map(|(at, _)| at).collect();
        assert!(!places.is_empty());
        for n in 0..item.len() {
            // Moved rows leave copies in free space; the live one must be among the places.
            let found = places.iter().any(|place| {
                let at = u64::try_from(place + n).unwrap();
                flip(&file, at, 1 << (n % 8));
                let found = verify(dir.path()).is_err();
                flip(&file, at, 1 << (n % 8));
                found
            });
            assert!(found, "byte {n} of {:?}", String::from_utf8_lossy(&item));
            flips += 1;
        }
    }
    verify(dir.path()).unwrap();
    writeln!(std::io::stdout(), "{flips} bytes of the log flipped one by one, all found").unwrap();
}

#[test]
fn a_file_cut_anywhere_is_found() {
    let (dir, file) = full_store();
    let bytes = std::fs::read(&file).unwrap();
    for len in (0..bytes.len()).step_by(997).chain((0..bytes.len()).step_by(4096)).chain([bytes.len() - 1]) {
        std::fs::write(&file, &bytes[..len]).unwrap();
        let error = verify(dir.path()).unwrap_err();
        assert!(error.is_finding(), "cut to {len}: {error}");
    }
    std::fs::write(&file, vec![0x5a; bytes.len()]).unwrap();
    assert!(verify(dir.path()).is_err());
}

/// A store as a crash leaves it: the database file, and commits that are in the WAL only.
fn crashed_store() -> tempfile::TempDir {
    let dir = closed_store(9);
    let mut journal = open(dir.path());
    for n in 9..14 {
        journal.commit(&batch(n, 1)).unwrap();
    }
    let copy = tempfile::tempdir().unwrap();
    for name in ["journal.db", "journal.db-wal"] {
        std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
    }
    copy
}

#[test]
fn the_wal_of_a_crash_counts_and_stays_as_it_is() {
    let dir = crashed_store();
    let wal = dir.path().join("journal.db-wal");
    let bytes = std::fs::read(&wal).unwrap();
    let audit = verify(dir.path()).unwrap();
    assert_eq!((audit.size, audit.unsigned_tail, audit.torn_tail), (14, 0, false));
    assert_eq!(std::fs::read(&wal).unwrap(), bytes);
    let names = std::fs::read_dir(dir.path()).unwrap().count();
    assert_eq!(names, 2, "the audit left files behind");
    let journal = open(dir.path());
    assert_eq!(journal.read(13, 1).unwrap(), [entry(13)]);
}

/// In the WAL a flipped byte of the last write looks like a crash, and is reported as one; any other is damage.
#[test]
fn no_flipped_byte_of_a_wal_changes_the_content_silently() {
    let dir = crashed_store();
    let wal = dir.path().join("journal.db-wal");
    let good = verify(dir.path()).unwrap();
    let len = std::fs::metadata(&wal).unwrap().len();
    let mut numbers = Numbers(11);
    let (mut found, mut torn) = (0, 0);
    let offsets: Vec<u64> = (0..300).chain((0..2_000).map(|_| numbers.below(len))).collect();
    for at in offsets {
        let mask = 1 << numbers.below(8);
        flip(&wal, at, mask);
        match verify(dir.path()) {
            Err(error) => {
                assert!(error.is_finding(), "{error}");
                found += 1;
            }
            Ok(audit) if audit.torn_tail => {
                assert_eq!((audit.size, audit.unsigned_tail), (13, 0), "byte {at}: more than the last write is gone");
                torn += 1;
            }
            Ok(audit) => assert_eq!(audit, good, "byte {at}"),
        }
        flip(&wal, at, mask);
    }
    for cut in [1, 100, 4_096, 5_000] {
        let bytes = std::fs::read(&wal).unwrap();
        std::fs::write(&wal, &bytes[..bytes.len() - cut]).unwrap();
        assert!(verify(dir.path()).unwrap().torn_tail);
        std::fs::write(&wal, &bytes).unwrap();
    }
    assert!(found > 1_000 && torn > 50, "{found} found, {torn} torn");
}

#[test]
fn a_folder_without_evidence_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = verify(dir.path()).unwrap_err();
    assert!(matches!(error, AuditError::NothingThere { .. }) && !error.is_finding(), "{error}");
}
