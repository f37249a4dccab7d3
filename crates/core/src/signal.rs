//! Signals: what a rule says about facts.

use crate::chain::Position;
use alloy_primitives::{B256, U256};
use serde::{Deserialize, Serialize};

/// A rule's id as written in the policy, for example `LEND-001`; hidden rules of playbook steps are `playbook.step.when` and `playbook.step.verify`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub String);

impl std::fmt::Display for RuleId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a verdict is not known. None of these is ever read as `Holds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownWhy {
    /// A state key is absent from the local view.
    MissingState,
    /// The newest agreed block is too old.
    Stale,
    /// Sources answered differently.
    SourcesDisagree,
    /// A view or probe reverted or returned the wrong length.
    Reverted,
    /// Gas, steps or list bound exceeded.
    Budget,
    /// Dropped under overload.
    Shed,
    /// Arithmetic overflow or a zero denominator.
    Overflow,
    /// A caught panic; the rule is quarantined.
    Fault,
    /// A window or reference set is too short.
    Unwarmed,
    /// The block that it was read from has been dropped.
    Reorg,
}

/// One named value that a verdict rests on, already rendered with its unit (the core never computes with it).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// Signal name, with its snapshot when that matters (`price@pre-tx`).
    pub name: String,
    /// Value with unit, or `unknown: <why>`.
    pub value: String,
}

/// A rule's verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Verdict {
    /// The invariant holds.
    Holds,
    /// The invariant is broken; the values that show it.
    Violated {
        /// At most [`EVIDENCE_MAX`] values; more are cut by the evaluator.
        evidence: Vec<Evidence>,
    },
    /// It cannot be told.
    Unknown {
        /// Why not.
        why: UnknownWhy,
    },
}

/// Most values kept with one violation; the evaluator keeps the first ones in order of the rule text.
pub const EVIDENCE_MAX: usize = 16;

/// A verdict about one position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signal {
    /// The rule.
    pub rule: RuleId,
    /// keccak-256 of the rule's canonical form.
    pub rule_hash: B256,
    /// Where it was evaluated.
    pub at: Position,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Simulated or measured loss so far, 1e-8 USD, when the policy lets it be priced.
    pub loss_usd_e8: Option<U256>,
}
