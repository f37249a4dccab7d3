//! Incidents in the machine: opening and merging, what moves them, and how they end.

use super::verdicts::RuleState;
use super::{Guardian, INCIDENTS_MAX, MOVES_MAX, PENDING_ACTIONS_PER_DAY};
use crate::chain::{BlockRef, ChainId, Finality, Millis, Position};
use crate::incident::{Ending, Incident, IncidentEvent, IncidentId, Life, MERGE_MS, Mode, Retracted, UNLABELLED_MS};
use crate::io::Body;
use crate::ladder::LadderChange;
use crate::playbook::{Program, RuleSpec, Severity};
use crate::response::{self, Run, RunNews, Scene};
use crate::signal::{RuleId, Signal, Verdict};
use crate::submission::{BUDGET_SPAN_MS, Flight, Submissions};
use alloy_primitives::{Address, B256, I256};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Guardian {
    /// A rule fires: the incident of its cause, new or old, and its playbook when it is armed.
    pub(super) fn open_or_join(&mut self, index: usize, armed: bool, signal: &Signal) {
        let program = Arc::clone(&self.program);
        let Some(rule) = program.rules.get(index) else { return };
        let open = self
            .state
            .incidents
            .values()
            .find(|i| !i.is_over() && i.chain == rule.chain && i.target == rule.target && i.family == rule.family);
        let id = match open.map(|i| i.id) {
            Some(id) => match self.join(id, rule, signal) {
                Joined::Repetition => return,
                Joined::Added => id,
            },
            None => match self.open(rule, signal) {
                Some(id) => id,
                None => return,
            },
        };
        if armed {
            self.start_run(id, rule, signal.at.finality == Finality::Pending);
        }
    }

    fn open(&mut self, rule: &RuleSpec, signal: &Signal) -> Option<IncidentId> {
        if self.state.incidents.len() >= INCIDENTS_MAX {
            let oldest = self.state.incidents.values().find(|i| i.is_over()).map(|i| i.id);
            let Some(oldest) = oldest else {
                let text = format!("too many incidents are open: {} is violated and nothing follows from it", rule.id);
                self.desk.notify(&format!("full/{}", rule.id), Severity::P1, rule.hash, &text);
                return None;
            };
            self.charge_unlabelled(oldest);
            self.state.incidents.remove(&oldest);
        }
        self.state.last_incident = self.state.last_incident.saturating_add(1);
        let id = IncidentId(self.state.last_incident);
        let mut incident = Incident::open(id, self.desk.at, rule.family.clone(), rule.target, rule.severity, signal.at);
        incident.add(self.desk.at, signal);
        self.desk.incident(IncidentEvent::Opened {
            incident: id,
            cause: incident.cause(),
            rule: rule.id.clone(),
            severity: rule.severity,
            first: signal.at,
        });
        let text = format!("{id}: {} violated: {}{}", rule.id, rule.title, evidence(signal));
        self.desk.notify(&topic(&incident), rule.severity, rule.hash, &text);
        self.state.incidents.insert(id, incident);
        Some(id)
    }

    fn join(&mut self, id: IncidentId, rule: &RuleSpec, signal: &Signal) -> Joined {
        let now = self.desk.at;
        let Some(incident) = self.state.incidents.get_mut(&id) else { return Joined::Repetition };
        let pending = signal.at.finality == Finality::Pending;
        let merged_at = incident.last_signal_at;
        let known = incident.rules.contains(&rule.id);
        if !incident.add(now, signal) {
            return Joined::Repetition;
        }
        self.desk.touch();
        let worse = rule.severity < incident.severity;
        incident.severity = incident.severity.min(rule.severity);
        if !known || worse {
            let severity = incident.severity;
            self.desk.incident(IncidentEvent::Joined { incident: id, rule: rule.id.clone(), severity });
            let text = format!("{id}: {} violated too: {}{}", rule.id, rule.title, evidence(signal));
            self.desk.notify(&topic(incident), severity, rule.hash, &text);
        }
        let spent = incident.runs.iter().all(Run::is_over) && merged_at.plus(MERGE_MS) <= now;
        let again = match incident.life {
            Life::Recovering { .. } => true,
            Life::Contained { until, .. } => until.is_some_and(|u| u <= now),
            Life::Open => spent && !incident.runs.is_empty(),
            Life::Exiting { .. } | Life::Resolved { .. } => false,
        };
        if again && !pending {
            self.reopen(id);
        }
        Joined::Added
    }

    /// The cause is back: every playbook of the incident begins anew under the next trip.
    fn reopen(&mut self, id: IncidentId) {
        let program = Arc::clone(&self.program);
        let Some(incident) = self.state.incidents.get_mut(&id) else { return };
        incident.life = incident.life.reopen();
        incident.trip = incident.trip.saturating_add(1);
        let mut old = std::mem::take(&mut incident.runs);
        for run in &mut old {
            run.supersede(id, &mut self.desk);
        }
        self.desk.incident(IncidentEvent::Reopened { incident: id, trip: incident.trip });
        let text = format!("{id}: the cause is back; its playbook starts again (trip {})", incident.trip);
        self.desk.notify(&topic(incident), incident.severity, B256::ZERO, &text);
        for run in old {
            if let Some(rule) = program.rules.iter().find(|r| r.id == run.rule) {
                self.start_run(id, rule, false);
            }
        }
    }

    fn start_run(&mut self, id: IncidentId, rule: &RuleSpec, pending: bool) {
        let program = Arc::clone(&self.program);
        let now = self.desk.at;
        let Some(playbook) = rule.playbook.as_deref().and_then(|p| response::playbook(&program, p)) else { return };
        let Some(incident) = self.state.incidents.get_mut(&id) else { return };
        if incident.runs.iter().any(|r| r.playbook == playbook.id) {
            return;
        }
        if pending {
            let runs = &mut self.state.pending_runs;
            while runs.front().is_some_and(|t| t.plus(BUDGET_SPAN_MS) <= now) {
                runs.pop_front();
            }
            if runs.len() >= PENDING_ACTIONS_PER_DAY {
                let text = format!(
                    "{id}: {} rests on a pending transaction only, and their actions of 24 h are spent",
                    rule.id
                );
                self.desk.notify(&topic(incident), incident.severity, rule.hash, &text);
                return;
            }
            runs.push_back(now);
        }
        let asks =
            self.index.rules.get(&rule.id).and_then(|i| self.state.rules.get(*i)).is_some_and(|s| s.ladder.asks());
        incident.runs.push(Run::new(playbook, rule, asks));
        self.desk.touch();
    }

    pub(super) fn retract_signals(&mut self, chain: ChainId, block: &BlockRef) {
        let ids: Vec<IncidentId> = self.state.incidents.values().filter(|i| !i.is_over()).map(|i| i.id).collect();
        for id in ids {
            let Some(incident) = self.state.incidents.get_mut(&id) else { continue };
            for run in incident.runs.iter_mut().filter(|r| r.chain() == chain) {
                run.retract(Some(block.hash));
            }
            let Retracted::Signals { left } = incident.retract(block) else { continue };
            self.desk.incident(IncidentEvent::SignalsRetracted { incident: id, block: block.hash, left });
            if left > 0 {
                continue;
            }
            if incident.sent {
                let text = format!(
                    "{id}: a reorg took back every signal of it after an effect was sent: it stays open for people"
                );
                self.desk.notify(&topic(incident), incident.severity, B256::ZERO, &text);
            } else {
                self.close(id, Ending::Retracted);
            }
        }
    }

    /// The block that held an action was dropped: what it achieved is not on chain any more, and its step waits for it again.
    pub(super) fn lose_effect(&mut self, key: B256) {
        let Some(action) = self.state.submissions.flight(key).map(|f| f.action().clone()) else { return };
        for incident in self.state.incidents.values_mut().filter(|i| !i.is_over()) {
            let mut lost = false;
            for run in &mut incident.runs {
                lost |= run.lose(&self.program, &action);
            }
            let contained = matches!(incident.life, Life::Contained { .. });
            if lost && contained {
                incident.life = incident.life.reopen();
                incident.blocks_to_contain = None;
                self.desk.incident(IncidentEvent::Uncontained { incident: incident.id });
            }
        }
    }

    pub(super) fn flow(&mut self, account: Address, at: &Position, usd_e8: Option<I256>) {
        if at.finality == Finality::Pending || !self.is_adopted(at) {
            return;
        }
        for incident in self.state.incidents.values_mut() {
            let hit = !incident.is_over() && incident.target == account && incident.chain == at.chain;
            if hit && at.block_number >= incident.first.block_number {
                incident.flow(at, usd_e8);
                self.desk.touch();
            }
        }
    }

    /// The protected system's own word about its mode.
    pub(super) fn mode(&mut self, target: Address, at: &Position, mode: Mode) {
        if at.finality == Finality::Pending || !self.is_adopted(at) {
            return;
        }
        let hit = |i: &&Incident| !i.is_over() && i.target == target && i.chain == at.chain;
        let ids: Vec<IncidentId> = self.state.incidents.values().filter(hit).map(|i| i.id).collect();
        for id in ids {
            let calm = self.is_calm(id);
            let Some(incident) = self.state.incidents.get_mut(&id) else { continue };
            let contained = matches!(incident.life, Life::Contained { .. } | Life::Recovering { .. });
            match mode {
                Mode::Exit => {
                    let life = incident.life.exit(self.desk.at);
                    if life != incident.life {
                        incident.life = life;
                        self.desk.incident(IncidentEvent::Exiting { incident: id });
                        let text = format!("{id}: the protected system is in EXIT: users leave by claim");
                        self.desk.notify(&topic(incident), Severity::P1, B256::ZERO, &text);
                    }
                }
                Mode::Normal if contained && calm && !has_open_flight(incident, &self.state.submissions) => {
                    self.close(id, Ending::Released);
                }
                Mode::Normal | Mode::Watch | Mode::Recovering | Mode::Restricted | Mode::Halted => {}
            }
        }
    }

    /// Every rule of the incident is known to hold, on a chain that is known.
    pub(super) fn is_calm(&self, id: IncidentId) -> bool {
        let Some(incident) = self.state.incidents.get(&id) else { return false };
        let seen = self.state.chains.get(&incident.chain).is_some_and(|w| w.unknown().is_none());
        seen && !self.keeps_open(incident)
    }

    fn keeps_open(&self, incident: &Incident) -> bool {
        let states =
            incident.rules.iter().filter_map(|r| self.index.rules.get(r)).filter_map(|i| self.state.rules.get(*i));
        states.into_iter().any(RuleState::keeps_open)
    }

    /// Lets everything move that can, after an input or when time has passed.
    pub(super) fn settle(&mut self) {
        let mut moves = 0;
        loop {
            let ids: Vec<IncidentId> = self.state.incidents.keys().copied().collect();
            let mut moved = false;
            for id in ids {
                moved |= self.advance_runs(id, &mut moves);
                moved |= self.advance_incident(id);
            }
            if !moved || moves >= MOVES_MAX {
                return;
            }
        }
    }

    fn advance_runs(&mut self, id: IncidentId, moves: &mut usize) -> bool {
        let program = Arc::clone(&self.program);
        let Some(incident) = self.state.incidents.get_mut(&id).filter(|i| !i.is_over()) else { return false };
        let mut runs = std::mem::take(&mut incident.runs);
        let mut moved = false;
        let mut scene = Scene {
            now: self.desk.at,
            program: &program,
            chains: &self.state.chains,
            episodes: &self.state.episodes,
            submissions: &mut self.state.submissions,
            desk: &mut self.desk,
            incident: id,
            topic: topic(incident),
            severity: incident.severity,
            trip: incident.trip,
            trips: &mut incident.trips,
            news: Vec::new(),
        };
        for run in &mut runs {
            while *moves < MOVES_MAX && run.advance(&mut scene) {
                *moves += 1;
                moved = true;
            }
        }
        let news = std::mem::take(&mut scene.news);
        incident.runs = runs;
        for news in news {
            self.run_news(id, news);
        }
        moved
    }

    fn run_news(&mut self, id: IncidentId, news: RunNews) {
        let now = self.desk.at;
        let Some(incident) = self.state.incidents.get_mut(&id) else { return };
        match news {
            RunNews::Sent => incident.sent = true,
            RunNews::Contained { block_number, until } => {
                let blocks = block_number.saturating_sub(incident.first.block_number);
                incident.life = incident.life.contain(now, until);
                let blocks_to_contain = *incident.blocks_to_contain.get_or_insert(blocks);
                self.desk.incident(IncidentEvent::Contained { incident: id, blocks_to_contain, until });
                let unit = if blocks_to_contain == 1 { "block" } else { "blocks" };
                let text = format!("{id}: contained {blocks_to_contain} {unit} after the first violation");
                self.desk.notify(&topic(incident), incident.severity, B256::ZERO, &text);
            }
            RunNews::Recovering => {
                incident.life = incident.life.recover(now);
                self.desk.incident(IncidentEvent::Recovering { incident: id, stage: None });
            }
            RunNews::Recovered => self.close(id, Ending::Recovered),
        }
    }

    /// What time alone does to an incident.
    fn advance_incident(&mut self, id: IncidentId) -> bool {
        let now = self.desk.at;
        let Some(incident) = self.state.incidents.get(&id) else { return false };
        let quiet = quiet_at(incident, &self.program).is_some_and(|t| t <= now) && self.is_calm(id);
        let Some(incident) = self.state.incidents.get_mut(&id) else { return false };
        if charge_at(incident).is_some_and(|t| t <= now) {
            self.charge_unlabelled(id);
            return true;
        }
        if quiet {
            self.close(id, Ending::Quiet);
            return true;
        }
        match incident.life {
            Life::Contained { since, until: Some(until) } if until <= now => {
                incident.life = Life::Contained { since, until: None };
                let text = format!("{id}: the restriction has run out on chain");
                self.desk.notify(&topic(incident), incident.severity.min(Severity::P2), B256::ZERO, &text);
                let violated = self.state.incidents.get(&id).is_some_and(|i| self.is_violated(i));
                if violated {
                    self.reopen(id);
                }
                true
            }
            Life::Open
            | Life::Contained { .. }
            | Life::Exiting { .. }
            | Life::Recovering { .. }
            | Life::Resolved { .. } => false,
        }
    }

    fn is_violated(&self, incident: &Incident) -> bool {
        let states =
            incident.rules.iter().filter_map(|r| self.index.rules.get(r)).filter_map(|i| self.state.rules.get(*i));
        states.into_iter().any(|s| matches!(s.standing, super::verdicts::Standing::Violated { whole_block: true, .. }))
    }

    pub(super) fn incident_deadline(&self, incident: &Incident) -> Option<Millis> {
        let runs = incident.runs.iter().filter(|_| !incident.is_over()).filter_map(|r| r.deadline(&self.program));
        let expiry = match incident.life {
            Life::Contained { until, .. } => until,
            Life::Open | Life::Exiting { .. } | Life::Recovering { .. } | Life::Resolved { .. } => None,
        };
        let own = [charge_at(incident), quiet_at(incident, &self.program), expiry].into_iter().flatten();
        // What is past has been looked at already and must not hide what is to come.
        runs.chain(own).filter(|d| *d > self.seen).min()
    }

    /// Ends an incident: its runs are superseded, its flights forgotten, its episodes closed.
    pub(super) fn close(&mut self, id: IncidentId, how: Ending) {
        let now = self.desk.at;
        let Some(incident) = self.state.incidents.get_mut(&id) else { return };
        let mut runs = std::mem::take(&mut incident.runs);
        let keys: BTreeSet<B256> = self.state.submissions.keys_of(id).collect();
        for run in &mut runs {
            run.supersede(id, &mut self.desk);
        }
        incident.life = incident.life.resolve(now, how);
        for counter in incident.trips.keys() {
            let episodes = self.state.episodes.entry(*counter).or_default();
            episodes.local = episodes.local.saturating_add(1);
        }
        let loss_usd_e8 = incident.loss_usd_e8();
        self.desk.incident(IncidentEvent::Resolved { incident: id, how, loss_usd_e8 });
        let text = format!("{id}: closed ({how:?})");
        self.desk.notify(&topic(incident), incident.severity, B256::ZERO, &text);
        let shared: BTreeSet<B256> =
            self.state.incidents.values().flat_map(|i| i.runs.iter().filter_map(Run::key)).collect();
        for key in keys.difference(&shared) {
            self.state.submissions.forget(*key);
        }
    }

    /// An incident that nobody has judged within 7 days counts as a false alarm.
    fn charge_unlabelled(&mut self, id: IncidentId) {
        let Some(incident) = self.state.incidents.get_mut(&id).filter(|i| charge_at(i).is_some()) else { return };
        incident.charged = true;
        let rules = incident.rules.clone();
        self.charge(id, &rules, false);
    }

    /// Debits the budgets of an incident's rules. Running playbooks go on.
    pub(super) fn charge(&mut self, id: IncidentId, rules: &BTreeSet<RuleId>, human: bool) {
        let program = Arc::clone(&self.program);
        self.desk.touch();
        for rule in rules {
            let Some(index) = self.index.rules.get(rule).copied() else { continue };
            let (Some(spec), Some(state)) = (program.rules.get(index), self.state.rules.get_mut(index)) else {
                continue;
            };
            let Some(change) = state.ladder.debit(self.desk.at, id, human, spec) else { continue };
            let mode = state.ladder.effective(spec.mode);
            let why = match change {
                LadderChange::Demoted(_) => "its false-alarm budget is spent: one step down",
                LadderChange::Asks => "its false-alarm budget is spent: it acts only after a person's approval",
                LadderChange::Paged => "its false-alarm budget is spent",
            };
            self.desk.record(Body::Ladder { rule: rule.clone(), mode, why: why.to_owned() });
            let severity = if spec.hard || spec.severity == Severity::P1 { Severity::P2 } else { Severity::P3 };
            self.desk.notify(&format!("ladder/{rule}"), severity, spec.hash, &format!("rule {rule}: {why}"));
        }
    }
}

