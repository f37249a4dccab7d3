//! Which rules are due, and their verdicts.
//!
//! Soundness of leaving a rule out: evaluation depends only on the values it read, so if none of them changed and no trigger
//! was pulled, the last verdict stands. A verdict over one transaction (its facts, its before and after) is the one exception:
//! it does not stand for the next transaction, so such a rule is evaluated once more there.

use crate::index::{Hits, Index, Watched};
use crate::reader::{Cache, Reader, Reads};
use crate::window::{Asked, Windows};
use alloy_primitives::B256;
use ripcord_core::chain::{Finality, Position};
use ripcord_core::fact::TxFacts;
use ripcord_core::playbook::RuleMode;
use ripcord_core::ports::Views;
use ripcord_core::signal::{EVIDENCE_MAX, Evidence, RuleId, Signal, UnknownWhy, Verdict};
use ripcord_policy::Policy;
use ripcord_policy::eval::{Leaves, Outcome, evaluate, value_of};
use ripcord_policy::ir::{At, Leaf, Node};
use ripcord_policy::policy::{Rule, Source, Window};
use ripcord_policy::value::{Known, Value, show, show_element};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// What is remembered of a rule's last evaluation in one context.
#[derive(Debug, Clone, Default)]
struct Memory {
    /// `None` until it has been evaluated on state that is still part of the chain.
    reads: Option<Watched>,
    /// Block of that evaluation.
    block: B256,
    /// The verdict was about a transaction that changed something, and does not stand for the next one.
    passing: bool,
    /// Values of the rule's windows at that evaluation.
    windows: Vec<Known<Value>>,
    /// Something that the rule reads changed since.
    dirty: bool,
}

/// Memory of both contexts: transactions and blocks.
#[derive(Debug, Clone, Default)]
struct State {
    tx: Memory,
    block: Memory,
    quarantined: bool,
}

/// A rule's verdict with the values behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Rule.
    pub rule: RuleId,
    /// Text of the condition.
    pub text: String,
    /// Verdict.
    pub verdict: Verdict,
    /// Every named value in order of the text, decisive or not, at most [`EVIDENCE_MAX`].
    pub values: Vec<Evidence>,
    /// Evaluation steps.
    pub steps: u64,
}

/// Evaluates a policy's rules over a series of transactions and blocks.
#[derive(Debug, Clone)]
pub struct Detector {
    policy: Arc<Policy>,
    states: Vec<State>,
    windows: Windows,
    index: Index,
    /// Rules that something else than the index can make due: not yet evaluated on this chain, half read, reading time or a window,
    /// changed since their last evaluation, or with a verdict that does not stand. All others rest until the index names them.
    restless: BTreeSet<usize>,
}

impl Detector {
    /// A detector that has seen nothing: every rule is due, every window unwarmed.
    #[must_use]
    pub fn new(policy: Arc<Policy>) -> Self {
        let flows = policy.signals().iter().enumerate().filter_map(|(index, s)| match &s.source {
            Source::Flow(flow) => Some((index, *flow)),
            Source::View(_) | Source::Slot { .. } | Source::Returns { .. } | Source::Log { .. } | Source::Calc => None,
        });
        let windows = Windows::new(flows);
        let states = vec![State::default(); policy.rules().len()];
        let index = Index::new(policy.rules());
        let restless = (0..states.len()).collect();
        Self { policy, states, windows, index, restless }
    }

    /// The policy that it evaluates.
    #[must_use]
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Verdicts of the rules that a transaction makes due, in order of the policy. Transactions of adopted blocks are told in
    /// order and once; pending ones leave no trace.
    pub fn on_tx(&mut self, facts: &TxFacts, views: &mut impl Views) -> Vec<Signal> {
        let pending = facts.at.finality == Finality::Pending;
        if !pending {
            self.windows.record(facts);
        }
        let asked = if pending { Asked::Pending(facts) } else { Asked::Tx(facts) };
        let mut cache = Cache::default();
        let mut signals = Vec::new();
        let policy = Arc::clone(&self.policy);
        let hits = self.index.hits(facts);
        let candidates: BTreeSet<usize> = hits.rules().chain(self.restless.iter().copied()).collect();
        for number in candidates {
            let Some(rule) = policy.rules().get(number).filter(|r| active(r, facts.at)) else { continue };
            if let Some(signal) = self.rule_on_tx(number, rule, &hits, asked, &mut cache, views) {
                signals.push(signal);
            }
        }
        signals
    }

