//! Consent: who must agree to a step, and what their words do.

use super::{Move, Phase, Question, Run, SAFE, Scene};
use crate::chain::Millis;
use crate::io::{Ask, Output};
use crate::key;
use crate::playbook::{Approve, Effect, Step};
use alloy_primitives::B256;
use std::collections::BTreeSet;

/// What a person's word about a question came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// No open question has this digest.
    NotAsked,
    /// That person has no say here.
    NoSay,
    /// It counts.
    Counted,
    /// It was known already.
    Repeated,
}

/// Who must agree, after the ladder and the effect's own bounds.
enum Need {
    Nobody,
    NoVeto { window_ms: u64 },
    People { need: u32, people: Vec<String> },
    Safe,
}

impl Run {
    fn need(&self, step: &Step, scene: &Scene<'_>) -> Need {
        let oncall = || Need::People { need: 1, people: scene.program.oncall.clone() };
        match (&step.effect, &step.approve) {
            // Telling people needs nobody's leave, and a proposal is decided by the Safe itself.
            (Effect::Notify { .. }, _) | (Effect::Propose { .. }, Approve::Auto | Approve::Safe) => Need::Nobody,
            // Reinstatement is never anybody's default.
            (Effect::Restore { .. }, Approve::Auto | Approve::Veto { .. } | Approve::Safe) => Need::Safe,
            (Effect::Call { .. } | Effect::Trip { .. }, Approve::Safe) => Need::Safe,
            (Effect::Call { .. } | Effect::Trip { .. }, Approve::Auto | Approve::Veto { .. }) if self.asks => oncall(),
            (Effect::Call { .. } | Effect::Trip { .. }, Approve::Auto) => Need::Nobody,
            (Effect::Call { .. } | Effect::Trip { .. } | Effect::Propose { .. }, Approve::Veto { window_ms }) => {
                Need::NoVeto { window_ms: *window_ms }
            }
            (_, Approve::People { need, people }) => Need::People { need: (*need).max(1), people: people.clone() },
        }
    }

    pub(super) fn consent(&mut self, step: &Step, scene: &mut Scene<'_>) -> Phase {
        match self.need(step, scene) {
            Need::Nobody => Phase::Ready { question: None },
            Need::NoVeto { window_ms } => {
                let people = scene.program.oncall.clone();
                self.ask(step, 0, people, scene.now.plus(window_ms), scene)
            }
            Need::People { need, people } => self.ask(step, need, people, scene.now.plus(step.timeout_ms), scene),
            Need::Safe => self.ask(step, 1, Vec::new(), scene.now.plus(step.timeout_ms), scene),
        }
    }

    fn ask(&self, step: &Step, need: u32, people: Vec<String>, deadline: Millis, scene: &mut Scene<'_>) -> Phase {
        let name = self.name(step);
        let trip;
        let calldata: &[u8] = match &step.effect {
            Effect::Call { calldata, .. } | Effect::Propose { calldata, .. } => calldata,
            // The counts in the intent are read when it is signed; what people agree to is the step.
            Effect::Trip { .. } => {
                trip = key::step_hash(&self.playbook, step);
                trip.as_slice()
            }
            Effect::Notify { .. } | Effect::Restore { .. } => &[],
        };
        let ask = Ask {
            digest: key::ask_digest(scene.incident, &name, calldata, self.rule_hash, deadline),
            incident: scene.incident,
            sentence: format!("{}: {}", scene.incident, sentence(&name, step)),
            step: name,
            people,
            need,
            deadline,
        };
        scene.desk.ask(ask.clone());
        Phase::Asking { question: Box::new(Question { ask, approved: BTreeSet::new(), vetoed: false }) }
    }

