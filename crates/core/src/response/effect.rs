//! Effects: from an agreed step to what stands on chain.

use super::{CALLDATA_MAX, DRY_RUN_MS, Move, Phase, Question, Run, RunNews, Scene, Trip};
use crate::chain::{ChainId, Millis};
use crate::guardian::watch::EVALUATION_LAG_MAX;
use crate::incident::IncidentEvent;
use crate::io::{Action, DryRun, Output};
use crate::key::{self, KeyParts};
use crate::playbook::{Effect, Step};
use crate::recovery::{Recovery, RecoveryEvent};
use crate::submission::FlightState;
use crate::trip::{self, TripIntent, TripMode};
use alloy_primitives::{Address, B256, Bytes};

/// How long an unused intent stays valid, seconds.
const INTENT_SECS: u64 = 86_400;

/// What an action calls.
struct Call<'a> {
    chain: ChainId,
    target: Address,
    scope: B256,
    via: &'a str,
}

impl Run {
    /// Consent is there. What does not tighten waits while its chain reads `Unknown`.
    pub(super) fn execute(&mut self, step: &Step, question: Option<Box<Question>>, scene: &mut Scene<'_>) -> Move {
        if let Some(question) = question.as_ref().filter(|q| q.vetoed) {
            return Move::To(self.vetoed(question, scene));
        }
        let chain = step.effect.transaction().map_or(self.chain, |(chain, ..)| chain);
        if !step.effect.tightens() && (scene.is_unknown(chain) || scene.is_unknown(self.chain)) {
            return Move::Stay(Phase::Ready { question });
        }
        match &step.effect {
            Effect::Notify { text } => {
                scene.tell(scene.severity, self.rule_hash, text);
                Move::To(self.succeed(step, scene))
            }
            Effect::Restore { .. } => {
                close(question.as_deref(), scene);
                scene.news.push(RunNews::Recovering);
                let recovery = Recovery::begin(scene.now, scene.tip(self.chain));
                Move::To(Phase::Restoring { recovery: Box::new(recovery) })
            }
            Effect::Call { target, calldata, via, .. } | Effect::Propose { target, calldata, via, .. } => {
                if calldata.len() > CALLDATA_MAX {
                    close(question.as_deref(), scene);
                    return Move::To(self.fail(step, "its calldata is too long to be journaled", scene));
                }
                let trip = trip(key::counter(*target, B256::ZERO), scene);
                let call = Call { chain, target: *target, scope: key::scope(*target, calldata), via };
                let action = self.action(step, call, trip, scene);
                Move::To(self.try_or_join(question, Action { calldata: calldata.clone(), ..action }, scene))
            }
            Effect::Trip { controller, scope, to, mask, via, .. } => {
                let trip = trip(key::counter(*controller, *scope), scene);
                let call = Call { chain, target: *controller, scope: *scope, via };
                let action = self.action(step, call, trip, scene);
                let Some(intent) = self.intent(step, *scope, (*to, *mask), trip, scene) else {
                    close(question.as_deref(), scene);
                    return Move::To(self.fail(
                        step,
                        "the controller's counts are beyond what an intent can carry",
                        scene,
                    ));
                };
                let action = Action { calldata: intent.calldata(&[]), intent: Some(Box::new(intent)), ..action };
                Move::To(self.try_or_join(question, action, scene))
            }
        }
    }

    /// An action without what it calls with.
    fn action(&self, step: &Step, call: Call<'_>, trip: Trip, scene: &Scene<'_>) -> Action {
        let key = key::action_key(&KeyParts {
            chain: call.chain,
            target: call.target,
            scope: call.scope,
            episode: trip.episode,
            trip_count: trip.count,
            step_hash: key::step_hash(&self.playbook, step),
        });
        Action {
            key,
            incident: scene.incident,
            step: self.name(step),
            chain: call.chain,
            target: call.target,
            calldata: Bytes::new(),
            intent: None,
            via: call.via.to_owned(),
            verify: step.verify.clone(),
        }
    }

    /// What is signed for a trip. The same incident and counts give the same intent, but for the time of signing.
    fn intent(
        &self,
        step: &Step,
        scope: B256,
        (mode, mask): (TripMode, u32),
        trip: Trip,
        scene: &Scene<'_>,
    ) -> Option<TripIntent> {
        let now = trip::secs(scene.now);
        let duration_secs = step.expires_ms? / 1000;
        Some(TripIntent {
            scope,
            mode,
            mask,
            duration_secs,
            not_after_secs: now.checked_add(duration_secs)?.checked_add(INTENT_SECS)?,
            reason: short(&self.rule.0),
            evidence: self.rule_hash,
            step_hash: key::step_hash(&self.playbook, step),
            key_episode: u32::try_from(trip.episode).ok()?,
            trip_count: u16::try_from(trip.count).ok()?,
            incident_block: 0,
            epoch: u32::try_from(trip.epoch).ok()?,
            deadline_secs: now.checked_add(INTENT_SECS)?,
        })
    }