    /// One rule that a transaction may concern: its verdict if it is due.
    fn rule_on_tx(
        &mut self,
        number: usize,
        rule: &Rule,
        hits: &Hits,
        asked: Asked<'_>,
        cache: &mut Cache,
        views: &mut impl Views,
    ) -> Option<Signal> {
        let (Asked::Tx(facts) | Asked::Pending(facts)) = asked else { return None };
        let pending = matches!(asked, Asked::Pending(_));
        let state = self.states.get(number)?;
        let touched = |memory: &Memory| {
            let read = memory.reads.as_ref();
            hits.pull(number) || read.is_none_or(|watched| watched.incomplete || hits.touch(number, watched))
        };
        let (here, for_block) = (touched(&state.tx), touched(&state.block));
        // What a pending transaction can change for a rule is known from adopted ones, so a rule for pending ones alone follows those
        // in silence.
        let on = rule.on.pending || (!pending && rule.on.tx);
        let told = pending || rule.on.tx;
        let carried = state.tx.passing || state.tx.dirty || self.time_passed(rule, &state.tx, asked);
        let quarantined = state.quarantined;
        if !pending && let Some(state) = self.states.get_mut(number) {
            state.block.dirty |= for_block;
            state.tx.dirty |= here;
        }
        if !on || !(here || carried) {
            self.rest(number);
            return None;
        }
        let (verdict, reads, fault) = if quarantined { fault() } else { self.verdict(rule, asked, cache, views) };
        if let Some(state) = self.states.get_mut(number) {
            state.quarantined |= fault;
        }
        if !pending {
            let windows = self.window_values(rule, asked);
            let block = facts.at.block_hash;
            let passing = here && per_tx(rule);
            self.remember(number, false, Memory { reads: Some(reads.into()), block, passing, windows, dirty: false });
        }
        told.then(|| signal(rule, facts.at, verdict))
    }

    /// Replaces what is remembered of a rule in the context of blocks or of transactions.
    fn remember(&mut self, number: usize, of_block: bool, memory: Memory) {
        let Some(state) = self.states.get_mut(number) else { return };
        let (slot, other) = if of_block { (&mut state.block, &state.tx) } else { (&mut state.tx, &state.block) };
        let old = std::mem::replace(slot, memory);
        self.index.replace(number, old.reads.as_ref(), slot.reads.as_ref(), other.reads.as_ref());
        self.rest(number);
    }

    /// Decides whether a rule can be left alone until the index names it.
    fn rest(&mut self, number: usize) {
        let (Some(state), Some(rule)) = (self.states.get(number), self.policy.rules().get(number)) else { return };
        let unsettled = |memory: &Memory| {
            let half = |watched: &Watched| watched.incomplete || watched.block_fields;
            memory.passing || memory.dirty || memory.reads.as_ref().is_none_or(half)
        };
        let windowed = rule.leaves.iter().any(|leaf| self.is_window(leaf.signal));
        let for_tx = rule.on.pending || rule.on.tx;
        let restless = state.quarantined
            || ((for_tx || rule.on.block) && windowed)
            || (for_tx && unsettled(&state.tx))
            || (rule.on.block && unsettled(&state.block));
        if restless {
            self.restless.insert(number);
        } else {
            self.restless.remove(&number);
        }
    }

