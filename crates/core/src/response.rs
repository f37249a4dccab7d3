//! Response: one run of a playbook for one incident, step by step.
//!
//! Owns the phases of a step (precondition, consent, dry-run, submission, verification) and which step comes next. Must not
//! know how rules are judged or how incidents merge. What it needs to see and may touch is its `Scene`.

mod consent;
mod effect;

pub(crate) use consent::Word;

use crate::chain::{ChainId, Millis};
use crate::guardian::desk::Desk;
use crate::guardian::watch::Watch;
use crate::incident::{IncidentEvent, IncidentId};
use crate::io::{Action, Ask, DryRun, Output};
use crate::playbook::{Effect, OnTimeout, Playbook, Program, RuleSpec, Severity, Step};
use crate::recovery::Recovery;
use crate::signal::{RuleId, Signal, Verdict};
use crate::submission::Submissions;
use alloy_primitives::B256;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// How long a dry-run may take before it counts as `Unknown`.
pub const DRY_RUN_MS: u64 = 10_000;
/// Longest calldata of a step, bytes; a longer one cannot be journaled in one entry and fails the step.
pub const CALLDATA_MAX: usize = 16 * 1024;
/// The name under which the shell reports a word of the owners' Safe.
pub const SAFE: &str = "safe";

/// How a playbook's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// Every step reached its goal.
    Done,
    /// A step failed and there is no other: people must act.
    Escalated,
    /// Nobody agreed in time.
    Aborted,
    /// Somebody objected.
    Vetoed,
    /// The incident ended or the playbook began anew.
    Superseded,
}

/// The on-chain episode and trip count that the keys of one trip are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Trip {
    pub(crate) episode: u64,
    pub(crate) count: u64,
    pub(crate) epoch: u64,
    /// The incident's own trip that these were fixed for.
    pub(crate) fixed_for: u32,
}

/// What a contract told of its trips.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Told {
    /// Episode that the next trip opens or joins.
    pub(crate) episode: u64,
    /// Trips landed in it.
    pub(crate) trip_count: u64,
    /// Releases so far.
    pub(crate) epoch: u64,
}

/// Episodes of one counter: a contract, or a scope of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Episodes {
    /// What its contract told of the next trip.
    pub(crate) told: Option<Told>,
    /// The guardian's own count, for targets that tell nothing.
    pub(crate) local: u64,
}

impl Default for Episodes {
    fn default() -> Self {
        Self { told: None, local: 1 }
    }
}

/// A question that is open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Question {
    pub(crate) ask: Ask,
    pub(crate) approved: BTreeSet<String>,
    pub(crate) vetoed: bool,
}

/// Where a step is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "phase")]
pub(crate) enum Phase {
    Begin,
    /// Waits for its hidden `when` rule.
    When {
        deadline: Option<Millis>,
        holds: bool,
    },
    /// Waits for people, or for nobody to object.
    Asking {
        question: Box<Question>,
    },
    /// Agreed; the veto window runs.
    Vetoable {
        question: Box<Question>,
        until: Millis,
    },
    /// Agreed.
    Ready {
        question: Option<Box<Question>>,
    },
    /// The dry-run is out.
    Trying {
        question: Option<Box<Question>>,
        action: Box<Action>,
        until: Millis,
        answer: Option<DryRun>,
    },
    /// Handed over.
    Sending {
        key: B256,
        until: Option<Millis>,
    },
    /// Included; waits for its hidden `verify` rule.
    Verifying {
        key: B256,
        included: u64,
        holds: bool,
    },
    Restoring {
        recovery: Box<Recovery>,
    },
    Ended {
        end: End,
    },
}

/// Where a phase goes.
enum Move {
    To(Phase),
    Stay(Phase),
}

/// What a run achieved, for its incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunNews {
    Sent,
    Contained { block_number: u64, until: Option<Millis> },
    Recovering,
    Recovered,
}

/// What a run may see and touch.
pub(crate) struct Scene<'a> {
    pub(crate) now: Millis,
    pub(crate) program: &'a Program,
    pub(crate) chains: &'a BTreeMap<ChainId, Watch>,
    pub(crate) episodes: &'a BTreeMap<B256, Episodes>,
    pub(crate) submissions: &'a mut Submissions,
    pub(crate) desk: &'a mut Desk,
    pub(crate) incident: IncidentId,
    pub(crate) topic: String,
    pub(crate) severity: Severity,
    pub(crate) trip: u32,
    pub(crate) trips: &'a mut BTreeMap<B256, Trip>,
    pub(crate) news: Vec<RunNews>,
}

