//! Random lives of a guardian: whatever happens, its journal tells it all.

use crate::harness::*;
use alloy_primitives::{Address, B256, I256, U256, keccak256};
use proptest::prelude::*;
use ripcord_core::chain::{Finality, INTEGER_MAX, Millis};
use ripcord_core::fact::{Fact, FactKind, MoveKind, TokenMove};
use ripcord_core::guardian::Guardian;
use ripcord_core::incident::{IncidentEvent, IncidentId, Mode};
use ripcord_core::io::{Body, DryRun, Human, Input, Output, Record};
use ripcord_core::playbook::{Approve, Effect, OnTimeout, Playbook, Program, RuleMode, Severity, Step};
use ripcord_core::signal::{UnknownWhy, Verdict};
use std::collections::BTreeMap;

#[derive(Debug, Clone)]
enum Act {
    Block,
    Unevaluated,
    Fork { depth: u64, fork: u8 },
    Lie { source: u16, fork: u8 },
    Says { rule: usize, verdict: u8, pending: bool, tx: bool },
    Standing { rule: usize, verdict: u8 },
    Approve { who: usize, which: usize },
    Veto { who: usize, which: usize },
    Label { incident: u64, value: bool },
    Resolve { incident: u64 },
    Include { success: bool },
    Nonce { by: u64 },
    Submitted { ok: bool },
    DryRuns { kind: u8 },
    Wait { ms: u64 },
    Back { ms: u64 },
    Flow { usd: i64 },
    Mode { mode: u8 },
    Episode { episode: u64, trip_count: u64 },
    Blind,
    Fault { source: u16 },
    Wild { number: u64 },
    Restarted,
}

const RULES: [&str; 9] = [
    "LEND-001",
    "LEND-002",
    "PERP-001",
    "SHAD-001",
    "contain.pause.verify",
    "contain.pause.when",
    "GATE",
    "freeze.freeze.when",
    "NOPE",
];
const PEOPLE: [&str; 5] = ["ana", "bo", "chi", "eve", "safe"];

fn act() -> impl Strategy<Value = Act> {
    let often = prop_oneof![
        Just(Act::Block),
        (0..RULES.len(), 0u8..4, any::<bool>(), any::<bool>()).prop_map(|(rule, verdict, p, tx)| Act::Says {
            rule,
            verdict,
            pending: p && tx,
            tx
        }),
        (0..RULES.len(), 0u8..4).prop_map(|(rule, verdict)| Act::Standing { rule, verdict }),
        (0..PEOPLE.len(), 0usize..3).prop_map(|(who, which)| Act::Approve { who, which }),
        any::<bool>().prop_map(|success| Act::Include { success }),
        (0u64..400_000).prop_map(|ms| Act::Wait { ms }),
    ];
    let seldom = prop_oneof![
        Just(Act::Unevaluated),
        (1u64..4, 1u8..4).prop_map(|(depth, fork)| Act::Fork { depth, fork }),
        (0u16..4, 0u8..4).prop_map(|(source, fork)| Act::Lie { source, fork }),
        (0..PEOPLE.len(), 0usize..3).prop_map(|(who, which)| Act::Veto { who, which }),
        (0u64..4, any::<bool>()).prop_map(|(incident, value)| Act::Label { incident, value }),
        (0u64..4).prop_map(|incident| Act::Resolve { incident }),
        (0u64..3).prop_map(|by| Act::Nonce { by }),
        any::<bool>().prop_map(|ok| Act::Submitted { ok }),
        (0u8..4).prop_map(|kind| Act::DryRuns { kind }),
        (0u64..9 * DAY).prop_map(|ms| Act::Wait { ms }),
        (0u64..DAY).prop_map(|ms| Act::Back { ms }),
        any::<i64>().prop_map(|usd| Act::Flow { usd }),
        (0u8..6).prop_map(|mode| Act::Mode { mode }),
        (0u64..4, 0u64..3).prop_map(|(episode, trip_count)| Act::Episode { episode, trip_count }),
        Just(Act::Blind),
        (0u16..4).prop_map(|source| Act::Fault { source }),
        any::<u64>().prop_map(|number| Act::Wild { number }),
        Just(Act::Restarted),
    ];
    prop_oneof![3 => often, 1 => seldom]
}

