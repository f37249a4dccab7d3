//! Staged reinstatement: one stage after the other, each behind its dwell and its gates.
//!
//! Owns which stage was entered when and which gates have been read as `Holds` since. Must not know what a stage opens on
//! chain: that is the owners' and the contracts' doing. Anything but a fresh `Holds` keeps a gate shut.

use crate::chain::{Millis, Position};
use crate::playbook::Stage;
use crate::signal::{RuleId, Verdict};
use alloy_primitives::B256;
use serde::Serialize;
use std::collections::BTreeMap;

/// What moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecoveryEvent {
    /// This stage was entered.
    Entered(String),
    /// The last stage's dwell is over.
    Done,
}

/// How far a reinstatement is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// Stages entered.
    entered: usize,
    /// When the last one was entered, or the reinstatement began.
    since: Millis,
    /// Tip of the chain at that time: gates must be read above it.
    above: u64,
    /// Gates of the next stage that read `Holds`, and the block that says so.
    open: BTreeMap<RuleId, B256>,
    /// The gate that stopped it, until it holds again.
    stopped_by: Option<RuleId>,
}

impl Recovery {
    /// Before the first stage.
    #[must_use]
    pub fn begin(now: Millis, tip: u64) -> Self {
        Self { entered: 0, since: now, above: tip, open: BTreeMap::new(), stopped_by: None }
    }

    /// Gates that the next stage waits for.
    #[must_use]
    pub fn gates<'a>(&self, stages: &'a [Stage]) -> &'a [RuleId] {
        stages.get(self.entered).map_or(&[], |s| s.gates.as_slice())
    }

    /// A verdict on a gate. True when it changed something; a verdict from before the stage began changes nothing.
    pub fn hear(&mut self, stages: &[Stage], rule: &RuleId, at: &Position, verdict: &Verdict) -> bool {
        if !self.gates(stages).contains(rule) {
            return false;
        }
        match verdict {
            Verdict::Holds => {
                if at.block_number <= self.above || self.open.contains_key(rule) {
                    return false;
                }
                self.open.insert(rule.clone(), at.block_hash);
                if self.stopped_by.as_ref() == Some(rule) {
                    self.stopped_by = None;
                }
                true
            }
            Verdict::Violated { .. } | Verdict::Unknown { .. } => {
                let shut = self.open.remove(rule).is_some();
                let news = self.stopped_by.as_ref() != Some(rule);
                self.stopped_by = Some(rule.clone());
                shut || news
            }
        }
    }

    /// The gate that stops it.
    #[must_use]
    pub fn stopped_by(&self) -> Option<&RuleId> {
        self.stopped_by.as_ref()
    }

    /// A dropped block takes its verdicts with it.
    pub fn retract(&mut self, block: B256) -> bool {
        let before = self.open.len();
        self.open.retain(|_, hash| *hash != block);
        before != self.open.len()
    }

    /// The chain reads `Unknown`: every gate is shut until it is read again.
    pub fn blind(&mut self) -> bool {
        let had = !self.open.is_empty();
        self.open.clear();
        had
    }

    /// When time alone would move it.
    #[must_use]
    pub fn deadline(&self, stages: &[Stage]) -> Option<Millis> {
        let ready = self.gates(stages).iter().all(|g| self.open.contains_key(g));
        (ready && self.entered <= stages.len()).then(|| self.since.plus(self.dwell_ms(stages)))
    }

    /// Enters the next stage if its dwell and gates allow it.
    pub fn advance(&mut self, now: Millis, stages: &[Stage], tip: u64) -> Option<RecoveryEvent> {
        if self.deadline(stages)? > now {
            return None;
        }
        let event = match stages.get(self.entered) {
            Some(stage) => RecoveryEvent::Entered(stage.name.clone()),
            None => RecoveryEvent::Done,
        };
        self.entered = self.entered.saturating_add(1);
        self.since = now;
        self.above = tip;
        self.open.clear();
        self.stopped_by = None;
        Some(event)
    }

    fn dwell_ms(&self, stages: &[Stage]) -> u64 {
        self.entered.checked_sub(1).and_then(|i| stages.get(i)).map_or(0, |s| s.dwell_ms)
    }
}
