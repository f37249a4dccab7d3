//! The guardian's half of the kit's byte layouts, against alloy's own encoder and against the file that Solidity reads, too.

use alloy_primitives::{Address, B256, Bytes, I256, U256, address, keccak256};
use alloy_sol_types::{Eip712Domain, SolCall, SolStruct, sol};
use alloy_trie::Nibbles;
use alloy_trie::proof::verify_proof;
use proptest::prelude::*;
use ripcord_core::chain::ChainId;
use ripcord_core::exit::merkle_sum::{Leaf, Tree, opens};
use ripcord_core::key::{KeyParts, action_key};
use ripcord_core::ports::StateSource;
use ripcord_core::trip::{Episode, TripIntent, TripMode};
use ripcord_evm::witness::Witness;
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

fn vectors(name: &str) -> Value {
    let path = format!("{}/../../contracts/test/vectors/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn bytes(value: &Value) -> Bytes {
    value.as_str().unwrap().parse().unwrap()
}

fn word(value: &Value) -> B256 {
    value.as_str().unwrap().parse().unwrap()
}

fn number(value: &Value) -> U256 {
    word(value).into()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().unwrap()
}

fn proof(value: &Value, key: &str) -> Vec<Bytes> {
    list(value, key).iter().map(bytes).collect()
}

/// The trees that the contract checks are the trees that this side builds, path by path.
#[test]
fn merkle_sum_trees_are_the_contracts() {
    let file = vectors("merkle-sum");
    for tree in list(&file, "trees") {
        let name = &tree["name"];
        let figure = |key: &str, index: usize| number(&list(tree, key)[index]);
        let leaves: Vec<Leaf> = (0..list(tree, "accounts").len())
            .map(|i| Leaf {
                account: Address::from_word(word(&list(tree, "accounts")[i])),
                amount: I256::from_raw(figure("amounts", i)),
                deposited: figure("deposited", i).to(),
                withdrawn: figure("withdrawn", i).to(),
                moved_out: figure("movedOut", i).to(),
            })
            .collect();
        assert_eq!(U256::from(leaves.len()), number(&tree["count"]), "{name}");
        let built = Tree::new(&leaves).unwrap();
        assert_eq!(built.root().hash, word(&tree["root"]), "{name}");
        assert_eq!(U256::from(built.root().sum), number(&tree["sum"]), "{name}");
        for (index, leaf) in leaves.iter().enumerate() {
            let path = bytes(&list(tree, "paths")[index]);
            assert_eq!(built.path(index).unwrap(), path, "{name}, leaf {index}");
            assert!(opens(leaf, index, &path, built.root(), leaves.len()), "{name}, leaf {index}");
        }
    }
}

/// alloy-trie accepts exactly what the contract's trie reader is shown, absence included.
#[test]
fn storage_proofs_are_what_alloy_trie_verifies() {
    let file = vectors("state-proof");
    let check = |element: &Value, slot: &Value, value: &Value| {
        let key = Nibbles::unpack(keccak256(word(slot)));
        let value = number(value);
        let expected = (!value.is_zero()).then(|| alloy_rlp::encode(value));
        let nodes = proof(element, "proof");
        let verified = verify_proof(word(&element["storageRoot"]), key, expected, &nodes);
        verified.unwrap_or_else(|error| panic!("{}: {error}", element["name"]));
        let wrong = Some(alloy_rlp::encode(value + U256::ONE));
        assert!(verify_proof(word(&element["storageRoot"]), key, wrong, &nodes).is_err(), "{}", element["name"]);
    };
    for element in list(&file, "words") {
        check(element, &element["slot"], &element["value"]);
    }
    assert!(list(&file, "words").len() >= 10);
}

/// Our own state proofs answer as the contract does: ledger, total, balance and flow counters under one state root.
#[test]
fn our_witness_reads_the_entitlements_that_the_contract_reads() {
    let file = vectors("state-proof");
    for element in list(&file, "entitlements") {
        let name = element["name"].as_str().unwrap();
        let nodes = ["ledgerProof", "totalProof", "proof", "movedProof"].iter().flat_map(|key| proof(element, key));
        let witness = Witness::new(word(&element["stateRoot"]), nodes, []);
        let ledger = Address::from_word(word(&element["ledger"]));
        let read = |slot: B256| witness.storage(ledger, slot.into()).unwrap_or_else(|error| panic!("{name}: {error}"));
        let key = |outer: &Value, inner: B256| keccak256([word(outer), inner].concat());
        let next = |slot: B256| B256::from(U256::from_be_bytes(slot.0) + U256::ONE);
        let flows = key(&element["asset"], key(&element["account"], word(&element["flows"])));
        let moved = key(&element["asset"], key(&element["to"], key(&element["account"], word(&element["moved"]))));
        assert_eq!(read(word(&element["total"])), number(&element["totalAmount"]), "{name}");
        assert_eq!(read(key(&element["account"], word(&element["balances"]))), number(&element["amount"]), "{name}");
        let both = number(&element["withdrawn"]) << 128 | number(&element["deposited"]);
        assert_eq!(read(flows), both, "{name}");
        assert_eq!(read(next(flows)), number(&element["movedOut"]), "{name}");
        assert_eq!(read(moved), number(&element["movedAmount"]), "{name}");
    }
    assert!(list(&file, "entitlements").len() >= 5);
}