fn rich_program() -> Program {
    let pause = Step {
        when: Some(rule_id("contain.pause.when")),
        verify: Some(rule_id("contain.pause.verify")),
        or_else: Some(1),
        expires_ms: Some(60 * MINUTE),
        ..step("pause")
    };
    let glass = Step { approve: people(2), timeout_ms: 5 * MINUTE, on_timeout: OnTimeout::Auto, ..step("glass") };
    let effect =
        Effect::Propose { chain: CHAIN, target: pool(), calldata: vec![9; 8].into(), via: "council".to_owned() };
    let exit = Step { effect, approve: people(2), veto_ms: MINUTE, ..step("exit") };
    let stages = restore(&[("repay", 2 * MINUTE, &["GATE"]), ("borrow", MINUTE, &["GATE", "LEND-002"])]);
    let recover = Step { effect: stages, approve: Approve::Safe, timeout_ms: DAY, ..step("recover") };
    let mut program = program(vec![pause, glass, exit, recover.clone()]);
    let halt = Step { expires_ms: Some(30 * MINUTE), ..step("halt") };
    let reopen = Step { approve: people(1), ..recover };
    program.playbooks.push(Playbook { id: "halt".to_owned(), steps: vec![halt, reopen] });
    let freeze = Step { approve: Approve::Veto { window_ms: MINUTE }, ..step("freeze") };
    let tell = Step { effect: Effect::Notify { text: "look".to_owned() }, ..step("tell") };
    program.playbooks.push(Playbook { id: "freeze".to_owned(), steps: vec![tell, freeze] });
    let mut second = rule("LEND-002");
    (second.for_blocks, second.hard, second.severity) = (2, true, Severity::P2);
    second.playbook = Some("freeze".to_owned());
    let mut perp = rule("PERP-001");
    (perp.severity, perp.playbook) = (Severity::P3, Some("halt".to_owned()));
    let mut shadow = rule("SHAD-001");
    shadow.mode = RuleMode::Shadow;
    program.rules.extend([second, perp, shadow]);
    program
}

fn verdict(kind: u8) -> Verdict {
    match kind {
        0 => Verdict::Holds,
        1 => unknown(),
        _ => violated(),
    }
}

fn play(world: &mut World, act: &Act) {
    match act.clone() {
        Act::Block => world.block(),
        Act::Unevaluated => {
            let next = block(world.head.number + 1, world.head.hash.0[31], world.head.hash.0[31]);
            for source in 0..3 {
                world.head_of(source, next);
            }
            world.head = next;
        }
        Act::Fork { depth, fork } => {
            let number = world.head.number.saturating_sub(depth).max(101);
            let parent = world.guardian.tip(CHAIN).map_or(0, |t| t.hash.0[31]);
            world.adopt(block(number, fork, parent));
            world.block();
        }
        Act::Lie { source, fork } => world.head_of(source, block(world.head.number + 1, fork, fork)),
        Act::Says { rule, verdict: kind, pending, tx } => {
            let mut signal = signal(RULES[rule], &world.head, verdict(kind));
            signal.at.tx = tx.then(|| B256::repeat_byte(kind));
            if pending {
                signal.at.finality = Finality::Pending;
            }
            world.put(Input::Signal(signal));
        }
        Act::Standing { rule, verdict: kind } => {
            world.verdicts.insert(RULES[rule].to_owned(), verdict(kind));
        }
        Act::Approve { who, which } => {
            if let Some(ask) = world.asks().iter().rev().nth(which) {
                world.approve(PEOPLE[who], ask);
            }
        }
        Act::Veto { who, which } => {
            if let Some(ask) = world.asks().iter().rev().nth(which) {
                world.veto(PEOPLE[who], ask);
            }
        }
        Act::Label { incident, value } => world.label(incident, value),
        Act::Resolve { incident } => {
            world.put(Input::Human(Human::Resolve { incident: IncidentId(incident), by: "ana".to_owned() }));
        }
        Act::Include { success } => {
            if !world.sent.is_empty() {
                world.include(success);
            }
        }
        Act::Nonce { by } => world.account(world.nonce + by),
        Act::Submitted { ok } => {
            if let Some(last) = world.sent.last().cloned() {
                let result = if ok { Ok(keccak256([last.attempt as u8])) } else { Err("nonce too low".to_owned()) };
                world.put(Input::Submitted { action_key: last.action.key, attempt: last.attempt, result });
            }
        }
        Act::Wait { ms } => {
            world.now += ms;
            world.put(Input::Tick);
        }
        Act::Back { ms } => {
            let now = world.now;
            world.now = now.saturating_sub(ms);
            world.block();
            world.now = now;
        }
        act => play_facts(world, act),
    }
}

