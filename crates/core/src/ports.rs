//! The traits through which the pure crates reach what they must not know: state, views, the journal, the network.

use alloy_primitives::{Address, B256, Bytes, U256};

/// One account as a state source knows it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccountState {
    /// Balance, wei.
    pub balance: U256,
    /// Nonce.
    pub nonce: u64,
    /// keccak-256 of the code; the hash of the empty string for accounts without code.
    pub code_hash: B256,
}

/// A key that a state source does not hold. It is an error, never a zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum MissingState {
    /// Account unknown.
    #[error("account {0} is not in the state view")]
    Account(Address),
    /// Slot unknown.
    #[error("slot {1:#x} of {0} is not in the state view")]
    Slot(Address, U256),
    /// Code unknown.
    #[error("code {0} is not in the state view")]
    Code(B256),
    /// Block hash unknown.
    #[error("hash of block {0} is not in the state view")]
    BlockHash(u64),
}

/// State at one block. `Ok(None)` means "proven absent", an error means "not known".
pub trait StateSource {
    /// The account, or `None` when it is known not to exist.
    ///
    /// # Errors
    /// [`MissingState::Account`] when it is not known.
    fn account(&self, address: Address) -> Result<Option<AccountState>, MissingState>;

    /// A storage slot.
    ///
    /// # Errors
    /// [`MissingState::Slot`] when it is not known.
    fn storage(&self, address: Address, slot: U256) -> Result<U256, MissingState>;

    /// Code by hash.
    ///
    /// # Errors
    /// [`MissingState::Code`] when it is not known.
    fn code(&self, hash: B256) -> Result<Bytes, MissingState>;

    /// Hash of a recent block.
    ///
    /// # Errors
    /// [`MissingState::BlockHash`] when it is not known.
    fn block_hash(&self, number: u64) -> Result<B256, MissingState>;

    /// Whether `Ok(None)` of [`Self::account`] can be relied on for this account. A recording lists only what its own execution found: that
    /// execution may take what is not listed as absent, but nobody else may.
    fn can_tell(&self, address: Address) -> bool {
        let _ = address;
        true
    }
}

impl<S: StateSource + ?Sized> StateSource for &S {
    fn account(&self, address: Address) -> Result<Option<AccountState>, MissingState> {
        (**self).account(address)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, MissingState> {
        (**self).storage(address, slot)
    }

    fn code(&self, hash: B256) -> Result<Bytes, MissingState> {
        (**self).code(hash)
    }

    fn block_hash(&self, number: u64) -> Result<B256, MissingState> {
        (**self).block_hash(number)
    }

    fn can_tell(&self, address: Address) -> bool {
        (**self).can_tell(address)
    }
}

impl<S: StateSource + ?Sized> StateSource for std::sync::Arc<S> {
    fn account(&self, address: Address) -> Result<Option<AccountState>, MissingState> {
        (**self).account(address)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, MissingState> {
        (**self).storage(address, slot)
    }

    fn code(&self, hash: B256) -> Result<Bytes, MissingState> {
        (**self).code(hash)
    }

    fn block_hash(&self, number: u64) -> Result<B256, MissingState> {
        (**self).block_hash(number)
    }

    fn can_tell(&self, address: Address) -> bool {
        (**self).can_tell(address)
    }
}

/// Where in a block a view is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Snapshot {
    /// Before the transaction (for a block rule: before the block).
    PreTx,
    /// After the transaction.
    PostTx,
    /// After the last transaction of the block.
    Block,
}

/// A read-only call.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ViewCall {
    /// Contract called. For a probe this is the probe's pseudo-address.
    pub target: Address,
    /// Runtime code to run at `target` instead of what the state holds: a Solidity probe.
    pub code: Option<Bytes>,
    /// Calldata.
    pub calldata: Bytes,
    /// Gas limit; running out is [`ViewError::Budget`].
    pub gas_limit: u64,
}

/// What a view read, so that it need not run again until one of these changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ReadSet {
    /// Accounts and slots, sorted and unique.
    pub keys: Vec<crate::fact::ReadKey>,
    /// Whether `TIMESTAMP` or `NUMBER` or another block field was read.
    pub block_fields: bool,
}

/// A view's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewOutput {
    /// Return data.
    pub output: Bytes,
    /// Read-set.
    pub reads: ReadSet,
}

