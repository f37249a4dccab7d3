//! Nonces, fees, replacements and receipts of the guardian's own transactions.

use crate::harness::*;
use alloy_primitives::{Address, B256, U256};
use proptest::prelude::*;
use ripcord_core::chain::Millis;
use ripcord_core::fact::{Fact, FactKind};
use ripcord_core::incident::IncidentId;
use ripcord_core::io::{Action, Input, Output, Submission};
use ripcord_core::key::{KeyParts, action_key, scope, step_hash};
use ripcord_core::playbook::{Effect, Step};
use ripcord_core::submission::{ANSWER_BLOCKS_MAX, FlightEvent, FlightState, Refusal, Submissions};
use ripcord_core::trip::{TripIntent, TripMode};
use std::collections::BTreeMap;

fn action(key: u8) -> Action {
    Action {
        key: B256::repeat_byte(key),
        incident: IncidentId(1),
        step: format!("contain.{key}"),
        chain: CHAIN,
        target: pool(),
        calldata: vec![1, 2, 3, 4].into(),
        intent: None,
        via: "deputy".to_owned(),
        verify: None,
    }
}

proptest! {
    /// Per key: nonces never fall; under one nonce every attempt raises both fees by an eighth or more, never above the
    /// ceiling; no two live flights share a nonce.
    #[test]
    fn replacements_are_monotonic(
        steps in prop::collection::vec((0u8..6, 0u64..3, 0u64..300, any::<bool>()), 1..80),
        ceiling in 10u64..3_000,
    ) {
        let mut spec = program(vec![]).signers.remove(0);
        (spec.priority_fee_wei, spec.fee_wei_max, spec.actions_per_day_max) = (U256::from(2), U256::from(ceiling), 100);
        let mut submissions = Submissions::default();
        let mut last: BTreeMap<B256, Submission> = BTreeMap::new();
        let (mut nonce, mut block) = (5u64, 100u64);
        for (key, by, base, start) in steps {
            let events = if start {
                submissions.start(Millis(START), action(key), 4, Some(&spec), false, block).unwrap()
            } else {
                block += 1;
                nonce += by;
                submissions.account(&spec, nonce, U256::from(base), block).unwrap()
            };
            for event in events {
                let FlightEvent::Send(now) = event else { continue };
                prop_assert!(now.max_fee_wei <= spec.fee_wei_max && now.priority_fee_wei <= now.max_fee_wei);
                if let Some(before) = last.insert(now.action.key, (*now).clone()) {
                    prop_assert!(now.nonce >= before.nonce && now.attempt > before.attempt);
                    if now.nonce == before.nonce {
                        prop_assert!(now.max_fee_wei * U256::from(8) >= before.max_fee_wei * U256::from(9));
                        prop_assert!(now.priority_fee_wei * U256::from(8) >= before.priority_fee_wei * U256::from(9));
                    }
                }
                let same = last.values().filter(|s| s.nonce == now.nonce && submissions.flight(s.action.key).is_some_and(|f| f.state() == &FlightState::Pending));
                prop_assert_eq!(same.count(), 1, "two flights with one nonce");
            }
        }
    }
}

#[test]
fn the_guardians_own_bounds_refuse() {
    let mut spec = program(vec![]).signers.remove(0);
    spec.actions_per_day_max = 1;
    let mut submissions = Submissions::default();
    let mut start = |key, now, signer| submissions.start(Millis(now), action(key), 3, signer, false, 1).map(|_| ());
    assert_eq!(start(1, START, None), Err(Refusal::Signer));
    assert_eq!(start(1, START, Some(&spec)), Ok(()));
    assert_eq!(start(1, START, Some(&spec)), Ok(()), "a known key is joined");
    assert_eq!(start(2, START + 1, Some(&spec)), Err(Refusal::Budget));
    assert_eq!(start(2, START + DAY, Some(&spec)), Ok(()));
}

#[test]
fn a_stuck_transaction_is_bumped_per_block_and_then_given_up() {
    let mut world = World::new(program(vec![step("pause")]));
    world.says("LEND-001", violated());
    for _ in 0..5 {
        world.block();
    }
    let attempts: Vec<(u64, u32)> = world.sent.iter().map(|s| (s.nonce, s.attempt)).collect();
    assert_eq!(attempts, [(7, 0), (7, 1), (7, 2), (7, 3)]);
    assert!(world.sent.iter().all(|s| s.action.key == world.sent[0].action.key));
    assert_eq!(world.events().last().map(String::as_str), Some("ended Escalated"));
    world.check_replay();
}

#[test]
fn somebody_else_s_use_of_the_nonce_gives_a_new_nonce_and_the_same_key() {
    let mut world = World::new(program(vec![step("pause")]));
    world.says("LEND-001", violated());
    world.nonce = 8;
    world.block();
    assert_eq!(world.sent.len(), 1, "it may be ours: a receipt may come with this block");
    world.block();
    assert_eq!((world.sent[1].nonce, world.sent[1].action.key), (8, world.sent[0].action.key));
    world.check_replay();
}

