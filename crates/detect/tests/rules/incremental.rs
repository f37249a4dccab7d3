//! Selection is sound: what the detector says, carried forward, is what full evaluation of every rule says, on random histories
//! with reorganisations.

use crate::recorded::{ALICE, ASSET, MALLORY, MARKET, VAULT, call, event, hash, idle, policy_of, position};
use alloy_primitives::{Address, B256, U256};
use proptest::prelude::*;
use ripcord_core::chain::Finality;
use ripcord_core::fact::{CallEnd, CallFact, CallKind, MoveKind, ReadKey, StateKey, TokenMove, TxFacts, WriteFact};
use ripcord_core::ports::{ReadSet, Snapshot, ViewCall, ViewError, ViewOutput, Views};
use ripcord_core::signal::{RuleId, Signal, UnknownWhy, Verdict};
use ripcord_detect::Detector;
use ripcord_policy::Policy;
use std::collections::BTreeMap;
use std::sync::Arc;

const POLICY: &str = r#"
schema = 1
project = { id = "p", owner = "o" }
[chains.devnet]
id = "eip155:31337"
sources = ["a"]
[contracts]
vault = { chain = "devnet", address = "env:VAULT", decimals = 0 }
asset = { chain = "devnet", address = "env:ASSET", decimals = 0 }
market = { chain = "devnet", address = "env:MARKET" }
[signals]
a = { unit = "count", view = "@vault.a()" }
b = { unit = "count", view = "@vault.b()" }
branch = { unit = "count", view = "@vault.branch()" }
clock = { unit = "count", view = "@vault.clock()" }
shaky = { unit = "count", view = "@vault.shaky()" }
slot = { unit = "count", slot = 3, contract = "@vault" }
slot_before = { unit = "count", slot = 3, contract = "@vault", at = "pre-tx" }
borrows = { unit = "count", log = "@market.Borrow(address indexed account, address indexed vault, uint256 assets)" }
of_account = { unit = "count", view = "@vault.of(address)", args = ["$account"], for_each = { account = ["@market.Borrow(address indexed account, address indexed vault, uint256 assets).account"] } }
out_tx = { unit = "amount:asset", flow = "out", of = "@asset", from = "@vault" }
out_block = { unit = "amount:asset", flow = "gross", of = "@asset", from = "@vault", window = "1 block" }
out_100s = { unit = "amount:asset", flow = "out", of = "@asset", from = "@vault", window = "100s" }
net_100s = { unit = "amount:asset", flow = "net", of = "@asset", from = "@vault", window = "100s" }
[[rules]]
id = "R-1"
title = "difference"
severity = "P1"
on = ["tx"]
expr = "delta(a) <= 2"
[[rules]]
id = "R-2"
title = "bound"
severity = "P1"
on = ["tx", "block"]
expr = "b <= 5"
[[rules]]
id = "R-3"
title = "the path decides what is read"
severity = "P1"
on = ["tx", "block"]
expr = "branch < 7 || a > 8"
[[rules]]
id = "R-4"
title = "time"
severity = "P1"
on = ["tx", "block"]
expr = "clock <= 6"
[[rules]]
id = "R-5"
title = "sometimes reverts"
severity = "P1"
on = ["tx", "block"]
expr = "shaky <= 6 && b < 9"
[[rules]]
id = "R-6"
title = "slot"
severity = "P1"
on = ["tx", "block"]
expr = "slot == slot_before"
[[rules]]
id = "R-7"
title = "events"
severity = "P1"
on = ["tx"]
expr = "borrows == 0 || of_account.all(x, x < 6)"
[[rules]]
id = "R-8"
title = "calls"
severity = "P1"
on = ["tx"]
trigger = ["@market"]
expr = "tx.calls.all(c, c.to != contract('market') || c.success)"
[[rules]]
id = "R-9"
title = "windows"
severity = "P1"
on = ["tx", "block"]
expr = "out_block <= amount('asset', 9) && out_100s <= amount('asset', 25)"
[[rules]]
id = "R-10"
title = "net window and flow of one transaction"
severity = "P1"
on = ["tx"]
expr = "net_100s <= amount('asset', 12) || out_tx < amount('asset', 3)"
[[rules]]
id = "R-11"
title = "pending alone"
severity = "P1"
on = ["pending-tx"]
expr = "b <= 5 && delta(a) <= 3 && branch < 9"
[[rules]]
id = "R-12"
title = "pending and adopted"
severity = "P1"
on = ["pending-tx", "tx"]
expr = "slot <= 7 && (borrows == 0 || of_account.all(x, x < 6))"
"#;

