//! False-alarm budgets against a reference, and what a spent one does.

use crate::harness::*;
use proptest::prelude::*;
use ripcord_core::chain::Millis;
use ripcord_core::incident::IncidentId;
use ripcord_core::io::{Body, Input};
use ripcord_core::ladder::Ladder;
use ripcord_core::playbook::{Budget, OnExhausted, RuleMode};
use ripcord_core::signal::Verdict;

proptest! {
    #[test]
    fn a_budget_is_spent_when_the_reference_says_so(
        allowed in 0u32..5,
        per_days in 1u64..40,
        alarms in prop::collection::vec((0u64..20, any::<bool>(), any::<bool>()), 1..60),
    ) {
        let mut spec = rule("LEND-001");
        let per_ms = per_days * DAY;
        spec.budget = Some(Budget { false_alarms: allowed, per_ms, on_exhausted: OnExhausted::Demote });
        let mut ladder = Ladder::default();
        let mut mode = RuleMode::Armed;
        let mut debits: Vec<(u64, u64)> = Vec::new();
        let mut now = START;
        for (id, (days, human, refund)) in (1u64..).zip(alarms) {
            now += days * DAY;
            debits.push((now, id));
            let spent = debits.iter().filter(|(at, _)| at + per_ms > now).count();
            let change = ladder.debit(Millis(now), IncidentId(id), human, &spec);
            prop_assert_eq!(change.is_some(), spent > allowed as usize);
            if change.is_some() && human {
                mode = if mode == RuleMode::Armed { RuleMode::Alert } else { RuleMode::Shadow };
            }
            prop_assert_eq!(ladder.effective(RuleMode::Armed), mode);
            if refund {
                ladder.refund(IncidentId(id));
                debits.pop();
            }
        }
    }
}

/// One incident that is over before the next begins.
fn alarm(world: &mut World, number: u64, false_alarm: bool) {
    world.says("LEND-001", violated());
    world.says("LEND-001", Verdict::Holds);
    world.wait(31 * MINUTE);
    if false_alarm {
        world.label(number, false);
    }
}

fn exhausted(on_exhausted: OnExhausted, hard: bool) -> World {
    let mut program = program(vec![step("pause")]);
    program.rules[0].budget = Some(Budget { false_alarms: 0, per_ms: 365 * DAY, on_exhausted });
    program.rules[0].hard = hard;
    program.rules[0].mode = RuleMode::Armed;
    let mut world = World::new(program);
    // The deputy is unknown on chain until the account is read; here the step is vetoed by a failing dry-run.
    world.dry_run = Some(ripcord_core::io::DryRun::Fails { why: "no".to_owned() });
    alarm(&mut world, 1, true);
    world.dry_run = Some(ripcord_core::io::DryRun::Works { gas_used: 1 });
    world
}

#[test]
fn demotion_is_one_step_and_only_by_a_persons_word() {
    let world = exhausted(OnExhausted::Demote, false);
    assert_eq!(world.guardian.effective_mode(&rule_id("LEND-001")), Some(RuleMode::Alert));
    assert!(world.journal.iter().any(|r| matches!(&r.body, Body::Ladder { mode: RuleMode::Alert, .. })));
    world.check_replay();
}

#[test]
fn propose_turns_auto_into_an_approval_by_the_people_on_call() {
    let mut world = exhausted(OnExhausted::Propose, false);
    world.says("LEND-001", violated());
    assert!(world.sent.is_empty());
    let ask = world.asks()[0].clone();
    assert_eq!((ask.people.as_slice(), ask.need), (["ana".to_owned(), "bo".to_owned()].as_slice(), 1));
    world.approve("bo", &ask);
    assert_eq!(world.sent.len(), 1);
    world.check_replay();
}

#[test]
fn hard_rules_and_page_only_budgets_keep_their_authority() {
    for mut world in [exhausted(OnExhausted::Demote, true), exhausted(OnExhausted::Page, false)] {
        assert_eq!(world.told("budget is spent"), 1);
        world.says("LEND-001", violated());
        assert_eq!(world.sent.len(), 1);
    }
}

#[test]
fn an_alarm_without_a_label_is_charged_after_seven_days_and_asks_only() {
    let mut program = program(vec![step("pause")]);
    program.rules[0].budget = Some(Budget { false_alarms: 0, per_ms: 365 * DAY, on_exhausted: OnExhausted::Demote });
    program.playbooks.clear();
    let mut world = World::new(program);
    alarm(&mut world, 1, false);
    world.now += 7 * DAY - 31 * MINUTE - MINUTE;
    world.put(Input::Tick);
    assert_eq!(world.told("budget is spent"), 0);
    world.now += 2 * MINUTE;
    world.put(Input::Tick);
    assert_eq!(world.told("only after a person's approval"), 1);
    assert_eq!(world.guardian.effective_mode(&rule_id("LEND-001")), Some(RuleMode::Armed));
    world.check_replay();
}

#[test]
fn demotion_never_cancels_a_running_containment() {
    let mut program = program(vec![step("pause")]);
    program.rules[0].budget = Some(Budget { false_alarms: 0, per_ms: 365 * DAY, on_exhausted: OnExhausted::Demote });
    let mut world = World::new(program);
    world.says("LEND-001", violated());
    world.label(1, false);
    assert_eq!(world.guardian.effective_mode(&rule_id("LEND-001")), Some(RuleMode::Alert));
    world.block();
    world.block();
    assert!(world.sent.len() >= 2, "the flight goes on");
    world.include(true);
    assert!(world.events().contains(&"done contain.pause".to_owned()));
    world.check_replay();
}
