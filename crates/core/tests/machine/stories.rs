//! What the guardian does about one cause, told as short stories.

use crate::harness::*;
use alloy_primitives::{Address, B256, I256, U256};
use ripcord_core::chain::{Finality, Millis};
use ripcord_core::fact::{Fact, FactKind, MoveKind, TokenMove};
use ripcord_core::guardian::Guardian;
use ripcord_core::incident::Mode;
use ripcord_core::io::{Body, DryRun, Human, Input, Output};
use ripcord_core::playbook::{Approve, Effect, OnTimeout, OnUnknown, RuleMode, Step};
use ripcord_core::signal::UnknownWhy;

/// Plays a story and compares the incident's events; every story must replay.
pub(crate) fn check(steps: Vec<Step>, story: impl FnOnce(&mut World), events: &[&str]) -> World {
    let mut world = World::new(program(steps));
    story(&mut world);
    assert_eq!(world.events(), events);
    world.check_replay();
    world
}

fn verified(id: &str) -> Step {
    Step { verify: Some(rule_id(&format!("contain.{id}.verify"))), ..step(id) }
}

#[test]
fn genesis_comes_first() {
    let world = World::bare(program(vec![]));
    assert!(matches!(world.journal[0].body, Body::Genesis { .. }));
}

#[test]
fn an_automatic_step_is_tried_sent_included_and_verified() {
    let world = check(
        vec![verified("pause")],
        |w| {
            w.block();
            w.says("LEND-001", violated());
            assert_eq!(w.sent.len(), 1);
            w.verdicts.insert("contain.pause.verify".to_owned(), ripcord_core::signal::Verdict::Holds);
            w.include(true);
        },
        &["opened LEND-001", "started contain.pause", "done contain.pause", "ended Done", "contained after 1"],
    );
    assert_eq!(world.sent[0].nonce, 7);
}

#[test]
fn unknown_and_holds_open_nothing() {
    let world = check(
        vec![step("pause")],
        |w| {
            w.says("LEND-001", ripcord_core::signal::Verdict::Holds);
            for _ in 0..3 {
                w.says("LEND-001", unknown());
            }
            w.says("NOPE-001", violated());
        },
        &[],
    );
    assert_eq!(world.told("blind"), 1, "told once until it leaves unknown");
    assert!(world.sent.is_empty());
}

#[test]
fn watch_is_told_and_nothing_more() {
    let mut program = program(vec![step("pause")]);
    program.rules[0].on_unknown = OnUnknown::Watch;
    let mut world = World::new(program);
    world.says("LEND-001", unknown());
    assert_eq!(world.told("WATCH"), 1);
    assert!(world.events().is_empty() && world.sent.is_empty());
}

#[test]
fn shadow_only_journals_and_alert_only_tells() {
    for (mode, incidents, shadows) in [(RuleMode::Off, 0, 0), (RuleMode::Shadow, 0, 1), (RuleMode::Alert, 1, 0)] {
        let mut program = program(vec![step("pause")]);
        program.rules[0].mode = mode;
        let mut world = World::new(program);
        world.says("LEND-001", violated());
        world.block();
        world.says("LEND-001", violated());
        assert_eq!(world.guardian.incidents().count(), incidents);
        assert_eq!(world.journal.iter().filter(|r| matches!(r.body, Body::Shadow { .. })).count(), shadows);
        assert!(world.sent.is_empty());
        world.check_replay();
    }
}

#[test]
fn a_violation_must_last_for_its_blocks() {
    let mut program = program(vec![step("pause")]);
    program.rules[0].for_blocks = 3;
    let mut world = World::new(program);
    world.says("LEND-001", violated());
    world.block();
    world.says("LEND-001", ripcord_core::signal::Verdict::Holds);
    world.block();
    world.says("LEND-001", violated());
    world.put(Input::Evaluated { chain: CHAIN, block: world.head.hash });
    world.block();
    assert!(world.events().is_empty(), "two blocks in a row");
    world.block();
    assert_eq!(world.events()[0], "opened LEND-001", "a verdict stands until the next one");
    world.check_replay();
}