type State = BTreeMap<u64, u64>;

/// A chain of one contract with ten slots.
#[derive(Debug, Clone, Default)]
struct Fake {
    before_block: State,
    before: State,
    after: State,
    timestamp: u64,
    in_block: bool,
}

impl Fake {
    fn state(&self, at: Snapshot) -> &State {
        match at {
            Snapshot::PreTx if self.in_block => &self.before_block,
            Snapshot::PreTx => &self.before,
            Snapshot::PostTx | Snapshot::Block => &self.after,
        }
    }
}

impl Views for Fake {
    fn view(&mut self, at: Snapshot, view: &ViewCall) -> Result<ViewOutput, ViewError> {
        let state = self.state(at);
        let get = |slot: u64| state.get(&slot).copied().unwrap_or_default();
        let is = |name: &str| view.calldata.starts_with(&call(name, &[]));
        let (value, slots, block_fields) = if is("a()") {
            (get(0), vec![0], false)
        } else if is("b()") {
            (get(1), vec![1], false)
        } else if is("branch()") {
            if get(0) > 4 { (get(2), vec![0, 2], false) } else { (get(3), vec![0, 3], false) }
        } else if is("clock()") {
            (get(4) + self.timestamp % 5, vec![4], true)
        } else if is("shaky()") {
            if get(5) > 6 {
                return Err(ViewError::Reverted { target: view.target });
            }
            (get(6), vec![5, 6], false)
        } else {
            let account = u64::from(view.calldata[35] % 3) + 7;
            (get(account), vec![account], false)
        };
        let keys = slots.into_iter().map(|s| ReadKey { account: VAULT, slot: Some(U256::from(s)) }).collect();
        Ok(ViewOutput { output: B256::from(U256::from(value)).to_vec().into(), reads: ReadSet { keys, block_fields } })
    }

    fn slot(&mut self, at: Snapshot, _account: Address, slot: U256) -> Result<U256, ViewError> {
        Ok(U256::from(self.state(at).get(&slot.to::<u64>()).copied().unwrap_or_default()))
    }
}

#[derive(Debug, Clone)]
struct Tx {
    writes: Vec<(u64, u64)>,
    borrow: Option<bool>,
    call: Option<bool>,
    moves: Vec<(bool, u64)>,
}

#[derive(Debug, Clone)]
enum Step {
    Block { txs: Vec<Tx>, secs: u64 },
    Reorg { depth: usize },
}

fn tx() -> impl Strategy<Value = Tx> {
    (
        prop::collection::vec((0u64..10, 0u64..12), 0..3),
        prop::option::weighted(0.2, any::<bool>()),
        prop::option::weighted(0.2, any::<bool>()),
        prop::collection::vec((any::<bool>(), 0u64..8), 0..3),
    )
        .prop_map(|(writes, borrow, call, moves)| Tx { writes, borrow, call, moves })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        5 => (prop::collection::vec(tx(), 0..4), 1u64..40).prop_map(|(txs, secs)| Step::Block { txs, secs }),
        1 => (1usize..4).prop_map(|depth| Step::Reorg { depth }),
    ]
}