    /// A key that is in the air already is joined: two incidents, one effect.
    fn try_or_join(&self, question: Option<Box<Question>>, action: Action, scene: &mut Scene<'_>) -> Phase {
        if scene.submissions.flight(action.key).is_some() {
            close(question.as_deref(), scene);
            scene.news.push(RunNews::Sent);
            return Phase::Sending { key: action.key, until: None };
        }
        scene.desk.emit(Output::DryRun(action.clone()));
        let until = scene.now.plus(DRY_RUN_MS);
        Phase::Trying { question, action: Box::new(action), until, answer: None }
    }

    pub(super) fn trying(
        &mut self,
        step: &Step,
        question: Option<Box<Question>>,
        action: Box<Action>,
        until: Millis,
        answer: Option<DryRun>,
        scene: &mut Scene<'_>,
    ) -> Move {
        if let Some(question) = question.as_ref().filter(|q| q.vetoed) {
            return Move::To(self.vetoed(question, scene));
        }
        let tightens = step.effect.tightens();
        let why = match &answer {
            None if until > scene.now => return Move::Stay(Phase::Trying { question, action, until, answer }),
            None => "the dry-run did not answer".to_owned(),
            Some(DryRun::Unknown { why }) => format!("the dry-run could not tell ({why:?})"),
            Some(DryRun::Fails { why }) => {
                close(question.as_deref(), scene);
                let why = format!("the dry-run fails: {why}");
                return Move::To(self.fail(step, &why, scene));
            }
            Some(DryRun::Works { .. }) => {
                if !tightens && scene.is_unknown(action.chain) {
                    // The chain went stale meanwhile: it is tried again when it is back.
                    return Move::To(Phase::Ready { question });
                }
                return Move::To(self.submit(step, question.as_deref(), *action, scene));
            }
        };
        if tightens {
            let text = format!("{}: {}: {why}; it goes ahead, since it only tightens", scene.incident, action.step);
            scene.tell(scene.severity, self.rule_hash, &text);
            return Move::To(self.submit(step, question.as_deref(), *action, scene));
        }
        close(question.as_deref(), scene);
        Move::To(self.fail(step, &why, scene))
    }

    fn submit(&mut self, step: &Step, question: Option<&Question>, action: Action, scene: &mut Scene<'_>) -> Phase {
        close(question, scene);
        let key = action.key;
        let proposal = matches!(step.effect, Effect::Propose { .. });
        let signer = scene.program.signers.iter().find(|s| s.name == action.via && s.chain == action.chain);
        let tip = scene.tip(action.chain);
        match scene.submissions.start(scene.now, action, step.bumps_max, signer, proposal, tip) {
            Ok(events) => {
                scene.news.push(RunNews::Sent);
                for event in events {
                    scene.desk.fly(event);
                }
                let until = proposal.then(|| scene.now.plus(step.timeout_ms));
                Phase::Sending { key, until }
            }
            Err(refusal) => self.fail(step, &format!("refused by the guardian's own bounds: {refusal}"), scene),
        }
    }

    pub(super) fn sending(&mut self, step: &Step, key: B256, until: Option<Millis>, scene: &mut Scene<'_>) -> Move {
        let state = scene.submissions.flight(key).map(|f| f.state().clone());
        match state {
            Some(FlightState::Mined { receipt }) => {
                if step.verify.is_some() {
                    let included = receipt.block_number;
                    return Move::To(Phase::Verifying { key, included, holds: false });
                }
                if !receipt.success {
                    return Move::To(self.fail(step, "its transaction reverted", scene));
                }
                Move::To(self.effected(step, receipt.block_number, scene))
            }
            Some(FlightState::Exhausted) => {
                Move::To(self.fail(step, "its transaction was not included after the last attempt", scene))
            }
            Some(FlightState::Queued | FlightState::Pending | FlightState::NonceUsed { .. }) => {
                if until.is_some_and(|u| u <= scene.now) {
                    return Move::To(self.lapse(
                        step,
                        "the owners have not executed the proposal in time",
                        false,
                        scene,
                    ));
                }
                Move::Stay(Phase::Sending { key, until })
            }
            None => Move::To(self.fail(step, "its transaction is not known any more", scene)),
        }
    }

