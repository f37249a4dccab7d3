//! One chain's way from adopted block to facts and verdicts.

use alloy_primitives::{Address, B256};
use ripcord_core::chain::{BlockRef, ChainId, Finality, Position};
use ripcord_core::fact::TxFacts;
use ripcord_core::io::{Action, DryRun};
use ripcord_core::ports::{Snapshot, StateSource, ViewCall, Views};
use ripcord_core::signal::{RuleId, Signal, UnknownWhy, Verdict};
use ripcord_core::trip::Episode;
use ripcord_detect::Detector;
use ripcord_evm::{Block, ExecError, Executor, Hardforks, Header, SystemCalls, Tx, stand_in};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Bodies kept for blocks that are announced but not adopted yet; at the bound the oldest is forgotten and fetched again when wanted.
pub const BODIES_MAX: usize = 512;

/// Gas of the view that tells a scope's episode.
const EPISODE_GAS: u64 = 200_000;

/// How a chain executes.
#[derive(Debug, Clone, Copy)]
pub struct ChainSetup {
    /// Chain.
    pub chain: ChainId,
    /// Fork schedule.
    pub hardforks: Hardforks,
    /// Whether blocks open with system calls.
    pub system_calls: SystemCalls,
}

/// What executing one block told.
pub(crate) struct Executed {
    pub(crate) facts: Vec<TxFacts>,
    pub(crate) signals: Vec<Signal>,
}

/// Why a block has no verdicts.
pub(crate) enum Stuck {
    /// Its body is not here yet.
    Body(B256),
    /// The overlay does not stand on its parent.
    State,
    /// Execution is impossible with the state at hand.
    Blind(UnknownWhy),
}

/// Executor, bodies and backlog of one chain.
#[derive(Clone)]
pub(crate) struct Pipeline<S: StateSource> {
    setup: ChainSetup,
    executor: Option<Executor<S>>,
    /// Block whose state the overlay holds.
    standing: Option<BlockRef>,
    bodies: BTreeMap<B256, Arc<Block>>,
    order: VecDeque<B256>,
    /// Adopted blocks that wait for a body or a state, oldest first.
    pub(crate) backlog: VecDeque<BlockRef>,
}

impl<S: StateSource> Pipeline<S> {
    pub(crate) fn new(setup: ChainSetup) -> Self {
        Self {
            setup,
            executor: None,
            standing: None,
            bodies: BTreeMap::new(),
            order: VecDeque::new(),
            backlog: VecDeque::new(),
        }
    }

    /// Starts afresh on a state.
    pub(crate) fn resync(&mut self, source: S, header: Header) {
        let at = header.block_ref();
        self.executor = Some(Executor::new(source, self.setup.chain, self.setup.hardforks, header));
        self.standing = Some(at);
        while self.backlog.front().is_some_and(|b| b.number <= at.number) {
            self.backlog.pop_front();
        }
    }

    pub(crate) fn keep_body(&mut self, block: Arc<Block>) {
        let hash = block.header.hash;
        if self.bodies.insert(hash, block).is_none() {
            self.order.push_back(hash);
        }
        if self.order.len() > BODIES_MAX
            && let Some(old) = self.order.pop_front()
        {
            self.bodies.remove(&old);
        }
    }

    /// Takes a dropped block back. `false`: the overlay cannot go back that far and must be resynced.
    pub(crate) fn retract(&mut self, block: BlockRef, parent: Option<Header>) -> bool {
        if let Some(index) = self.backlog.iter().position(|b| b.hash == block.hash) {
            self.backlog.truncate(index);
            return true;
        }
        if self.standing.is_none_or(|s| s.hash != block.hash) {
            return self.executor.is_none() || self.standing.is_none_or(|s| s.number < block.number);
        }
        let undone = self.executor.as_mut().is_some_and(|e| e.take_back(block.hash));
        match parent.filter(|_| undone) {
            Some(header) => {
                self.standing = Some(header.block_ref());
                if let Some(executor) = &mut self.executor {
                    executor.next_block(header);
                }
                true
            }
            None => {
                self.lose_state();
                false
            }
        }
    }

    pub(crate) fn lose_state(&mut self) {
        self.executor = None;
        self.standing = None;
    }

    pub(crate) fn header(&self, hash: B256) -> Option<Header> {
        self.bodies.get(&hash).map(|b| b.header.clone())
    }

    /// Executes an adopted block and evaluates the rules it touches.
    pub(crate) fn execute(
        &mut self,
        block: BlockRef,
        detector: &mut Detector,
        wanted: &BTreeSet<RuleId>,
    ) -> Result<Executed, Stuck> {
        let body = self.bodies.get(&block.hash).cloned().ok_or(Stuck::Body(block.hash))?;
        let Some(executor) = self.executor.as_mut().filter(|_| self.standing.is_some_and(|s| s.hash == block.parent))
        else {
            return Err(Stuck::State);
        };
        executor.next_block(body.header.clone());
        match run_block(executor, &body, self.setup, detector, wanted) {
            Ok(executed) => {
                executor.seal();
                self.standing = Some(block);
                Ok(executed)
            }
            Err(error) => {
                self.lose_state();
                detector.retract(block.hash);
                let missing = matches!(error, ExecError::Missing(_));
                Err(Stuck::Blind(if missing { UnknownWhy::MissingState } else { UnknownWhy::Fault }))
            }
        }
    }

