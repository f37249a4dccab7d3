//! The drill over many seeds: what it promises holds in every one of them, and each seed is a drill of its own.
//!
//! The seeds are split over several tests, so that they run side by side.

use alloy_primitives::U256;
use ripcord_sim::drill::{Act, ActName, Drill, Scenario, run};
use std::ops::Range;

/// What every act of every scenario has in common: enough honest traffic, and a theft of the promised size.
fn check_act(act: &Act, seed: u64) {
    let place = format!("seed {seed}, {:?}", act.act);
    assert!(
        act.honest_before_theft >= 500,
        "{place}: {} honest transactions before the theft",
        act.honest_before_theft
    );
    assert!(act.actors >= 50, "{place}: {} honest senders", act.actors);
    assert_eq!(act.honest_refused_before, 0, "{place}: an honest transaction was refused before the containment");
    assert!(act.honest_refused <= act.honest, "{place}");
    assert_eq!(act.false_alarms, 0, "{place}: {:#?}", act.timeline);
    let theft = act.theft;
    assert!((1..=6).contains(&theft.sent) && (1..=theft.sent).contains(&theft.private), "{place}: {theft:?}");
    assert!(theft.begins_after_blocks.is_none_or(|blocks| blocks <= 1), "{place}: {theft:?}");
}

fn acts(drill: &Drill) -> [&Act; 3] {
    let [unguarded, guarded, control] = drill.acts.as_slice() else { panic!("{} acts", drill.acts.len()) };
    let names = [unguarded.act, guarded.act, control.act];
    assert_eq!(names, [ActName::Unguarded, ActName::Guarded, ActName::Control]);
    [unguarded, guarded, control]
}

/// A million dollars: what is at stake in every seed is worth a theft.
fn million() -> U256 {
    U256::from(1_000_000_u64 * 100_000_000)
}

fn contained(seeds: Range<u64>) {
    for seed in seeds {
        let drill = run(Scenario::Inflation, seed, None).unwrap();
        let [unguarded, guarded, control] = acts(&drill);
        drill.acts.iter().for_each(|act| check_act(act, seed));
        let (before, after) = (unguarded.stolen_usd_e8, guarded.stolen_usd_e8);
        assert!(before > million(), "seed {seed}: the theft took {before}");
        assert!(
            after * U256::from(100) <= before,
            "seed {seed}: {after} of {before} stolen under the guardian\n{guarded:#?}"
        );
        assert!(guarded.blocks_to_contain.is_some_and(|blocks| blocks <= 1), "seed {seed}: {guarded:#?}");
        assert_eq!(unguarded.theft.begins_after_blocks, Some(1), "seed {seed}");
        assert_eq!(unguarded.blocks_to_contain, None, "seed {seed}");
        // The fixed contracts lose nothing and are never closed.
        let idle = (control.stolen_usd_e8, control.blocks_to_contain, control.honest_refused);
        assert_eq!(idle, (U256::ZERO, None, 0), "seed {seed}: {control:#?}");
    }
}

macro_rules! contained {
    ($($name:ident: $seeds:expr),+ $(,)?) => {
        $(#[test]
        fn $name() {
            contained($seeds);
        })+
    };
}

contained! {
    the_theft_is_contained_in_seeds_0_to_9: 0..10,
    the_theft_is_contained_in_seeds_10_to_19: 10..20,
    the_theft_is_contained_in_seeds_20_to_29: 20..30,
    the_theft_is_contained_in_seeds_30_to_39: 30..40,
    the_theft_is_contained_in_seeds_40_to_49: 40..50,
}

/// One private transaction is mined before anybody could have seen it: the limits on chain bound it, and the guardian ends what follows.
#[test]
fn one_private_transaction_takes_no_more_than_the_limits_let_out() {
    for seed in 0..5 {
        let drill = run(Scenario::InflationPrivate, seed, None).unwrap();
        let [unguarded, guarded, control] = acts(&drill);
        drill.acts.iter().for_each(|act| check_act(act, seed));
        assert_eq!((guarded.theft.sent, guarded.theft.private), (1, 1), "seed {seed}");
        assert!(unguarded.stolen_usd_e8 > million(), "seed {seed}");
        let cap = guarded.outflow_cap_usd_e8.expect("limits");
        // A thief that knows the contracts gets something, or this would show nothing.
        assert!(guarded.stolen_usd_e8 > U256::ZERO && guarded.stolen_usd_e8 <= cap, "seed {seed}: {guarded:#?}");
        assert!(guarded.stolen_usd_e8 * U256::from(20) <= unguarded.stolen_usd_e8, "seed {seed}: {guarded:#?}");
        assert_eq!(unguarded.outflow_cap_usd_e8, None);
        assert!(guarded.blocks_to_contain.is_some_and(|blocks| (1..=2).contains(&blocks)), "seed {seed}: {guarded:#?}");
        assert_eq!((control.stolen_usd_e8, control.blocks_to_contain), (U256::ZERO, None), "seed {seed}");
    }
}

#[test]
fn a_seed_is_one_drill_and_another_seed_another() {
    let play = |seed| run(Scenario::Inflation, seed, None).unwrap();
    let one = play(7);
    assert_eq!(one, play(7));
    assert_ne!(one.acts, play(8).acts);
}

/// The bounds that the kit states hold on every seed, and each seed is a story of its own.
#[test]
fn the_exercises_hold() {
    for scenario in [Scenario::GuardianDead, Scenario::BadUpgrade, Scenario::BadParameter] {
        let stories: Vec<_> = (1..=6).map(|seed| run(scenario, seed, None).unwrap().exercise.unwrap()).collect();
        for story in &stories {
            assert!(story.holds(), "{scenario:?}: {:#?}", story.figures);
        }
        assert_eq!(stories[0], run(scenario, 1, None).unwrap().exercise.unwrap(), "the same seed, another story");
    }
}
