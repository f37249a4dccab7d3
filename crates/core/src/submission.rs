//! Getting one transaction per action key onto a chain: nonces, fees, replacements, receipts.
//!
//! Owns the flights (one per action key) and what the chain last said about each signer's account. There is no counter of
//! its own: a nonce is the chain's next one, above those of flights that are still in the air. Must not know why an action
//! is wanted or what follows from its receipt; and it never lets a second key stand for the same flight.

use crate::chain::{BlockRef, ChainId, Millis};
use crate::incident::IncidentId;
use crate::io::{Action, Receipt, Submission};
use crate::playbook::SignerSpec;
use alloy_primitives::{B256, U256};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// Flights kept at once; at the bound a further action is refused, which fails its step and pages.
pub const FLIGHTS_MAX: usize = 256;
/// Transaction hashes kept per flight; the oldest is forgotten (receipts name the action key, not only the hash).
pub const HASHES_PER_FLIGHT: usize = 16;
/// Blocks to wait for the answer where an attempt went whose nonce is used; then it is sent anew, since a pause twice is better than none.
pub const ANSWER_BLOCKS_MAX: u64 = 32;
/// New nonces taken because somebody else used ours; then the flight is given up and pages.
pub const RESYNCS_MAX: u32 = 8;
/// The span of a signer's action budget.
pub const BUDGET_SPAN_MS: u64 = 24 * 60 * 60 * 1000;

/// How far a flight is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FlightState {
    /// The chain has not told the account's nonce yet.
    Queued,
    /// Handed over, not seen in an adopted block.
    Pending,
    /// The chain has used the nonce, but no receipt has come yet: it may be ours.
    NonceUsed {
        /// Height at which that was read.
        block_number: u64,
        /// The shell has looked and found none of its attempts in any block.
        absent: bool,
    },
    /// In an adopted block.
    Mined {
        /// Its receipt.
        receipt: Receipt,
    },
    /// No further attempt will be made; a late receipt still counts.
    Exhausted,
}

/// One action on its way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Flight {
    action: Action,
    /// A proposal to a Safe has no nonce or fee of ours and is not bumped.
    proposal: bool,
    gas_limit: u64,
    nonce: u64,
    attempt: u32,
    bumps_left: u32,
    resyncs: u32,
    max_fee_wei: U256,
    priority_fee_wei: U256,
    sent_block: u64,
    hashes: VecDeque<B256>,
    state: FlightState,
    /// The fee ceiling has been reported.
    at_ceiling: bool,
    /// Its incident is closed: it is forgotten as soon as it is down.
    orphaned: bool,
}

impl Flight {
    /// How far it is.
    #[must_use]
    pub fn state(&self) -> &FlightState {
        &self.state
    }

    /// Account nonce of the present attempt.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        self.nonce
    }

    /// The action.
    #[must_use]
    pub fn action(&self) -> &Action {
        &self.action
    }

    /// Whether it may still be included.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match self.state {
            FlightState::Queued | FlightState::Pending | FlightState::NonceUsed { .. } => true,
            FlightState::Mined { .. } | FlightState::Exhausted => false,
        }
    }

    /// An exhausted flight gives its nonce up: the next action replaces it, or nothing behind it would ever be included.
    fn holds_nonce(&self) -> bool {
        let sent = match self.state {
            FlightState::Pending | FlightState::NonceUsed { .. } | FlightState::Mined { .. } => true,
            FlightState::Queued | FlightState::Exhausted => false,
        };
        sent && !self.proposal
    }

    fn find(&self) -> FlightEvent {
        FlightEvent::Find(Box::new(self.submission()), self.hashes.iter().copied().collect())
    }

    fn submission(&self) -> Submission {
        Submission {
            action: self.action.clone(),
            attempt: self.attempt,
            nonce: self.nonce,
            gas_limit: self.gas_limit,
            max_fee_wei: self.max_fee_wei,
            priority_fee_wei: self.priority_fee_wei,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Account {
    nonce: u64,
    base_fee_wei: U256,
    block_number: u64,
}

/// What a change of a flight asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FlightEvent {
    /// Hand this over.
    Send(Box<Submission>),
    /// The fee ceiling forbids a further bump.
    AtCeiling(B256),
    /// Somebody else used the nonce; the flight has a new one under the same key.
    Resynced(B256),
    /// No further attempt will be made.
    Exhausted(B256),
    /// The block that held it was dropped.
    Reorged(B256),
    /// Found in an adopted block.
    Mined(B256),
    /// The chain has used the nonce and no receipt has come: find out who did.
    Find(Box<Submission>, Vec<B256>),
}

/// Why an action is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The signer's budget of actions per 24 h is spent.
    #[error("the signer's action budget of 24 h is spent")]
    Budget,
    /// [`FLIGHTS_MAX`] flights are open.
    #[error("too many actions are in flight")]
    Full,
    /// The policy names no such signer for that chain.
    #[error("no such signer on that chain")]
    Signer,
}

