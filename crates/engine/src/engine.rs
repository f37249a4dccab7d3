//! The engine: stages in order, one flush per step, effects only after it.

use crate::pipeline::{ChainSetup, Executed, Pipeline, Stuck};
use crate::words::{Effect, Observation};
use alloy_primitives::{Address, B256, U256, keccak256};
use ripcord_core::chain::{BlockRef, ChainId, Finality, Millis, Position};
use ripcord_core::fact::{Fact, FactKind, TxFacts};
use ripcord_core::guardian::{Guardian, ReplayError};
use ripcord_core::io::{Action, DryRun, Input, Output, Receipt};
use ripcord_core::playbook::{Effect as Plan, Program, SignerSpec};
use ripcord_core::ports::{Batch, Journal, JournalError, OutboxRow, StateSource};
use ripcord_core::signal::UnknownWhy;
use ripcord_core::submission::Flight;
use ripcord_detect::Detector;
use ripcord_evm::{Header, Tx};
use ripcord_policy::Policy;
use ripcord_store::replay;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Steps of the guardian that one observation may cause; beyond it the engine stops with an error instead of spinning.
const OUTPUTS_PER_STEP_MAX: usize = 1_000_000;

/// Outbox rows read at once after a restart; the rest follows when these are delivered.
const UNDELIVERED_MAX: usize = 4096;

/// What an engine is built from.
pub struct Setup {
    /// The checked policy.
    pub policy: Arc<Policy>,
    /// How each chain executes.
    pub chains: Vec<ChainSetup>,
}

/// Why the engine stopped. It does nothing further after any of these.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum EngineError {
    /// The journal took nothing: no effect was released.
    #[error("the journal refused a step")]
    Journal(#[from] JournalError),
    /// An entry cannot be encoded or decoded.
    #[error("journal entry: {0}")]
    Entry(String),
    /// The journal does not follow from its own inputs, or belongs to another policy.
    #[error("replay")]
    Replay(#[from] ReplayError),
    /// One observation caused more than the engine's bound of outputs.
    #[error("one observation caused more than {OUTPUTS_PER_STEP_MAX} outputs")]
    Runaway,
}

/// A fault planted on purpose.
#[cfg(feature = "sabotage")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// `Unknown` verdicts are passed on as `Holds`.
    UnknownAsHolds,
    /// Each submission after a restart gets a new key.
    ForgetKey,
}

/// The guardian as one synchronous pipeline. A copy shares nothing with the original but the policy.
#[derive(Clone)]
pub struct Engine<J: Journal, S: StateSource> {
    guardian: Guardian,
    detector: Detector,
    pipelines: BTreeMap<ChainId, Pipeline<S>>,
    journal: J,
    batch: Batch,
    effects: Vec<Effect>,
    stopped: Option<JournalError>,
    #[cfg(feature = "sabotage")]
    sabotage: Option<Sabotage>,
}

impl<J: Journal, S: StateSource> Engine<J, S> {
    /// Opens an engine on a journal: empty, or one that an engine with the same policy wrote before. In the second case the state is
    /// rebuilt from it, and the effects that were under way come out again, under the same keys. Each chain needs a
    /// [`Self::resync`] before its blocks can be evaluated.
    ///
    /// # Errors
    /// [`EngineError::Replay`] when the journal contradicts itself or the policy; [`EngineError::Journal`].
    pub fn open(setup: Setup, journal: J, now: Millis) -> Result<(Self, Vec<Effect>), EngineError> {
        let program = setup.policy.program();
        let size = journal.size();
        let (guardian, tail) =
            if size == 0 { (Guardian::new(program, now), Vec::new()) } else { rebuild(program, &journal)? };
        let pipelines = setup.chains.iter().map(|c| (c.chain, Pipeline::new(*c))).collect();
        let mut engine = Self {
            guardian,
            detector: Detector::new(Arc::clone(&setup.policy)),
            pipelines,
            journal,
            batch: Batch::default(),
            effects: Vec::new(),
            stopped: None,
            #[cfg(feature = "sabotage")]
            sabotage: None,
        };
        for output in tail {
            engine.carry_out(now, output)?;
        }
        if size > 0 {
            engine.guardian.handle(now, Input::Restarted);
        }
        engine.drain(now)?;
        let effects = engine.commit()?;
        Ok((engine, effects))
    }

    /// Plants a fault.
    #[cfg(feature = "sabotage")]
    pub fn sabotage(&mut self, fault: Sabotage) {
        self.sabotage = Some(fault);
    }

    /// Gives a chain a state to stand on: the state after this header's block.
    ///
    /// # Errors
    /// [`EngineError`]; the engine has stopped.
    pub fn resync(
        &mut self,
        now: Millis,
        chain: ChainId,
        source: S,
        header: Header,
    ) -> Result<Vec<Effect>, EngineError> {
        self.check()?;
        if let Some(pipeline) = self.pipelines.get_mut(&chain) {
            pipeline.resync(source, header);
        }
        self.catch_up(now, chain);
        self.drain(now)?;
        self.commit()
    }