fn play_facts(world: &mut World, act: Act) {
    let at = at(&world.head);
    match act {
        Act::Flow { usd } => {
            let moved =
                TokenMove { token: None, from: pool(), to: Address::ZERO, amount: U256::MAX, kind: MoveKind::Native };
            let usd_e8 = I256::try_from(usd).ok();
            world.put(Input::Fact(Fact { at, kind: FactKind::Flow { account: pool(), moved, usd_e8 } }));
        }
        Act::Mode { mode } => {
            let modes = [Mode::Normal, Mode::Watch, Mode::Recovering, Mode::Restricted, Mode::Halted, Mode::Exit];
            let mode = modes[mode as usize];
            world.put(Input::Fact(Fact { at, kind: FactKind::Mode { target: pool(), mode } }));
        }
        Act::Episode { episode, trip_count } => {
            let target = Address::repeat_byte(0xcc);
            world.put(Input::Fact(Fact {
                at,
                kind: FactKind::Episode { target, scope: B256::ZERO, episode, trip_count, epoch: 0 },
            }));
        }
        Act::Blind => world.put(Input::Blind { chain: CHAIN, block: world.head.hash, why: UnknownWhy::Fault }),
        Act::Fault { source } => {
            let source = ripcord_core::chain::SourceId(source);
            world.put(Input::SourceFault { chain: CHAIN, source, why: "x".repeat(5000) });
        }
        Act::Wild { number } => {
            let mut wild = block(101, 9, 9);
            wild.number = number;
            world.head_of(2, wild);
            let mut signal = signal("LEND-001", &world.head, violated());
            signal.at.block_number = number;
            world.put(Input::Signal(signal));
        }
        Act::DryRuns { kind } => {
            world.dry_run = match kind {
                0 => None,
                1 => Some(DryRun::Fails { why: "revert".to_owned() }),
                2 => Some(DryRun::Unknown { why: UnknownWhy::Stale }),
                _ => Some(DryRun::Works { gas_used: u64::MAX }),
            };
        }
        Act::Restarted => world.put(Input::Restarted),
        _ => {}
    }
}

fn live(acts: &[Act]) -> World {
    let mut world = World::new(rich_program());
    for act in acts {
        let (records, hash) = (world.journal.len(), world.guardian.state_hash());
        play(&mut world, act);
        if records == world.journal.len() {
            assert_eq!(hash, world.guardian.state_hash(), "changed without a trace by {act:?}");
        }
        if let Some(deadline) = world.guardian.next_deadline() {
            assert!(deadline > Millis(world.now), "a deadline that has passed hides those to come");
        }
    }
    world
}

/// JSON has no integers beyond 2^53 - 1 that every reader agrees on.
fn check_numbers(value: &serde_json::Value) {
    match value {
        serde_json::Value::Number(n) => assert!(n.as_u64().is_some_and(|n| n <= INTEGER_MAX), "{n}"),
        serde_json::Value::Array(list) => list.iter().for_each(check_numbers),
        serde_json::Value::Object(map) => map.values().for_each(check_numbers),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {}
    }
}

fn bytes(journal: &[Record]) -> Vec<Vec<u8>> {
    journal.iter().map(|r| serde_json::to_vec(r).unwrap()).collect()
}

