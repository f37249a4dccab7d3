//! `audit verify` and `audit export`: sound evidence passes, damage is named and ends with 5, anything else is no verdict.

use crate::invocation::{Done, ripcord};
use crate::store;
use crate::{ENVIRONMENT, OK, USAGE, VERIFICATION};
use std::fs;
use std::path::Path;

fn verify(folder: &Path) -> Done {
    ripcord(folder, ["audit", "verify", "store"])
}

/// A closed store `store` of forty entries in a new folder.
fn forty() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    store::make(&folder.path().join("store"), 40);
    folder
}

/// The value of `word` in the text form.
fn field<'a>(done: &'a Done, word: &str) -> &'a str {
    done.stdout.lines().find_map(|l| l.trim_start().strip_prefix(word)).unwrap_or_else(|| panic!("{done:?}")).trim()
}

#[test]
fn a_sound_store_passes_and_says_what_was_checked_and_by_which_key() {
    let folder = forty();
    let done = verify(folder.path());
    assert_eq!(done.code, OK, "{done:?}");
    assert!(done.stdout.starts_with("ok: store ripcord.example.org/test\n"));
    assert_eq!((field(&done, "entries"), field(&done, "outbox")), ("40", "40 rows, 40 not yet delivered"));
    assert_eq!(field(&done, "root").len(), 44, "32 bytes in base64");
    let key = store::open(&folder.path().join("store")).verifier().to_string();
    // One with each effect, and the last one once more in the head row.
    assert_eq!(field(&done, "checkpoints"), format!("41 signed by {key} (not pinned)"));
    assert!(done.stderr.contains("warning: the key was read from the copy itself"), "{done:?}");

    let pinned = ripcord(folder.path(), ["audit", "verify", "store", "--vkey", &key]);
    assert_eq!((pinned.code, pinned.stderr.as_str()), (OK, ""), "nothing to warn of");
    assert!(field(&pinned, "checkpoints").ends_with("(pinned)"));

    let json = ripcord(folder.path(), ["audit", "verify", "store", "--json"]).json();
    assert_eq!(
        (&json["schema"], &json["entries"], &json["pinned"]),
        (&"ripcord/audit-verify/1".into(), &40.into(), &false.into())
    );
    assert_eq!(json["root"], field(&done, "root"));
}

#[test]
fn another_key_or_a_rewritten_beginning_is_found_when_it_is_pinned() {
    let folder = forty();
    let other = tempfile::tempdir().unwrap();
    let other_key = ripcord_store::LogKey::from_seed([8; 32]);
    let other_log = ripcord_store::SqliteJournal::open(other.path(), other_key, store::ORIGIN).unwrap();
    let done = ripcord(folder.path(), ["audit", "verify", "store", "--vkey", &other_log.verifier().to_string()]);
    done.refuses(VERIFICATION, &["not by the pinned"]);
    ripcord(folder.path(), ["audit", "verify", "store", "--vkey", "nonsense"])
        .refuses(USAGE, &["--vkey is not a verifier key"]);

    let note = store::open(&folder.path().join("store")).checkpoint().unwrap().to_vec();
    fs::write(folder.path().join("note"), note).unwrap();
    assert_eq!(ripcord(folder.path(), ["audit", "verify", "store", "--checkpoint", "note"]).code, OK);
    // A store that was put back as a whole to an earlier day is sound in itself.
    fs::remove_dir_all(folder.path().join("store")).unwrap();
    store::make(&folder.path().join("store"), 30);
    assert_eq!(verify(folder.path()).code, OK);
    let done = ripcord(folder.path(), ["audit", "verify", "store", "--checkpoint", "note"]);
    done.refuses(VERIFICATION, &["journal.db"]);
    let done = ripcord(folder.path(), ["audit", "verify", "store", "--checkpoint", "absent"]);
    done.refuses(ENVIRONMENT, &["cannot read absent"]);
}

#[test]
fn one_flipped_byte_inside_an_entry_is_found_and_the_first_bad_entry_is_named() {
    let folder = forty();
    let file = folder.path().join("store/journal.db");
    let good = fs::read(&file).unwrap();
    for index in [0_u64, 1, 17, 39] {
        let entry = store::entry(&folder.path().join("store"), index);
        // Pages that were split keep old copies of rows in their free space; one of the places is the live one.
        let places: Vec<usize> =
            good.windows(entry.len()).enumerate().filter(|(_, w)| *w == entry).map(|(at, _)| at).collect();
        for offset in [0, entry.len() / 2, entry.len() - 1] {
            let found = places.iter().filter(|place| {
                let mut bad = good.clone();
                bad[*place + offset] ^= 0x10;
                fs::write(&file, bad).unwrap();
                let done = verify(folder.path());
                if done.code == OK {
                    return false;
                }
                done.refuses(VERIFICATION, &["store/journal.db", &format!("entry {index}: its bytes: altered")]);
                true
            });
            assert_eq!(found.count(), 1, "entry {index}, byte {offset}");
        }
    }
    fs::write(&file, good).unwrap();
    assert_eq!(verify(folder.path()).code, OK, "the audit itself changed something");
}

/// What was done to the store, and what the error must name.
fn check(damage: impl FnOnce(&Path), words: &[&str]) {
    let folder = forty();
    damage(&folder.path().join("store"));
    verify(folder.path()).refuses(VERIFICATION, &[&["store/journal.db"], words].concat());
}

