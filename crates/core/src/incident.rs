//! Incident: the life of one cause.
//!
//! Owns what is known about a cause (signals, positions, losses, where it stands in its life). Must not know how a response
//! is carried out: it is told what a playbook's run achieved.

use crate::chain::{BlockRef, ChainId, Millis, Position};
use crate::playbook::Severity;
use crate::response::{Run, Trip};
use crate::signal::{RuleId, Signal};
use alloy_primitives::{Address, B256, I256, U256};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Signals of one cause within this span of the last one belong to the same incident.
pub const MERGE_MS: u64 = 30 * 60 * 1000;
/// Signals kept with an incident; the oldest after the first half are forgotten, their count stays.
pub const SIGNALS_KEPT: usize = 64;
/// Blocks whose signals and flows can still be taken back; older ones are settled for good.
pub const BLOCKS_KEPT: usize = 256;
/// An incident without a label counts as a false alarm after this time.
pub const UNLABELLED_MS: u64 = 7 * 24 * 60 * 60 * 1000;

/// The protected system's mode on chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Mode {
    /// Nothing restricted.
    Normal,
    /// Tighter limits.
    Watch,
    /// Staged reopening.
    Recovering,
    /// New risk closed, withdrawals limited.
    Restricted,
    /// All but repayment and claims closed.
    Halted,
    /// Terminal: users leave by claim.
    Exit,
}

/// Serial number of an incident within one journal, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IncidentId(pub u64);

impl std::fmt::Display for IncidentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "INC-{}", self.0)
    }
}

/// How an incident ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Its rules have held again for long enough, and nothing had been sent.
    Quiet,
    /// Every signal was taken back by a reorg before anything was sent.
    Retracted,
    /// All stages of the reinstatement were passed.
    Recovered,
    /// The protected system is back in NORMAL.
    Released,
    /// A person closed it.
    Human,
}

/// What happened to an incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum IncidentEvent {
    /// Opened by a rule.
    Opened {
        /// Incident.
        incident: IncidentId,
        /// Cause.
        cause: String,
        /// The rule.
        rule: RuleId,
        /// Its severity.
        severity: Severity,
        /// The first violation.
        first: Position,
    },
    /// A further rule of the same cause is violated.
    Joined {
        /// Incident.
        incident: IncidentId,
        /// The rule.
        rule: RuleId,
        /// Severity of the incident now.
        severity: Severity,
    },
    /// Signals of a dropped block were removed.
    SignalsRetracted {
        /// Incident.
        incident: IncidentId,
        /// The block.
        block: B256,
        /// Signals left.
        left: u64,
    },
    /// A step of a playbook began.
    StepStarted {
        /// Incident.
        incident: IncidentId,
        /// `playbook.step`.
        step: String,
    },
    /// A step reached its goal.
    StepDone {
        /// Incident.
        incident: IncidentId,
        /// `playbook.step`.
        step: String,
    },
    /// A step did not.
    StepFailed {
        /// Incident.
        incident: IncidentId,
        /// `playbook.step`.
        step: String,
        /// Why.
        why: String,
    },
    /// A playbook ended.
    PlaybookEnded {
        /// Incident.
        incident: IncidentId,
        /// Playbook.
        playbook: String,
        /// How.
        end: crate::response::End,
    },
    /// A reorg dropped the block of the effect that had contained it.
    Uncontained {
        /// Incident.
        incident: IncidentId,
    },
    /// The first tightening effect stands.
    Contained {
        /// Incident.
        incident: IncidentId,
        /// From the block of the first violation to the block of the effect.
        blocks_to_contain: u64,
        /// When the restriction runs out on chain.
        until: Option<Millis>,
    },
    /// Users leave by claim.
    Exiting {
        /// Incident.
        incident: IncidentId,
    },
    /// Reinstatement began or entered a stage.
    Recovering {
        /// Incident.
        incident: IncidentId,
        /// Stage entered; `None` before the first.
        stage: Option<String>,
    },
    /// The cause is back: the playbook starts again.
    Reopened {
        /// Incident.
        incident: IncidentId,
        /// Trip, from 1 for the first repetition.
        trip: u32,
    },
    /// Somebody has seen it.
    Acknowledged {
        /// Incident.
        incident: IncidentId,
        /// Who.
        by: String,
    },
    /// Somebody judged it.
    Labelled {
        /// Incident.
        incident: IncidentId,
        /// Who.
        by: String,
        /// Verdict.
        true_alarm: bool,
    },
    /// Closed.
    Resolved {
        /// Incident.
        incident: IncidentId,
        /// How.
        how: Ending,
        /// Measured net outflow, 1e-8 USD.
        loss_usd_e8: U256,
    },
}

