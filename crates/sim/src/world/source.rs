//! Data sources and their faults.

use alloy_primitives::keccak256;
use ripcord_core::chain::BlockRef;

/// How a source misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It tells the truth.
    None,
    /// It tells the truth of this many blocks ago.
    Lags(u64),
    /// It invents heads with hashes of its own.
    Lies,
    /// It says nothing.
    Silent,
    /// It says nothing and its connection reports errors.
    Fails,
}

/// A source of heads.
#[derive(Debug, Clone)]
pub struct Source {
    /// Milliseconds from block to announcement.
    pub latency_ms: u64,
    /// Its present fault.
    pub fault: Fault,
    lies: u64,
}

impl Source {
    /// A truthful source.
    #[must_use]
    pub fn new(latency_ms: u64) -> Self {
        Self { latency_ms, fault: Fault::None, lies: 0 }
    }

    /// What it announces when this is the true head.
    pub(super) fn tells(&mut self, head: BlockRef, canonical: impl Fn(u64) -> Option<BlockRef>) -> Option<BlockRef> {
        match self.fault {
            Fault::None => Some(head),
            Fault::Lags(by) => canonical(head.number.saturating_sub(by)),
            Fault::Lies => {
                self.lies += 1;
                let hash = keccak256([head.hash.0.as_slice(), &self.lies.to_be_bytes()].concat());
                Some(BlockRef { hash, ..head })
            }
            Fault::Silent | Fault::Fails => None,
        }
    }

    pub(super) fn complains(&self) -> bool {
        self.fault == Fault::Fails
    }

    /// Whether it answers when asked for a block.
    pub(super) fn answers(&self) -> bool {
        matches!(self.fault, Fault::None | Fault::Lags(_))
    }
}