impl Scene<'_> {
    fn tell(&mut self, severity: Severity, rule_hash: B256, text: &str) {
        self.desk.notify(&self.topic, severity, rule_hash, text);
    }

    fn is_unknown(&self, chain: ChainId) -> bool {
        self.chains.get(&chain).is_none_or(|w| w.unknown().is_some())
    }

    fn tip(&self, chain: ChainId) -> u64 {
        self.chains.get(&chain).map_or(0, Watch::tip_number)
    }
}

/// One run of one playbook.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Run {
    pub(crate) playbook: String,
    pub(crate) rule: RuleId,
    rule_hash: B256,
    /// The rule's chain.
    chain: ChainId,
    step: usize,
    /// Steps begun in this trip; none is begun twice.
    tried: BTreeSet<usize>,
    /// `auto` needs a person: the rule's budget is spent.
    asks: bool,
    phase: Phase,
}

impl Run {
    pub(crate) fn new(playbook: &Playbook, rule: &RuleSpec, asks: bool) -> Self {
        Self {
            playbook: playbook.id.clone(),
            rule: rule.id.clone(),
            rule_hash: rule.hash,
            chain: rule.chain,
            step: 0,
            tried: BTreeSet::new(),
            asks,
            phase: Phase::Begin,
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Ended { .. })
    }

    /// The key that is in the air for the present step.
    pub(crate) fn key(&self) -> Option<B256> {
        match &self.phase {
            Phase::Sending { key, .. } | Phase::Verifying { key, .. } => Some(*key),
            Phase::Trying { action, .. } => Some(action.key),
            Phase::Begin
            | Phase::When { .. }
            | Phase::Asking { .. }
            | Phase::Vetoable { .. }
            | Phase::Ready { .. }
            | Phase::Restoring { .. }
            | Phase::Ended { .. } => None,
        }
    }