    pub(super) fn asking(&mut self, step: &Step, question: Box<Question>, scene: &mut Scene<'_>) -> Move {
        if question.vetoed {
            return Move::To(self.vetoed(&question, scene));
        }
        let lapsed = question.ask.deadline <= scene.now;
        let agreed =
            if question.ask.need == 0 { lapsed } else { question.approved.len() >= question.ask.need as usize };
        if agreed {
            let until = scene.now.plus(step.veto_ms);
            return Move::To(Phase::Vetoable { question, until });
        }
        if lapsed {
            scene.desk.emit(Output::Cancel { digest: question.ask.digest });
            return Move::To(self.lapse(step, "nobody agreed in time", true, scene));
        }
        Move::Stay(Phase::Asking { question })
    }

    pub(super) fn vetoable(&mut self, question: Box<Question>, until: Millis, scene: &mut Scene<'_>) -> Move {
        if question.vetoed {
            return Move::To(self.vetoed(&question, scene));
        }
        if until <= scene.now {
            return Move::To(Phase::Ready { question: Some(question) });
        }
        Move::Stay(Phase::Vetoable { question, until })
    }

    pub(super) fn vetoed(&self, question: &Question, scene: &mut Scene<'_>) -> Phase {
        scene.desk.emit(Output::Cancel { digest: question.ask.digest });
        self.end(super::End::Vetoed, scene)
    }

    pub(crate) fn question(&self) -> Option<&Question> {
        match &self.phase {
            Phase::Asking { question } | Phase::Vetoable { question, .. } => Some(question),
            Phase::Ready { question } | Phase::Trying { question, .. } => question.as_deref(),
            Phase::Begin
            | Phase::When { .. }
            | Phase::Sending { .. }
            | Phase::Verifying { .. }
            | Phase::Restoring { .. }
            | Phase::Ended { .. } => None,
        }
    }

    fn question_mut(&mut self) -> Option<&mut Question> {
        match &mut self.phase {
            Phase::Asking { question } | Phase::Vetoable { question, .. } => Some(question),
            Phase::Ready { question } | Phase::Trying { question, .. } => question.as_deref_mut(),
            Phase::Begin
            | Phase::When { .. }
            | Phase::Sending { .. }
            | Phase::Verifying { .. }
            | Phase::Restoring { .. }
            | Phase::Ended { .. } => None,
        }
    }

    /// One person's approval; each person counts once, and only while the step still waits for approvals.
    pub(crate) fn approve(&mut self, by: &str, digest: B256) -> Word {
        let asking = matches!(self.phase, Phase::Asking { .. });
        let Some(question) = self.question_mut().filter(|q| q.ask.digest == digest) else { return Word::NotAsked };
        let may = if question.ask.people.is_empty() { by == SAFE } else { question.ask.people.iter().any(|p| p == by) };
        if !may || question.ask.need == 0 {
            return Word::NoSay;
        }
        if !asking || !question.approved.insert(by.to_owned()) {
            return Word::Repeated;
        }
        Word::Counted
    }

    /// One person's objection; it counts until the step is executed.
    pub(crate) fn veto(&mut self, by: &str, digest: B256, oncall: &[String]) -> Word {
        let Some(question) = self.question_mut().filter(|q| q.ask.digest == digest) else { return Word::NotAsked };
        let named = question.ask.people.iter().chain(oncall).any(|p| p == by);
        if !named && !question.ask.people.is_empty() {
            return Word::NoSay;
        }
        if std::mem::replace(&mut question.vetoed, true) { Word::Repeated } else { Word::Counted }
    }
}

/// The effect in words.
pub(super) fn sentence(name: &str, step: &Step) -> String {
    match &step.effect {
        Effect::Call { chain, target, via, .. } => format!("{name} calls {target} on {chain} by {via}"),
        Effect::Propose { chain, target, via, .. } => format!("{name} proposes a call of {target} on {chain} to {via}"),
        Effect::Trip { chain, controller, scope, to, via, .. } => {
            let hours = step.expires_ms.unwrap_or_default() / 3_600_000;
            format!("{name} makes scope {scope} of {controller} on {chain} {to:?} for at most {hours} h by {via}")
        }
        Effect::Notify { text } => format!("{name} tells: {text}"),
        Effect::Restore { stages } => format!("{name} reinstates service in {} stages", stages.len()),
    }
}
