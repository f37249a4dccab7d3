//! What goes into execution: a header's environment and transactions, in plain words.

use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::{Address, B256, Bytes, U256};
use ripcord_core::chain::{BlockRef, ChainId};

/// The fields of a header that execution reads, and those that its result is checked against.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Header {
    /// Height.
    pub number: u64,
    /// Header hash.
    pub hash: B256,
    /// Parent's hash.
    pub parent: B256,
    /// Seconds since the Unix epoch.
    pub timestamp: u64,
    /// Fee recipient.
    pub beneficiary: Address,
    /// Gas limit.
    pub gas_limit: u64,
    /// Base fee per gas, wei; 0 before London.
    pub base_fee: u64,
    /// Proof-of-work difficulty; 0 after the merge.
    pub difficulty: U256,
    /// `mixHash`: the randomness beacon after the merge.
    pub mix_hash: B256,
    /// Excess blob gas, from Cancun on.
    pub excess_blob_gas: Option<u64>,
    /// Parent beacon block root, from Cancun on (EIP-4788).
    pub parent_beacon_root: Option<B256>,
}

impl Header {
    /// Number, hash, parent and time of this header.
    #[must_use]
    pub fn block_ref(&self) -> BlockRef {
        BlockRef { number: self.number, hash: self.hash, parent: self.parent, timestamp: self.timestamp }
    }
}

/// A block to execute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Chain.
    pub chain: ChainId,
    /// Header.
    pub header: Header,
    /// Transactions in order.
    pub transactions: Vec<Tx>,
}

/// A transaction with its recovered sender.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tx {
    /// Hash.
    pub hash: B256,
    /// EIP-2718 type.
    pub kind: u8,
    /// Sender.
    pub from: Address,
    /// Callee; `None` creates a contract.
    pub to: Option<Address>,
    /// Wei.
    pub value: U256,
    /// Calldata or init code.
    pub input: Bytes,
    /// Nonce.
    pub nonce: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Gas price, or the fee ceiling per gas from EIP-1559 on, wei.
    pub max_fee: u128,
    /// Priority fee ceiling, wei; `None` for types 0 and 1.
    pub priority_fee: Option<u128>,
    /// Chain id, when the signature carries one.
    pub chain_id: Option<u64>,
    /// Addresses and slots paid for in advance.
    pub access_list: Vec<(Address, Vec<B256>)>,
    /// Blob hashes.
    pub blob_hashes: Vec<B256>,
    /// Blob fee ceiling per blob gas, wei.
    pub max_blob_fee: u128,
    /// EIP-7702 authorisations.
    pub authorizations: Vec<SignedAuthorization>,
}
