//! The guardian's inputs and outputs: all that passes between the pure machine and whoever drives it.

use crate::chain::{BlockRef, ChainId, Millis, SourceId};
use crate::fact::Fact;
use crate::incident::IncidentId;
use crate::playbook::Severity;
use crate::signal::{RuleId, Signal, UnknownWhy};
use crate::trip::TripIntent;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

/// What the engine tells the guardian. Inputs that change state are journaled; the others leave no trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "input")]
pub enum Input {
    /// Time passed; nothing else happened.
    Tick,
    /// A source announces its head.
    Head {
        /// Chain.
        chain: ChainId,
        /// Source.
        source: SourceId,
        /// Its head.
        block: BlockRef,
    },
    /// A source failed, lagged or answered garbage.
    SourceFault {
        /// Chain.
        chain: ChainId,
        /// Source.
        source: SourceId,
        /// What went wrong, one line.
        why: String,
    },
    /// A fact that may touch an open incident.
    Fact(Fact),
    /// A rule's verdict.
    Signal(Signal),
    /// All rules due for an adopted block have been evaluated.
    Evaluated {
        /// Chain.
        chain: ChainId,
        /// Block.
        block: B256,
    },
    /// The adopted block cannot be evaluated (state missing, execution fault): every rule of the chain reads `Unknown`.
    Blind {
        /// Chain.
        chain: ChainId,
        /// Block.
        block: B256,
        /// Why.
        why: UnknownWhy,
    },
    /// The answer to [`Output::DryRun`].
    DryRun {
        /// The action tried.
        action_key: B256,
        /// What came of it.
        outcome: DryRun,
    },
    /// A person's word.
    Human(Human),
    /// What a chain says about the guardian's own sending account, read at an agreed block.
    Account {
        /// Signer name.
        signer: String,
        /// Next nonce on chain.
        nonce: u64,
        /// Base fee of the next block, wei per gas.
        base_fee_wei: U256,
        /// Height at which it was read.
        block_number: u64,
    },
    /// The submitter took or refused a transaction.
    Submitted {
        /// The action.
        action_key: B256,
        /// The attempt, from 0.
        attempt: u32,
        /// Transaction hash, or why it was refused.
        result: Result<B256, String>,
    },
    /// A transaction of the guardian's was found in an adopted block.
    Receipt(Receipt),
    /// The answer to [`Output::Find`] when none of the attempts is in any block.
    Absent {
        /// The action.
        action_key: B256,
    },
    /// The process has just replayed its journal: what was under way is put out again, under the same keys.
    Restarted,
}

/// What trying an action on the current state showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "dry_run")]
pub enum DryRun {
    /// It would execute, and its `verify` rule (if any) would hold.
    Works {
        /// Gas used.
        gas_used: u64,
    },
    /// It would revert or not reach its post-condition.
    Fails {
        /// One line.
        why: String,
    },
    /// It could not be tried. Tightening steps go ahead; the notice says so.
    Unknown {
        /// Why not.
        why: UnknownWhy,
    },
}

/// A person's word. The shell has already checked who said it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "word")]
pub enum Human {
    /// Stops paging, not playbooks.
    Acknowledge {
        /// Incident.
        incident: IncidentId,
        /// Who.
        by: String,
    },
    /// Approves one step, by its digest.
    Approve {
        /// Incident.
        incident: IncidentId,
        /// Who.
        by: String,
        /// Digest of [`Ask`].
        digest: B256,
    },
    /// Objects to one step; beats approvals until execution.
    Veto {
        /// Incident.
        incident: IncidentId,
        /// Who.
        by: String,
        /// Digest of [`Ask`].
        digest: B256,
    },
    /// Says whether the alarm was true.
    Label {
        /// Incident.
        incident: IncidentId,
        /// Who.
        by: String,
        /// False alarms debit the rule's budget.
        true_alarm: bool,
    },
    /// Closes an incident that is contained and harmless.
    Resolve {
        /// Incident.
        incident: IncidentId,
        /// Who.
        by: String,
    },
}

/// What came of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The action.
    pub action_key: B256,
    /// Chain.
    pub chain: ChainId,
    /// Transaction.
    pub tx: B256,
    /// Block that holds it.
    pub block: B256,
    /// Its height.
    pub block_number: u64,
    /// Whether it succeeded.
    pub success: bool,
}