#[test]
fn one_cause_is_one_incident() {
    let mut program = program(vec![step("pause")]);
    program.rules.push(rule("LEND-002"));
    program.rules.push(rule("PERP-001"));
    let mut world = World::new(program);
    world.says("LEND-001", violated());
    world.says("LEND-001", violated());
    world.says("LEND-002", violated());
    world.says("PERP-001", violated());
    let opened: Vec<String> = world.events().into_iter().filter(|e| e.contains("ened") || e.contains("join")).collect();
    assert_eq!(opened, ["opened LEND-001", "joined LEND-002", "opened PERP-001"]);
    assert_eq!(world.sent.len(), 1, "the same step of the same trip has one key, whatever the incident");
    world.check_replay();
}

#[test]
fn people_count_once_and_strangers_not_at_all() {
    let two = Step { approve: people(2), ..step("pause") };
    let world = check(
        vec![two],
        |w| {
            w.says("LEND-001", violated());
            let ask = w.asks()[0].clone();
            assert_eq!((ask.need, ask.people.len()), (2, 3));
            w.approve("ana", &ask);
            w.approve("ana", &ask);
            w.approve("eve", &ask);
            let other = ripcord_core::io::Ask { digest: B256::ZERO, ..ask.clone() };
            w.approve("bo", &other);
            assert!(w.sent.is_empty());
            w.approve("bo", &ask);
            assert_eq!(w.sent.len(), 1);
            w.approve("chi", &ask);
        },
        &["opened LEND-001", "started contain.pause"],
    );
    assert_eq!(world.told("does not count"), 4);
}

#[test]
fn a_veto_beats_approvals_until_execution() {
    let slow = Step { approve: people(1), veto_ms: 5 * MINUTE, ..step("pause") };
    check(
        vec![slow],
        |w| {
            w.says("LEND-001", violated());
            let ask = w.asks()[0].clone();
            w.approve("ana", &ask);
            w.wait(MINUTE);
            w.veto("chi", &ask);
            w.wait(10 * MINUTE);
            assert!(w.sent.is_empty());
        },
        &["opened LEND-001", "started contain.pause", "ended Vetoed"],
    );
}

#[test]
fn a_veto_while_the_dry_run_is_out_still_wins() {
    let asked = Step { approve: people(1), ..step("pause") };
    check(
        vec![asked],
        |w| {
            w.dry_run = None;
            w.says("LEND-001", violated());
            let ask = w.asks()[0].clone();
            w.approve("ana", &ask);
            w.veto("bo", &ask);
            w.wait(MINUTE);
            assert!(w.sent.is_empty());
        },
        &["opened LEND-001", "started contain.pause", "ended Vetoed"],
    );
}

#[test]
fn silence_is_consent_only_where_the_policy_says_so() {
    let window = Step { approve: Approve::Veto { window_ms: 2 * MINUTE }, ..step("pause") };
    check(
        vec![window],
        |w| {
            w.says("LEND-001", violated());
            w.wait(MINUTE);
            assert!(w.sent.is_empty());
            w.wait(2 * MINUTE);
            assert!(!w.sent.is_empty());
        },
        &[
            "opened LEND-001",
            "started contain.pause",
            "failed contain.pause: its transaction was not included after the last attempt",
            "ended Escalated",
        ],
    );
}

#[test]
fn a_lapsed_question_takes_what_the_policy_says() {
    let asked =
        |on_timeout| Step { approve: people(1), on_timeout, or_else: Some(1), timeout_ms: MINUTE, ..step("pause") };
    let say = |w: &mut World| {
        w.says("LEND-001", violated());
        w.wait(MINUTE);
    };
    let lapsed = "failed contain.pause: nobody agreed in time";
    check(
        vec![asked(OnTimeout::Abort), step("else")],
        say,
        &["opened LEND-001", "started contain.pause", lapsed, "ended Aborted"],
    );
    check(
        vec![asked(OnTimeout::Next), step("else")],
        say,
        &["opened LEND-001", "started contain.pause", lapsed, "started contain.else"],
    );
    let world = check(vec![asked(OnTimeout::Auto), step("else")], say, &["opened LEND-001", "started contain.pause"]);
    assert!(!world.sent.is_empty());
    let proposal = Step {
        effect: Effect::Propose {
            chain: CHAIN,
            target: pool(),
            calldata: vec![1, 2, 3, 4].into(),
            via: "council".to_owned(),
        },
        ..asked(OnTimeout::Auto)
    };
    let world = check(
        vec![proposal, step("else")],
        say,
        &["opened LEND-001", "started contain.pause", lapsed, "ended Aborted"],
    );
    assert!(world.sent.is_empty(), "a time-out never runs what does not tighten");
}