fn facts(tx: &Tx, before: &State, number: u64, block_hash: B256, serial: u64) -> (TxFacts, State) {
    let mut facts = idle(number);
    facts.at.block_hash = block_hash;
    facts.at.tx = Some(hash(serial));
    let mut after = before.clone();
    after.extend(tx.writes.iter().copied());
    for (slot, value) in &after {
        let old = before.get(slot).copied().unwrap_or_default();
        if old != *value {
            facts.writes.push(WriteFact {
                account: VAULT,
                key: StateKey::Slot(U256::from(*slot)),
                before: U256::from(old),
                after: U256::from(*value),
            });
        }
    }
    if let Some(who) = tx.borrow {
        let account = if who { ALICE } else { MALLORY };
        facts.logs.push(event(
            MARKET,
            "Borrow(address,address,uint256)",
            &[account.into(), VAULT.into()],
            &[1u128.into()],
        ));
    }
    if let Some(success) = tx.call {
        facts.calls.push(CallFact {
            parent: None,
            depth: 0,
            kind: CallKind::Call,
            caller: MALLORY,
            target: MARKET,
            code_address: MARKET,
            value: U256::ZERO,
            gas_limit: 0,
            gas_used: 0,
            input: Default::default(),
            output: Default::default(),
            end: if success { CallEnd::Success } else { CallEnd::Revert },
        });
    }
    for (out, amount) in &tx.moves {
        let (from, to) = if *out { (VAULT, MALLORY) } else { (MALLORY, VAULT) };
        facts.moves.push(TokenMove {
            token: Some(ASSET),
            from,
            to,
            amount: U256::from(*amount),
            kind: MoveKind::Transfer,
        });
    }
    (facts, after)
}

/// Verdict without evidence: which values were looked at is not part of soundness.
fn bare(verdict: &Verdict) -> Option<Result<bool, UnknownWhy>> {
    Some(match verdict {
        Verdict::Holds => Ok(true),
        Verdict::Violated { .. } => Ok(false),
        Verdict::Unknown { why } => Err(*why),
    })
}

#[derive(Default)]
struct Carried(BTreeMap<RuleId, Verdict>);

impl Carried {
    fn check(
        &mut self,
        detector: &Detector,
        policy: &Policy,
        block: bool,
        signals: &[Signal],
        full: impl Fn(&RuleId) -> Verdict,
    ) {
        self.0.extend(signals.iter().map(|s| (s.rule.clone(), s.verdict.clone())));
        for rule in policy.rules().iter().filter(|r| if block { r.on.block } else { r.on.tx }) {
            let id = &rule.spec.id;
            let carried = self.0.get(id).and_then(bare);
            assert_eq!(carried, bare(&full(id)), "{id} {block} {:?}", detector.quarantined());
        }
    }
}

/// A pending transaction on top of what `fake` shows. A rule that says nothing about it says the same as about one that does nothing.
fn pending(detector: &mut Detector, policy: &Policy, fake: &Fake, tx: &Tx, number: u64) {
    let mut ahead = fake.clone();
    ahead.before = ahead.after.clone();
    ahead.in_block = false;
    let quiet = ahead.clone();
    let as_pending = |mut facts: TxFacts| {
        facts.at.finality = Finality::Pending;
        facts
    };
    let (real, after) = facts(tx, &ahead.before, number, hash(7), 8);
    ahead.after = after;
    let (real, idle) = (as_pending(real), as_pending(idle(number)));
    let signals = detector.on_tx(&real, &mut ahead);
    for rule in policy.rules().iter().filter(|r| r.on.pending) {
        let id = &rule.spec.id;
        let full = detector.explain(id, Some(&real), 0, &mut ahead.clone()).unwrap().verdict;
        let said = signals.iter().find(|s| s.rule == *id).map(|s| s.verdict.clone());
        let said = said.unwrap_or_else(|| detector.explain(id, Some(&idle), 0, &mut quiet.clone()).unwrap().verdict);
        assert_eq!(bare(&said), bare(&full), "{id} pending");
    }
    assert!(signals.iter().all(|s| policy.rule(&s.rule).is_some_and(|r| r.on.pending)), "{signals:?}");
}

