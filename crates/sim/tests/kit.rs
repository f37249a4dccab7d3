//! The guardian's half of the kit's byte layouts, against alloy's own encoder and against the file that Solidity reads, too.

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use alloy_sol_types::{Eip712Domain, SolCall, SolStruct, sol};
use proptest::prelude::*;
use ripcord_core::chain::ChainId;
use ripcord_core::key::{KeyParts, action_key};
use ripcord_core::trip::{Episode, TripIntent, TripMode};
use serde_json::{Value, json};

mod onchain {
    use super::sol;

    sol! {
        struct TripIntent {
            bytes32 scope;
            uint8 mode;
            uint32 mask;
            uint40 duration;
            uint40 notAfter;
            bytes32 reason;
            bytes32 evidence;
            bytes32 stepHash;
            uint32 keyEpisode;
            uint16 tripCount;
            uint40 incidentBlock;
            uint32 epoch;
            uint40 deadline;
        }

        function tripBySig(TripIntent i, bytes[] signatures) returns (uint256);
        function episodeOf(bytes32 scope);
    }
}

/// The first contract that forge's test contract creates: the vectors are for a controller there.
const CONTROLLER: Address = address!("5615dEB798BB3E4dFa0139dFa1b3D433Cc23b72f");
const CHAIN: ChainId = ChainId(31337);
const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contracts/test/vectors/trip.json");

fn modes() -> impl Strategy<Value = TripMode> {
    prop_oneof![Just(TripMode::Watch), Just(TripMode::Restricted), Just(TripMode::Halted)]
}

const UINT40_MAX: u64 = (1 << 40) - 1;

fn intents() -> impl Strategy<Value = TripIntent> {
    let words = || any::<[u8; 32]>().prop_map(B256::from);
    let times = || 0..=UINT40_MAX;
    (
        (words(), words(), words(), words()),
        (modes(), any::<u32>(), any::<u32>(), any::<u16>(), any::<u32>()),
        (times(), times(), times(), times()),
    )
        .prop_map(|((scope, reason, evidence, step_hash), (mode, mask, key_episode, trip_count, epoch), times)| {
            let (duration_secs, not_after_secs, incident_block, deadline_secs) = times;
            TripIntent {
                scope,
                mode,
                mask,
                duration_secs,
                not_after_secs,
                reason,
                evidence,
                step_hash,
                key_episode,
                trip_count,
                incident_block,
                epoch,
                deadline_secs,
            }
        })
}

fn sol_intent(intent: &TripIntent) -> onchain::TripIntent {
    use alloy_primitives::aliases::U40;
    onchain::TripIntent {
        scope: intent.scope,
        mode: intent.mode.number(),
        mask: intent.mask,
        duration: U40::from(intent.duration_secs),
        notAfter: U40::from(intent.not_after_secs),
        reason: intent.reason,
        evidence: intent.evidence,
        stepHash: intent.step_hash,
        keyEpisode: intent.key_episode,
        tripCount: intent.trip_count,
        incidentBlock: U40::from(intent.incident_block),
        epoch: intent.epoch,
        deadline: U40::from(intent.deadline_secs),
    }
}

proptest! {
    #[test]
    fn calldata_is_what_alloy_encodes(intent in intents(), signatures in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 0..4)) {
        let signatures: Vec<Bytes> = signatures.into_iter().map(Bytes::from).collect();
        let call = onchain::tripBySigCall { i: sol_intent(&intent), signatures: signatures.clone() };
        prop_assert_eq!(intent.calldata(&signatures), Bytes::from(call.abi_encode()));
    }

    #[test]
    fn the_digest_is_what_alloy_signs(intent in intents(), chain in any::<u64>(), controller in any::<[u8; 20]>()) {
        let controller = Address::from(controller);
        let domain = Eip712Domain::new(
            Some("FailSafeController".into()),
            Some("1".into()),
            Some(U256::from(chain)),
            Some(controller),
            None,
        );
        prop_assert_eq!(intent.digest(ChainId(chain), controller), sol_intent(&intent).eip712_signing_hash(&domain));
    }
}

#[test]
fn the_episode_is_asked_as_alloy_asks() {
    let scope = keccak256("market");
    assert_eq!(Episode::question(scope), Bytes::from(onchain::episodeOfCall { scope }.abi_encode()));
}

#[test]
fn an_answer_that_is_too_short_or_too_large_is_none() {
    let answer = |words: &[u64]| {
        Episode::answer(&words.iter().flat_map(|w| U256::from(*w).to_be_bytes::<32>()).collect::<Vec<_>>())
    };
    let rest = Episode { key_episode: 4, trip_count: 0, epoch: 2 };
    assert_eq!(answer(&[3, 9, 2, 0, 0, 0, 0, 0]), Some(rest));
    let halted = Episode { key_episode: 3, trip_count: 9, epoch: 2 };
    assert_eq!(answer(&[3, 9, 2, 0, 0, 0, 3, 0]), Some(halted));
    assert_eq!(answer(&[3, 9, 2, 0, 0, 0]), None);
    assert_eq!(Episode::answer(&[0xff; 256]), None);
}

/// Both sides read one file: `UPDATE=1` writes it from the Rust side, and forge's tests hold the contract to it.
#[test]
fn the_vectors_are_current() {
    let cases: Vec<Value> = (0..16_u64).map(case).collect();
    let text = format!(
        "{}\n",
        serde_json::to_string_pretty(&json!({
            "chain": CHAIN.0,
            "controller": CONTROLLER,
            "cases": cases,
        }))
        .unwrap()
    );
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(VECTORS, &text).unwrap();
    }
    let committed = std::fs::read_to_string(VECTORS).unwrap();
    assert_eq!(committed, text, "write it anew with UPDATE=1");
}

fn case(n: u64) -> Value {
    let word = |label: &str| keccak256(format!("{label} {n}"));
    let modes = [TripMode::Watch, TripMode::Restricted, TripMode::Halted];
    let mode = modes[(n % 3) as usize];
    // The last case stands at the edge of every field.
    let edge = n == 15;
    let at = |value: u64| if edge { UINT40_MAX } else { value };
    let intent = TripIntent {
        scope: word("scope"),
        mode,
        mask: mode.closes(),
        duration_secs: at(3600 + n),
        not_after_secs: at(1_800_000_000 + n),
        reason: word("reason"),
        evidence: word("evidence"),
        step_hash: word("step"),
        key_episode: if edge { u32::MAX } else { 1 + n as u32 },
        trip_count: if edge { u16::MAX } else { n as u16 },
        incident_block: at(19_000_000 + n),
        epoch: if edge { u32::MAX } else { n as u32 },
        deadline_secs: at(1_800_086_400 + n),
    };
    let parts = KeyParts {
        chain: CHAIN,
        target: CONTROLLER,
        scope: intent.scope,
        episode: u64::from(intent.key_episode),
        trip_count: u64::from(intent.trip_count),
        step_hash: intent.step_hash,
    };
    json!({
        "intent": sol_words(&intent),
        "digest": intent.digest(CHAIN, CONTROLLER),
        "actionKey": action_key(&parts),
    })
}

/// `abi.encode(intent)`.
fn sol_words(intent: &TripIntent) -> Bytes {
    use alloy_sol_types::SolValue;
    sol_intent(intent).abi_encode().into()
}