/// Which key each step was sent under, per incident and trip.
fn keys(journal: &[Record]) -> BTreeMap<(IncidentId, u32, String), B256> {
    let mut trips: BTreeMap<IncidentId, u32> = BTreeMap::new();
    let mut keys = BTreeMap::new();
    let mut known: BTreeMap<B256, String> = BTreeMap::new();
    for record in journal {
        match &record.body {
            Body::Incident(IncidentEvent::Reopened { incident, trip }) => {
                trips.insert(*incident, *trip);
            }
            Body::Intent(s) => {
                let action = &s.action;
                assert_eq!(known.entry(action.key).or_insert(action.step.clone()), &action.step, "one key, two steps");
                // Later attempts of an old trip's flight keep its key; they are known already.
                let old = keys
                    .iter()
                    .any(|((i, _, step), k)| *i == action.incident && *step == action.step && *k == action.key);
                if !old {
                    let trip = trips.get(&action.incident).copied().unwrap_or(0);
                    let before = keys.insert((action.incident, trip, action.step.clone()), action.key);
                    assert_eq!(before, None, "a second key for a step");
                }
            }
            _ => {}
        }
    }
    keys
}

fn drain(guardian: &mut Guardian, journal: &mut Vec<Record>) {
    while let Some(output) = guardian.poll_output() {
        if let Output::Journal(record) = output {
            journal.push(record);
        }
    }
}

proptest! {
    #[test]
    fn the_journal_tells_it_all(acts in prop::collection::vec(act(), 1..120)) {
        let world = live(&acts);
        world.check_replay();
        keys(&world.journal);
        prop_assert_eq!(bytes(&live(&acts).journal), bytes(&world.journal), "the same inputs, the same bytes");
        for record in &world.journal {
            let text = serde_json::to_string(record).unwrap();
            prop_assert!(text.len() <= 65_535);
            check_numbers(&serde_json::from_str(&text).unwrap());
            prop_assert_eq!(&serde_json::from_str::<Record>(&text).unwrap(), record);
        }
    }

    #[test]
    fn a_crash_anywhere_gives_no_step_a_second_key(acts in prop::collection::vec(act(), 1..100), cuts in prop::collection::vec(any::<prop::sample::Index>(), 6)) {
        let world = live(&acts);
        let all = keys(&world.journal);
        for cut in cuts {
            let cut = cut.index(world.journal.len()).max(1);
            let mut journal = world.journal[..cut].to_vec();
            let (mut guardian, tail) = Guardian::replay(world.program.clone(), journal.clone()).unwrap();
            journal.extend(tail.into_iter().filter_map(|o| match o { Output::Journal(record) => Some(record), _ => None }));
            let resumed = journal.len();
            prop_assert_eq!(&journal[..], &world.journal[..resumed], "what was cut off comes back as it was");
            guardian.handle(journal.last().unwrap().at, Input::Restarted);
            drain(&mut guardian, &mut journal);
            for record in &world.journal[resumed..] {
                if let Body::Input(input) = &record.body {
                    guardian.handle(record.at, input.clone());
                    drain(&mut guardian, &mut journal);
                }
            }
            prop_assert_eq!(keys(&journal), all.clone());
            prop_assert_eq!(guardian.state_hash(), world.guardian.state_hash());
        }
    }

    #[test]
    fn a_forged_record_is_found(acts in prop::collection::vec(act(), 5..60), at in any::<prop::sample::Index>()) {
        let world = live(&acts);
        let mut journal = world.journal.clone();
        let at = at.index(journal.len());
        journal[at].at = Millis(journal[at].at.0 + 1);
        let derived = !matches!(journal[at].body, Body::Input(_) | Body::Genesis { .. });
        let result = Guardian::replay(world.program.clone(), journal);
        if derived {
            let error = result.map(|_| ()).unwrap_err();
            prop_assert!(matches!(error, ripcord_core::guardian::ReplayError::Differs { index, .. } if index == at as u64), "{error}");
        }
    }
}
