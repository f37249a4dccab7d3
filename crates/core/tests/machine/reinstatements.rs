//! Staged reinstatement: what opens a stage, what stops it, what undoes it.

use crate::harness::*;
use crate::stories::check;
use alloy_primitives::B256;
use ripcord_core::chain::Finality;
use ripcord_core::io::Input;
use ripcord_core::playbook::{Approve, Step};
use ripcord_core::signal::UnknownWhy;

#[test]
fn reinstatement_waits_for_dwell_and_fresh_gates() {
    let recover = Step {
        effect: restore(&[("repay", 10 * MINUTE, &["GATE"]), ("borrow", 10 * MINUTE, &["GATE"])]),
        approve: Approve::Safe,
        timeout_ms: DAY,
        ..step("recover")
    };
    check(
        vec![step("pause"), recover],
        |w| {
            w.says("LEND-001", violated());
            w.include(true);
            let ask = w.asks()[0].clone();
            w.approve("ana", &ask);
            w.approve("safe", &ask);
            w.says("GATE", ripcord_core::signal::Verdict::Holds);
            assert!(!w.events().contains(&"recovering repay".to_owned()), "read before the stage began");
            w.verdicts.insert("GATE".to_owned(), unknown());
            w.block();
            assert!(!w.events().contains(&"recovering repay".to_owned()), "unknown opens nothing");
            w.verdicts.insert("GATE".to_owned(), ripcord_core::signal::Verdict::Holds);
            w.block();
            assert!(w.events().contains(&"recovering repay".to_owned()));
            w.wait(9 * MINUTE);
            assert!(!w.events().contains(&"recovering borrow".to_owned()), "dwell");
            w.wait(12 * MINUTE);
        },
        &[
            "opened LEND-001",
            "started contain.pause",
            "done contain.pause",
            "started contain.recover",
            "contained after 1",
            "recovering -",
            "recovering repay",
            "recovering borrow",
            "done contain.recover",
            "ended Done",
            "resolved Recovered",
        ],
    );
}

#[test]
fn a_violation_during_reinstatement_trips_again_under_a_new_key() {
    let recover =
        Step { effect: restore(&[("repay", 10 * MINUTE, &["GATE"])]), approve: Approve::Safe, ..step("recover") };
    let world = check(
        vec![step("pause"), recover],
        |w| {
            w.says("LEND-001", violated());
            w.include(true);
            let ask = w.asks()[0].clone();
            w.approve("safe", &ask);
            w.block();
            w.says("LEND-001", violated());
        },
        &[
            "opened LEND-001",
            "started contain.pause",
            "done contain.pause",
            "started contain.recover",
            "contained after 1",
            "recovering -",
            "ended Superseded",
            "reopened 1",
            "started contain.pause",
        ],
    );
    let keys: Vec<B256> = world.sent.iter().map(|s| s.action.key).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn each_stage_reads_its_gates_anew() {
    let recover = Step {
        effect: restore(&[("repay", 0, &["GATE"]), ("borrow", 0, &["GATE"])]),
        approve: Approve::Safe,
        timeout_ms: DAY,
        ..step("recover")
    };
    let mut world = World::new(program(vec![recover]));
    world.says("LEND-001", violated());
    let ask = world.asks()[0].clone();
    world.approve("safe", &ask);
    world.block();
    world.says("GATE", ripcord_core::signal::Verdict::Holds);
    world.block();
    assert_eq!(world.events().last().map(String::as_str), Some("recovering repay"), "one reading opens one stage");
    assert!(world.guardian.wanted().contains(&rule_id("GATE")));
    world.says("GATE", violated());
    assert_eq!(world.told("reinstatement stops"), 1);
    world.block();
    world.says("GATE", ripcord_core::signal::Verdict::Holds);
    assert!(world.events().contains(&"resolved Recovered".to_owned()));
    world.check_replay();
}

#[test]
fn a_pending_transaction_does_not_undo_a_reinstatement() {
    let recover = Step { effect: restore(&[("repay", DAY, &["GATE"])]), approve: Approve::Safe, ..step("recover") };
    let mut world = World::new(program(vec![recover]));
    world.says("LEND-001", violated());
    let ask = world.asks()[0].clone();
    world.approve("safe", &ask);
    world.block();
    let mut pending = signal("LEND-001", &world.head, violated());
    (pending.at.finality, pending.at.tx) = (Finality::Pending, Some(B256::repeat_byte(3)));
    world.put(Input::Signal(pending));
    assert!(!world.events().contains(&"reopened 1".to_owned()));
    world.says("LEND-001", violated());
    assert!(world.events().contains(&"reopened 1".to_owned()));
}

#[test]
fn a_stale_chain_is_unknown_and_nothing_that_loosens_starts() {
    let recover =
        Step { effect: restore(&[("repay", 0, &[])]), approve: people(1), timeout_ms: DAY, ..step("recover") };
    let mut world = World::new(program(vec![recover]));
    world.says("LEND-001", violated());
    let ask = world.asks()[0].clone();
    world.now += STALE;
    world.put(Input::Tick);
    assert_eq!(world.told("no agreed block"), 1);
    assert_eq!(world.guardian.chain_unknown(CHAIN), Some(UnknownWhy::Stale));
    world.approve("ana", &ask);
    assert!(!world.events().iter().any(|e| e.starts_with("recovering")));
    world.block();
    assert_eq!(world.guardian.chain_unknown(CHAIN), None);
    assert!(world.events().contains(&"recovering -".to_owned()));
    world.check_replay();
}
