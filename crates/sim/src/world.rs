//! The virtual world: a chain, sources that tell of it truly or not, a clock, and the engine as the one guardian in it.
//!
//! Owns delivery: what reaches the engine when, and what becomes of its effects. It is the virtual shell; the live shell does the same
//! with real networks. Must not know what rules or scenarios are about.

mod source;

pub use source::{Fault, Source};

use crate::devnet::{BASE_FEE, Devnet, Lane};
use crate::signer::Signer;
use alloy_primitives::{Address, B256, Bytes};
use ripcord_core::chain::{BlockRef, Millis, SourceId};
use ripcord_core::fact::TxFacts;
use ripcord_core::io::{Action, Ask, Human, Notice, Receipt, Submission};
use ripcord_core::ports::Journal;
use ripcord_engine::{ChainSetup, Effect, Engine, EngineError, Observation, Setup};
use ripcord_evm::{ExecError, Hardforks, MemoryState, SpecId, SystemCalls, Tx};
use ripcord_policy::Policy;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Events waiting for their time; beyond it the oldest announcements are dropped, as a full socket would.
const EVENTS_MAX: usize = 100_000;
/// Milliseconds from the guardian's hand to the builder.
const BROADCAST_MS: u64 = 150;
/// Milliseconds until a node has answered where a transaction went.
const LOOK_MS: u64 = 100;

/// Why a world stopped.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorldError {
    /// The engine stopped.
    #[error("the guardian stopped")]
    Engine(#[from] EngineError),
    /// The chain could not build a block.
    #[error("the devnet cannot build a block")]
    Chain(#[from] ExecError),
}

/// A page that was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// When.
    pub at: Millis,
    /// What.
    pub notice: Notice,
}

/// An action that was handed to the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// When.
    pub at: Millis,
    /// What.
    pub submission: Submission,
    /// The answer.
    pub result: Result<B256, String>,
}

#[derive(Debug, Clone)]
enum Event {
    Announce(SourceId, BlockRef),
    Fault(SourceId, String),
    Seen(Box<Tx>),
    Broadcast(Submission),
    Look(Submission),
    Say(Human),
    Resync(BlockRef),
}

/// The world. `engine` is `None` while the guardian is down.
#[derive(Clone)]
pub struct World<J: Journal> {
    /// The chain.
    pub devnet: Devnet,
    /// The guardian.
    pub engine: Option<Engine<J, Arc<MemoryState>>>,
    /// Its sources.
    pub sources: Vec<Source>,
    /// Pages delivered.
    pub pages: Vec<Page>,
    /// Questions put.
    pub asks: Vec<Ask>,
    /// Actions handed to the chain.
    pub sent: Vec<Sent>,
    /// Whether the guardian also hands its transactions to the public mempool. It always uses the private lane.
    pub public_too: bool,
    /// Blocks adopted while the state had a hole.
    pub blind_blocks: u64,
    /// A fault planted in every engine that is started.
    #[cfg(feature = "sabotage")]
    pub sabotage: Option<ripcord_engine::Sabotage>,
    /// Keys that sign what the guardian asks to have signed.
    signers: Vec<Signer>,
    policy: Arc<Policy>,
    clock: Millis,
    hidden: Option<Address>,
    events: BTreeMap<(Millis, u64), Event>,
    serial: u64,
}

impl<J: Journal> World<J> {
    /// A world without a guardian yet.
    #[must_use]
    pub fn new(devnet: Devnet, sources: Vec<Source>, policy: Arc<Policy>, clock: Millis) -> Self {
        Self {
            devnet,
            engine: None,
            sources,
            pages: Vec::new(),
            asks: Vec::new(),
            sent: Vec::new(),
            public_too: true,
            blind_blocks: 0,
            #[cfg(feature = "sabotage")]
            sabotage: None,
            signers: Vec::new(),
            policy,
            clock,
            hidden: None,
            events: BTreeMap::new(),
            serial: 0,
        }
    }

    /// Hands the guardian a key to sign with.
    pub fn trust(&mut self, signer: Signer) {
        self.signers.push(signer);
    }

