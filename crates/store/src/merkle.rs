//! The RFC 6962 tree over the entries, as far as appending needs it.
//!
//! Hashes are stored in the order of `tlog_tiles`: with entry n its leaf hash, then one hash for each subtree that it
//! completes, lowest first. A [`Frontier`] holds the roots of the complete subtrees only, at most 64 hashes.

use tlog_tiles::tlog::{EMPTY_HASH, node_hash, record_hash, sub_tree_index};
pub use tlog_tiles::tlog::{Hash, HashReader};

/// The right edge of a tree: enough to append and to compute the root.
#[derive(Debug, Clone, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, largest first: one for each one-bit of `size`.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Reads the edge of a stored tree.
    ///
    /// # Errors
    /// What the reader answers.
    pub fn load<R: HashReader>(size: u64, reader: &R) -> Result<Self, tlog_tiles::tlog::Error> {
        let peaks = if size == 0 { Vec::new() } else { reader.read_hashes(&sub_tree_index(0, size, Vec::new()))? };
        Ok(Self { size, peaks })
    }

    /// Number of entries.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends an entry and hands the new stored hashes to `store`, in their order.
    pub fn append(&mut self, entry: &[u8], mut store: impl FnMut(Hash)) {
        let mut hash = record_hash(entry);
        store(hash);
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(left, hash);
            store(hash);
        }
        self.peaks.push(hash);
        self.size = self.size.saturating_add(1);
    }

    /// Root of the tree; SHA-256 of nothing for the empty tree.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev().copied();
        let Some(smallest) = peaks.next() else { return EMPTY_HASH };
        peaks.fold(smallest, |right, left| node_hash(left, right))
    }
}