#[test]
fn a_failing_dry_run_takes_the_alternative_and_unknown_stops_only_what_loosens() {
    let first = Step { or_else: Some(1), ..step("pause") };
    check(
        vec![first.clone(), step("else")],
        |w| {
            w.dry_run = Some(DryRun::Fails { why: "revert".to_owned() });
            w.says("LEND-001", violated());
        },
        &[
            "opened LEND-001",
            "started contain.pause",
            "failed contain.pause: the dry-run fails: revert",
            "started contain.else",
            "failed contain.else: the dry-run fails: revert",
            "ended Escalated",
        ],
    );
    let unknown = |w: &mut World| {
        w.dry_run = Some(DryRun::Unknown { why: UnknownWhy::MissingState });
        w.says("LEND-001", violated());
    };
    let world = check(vec![step("pause")], unknown, &["opened LEND-001", "started contain.pause"]);
    assert_eq!((world.sent.len(), world.told("goes ahead")), (1, 1));
    let effect = Effect::Propose { chain: CHAIN, target: pool(), calldata: vec![1].into(), via: "council".to_owned() };
    let world = check(
        vec![Step { effect, ..step("lift") }],
        unknown,
        &[
            "opened LEND-001",
            "started contain.lift",
            "failed contain.lift: the dry-run could not tell (MissingState)",
            "ended Escalated",
        ],
    );
    assert!(world.sent.is_empty());
}

#[test]
fn an_effect_that_is_not_verified_in_time_takes_the_alternative() {
    let first = Step { or_else: Some(1), ..verified("pause") };
    for verdict in [violated(), unknown()] {
        check(
            vec![first.clone(), step("else")],
            |w| {
                w.says("LEND-001", violated());
                w.verdicts.insert("contain.pause.verify".to_owned(), verdict);
                w.include(true);
                w.block();
                assert_eq!(w.sent.len(), 1);
                w.block();
                assert_eq!(w.sent.len(), 2);
            },
            &[
                "opened LEND-001",
                "started contain.pause",
                "failed contain.pause: its effect was not verified in time",
                "started contain.else",
            ],
        );
    }
}

#[test]
fn a_reorg_takes_signals_back() {
    let asked = Step { approve: people(1), ..step("pause") };
    let fork = |w: &mut World| {
        w.block();
        w.says("LEND-001", violated());
        let number = w.head.number;
        w.adopt(block(number, 1, 0));
        w.block();
    };
    check(
        vec![asked],
        fork,
        &["opened LEND-001", "started contain.pause", "signals-retracted 0", "ended Superseded", "resolved Retracted"],
    );
    let world = check(vec![step("pause")], fork, &["opened LEND-001", "started contain.pause", "signals-retracted 0"]);
    assert_eq!(world.told("stays open for people"), 1);
}

/// Once an incident was called contained for ever, although a reorg had dropped the block of its pause.
#[test]
fn a_reorg_that_drops_the_pause_takes_the_containment_back() {
    let holds = || ripcord_core::signal::Verdict::Holds;
    let world = check(
        vec![verified("pause")],
        |w| {
            w.block();
            w.says("LEND-001", violated());
            w.verdicts.insert("contain.pause.verify".to_owned(), holds());
            w.include(true);
            let number = w.head.number;
            w.verdicts.insert("contain.pause.verify".to_owned(), violated());
            w.adopt(block(number, 1, 0));
            assert_eq!(w.sent.len(), 2, "the pause is sent again");
            assert_eq!(w.sent[0].action.key, w.sent[1].action.key);
            w.verdicts.insert("contain.pause.verify".to_owned(), holds());
            w.include(true);
        },
        &[
            "opened LEND-001",
            "started contain.pause",
            "done contain.pause",
            "ended Done",
            "contained after 1",
            "uncontained",
            "done contain.pause",
            "ended Done",
            "contained after 2",
        ],
    );
    assert_eq!(world.told("the block that held it was dropped"), 1);
}

