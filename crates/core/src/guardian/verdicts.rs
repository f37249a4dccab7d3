//! Verdicts: what each rule reads now, and when a violation counts.
//!
//! Owns the standing verdict and the streak of every rule. A verdict stands until the next one: rules are only evaluated
//! again when something that they read has changed.

use super::{BLIND_NOTICES_MAX, Guardian};
use crate::chain::{BlockRef, ChainId, Finality, Position};
use crate::io::Body;
use crate::ladder::Ladder;
use crate::playbook::{OnUnknown, RuleMode, RuleSpec, Severity};
use crate::signal::{Signal, UnknownWhy, Verdict};
use alloy_primitives::B256;
use serde::Serialize;
use std::sync::Arc;

/// Most blocks of a streak that are kept; a rule with a longer `for` fires after this many.
const STREAK_MAX: usize = 256;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "standing")]
pub(crate) enum Standing {
    /// Nothing said, or it holds.
    Quiet,
    /// Violated at this block; by one transaction of it unless `whole_block`.
    Violated { block: B256, whole_block: bool },
    /// It cannot be told.
    Unknown { why: UnknownWhy },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct RuleState {
    pub(crate) standing: Standing,
    /// Blocks in a row that violate it, until it fires.
    streak: Vec<B256>,
    pub(crate) ladder: Ladder,
}

impl Default for RuleState {
    fn default() -> Self {
        Self { standing: Standing::Quiet, streak: Vec::new(), ladder: Ladder::default() }
    }
}

impl RuleState {
    /// A dropped block takes the verdict that was read from it along.
    pub(crate) fn retract(&mut self, dropped: &BlockRef) {
        self.streak.retain(|b| *b != dropped.hash);
        if let Standing::Violated { block, .. } = self.standing
            && block == dropped.hash
        {
            self.standing = Standing::Unknown { why: UnknownWhy::Reorg };
        }
    }

    /// Whether an incident of this rule must stay open: it is violated until told otherwise, or cannot be told.
    pub(crate) fn keeps_open(&self) -> bool {
        match self.standing {
            Standing::Quiet => false,
            Standing::Violated { whole_block, .. } => whole_block,
            Standing::Unknown { .. } => true,
        }
    }

    fn add_to_streak(&mut self, block: B256) -> bool {
        if self.streak.contains(&block) || self.streak.len() >= STREAK_MAX {
            return false;
        }
        self.streak.push(block);
        true
    }

    fn fires(&self, rule: &RuleSpec) -> bool {
        self.streak.len() >= (rule.for_blocks.max(1) as usize).min(STREAK_MAX)
    }
}

impl Guardian {
    pub(super) fn signal(&mut self, signal: &Signal) {
        let pending = signal.at.finality == Finality::Pending;
        if !pending && !self.wanted.is_empty() && self.wanted.contains(&signal.rule) && self.is_adopted(&signal.at) {
            self.hear(signal);
        }
        let Some(index) = self.index.rules.get(&signal.rule).copied() else { return };
        let (Some(rule), Some(state)) = (self.program.rules.get(index), self.state.rules.get(index)) else { return };
        let mode = state.ladder.effective(rule.mode);
        if mode == RuleMode::Off || rule.chain != signal.at.chain {
            return;
        }
        if signal.rule_hash != rule.hash {
            // Another text than the one that is armed: nothing it says counts.
            if self.is_adopted(&signal.at) {
                self.unknown(index, UnknownWhy::Fault);
            }
            return;
        }
        match &signal.verdict {
            Verdict::Holds if pending || (state.standing == Standing::Quiet && state.streak.is_empty()) => {}
            _ if !self.is_adopted(&signal.at) => {}
            Verdict::Holds => self.holds(index, &signal.at),
            Verdict::Unknown { why } => self.unknown(index, *why),
            Verdict::Violated { .. } if pending => {
                if rule.for_blocks <= 1 {
                    self.fire(index, mode, signal);
                }
            }
            Verdict::Violated { .. } => self.violated(index, mode, signal),
        }
    }

    fn hear(&mut self, signal: &Signal) {
        let program = Arc::clone(&self.program);
        for incident in self.state.incidents.values_mut() {
            let mut stopped = None;
            for run in &mut incident.runs {
                let before = run.stopped_by().cloned();
                if run.hear(&program, signal) {
                    self.desk.touch();
                }
                if let Some(gate) = run.stopped_by().filter(|g| before.as_ref() != Some(*g)) {
                    stopped = Some(format!("{}: reinstatement stops: gate {gate} does not hold", incident.id));
                }
            }
            if let Some(text) = stopped {
                let topic = format!("{}/{}", incident.cause(), incident.id);
                self.desk.notify(&topic, incident.severity, signal.rule_hash, &text);
            }
        }
    }