    /// Takes one observation through the whole pipeline. The effects returned are on disk as intents.
    ///
    /// # Errors
    /// [`EngineError`]; the engine has stopped and released nothing.
    pub fn step(&mut self, now: Millis, observation: Observation) -> Result<Vec<Effect>, EngineError> {
        self.check()?;
        match observation {
            Observation::Tick => self.guardian.handle(now, Input::Tick),
            Observation::Head { chain, source, block } => {
                self.guardian.handle(now, Input::Head { chain, source, block })
            }
            Observation::Body { block } => self.body(now, block),
            Observation::Pending { chain, tx } => self.pending(now, chain, &tx),
            Observation::SourceFault { chain, source, why } => {
                self.guardian.handle(now, Input::SourceFault { chain, source, why });
            }
            Observation::Human(word) => self.guardian.handle(now, Input::Human(word)),
            Observation::Submitted { action_key, attempt, result } => {
                self.guardian.handle(now, Input::Submitted { action_key, attempt, result });
            }
            Observation::Found(receipt) => self.guardian.handle(now, Input::Receipt(receipt)),
            Observation::Absent { action_key } => self.guardian.handle(now, Input::Absent { action_key }),
        }
        self.drain(now)?;
        self.commit()
    }

    /// The decision machine, to be looked at.
    pub fn guardian(&self) -> &Guardian {
        &self.guardian
    }

    /// Whether a refused write has stopped the engine: its state is then one step ahead of the journal.
    pub fn has_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// The journal, to be looked at.
    pub fn journal(&self) -> &J {
        &self.journal
    }

    /// The journal, for a simulation that orders faults of it.
    #[cfg(feature = "sabotage")]
    pub fn journal_mut(&mut self) -> &mut J {
        &mut self.journal
    }

    /// Ends the engine and gives the journal back.
    pub fn into_journal(self) -> J {
        self.journal
    }

    /// Marks an effect as delivered, so that a restart does not deliver it again.
    ///
    /// # Errors
    /// [`EngineError::Journal`].
    pub fn delivered(&mut self, effect: &Effect) -> Result<(), EngineError> {
        self.check()?;
        if let Some(row) = outbox_row(effect)? {
            self.journal.delivered(row.key)?;
        }
        Ok(())
    }

    /// What an earlier life released for people and never marked as delivered, oldest first. Submissions are not among them: those the
    /// guardian itself puts out again.
    ///
    /// # Errors
    /// [`EngineError::Journal`], or [`EngineError::Entry`] for a row that this build cannot read.
    pub fn undelivered(&self) -> Result<Vec<Effect>, EngineError> {
        let mut effects = Vec::new();
        for row in self.journal.pending(UNDELIVERED_MAX)? {
            let effect = serde_json::from_slice(&row.payload).map_err(|e| EngineError::Entry(e.to_string()))?;
            if !matches!(effect, Effect::Submit(_)) {
                effects.push(effect);
            }
        }
        Ok(effects)
    }

    fn check(&self) -> Result<(), EngineError> {
        self.stopped.clone().map_or(Ok(()), |e| Err(e.into()))
    }

    fn body(&mut self, now: Millis, block: Arc<ripcord_evm::Block>) {
        let chain = block.chain;
        if let Some(pipeline) = self.pipelines.get_mut(&chain) {
            pipeline.keep_body(block);
        }
        self.catch_up(now, chain);
    }

    fn pending(&mut self, now: Millis, chain: ChainId, tx: &Tx) {
        let Some(pipeline) = self.pipelines.get_mut(&chain) else { return };
        let Some((_, signals)) = pipeline.peek(tx, &mut self.detector) else { return };
        for signal in signals {
            self.tell(now, Input::Signal(signal));
        }
    }

    fn drain(&mut self, now: Millis) -> Result<(), EngineError> {
        for _ in 0..OUTPUTS_PER_STEP_MAX {
            match self.guardian.poll_output() {
                None => return Ok(()),
                Some(output) => self.carry_out(now, output)?,
            }
        }
        Err(EngineError::Runaway)
    }

