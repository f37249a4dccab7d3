//! What both the kit and this machine decide, they decide alike: `state-machine.json` is what forge's tests hold the kit to.

use crate::harness::*;
use alloy_primitives::{Address, B256, U256};
use ripcord_core::chain::Millis;
use ripcord_core::fact::{Fact, FactKind};
use ripcord_core::incident::{Life, Mode};
use ripcord_core::io::Input;
use ripcord_core::playbook::{Effect, Step};
use ripcord_core::trip::{Episode, TripMode};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::mem::discriminant;

const VECTORS: &str = include_str!("../../../../contracts/test/vectors/state-machine.json");

fn list(name: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(VECTORS).unwrap();
    let list = file[name].as_array().unwrap().clone();
    assert!(!list.is_empty(), "{name}");
    list
}

fn number(element: &Value, field: &str) -> u64 {
    element[field].as_u64().unwrap_or_else(|| panic!("{element}: {field}"))
}

fn named<T: DeserializeOwned>(name: &Value) -> Option<T> {
    serde_json::from_value(name.clone()).ok()
}

#[test]
fn modes_have_the_contracts_numbers_and_classes() {
    for mode in list("modes") {
        assert!(named::<Mode>(&mode["name"]).is_some(), "{mode}");
        let trip = named::<TripMode>(&mode["name"]);
        assert_eq!(trip.is_some(), mode.get("closes").is_some(), "{mode}: whether a guardian may ask for it");
        let Some(trip) = trip else { continue };
        assert_eq!(u64::from(trip.number()), number(&mode, "number"), "{mode}");
        assert_eq!(u64::from(trip.closes()), number(&mode, "closes"), "{mode}");
    }
}

#[test]
fn modes_are_ordered_as_the_contracts_rank_them() {
    let modes: Vec<Mode> = list("order").iter().map(|name| named(name).unwrap()).collect();
    assert_eq!(modes.len(), list("modes").len());
    assert!(modes.is_sorted_by(|looser, tighter| looser < tighter), "{modes:?}");
    let trips: Vec<TripMode> = list("order").iter().filter_map(named).collect();
    assert!(trips.is_sorted_by(|looser, tighter| looser < tighter), "{trips:?}");
}

/// Where an incident stands while its system is in a mode; the core does not keep apart how tight a restriction is.
fn life(mode: &Value) -> Life {
    let since = Millis(START);
    match named(mode).unwrap_or_else(|| panic!("{mode}")) {
        Mode::Normal => Life::Open,
        Mode::Watch | Mode::Restricted | Mode::Halted => Life::Contained { since, until: None },
        Mode::Recovering => Life::Recovering { since },
        Mode::Exit => Life::Exiting { since },
    }
}

#[test]
fn an_incident_goes_where_the_contract_goes() {
    for edge in list("edges") {
        let (now, from) = (Millis(START + MINUTE), life(&edge["from"]));
        let to = match edge["event"].as_str().unwrap() {
            "trip" => from.contain(now, None),
            "recover" => from.recover(now),
            "exit" => from.exit(now),
            other => panic!("{other}"),
        };
        assert_eq!(discriminant(&to), discriminant(&life(&edge["to"])), "{edge}: {to:?}");
    }
}

#[test]
fn a_later_trip_prolongs_and_never_shortens() {
    for end in list("ends") {
        let after = |field| Some(Millis(START + 1000 * number(&end, field)));
        let now = Millis(START);
        let joined = Life::Open.contain(now, after("present")).contain(now, after("asked"));
        assert_eq!(joined, Life::Contained { since: now, until: after("until") }, "{end}");
    }
}

#[test]
fn a_guardian_signs_the_key_that_the_controller_takes() {
    for case in list("fence") {
        let key = (number(&case, "keyEpisode"), number(&case, "keyTripCount"), number(&case, "keyEpoch"));
        let mode = list("modes").into_iter().find(|m| m["name"] == case["mode"]).unwrap();
        let mut words = [0; 8];
        (words[0], words[1], words[2]) =
            (number(&case, "episodeId"), number(&case, "tripCount"), number(&case, "epoch"));
        words[6] = number(&mode, "number");
        let answer: Vec<u8> = words.iter().flat_map(|word| U256::from(*word).to_be_bytes::<32>()).collect();
        let (key_episode, trip_count, epoch) = key;
        assert_eq!(Episode::answer(&answer), Some(Episode { key_episode, trip_count, epoch }), "{case}");
        let next = (key.0, number(&case, "nextTripCount"), key.2);
        assert_eq!(signed(key), [key, next], "{case}");
    }
}

/// The keys of an incident's first two trips, when the chain told `told` before the first and nothing since.
fn signed(told: (u64, u64, u64)) -> Vec<(u64, u64, u64)> {
    let (controller, scope) = (Address::repeat_byte(0xcc), B256::repeat_byte(0x51));
    let (to, via) = (TripMode::Restricted, "deputy".to_owned());
    let effect = Effect::Trip { chain: CHAIN, controller, scope, to, mask: to.closes(), via };
    let mut world = World::new(program(vec![Step { effect, expires_ms: Some(10 * MINUTE), ..step("trip") }]));
    let (episode, trip_count, epoch) = told;
    let kind = FactKind::Episode { target: controller, scope, episode, trip_count, epoch };
    world.put(Input::Fact(Fact { at: at(&world.head), kind }));
    world.says("LEND-001", violated());
    world.include(true);
    // The restriction runs out and the rule is still violated.
    world.wait(11 * MINUTE);
    let mut keys: Vec<_> = world
        .sent
        .iter()
        .map(|sent| {
            let intent = sent.action.intent.clone().expect("something to sign");
            (u64::from(intent.key_episode), u64::from(intent.trip_count), u64::from(intent.epoch))
        })
        .collect();
    // A bump of the fee sends the same intent again.
    keys.dedup();
    keys
}