#[test]
fn a_used_nonce_with_a_receipt_is_never_sent_again() {
    let mut world = World::new(program(vec![step("pause")]));
    world.says("LEND-001", violated());
    world.nonce = 8;
    world.block();
    let receipt = receipt(&world.sent[0], &world.head, true);
    world.put(Input::Receipt(receipt));
    for _ in 0..5 {
        world.block();
    }
    assert_eq!(world.sent.len(), 1);
    assert!(world.events().contains(&"contained after 1".to_owned()));
}

#[test]
fn a_dropped_receipt_is_pending_again_under_the_same_key_and_nonce() {
    let verified = ripcord_core::playbook::Step { verify: Some(rule_id("contain.pause.verify")), ..step("pause") };
    let mut world = World::new(program(vec![verified]));
    world.block();
    world.says("LEND-001", violated());
    world.include(true);
    world.nonce = 7;
    let number = world.head.number;
    world.adopt(block(number, 1, 0));
    let same = world.sent.iter().all(|s| s.nonce == 7 && s.action.key == world.sent[0].action.key);
    assert!(same && world.sent.len() >= 2);
    world.verdicts.insert("contain.pause.verify".to_owned(), ripcord_core::signal::Verdict::Holds);
    world.include(true);
    assert!(world.events().contains(&"done contain.pause".to_owned()));
    world.check_replay();
}

#[test]
fn a_step_of_an_unknown_signer_or_with_calldata_too_long_for_the_journal_fails_loudly() {
    let mut alien = program(vec![step("pause")]);
    alien.signers.clear();
    let mut long = program(vec![step("pause")]);
    if let ripcord_core::playbook::Effect::Call { calldata, .. } = &mut long.playbooks[0].steps[0].effect {
        *calldata = vec![0; ripcord_core::response::CALLDATA_MAX + 1].into();
    }
    for program in [alien, long] {
        let mut world = World::new(program);
        world.says("LEND-001", violated());
        assert!(world.sent.is_empty());
        assert_eq!(world.told("people must act now"), 1);
        world.check_replay();
    }
}

#[test]
fn the_alternative_takes_the_nonce_of_a_stuck_transaction_over() {
    let first = ripcord_core::playbook::Step { or_else: Some(1), bumps_max: 0, ..step("pause") };
    let mut world = World::new(program(vec![first, step("else")]));
    world.says("LEND-001", violated());
    world.block();
    let [first, second] = [&world.sent[0], &world.sent[1]];
    assert_ne!(first.action.key, second.action.key);
    assert_eq!(first.nonce, second.nonce, "behind a hole nothing is ever included");
    assert!(second.max_fee_wei * U256::from(8) >= first.max_fee_wei * U256::from(9));
    // The first one is included after all: the second goes on under its own key and the next nonce.
    world.nonce = 8;
    world.block();
    world.block();
    let last = world.sent.last().unwrap();
    assert_eq!((last.nonce, last.action.key), (8, world.sent[1].action.key));
    world.check_replay();
}

#[test]
fn at_the_fee_ceiling_the_attempt_stays_and_people_are_told_once() {
    let mut low = program(vec![step("pause")]);
    low.signers[0].fee_wei_max = U256::from(42_000_000_000u64);
    let mut world = World::new(low);
    world.says("LEND-001", violated());
    for _ in 0..3 {
        world.block();
    }
    assert_eq!((world.sent.len(), world.told("fee ceiling")), (1, 1));
    assert!(!world.events().contains(&"ended Escalated".to_owned()), "it may still be included");
    world.block();
    assert!(world.events().contains(&"ended Escalated".to_owned()));
}

#[test]
fn a_mined_nonce_is_taken_even_while_the_account_was_read_before() {
    let spec = program(vec![]).signers.remove(0);
    let mut submissions = Submissions::default();
    submissions.account(&spec, 7, U256::from(1), 100);
    submissions.start(Millis(START), action(1), 3, Some(&spec), false, 100).unwrap();
    let sent = submissions.resume();
    let Some(FlightEvent::Send(first)) = sent.first() else { panic!("{sent:?}") };
    submissions.receipt(&receipt(first, &block(101, 0, 0), true));
    let events = submissions.start(Millis(START), action(2), 3, Some(&spec), false, 101).unwrap();
    assert!(matches!(&events[..], [FlightEvent::Send(second)] if second.nonce == 8), "{events:?}");
}