    /// Virtual time.
    #[must_use]
    pub fn now(&self) -> Millis {
        self.clock
    }

    /// Sets the clock without anything happening in between: a clock that jumps.
    pub fn jump(&mut self, to: Millis) {
        self.clock = to;
    }

    /// Starts the guardian on a journal: a new one, or the one that a crash left.
    ///
    /// # Errors
    /// [`WorldError::Engine`].
    pub fn start(&mut self, journal: J) -> Result<(), WorldError> {
        let chain = ChainSetup {
            chain: self.devnet.chain(),
            hardforks: Hardforks::Fixed(SpecId::CANCUN),
            system_calls: SystemCalls::Skip,
        };
        let setup = Setup { policy: Arc::clone(&self.policy), chains: vec![chain] };
        let (engine, effects) = Engine::open(setup, journal, self.clock)?;
        self.engine = Some(engine);
        #[cfg(feature = "sabotage")]
        if let (Some(engine), Some(fault)) = (&mut self.engine, self.sabotage) {
            engine.sabotage(fault);
        }
        // The state that the last life stood on; without one the first adopted block asks for it.
        let tip = self.tip();
        self.carry_out(effects)?;
        let left = self.engine.as_ref().map(Engine::undelivered).transpose()?.unwrap_or_default();
        self.carry_out(left)?;
        if let Some(tip) = tip {
            self.resync(tip)?;
        }
        Ok(())
    }

    /// From the next start on, the guardian's state does not know this account.
    pub fn hide_state(&mut self, account: Address) {
        self.hidden = Some(account);
    }

    /// The state is whole again; a guardian that is up gets it at once.
    pub fn heal_state(&mut self) {
        self.hidden = None;
        let tip = self.tip();
        if let Some(tip) = tip {
            self.schedule(0, Event::Resync(tip));
        }
    }

    /// The guardian dies; its journal is what remains.
    pub fn crash(&mut self) -> Option<J> {
        self.events.retain(|_, event| !matches!(event, Event::Broadcast(_) | Event::Look(_)));
        self.engine.take().map(Engine::into_journal)
    }

    /// Feeds one observation and carries out what follows.
    ///
    /// # Errors
    /// [`WorldError::Engine`]: the guardian is to be considered dead.
    pub fn tell(&mut self, observation: Observation) -> Result<(), WorldError> {
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let effects = engine.step(self.clock, observation)?;
        self.carry_out(effects)
    }

    /// A person speaks after a delay.
    pub fn say_later(&mut self, delay_ms: u64, word: Human) {
        self.schedule(delay_ms, Event::Say(word));
    }

    /// A user or attacker hands over a transaction; what is public is seen by the guardian `sight_ms` later.
    ///
    /// # Errors
    /// The node's refusal.
    pub fn submit(&mut self, tx: Tx, lane: Lane, sight_ms: u64) -> Result<B256, String> {
        let hash = self.devnet.submit(tx.clone(), lane)?;
        if lane == Lane::Public {
            self.schedule(sight_ms, Event::Seen(Box::new(Tx { hash, ..tx })));
        }
        Ok(hash)
    }

    /// Builds a block now and lets the sources tell of it, each in its own way.
    ///
    /// # Errors
    /// [`WorldError::Chain`].
    pub fn mine(&mut self) -> Result<BlockRef, WorldError> {
        let last = self.devnet.head().timestamp;
        let head = self.devnet.build((self.clock.0 / 1000).max(last + 1))?;
        self.announce(head);
        Ok(head)
    }

    /// Lets all sources tell of a block.
    pub fn announce(&mut self, head: BlockRef) {
        for index in 0..self.sources.len() {
            let Some(source) = self.sources.get_mut(index) else { continue };
            let id = SourceId(u16::try_from(index).unwrap_or(u16::MAX));
            let told = source.tells(head, |number| self.devnet.canonical(number).map(|b| b.block.header.block_ref()));
            let latency = source.latency_ms;
            if let Some(block) = told {
                self.schedule(latency, Event::Announce(id, block));
            } else if source.complains() {
                self.schedule(latency, Event::Fault(id, "no answer within 2 s".to_owned()));
            }
        }
    }

