//! What passes between the engine and its shell.

use alloy_primitives::B256;
use ripcord_core::chain::{BlockRef, ChainId, SourceId};
use ripcord_core::io::{Ask, Human, Notice, Receipt, Submission};
use ripcord_evm::{Block, Tx};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something that the shell has seen.
#[derive(Debug, Clone)]
pub enum Observation {
    /// A source announces its head.
    Head {
        /// Chain.
        chain: ChainId,
        /// Source.
        source: SourceId,
        /// Its head.
        block: BlockRef,
    },
    /// The body of a block, checked by the shell against its hash.
    Body {
        /// The block.
        block: Arc<Block>,
    },
    /// A transaction that waits in the public mempool.
    Pending {
        /// Chain.
        chain: ChainId,
        /// Transaction.
        tx: Box<Tx>,
    },
    /// A source failed, lagged or answered garbage.
    SourceFault {
        /// Chain.
        chain: ChainId,
        /// Source.
        source: SourceId,
        /// One line.
        why: String,
    },
    /// A person's word, already authenticated.
    Human(Human),
    /// What the submitter said about one attempt.
    Submitted {
        /// The action.
        action_key: B256,
        /// The attempt.
        attempt: u32,
        /// Transaction hash, or the refusal.
        result: Result<B256, String>,
    },
    /// The answer to [`Effect::Find`]: where a transaction of the action went.
    Found(Receipt),
    /// The answer to [`Effect::Find`]: no block that the shell's sources know holds one.
    Absent {
        /// The action.
        action_key: B256,
    },
    /// Time passed.
    Tick,
}

/// Something that the shell must do. Its intent is on disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "effect")]
pub enum Effect {
    /// Sign and broadcast, then answer with [`Observation::Submitted`].
    Submit(Submission),
    /// Deliver to people.
    Notify(Notice),
    /// Put to people.
    Ask(Ask),
    /// Withdraw a question.
    Cancel {
        /// Its digest.
        digest: B256,
    },
    /// Fetch this block's header and body, then announce both.
    Fetch {
        /// Chain.
        chain: ChainId,
        /// Block.
        hash: B256,
    },
    /// Look for a transaction of this action in the chain, by hash, or by sender, nonce and content; answer with [`Observation::Found`] or
    /// [`Observation::Absent`].
    Find {
        /// The newest attempt.
        submission: Submission,
        /// Hashes of its attempts, as far as they are known.
        hashes: Vec<B256>,
    },
    /// Give the engine a fresh state at this block with [`crate::Engine::resync`].
    Resync {
        /// Chain.
        chain: ChainId,
        /// Block whose state is wanted.
        at: BlockRef,
    },
}

impl Effect {
    /// Whether the effect leaves the process and therefore stands in the outbox until it is delivered.
    pub(crate) fn outbox_kind(&self) -> Option<&'static str> {
        match self {
            Self::Submit(_) => Some("submit"),
            Self::Notify(_) => Some("notify"),
            Self::Ask(_) => Some("ask"),
            Self::Cancel { .. } => Some("cancel"),
            Self::Fetch { .. } | Self::Resync { .. } | Self::Find { .. } => None,
        }
    }
}