    pub(super) fn verifying(
        &mut self,
        step: &Step,
        key: B256,
        included: u64,
        holds: bool,
        scene: &mut Scene<'_>,
    ) -> Move {
        let mined = scene.submissions.flight(key).is_some_and(|f| matches!(f.state(), FlightState::Mined { .. }));
        if !mined {
            return Move::To(Phase::Sending { key, until: None });
        }
        if holds {
            return Move::To(self.effected(step, included, scene));
        }
        let Some(watch) = scene.chains.get(&self.chain) else {
            return Move::To(self.fail(step, "its chain is not followed", scene));
        };
        let last = included.saturating_add(u64::from(step.within_blocks));
        let silent = watch.tip_number() >= last.saturating_add(u64::from(EVALUATION_LAG_MAX));
        if watch.evaluated() >= last || silent {
            return Move::To(self.fail(step, "its effect was not verified in time", scene));
        }
        Move::Stay(Phase::Verifying { key, included, holds })
    }

    fn effected(&mut self, step: &Step, block_number: u64, scene: &mut Scene<'_>) -> Phase {
        if matches!(step.effect, Effect::Call { .. } | Effect::Trip { .. }) {
            let until = step.expires_ms.map(|ms| scene.now.plus(ms));
            scene.news.push(RunNews::Contained { block_number, until });
        }
        self.succeed(step, scene)
    }

    pub(super) fn restoring(&mut self, step: &Step, mut recovery: Box<Recovery>, scene: &mut Scene<'_>) -> Move {
        let Effect::Restore { stages } = &step.effect else {
            return Move::Stay(Phase::Restoring { recovery });
        };
        if scene.is_unknown(self.chain) {
            if recovery.blind() {
                scene.desk.touch();
            }
            // Stages without gates wait for sight, too.
            return Move::Stay(Phase::Restoring { recovery });
        }
        match recovery.advance(scene.now, stages, scene.tip(self.chain)) {
            None => Move::Stay(Phase::Restoring { recovery }),
            Some(RecoveryEvent::Entered(stage)) => {
                let text = format!("{}: reinstatement enters stage {stage}", scene.incident);
                let event = IncidentEvent::Recovering { incident: scene.incident, stage: Some(stage) };
                scene.desk.incident(event);
                scene.tell(scene.severity, self.rule_hash, &text);
                Move::To(Phase::Restoring { recovery })
            }
            Some(RecoveryEvent::Done) => {
                scene.news.push(RunNews::Recovered);
                Move::To(self.succeed(step, scene))
            }
        }
    }

    /// The answer to a dry-run. True when it was waited for.
    pub(crate) fn dry_run(&mut self, key: B256, outcome: &DryRun) -> bool {
        match &mut self.phase {
            Phase::Trying { action, answer, .. } if action.key == key && answer.is_none() => {
                *answer = Some(outcome.clone());
                true
            }
            Phase::Begin
            | Phase::When { .. }
            | Phase::Asking { .. }
            | Phase::Vetoable { .. }
            | Phase::Ready { .. }
            | Phase::Trying { .. }
            | Phase::Sending { .. }
            | Phase::Verifying { .. }
            | Phase::Restoring { .. }
            | Phase::Ended { .. } => false,
        }
    }

    /// What a restarted process must put out again, beside the flights: the open question or the dry-run.
    pub(crate) fn resume(&self, desk: &mut crate::guardian::desk::Desk) {
        if let Some(question) = self.question() {
            desk.ask(question.ask.clone());
        }
        if let Phase::Trying { action, answer: None, .. } = &self.phase {
            desk.emit(Output::DryRun((**action).clone()));
        }
    }
}

/// Nobody needs to answer any more.
fn close(question: Option<&Question>, scene: &mut Scene<'_>) {
    if let Some(question) = question {
        scene.desk.emit(Output::Cancel { digest: question.ask.digest });
    }
}

/// The first 32 bytes of a name.
fn short(name: &str) -> B256 {
    let mut out = B256::ZERO;
    for (to, from) in out.iter_mut().zip(name.bytes()) {
        *to = from;
    }
    out
}

/// Episode and trip count under a counter, fixed once per trip of the incident and never below those of its last trip.
fn trip(counter: B256, scene: &mut Scene<'_>) -> Trip {
    let last = scene.trips.get(&counter).copied();
    if let Some(last) = last.filter(|t| t.fixed_for == scene.trip) {
        return last;
    }
    let known = scene.episodes.get(&counter).copied().unwrap_or_default();
    let epoch = known.told.map_or(0, |told| told.epoch);
    let (mut episode, mut count) = known.told.map_or((known.local, 0), |told| (told.episode, told.trip_count));
    if let Some(last) = last.filter(|t| (episode, count) <= (t.episode, t.count)) {
        (episode, count) = (last.episode, last.count.saturating_add(1));
    }
    let trip = Trip { episode, count, epoch, fixed_for: scene.trip };
    scene.trips.insert(counter, trip);
    trip
}
