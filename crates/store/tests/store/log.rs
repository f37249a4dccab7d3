//! The transparency log against a reference that follows the text of RFC 6962, section 2.1.

use crate::support::{Numbers, ORIGIN, batch, closed_store, entry, open};
use proptest::prelude::*;
use ripcord_core::ports::{Batch, Journal as _};
use ripcord_store::checkpoint::{Checkpoint, CheckpointError};
use ripcord_store::merkle::{Frontier, Hash, HashReader};
use ripcord_store::proof::{Consistency, Inclusion};
use ripcord_store::{Audit, AuditError, LogKey, Pins, tiles, verify, verify_pinned};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The tree of the RFC, computed from the leaves each time; subtrees are remembered so that thousands of proofs are quick.
struct Naive {
    leaves: Vec<[u8; 32]>,
    known: BTreeMap<(usize, usize), [u8; 32]>,
}

impl Naive {
    fn new(entries: &[Vec<u8>]) -> Self {
        let leaf = |entry: &Vec<u8>| Sha256::new().chain_update([0]).chain_update(entry).finalize().into();
        Self { leaves: entries.iter().map(leaf).collect(), known: BTreeMap::new() }
    }

    /// Largest power of two below n.
    fn split(n: usize) -> usize {
        n.next_power_of_two() / 2
    }

    fn root(&mut self, from: usize, to: usize) -> [u8; 32] {
        if let Some(root) = self.known.get(&(from, to)) {
            return *root;
        }
        let root = match to - from {
            0 => Sha256::digest([]).into(),
            1 => self.leaves[from],
            n => {
                let k = Self::split(n);
                let (left, right) = (self.root(from, from + k), self.root(from + k, to));
                Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
            }
        };
        self.known.insert((from, to), root);
        root
    }

    /// PATH(m, D[from:to]).
    fn path(&mut self, m: usize, from: usize, to: usize) -> Vec<[u8; 32]> {
        if to - from == 1 {
            return Vec::new();
        }
        let k = from + Self::split(to - from);
        let (mut path, sibling) =
            if m < k { (self.path(m, from, k), self.root(k, to)) } else { (self.path(m, k, to), self.root(from, k)) };
        path.push(sibling);
        path
    }

    /// SUBPROOF(m, D[from:to], b).
    fn subproof(&mut self, m: usize, from: usize, to: usize, whole: bool) -> Vec<[u8; 32]> {
        if m == to {
            return if whole { Vec::new() } else { vec![self.root(from, to)] };
        }
        let k = from + Self::split(to - from);
        let (mut proof, sibling) = if m <= k {
            (self.subproof(m, from, k, whole), self.root(k, to))
        } else {
            (self.subproof(m, k, to, false), self.root(from, k))
        };
        proof.push(sibling);
        proof
    }
}

struct Stored(Vec<Hash>);

impl HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<Hash>, tlog_tiles::tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

fn raw(hashes: &[Hash]) -> Vec<[u8; 32]> {
    hashes.iter().map(|hash| hash.0).collect()
}

#[test]
fn every_root_and_proof_up_to_300_entries_is_that_of_the_rfc() {
    const MAX: usize = 300;
    let entries: Vec<Vec<u8>> = (0..MAX as u64).map(entry).collect();
    let mut naive = Naive::new(&entries);
    let (mut frontier, mut stored) = (Frontier::default(), Stored(Vec::new()));
    assert_eq!(frontier.root().0, naive.root(0, 0));
    let mut proofs = 0;
    for size in 1..=MAX {
        frontier.append(&entries[size - 1], |hash| stored.0.push(hash));
        let root = frontier.root();
        assert_eq!(root.0, naive.root(0, size));
        assert_eq!(Frontier::load(size as u64, &stored).unwrap().root(), root);
        for (index, entry) in entries.iter().enumerate().take(size) {
            let proof = Inclusion::build(index as u64, size as u64, &stored).unwrap();
            assert_eq!(raw(&proof.path), naive.path(index, 0, size), "inclusion of {index} in {size}");
            proof.check(entry, root).unwrap();
            let old_root = Hash(naive.root(0, index));
            let proof = Consistency::build(index as u64, size as u64, &stored).unwrap();
            let expected = if index == 0 { Vec::new() } else { naive.subproof(index, 0, size, true) };
            assert_eq!(raw(&proof.path), expected, "consistency of {index} with {size}");
            proof.check(old_root, root).unwrap();
            proofs += 2;
        }
        Consistency::build(size as u64, size as u64, &stored).unwrap().check(root, root).unwrap();
    }
    assert_eq!(proofs, MAX * (MAX + 1));
}

