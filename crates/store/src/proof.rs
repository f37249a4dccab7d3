//! Short proofs: that an entry is in the log, and that an older log is the beginning of a newer one.

use crate::merkle::{Hash, HashReader};
use tlog_tiles::tlog::{self, EMPTY_HASH, Error};

/// That entry `index` is in the tree of `size` entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Inclusion {
    /// Entry.
    pub index: u64,
    /// Tree.
    pub size: u64,
    /// Audit path of RFC 6962, leaf to root.
    pub path: Vec<Hash>,
}

impl Inclusion {
    /// Builds from stored hashes.
    ///
    /// # Errors
    /// When `index` is not below `size`, or the reader fails.
    pub fn build<R: HashReader>(index: u64, size: u64, reader: &R) -> Result<Self, Error> {
        Ok(Self { index, size, path: tlog::prove_record(size, index, reader)? })
    }

    /// Checks against the entry's bytes and a root that the caller trusts.
    ///
    /// # Errors
    /// When the proof does not hold.
    pub fn check(&self, entry: &[u8], root: Hash) -> Result<(), Error> {
        tlog::check_record(&self.path, self.size, root, self.index, tlog::record_hash(entry))
    }
}

/// That the tree of `old` entries is the beginning of the tree of `new` entries.
#[derive(Debug, Clone, PartialEq)]
pub struct Consistency {
    /// Smaller tree.
    pub old: u64,
    /// Larger tree.
    pub new: u64,
    /// Proof of RFC 6962.
    pub path: Vec<Hash>,
}

impl Consistency {
    /// Builds from stored hashes. The empty tree is the beginning of every tree and needs no proof.
    ///
    /// # Errors
    /// When `old` is above `new`, or the reader fails.
    pub fn build<R: HashReader>(old: u64, new: u64, reader: &R) -> Result<Self, Error> {
        let path = if old == 0 { Vec::new() } else { tlog::prove_tree(new, old, reader)? };
        Ok(Self { old, new, path })
    }

    /// Checks against two roots.
    ///
    /// # Errors
    /// When the proof does not hold.
    pub fn check(&self, old_root: Hash, new_root: Hash) -> Result<(), Error> {
        if self.old == 0 {
            let holds = self.path.is_empty() && old_root == EMPTY_HASH;
            return if holds { Ok(()) } else { Err(Error::InvalidProof) };
        }
        tlog::check_tree(&self.path, self.new, new_root, self.old, old_root)
    }
}
