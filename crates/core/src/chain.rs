//! Words for a chain, its blocks and its data sources.

use alloy_primitives::B256;
use serde::{Deserialize, Serialize};

/// The largest integer that every JSON reader holds exactly (RFC 8785): 2^53 - 1. Larger values from outside are refused.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// EIP-155 chain id; printed in CAIP-2 form (`eip155:1`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainId(pub u64);

impl std::fmt::Display for ChainId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "eip155:{}", self.0)
    }
}

/// Position of a data source in the chain's configured list of sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SourceId(pub u16);

/// Milliseconds since the Unix epoch, as told by the shell with each input. The core has no clock of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub u64);

impl Millis {
    /// The latest representable time, 2^53 - 1, so that every time is exact in JSON (RFC 8785); adding to it saturates.
    pub const MAX: Self = Self(INTEGER_MAX);

    /// This time plus `span_ms`, saturating: a deadline past the end of time never fires.
    #[must_use]
    pub fn plus(self, span_ms: u64) -> Self {
        Self(self.0.saturating_add(span_ms).min(INTEGER_MAX))
    }
}

/// One block by number and hash, with what is needed to link it to its parent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// Height.
    pub number: u64,
    /// Header hash.
    pub hash: B256,
    /// Hash of the parent header.
    pub parent: B256,
    /// Seconds since the Unix epoch, from the header.
    pub timestamp: u64,
}

/// How settled the block is that a fact or signal came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finality {
    /// Not in a block; may never be.
    Pending,
    /// In the agreed head block; may be reorganised away.
    Head,
    /// In a block that the chain calls safe.
    Safe,
    /// In a finalised block.
    Final,
}

/// Where something happened: block, and transaction when it was one transaction's doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Position {
    /// The chain.
    pub chain: ChainId,
    /// Height of the block, or of the head that a pending transaction was run on.
    pub block_number: u64,
    /// Hash of that block.
    pub block_hash: B256,
    /// The transaction's hash; `None` for what belongs to the block as a whole.
    pub tx: Option<B256>,
    /// The transaction's index in its block, 0 when pending or not a transaction's.
    pub tx_index: u32,
    /// How settled it is.
    pub finality: Finality,
}
