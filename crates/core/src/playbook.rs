//! What the guardian is allowed to do about a broken rule: the compiled form of `[[rules]]` and `[[playbooks]]`.
//!
//! The policy crate builds these from text; the core only follows them.

use crate::chain::ChainId;
use crate::signal::RuleId;
use crate::trip::TripMode;
use alloy_primitives::{Address, B256, Bytes, U256};
use serde::{Deserialize, Serialize};

/// Severity, P1 is the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Insolvency or certain loss: contain.
    P1,
    /// Freeze.
    P2,
    /// Tighten.
    P3,
    /// Record.
    P4,
    /// Log.
    P5,
}

/// The ladder of a rule's effective authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleMode {
    /// Not evaluated.
    Off,
    /// Evaluated and journaled.
    Shadow,
    /// Notifies.
    Alert,
    /// Runs its playbook.
    Armed,
}

/// How many false alarms a rule may raise in a period before it loses authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    /// False alarms allowed.
    pub false_alarms: u32,
    /// Period, ms (at least one day).
    pub per_ms: u64,
    /// What happens when it is spent.
    pub on_exhausted: OnExhausted,
}

/// What an exhausted budget does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnExhausted {
    /// One step down the ladder.
    Demote,
    /// `auto` becomes a human approval.
    Propose,
    /// Only page.
    Page,
}

/// What an `Unknown` verdict of a rule does. Neither can halt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnUnknown {
    /// A P2 "rule blind" notice.
    Alert,
    /// The same, and the incident mode WATCH.
    Watch,
}

/// A rule as the core sees it: authority and consequences, not its text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSpec {
    /// Id.
    pub id: RuleId,
    /// Rule hash.
    pub hash: B256,
    /// One line for people.
    pub title: String,
    /// Cause family: the letters of the id (`LEND`). Signals of one family and asset merge into one incident.
    pub family: String,
    /// What the rule protects; part of the cause.
    pub target: Address,
    /// Chain it is evaluated on.
    pub chain: ChainId,
    /// Severity.
    pub severity: Severity,
    /// Configured mode; the effective mode is the lower of this and what the rule has earned.
    pub mode: RuleMode,
    /// Hard rules (H) mean insolvency by definition and are exempt from budget demotion when certified.
    pub hard: bool,
    /// Effect of `Unknown`.
    pub on_unknown: OnUnknown,
    /// Consecutive violated blocks before it fires; 0 or 1 means at once.
    pub for_blocks: u32,
    /// Keeps firing this long after the last violation, ms.
    pub keep_firing_ms: u64,
    /// Playbook id.
    pub playbook: Option<String>,
    /// False-alarm budget.
    pub budget: Option<Budget>,
}

/// An ordered response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Playbook {
    /// Id.
    pub id: String,
    /// 1 to 16 steps, in order.
    pub steps: Vec<Step>,
}

/// One step of a playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Id within the playbook.
    pub id: String,
    /// What it does.
    pub effect: Effect,
    /// Who must agree first.
    pub approve: Approve,
    /// How long to wait for approvals, ms.
    pub timeout_ms: u64,
    /// What a time-out does.
    pub on_timeout: OnTimeout,
    /// Veto window that starts when the approvals are complete, ms; 0 for none.
    pub veto_ms: u64,
    /// Hidden rule that must read `Holds` before the step starts.
    pub when: Option<RuleId>,
    /// Hidden rule that must read `Holds` after the step's transaction.
    pub verify: Option<RuleId>,
    /// Blocks that the effect may take to be verified.
    pub within_blocks: u32,
    /// Fee bumps allowed.
    pub bumps_max: u32,
    /// How long the restriction lasts on chain, ms; `None` for steps that are not restrictions.
    pub expires_ms: Option<u64>,
    /// Index of the step taken when this one fails; `None` ends the playbook with an escalation.
    pub or_else: Option<usize>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "effect")]