#[test]
fn a_proof_of_anything_else_does_not_hold() {
    let entries: Vec<Vec<u8>> = (0..77).map(entry).collect();
    let mut naive = Naive::new(&entries);
    let mut stored = Stored(Vec::new());
    let mut frontier = Frontier::default();
    entries.iter().for_each(|entry| frontier.append(entry, |hash| stored.0.push(hash)));
    let root = frontier.root();
    for index in 0..77_u64 {
        let good = Inclusion::build(index, 77, &stored).unwrap();
        let at = usize::try_from(index).unwrap();
        good.check(&entries[at], root).unwrap();
        assert!(good.check(&entries[(at + 1) % 77], root).is_err());
        assert!(good.check(&entries[at], Hash([0; 32])).is_err());
        assert!(Inclusion { index: (index + 1) % 77, ..good.clone() }.check(&entries[at], root).is_err());
        assert!(Inclusion { size: 0, ..good.clone() }.check(&entries[at], root).is_err());
        let mut longer = good.clone();
        longer.path.push(Hash([0; 32]));
        assert!(longer.check(&entries[at], root).is_err());
        for n in 0..good.path.len() {
            let mut bad = good.clone();
            bad.path[n].0[31] ^= 1;
            assert!(bad.check(&entries[at], root).is_err());
            let mut shorter = good.clone();
            shorter.path.remove(n);
            assert!(shorter.check(&entries[at], root).is_err());
        }
        let old_root = Hash(naive.root(0, at));
        let good = Consistency::build(index, 77, &stored).unwrap();
        assert!(good.check(root, root).is_err());
        assert!(good.check(old_root, Hash([0; 32])).is_err() || index == 0);
        assert!(Consistency { old: 78, ..good }.check(old_root, root).is_err());
    }
    assert!(Inclusion::build(77, 77, &stored).is_err());
    assert!(Consistency::build(78, 77, &stored).is_err());
}

#[test]
fn a_checkpoint_is_a_signed_note_that_the_library_reads() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    assert_eq!(journal.checkpoint(), None);
    journal.commit(&batch(0, 5)).unwrap();
    let note = journal.checkpoint().unwrap().to_vec();
    let text = String::from_utf8(note.clone()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..4], [ORIGIN, "5", &journal.root().to_string(), ""]);
    assert!(lines[4].starts_with(&format!("— {ORIGIN} ")) && lines.len() == 5, "{text}");
    // Read by the other implementation alone.
    let verifier = signed_note::StandardVerifier::new(&journal.verifier().to_string()).unwrap();
    let known = signed_note::VerifierList::new(vec![Box::new(verifier)]);
    signed_note::Note::from_bytes(&note).unwrap().verify(&known).unwrap();

    let checkpoint = Checkpoint::verify(&note, journal.verifier()).unwrap();
    assert_eq!((checkpoint.size, checkpoint.root), (5, journal.root()));
    for at in 0..note.len() {
        let mut bad = note.clone();
        bad[at] ^= 1;
        assert!(Checkpoint::verify(&bad, journal.verifier()).is_err(), "byte {at}");
    }
    let stranger = LogKey::from_seed([9; 32]).verifier(ORIGIN);
    assert!(matches!(Checkpoint::verify(&note, &stranger), Err(CheckpointError::Signature(_))));
    let inclusion = journal.inclusion(3, 5).unwrap();
    inclusion.check(&entry(3), checkpoint.root).unwrap();
    journal.commit(&batch(5, 4)).unwrap();
    journal.consistency(5, 9).unwrap().check(checkpoint.root, journal.root()).unwrap();
    assert!(journal.inclusion(9, 9).is_err());
}

/// What the command line hands out: each proof stands with nothing but the public key.
#[test]
fn proofs_come_out_of_a_closed_store() {
    let dir = closed_store(20);
    let key = LogKey::from_seed([42; 32]).verifier(ORIGIN);
    let (bytes, proven) = ripcord_store::audit::inclusion(dir.path(), 13).unwrap();
    assert_eq!(bytes, entry(13));
    let checkpoint = Checkpoint::verify(&proven.checkpoint, &key).unwrap();
    proven.proof.check(&bytes, checkpoint.root).unwrap();
    let old_root = Hash(Naive::new(&(0..7).map(entry).collect::<Vec<_>>()).root(0, 7));
    let proven = ripcord_store::audit::consistency(dir.path(), 7).unwrap();
    proven.proof.check(old_root, Checkpoint::verify(&proven.checkpoint, &key).unwrap().root).unwrap();
    assert_eq!(ripcord_store::audit::inclusion(dir.path(), 20).unwrap_err().entry(), Some(20));
    assert_eq!(ripcord_store::audit::consistency(dir.path(), 21).unwrap_err().entry(), Some(20));
}

fn export(store: &Path) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    tiles::export(store, out.path()).unwrap();
    out
}

fn content(audit: &Audit) -> (u64, Hash, &str) {
    (audit.size, audit.root, &audit.vkey)
}

#[test]
fn an_export_is_verified_without_the_store() {
    for size in [1, 2, 255, 256, 257, 600] {
        let store = closed_store(size);
        let before = std::fs::read(store.path().join("journal.db")).unwrap();
        let out = export(store.path());
        assert_eq!(std::fs::read(store.path().join("journal.db")).unwrap(), before);
        let (from_store, from_export) = (verify(store.path()).unwrap(), verify(out.path()).unwrap());
        assert_eq!(content(&from_store), content(&from_export));
        assert_eq!(from_store.size, size);
    }
}