/// All flights and accounts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Submissions {
    accounts: BTreeMap<String, Account>,
    /// Times of first attempts per signer, inside the last [`BUDGET_SPAN_MS`].
    spent: BTreeMap<String, VecDeque<Millis>>,
    flights: BTreeMap<B256, Flight>,
}

impl Submissions {
    /// All flights, by key.
    pub fn flights(&self) -> impl Iterator<Item = &Flight> {
        self.flights.values()
    }

    /// The flight of this action.
    #[must_use]
    pub fn flight(&self, key: B256) -> Option<&Flight> {
        self.flights.get(&key)
    }

    /// Keys of the flights that an incident started.
    pub fn keys_of(&self, incident: IncidentId) -> impl Iterator<Item = B256> {
        self.flights.iter().filter(move |(_, f)| f.action.incident == incident).map(|(k, _)| *k)
    }

    /// Starts a flight when the chain's tip is at height `tip`. A key that is known already is joined, never doubled.
    ///
    /// # Errors
    /// [`Refusal`] when the guardian's own bounds forbid it.
    pub fn start(
        &mut self,
        now: Millis,
        action: Action,
        bumps_max: u32,
        signer: Option<&SignerSpec>,
        proposal: bool,
        tip: u64,
    ) -> Result<Vec<FlightEvent>, Refusal> {
        if self.flights.contains_key(&action.key) {
            return Ok(Vec::new());
        }
        let signer = signer.filter(|s| s.chain == action.chain);
        if signer.is_none() && !proposal {
            return Err(Refusal::Signer);
        }
        if self.flights.len() >= FLIGHTS_MAX {
            return Err(Refusal::Full);
        }
        if let Some(spec) = signer.filter(|_| !proposal) {
            self.debit(now, spec)?;
        }
        let key = action.key;
        let flight = Flight {
            action,
            proposal,
            gas_limit: signer.map_or(0, |s| s.gas_limit),
            nonce: 0,
            attempt: 0,
            bumps_left: bumps_max,
            resyncs: 0,
            max_fee_wei: U256::ZERO,
            priority_fee_wei: U256::ZERO,
            sent_block: tip,
            hashes: VecDeque::new(),
            state: FlightState::Queued,
            at_ceiling: false,
            orphaned: false,
        };
        self.flights.insert(key, flight);
        Ok(self.launch(key, signer).into_iter().collect())
    }

    /// Ends the memory of a flight whose incident is closed; one that is still in the air is followed until it is down.
    pub fn forget(&mut self, key: B256) {
        let Some(flight) = self.flights.get_mut(&key) else { return };
        if flight.is_open() {
            flight.orphaned = true;
        } else {
            self.flights.remove(&key);
        }
    }

    /// What a chain says about a signer's account, after each adopted block. `None` when nothing is new.
    pub fn account(
        &mut self,
        spec: &SignerSpec,
        nonce: u64,
        base_fee_wei: U256,
        block: u64,
    ) -> Option<Vec<FlightEvent>> {
        let account = Account { nonce, base_fee_wei, block_number: block };
        if self.accounts.get(&spec.name) == Some(&account) {
            return None;
        }
        self.accounts.insert(spec.name.clone(), account);
        let mut keys: Vec<(u64, B256)> = self
            .flights
            .iter()
            .filter(|(_, f)| f.action.via == spec.name && !f.proposal)
            .map(|(k, f)| (if f.holds_nonce() { f.nonce } else { u64::MAX }, *k))
            .collect();
        keys.sort_unstable();
        let mut events = Vec::new();
        for (_, key) in keys {
            self.follow(key, spec, nonce, block, &mut events);
        }
        Some(events)
    }

    /// The submitter's answer. True when it told something new.
    pub fn submitted(&mut self, key: B256, attempt: u32, result: &Result<B256, String>) -> bool {
        let Some(flight) = self.flights.get_mut(&key).filter(|f| attempt <= f.attempt) else { return false };
        match result {
            Ok(hash) if !flight.hashes.contains(hash) => {
                flight.hashes.push_back(*hash);
                if flight.hashes.len() > HASHES_PER_FLIGHT {
                    flight.hashes.pop_front();
                }
                true
            }
            Ok(_) => false,
            Err(_) => attempt == flight.attempt,
        }
    }

