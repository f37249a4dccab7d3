//! Facts: what one executed transaction did, with no opinion about it.
//!
//! The EVM crate produces them, the detect crate reads them, and the few that touch an open incident reach the guardian.

use crate::chain::Position;
use alloy_primitives::{Address, B256, Bytes, I256, U256};
use serde::{Deserialize, Serialize};

/// How a frame was entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallKind {
    /// `CALL`, or the transaction itself.
    Call,
    /// `CALLCODE`.
    CallCode,
    /// `DELEGATECALL`.
    DelegateCall,
    /// `STATICCALL`.
    StaticCall,
    /// `CREATE`, or a creation transaction.
    Create,
    /// `CREATE2`.
    Create2,
    /// `SELFDESTRUCT`; `target` is the beneficiary.
    SelfDestruct,
}

/// One frame of a transaction's call tree, in order of entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallFact {
    /// Index of the calling frame in [`TxFacts::calls`]; `None` for the transaction's own frame.
    pub parent: Option<u32>,
    /// 0 for the transaction's own frame.
    pub depth: u16,
    /// How the frame was entered.
    pub kind: CallKind,
    /// Caller as the callee sees it (`msg.sender`), except in a delegate call, where it is the account that delegates.
    pub caller: Address,
    /// Account whose storage and balance the frame works on: the account called, in a delegate call and `CALLCODE` the caller itself, for
    /// creations the created address, also when the creation failed (zero when it failed before it had one).
    pub target: Address,
    /// Account whose code was asked for; an EIP-7702 delegation is not followed here.
    pub code_address: Address,
    /// `msg.value` in wei: what was sent, and in a delegate call, which sends nothing, what its caller was sent. What really moved stands in
    /// [`TxFacts::moves`].
    pub value: U256,
    /// Gas handed to the frame. The transaction's own frame gets its limit less the intrinsic gas.
    pub gas_limit: u64,
    /// Gas spent by the frame, before refunds; all of it after an exceptional halt, none when the call was refused before it began.
    pub gas_used: u64,
    /// Calldata, or init code.
    pub input: Bytes,
    /// Return data, revert data, or deployed code; empty after an exceptional halt.
    pub output: Bytes,
    /// Why the frame ended.
    pub end: CallEnd,
}

impl CallFact {
    /// The first four bytes of the calldata, for frames that are calls.
    #[must_use]
    pub fn selector(&self) -> Option<[u8; 4]> {
        match self.kind {
            CallKind::Call | CallKind::CallCode | CallKind::DelegateCall | CallKind::StaticCall => {
                self.input.get(..4).and_then(|s| s.try_into().ok())
            }
            CallKind::Create | CallKind::Create2 | CallKind::SelfDestruct => None,
        }
    }
}

/// Why a frame ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CallEnd {
    /// Returned, stopped or destroyed itself: its effects stand unless a parent undid them.
    Success,
    /// `REVERT`.
    Revert,
    /// Exceptional halt, or a call refused before it began (no funds, too deep); the interpreter's own word for it.
    Halt(String),
}

/// One log of a transaction. Logs of reverted frames are not facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogFact {
    /// Emitting account.
    pub emitter: Address,
    /// 0 to 4 topics.
    pub topics: Vec<B256>,
    /// Unindexed data.
    pub data: Bytes,
}

/// What a state change changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StateKey {
    /// Balance in wei.
    Balance,
    /// Nonce.
    Nonce,
    /// keccak-256 of the code, as a number.
    CodeHash,
    /// A storage slot.
    Slot(U256),
}

/// One value that differs after the transaction from before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WriteFact {
    /// Account.
    pub account: Address,
    /// What changed.
    pub key: StateKey,
    /// Value before the transaction.
    pub before: U256,
    /// Value after it.
    pub after: U256,
}

/// One account or slot whose value the execution consulted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReadKey {
    /// Account.
    pub account: Address,
    /// The slot, or `None` for balance, nonce and code.
    pub slot: Option<U256>,
}

/// What moved a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MoveKind {
    /// ERC-20 `Transfer` between two accounts.
    Transfer,
    /// `Transfer` from the zero address.
    Mint,
    /// `Transfer` to the zero address.
    Burn,
    /// Wei by call value, creation or self-destruct.
    Native,
}

/// A token or wei movement that stands after the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenMove {
    /// Token contract; `None` for wei.
    pub token: Option<Address>,
    /// Payer.
    pub from: Address,
    /// Payee.
    pub to: Address,
    /// Raw amount, in the token's smallest unit.
    pub amount: U256,
    /// What moved it.
    pub kind: MoveKind,
}

/// Everything that execution tells about one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TxFacts {
    /// Where it happened.
    pub at: Position,
    /// Sender.
    pub from: Address,
    /// Callee; `None` for a creation.
    pub to: Option<Address>,
    /// Wei sent.
    pub value: U256,
    /// The sender's nonce that it used.
    pub nonce: u64,
    /// Whether it succeeded.
    pub success: bool,
    /// Gas used after refunds, as in the receipt.
    pub gas_used: u64,
    /// Call tree in order of entry.
    pub calls: Vec<CallFact>,
    /// Logs in order.
    pub logs: Vec<LogFact>,
    /// State changes, sorted by account and key.
    pub writes: Vec<WriteFact>,
    /// Read-set, sorted.
    pub reads: Vec<ReadKey>,
    /// Token and native moves in order.
    pub moves: Vec<TokenMove>,
}

/// A fact that reaches the guardian because it may touch an open incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// Where it happened.
    pub at: Position,
    /// What happened.
    pub kind: FactKind,
}

/// The kinds of fact that the guardian itself reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "fact")]
pub enum FactKind {
    /// A token moved out of or into a protected account. `usd_e8` is its value at pre-transaction prices when known, signed from the protected account's side (outflow negative).
    Flow {
        /// The protected account.
        account: Address,
        /// The movement.
        moved: TokenMove,
        /// Value in 1e-8 USD; `None` when no price is configured.
        usd_e8: Option<I256>,
    },
    /// A log of a watched contract.
    Log {
        /// Emitting account.
        emitter: Address,
        /// First topic, zero when there is none.
        topic0: B256,
    },
    /// The episode that a trip of the target would open or join now, as its contract counts.
    /// Targets that tell none are counted by the guardian itself, from 1.
    Episode {
        /// The target.
        target: Address,
        /// The scope that it counts for; zero for a contract without scopes.
        scope: B256,
        /// `keyEpisode` of the next trip.
        episode: u64,
        /// Guardian trips landed in it.
        trip_count: u64,
        /// Releases by the council so far; 0 where there are none.
        epoch: u64,
    },
    /// The protected system's mode on chain as read after the block.
    Mode {
        /// The target.
        target: Address,
        /// Its mode.
        mode: crate::incident::Mode,
    },
}