#[test]
fn a_quiet_incident_closes_and_an_unlabelled_one_is_charged() {
    let world = check(
        vec![],
        |w| {
            w.says("LEND-001", violated());
            w.says("LEND-001", ripcord_core::signal::Verdict::Holds);
            w.wait(31 * MINUTE);
            assert!(w.guardian.incidents().all(|i| i.is_over()));
            w.now += 7 * DAY;
            w.put(Input::Tick);
        },
        &["opened LEND-001", "ended Done", "resolved Quiet"],
    );
    assert_eq!(
        world.guardian.effective_mode(&rule_id("LEND-001")),
        Some(RuleMode::Armed),
        "one false alarm is allowed"
    );
}

#[test]
fn a_stale_chain_does_not_stop_what_tightens() {
    let asked = Step { approve: people(1), timeout_ms: DAY, ..step("pause") };
    let mut world = World::new(program(vec![asked]));
    world.says("LEND-001", violated());
    let ask = world.asks()[0].clone();
    world.now += STALE;
    world.approve("ana", &ask);
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn blocks_that_are_not_evaluated_are_not_silence_as_usual() {
    let mut world = World::new(program(vec![]));
    for number in 101..=104 {
        let next = block(number, 0, 0);
        for source in 0..3 {
            world.head_of(source, next);
        }
        world.head = next;
        assert_eq!(world.guardian.chain_unknown(CHAIN).is_some(), number == 104, "block {number}");
    }
    assert_eq!(world.told("not being evaluated"), 1);
    world.evaluate(world.head);
    assert_eq!(world.guardian.chain_unknown(CHAIN), None);
    world.put(Input::Blind { chain: CHAIN, block: world.head.hash, why: UnknownWhy::Fault });
    assert_eq!(world.guardian.chain_unknown(CHAIN), None, "already evaluated");
    world.check_replay();
}

#[test]
fn a_pending_transaction_alone_acts_twice_a_day() {
    let mut program = program(vec![step("pause")]);
    for family in ["AAA-1", "BBB-1", "CCC-1"] {
        let mut rule = rule(family);
        rule.playbook = Some("contain".to_owned());
        program.rules.push(rule);
    }
    let mut world = World::new(program);
    for family in ["AAA-1", "BBB-1", "CCC-1"] {
        let mut signal = signal(family, &world.head, violated());
        signal.at.finality = Finality::Pending;
        signal.at.tx = Some(B256::repeat_byte(9));
        world.put(Input::Signal(signal));
    }
    let started = |w: &World| w.events().iter().filter(|e| *e == "started contain.pause").count();
    assert_eq!(started(&world), 2);
    assert_eq!(world.told("rests on a pending transaction only"), 1);
    world.says("CCC-1", violated());
    assert_eq!(started(&world), 3, "a block is another matter");
    world.check_replay();
}

#[test]
fn losses_follow_blocks() {
    let mut world = World::new(program(vec![]));
    world.says("LEND-001", violated());
    let flow = |w: &World, usd: i64| {
        let moved =
            TokenMove { token: None, from: pool(), to: Address::ZERO, amount: U256::from(1), kind: MoveKind::Native };
        let usd_e8 = Some(I256::try_from(usd).unwrap());
        Input::Fact(Fact { at: at(&w.head), kind: FactKind::Flow { account: pool(), moved, usd_e8 } })
    };
    world.put(flow(&world, -500));
    world.block();
    world.put(flow(&world, -70));
    world.put(flow(&world, 20));
    let loss = |w: &World| w.guardian.incidents().next().unwrap().loss_usd_e8();
    assert_eq!(loss(&world), U256::from(550));
    let number = world.head.number;
    world.adopt(block(number, 1, 0));
    assert_eq!(loss(&world), U256::from(500), "the dropped block's flows are taken back");
    world.check_replay();
}

#[test]
fn the_systems_own_mode_ends_it() {
    let world = check(
        vec![step("pause")],
        |w| {
            w.says("LEND-001", violated());
            w.include(true);
            w.says("LEND-001", ripcord_core::signal::Verdict::Holds);
            let fact = Fact { at: at(&w.head), kind: FactKind::Mode { target: pool(), mode: Mode::Normal } };
            w.put(Input::Fact(fact));
        },
        &[
            "opened LEND-001",
            "started contain.pause",
            "done contain.pause",
            "ended Done",
            "contained after 1",
            "resolved Released",
        ],
    );
    assert!(world.guardian.watched().is_empty());
}

#[test]
fn people_close_only_what_is_calm() {
    let world = check(
        vec![step("pause")],
        |w| {
            let resolve = |w: &World| {
                let incident = w.guardian.incidents().next().unwrap().id;
                Input::Human(Human::Resolve { incident, by: "ana".to_owned() })
            };
            w.says("LEND-001", violated());
            w.put(resolve(w));
            w.include(true);
            w.put(resolve(w));
            w.says("LEND-001", unknown());
            w.put(resolve(w));
            w.block();
            w.says("LEND-001", ripcord_core::signal::Verdict::Holds);
            w.put(resolve(w));
        },
        &[
            "opened LEND-001",
            "started contain.pause",
            "done contain.pause",
            "ended Done",
            "contained after 1",
            "resolved Human",
        ],
    );
    assert_eq!(world.told("cannot be closed"), 3);
}

#[test]
fn a_restart_puts_out_the_same_again() {
    let asked = Step { approve: people(1), ..step("second") };
    let mut program = program(vec![step("pause")]);
    program.playbooks.push(ripcord_core::playbook::Playbook { id: "ask".to_owned(), steps: vec![asked] });
    let mut perp = rule("PERP-001");
    perp.playbook = Some("ask".to_owned());
    program.rules.push(perp);
    let mut world = World::new(program);
    world.says("LEND-001", violated());
    world.says("PERP-001", violated());
    let (sent, asks) = (world.sent.clone(), world.asks());
    let (mut guardian, _) = Guardian::replay(world.program.clone(), world.journal.clone()).unwrap();
    guardian.handle(Millis(world.now), Input::Restarted);
    let mut again = (Vec::new(), Vec::new());
    while let Some(output) = guardian.poll_output() {
        match output {
            Output::Submit(submission) => again.0.push(submission),
            Output::AskApproval(ask) => again.1.push(ask),
            _ => {}
        }
    }
    assert_eq!(again, (sent, asks));
}

#[test]
fn the_next_trip_of_an_expired_restriction_follows_the_chain_s_count() {
    let short = Step { expires_ms: Some(10 * MINUTE), ..step("pause") };
    let world = check(
        vec![short],
        |w| {
            w.says("LEND-001", violated());
            w.include(true);
            let kind = FactKind::Episode {
                target: Address::repeat_byte(0xcc),
                scope: B256::ZERO,
                episode: 5,
                trip_count: 1,
                epoch: 0,
            };
            w.put(Input::Fact(Fact { at: at(&w.head), kind }));
            w.wait(11 * MINUTE);
        },
        &[
            "opened LEND-001",
            "started contain.pause",
            "done contain.pause",
            "ended Done",
            "contained after 1",
            "reopened 1",
            "started contain.pause",
            "failed contain.pause: its transaction was not included after the last attempt",
            "ended Escalated",
        ],
    );
    assert_eq!(world.told("run out on chain"), 1);
}

#[test]
fn a_dropped_block_does_not_count_towards_a_streak() {
    let mut program = program(vec![]);
    program.rules[0].for_blocks = 2;
    let mut world = World::new(program);
    world.block();
    world.says("LEND-001", violated());
    let number = world.head.number;
    world.adopt(block(number, 1, 0));
    world.says("LEND-001", violated());
    assert!(world.events().is_empty(), "the first violation is gone with its block");
    world.block();
    assert_eq!(world.events()[0], "opened LEND-001");
    world.check_replay();
}

#[test]
fn alternatives_that_lead_back_end_with_people() {
    let first = Step { or_else: Some(1), ..step("pause") };
    let second = Step { or_else: Some(0), ..step("else") };
    let world = check(
        vec![first, second],
        |w| {
            w.dry_run = Some(DryRun::Fails { why: "no".to_owned() });
            w.says("LEND-001", violated());
        },
        &[
            "opened LEND-001",
            "started contain.pause",
            "failed contain.pause: the dry-run fails: no",
            "started contain.else",
            "failed contain.else: the dry-run fails: no",
            "ended Escalated",
        ],
    );
    assert!(world.sent.is_empty());
}

#[test]
fn a_chain_that_cannot_be_seen_closes_nothing() {
    let mut world = World::new(program(vec![]));
    world.says("LEND-001", violated());
    world.says("LEND-001", ripcord_core::signal::Verdict::Holds);
    world.now += 60 * MINUTE;
    world.put(Input::Tick);
    assert!(world.guardian.incidents().all(|i| !i.is_over()));
    world.block();
    assert!(world.guardian.incidents().all(|i| i.is_over()));
    world.check_replay();
}