    /// Runs a pending transaction on top of the head and evaluates the rules that want pending transactions.
    pub(crate) fn peek(&mut self, tx: &Tx, detector: &mut Detector) -> Option<(TxFacts, Vec<Signal>)> {
        let head = self.standing?;
        let executor = self.executor.as_mut()?;
        let real = open_next(executor);
        let facts = executor.execute(tx, 0, Finality::Pending).ok().map(|mut facts| {
            facts.at.block_number = head.number;
            facts.at.block_hash = head.hash;
            let signals = detector.on_tx(&facts, executor);
            (facts, signals)
        });
        executor.reject();
        executor.next_block(real);
        facts
    }

    /// Tries an action on top of the head; the rule that verifies it must then hold.
    pub(crate) fn dry_run(&mut self, action: &Action, account: Address, gas_limit: u64, detector: &Detector) -> DryRun {
        let (Some(_), Some(executor)) = (self.standing, self.executor.as_mut()) else {
            return DryRun::Unknown { why: UnknownWhy::MissingState };
        };
        let real = open_next(executor);
        let outcome = try_action(executor, action, account, gas_limit, detector);
        executor.reject();
        executor.next_block(real);
        outcome
    }

    /// Where a scope of a controller stands at the head; `None` when the controller does not say.
    pub(crate) fn episode(&mut self, controller: Address, scope: B256) -> Option<Episode> {
        let call =
            ViewCall { target: controller, code: None, calldata: Episode::question(scope), gas_limit: EPISODE_GAS };
        let told = self.executor.as_mut()?.view(Snapshot::Block, &call).ok()?;
        Episode::answer(&told.output)
    }

    /// Next nonce of an account and base fee (wei) at the head.
    pub(crate) fn account(&mut self, account: Address) -> Option<(u64, u64)> {
        let executor = self.executor.as_mut()?;
        let (nonce, _) = executor.account(account).ok()?;
        Some((nonce, executor.header().base_fee))
    }
}

/// Sets the environment of the block after the head; returns the head's, to be restored.
fn open_next<S: StateSource>(executor: &mut Executor<S>) -> Header {
    let real = executor.header().clone();
    executor.next_block(Header {
        number: real.number + 1,
        timestamp: real.timestamp + 1,
        parent: real.hash,
        ..real.clone()
    });
    real
}

fn run_block<S: StateSource>(
    executor: &mut Executor<S>,
    body: &Block,
    setup: ChainSetup,
    detector: &mut Detector,
    wanted: &BTreeSet<RuleId>,
) -> Result<Executed, ExecError> {
    executor.begin(setup.system_calls)?;
    let mut executed = Executed { facts: Vec::with_capacity(body.transactions.len()), signals: Vec::new() };
    for (index, tx) in (0_u32..).zip(&body.transactions) {
        let facts = executor.execute(tx, index, Finality::Head)?;
        executed.signals.extend(detector.on_tx(&facts, executor));
        executor.accept();
        executed.facts.push(facts);
    }
    let at = Position {
        chain: setup.chain,
        block_number: body.header.number,
        block_hash: body.header.hash,
        tx: None,
        tx_index: 0,
        finality: Finality::Head,
    };
    executed.signals.extend(detector.on_block(at, body.header.timestamp, executor));
    for rule in wanted {
        // What a playbook waits for is asked of every block, touched or not.
        let told = executed.signals.iter().any(|s| s.rule == *rule && s.at.tx.is_none());
        if !told && let Some(signal) = ask(rule, at, body.header.timestamp, detector, executor) {
            executed.signals.push(signal);
        }
    }
    Ok(executed)
}

/// One rule's verdict on the present state.
fn ask<S: StateSource>(
    rule: &RuleId,
    at: Position,
    timestamp: u64,
    detector: &Detector,
    executor: &mut Executor<S>,
) -> Option<Signal> {
    let verdict = detector.check(rule, timestamp, executor)?;
    Some(Signal {
        rule: rule.clone(),
        rule_hash: detector.policy().rule(rule)?.spec.hash,
        at,
        verdict,
        loss_usd_e8: None,
    })
}

fn try_action<S: StateSource>(
    executor: &mut Executor<S>,
    action: &Action,
    account: Address,
    gas_limit: u64,
    detector: &Detector,
) -> DryRun {
    let nonce = match executor.account(account) {
        Ok((nonce, _)) => nonce,
        Err(_) => return DryRun::Unknown { why: UnknownWhy::MissingState },
    };
    let tx = Tx {
        hash: action.key,
        from: account,
        to: Some(action.target),
        input: match &action.intent {
            Some(intent) => intent.calldata(&[stand_in(account)]),
            None => action.calldata.clone(),
        },
        nonce,
        gas_limit,
        max_fee: u128::from(executor.header().base_fee),
        chain_id: Some(action.chain.0),
        ..Tx::default()
    };
    let facts = match executor.rehearse(&tx, &[account]) {
        Ok(facts) => facts,
        Err(ExecError::Missing(_)) => return DryRun::Unknown { why: UnknownWhy::MissingState },
        Err(error) => return DryRun::Fails { why: error.to_string() },
    };
    if !facts.success {
        return DryRun::Fails { why: format!("{} reverts", action.step) };
    }
    let Some(rule) = &action.verify else { return DryRun::Works { gas_used: facts.gas_used } };
    match detector.check(rule, executor.header().timestamp, executor) {
        Some(Verdict::Holds) => DryRun::Works { gas_used: facts.gas_used },
        Some(Verdict::Violated { .. }) => DryRun::Fails { why: format!("{rule} does not hold afterwards") },
        Some(Verdict::Unknown { why }) => DryRun::Unknown { why },
        None => DryRun::Unknown { why: UnknownWhy::Fault },
    }
}