    /// Verdicts of the block rules and step conditions that are due at the end of a block, then the end of the block for all
    /// windows.
    pub fn on_block(&mut self, at: Position, block_timestamp: u64, views: &mut impl Views) -> Vec<Signal> {
        self.windows.open_block(at.block_hash, at.block_number);
        let at = Position { tx: None, tx_index: 0, ..at };
        let asked = Asked::Block(block_timestamp);
        let mut cache = Cache::default();
        let mut signals = Vec::new();
        let policy = Arc::clone(&self.policy);
        for number in self.restless.clone() {
            let Some(rule) = policy.rules().get(number).filter(|r| active(r, at)) else { continue };
            let Some(state) = self.states.get(number) else { continue };
            let windows = self.window_values(rule, asked);
            let memory = &state.block;
            let stale = memory.reads.as_ref().is_none_or(|r| r.incomplete || r.block_fields);
            let due = rule.on.block && (stale || memory.dirty || memory.passing || memory.windows != windows);
            // A rule that is not evaluated any more must not fall silent.
            if !due && !state.quarantined {
                self.rest(number);
                continue;
            }
            let (dirty, quarantined) = (memory.dirty, state.quarantined);
            let (verdict, reads, fault) =
                if quarantined { fault() } else { self.verdict(rule, asked, &mut cache, views) };
            if let Some(state) = self.states.get_mut(number) {
                state.quarantined |= fault;
            }
            let (block, passing) = (at.block_hash, dirty && before(rule));
            self.remember(number, true, Memory { reads: Some(reads.into()), block, passing, windows, dirty: false });
            signals.push(signal(rule, at, verdict));
        }
        self.windows.close(at.block_hash, at.block_number, block_timestamp);
        signals
    }

    /// Undoes a block that is no longer part of the chain; newest first.
    pub fn retract(&mut self, block: B256) {
        self.windows.retract(block);
        for number in 0..self.states.len() {
            // Whoever read what the block changed was evaluated in it, and must look again.
            let stale = |memory: &Memory| memory.block == block;
            let (tx, whole) = self.states.get(number).map_or((false, false), |s| (stale(&s.tx), stale(&s.block)));
            if tx {
                self.remember(number, false, Memory::default());
            }
            if whole {
                self.remember(number, true, Memory::default());
            }
        }
    }

    /// Evaluates one rule, hidden ones included, on the state that `views` shows as [`ripcord_core::ports::Snapshot::Block`],
    /// without remembering anything: the post-condition of a dry run. `None` when there is no such rule.
    pub fn check(&self, rule: &RuleId, block_timestamp: u64, views: &mut impl Views) -> Option<Verdict> {
        let rule = self.policy.rule(rule)?;
        let mut cache = Cache::default();
        Some(self.verdict(rule, Asked::Block(block_timestamp), &mut cache, views).0)
    }

    /// One rule's verdict with all its values, without remembering anything. With `facts`, as for that transaction; without, as
    /// at the end of a block with the given time. `None` when there is no such rule.
    pub fn explain(
        &self,
        rule: &RuleId,
        facts: Option<&TxFacts>,
        block_timestamp: u64,
        views: &mut impl Views,
    ) -> Option<Explanation> {
        let rule = self.policy.rule(rule)?;
        let asked = match facts {
            Some(facts) if facts.at.finality == Finality::Pending => Asked::Pending(facts),
            Some(facts) => Asked::Tx(facts),
            None => Asked::Block(block_timestamp),
        };
        let mut cache = Cache::default();
        let mut reader = self.reader(asked, &mut cache, views);
        let outcome = evaluate(&rule.expr, &mut reader);
        for leaf in &rule.leaves {
            let _memorised = reader.signal(*leaf);
        }
        let values = self.evidence(rule, &outcome, &mut reader);
        let verdict = verdict(&outcome, || values.clone());
        Some(Explanation { rule: rule.spec.id.clone(), text: rule.text.clone(), verdict, values, steps: outcome.steps })
    }

    /// Rules that were caught panicking. They read `Unknown{fault}` until the process starts anew.
    #[must_use]
    pub fn quarantined(&self) -> Vec<RuleId> {
        let states = self.states.iter().zip(self.policy.rules());
        states.filter(|(s, _)| s.quarantined).map(|(_, r)| r.spec.id.clone()).collect()
    }

    /// Whether a new block began, and with it block fields or windows changed that the rule looks at.
    fn time_passed(&self, rule: &Rule, memory: &Memory, asked: Asked<'_>) -> bool {
        let Asked::Tx(facts) = asked else { return false };
        let block_fields = memory.reads.as_ref().is_some_and(|r| r.block_fields);
        memory.block != facts.at.block_hash && (block_fields || self.window_values(rule, asked) != memory.windows)
    }

    fn reader<'a, V: Views>(&'a self, asked: Asked<'a>, cache: &'a mut Cache, views: &'a mut V) -> Reader<'a, V> {
        Reader {
            policy: &self.policy,
            asked,
            windows: &self.windows,
            cache,
            views,
            reads: Reads::default(),
            memo: BTreeMap::new(),
            calls: 0,
        }
    }

