//! The guardian: the whole decision machine behind `handle`, `poll_output` and `next_deadline`.
//!
//! Owns the order of things: the record of an input stands before what follows from it, what follows is derived from the
//! journaled inputs alone, and an input that changes nothing leaves no trace. Must not do I/O or know the time by itself.
//!
//! For each adopted block the driver feeds, in this order: receipts, signals (those of [`Guardian::wanted`] included), facts,
//! `Evaluated` or `Blind`, accounts. A fact that comes before the signal that opens its incident is not counted as loss, and a
//! verification that comes before its receipt is read again with the next block.
//!
//! The parts decide: [`crate::quorum`], [`crate::link`], [`crate::submission`], [`crate::ladder`], [`crate::recovery`],
//! [`crate::incident`] and the response.

mod accounts;
mod cases;
mod chains;
pub(crate) mod desk;
mod index;
mod people;
mod replay;
mod sane;
mod verdicts;
pub(crate) mod watch;

pub use replay::ReplayError;

use crate::chain::{ChainId, Millis};
use crate::fact::{Fact, FactKind};
use crate::incident::{Incident, IncidentId};
use crate::io::{Body, Input, Output, Record};
use crate::key;
use crate::playbook::{Program, RuleMode};
use crate::response::{Episodes, Told};
use crate::signal::RuleId;
use crate::submission::{Flight, Submissions};
use alloy_primitives::{Address, B256, keccak256};
use desk::Desk;
use index::Index;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use verdicts::RuleState;
use watch::Watch;

/// Outputs that may wait to be polled; beyond that inputs are refused, and [`Guardian::refused`] counts them.
pub const OUTPUTS_MAX: usize = 65_536;
/// Incidents kept, open and closed. At the bound the oldest closed one is forgotten; when all are open a new cause is paged
/// (P1) but not opened.
pub const INCIDENTS_MAX: usize = 256;
/// Playbook runs that pending transactions alone may start in 24 h.
pub const PENDING_ACTIONS_PER_DAY: usize = 2;
/// Blind rules of one chain that are told one by one; beyond that one notice speaks for all.
pub const BLIND_NOTICES_MAX: usize = 16;
/// Moves of playbooks that one input may cause; what is left is done with the next input.
const MOVES_MAX: usize = 4096;

#[derive(Debug, Clone, Serialize)]
struct State {
    /// Time of the last journaled input.
    at: Millis,
    policy_hash: B256,
    chains: BTreeMap<ChainId, Watch>,
    /// In the order of the program's rules.
    rules: Vec<RuleState>,
    incidents: BTreeMap<IncidentId, Incident>,
    last_incident: u64,
    submissions: Submissions,
    /// Runs that pending transactions started in the last 24 h.
    pending_runs: VecDeque<Millis>,
    episodes: BTreeMap<B256, Episodes>,
}

/// The decision machine. Feed it inputs with the time, carry out its outputs in order.
#[derive(Debug, Clone)]
pub struct Guardian {
    program: Arc<Program>,
    index: Index,
    state: State,
    desk: Desk,
    queue: VecDeque<Output>,
    /// The latest time seen; not part of the state, since an input that changes nothing leaves no trace.
    seen: Millis,
    /// Derived from the state after each change.
    deadline: Option<Millis>,
    wanted: BTreeSet<RuleId>,
    watched: BTreeSet<Address>,
    refused: u64,
}

impl Guardian {
    /// A machine at its beginning; its first output is the genesis record.
    #[must_use]
    pub fn new(program: Program, genesis_at: Millis) -> Self {
        let at = genesis_at.min(Millis::MAX);
        let state = State {
            at,
            policy_hash: program.policy_hash,
            chains: program.chains.iter().map(|c| (c.chain, Watch::new(c, at))).collect(),
            rules: program.rules.iter().map(|_| RuleState::default()).collect(),
            incidents: BTreeMap::new(),
            last_incident: 0,
            submissions: Submissions::default(),
            pending_runs: VecDeque::new(),
            episodes: BTreeMap::new(),
        };
        let body = Body::Genesis { project: program.project.clone(), policy_hash: program.policy_hash };
        let mut guardian = Self {
            index: Index::new(&program),
            desk: Desk::new(program.project.clone()),
            program: Arc::new(program),
            state,
            queue: VecDeque::from([Output::Journal(Record { at, body })]),
            seen: at,
            deadline: None,
            wanted: BTreeSet::new(),
            watched: BTreeSet::new(),
            refused: 0,
        };
        guardian.refresh();
        guardian
    }