/// What the guardian tells the engine. Order matters: a [`Output::Journal`] must be durable before any later effect is carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "output")]
pub enum Output {
    /// Append this to the journal.
    Journal(Record),
    /// The sources agree on this block and it extends the adopted chain: execute and evaluate it.
    Adopt {
        /// Chain.
        chain: ChainId,
        /// Block.
        block: BlockRef,
    },
    /// This block is no longer on the adopted chain: undo its state, its facts and its signals. Newest first.
    Retract {
        /// Chain.
        chain: ChainId,
        /// Block.
        block: BlockRef,
    },
    /// The agreed head does not connect to the adopted chain: fetch these ancestors and announce them as heads.
    Missing {
        /// Chain.
        chain: ChainId,
        /// Hash wanted.
        hash: B256,
    },
    /// Try this on the current state and answer with [`Input::DryRun`].
    DryRun(Action),
    /// Ask people.
    AskApproval(Ask),
    /// Sign and broadcast. The intent behind it is in the journal already.
    Submit(Submission),
    /// The nonce of this attempt is used and its receipt has not come: look for any of the action's transactions, by hash, or by sender, nonce
    /// and content, and answer with [`Input::Receipt`] or [`Input::Absent`].
    Find {
        /// The newest attempt.
        submission: Submission,
        /// Hashes of its attempts, as far as the submitter told them.
        hashes: Vec<B256>,
    },
    /// Tell people.
    Notify(Notice),
    /// Nobody needs to answer this question any more.
    Cancel {
        /// Digest of the [`Ask`].
        digest: B256,
    },
}

/// One effect on a chain, by its idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// keccak-256(chain id, target, scope, episode, trip count, step hash). The same step is never sent under another key.
    pub key: B256,
    /// Incident it belongs to.
    pub incident: IncidentId,
    /// `playbook.step`.
    pub step: String,
    /// Chain.
    pub chain: ChainId,
    /// Contract.
    pub target: Address,
    /// Calldata; of a trip, without its signatures.
    pub calldata: Bytes,
    /// What the signer must sign before it is sent; `None` for a plain call.
    pub intent: Option<Box<TripIntent>>,
    /// Signer's name.
    pub via: String,
    /// Hidden rule that must hold afterwards.
    pub verify: Option<RuleId>,
}

impl Action {
    /// Whether a transaction's calldata carries this action out.
    #[must_use]
    pub fn is_in(&self, calldata: &[u8]) -> bool {
        match &self.intent {
            Some(intent) => intent.is_in(calldata),
            None => *self.calldata == *calldata,
        }
    }
}

/// One attempt to get an action onto its chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submission {
    /// The action.
    pub action: Action,
    /// From 0; attempts of one action share nonce and key and differ in fees.
    pub attempt: u32,
    /// Account nonce.
    pub nonce: u64,
    /// Gas limit.
    pub gas_limit: u64,
    /// Fee ceiling, wei per gas.
    pub max_fee_wei: U256,
    /// Priority fee, wei per gas.
    pub priority_fee_wei: U256,
}

/// A question to people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// keccak-256 of incident, step, calldata, rule hash and deadline.
    pub digest: B256,
    /// Incident.
    pub incident: IncidentId,
    /// `playbook.step`.
    pub step: String,
    /// People who may answer; empty means the owners' Safe.
    pub people: Vec<String>,
    /// Approvals needed; 0 means that only a veto matters.
    pub need: u32,
    /// When the question lapses.
    pub deadline: Millis,
    /// The effect in one sentence.
    pub sentence: String,
}

/// Something to tell people. One incident is one page, updated in place by its `dedup` key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// `{project}/{cause}/{incident}`, or `{project}/{topic}` for what is not an incident's.
    pub dedup: String,
    /// Severity.
    pub severity: Severity,
    /// One sentence.
    pub text: String,
    /// Rule hash behind it, zero when none.
    pub rule_hash: B256,
}

/// One journal entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Guardian time of the entry.
    pub at: Millis,
    /// Content.
    #[serde(flatten)]
    pub body: Body,
}

/// What an entry says. `Input` entries are causes; all others follow from them and are checked when the journal is replayed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "entry", content = "data")]
pub enum Body {
    /// First entry: what runs under what policy.
    Genesis {
        /// Project.
        project: String,
        /// Policy hash.
        policy_hash: B256,
    },
    /// An input that changed state.
    Input(Input),
    /// An incident changed.
    Incident(crate::incident::IncidentEvent),
    /// The intent to act, written before the effect.
    Intent(Submission),
    /// A question was put.
    Asked(Ask),
    /// A notice was issued.
    Notified(Notice),
    /// A rule gained or lost authority.
    Ladder {
        /// Rule.
        rule: RuleId,
        /// Its effective mode now.
        mode: crate::playbook::RuleMode,
        /// Why.
        why: String,
    },
    /// A rule in shadow mode began to be violated; nothing else follows from it.
    Shadow {
        /// Rule.
        rule: RuleId,
        /// Where.
        at: crate::chain::Position,
    },
    /// A block was adopted or dropped.
    Chain {
        /// Chain.
        chain: ChainId,
        /// Block.
        block: BlockRef,
        /// True when it was dropped.
        retracted: bool,
    },
}