    fn holds(&mut self, index: usize, at: &Position) {
        let Some(state) = self.state.rules.get_mut(index) else { return };
        // Another transaction of the block that violates it does not make the block good.
        let same_block = match state.standing {
            Standing::Violated { block, whole_block } => !whole_block && block == at.block_hash,
            Standing::Quiet | Standing::Unknown { .. } => state.streak.contains(&at.block_hash),
        };
        if same_block && at.tx.is_some() {
            return;
        }
        state.standing = Standing::Quiet;
        state.streak.clear();
        self.desk.touch();
    }

    /// Neither closes nor opens anything: the streak stays as it is.
    fn unknown(&mut self, index: usize, why: UnknownWhy) {
        let (Some(rule), Some(state)) = (self.program.rules.get(index), self.state.rules.get_mut(index)) else {
            return;
        };
        // A verdict that a reorg took away is unknown, too, but nobody has been told yet.
        let told = match state.standing {
            Standing::Unknown { why: was } => was != UnknownWhy::Reorg || why == UnknownWhy::Reorg,
            Standing::Quiet | Standing::Violated { .. } => false,
        };
        if told {
            return;
        }
        state.standing = Standing::Unknown { why };
        self.desk.touch();
        if state.ladder.effective(rule.mode) < RuleMode::Alert {
            return;
        }
        let (chain, on_unknown, hash) = (rule.chain, rule.on_unknown, rule.hash);
        let text = format!("rule {} is blind ({why:?}): {}", rule.id, rule.title);
        let topic = format!("blind/{}", rule.id);
        match self.blind_rules(chain).cmp(&(BLIND_NOTICES_MAX + 1)) {
            std::cmp::Ordering::Less => self.desk.notify(&topic, Severity::P2, hash, &text),
            std::cmp::Ordering::Equal => {
                let text = format!(
                    "{chain}: more than {BLIND_NOTICES_MAX} rules are blind; further ones are not told one by one"
                );
                self.desk.notify(&format!("blind/{chain}"), Severity::P2, B256::ZERO, &text);
            }
            std::cmp::Ordering::Greater => {}
        }
        if on_unknown == OnUnknown::Watch {
            self.desk.notify(&format!("watch/{chain}"), Severity::P2, hash, &format!("WATCH: {text}"));
        }
    }

    fn blind_rules(&self, chain: ChainId) -> usize {
        let rules = self.program.rules.iter().zip(&self.state.rules).filter(|(r, _)| r.chain == chain);
        rules.filter(|(_, s)| matches!(s.standing, Standing::Unknown { .. })).count()
    }

    fn violated(&mut self, index: usize, mode: RuleMode, signal: &Signal) {
        let (Some(rule), Some(state)) = (self.program.rules.get(index), self.state.rules.get_mut(index)) else {
            return;
        };
        let was_violated = matches!(state.standing, Standing::Violated { .. });
        let standing = Standing::Violated { block: signal.at.block_hash, whole_block: signal.at.tx.is_none() };
        // A shadow rule is journaled when its violation begins, not for as long as it lasts.
        if mode == RuleMode::Shadow && was_violated {
            return;
        }
        if state.standing != standing {
            state.standing = standing;
            self.desk.touch();
        }
        let fired_before = state.fires(rule);
        if !fired_before && state.add_to_streak(signal.at.block_hash) {
            self.desk.touch();
        }
        if state.fires(rule) {
            self.fire(index, mode, signal);
        }
    }

    /// One more block has been evaluated: violations of whole blocks that nothing has contradicted go on.
    pub(super) fn count_streaks(&mut self, chain: ChainId, block: BlockRef) {
        let program = Arc::clone(&self.program);
        for (index, rule) in program.rules.iter().enumerate().filter(|(_, r)| r.chain == chain && r.for_blocks > 1) {
            let Some(state) = self.state.rules.get_mut(index) else { continue };
            let stands = matches!(state.standing, Standing::Violated { whole_block: true, .. });
            if !stands || state.fires(rule) || !state.add_to_streak(block.hash) {
                continue;
            }
            self.desk.touch();
            let (fires, mode) = (state.fires(rule), state.ladder.effective(rule.mode));
            if fires {
                let at = Position {
                    chain,
                    block_number: block.number,
                    block_hash: block.hash,
                    tx: None,
                    tx_index: 0,
                    finality: Finality::Head,
                };
                let verdict = Verdict::Violated { evidence: Vec::new() };
                let signal = Signal { rule: rule.id.clone(), rule_hash: rule.hash, at, verdict, loss_usd_e8: None };
                self.fire(index, mode, &signal);
            }
        }
    }

    fn fire(&mut self, index: usize, mode: RuleMode, signal: &Signal) {
        match mode {
            RuleMode::Off => {}
            RuleMode::Shadow => self.desk.record(Body::Shadow { rule: signal.rule.clone(), at: signal.at }),
            RuleMode::Alert => self.open_or_join(index, false, signal),
            RuleMode::Armed => self.open_or_join(index, true, signal),
        }
    }
}