    /// Takes one input. Deadlines that have passed by `now` fire first, as a journaled tick; a `now` that goes backwards counts
    /// as the latest one seen.
    pub fn handle(&mut self, now: Millis, input: Input) {
        if self.queue.len() >= OUTPUTS_MAX {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        self.seen = self.seen.max(now).min(Millis::MAX);
        if self.deadline.is_some_and(|d| d <= self.seen) {
            self.step(Input::Tick);
        }
        if let Some(input) = sane::sane(input) {
            self.step(input);
        }
    }

    /// The next output, in order. A [`Output::Journal`] must be durable before any later output is carried out.
    pub fn poll_output(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// When [`Guardian::handle`] should be called with a tick if nothing else happens.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Millis> {
        self.deadline
    }

    /// keccak-256 over the canonical serialization of the whole state.
    #[must_use]
    pub fn state_hash(&self) -> B256 {
        match serde_json::to_vec(&self.state) {
            Ok(bytes) => keccak256(bytes),
            // Every map key of the state is a string or a number, so this is not reached; were it, no two hashes would agree by chance.
            Err(error) => keccak256(error.to_string()),
        }
    }

    /// Inputs refused because nobody polled the outputs.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// Rules whose verdict on each adopted block is waited for now: preconditions, verifications and gates. They must be
    /// evaluated whether or not the block touched them.
    #[must_use]
    pub fn wanted(&self) -> &BTreeSet<RuleId> {
        &self.wanted
    }

    /// Accounts whose flows and modes matter to an open incident now.
    #[must_use]
    pub fn watched(&self) -> &BTreeSet<Address> {
        &self.watched
    }

    /// Incidents, oldest first.
    pub fn incidents(&self) -> impl Iterator<Item = &Incident> {
        self.state.incidents.values()
    }

    /// What a rule may do now; `None` for a rule that the program does not name.
    #[must_use]
    pub fn effective_mode(&self, rule: &RuleId) -> Option<RuleMode> {
        let index = *self.index.rules.get(rule)?;
        let (spec, state) = (self.program.rules.get(index)?, self.state.rules.get(index)?);
        Some(state.ladder.effective(spec.mode))
    }

    /// The newest adopted block of a chain.
    #[must_use]
    pub fn tip(&self, chain: ChainId) -> Option<crate::chain::BlockRef> {
        self.state.chains.get(&chain)?.tip().copied()
    }

    /// Why all rules of a chain read `Unknown`, if they do. A chain that the program does not name is never known.
    #[must_use]
    pub fn chain_unknown(&self, chain: ChainId) -> Option<crate::signal::UnknownWhy> {
        self.state.chains.get(&chain).map_or(Some(crate::signal::UnknownWhy::MissingState), Watch::unknown)
    }

    /// The flight of an action.
    #[must_use]
    pub fn flight(&self, action_key: B256) -> Option<&Flight> {
        self.state.submissions.flight(action_key)
    }

    /// All flights that are remembered, by action key.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.state.submissions.flights()
    }

    /// The program it runs.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    fn step(&mut self, input: Input) {
        self.desk.at = self.seen;
        self.apply(&input);
        if self.desk.is_dirty() || input == Input::Tick {
            self.settle();
        }
        let (dirty, outputs) = self.desk.take();
        if dirty {
            self.state.at = self.seen;
            self.queue.push_back(Output::Journal(Record { at: self.seen, body: Body::Input(input) }));
            self.queue.extend(outputs);
            self.refresh();
        } else if input == Input::Tick {
            self.deadline = self.find_deadline();
        }
    }

    fn apply(&mut self, input: &Input) {
        match input {
            Input::Tick => self.tick_chains(),
            Input::Head { chain, source, block } => self.head(*chain, *source, *block),
            Input::SourceFault { chain, source, why } => self.source_fault(*chain, *source, why),
            Input::Fact(fact) => self.fact(fact),
            Input::Signal(signal) => self.signal(signal),
            Input::Evaluated { chain, block } => self.evaluated(*chain, *block),
            Input::Blind { chain, block, why } => self.blind(*chain, *block, *why),
            Input::DryRun { action_key, outcome } => self.dry_run(*action_key, outcome),
            Input::Human(word) => self.human(word),
            Input::Account { signer, nonce, base_fee_wei, block_number } => {
                self.account(signer, *nonce, *base_fee_wei, *block_number);
            }
            Input::Submitted { action_key, attempt, result } => self.submitted(*action_key, *attempt, result),
            Input::Receipt(receipt) => self.receipt(receipt),
            Input::Absent { action_key } => self.absent(*action_key),
            Input::Restarted => self.restarted(),
        }
    }

    fn fact(&mut self, fact: &Fact) {
        match &fact.kind {
            FactKind::Log { .. } => {}
            FactKind::Flow { account, usd_e8, .. } => {
                if self.watched.contains(account) {
                    self.flow(*account, &fact.at, *usd_e8);
                }
            }
            FactKind::Mode { target, mode } => {
                if self.watched.contains(target) {
                    self.mode(*target, &fact.at, *mode);
                }
            }
            FactKind::Episode { target, scope, episode, trip_count, epoch } => {
                if self.index.targets.contains(target) && self.is_adopted(&fact.at) {
                    let told = Some(Told { episode: *episode, trip_count: *trip_count, epoch: *epoch });
                    let known = self.state.episodes.entry(key::counter(*target, *scope)).or_default();
                    if std::mem::replace(&mut known.told, told) != told {
                        self.desk.touch();
                    }
                }
            }
        }
    }

    /// Recomputes what is derived from the state.
    fn refresh(&mut self) {
        self.deadline = self.find_deadline();
        self.wanted.clear();
        self.watched.clear();
        for incident in self.state.incidents.values().filter(|i| !i.is_over()) {
            self.watched.insert(incident.target);
            for run in &incident.runs {
                self.wanted.extend(run.wanted(&self.program).into_iter().cloned());
            }
        }
    }

    /// The earliest time that would move something. What is due already has been looked at and waits for something else.
    fn find_deadline(&self) -> Option<Millis> {
        let chains = self.state.chains.values().filter_map(Watch::deadline);
        let incidents = self.state.incidents.values().filter_map(|i| self.incident_deadline(i));
        chains.chain(incidents).filter(|d| *d > self.seen).min()
    }
}