pub enum Effect {
    /// A direct call that tightens, by a key with a role.
    Call {
        /// Chain.
        chain: ChainId,
        /// Contract.
        target: Address,
        /// Full calldata.
        calldata: Bytes,
        /// Name of the signer.
        via: String,
    },
    /// A signed trip of a `FailSafeController`'s scope: tightens it for the step's `expires`, and no more than its contracts allow.
    Trip {
        /// Chain.
        chain: ChainId,
        /// The controller.
        controller: Address,
        /// Scope of the controller.
        scope: B256,
        /// Mode asked for.
        to: TripMode,
        /// Classes to close, bit n = class n.
        mask: u32,
        /// Name of the signer: it signs the intent and relays it.
        via: String,
    },
    /// A proposal to a Safe: loosens or does what the guardian may not.
    Propose {
        /// Chain.
        chain: ChainId,
        /// Contract.
        target: Address,
        /// Full calldata.
        calldata: Bytes,
        /// Name of the signer.
        via: String,
    },
    /// Only tells people.
    Notify {
        /// Text.
        text: String,
    },
    /// Staged reinstatement; each stage waits for its dwell and for its gates to read `Holds`.
    Restore {
        /// Stages in order.
        stages: Vec<Stage>,
    },
}

impl Effect {
    /// Contract and signer of an effect that is a transaction.
    #[must_use]
    pub fn transaction(&self) -> Option<(ChainId, Address, &str)> {
        match self {
            Self::Call { chain, target, via, .. } | Self::Propose { chain, target, via, .. } => {
                Some((*chain, *target, via))
            }
            Self::Trip { chain, controller, via, .. } => Some((*chain, *controller, via)),
            Self::Notify { .. } | Self::Restore { .. } => None,
        }
    }

    /// Whether the effect can only make the protected system tighter, so that a time-out or a fault may choose it.
    #[must_use]
    pub fn tightens(&self) -> bool {
        match self {
            Self::Call { .. } | Self::Trip { .. } | Self::Notify { .. } => true,
            Self::Propose { .. } | Self::Restore { .. } => false,
        }
    }
}

/// One stage of a staged reinstatement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Name, for example `repay`.
    pub name: String,
    /// Least time in the stage before the next, ms.
    pub dwell_ms: u64,
    /// Rules that must read `Holds` to enter the stage. `Unknown` stops it.
    pub gates: Vec<RuleId>,
}

/// Who must agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "approve")]
pub enum Approve {
    /// Nobody.
    Auto,
    /// Nobody, unless somebody objects within the window, ms.
    Veto {
        /// Window.
        window_ms: u64,
    },
    /// `need` different people out of `people`.
    People {
        /// How many.
        need: u32,
        /// Their names.
        people: Vec<String>,
    },
    /// The owners' Safe decides; the guardian only proposes.
    Safe,
}

/// What a time-out of approvals does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnTimeout {
    /// Takes `or_else`.
    Next,
    /// Runs the step; only for steps that tighten.
    Auto,
    /// Ends the playbook and escalates.
    Abort,
}

/// Per-chain agreement rules.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainSpec {
    /// Chain.
    pub chain: ChainId,
    /// Number of configured sources, 1 to 16.
    pub sources: u16,
    /// Sources that must agree on a hash.
    pub quorum: u16,
    /// After this long without an agreed block all rules read `Unknown{stale}`, ms.
    pub stale_after_ms: u64,
}

/// The guardian's fees and its own limits per chain and signer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignerSpec {
    /// Name in the policy.
    pub name: String,
    /// Chain.
    pub chain: ChainId,
    /// Sending account.
    pub account: Address,
    /// Gas limit of one action.
    pub gas_limit: u64,
    /// First priority fee, wei per gas.
    pub priority_fee_wei: U256,
    /// Ceiling of the fee per gas, wei; bumps stop there and page.
    pub fee_wei_max: U256,
    /// Actions allowed per 24 h; the next one is refused and paged.
    pub actions_per_day_max: u32,
}

/// Everything the core needs to know of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Project id.
    pub project: String,
    /// keccak-256 over all rule hashes, playbooks and bounds.
    pub policy_hash: B256,
    /// Chains.
    pub chains: Vec<ChainSpec>,
    /// Rules, hidden ones of steps not included.
    pub rules: Vec<RuleSpec>,
    /// Playbooks.
    pub playbooks: Vec<Playbook>,
    /// Signers.
    pub signers: Vec<SignerSpec>,
    /// Names of the people on call: one of them must approve what a rule with a spent budget may no longer do by itself.
    pub oncall: Vec<String>,
}