    fn carry_out(&mut self, now: Millis, output: Output) -> Result<(), EngineError> {
        match output {
            Output::Journal(record) => {
                let entry = replay::encode(&record).map_err(|e| EngineError::Entry(e.to_string()))?;
                self.batch.entries.push(entry);
            }
            Output::Adopt { chain, block } => {
                if let Some(pipeline) = self.pipelines.get_mut(&chain) {
                    pipeline.backlog.push_back(block);
                }
                self.batch.cursor = serde_json_canonicalizer::to_vec(&(chain, block)).ok();
                self.catch_up(now, chain);
            }
            Output::Retract { chain, block } => self.retract(chain, block),
            Output::Missing { chain, hash } => self.release(Effect::Fetch { chain, hash })?,
            Output::DryRun(action) => {
                let outcome = self.dry_run(&action);
                self.tell(now, Input::DryRun { action_key: action.key, outcome });
            }
            Output::AskApproval(ask) => self.release(Effect::Ask(ask))?,
            Output::Submit(submission) => self.release(Effect::Submit(submission))?,
            Output::Find { submission, hashes } => self.want(Effect::Find { submission, hashes }),
            Output::Notify(notice) => self.release(Effect::Notify(notice))?,
            Output::Cancel { digest } => self.release(Effect::Cancel { digest })?,
        }
        Ok(())
    }

    fn retract(&mut self, chain: ChainId, block: BlockRef) {
        self.detector.retract(block.hash);
        let Some(pipeline) = self.pipelines.get_mut(&chain) else { return };
        let parent = pipeline.header(block.parent);
        if !pipeline.retract(block, parent) {
            // The overlay cannot follow; the next adopted block asks for a fresh state.
            pipeline.lose_state();
        }
    }

    /// Evaluates adopted blocks in order, as far as bodies and state reach.
    fn catch_up(&mut self, now: Millis, chain: ChainId) {
        loop {
            let Some(pipeline) = self.pipelines.get_mut(&chain) else { return };
            let Some(block) = pipeline.backlog.front().copied() else { return };
            match pipeline.execute(block, &mut self.detector, self.guardian.wanted()) {
                Ok(executed) => {
                    pipeline.backlog.pop_front();
                    self.report(now, chain, block, executed);
                }
                Err(Stuck::Body(hash)) => {
                    self.want(Effect::Fetch { chain, hash });
                    return;
                }
                Err(Stuck::State) => {
                    let at = BlockRef {
                        number: block.number.saturating_sub(1),
                        hash: block.parent,
                        parent: B256::ZERO,
                        timestamp: 0,
                    };
                    self.want(Effect::Resync { chain, at });
                    return;
                }
                Err(Stuck::Blind(why)) => {
                    pipeline.backlog.pop_front();
                    self.guardian.handle(now, Input::Blind { chain, block: block.hash, why });
                    if why == UnknownWhy::MissingState {
                        self.want(Effect::Resync { chain, at: block });
                        return;
                    }
                }
            }
        }
    }

    /// Asks the shell once; such an effect is not an intent and needs no journal.
    fn want(&mut self, effect: Effect) {
        if !self.effects.contains(&effect) {
            self.effects.push(effect);
        }
    }

    fn report(&mut self, now: Millis, chain: ChainId, block: BlockRef, executed: Executed) {
        for facts in &executed.facts {
            self.report_receipt(now, facts);
        }
        self.report_episodes(now, chain, block);
        for signal in executed.signals {
            self.tell(now, Input::Signal(signal));
        }
        for facts in &executed.facts {
            self.report_flows(now, facts);
        }
        self.guardian.handle(now, Input::Evaluated { chain, block: block.hash });
        let signers: Vec<SignerSpec> =
            self.guardian.program().signers.iter().filter(|s| s.chain == chain).cloned().collect();
        for signer in signers {
            let told = self.pipelines.get_mut(&chain).and_then(|p| p.account(signer.account));
            if let Some((nonce, base_fee)) = told {
                let base_fee_wei = U256::from(base_fee);
                let input = Input::Account { signer: signer.name, nonce, base_fee_wei, block_number: block.number };
                self.guardian.handle(now, input);
            }
        }
    }

    /// Counts of the scopes that a playbook may trip, before anything of this block can trip them.
    fn report_episodes(&mut self, now: Millis, chain: ChainId, block: BlockRef) {
        let steps = self.guardian.program().playbooks.iter().flat_map(|p| &p.steps);
        let scopes: BTreeSet<(Address, B256)> = steps
            .filter_map(|step| match &step.effect {
                Plan::Trip { chain: on, controller, scope, .. } if *on == chain => Some((*controller, *scope)),
                Plan::Trip { .. }
                | Plan::Call { .. }
                | Plan::Propose { .. }
                | Plan::Notify { .. }
                | Plan::Restore { .. } => None,
            })
            .collect();
        for (target, scope) in scopes {
            let Some(told) = self.pipelines.get_mut(&chain).and_then(|p| p.episode(target, scope)) else { continue };
            let at = Position {
                chain,
                block_number: block.number,
                block_hash: block.hash,
                tx: None,
                tx_index: 0,
                finality: Finality::Head,
            };
            let (episode, trip_count, epoch) = (told.key_episode, told.trip_count, told.epoch);
            let kind = FactKind::Episode { target, scope, episode, trip_count, epoch };
            self.guardian.handle(now, Input::Fact(Fact { at, kind }));
        }
    }