/// Where an incident stands. Transitions consume the old state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "life")]
pub enum Life {
    /// The cause is live.
    Open,
    /// A tightening effect stands on chain.
    Contained {
        /// Since.
        since: Millis,
        /// When it runs out on chain.
        until: Option<Millis>,
    },
    /// Users leave by claim; there is no way back.
    Exiting {
        /// Since.
        since: Millis,
    },
    /// Staged reinstatement.
    Recovering {
        /// Since.
        since: Millis,
    },
    /// Over.
    Resolved {
        /// When.
        at: Millis,
        /// How.
        how: Ending,
    },
}

impl Life {
    /// A tightening effect stands. A second one prolongs the first.
    #[must_use]
    pub fn contain(self, now: Millis, until: Option<Millis>) -> Self {
        match self {
            Self::Open | Self::Recovering { .. } => Self::Contained { since: now, until },
            Self::Contained { since, until: old } => Self::Contained { since, until: until.max(old) },
            Self::Exiting { .. } | Self::Resolved { .. } => self,
        }
    }

    /// The protected system is in EXIT.
    #[must_use]
    pub fn exit(self, now: Millis) -> Self {
        match self {
            Self::Open | Self::Contained { .. } | Self::Recovering { .. } => Self::Exiting { since: now },
            Self::Exiting { .. } | Self::Resolved { .. } => self,
        }
    }

    /// Reinstatement begins.
    #[must_use]
    pub fn recover(self, now: Millis) -> Self {
        match self {
            Self::Open | Self::Contained { .. } => Self::Recovering { since: now },
            Self::Recovering { .. } | Self::Exiting { .. } | Self::Resolved { .. } => self,
        }
    }

    /// The cause is back.
    #[must_use]
    pub fn reopen(self) -> Self {
        match self {
            Self::Open | Self::Contained { .. } | Self::Recovering { .. } => Self::Open,
            Self::Exiting { .. } | Self::Resolved { .. } => self,
        }
    }

    /// Over, for good.
    #[must_use]
    pub fn resolve(self, now: Millis, how: Ending) -> Self {
        match self {
            Self::Open | Self::Contained { .. } | Self::Exiting { .. } | Self::Recovering { .. } => {
                Self::Resolved { at: now, how }
            }
            Self::Resolved { .. } => self,
        }
    }
}

/// One violation kept with its incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptSignal {
    /// Rule.
    pub rule: RuleId,
    /// Position.
    pub at: Position,
}

/// What one block contributed, so that a reorg can take it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Tally {
    hash: B256,
    signals: u64,
    flow_usd_e8: I256,
}

/// One cause and what was done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Incident {
    /// Serial number.
    pub id: IncidentId,
    /// Cause family.
    pub family: String,
    /// What is protected.
    pub target: Address,
    /// Chain of the first rule.
    pub chain: ChainId,
    /// The worst severity among its rules.
    pub severity: Severity,
    /// Where it stands.
    pub life: Life,
    /// When it was opened.
    pub opened_at: Millis,
    /// Position of the first violation.
    pub first: Position,
    /// Time of the last violation.
    pub last_signal_at: Millis,
    /// Rules that were violated.
    pub rules: BTreeSet<RuleId>,
    /// Violations, at most [`SIGNALS_KEPT`].
    pub signals: VecDeque<KeptSignal>,
    /// Repetitions of the playbook.
    pub trip: u32,
    /// Blocks from first violation to containment.
    pub blocks_to_contain: Option<u64>,
    /// Largest loss that a rule claimed, 1e-8 USD.
    pub claimed_usd_e8: U256,
    /// Movements without a price.
    pub unpriced: u64,
    /// Who has acknowledged it.
    pub acknowledged_by: Option<String>,
    /// Whether it was a true alarm, once somebody said so.
    pub label: Option<bool>,
    /// An effect was sent.
    pub sent: bool,
    pub(crate) charged: bool,
    pub(crate) runs: Vec<Run>,
    pub(crate) trips: BTreeMap<B256, Trip>,
    tallies: VecDeque<Tally>,
    settled_signals: u64,
    settled_flow_usd_e8: I256,
}

