//! A block environment that remembers whether it was read, so that a view's read-set can say so.

use revm::context::{Block, BlockEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::primitives::{Address, B256, U256};
use std::cell::Cell;

/// [`BlockEnv`] with a mark that any read of a time-like or miner-chosen field sets.
#[derive(Debug, Clone, Default)]
pub(crate) struct TrackedBlock {
    pub(crate) env: BlockEnv,
    read: Cell<bool>,
}

impl TrackedBlock {
    pub(crate) fn new(env: BlockEnv) -> Self {
        Self { env, read: Cell::new(false) }
    }

    /// Whether a field was read since the last call; clears the mark.
    pub(crate) fn take_read(&self) -> bool {
        self.read.replace(false)
    }

    fn mark<T>(&self, value: T) -> T {
        self.read.set(true);
        value
    }
}

impl Block for TrackedBlock {
    fn number(&self) -> U256 {
        self.mark(self.env.number)
    }

    fn beneficiary(&self) -> Address {
        self.mark(self.env.beneficiary)
    }

    fn timestamp(&self) -> U256 {
        self.mark(self.env.timestamp)
    }

    fn gas_limit(&self) -> u64 {
        self.mark(self.env.gas_limit)
    }

    fn basefee(&self) -> u64 {
        self.mark(self.env.basefee)
    }

    fn difficulty(&self) -> U256 {
        self.mark(self.env.difficulty)
    }

    fn prevrandao(&self) -> Option<B256> {
        self.mark(self.env.prevrandao)
    }

    fn blob_excess_gas_and_price(&self) -> Option<BlobExcessGasAndPrice> {
        self.mark(self.env.blob_excess_gas_and_price)
    }

    fn slot_num(&self) -> u64 {
        self.mark(self.env.slot_num)
    }
}