/// Why a view has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ViewError {
    /// State missing.
    #[error(transparent)]
    Missing(#[from] MissingState),
    /// Reverted or halted, or nothing is deployed there.
    #[error("the call to {target} reverted")]
    Reverted {
        /// Contract.
        target: Address,
    },
    /// Out of gas.
    #[error("the call to {target} used more than {gas_limit} gas")]
    Budget {
        /// Contract.
        target: Address,
        /// Limit.
        gas_limit: u64,
    },
    /// No such snapshot here.
    #[error("no {0:?} snapshot at this point")]
    NoSnapshot(Snapshot),
}

/// Read-only calls on the snapshots of one position. Implemented by the EVM crate, and by recorded series in tests of rules.
pub trait Views {
    /// Runs a view.
    ///
    /// # Errors
    /// [`ViewError`]; none of them may be read as an answer.
    fn view(&mut self, at: Snapshot, call: &ViewCall) -> Result<ViewOutput, ViewError>;

    /// Reads a raw slot.
    ///
    /// # Errors
    /// [`ViewError::Missing`] or [`ViewError::NoSnapshot`].
    fn slot(&mut self, at: Snapshot, account: Address, slot: U256) -> Result<U256, ViewError>;
}

/// A row that must reach somebody outside, stored in the same transaction as the entries that caused it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Idempotency key: a second row with the same key replaces nothing and is dropped.
    pub key: B256,
    /// `submit`, `notify`, `ask` or `cancel`.
    pub kind: String,
    /// Canonical JSON of the effect.
    pub payload: Vec<u8>,
}

/// What one engine step writes, all or nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Journal entries in order: canonical JSON (RFC 8785), at most 65,535 bytes each.
    pub entries: Vec<Vec<u8>>,
    /// Rows for the outbox.
    pub outbox: Vec<OutboxRow>,
    /// New value of the ingestion cursor, if it moved: opaque to the journal.
    pub cursor: Option<Vec<u8>>,
}

/// What a commit made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Index of the first entry of the batch.
    pub first: u64,
    /// Entries in the journal now.
    pub size: u64,
}

/// Why a journal could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// A flush failed, now or before. What was asked did not happen and nothing more will: the process must stop.
    #[error("the journal is poisoned: {0}")]
    Poisoned(String),
    /// The entry is larger than the log format allows.
    #[error("entry {index} of the batch has {bytes} bytes, the limit is 65535")]
    TooLarge {
        /// Index within the batch.
        index: usize,
        /// Its size.
        bytes: usize,
    },
    /// The journal's content is not what its own log says.
    #[error("entry {index} is corrupt: {why}")]
    Corrupt {
        /// First bad entry.
        index: u64,
        /// What is wrong with it.
        why: String,
    },
    /// The entry is not canonical JSON, so no audit of the log could ever pass. Nothing was written.
    #[error("entry {index} of the batch is not canonical JSON: {why}")]
    NotCanonical {
        /// Index within the batch.
        index: usize,
        /// The first deviation.
        why: String,
    },
    /// No outbox row has this key.
    #[error("no outbox row has the key {0}")]
    UnknownKey(B256),
}

/// An append-only journal. A commit that returns `Ok` is on disk.
pub trait Journal {
    /// Writes the batch and flushes it.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`] after any failed flush, for ever; [`JournalError::TooLarge`] without having written anything.
    fn commit(&mut self, batch: &Batch) -> Result<Committed, JournalError>;

    /// Number of entries.
    fn size(&self) -> u64;

    /// Entries from `from`, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError::Corrupt`] or [`JournalError::Poisoned`].
    fn read(&self, from: u64, limit: usize) -> Result<Vec<Vec<u8>>, JournalError>;

    /// The cursor of the last commit that set one.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`].
    fn cursor(&self) -> Result<Option<Vec<u8>>, JournalError>;

    /// Outbox rows not yet marked delivered, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`].
    fn pending(&self, limit: usize) -> Result<Vec<OutboxRow>, JournalError>;

    /// Marks an outbox row delivered.
    ///
    /// # Errors
    /// [`JournalError::Poisoned`].
    fn delivered(&mut self, key: B256) -> Result<(), JournalError>;
}

/// Hands signed transactions to a chain. Delivery is not inclusion: the receipt says what came of it.
pub trait Submitter {
    /// Signs and sends one attempt.
    ///
    /// # Errors
    /// One line for people when nobody took it.
    fn submit(&mut self, submission: &crate::io::Submission) -> Result<B256, String>;
}