    /// A receipt from an adopted block. A success is never replaced by a failure.
    pub fn receipt(&mut self, receipt: &Receipt) -> Option<FlightEvent> {
        let flight = self.flights.get_mut(&receipt.action_key).filter(|f| f.action.chain == receipt.chain)?;
        if let FlightState::Mined { receipt: old } = &flight.state
            && (old.success || !receipt.success)
        {
            return None;
        }
        flight.state = FlightState::Mined { receipt: receipt.clone() };
        if flight.orphaned {
            self.flights.remove(&receipt.action_key);
        }
        Some(FlightEvent::Mined(receipt.action_key))
    }

    /// None of an action's attempts is in any block that the shell can see. True when that was asked.
    pub fn absent(&mut self, key: B256) -> bool {
        match self.flights.get_mut(&key).map(|f| &mut f.state) {
            Some(FlightState::NonceUsed { absent, .. }) => !std::mem::replace(absent, true),
            Some(FlightState::Queued | FlightState::Pending | FlightState::Mined { .. } | FlightState::Exhausted)
            | None => false,
        }
    }

    /// A dropped block takes its receipts with it; what was mined in it is handed over again as it was.
    pub fn retract(&mut self, chain: ChainId, block: &BlockRef) -> Vec<FlightEvent> {
        let mut events = Vec::new();
        for (key, flight) in &mut self.flights {
            let hit = match &flight.state {
                FlightState::Mined { receipt } => receipt.chain == chain && receipt.block == block.hash,
                FlightState::Queued | FlightState::Pending | FlightState::NonceUsed { .. } | FlightState::Exhausted => {
                    false
                }
            };
            if hit {
                flight.state = FlightState::Pending;
                events.push(FlightEvent::Reorged(*key));
                events.push(FlightEvent::Send(Box::new(flight.submission())));
            }
        }
        events
    }

    /// After a restart: every attempt without a receipt, as it was.
    pub fn resume(&self) -> Vec<FlightEvent> {
        // An exhausted flight must not compete with the one that has taken its nonce over.
        let replaced = |f: &Flight| {
            self.flights.values().any(|o| o.holds_nonce() && o.action.via == f.action.via && o.nonce == f.nonce)
        };
        let open = self.flights.values().filter(|f| match f.state {
            FlightState::Pending | FlightState::NonceUsed { .. } => true,
            FlightState::Exhausted => !replaced(f),
            FlightState::Queued | FlightState::Mined { .. } => false,
        });
        let find = self.flights.values().filter(|f| matches!(f.state, FlightState::NonceUsed { .. }));
        open.map(|f| FlightEvent::Send(Box::new(f.submission()))).chain(find.map(Flight::find)).collect()
    }

    fn debit(&mut self, now: Millis, spec: &SignerSpec) -> Result<(), Refusal> {
        let spent = self.spent.entry(spec.name.clone()).or_default();
        while spent.front().is_some_and(|t| t.plus(BUDGET_SPAN_MS) <= now) {
            spent.pop_front();
        }
        if spent.len() >= spec.actions_per_day_max as usize {
            return Err(Refusal::Budget);
        }
        spent.push_back(now);
        Ok(())
    }

    /// The chain's next nonce, above all that are in the air.
    fn next_nonce(&self, signer: &str, chain_nonce: u64) -> u64 {
        let held = self.flights.values().filter(|f| f.action.via == signer && f.holds_nonce());
        held.map(|f| f.nonce.saturating_add(1)).max().unwrap_or(0).max(chain_nonce)
    }

    /// Fees that replace what exhausted flights have left in the pool under this nonce.
    fn fees_to_beat(&self, signer: &str, nonce: u64) -> (U256, U256) {
        let left = self
            .flights
            .values()
            .filter(|f| f.state == FlightState::Exhausted && !f.proposal && f.action.via == signer && f.nonce == nonce);
        left.fold((U256::ZERO, U256::ZERO), |(max, priority), f| {
            (max.max(eighth_more(f.max_fee_wei)), priority.max(eighth_more(f.priority_fee_wei)))
        })
    }

