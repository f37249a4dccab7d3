//! A process that is killed at any moment: what it acknowledged is there, and nothing is there by half.

use crate::support::{Numbers, batch, key, open};
use ripcord_core::ports::Journal;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

const STORE: &str = "RIPCORD_CRASH_TEST_STORE";
const KILLS: u64 = 60;

/// The process that gets killed: a test of its own, so that no further binary is needed. Without the variable it does nothing.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(STORE) else { return };
    let mut journal = open(Path::new(&dir));
    loop {
        let first = journal.size();
        let committed = journal.commit(&batch(first, 1 + first % 5)).unwrap();
        // Past the test harness, which would keep the line to itself.
        writeln!(std::io::stdout(), "acknowledged {}", committed.size).unwrap();
        if first.is_multiple_of(3) {
            journal.delivered(key(first)).unwrap();
        }
    }
}

fn check_state(journal: &dyn Journal, acknowledged: u64) {
    let size = journal.size();
    assert!(size >= acknowledged, "{acknowledged} entries were acknowledged, {size} are there");
    let cursor = journal.cursor().unwrap().map_or(0, |cursor| u64::from_be_bytes(cursor.try_into().unwrap()));
    assert_eq!(cursor, size, "cursor and entries are of different commits");
    let entries = journal.read(0, usize::MAX).unwrap();
    let mut rows: Vec<_> = journal.pending(usize::MAX).unwrap().into_iter().map(|row| row.key).collect();
    let mut first = 0;
    while first < size {
        let whole = batch(first, 1 + first % 5);
        let count = whole.entries.len();
        let start = usize::try_from(first).unwrap();
        assert_eq!(entries.get(start..start + count), Some(whole.entries.as_slice()), "a batch is there by half");
        // A row that may have been marked may be pending or not; any other must be.
        let pending = rows.first() == Some(&key(first));
        assert!(pending || first.is_multiple_of(3), "the outbox row of entry {first} is lost");
        if pending {
            rows.remove(0);
        }
        first += u64::try_from(count).unwrap();
    }
    assert!(rows.is_empty(), "outbox rows of commits that are not there: {rows:?}");
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let mut numbers = Numbers(7);
    let (mut left_wal, mut unreported) = (0, 0);
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(STORE, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0;
        let mut wanted = numbers.below(30);
        // The child goes on meanwhile; where in its work the signal finds it is anyone's guess.
        while wanted > 0 {
            let line = lines.next().unwrap().unwrap();
            if let Some((_, size)) = line.split_once("acknowledged ") {
                acknowledged = size.parse().unwrap();
                wanted -= 1;
            }
        }
        for _ in 0..numbers.below(60_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            // The last line may be cut.
            if let Some(size) = line.split_once("acknowledged ").and_then(|(_, size)| size.parse().ok()) {
                acknowledged = acknowledged.max(size);
            }
        }
        if !dir.path().join("journal.db").exists() {
            assert_eq!(acknowledged, 0);
            continue;
        }
        left_wal += u32::from(std::fs::metadata(dir.path().join("journal.db-wal")).is_ok_and(|meta| meta.len() > 0));
        let before = files(dir.path());
        match ripcord_store::verify(dir.path()) {
            Ok(audit) => {
                assert!(audit.size >= acknowledged);
                assert_eq!(audit.unsigned_tail, 0);
                unreported += u32::from(audit.size > acknowledged);
            }
            // Killed while it made the tables.
            Err(error) => assert!(acknowledged == 0 && error.to_string().contains("holds no tables"), "{error}"),
        }
        assert_eq!(files(dir.path()), before, "the audit wrote to the evidence");
        if kill % 2 == 0 {
            check_state(&open(dir.path()), acknowledged);
        }
    }
    assert!(left_wal > 10, "the kills left a write-ahead log only {left_wal} times");
    let journal = open(dir.path());
    check_state(&journal, 0);
    assert!(journal.size() > 500, "{}", journal.size());
    writeln!(
        std::io::stdout(),
        "{KILLS} kills, {} entries, write-ahead log left {left_wal} times, commit durable but not told {unreported} times",
        journal.size()
    )
    .unwrap();
}

fn files(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let mut files: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|file| file.unwrap())
        .map(|file| (file.file_name(), std::fs::read(file.path()).unwrap()))
        .collect();
    files.sort();
    files
}