    fn step<'p>(&self, program: &'p Program) -> Option<&'p Step> {
        playbook(program, &self.playbook)?.steps.get(self.step)
    }

    fn name(&self, step: &Step) -> String {
        format!("{}.{}", self.playbook, step.id)
    }

    /// Moves by one phase, if anything allows it.
    pub(crate) fn advance(&mut self, scene: &mut Scene<'_>) -> bool {
        let Some(step) = self.step(scene.program) else {
            let over = self.is_over();
            if !over {
                self.phase = self.end(End::Done, scene);
            }
            return !over;
        };
        let phase = std::mem::replace(&mut self.phase, Phase::Begin);
        let moved = match phase {
            Phase::Begin => self.begin(step, scene),
            Phase::When { deadline, holds } => self.when(step, deadline, holds, scene),
            Phase::Asking { question } => self.asking(step, question, scene),
            Phase::Vetoable { question, until } => self.vetoable(question, until, scene),
            Phase::Ready { question } => self.execute(step, question, scene),
            Phase::Trying { question, action, until, answer } => {
                self.trying(step, question, action, until, answer, scene)
            }
            Phase::Sending { key, until } => self.sending(step, key, until, scene),
            Phase::Verifying { key, included, holds } => self.verifying(step, key, included, holds, scene),
            Phase::Restoring { recovery } => self.restoring(step, recovery, scene),
            Phase::Ended { end } => Move::Stay(Phase::Ended { end }),
        };
        let (phase, moved) = match moved {
            Move::To(phase) => (phase, true),
            Move::Stay(phase) => (phase, false),
        };
        self.phase = phase;
        if moved {
            scene.desk.touch();
        }
        moved
    }

    fn begin(&mut self, step: &Step, scene: &mut Scene<'_>) -> Move {
        self.tried.insert(self.step);
        scene.desk.incident(IncidentEvent::StepStarted { incident: scene.incident, step: self.name(step) });
        if step.when.is_none() {
            return Move::To(self.consent(step, scene));
        }
        // What tightens must not wait for ever; what loosens may wait as long as it takes.
        let deadline = step.effect.tightens().then(|| scene.now.plus(step.timeout_ms));
        Move::To(Phase::When { deadline, holds: false })
    }

    fn when(&mut self, step: &Step, deadline: Option<Millis>, holds: bool, scene: &mut Scene<'_>) -> Move {
        if holds && !scene.is_unknown(self.chain) {
            return Move::To(self.consent(step, scene));
        }
        if deadline.is_some_and(|d| d <= scene.now) {
            return Move::To(self.lapse(step, "its precondition did not hold in time", false, scene));
        }
        Move::Stay(Phase::When { deadline, holds })
    }

    /// What `on_timeout` says. `auto` is for tightening effects whose only want is consent.
    fn lapse(&mut self, step: &Step, why: &str, may_run: bool, scene: &mut Scene<'_>) -> Phase {
        match step.on_timeout {
            OnTimeout::Next => self.fail(step, why, scene),
            OnTimeout::Auto if may_run && step.effect.tightens() => {
                let text = format!("{}: {why}; it runs by itself, since it only tightens", self.name(step));
                scene.tell(scene.severity, self.rule_hash, &text);
                Phase::Ready { question: None }
            }
            OnTimeout::Auto | OnTimeout::Abort => {
                self.failed(step, why, scene);
                self.end(End::Aborted, scene)
            }
        }
    }

    /// The step reached its goal: on to the next one that is not somebody's alternative.
    fn succeed(&mut self, step: &Step, scene: &mut Scene<'_>) -> Phase {
        scene.desk.incident(IncidentEvent::StepDone { incident: scene.incident, step: self.name(step) });
        let steps = playbook(scene.program, &self.playbook).map_or(&[][..], |p| p.steps.as_slice());
        let alternatives: BTreeSet<usize> = steps.iter().filter_map(|s| s.or_else).collect();
        let next = (self.step.saturating_add(1)..steps.len()).find(|i| !alternatives.contains(i));
        match next {
            Some(next) if !self.tried.contains(&next) => {
                self.step = next;
                Phase::Begin
            }
            Some(_) | None => self.end(End::Done, scene),
        }
    }

    /// The step did not reach its goal: its alternative, or people.
    fn fail(&mut self, step: &Step, why: &str, scene: &mut Scene<'_>) -> Phase {
        self.failed(step, why, scene);
        let steps = playbook(scene.program, &self.playbook).map_or(0, |p| p.steps.len());
        match step.or_else.filter(|i| *i < steps && !self.tried.contains(i)) {
            Some(next) => {
                self.step = next;
                Phase::Begin
            }
            None => self.end(End::Escalated, scene),
        }
    }

    fn failed(&self, step: &Step, why: &str, scene: &mut Scene<'_>) {
        let name = self.name(step);
        let text = format!("{}: step {name}: {why}", scene.incident);
        scene.desk.incident(IncidentEvent::StepFailed { incident: scene.incident, step: name, why: why.to_owned() });
        scene.tell(scene.severity.min(Severity::P2), self.rule_hash, &text);
    }

    fn end(&self, end: End, scene: &mut Scene<'_>) -> Phase {
        let playbook = self.playbook.clone();
        scene.desk.incident(IncidentEvent::PlaybookEnded { incident: scene.incident, playbook, end });
        let text = match end {
            End::Escalated => Some("no step is left: people must act now"),
            End::Aborted => Some("nobody agreed in time: people must act now"),
            End::Vetoed => Some("a person objected: the playbook has stopped"),
            End::Done | End::Superseded => None,
        };
        if let Some(text) = text {
            let text = format!("{}: playbook {}: {text}", scene.incident, self.playbook);
            let severity = if end == End::Vetoed { scene.severity } else { Severity::P1 };
            scene.tell(severity, self.rule_hash, &text);
        }
        Phase::Ended { end }
    }

    /// Ends the run from outside; its open question is withdrawn.
    pub(crate) fn supersede(&mut self, incident: IncidentId, desk: &mut Desk) {
        if self.is_over() {
            return;
        }
        if let Some(question) = self.question() {
            desk.emit(Output::Cancel { digest: question.ask.digest });
        }
        let playbook = self.playbook.clone();
        desk.incident(IncidentEvent::PlaybookEnded { incident, playbook, end: End::Superseded });
        self.phase = Phase::Ended { end: End::Superseded };
    }

    /// When time alone would move it.
    pub(crate) fn deadline(&self, program: &Program) -> Option<Millis> {
        match &self.phase {
            Phase::When { deadline, .. } => *deadline,
            Phase::Asking { question } => Some(question.ask.deadline),
            Phase::Vetoable { until, .. } | Phase::Trying { until, .. } => Some(*until),
            Phase::Sending { until, .. } => *until,
            Phase::Restoring { recovery } => match &self.step(program)?.effect {
                Effect::Restore { stages } => recovery.deadline(stages),
                Effect::Call { .. } | Effect::Trip { .. } | Effect::Propose { .. } | Effect::Notify { .. } => None,
            },
            Phase::Begin | Phase::Ready { .. } | Phase::Verifying { .. } | Phase::Ended { .. } => None,
        }
    }

    /// Rules whose verdict is waited for.
    pub(crate) fn wanted<'a>(&'a self, program: &'a Program) -> Vec<&'a RuleId> {
        let Some(step) = self.step(program) else { return Vec::new() };
        match (&self.phase, &step.effect) {
            (Phase::When { .. }, _) => step.when.iter().collect(),
            (Phase::Sending { .. } | Phase::Verifying { .. }, _) => step.verify.iter().collect(),
            (Phase::Restoring { recovery }, Effect::Restore { stages }) => recovery.gates(stages).iter().collect(),
            (_, _) => Vec::new(),
        }
    }

    /// A verdict from an adopted block. True when it changed something.
    pub(crate) fn hear(&mut self, program: &Program, signal: &Signal) -> bool {
        let Some(step) = self.step(program) else { return false };
        let (when, verify) = (step.when.as_ref(), step.verify.as_ref());
        let is = signal.verdict == Verdict::Holds;
        match &mut self.phase {
            Phase::When { holds, .. } if when == Some(&signal.rule) => std::mem::replace(holds, is) != is,
            Phase::Verifying { included, holds, .. } if verify == Some(&signal.rule) => {
                is && signal.at.block_number >= *included && !std::mem::replace(holds, true)
            }
            Phase::Restoring { recovery } => match &step.effect {
                Effect::Restore { stages } => recovery.hear(stages, &signal.rule, &signal.at, &signal.verdict),
                Effect::Call { .. } | Effect::Trip { .. } | Effect::Propose { .. } | Effect::Notify { .. } => false,
            },
            Phase::Begin
            | Phase::When { .. }
            | Phase::Asking { .. }
            | Phase::Vetoable { .. }
            | Phase::Ready { .. }
            | Phase::Trying { .. }
            | Phase::Sending { .. }
            | Phase::Verifying { .. }
            | Phase::Ended { .. } => false,
        }
    }

    /// An action of this run is not on chain any more. A run that was done waits for it again; one that went on goes on. True when
    /// the action had been one of its successes.
    pub(crate) fn lose(&mut self, program: &Program, action: &Action) -> bool {
        let named = |s: &Step| format!("{}.{}", self.playbook, s.id) == action.step;
        let Some(index) = playbook(program, &self.playbook).and_then(|p| p.steps.iter().position(named)) else {
            return false;
        };
        if !self.tried.contains(&index) || self.key() == Some(action.key) {
            return false;
        }
        if matches!(self.phase, Phase::Ended { end: End::Done }) {
            self.step = index;
            self.phase = Phase::Sending { key: action.key, until: None };
        }
        true
    }

    /// A block was dropped, or the chain reads `Unknown` (`None`).
    pub(crate) fn retract(&mut self, block: Option<B256>) -> bool {
        match &mut self.phase {
            Phase::Restoring { recovery } => match block {
                Some(block) => recovery.retract(block),
                None => recovery.blind(),
            },
            // A precondition is read again on what replaces the dropped block.
            Phase::When { holds, .. } | Phase::Verifying { holds, .. } => std::mem::take(holds),
            Phase::Begin
            | Phase::Asking { .. }
            | Phase::Vetoable { .. }
            | Phase::Ready { .. }
            | Phase::Trying { .. }
            | Phase::Sending { .. }
            | Phase::Ended { .. } => false,
        }
    }

    /// The chain of the rule that started it.
    pub(crate) fn chain(&self) -> ChainId {
        self.chain
    }

    /// The gate that stopped a reinstatement.
    pub(crate) fn stopped_by(&self) -> Option<&RuleId> {
        match &self.phase {
            Phase::Restoring { recovery } => recovery.stopped_by(),
            Phase::Begin
            | Phase::When { .. }
            | Phase::Asking { .. }
            | Phase::Vetoable { .. }
            | Phase::Ready { .. }
            | Phase::Trying { .. }
            | Phase::Sending { .. }
            | Phase::Verifying { .. }
            | Phase::Ended { .. } => None,
        }
    }
}

/// The playbook with this id.
pub(crate) fn playbook<'p>(program: &'p Program, id: &str) -> Option<&'p Playbook> {
    program.playbooks.iter().find(|p| p.id == id)
}