    fn launch(&mut self, key: B256, spec: Option<&SignerSpec>) -> Option<FlightEvent> {
        let proposal = self.flights.get(&key)?.proposal;
        if proposal {
            let flight = self.flights.get_mut(&key)?;
            flight.state = FlightState::Pending;
            return Some(FlightEvent::Send(Box::new(flight.submission())));
        }
        let spec = spec?;
        let account = self.accounts.get(&spec.name)?.clone();
        let nonce = self.next_nonce(&spec.name, account.nonce);
        let (max_fee, priority) = self.fees_to_beat(&spec.name, nonce);
        let flight = self.flights.get_mut(&key)?;
        let wanted = double(account.base_fee_wei).saturating_add(spec.priority_fee_wei);
        flight.nonce = nonce;
        flight.max_fee_wei = flight.max_fee_wei.max(wanted).max(max_fee).min(spec.fee_wei_max);
        let priority = flight.priority_fee_wei.max(spec.priority_fee_wei).max(priority);
        flight.priority_fee_wei = priority.min(flight.max_fee_wei);
        // It can be included in the block after the newest one that is known here, from wherever.
        flight.sent_block = flight.sent_block.max(account.block_number);
        flight.state = FlightState::Pending;
        Some(FlightEvent::Send(Box::new(flight.submission())))
    }

    /// One flight after one more block.
    fn follow(&mut self, key: B256, spec: &SignerSpec, nonce: u64, block: u64, events: &mut Vec<FlightEvent>) {
        let Some(flight) = self.flights.get_mut(&key) else { return };
        match flight.state.clone() {
            FlightState::Queued => events.extend(self.launch(key, Some(spec))),
            FlightState::Pending if nonce > flight.nonce => {
                flight.state = FlightState::NonceUsed { block_number: block, absent: false };
                events.push(flight.find());
            }
            FlightState::Pending if block > flight.sent_block => self.bump(key, spec, block, events),
            FlightState::NonceUsed { .. } if nonce <= flight.nonce => {
                flight.state = FlightState::Pending;
                self.bump(key, spec, block, events);
            }
            FlightState::NonceUsed { block_number, absent } if block > block_number => {
                if absent || block > block_number.saturating_add(ANSWER_BLOCKS_MAX) {
                    return self.resync(key, spec, events);
                }
                events.push(flight.find());
            }
            FlightState::Pending
            | FlightState::NonceUsed { .. }
            | FlightState::Mined { .. }
            | FlightState::Exhausted => {}
        }
    }

    /// Replaces the attempt: same key, same nonce, both fees up by an eighth or more. At the ceiling the attempt stays as it is
    /// for the blocks that are left.
    fn bump(&mut self, key: B256, spec: &SignerSpec, block: u64, events: &mut Vec<FlightEvent>) {
        let base = self.accounts.get(&spec.name).map_or(U256::ZERO, |a| a.base_fee_wei);
        let Some(flight) = self.flights.get_mut(&key) else { return };
        if flight.bumps_left == 0 {
            return self.exhaust(key, events);
        }
        flight.bumps_left = flight.bumps_left.saturating_sub(1);
        flight.sent_block = block;
        let least = eighth_more(flight.max_fee_wei);
        let priority = eighth_more(flight.priority_fee_wei);
        if least.max(priority) > spec.fee_wei_max {
            if !std::mem::replace(&mut flight.at_ceiling, true) {
                events.push(FlightEvent::AtCeiling(key));
            }
            return;
        }
        let wanted = double(base).saturating_add(priority).min(spec.fee_wei_max);
        flight.max_fee_wei = least.max(wanted).max(priority);
        flight.priority_fee_wei = priority;
        flight.attempt = flight.attempt.saturating_add(1);
        events.push(FlightEvent::Send(Box::new(flight.submission())));
    }

    fn exhaust(&mut self, key: B256, events: &mut Vec<FlightEvent>) {
        events.push(FlightEvent::Exhausted(key));
        let Some(flight) = self.flights.get_mut(&key) else { return };
        flight.state = FlightState::Exhausted;
        if flight.orphaned {
            self.flights.remove(&key);
        }
    }

    /// Somebody else used the nonce: a new nonce under the same key.
    fn resync(&mut self, key: B256, spec: &SignerSpec, events: &mut Vec<FlightEvent>) {
        let Some(flight) = self.flights.get_mut(&key) else { return };
        if flight.resyncs >= RESYNCS_MAX {
            return self.exhaust(key, events);
        }
        flight.resyncs = flight.resyncs.saturating_add(1);
        flight.attempt = flight.attempt.saturating_add(1);
        flight.state = FlightState::Queued;
        events.push(FlightEvent::Resynced(key));
        events.extend(self.launch(key, Some(spec)));
    }
}

fn double(fee: U256) -> U256 {
    fee.saturating_mul(U256::from(2))
}

/// At least 12.5 % more, and at least one wei.
fn eighth_more(fee: U256) -> U256 {
    let eighth = fee.div_ceil(U256::from(8)).max(U256::from(1));
    fee.saturating_add(eighth)
}
