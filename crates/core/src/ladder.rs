//! The ladder of authority: what a rule may still do after its false alarms.
//!
//! Owns the debits of one rule and what it has earned. Must not know incidents' contents or carry anything out. Nothing here
//! gives authority back: promotion is a reviewed change of the policy.

use crate::chain::Millis;
use crate::incident::IncidentId;
use crate::playbook::{OnExhausted, RuleMode, RuleSpec};
use serde::Serialize;
use std::collections::VecDeque;

/// Debits kept per rule; more than this inside one period is the same as this many.
pub const DEBITS_MAX: usize = 1024;

/// One false alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Debit {
    at: Millis,
    incident: IncidentId,
}

/// What an exhausted budget did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LadderChange {
    /// The rule's authority is one step lower.
    Demoted(RuleMode),
    /// What it did by itself now needs a person.
    Asks,
    /// The budget is spent; people are told, nothing else changes.
    Paged,
}

/// What one rule has earned and lost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Ladder {
    earned: RuleMode,
    asks: bool,
    debits: VecDeque<Debit>,
}

impl Default for Ladder {
    fn default() -> Self {
        Self { earned: RuleMode::Armed, asks: false, debits: VecDeque::new() }
    }
}

impl Ladder {
    /// The lower of what is configured and what is earned.
    #[must_use]
    pub fn effective(&self, configured: RuleMode) -> RuleMode {
        self.earned.min(configured)
    }

    /// Whether `auto` steps need a person.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.asks
    }

    /// False alarms inside the budget's period that ends at `now`.
    #[must_use]
    pub fn spent(&self, now: Millis, per_ms: u64) -> usize {
        self.debits.iter().filter(|d| d.at.plus(per_ms) > now).count()
    }

    /// Takes a false alarm back: somebody said that it was true after all.
    pub fn refund(&mut self, incident: IncidentId) -> bool {
        let before = self.debits.len();
        self.debits.retain(|d| d.incident != incident);
        before != self.debits.len()
    }

    /// Counts a false alarm. Hard rules only page; only a person's word lowers the mode, since fires can be provoked cheaply.
    pub fn debit(&mut self, now: Millis, incident: IncidentId, human: bool, rule: &RuleSpec) -> Option<LadderChange> {
        let budget = rule.budget?;
        self.debits.retain(|d| d.incident != incident && d.at.plus(budget.per_ms) > now);
        self.debits.push_back(Debit { at: now, incident });
        if self.debits.len() > DEBITS_MAX {
            self.debits.pop_front();
        }
        if self.spent(now, budget.per_ms) <= budget.false_alarms as usize {
            return None;
        }
        if rule.hard {
            return Some(LadderChange::Paged);
        }
        match budget.on_exhausted {
            OnExhausted::Page => Some(LadderChange::Paged),
            OnExhausted::Propose => Some(self.ask()),
            OnExhausted::Demote if !human => Some(self.ask()),
            OnExhausted::Demote => {
                self.asks = true;
                let lower = match self.effective(rule.mode) {
                    RuleMode::Armed => RuleMode::Alert,
                    RuleMode::Alert | RuleMode::Shadow => RuleMode::Shadow,
                    RuleMode::Off => RuleMode::Off,
                };
                self.earned = lower;
                Some(LadderChange::Demoted(lower))
            }
        }
    }

    fn ask(&mut self) -> LadderChange {
        let change = if self.asks { LadderChange::Paged } else { LadderChange::Asks };
        self.asks = true;
        change
    }
}