    /// Token moves of accounts that an open incident watches.
    fn report_flows(&mut self, now: Millis, facts: &TxFacts) {
        for moved in &facts.moves {
            let watched: Vec<Address> =
                [moved.from, moved.to].into_iter().filter(|a| self.guardian.watched().contains(a)).collect();
            for account in watched {
                let kind = FactKind::Flow { account, moved: *moved, usd_e8: None };
                self.guardian.handle(now, Input::Fact(Fact { at: facts.at, kind }));
            }
        }
    }

    /// A transaction of one of our signers is matched to its action by content, so that a crash between broadcast and answer loses nothing.
    fn report_receipt(&mut self, now: Millis, facts: &TxFacts) {
        let ours = |s: &SignerSpec| s.account == facts.from && s.chain == facts.at.chain;
        let Some(signer) = self.guardian.program().signers.iter().find(|s| ours(s)) else { return };
        let calldata = facts.calls.first().map(|c| c.input.clone()).unwrap_or_default();
        let same = |f: &&Flight| {
            let action = f.action();
            action.via == signer.name && Some(action.target) == facts.to && action.is_in(&calldata)
        };
        let nonce = facts.nonce;
        // The same calldata may have been sent before; the nonce tells which flight this is, unless a crash lost that.
        let exact = self.guardian.flights().filter(same).find(|f| f.nonce() == nonce);
        let matching = exact.or_else(|| self.guardian.flights().filter(same).find(|f| f.is_open()));
        let (Some(flight), Some(tx)) = (matching, facts.at.tx) else { return };
        let receipt = Receipt {
            action_key: flight.action().key,
            chain: facts.at.chain,
            tx,
            block: facts.at.block_hash,
            block_number: facts.at.block_number,
            success: facts.success,
        };
        self.guardian.handle(now, Input::Receipt(receipt));
    }

    fn dry_run(&mut self, action: &Action) -> DryRun {
        let signer = self.guardian.program().signers.iter().find(|s| s.name == action.via && s.chain == action.chain);
        let (Some(signer), Some(pipeline)) = (signer, self.pipelines.get_mut(&action.chain)) else {
            return DryRun::Unknown { why: UnknownWhy::MissingState };
        };
        pipeline.dry_run(action, signer.account, signer.gas_limit, &self.detector)
    }

    fn tell(&mut self, now: Millis, input: Input) {
        #[cfg(feature = "sabotage")]
        let input = self.tamper(input);
        self.guardian.handle(now, input);
    }

    #[cfg(feature = "sabotage")]
    fn tamper(&self, mut input: Input) -> Input {
        use ripcord_core::signal::Verdict;
        if let Input::Signal(signal) = &mut input
            && self.sabotage == Some(Sabotage::UnknownAsHolds)
            && matches!(signal.verdict, Verdict::Unknown { .. })
        {
            signal.verdict = Verdict::Holds;
        }
        input
    }

    /// Queues an effect behind the flush, with its outbox row.
    fn release(&mut self, effect: Effect) -> Result<(), EngineError> {
        #[cfg(feature = "sabotage")]
        let effect = match (effect, self.sabotage) {
            (Effect::Submit(mut submission), Some(Sabotage::ForgetKey)) => {
                submission.action.key = keccak256(submission.action.key);
                Effect::Submit(submission)
            }
            (effect, _) => effect,
        };
        self.batch.outbox.extend(outbox_row(&effect)?);
        self.effects.push(effect);
        Ok(())
    }

    fn commit(&mut self) -> Result<Vec<Effect>, EngineError> {
        if !self.batch.entries.is_empty() || !self.batch.outbox.is_empty() {
            let batch = std::mem::take(&mut self.batch);
            if let Err(error) = self.journal.commit(&batch) {
                self.stopped = Some(error.clone());
                self.effects.clear();
                return Err(error.into());
            }
        }
        Ok(std::mem::take(&mut self.effects))
    }
}

fn rebuild<J: Journal>(program: Program, journal: &J) -> Result<(Guardian, Vec<Output>), EngineError> {
    let mut records = Vec::new();
    for entry in replay::records(journal, 0) {
        let (_, record) = entry.map_err(|e| EngineError::Entry(e.to_string()))?;
        records.push(record);
    }
    Ok(Guardian::replay(program, records)?)
}

fn outbox_row(effect: &Effect) -> Result<Option<OutboxRow>, EngineError> {
    let Some(kind) = effect.outbox_kind() else { return Ok(None) };
    let payload = serde_json_canonicalizer::to_vec(effect).map_err(|e| EngineError::Entry(e.to_string()))?;
    Ok(Some(OutboxRow { key: keccak256(&payload), kind: kind.to_owned(), payload }))
}
