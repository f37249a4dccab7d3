//! A disk that is really full.

use crate::support::{batch, open};
use ripcord_core::ports::{Journal, JournalError};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

/// A file system of one megabyte, gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(dir.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(dir))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_poisons_and_what_was_acknowledged_survives() {
    let Some(disk) = SmallDisk::mount() else {
        writeln!(
            std::io::stderr(),
            "skipped: full_disk::a_full_disk_poisons_and_what_was_acknowledged_survives needs root to mount a tmpfs"
        )
        .unwrap();
        return;
    };
    let ballast = disk.path().join("ballast");
    std::fs::write(&ballast, vec![0; 400 * 1024]).unwrap();
    let dir = disk.path().join("store");
    let mut journal = open(&dir);
    let error = loop {
        if let Err(error) = journal.commit(&batch(journal.size(), 4)) {
            break error;
        }
    };
    let acknowledged = journal.size();
    assert!(acknowledged > 0);
    let JournalError::Poisoned(why) = &error else { panic!("{error}") };
    assert!(why.contains("full") || why.contains("I/O"), "{why}");
    assert_eq!(journal.commit(&batch(acknowledged, 1)), Err(error));
    drop(journal);

    // The disk is still full: the evidence can be read, for nothing is written to it.
    let audit = ripcord_store::verify(&dir).unwrap();
    assert_eq!((audit.size, audit.unsigned_tail), (acknowledged, 0));

    std::fs::remove_file(ballast).unwrap();
    let mut journal = open(&dir);
    assert_eq!(journal.size(), acknowledged);
    assert_eq!(journal.cursor().unwrap(), Some(acknowledged.to_be_bytes().to_vec()));
    journal.commit(&batch(acknowledged, 4)).unwrap();
    journal.close().unwrap();
    assert_eq!(ripcord_store::verify(&dir).unwrap().size, acknowledged + 4);
}
