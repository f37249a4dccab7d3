//! Faults inside rules, pending transactions, evidence and determinism.

use crate::recorded::*;
use alloy_primitives::{Address, U256};
use ripcord_core::chain::Finality;
use ripcord_core::ports::{Snapshot, ViewCall, ViewError, ViewOutput, Views};
use ripcord_core::signal::{RuleId, UnknownWhy, Verdict};
use ripcord_detect::Detector;

const TWO_RULES: &str = r#"
schema = 1
project = { id = "p", owner = "o" }
[chains.devnet]
id = "eip155:31337"
sources = ["a"]
[contracts]
vault = { chain = "devnet", address = "env:VAULT", decimals = 18 }
asset = { chain = "devnet", address = "env:ASSET", decimals = 18 }
market = { chain = "devnet", address = "env:MARKET" }
[signals]
bad = { unit = "count", view = "@market.bad()" }
good = { unit = "count", view = "@vault.good()" }
twice = { unit = "count", calc = "good * 2" }
out_1h = { unit = "amount:asset", flow = "gross", of = "@asset", from = "@vault", window = "1h" }
[[rules]]
id = "A-1"
title = "panics"
severity = "P1"
on = ["tx"]
expr = "bad >= 0"
[[rules]]
id = "A-2"
title = "works"
severity = "P1"
on = ["tx", "pending-tx"]
expr = "twice <= 10"
[[rules]]
id = "A-3"
title = "flows"
severity = "P1"
on = ["pending-tx", "block"]
expr = "out_1h <= amount('asset', 100)"
"#;

struct Panics;

impl Views for Panics {
    fn view(&mut self, _at: Snapshot, call: &ViewCall) -> Result<ViewOutput, ViewError> {
        assert_ne!(call.target, MARKET, "a defect in a view");
        Ok(ViewOutput { output: vec![0; 32].into(), reads: Default::default() })
    }

    fn slot(&mut self, _at: Snapshot, _account: Address, _slot: U256) -> Result<U256, ViewError> {
        Ok(U256::ZERO)
    }
}

#[test]
fn a_panicking_rule_is_quarantined_and_the_rest_goes_on() {
    let mut detector = Detector::new(policy_of(TWO_RULES));
    let signals = detector.on_tx(&idle(1), &mut Panics);
    assert_eq!(unknown(&signals, "A-1"), Some(UnknownWhy::Fault));
    assert!(held(&signals, "A-2"));
    assert_eq!(detector.quarantined(), [RuleId("A-1".to_owned())]);
    let signals = detector.on_block(position(1, None), 12, &mut Panics);
    assert_eq!(unknown(&signals, "A-1"), Some(UnknownWhy::Fault), "silence would be read as health");
}

#[test]
fn evidence_names_values_with_units_in_order_of_the_text() {
    let mut detector = Detector::new(policy_of(TWO_RULES));
    let mut views = Recorded::default().answer(Snapshot::PostTx, VAULT, &call("good()", &[]), 6).answer(
        Snapshot::PostTx,
        MARKET,
        &call("bad()", &[]),
        0,
    );
    let Verdict::Violated { evidence } = verdict(&detector.on_tx(&idle(1), &mut views), "A-2") else {
        panic!("12 > 10")
    };
    let shown: Vec<String> = evidence.iter().map(|e| format!("{} = {}", e.name, e.value)).collect();
    assert_eq!(shown, ["twice = 12", "good = 6"]);
}

/// A pending transaction counts on top of the window and leaves no trace in it.
#[test]
fn pending_transactions_leave_no_trace() {
    let mut detector = Detector::new(policy_of(TWO_RULES));
    let mut views = Panics;
    for block in 0..=400 {
        let mut tx = idle(block);
        tx.moves = vec![moved(VAULT, ALICE, if block == 390 { 60 } else { 0 })];
        detector.on_tx(&tx, &mut views);
        detector.on_block(position(block, None), block * 12, &mut views);
    }
    let mut pending = idle(400);
    pending.at.finality = Finality::Pending;
    pending.moves = vec![moved(VAULT, MALLORY, 41)];
    assert!(fired(&detector.on_tx(&pending, &mut views), "A-3"));
    pending.moves = vec![moved(VAULT, MALLORY, 40)];
    assert!(held(&detector.on_tx(&pending, &mut views), "A-3"), "the first one left no trace");
    detector.on_block(position(401, None), 401 * 12, &mut views);
}

#[test]
fn a_gap_in_the_blocks_starts_windows_anew() {
    let mut detector = Detector::new(policy_of(TWO_RULES));
    for block in 0..=301 {
        detector.on_block(position(block, None), block * 12, &mut Panics);
    }
    let signals = detector.on_block(position(302, None), 302 * 12, &mut Panics);
    assert!(signals.iter().all(|s| s.rule.0 != "A-3"), "nothing changed: {signals:?}");
    let signals = detector.on_block(position(310, None), 310 * 12, &mut Panics);
    assert_eq!(unknown(&signals, "A-3"), Some(UnknownWhy::Unwarmed), "seven blocks were not seen");
}

#[test]
fn the_same_inputs_give_the_same_verdicts() {
    let run = || {
        let mut detector = Detector::new(policy_of(include_str!("drill.toml")));
        let mut views = Recorded::default();
        (0..5)
            .flat_map(|n| [detector.on_tx(&idle(n), &mut views), detector.on_block(position(n, None), n, &mut views)])
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