    /// Verdict, what was read, and whether the evaluation panicked.
    fn verdict(
        &self,
        rule: &Rule,
        asked: Asked<'_>,
        cache: &mut Cache,
        views: &mut impl Views,
    ) -> (Verdict, Reads, bool) {
        let run = AssertUnwindSafe(|| {
            let mut reader = self.reader(asked, cache, views);
            let outcome = evaluate(&rule.expr, &mut reader);
            let verdict = verdict(&outcome, || self.evidence(rule, &outcome, &mut reader));
            (verdict, reader.reads)
        });
        match catch_unwind(run) {
            Ok((verdict, reads)) => (verdict, reads, false),
            Err(_panic) => fault(),
        }
    }

    /// The named values that were looked at, in order of the text, and behind a list the element that decided.
    fn evidence<V: Views>(&self, rule: &Rule, outcome: &Outcome, reader: &mut Reader<'_, V>) -> Vec<Evidence> {
        let token = |address| self.policy.name_of(address);
        let mut evidence = Vec::new();
        for leaf in &rule.leaves {
            let name = self.leaf_name(rule, *leaf);
            let calc = named(&rule.expr, *leaf);
            let value = match calc {
                Some(body) => Some(value_of(body, reader)),
                None => reader.memo.get(leaf).cloned(),
            };
            let Some(value) = value else { continue };
            evidence.push(Evidence { name: name.clone(), value: show(&value, &token) });
            for (_, element) in outcome.witnesses.iter().filter(|(of, _)| of == leaf) {
                evidence.push(Evidence { name: format!("{name} (decisive)"), value: show_element(element, &token) });
            }
        }
        evidence.truncate(EVIDENCE_MAX);
        evidence
    }

    fn leaf_name(&self, rule: &Rule, leaf: Leaf) -> String {
        let Some(signal) = self.policy.signals().get(leaf.signal) else { return String::new() };
        let twice = rule.leaves.iter().any(|l| l.signal == leaf.signal && l.at != leaf.at);
        if twice || leaf.at == At::PreTx { format!("{}@{}", signal.name, leaf.at.name()) } else { signal.name.clone() }
    }

    /// Values of the rule's windows; flows of one transaction are facts, not windows.
    fn window_values(&self, rule: &Rule, asked: Asked<'_>) -> Vec<Known<Value>> {
        let flows = rule.leaves.iter().filter(|l| self.is_window(l.signal));
        flows.map(|l| self.windows.value(l.signal, asked)).collect()
    }

    fn is_window(&self, signal: usize) -> bool {
        let source = self.policy.signals().get(signal).map(|s| &s.source);
        matches!(source, Some(Source::Flow(flow)) if flow.window != Window::Tx)
    }
}

fn active(rule: &Rule, at: Position) -> bool {
    rule.spec.chain == at.chain && rule.spec.mode != RuleMode::Off
}

/// Whether a verdict of the rule is about one transaction: its facts, or the difference between before and after.
fn per_tx(rule: &Rule) -> bool {
    before(rule) || !rule.triggers.is_empty()
}

/// Whether the rule looks at the state before the transaction or block.
fn before(rule: &Rule) -> bool {
    rule.leaves.iter().any(|l| l.at == At::PreTx)
}

fn fault() -> (Verdict, Reads, bool) {
    (Verdict::Unknown { why: UnknownWhy::Fault }, Reads::default(), true)
}

fn verdict(outcome: &Outcome, evidence: impl FnOnce() -> Vec<Evidence>) -> Verdict {
    match outcome.holds {
        Ok(true) => Verdict::Holds,
        Ok(false) => Verdict::Violated { evidence: evidence() },
        Err(why) => Verdict::Unknown { why },
    }
}

/// The expansion of a `calc` signal in an expression.
fn named(node: &Node, leaf: Leaf) -> Option<&Node> {
    if let Node::Named(of, body) = node
        && *of == leaf
    {
        return Some(body);
    }
    node.children().into_iter().find_map(|child| named(child, leaf))
}

fn signal(rule: &Rule, at: Position, verdict: Verdict) -> Signal {
    Signal { rule: rule.spec.id.clone(), rule_hash: rule.spec.hash, at, verdict, loss_usd_e8: None }
}