#[test]
fn a_grown_log_is_exported_into_the_same_folder() {
    let dir = tempfile::tempdir().unwrap();
    let out = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    let (mut size, mut checkpoints) = (0, Vec::new());
    for count in [3, 250, 10, 300] {
        journal.commit(&batch(size, count)).unwrap();
        size += count;
        journal.export(out.path()).unwrap();
        checkpoints.push(journal.checkpoint().unwrap().to_vec());
        let audit = verify(out.path()).unwrap();
        assert_eq!((audit.size, audit.root), (size, journal.root()));
    }
    let pin = |note: &Vec<u8>| Pins { vkey: Some(journal.verifier().clone()), checkpoint: Some(note.clone()) };
    for note in &checkpoints {
        assert!(verify_pinned(out.path(), &pin(note)).unwrap().pinned);
    }
    // Another log of the same key, as an operator could forge it.
    let forged = tempfile::tempdir().unwrap();
    let mut other = open(forged.path());
    other.commit(&batch(1, 600)).unwrap();
    other.close().unwrap();
    for note in &checkpoints {
        let error = verify_pinned(forged.path(), &pin(note)).unwrap_err();
        assert!(error.to_string().contains("pinned checkpoint"), "{error}");
        let error = verify_pinned(export(forged.path()).path(), &pin(note)).unwrap_err();
        assert!(error.to_string().contains("pinned checkpoint"), "{error}");
    }
}

#[test]
fn a_log_put_back_to_an_earlier_state_fails_against_a_later_checkpoint() {
    let earlier = closed_store(10);
    let later = closed_store(20);
    let note = open(later.path()).checkpoint().unwrap().to_vec();
    verify(earlier.path()).unwrap();
    let pins = Pins { checkpoint: Some(note), ..Pins::default() };
    let error = verify_pinned(earlier.path(), &pins).unwrap_err();
    assert_eq!(error.entry(), Some(10), "{error}");
    let error = verify_pinned(export(earlier.path()).path(), &pins).unwrap_err();
    assert_eq!(error.entry(), Some(10), "{error}");
    let stranger = Pins { vkey: Some(LogKey::from_seed([9; 32]).verifier(ORIGIN)), ..Pins::default() };
    assert!(matches!(verify_pinned(earlier.path(), &stranger), Err(AuditError::Key { .. })));
    assert!(matches!(verify_pinned(export(earlier.path()).path(), &stranger), Err(AuditError::Key { .. })));
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for item in std::fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}

#[test]
fn any_flipped_or_lost_byte_of_an_export_is_found() {
    let store = closed_store(300);
    let out = export(store.path());
    let files = files_below(out.path());
    assert_eq!(files.len(), 7, "{files:?}");
    let mut numbers = Numbers(1);
    for file in &files {
        let good = std::fs::read(file).unwrap();
        for n in 0..120 {
            let at = if n < 20 { n } else { usize::try_from(numbers.below(good.len() as u64)).unwrap() };
            let Some(byte) = good.get(at) else { continue };
            let mut bad = good.clone();
            bad[at] = byte ^ (1 << numbers.below(8));
            std::fs::write(file, &bad).unwrap();
            let error = verify(out.path()).unwrap_err();
            assert!(error.is_finding() && !error.help().is_empty(), "{} byte {at}: {error}", file.display());
        }
        for bad in [&good[..good.len() - 1], &[good.as_slice(), b"x"].concat()] {
            std::fs::write(file, bad).unwrap();
            assert!(verify(out.path()).is_err(), "{}", file.display());
        }
        std::fs::remove_file(file).unwrap();
        assert!(verify(out.path()).is_err(), "{} is gone", file.display());
        std::fs::write(file, &good).unwrap();
    }
    verify(out.path()).unwrap();
    // The file and the entry are named.
    let bundle = out.path().join("tile/entries/001.p/44");
    let mut bytes = std::fs::read(&bundle).unwrap();
    bytes[40] ^= 2;
    std::fs::write(&bundle, bytes).unwrap();
    let error = verify(out.path()).unwrap_err();
    assert_eq!(error.entry(), Some(256), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_entries_give_the_root_of_the_rfc(
        texts in prop::collection::vec(".{0,40}", 1..80),
        cuts in prop::collection::vec(1_usize..20, 1..20),
    ) {
        let entries: Vec<Vec<u8>> =
            texts.iter().map(|text| serde_json_canonicalizer::to_vec(text).unwrap()).collect();
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path());
        let mut rest = entries.as_slice();
        for cut in cuts.iter().cycle() {
            let (now, later) = rest.split_at((*cut).min(rest.len()));
            journal.commit(&Batch { entries: now.to_vec(), ..Batch::default() }).unwrap();
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(journal.root().0, Naive::new(&entries).root(0, entries.len()));
        prop_assert_eq!(journal.read(0, usize::MAX).unwrap(), entries);
        journal.close().unwrap();
        let audit = verify(export(dir.path()).path()).unwrap();
        prop_assert_eq!(audit.root, verify(dir.path()).unwrap().root);
    }
}