fn run(policy: &Arc<Policy>, steps: &[Step]) {
    let mut detector = Detector::new(Arc::clone(policy));
    // Blocks of the chain: hash, state before, time before.
    let mut chain: Vec<(B256, State, u64)> = Vec::new();
    let (mut fake, mut serial) = (Fake { timestamp: 1_000, ..Fake::default() }, 0u64);
    let (mut in_tx, mut in_block) = (Carried::default(), Carried::default());
    for step in steps {
        match step {
            Step::Reorg { depth } => {
                for _ in 0..(*depth).min(chain.len()) {
                    let (dropped, state, timestamp) = chain.pop().unwrap();
                    detector.retract(dropped);
                    (fake.after, fake.timestamp) = (state, timestamp);
                }
            }
            Step::Block { txs, secs } => {
                serial += 1;
                let (block_hash, number) = (hash(1_000 + serial), chain.len() as u64 + 1);
                chain.push((block_hash, fake.after.clone(), fake.timestamp));
                fake.before_block = fake.after.clone();
                fake.timestamp += secs;
                for tx in txs {
                    serial += 1;
                    pending(&mut detector, policy, &fake, tx, number);
                    fake.in_block = false;
                    fake.before = fake.after.clone();
                    let (facts, after) = facts(tx, &fake.before, number, block_hash, serial);
                    fake.after = after;
                    let signals = detector.on_tx(&facts, &mut fake);
                    in_tx.check(&detector, policy, false, &signals, |id| {
                        detector.explain(id, Some(&facts), fake.timestamp, &mut fake.clone()).unwrap().verdict
                    });
                }
                fake.in_block = true;
                let mut at = position(number, None);
                at.block_hash = block_hash;
                let full: BTreeMap<RuleId, Verdict> = policy
                    .rules()
                    .iter()
                    .map(|r| {
                        (
                            r.spec.id.clone(),
                            detector.explain(&r.spec.id, None, fake.timestamp, &mut fake.clone()).unwrap().verdict,
                        )
                    })
                    .collect();
                let signals = detector.on_block(at, fake.timestamp, &mut fake);
                in_block.check(&detector, policy, true, &signals, |id| full[id].clone());
            }
        }
    }
}

#[test]
fn incremental_verdicts_are_those_of_full_evaluation() {
    let policy = policy_of(POLICY);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(400));
    let histories = prop::collection::vec(step(), 1..25);
    runner
        .run(&histories, |steps| {
            run(&policy, &steps);
            Ok(())
        })
        .unwrap();
}

/// A rule nobody touches costs nothing after its first evaluation.
#[test]
fn idle_rules_are_not_evaluated_again() {
    let mut detector = Detector::new(policy_of(POLICY));
    let mut fake = Fake::default();
    detector.on_tx(&idle(1), &mut fake);
    let second = detector.on_tx(&idle(1), &mut fake);
    let third = detector.on_tx(&idle(1), &mut fake);
    assert!(second.len() <= 10 && third.is_empty(), "{third:?}");
}

/// A rule for pending transactions alone learns from adopted ones what it reads, tells nothing of them, and then rests.
#[test]
fn a_pending_transaction_that_touches_nothing_makes_no_rule_due() {
    let mut detector = Detector::new(policy_of(POLICY));
    let mut fake = Fake::default();
    let told = detector.on_tx(&idle(1), &mut fake);
    assert!(told.iter().all(|s| s.rule != RuleId("R-11".into())), "{told:?}");
    detector.on_tx(&idle(1), &mut fake);
    let mut waiting = idle(1);
    waiting.at.finality = Finality::Pending;
    assert_eq!(detector.on_tx(&waiting, &mut fake), []);
}