/// What became of a violation of a known cause.
enum Joined {
    Repetition,
    Added,
}

/// Topic of the incident's one page.
pub(super) fn topic(incident: &Incident) -> String {
    format!("{}/{}", incident.cause(), incident.id)
}

pub(super) fn has_open_flight(incident: &Incident, submissions: &Submissions) -> bool {
    submissions.keys_of(incident.id).any(|key| submissions.flight(key).is_some_and(Flight::is_open))
}

fn charge_at(incident: &Incident) -> Option<Millis> {
    let retracted = matches!(incident.life, Life::Resolved { how: Ending::Retracted, .. });
    let open = incident.label.is_none() && !incident.charged && !retracted;
    open.then(|| incident.opened_at.plus(UNLABELLED_MS))
}

/// When an incident without effects may close by itself, if its rules hold.
fn quiet_at(incident: &Incident, program: &Program) -> Option<Millis> {
    let idle = incident.life == Life::Open && !incident.sent && incident.runs.iter().all(Run::is_over);
    let keep = program.rules.iter().filter(|r| incident.rules.contains(&r.id)).map(|r| r.keep_firing_ms).max();
    idle.then(|| incident.last_signal_at.plus(keep.unwrap_or(0).max(MERGE_MS)))
}

fn evidence(signal: &Signal) -> String {
    let Verdict::Violated { evidence } = &signal.verdict else { return String::new() };
    let shown: Vec<String> = evidence.iter().take(4).map(|e| format!("{} {}", e.name, e.value)).collect();
    if shown.is_empty() { String::new() } else { format!(" ({})", shown.join(", ")) }
}