#[test]
fn a_corrupt_truncated_or_reordered_journal_is_named_by_file_and_entry() {
    let cut = |length: usize| {
        move |store: &Path| {
            let file = store.join("journal.db");
            let bytes = fs::read(&file).unwrap();
            fs::write(&file, &bytes[..length.min(bytes.len() - 1)]).unwrap();
        }
    };
    check(cut(0), &["0 bytes is not a whole number of pages"]);
    check(cut(8192), &[]);
    check(cut(usize::MAX), &["not a whole number of pages"]);
    let swap =
        "UPDATE entries SET data = (SELECT data FROM entries e WHERE e.idx = 25 - entries.idx) WHERE idx IN (12, 13)";
    check(|store| store::tamper(store, swap), &["entry 12: its bytes: altered"]);
    check(|store| store::tamper(store, "DELETE FROM entries WHERE idx = 20"), &["entry 20: ", "missing"]);
    check(|store| store::tamper(store, "DELETE FROM entries WHERE idx > 35"), &["entry 36: ", "missing"]);
    check(|store| store::tamper(store, "UPDATE outbox SET delivered = 1 WHERE seq = 9"), &["row 9 of the outbox"]);
    check(|store| fs::write(store.join("journal.db"), [0x5a; 4096]).unwrap(), &[]);
}

#[test]
fn what_cannot_be_looked_at_is_no_verdict() {
    let folder = tempfile::tempdir().unwrap();
    verify(folder.path()).refuses(USAGE, &["store holds neither a journal nor an exported log"]);
    fs::create_dir(folder.path().join("store")).unwrap();
    verify(folder.path()).refuses(USAGE, &["neither a journal nor an exported log"]);

    let newer = forty();
    let db = rusqlite::Connection::open(newer.path().join("store/journal.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    db.close().unwrap();
    verify(newer.path()).refuses(USAGE, &["schema version 99"]);

    let mut live = store::open(&folder.path().join("live"));
    store::append(&mut live, 3);
    ripcord(folder.path(), ["audit", "verify", "live"]).refuses(ENVIRONMENT, &["live is being written to"]);
    ripcord(folder.path(), ["audit", "export", "live", "out"]).refuses(ENVIRONMENT, &["live is being written to"]);
    assert!(!folder.path().join("out").exists());
    store::append(&mut live, 1);
    live.close().unwrap();
    assert_eq!(ripcord(folder.path(), ["audit", "verify", "live"]).code, OK);
}

#[test]
fn an_export_verifies_like_its_store_and_its_damage_is_found() {
    let folder = forty();
    let done = ripcord(folder.path(), ["audit", "export", "store", "public log"]);
    assert_eq!(
        (done.code, done.stdout.as_str()),
        (OK, "ok: 40 entries of ripcord.example.org/test exported to public log\n")
    );
    assert_eq!(done.stderr, "verify: ripcord audit verify 'public log'\n");
    let public = |args: &[&str]| ripcord(folder.path(), [&["audit", "verify", "public log"], args].concat());
    let done = public(&[]);
    assert_eq!(done.code, OK, "{done:?}");
    assert!(done.stdout.starts_with("ok: exported log ripcord.example.org/test\n"), "{done:?}");
    assert_eq!(field(&done, "root"), field(&verify(folder.path()), "root"));
    assert_eq!(public(&["--json"]).json()["source"], "export");

    let bundle = folder.path().join("public log/tile/entries/000.p/40");
    let good = fs::read(&bundle).unwrap();
    let flip = |at: usize, words: &[&str]| {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&bundle, bad).unwrap();
        public(&[]).refuses(VERIFICATION, words);
    };
    // The first byte of the first entry, then a digit of its time: the one is no JSON any more, the other only another hash.
    // Regression: the first named `tile/entries/000`, a file that a log of 40 entries does not have.
    flip(2, &["public log/tile/entries/000.p/40: entry 0: its bytes: malformed"]);
    let digit = good.iter().position(u8::is_ascii_digit).unwrap();
    flip(digit + 5, &["public log/tile/0/000.p/40: entry 0: ", "altered"]);
    flip(good.len() - 1, &["entry 39: "]);
    fs::write(&bundle, &good[..good.len() - 5]).unwrap();
    public(&[]).refuses(VERIFICATION, &["public log/tile/entries/000.p/40: entry 39: ", "missing"]);
    fs::remove_file(&bundle).unwrap();
    public(&[]).refuses(VERIFICATION, &["public log/tile/entries/000.p/40: entry 0: ", "missing"]);

    ripcord(folder.path(), ["audit", "export", "public log", "again"]).refuses(VERIFICATION, &["public log"]);
    ripcord(folder.path(), ["audit", "export", "nowhere", "again"]).refuses(USAGE, &["nowhere holds neither"]);
    fs::write(folder.path().join("occupied"), "a file").unwrap();
    ripcord(folder.path(), ["audit", "export", "store", "occupied"])
        .refuses(ENVIRONMENT, &["occupied", "cannot write the export"]);
    store::tamper(&folder.path().join("store"), "UPDATE entries SET data = x'7b7d' WHERE idx = 5");
    ripcord(folder.path(), ["audit", "export", "store", "tainted"]).refuses(VERIFICATION, &["entry 5"]);
    assert!(!folder.path().join("tainted").exists(), "damage is not published");
}