impl Incident {
    pub(crate) fn open(
        id: IncidentId,
        now: Millis,
        family: String,
        target: Address,
        severity: Severity,
        first: Position,
    ) -> Self {
        Self {
            id,
            family,
            target,
            chain: first.chain,
            severity,
            life: Life::Open,
            opened_at: now,
            first,
            last_signal_at: now,
            rules: BTreeSet::new(),
            signals: VecDeque::new(),
            trip: 0,
            blocks_to_contain: None,
            claimed_usd_e8: U256::ZERO,
            unpriced: 0,
            acknowledged_by: None,
            label: None,
            sent: false,
            charged: false,
            runs: Vec::new(),
            trips: BTreeMap::new(),
            tallies: VecDeque::new(),
            settled_signals: 0,
            settled_flow_usd_e8: I256::ZERO,
        }
    }

    /// The cause in words: family and target.
    #[must_use]
    pub fn cause(&self) -> String {
        format!("{}:{}", self.family, self.target)
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.life, Life::Resolved { .. })
    }

    /// Net outflow measured since the first violation, 1e-8 USD.
    #[must_use]
    pub fn loss_usd_e8(&self) -> U256 {
        let net = self.tallies.iter().fold(self.settled_flow_usd_e8, |sum, t| sum.saturating_add(t.flow_usd_e8));
        if net.is_negative() { net.unsigned_abs() } else { U256::ZERO }
    }

    /// Signals that stand.
    #[must_use]
    pub fn signals_left(&self) -> u64 {
        self.tallies.iter().fold(self.settled_signals, |sum, t| sum.saturating_add(t.signals))
    }

    /// Adds a violation. False when it is a repetition of a kept one.
    pub(crate) fn add(&mut self, now: Millis, signal: &Signal) -> bool {
        let kept = KeptSignal { rule: signal.rule.clone(), at: signal.at };
        if self.signals.contains(&kept) {
            return false;
        }
        self.rules.insert(signal.rule.clone());
        self.signals.push_back(kept);
        if self.signals.len() > SIGNALS_KEPT {
            self.signals.remove(SIGNALS_KEPT / 2);
        }
        self.last_signal_at = now;
        self.claimed_usd_e8 = self.claimed_usd_e8.max(signal.loss_usd_e8.unwrap_or_default());
        self.count(&signal.at, 1, I256::ZERO);
        true
    }

    /// Counts a movement of a protected account.
    pub(crate) fn flow(&mut self, at: &Position, usd_e8: Option<I256>) {
        match usd_e8 {
            Some(usd) => self.count(at, 0, usd),
            None => self.unpriced = self.unpriced.saturating_add(1),
        }
    }

    /// Takes back what a dropped block contributed; the number of signals left, if it contributed any.
    pub(crate) fn retract(&mut self, block: &BlockRef) -> Retracted {
        let Some(at) = self.tallies.iter().position(|t| t.hash == block.hash) else { return Retracted::Nothing };
        let signals = self.tallies.remove(at).map_or(0, |t| t.signals);
        self.signals.retain(|s| s.at.block_hash != block.hash);
        if signals == 0 { Retracted::Flow } else { Retracted::Signals { left: self.signals_left() } }
    }

    fn count(&mut self, at: &Position, signals: u64, usd_e8: I256) {
        if let Some(tally) = self.tallies.iter_mut().find(|t| t.hash == at.block_hash) {
            tally.signals = tally.signals.saturating_add(signals);
            tally.flow_usd_e8 = tally.flow_usd_e8.saturating_add(usd_e8);
            return;
        }
        self.tallies.push_back(Tally { hash: at.block_hash, signals, flow_usd_e8: usd_e8 });
        while self.tallies.len() > BLOCKS_KEPT {
            if let Some(old) = self.tallies.pop_front() {
                self.settled_signals = self.settled_signals.saturating_add(old.signals);
                self.settled_flow_usd_e8 = self.settled_flow_usd_e8.saturating_add(old.flow_usd_e8);
            }
        }
    }
}

/// What a dropped block took from an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Retracted {
    /// It had contributed nothing.
    Nothing,
    /// Only movements.
    Flow,
    /// Signals.
    Signals {
        /// Signals left.
        left: u64,
    },
}
