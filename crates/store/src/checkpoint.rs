//! Checkpoints: the size and root of the tree as a C2SP signed note.

use crate::key::{LogKey, VerifierKey};
use crate::merkle::Hash;
use signed_note::{Note, Signature, Verifier as _, VerifierList};

/// Size and root of a log at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The log's name.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

/// Why a checkpoint is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not a note, or not a checkpoint inside one.
    #[error("not a signed checkpoint")]
    Malformed,
    /// The name is not the key's.
    #[error("the checkpoint is of log {found:?}, the key of {expected:?}")]
    Origin {
        /// Origin in the note.
        found: String,
        /// Origin of the key.
        expected: String,
    },
    /// No valid signature of the key.
    #[error("the signature is not by {0}")]
    Signature(String),
}

impl Checkpoint {
    /// The signed text: origin, size, base64 root, one a line.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root)
    }

    /// Signs. `None` only when the origin cannot stand in a note, which opening a log has checked.
    #[must_use]
    pub fn sign(&self, key: &LogKey) -> Option<Vec<u8>> {
        let text = self.text();
        let id = key.verifier(&self.origin).key_id();
        let signature = Signature::new(self.origin.clone(), id, key.sign(text.as_bytes()).to_vec()).ok()?;
        Some(Note::new(text.as_bytes(), &[signature]).ok()?.to_bytes())
    }

    /// Parses a note and checks the log's signature. Signatures of others (witnesses) may stand beside it.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(note: &[u8], key: &VerifierKey) -> Result<Self, CheckpointError> {
        let parsed = Note::from_bytes(note).map_err(|_| CheckpointError::Malformed)?;
        let tree = tlog_tiles::Checkpoint::from_bytes(parsed.text()).map_err(|_| CheckpointError::Malformed)?;
        let checkpoint = Self { origin: tree.origin().to_owned(), size: tree.size(), root: *tree.hash() };
        // One spelling only: no extension lines, no second form of the same bytes.
        if checkpoint.text().as_bytes() != parsed.text() || parsed.to_bytes() != note {
            return Err(CheckpointError::Malformed);
        }
        if checkpoint.origin != key.origin() {
            let (found, expected) = (checkpoint.origin, key.origin().to_owned());
            return Err(CheckpointError::Origin { found, expected });
        }
        let known = VerifierList::new(vec![Box::new(key.clone())]);
        parsed.verify(&known).map_err(|_| CheckpointError::Signature(key.to_string()))?;
        Ok(checkpoint)
    }
}