#[test]
fn all_steps_of_one_trip_are_keyed_with_its_episode_and_count() {
    let steps = vec![step("pause"), step("freeze")];
    let mut world = World::new(program(steps.clone()));
    let kind = FactKind::Episode {
        target: Address::repeat_byte(0xcc),
        scope: B256::ZERO,
        episode: 4,
        trip_count: 2,
        epoch: 0,
    };
    world.put(Input::Fact(Fact { at: at(&world.head), kind }));
    world.says("LEND-001", violated());
    world.include(true);
    let keys: Vec<B256> = world.sent.iter().map(|s| s.action.key).collect();
    let expected = steps.iter().zip(&world.sent).map(|(step, sent)| {
        action_key(&KeyParts {
            chain: CHAIN,
            target: Address::repeat_byte(0xcc),
            scope: scope(sent.action.target, &sent.action.calldata),
            episode: 4,
            trip_count: 2,
            step_hash: step_hash("contain", step),
        })
    });
    assert_eq!(keys, expected.collect::<Vec<_>>());
    assert_eq!(keys.len(), 2);
}

/// The controller's own counts are in the key and in what is signed; the guardian's count of another scope does not matter.
#[test]
fn a_trip_is_signed_for_the_episode_its_scope_told() {
    let (market, other) = (B256::repeat_byte(0x51), B256::repeat_byte(0x52));
    let controller = Address::repeat_byte(0xcc);
    let effect = Effect::Trip {
        chain: CHAIN,
        controller,
        scope: market,
        to: TripMode::Restricted,
        mask: TripMode::Restricted.closes(),
        via: "deputy".to_owned(),
    };
    let trip = Step { effect, expires_ms: Some(24 * 3_600_000), ..step("trip") };
    let mut world = World::new(program(vec![trip.clone()]));
    for (scope, episode, trip_count, epoch) in [(market, 4, 2, 1), (other, 9, 9, 9)] {
        let kind = FactKind::Episode { target: controller, scope, episode, trip_count, epoch };
        world.put(Input::Fact(Fact { at: at(&world.head), kind }));
    }
    world.says("LEND-001", violated());
    world.include(true);
    let [sent] = &world.sent[..] else { panic!("{:?}", world.sent) };
    let action = &sent.action;
    let intent = *action.intent.clone().expect("something to sign");
    assert_eq!((intent.key_episode, intent.trip_count, intent.epoch), (4, 2, 1));
    assert_eq!((intent.scope, intent.duration_secs), (market, 86_400));
    assert!(intent.not_after_secs > intent.deadline_secs);
    assert_eq!(intent.step_hash, step_hash("contain", &trip));
    let parts = KeyParts {
        chain: CHAIN,
        target: controller,
        scope: market,
        episode: 4,
        trip_count: 2,
        step_hash: step_hash("contain", &trip),
    };
    assert_eq!(action.key, action_key(&parts));
    // A relayed transaction is recognised by its intent, whoever signed it.
    assert!(action.is_in(&intent.calldata(&[vec![7; 65].into()])));
    assert!(!action.is_in(&TripIntent { epoch: 2, ..intent }.calldata(&[])));
}

/// A guardian that skipped blocks (a crash, a fresh state) has seen no receipt in them: it asks before it acts again.
#[test]
fn what_a_used_nonce_went_to_is_asked_before_anything_is_sent_again() {
    let mut world = World::new(program(vec![step("pause")]));
    world.finds_nothing = false;
    world.says("LEND-001", violated());
    let first = world.sent[0].clone();
    world.block();
    let holder = world.head;
    // Its own transaction was in that block, which told nothing but the nonce.
    world.nonce = 8;
    for _ in 0..4 {
        world.block();
    }
    assert_eq!(world.sent.iter().map(|s| s.nonce).max(), Some(7), "nothing is sent under another nonce meanwhile");
    let asked = |o: &&Output| matches!(o, Output::Find { submission, .. } if submission.action.key == first.action.key);
    assert!(world.outputs.iter().filter(asked).count() >= 4, "it is asked again with each block");
    world.put(Input::Receipt(receipt(&first, &holder, true)));
    assert!(world.events().contains(&"done contain.pause".to_owned()), "{:?}", world.events());
    assert_eq!(world.sent.iter().map(|s| s.nonce).max(), Some(7));
    world.check_replay();
}

/// Nobody answers: a pause twice is better than none.
#[test]
fn without_an_answer_it_is_sent_anew_after_a_while() {
    let mut world = World::new(program(vec![step("pause")]));
    world.finds_nothing = false;
    world.says("LEND-001", violated());
    world.nonce = 8;
    for _ in 0..=ANSWER_BLOCKS_MAX {
        world.block();
    }
    assert_eq!(world.sent.iter().map(|s| s.nonce).max(), Some(7));
    for _ in 0..2 {
        world.block();
    }
    assert_eq!(world.sent.last().map(|s| s.nonce), Some(8));
    world.check_replay();
}

/// A word that nobody asked for changes nothing.
#[test]
fn an_answer_without_a_question_changes_nothing() {
    let mut world = World::new(program(vec![step("pause")]));
    world.says("LEND-001", violated());
    let before = world.guardian.state_hash();
    world.put(Input::Absent { action_key: world.sent[0].action.key });
    world.put(Input::Absent { action_key: B256::repeat_byte(9) });
    assert_eq!(world.guardian.state_hash(), before);
}
