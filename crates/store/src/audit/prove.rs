//! Proofs out of a store that nobody has open, against its last signed checkpoint.

use super::error::{AuditError, Flaw, Place};
use super::evidence::Evidence;
use crate::proof::{Consistency, Inclusion};
use crate::reader::{self, Hashes};
use crate::schema::Head;
use std::path::Path;

/// A proof with what it is checked against.
#[derive(Debug, Clone, PartialEq)]
pub struct Proven<P> {
    /// The proof.
    pub proof: P,
    /// The signed checkpoint of the tree.
    pub checkpoint: Vec<u8>,
}

/// The entry `index` and the proof that the log holds it.
///
/// # Errors
/// [`AuditError`]; [`Flaw::Missing`] when the log ends before the entry.
pub fn inclusion(dir: &Path, index: u64) -> Result<(Vec<u8>, Proven<Inclusion>), AuditError> {
    let (evidence, head, checkpoint) = open(dir)?;
    let at = |flaw| AuditError::Entry { file: evidence.file.clone(), entry: index, place: Place::Entry, flaw };
    if index >= head.size {
        return Err(at(Flaw::Missing(format!("the log has {} entries", head.size))));
    }
    let entries = reader::entries(&evidence.db, index, index.saturating_add(1));
    let mut entries = entries.map_err(|bad| at(Flaw::Altered(bad.why)))?;
    let proof = Inclusion::build(index, head.size, &Hashes(&evidence.db));
    let proof = proof.map_err(|error| at(Flaw::Unreadable(error.to_string())))?;
    evidence.unchanged()?;
    Ok((entries.pop().unwrap_or_default(), Proven { proof, checkpoint }))
}

/// The proof that the log begins with the tree of `old` entries.
///
/// # Errors
/// [`AuditError`]; [`Flaw::Missing`] when the log is smaller than that.
pub fn consistency(dir: &Path, old: u64) -> Result<Proven<Consistency>, AuditError> {
    let (evidence, head, checkpoint) = open(dir)?;
    let place = Place::Checkpoint(old);
    let at = |entry, flaw| AuditError::Entry { file: evidence.file.clone(), entry, place, flaw };
    if old > head.size {
        return Err(at(head.size, Flaw::Missing(format!("the log has {} entries", head.size))));
    }
    let proof = Consistency::build(old, head.size, &Hashes(&evidence.db));
    let proof = proof.map_err(|error| at(0, Flaw::Unreadable(error.to_string())))?;
    evidence.unchanged()?;
    Ok(Proven { proof, checkpoint })
}

fn open(dir: &Path) -> Result<(Evidence, Head, Vec<u8>), AuditError> {
    let evidence = Evidence::open(dir)?;
    let at = |flaw| AuditError::Entry { file: evidence.file.clone(), entry: 0, place: Place::Head, flaw };
    let head = Head::load(&evidence.db).map_err(|error| at(Flaw::Unreadable(error.to_string())))?;
    let head = head.map_err(|()| at(Flaw::Altered("its seal does not match".to_owned())))?;
    let note = head.note.clone().ok_or_else(|| at(Flaw::Missing("the log has no entries".to_owned())))?;
    Ok((evidence, head, note))
}