    /// Lets time pass: what is due happens in order, and the guardian's own deadlines fire.
    ///
    /// # Errors
    /// [`WorldError::Engine`].
    pub fn run_until(&mut self, until: Millis) -> Result<(), WorldError> {
        loop {
            let event = self.events.first_key_value().map(|((at, _), _)| *at).filter(|at| *at <= until);
            let deadline = self.engine.as_ref().and_then(|e| e.guardian().next_deadline()).filter(|at| *at <= until);
            match (event, deadline) {
                (None, None) => break,
                (Some(at), deadline) if deadline.is_none_or(|d| at <= d) => {
                    self.clock = self.clock.max(at);
                    if let Some((_, event)) = self.events.pop_first() {
                        self.happen(event)?;
                    }
                }
                (_, Some(at)) => {
                    self.clock = self.clock.max(at);
                    self.tell(Observation::Tick)?;
                }
                (Some(_), None) => break,
            }
        }
        self.clock = self.clock.max(until);
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Result<(), WorldError> {
        let chain = self.devnet.chain();
        match event {
            Event::Announce(source, block) => {
                if let Some(built) = self.devnet.block(block.hash) {
                    let body = Arc::clone(&built.block);
                    self.tell(Observation::Body { block: body })?;
                }
                let before = self.tip();
                self.tell(Observation::Head { chain, source, block })?;
                self.blind_blocks += u64::from(self.hidden.is_some() && self.tip() != before);
                Ok(())
            }
            Event::Fault(source, why) => self.tell(Observation::SourceFault { chain, source, why }),
            Event::Seen(tx) => self.tell(Observation::Pending { chain, tx }),
            Event::Resync(tip) => self.resync(tip),
            Event::Say(word) => self.tell(Observation::Human(word)),
            Event::Broadcast(submission) => self.broadcast(submission),
            Event::Look(submission) => self.look(&submission),
        }
    }

    /// Whether the guardian stands on the chain's head, or on its parent while the announcement is on its way.
    #[must_use]
    pub fn is_caught_up(&self) -> bool {
        let head = self.devnet.head();
        self.tip().is_some_and(|tip| tip.hash == head.hash || tip.hash == head.parent)
    }

    fn tip(&self) -> Option<BlockRef> {
        self.engine.as_ref().and_then(|e| e.guardian().tip(self.devnet.chain()))
    }

    fn broadcast(&mut self, submission: Submission) -> Result<(), WorldError> {
        let account = self.signer(&submission);
        let result =
            self.calldata(&submission.action, account).and_then(|input| self.relay(&submission, account, input));
        let (action_key, attempt) = (submission.action.key, submission.attempt);
        self.sent.push(Sent { at: self.clock, submission: submission.clone(), result: result.clone() });
        if let Some(engine) = &mut self.engine {
            engine.delivered(&Effect::Submit(submission))?;
        }
        self.tell(Observation::Submitted { action_key, attempt, result })
    }

    /// What is sent: the call as it is, or with the signature that it needs.
    fn calldata(&self, action: &Action, account: Address) -> Result<Bytes, String> {
        let Some(intent) = &action.intent else { return Ok(action.calldata.clone()) };
        let signer = self.signers.iter().find(|s| s.address() == account);
        let signer = signer.ok_or_else(|| format!("no key of {account}"))?;
        Ok(intent.calldata(&[signer.sign(intent.digest(action.chain, action.target))?]))
    }

    fn relay(&mut self, submission: &Submission, account: Address, input: Bytes) -> Result<B256, String> {
        let tx = Tx {
            kind: 2,
            from: account,
            to: Some(submission.action.target),
            input,
            nonce: submission.nonce,
            gas_limit: submission.gas_limit,
            max_fee: submission.max_fee_wei.saturating_to(),
            priority_fee: Some(submission.priority_fee_wei.saturating_to()),
            ..Tx::default()
        };
        let lane = if self.public_too { Lane::Public } else { Lane::Private };
        self.devnet.submit(tx, lane)
    }

    /// A node is asked where the guardian's transaction went.
    fn look(&mut self, submission: &Submission) -> Result<(), WorldError> {
        let (account, action) = (self.signer(submission), &submission.action);
        let head = self.devnet.head().number;
        let ours = |facts: &&TxFacts| {
            let calldata = facts.calls.first().map(|c| c.input.clone()).unwrap_or_default();
            facts.from == account && facts.nonce == submission.nonce && action.is_in(&calldata)
        };
        let blocks = (0..=head).rev().filter_map(|number| self.devnet.canonical(number));
        let found = blocks.flat_map(|block| &block.facts).find(ours);
        self.tell(match found.and_then(|facts| facts.at.tx.map(|tx| (tx, facts))) {
            Some((tx, facts)) => Observation::Found(Receipt {
                action_key: action.key,
                chain: facts.at.chain,
                tx,
                block: facts.at.block_hash,
                block_number: facts.at.block_number,
                success: facts.success,
            }),
            None => Observation::Absent { action_key: action.key },
        })
    }

    fn signer(&self, submission: &Submission) -> Address {
        let program = self.policy.program();
        program.signers.iter().find(|s| s.name == submission.action.via).map_or(Address::ZERO, |s| s.account)
    }

    fn carry_out(&mut self, effects: Vec<Effect>) -> Result<(), WorldError> {
        for effect in effects {
            match &effect {
                Effect::Submit(submission) => {
                    self.schedule(BROADCAST_MS, Event::Broadcast(submission.clone()));
                    continue;
                }
                Effect::Notify(notice) => self.pages.push(Page { at: self.clock, notice: notice.clone() }),
                Effect::Ask(ask) => self.asks.push(ask.clone()),
                Effect::Cancel { digest } => self.asks.retain(|a| a.digest != *digest),
                Effect::Find { submission, .. } => {
                    self.schedule(LOOK_MS, Event::Look(submission.clone()));
                    continue;
                }
                Effect::Fetch { hash, .. } => {
                    self.fetch(*hash);
                    continue;
                }
                Effect::Resync { at, .. } => {
                    self.resync(*at)?;
                    continue;
                }
            }
            if let Some(engine) = &mut self.engine {
                engine.delivered(&effect)?;
            }
        }
        Ok(())
    }

    /// Honest sources hand over a block that they were asked for.
    fn fetch(&mut self, hash: B256) {
        let Some(block) = self.devnet.block(hash).map(|b| b.block.header.block_ref()) else { return };
        for index in 0..self.sources.len() {
            let id = SourceId(u16::try_from(index).unwrap_or(u16::MAX));
            let latency = self.sources.get(index).filter(|s| s.answers()).map(|s| s.latency_ms);
            if let Some(latency) = latency {
                self.schedule(latency, Event::Announce(id, block));
            }
        }
    }

    fn resync(&mut self, at: BlockRef) -> Result<(), WorldError> {
        // A state that nobody keeps any more is replaced by the newest one; what lies between stays unevaluated, and the core says so.
        let newest = self.devnet.head().hash;
        let Some(built) = self.devnet.block(at.hash).or_else(|| self.devnet.block(newest)) else { return Ok(()) };
        let (mut state, header) = (Arc::clone(&built.state), built.block.header.clone());
        if let Some(account) = self.hidden {
            Arc::make_mut(&mut state).hide(account);
        }
        let chain = self.devnet.chain();
        let clock = self.clock;
        let Some(engine) = &mut self.engine else { return Ok(()) };
        let effects = engine.resync(clock, chain, state, header)?;
        self.carry_out(effects)
    }

    fn schedule(&mut self, delay_ms: u64, event: Event) {
        if self.events.len() >= EVENTS_MAX {
            self.events.pop_first();
        }
        self.serial += 1;
        self.events.insert((self.clock.plus(delay_ms), self.serial), event);
    }

    /// Base fee of every block, wei per gas.
    #[must_use]
    pub fn base_fee() -> u128 {
        u128::from(BASE_FEE)
    }
}
