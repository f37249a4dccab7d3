//! Recorded blocks: real ones replay to their headers, and damaged files and incomplete states are named, never guessed.

use alloy_primitives::{Address, B256, address, keccak256};
use proptest::prelude::*;
use ripcord_core::chain::ChainId;
use ripcord_core::ports::MissingState;
use ripcord_evm::ExecError;
use ripcord_sim::history::{BlockFolder, HistoryError, parse_block, replay};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

const SENDER: Address = address!("00000000000000000000000000000000000a11ce");
const CALLEE: Address = address!("0000000000000000000000000000000000000b0b");
/// Returns slot 1: `SLOAD(1)`, `MSTORE(0)`, `RETURN(0, 32)`.
const CODE: [u8; 11] = [0x60, 1, 0x54, 0x60, 0, 0x52, 0x60, 32, 0x60, 0, 0xf3];
const NUMBER: u64 = 14_000_000;

/// One block with one call, in the form of the recorded ones.
fn block_json() -> Value {
    let zero = B256::ZERO;
    json!({
        "hash": keccak256("block"), "parentHash": zero, "miner": Address::ZERO, "difficulty": "0x1", "number": "0xd59f80",
        "logsBloom": format!("0x{}", "00".repeat(256)), "gasLimit": "0x1c9c380", "gasUsed": "0x5a4e", "timestamp": "0x61e2b2c0",
        "mixHash": zero, "baseFeePerGas": "0x7",
        "transactions": [{
            "hash": keccak256("transaction"), "from": SENDER, "to": CALLEE, "value": "0x0", "input": "0x", "nonce": "0x0",
            "gas": "0x186a0", "gasPrice": "0xa", "type": "0x0"
        }]
    })
}

fn state_json() -> Value {
    json!({
        (SENDER.to_string()): { "balance": "0xde0b6b3a7640000", "nonce": 0, "code_hash": null, "storage": {} },
        (CALLEE.to_string()): { "balance": "0x0", "nonce": 1, "code_hash": keccak256(CODE), "storage": { "0x1": "0x2a" } }
    })
}

fn hashes(entries: &[u32]) -> Vec<u8> {
    let mut bytes = vec![u8::try_from(entries.len()).unwrap()];
    for number in entries {
        bytes.push(0xfc);
        bytes.extend(number.to_le_bytes());
        bytes.push(0x20);
        bytes.extend(keccak256(number.to_le_bytes()));
    }
    bytes
}

/// A folder of one block; `write` replaces one of its files.
struct Synthetic(TempDir);

impl Synthetic {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(folder.path("block.json").parent().unwrap()).unwrap();
        folder.write("block.json", block_json().to_string());
        folder.write("pre_state.json", state_json().to_string());
        folder.write(
            "codes.json",
            json!({ (keccak256(CODE).to_string()): alloy_primitives::hex::encode_prefixed(CODE) }).to_string(),
        );
        folder.write("block_hashes.bincode", hashes(&[13_999_999, 13_999_998]));
        folder
    }

    fn path(&self, file: &str) -> PathBuf {
        match file {
            "block.json" | "pre_state.json" => self.0.path().join("blocks").join(NUMBER.to_string()).join(file),
            shared => self.0.path().join(shared),
        }
    }

    fn write(&self, file: &str, content: impl AsRef<[u8]>) {
        fs::write(self.path(file), content).unwrap();
    }

    /// Opens the folder and loads its block.
    fn load(&self) -> Result<(), HistoryError> {
        BlockFolder::open(self.0.path())?.load(NUMBER).map(|_| ())
    }
}

/// The file with this content is refused, by name and place.
fn refused(file: &str, content: impl AsRef<[u8]>, at: &str, because: &str) {
    let folder = Synthetic::new();
    folder.write(file, content);
    match folder.load() {
        Err(HistoryError::Malformed { path, place, why }) => {
            assert_eq!(path, folder.path(file).display().to_string());
            assert!(place == at && why.contains(because), "{file}: {place}: {why}");
        }
        other => panic!("{file}: expected `malformed`, got {other:?}"),
    }
}

#[test]
fn a_folder_of_one_block_replays_to_its_header() {
    let folder = Synthetic::new();
    let opened = BlockFolder::open(folder.0.path()).unwrap();
    assert_eq!(opened.numbers(), [NUMBER]);
    let (recorded, state) = opened.load(NUMBER).unwrap();
    let report = replay(&recorded, &state, None).unwrap();
    assert_eq!((report.gas_used, report.bloom_ok), (report.gas_expected, true));
    assert_eq!(report.facts[0].calls[0].output.last(), Some(&0x2a));
}

#[test]
fn a_slot_that_is_not_recorded_is_named_and_not_read_as_zero() {
    let folder = Synthetic::new();
    let (recorded, mut state) = BlockFolder::open(folder.0.path()).unwrap().load(NUMBER).unwrap();
    let slot = alloy_primitives::U256::ONE;
    state.forget_slot(CALLEE, slot);
    let Err(HistoryError::Execution { number: NUMBER, index: 0, source: ExecError::Missing(missing) }) =
        replay(&recorded, &state, None)
    else {
        panic!("the slot was read");
    };
    assert_eq!(missing, MissingState::Slot(CALLEE, slot));
}

#[test]
fn a_damaged_block_is_refused_at_its_line_or_transaction() {
    let text = block_json().to_string();
    refused("block.json", "", "line 1 column 0", "EOF");
    refused("block.json", &text[..text.len() / 2], &format!("line 1 column {}", text.len() / 2), "EOF");
    refused("block.json", "{\n  \"hash\": 7\n}", "line 2 column 11", "invalid type");
    let with = |change: &dyn Fn(&mut Value)| {
        let mut block = block_json();
        change(&mut block);
        block.to_string()
    };
    refused(
        "block.json",
        with(&|b| b["transactions"][0]["type"] = "0x9".into()),
        "transactions[0]",
        "unknown transaction type 9",
    );
    refused("block.json", with(&|b| b["transactions"][0]["type"] = "0x2".into()), "transactions[0]", "no gas price");
    let mut numberless = block_json();
    numberless.as_object_mut().unwrap().remove("number");
    let text = numberless.to_string();
    refused("block.json", &text, &format!("line 1 column {}", text.len()), "missing field `number`");
}

#[test]
fn a_damaged_state_is_refused_at_its_line() {
    let text = state_json().to_string();
    refused("pre_state.json", &text[..40], "line 1 column 40", "EOF");
    let unknown =
        "{\n\"0x0000000000000000000000000000000000000b0b\":\n{\"balance\":\"0x0\",\"nonce\":0,\"storage\":{},\"x\":1}}";
    refused("pre_state.json", unknown, "line 3 column 43", "unknown field `x`");
    refused("pre_state.json", "{\"0x0b0b\":{}}", "line 1 column 9", "");
}

#[test]
fn a_code_that_is_not_what_its_hash_says_is_refused_by_that_hash() {
    let hash = keccak256("other code");
    refused("codes.json", json!({ (hash.to_string()): "0x00" }).to_string(), &hash.to_string(), "hash");
    refused("codes.json", "{\"0x00\": ", "line 1 column 7", "");
}

#[test]
fn damaged_block_hashes_are_refused_at_their_byte() {
    let good = hashes(&[13_999_999, 13_999_998]);
    refused("block_hashes.bincode", [], "byte 0", "empty");
    refused("block_hashes.bincode", &good[..good.len() - 1], "byte 76", "expected 2 entries");
    refused("block_hashes.bincode", [good.as_slice(), &[0]].concat(), "byte 78", "expected 2 entries");
    for (byte, entry) in [(1, "byte 1"), (6, "byte 1"), (39, "byte 39")] {
        let mut bad = good.clone();
        bad[byte] ^= 0xff;
        refused("block_hashes.bincode", bad, entry, "not a block hash entry");
    }
}

#[test]
fn a_folder_that_lacks_a_file_or_holds_a_stray_one_is_refused_by_its_path() {
    for file in ["block.json", "pre_state.json", "codes.json", "block_hashes.bincode"] {
        let folder = Synthetic::new();
        fs::remove_file(folder.path(file)).unwrap();
        let Err(HistoryError::Unreadable { path, .. }) = folder.load() else { panic!("{file} was not missed") };
        assert_eq!(path, folder.path(file).display().to_string());
    }
    let folder = Synthetic::new();
    fs::create_dir(folder.0.path().join("blocks/latest")).unwrap();
    let Err(HistoryError::Malformed { path, place, .. }) = folder.load() else { panic!("`latest` is no number") };
    assert!(path.ends_with("latest") && place == "folder name");
}

/// Damage to a file: cut, byte changed, byte inserted, piece repeated.
fn damaged(good: Vec<u8>) -> impl Strategy<Value = Vec<u8>> {
    let length = good.len();
    proptest::collection::vec((0..4_u8, 0..length, any::<u8>()), 1..4).prop_map(move |changes| {
        let mut bytes = good.clone();
        for (kind, at, byte) in changes {
            let at = at.min(bytes.len().saturating_sub(1));
            match kind {
                0 => bytes.truncate(at),
                1 if at < bytes.len() => bytes[at] = byte,
                2 => bytes.insert(at, byte),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    })
}

/// Parses, and when that succeeds replays: each gives an answer or a typed error.
fn parse_and_replay(bytes: &[u8]) {
    if let Ok(recorded) = parse_block("block.json", ChainId(1), bytes) {
        let folder = Synthetic::new();
        let (_, state) = BlockFolder::open(folder.0.path()).unwrap().load(NUMBER).unwrap();
        drop(replay(&recorded, &state, None));
    }
}

proptest! {
    #[test]
    fn any_bytes_as_a_block_give_an_answer_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        parse_and_replay(&bytes);
    }

    #[test]
    fn a_damaged_block_gives_an_answer_or_an_error(bytes in damaged(block_json().to_string().into_bytes())) {
        parse_and_replay(&bytes);
    }

    #[test]
    fn any_block_hashes_are_read_back_or_refused(bytes in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..128),
        damaged(hashes(&[1, 2, 3])),
    ]) {
        let folder = Synthetic::new();
        folder.write("block_hashes.bincode", &bytes);
        let framed = bytes.split_first().is_some_and(|(count, entries)| {
            entries.len() == usize::from(*count) * 38 && entries.chunks(38).all(|e| e[0] == 0xfc && e[5] == 0x20)
        });
        match folder.load() {
            Ok(()) => prop_assert!(framed),
            Err(HistoryError::Malformed { path, .. }) => prop_assert!(!framed && path.ends_with("block_hashes.bincode")),
            Err(other) => prop_assert!(false, "{other}"),
        }
    }
}

mod real_data {
    use super::*;
    use crate::data::unpacked;
    use alloy_primitives::{Bytes, U256};
    use ripcord_core::fact::{ReadKey, TxFacts};
    use ripcord_core::ports::StateSource;
    use ripcord_evm::witness::Witness;
    use ripcord_sim::history::{RecordedBlock, load_witness};
    use std::collections::BTreeSet;

    const WITNESS: &str = "mainnet-23587691-witness.json";

    /// Contracts that a block calls before its first transaction (EIP-4788, EIP-2935).
    const OPENING: [Address; 2] =
        [address!("000F3df6D732807Ef1319fB7B8bB8522d0Beac02"), address!("0000F90827F1C53a10cb7A02335B175320002935")];

    fn matches_header(recorded: &RecordedBlock, state: impl StateSource) -> Vec<TxFacts> {
        let report = replay(recorded, state, None).unwrap();
        assert_eq!((report.gas_used, report.bloom_ok), (report.gas_expected, true), "block {}", report.number);
        report.facts
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn fifty_three_mainnet_blocks_use_the_gas_and_emit_the_logs_of_their_headers() {
        let folder = BlockFolder::open(&unpacked("mainnet-blocks")).unwrap();
        assert_eq!(folder.numbers().len(), 53);
        let mut transactions = 0;
        for number in folder.numbers() {
            let (recorded, state) = folder.load(*number).unwrap();
            transactions += matches_header(&recorded, &state).len();
        }
        assert_eq!(transactions, 15_842);
    }

    /// For every fifth block: its first and last slot that the state before it holds.
    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn a_forgotten_slot_is_named_with_its_account() {
        let folder = BlockFolder::open(&unpacked("mainnet-blocks")).unwrap();
        let mut tried = 0;
        for number in folder.numbers().iter().step_by(5) {
            let (recorded, state) = folder.load(*number).unwrap();
            let facts = matches_header(&recorded, &state);
            let slots =
                facts.iter().flat_map(|f| &f.reads).filter_map(|read| read.slot.map(|slot| (read.account, slot)));
            let held: Vec<_> = slots.filter(|(account, slot)| known(&state, *account, *slot)).collect();
            for (account, slot) in [held.first(), held.last()].into_iter().flatten().copied() {
                let mut poorer = state.clone();
                poorer.forget_slot(account, slot);
                let Err(HistoryError::Execution { number: at, source: ExecError::Missing(missing), .. }) =
                    replay(&recorded, &poorer, None)
                else {
                    panic!("block {number} did without {slot} of {account}");
                };
                assert_eq!((at, missing), (*number, MissingState::Slot(account, slot)));
                tried += 1;
            }
        }
        assert!(tried >= 10, "only {tried} slots tried");
    }

    /// Slots of accounts that do not exist before the block are zero without being listed.
    fn known(state: &impl StateSource, account: Address, slot: U256) -> bool {
        state.account(account).unwrap().is_some() && state.storage(account, slot).is_ok()
    }

    struct Parts {
        root: B256,
        nodes: Vec<Bytes>,
        codes: Vec<Bytes>,
        hashes: Vec<B256>,
    }

    impl Parts {
        fn read() -> Self {
            let json: Value = serde_json::from_slice(&fs::read(unpacked(WITNESS)).unwrap()).unwrap();
            let list = |key: &str| {
                json[key].as_array().unwrap().iter().map(|v| v.as_str().unwrap().parse().unwrap()).collect()
            };
            let hashes = json["block_hashes"].as_array().unwrap().iter().map(|v| v.as_str().unwrap().parse().unwrap());
            Self {
                root: json["prev_state_root"].as_str().unwrap().parse().unwrap(),
                nodes: list("states"),
                codes: list("codes"),
                hashes: hashes.collect(),
            }
        }

        fn witness(&self, block: u64, nodes: Vec<Bytes>) -> Witness {
            let mut witness = Witness::new(self.root, nodes, self.codes.clone());
            for (back, hash) in (1_u64..).zip(&self.hashes) {
                witness.set_block_hash(block - back, *hash);
            }
            witness
        }
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn the_witness_block_uses_the_gas_and_emits_the_logs_of_its_header() {
        let (recorded, witness) = load_witness(&unpacked(WITNESS)).unwrap();
        assert_eq!(matches_header(&recorded, &witness).len(), 40);
    }

    /// Damages every sixteenth node in turn. What needs the node is then missing, by name; what does not need it is as before.
    fn damage(change: impl Fn(&mut Vec<Bytes>, usize)) {
        let (recorded, whole) = load_witness(&unpacked(WITNESS)).unwrap();
        let facts = matches_header(&recorded, &whole);
        let read: BTreeSet<ReadKey> = facts.iter().flat_map(|f| f.reads.iter().copied()).collect();
        let parts = Parts::read();
        let (mut slots, mut accounts) = (0, 0);
        for index in (0..parts.nodes.len()).step_by(16) {
            let mut nodes = parts.nodes.clone();
            change(&mut nodes, index);
            match replay(&recorded, parts.witness(recorded.block.header.number, nodes), None) {
                Ok(report) => assert_eq!(report.facts, facts, "node {index}"),
                Err(HistoryError::Execution {
                    source: ExecError::Missing(MissingState::Slot(account, slot)), ..
                }) => {
                    let by_tx = read.contains(&ReadKey { account, slot: Some(slot) });
                    assert!(by_tx || OPENING.contains(&account), "node {index}: {slot} of {account}");
                    slots += 1;
                }
                Err(HistoryError::Execution { source: ExecError::Missing(MissingState::Account(_)), .. }) => {
                    accounts += 1
                }
                Err(other) => panic!("node {index}: {other}"),
            }
        }
        assert!(slots >= 10 && accounts >= 10, "{slots} slots and {accounts} accounts were missed");
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn a_removed_trie_node_is_missed_by_name() {
        damage(|nodes, index| drop(nodes.swap_remove(index)));
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn a_trie_node_with_one_flipped_byte_is_missed_by_name() {
        damage(|nodes, index| {
            let mut bytes = nodes[index].to_vec();
            let middle = bytes.len() / 2;
            bytes[middle] ^= 1;
            nodes[index] = bytes.into();
        });
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn a_truncated_witness_file_is_refused_at_its_line() {
        let bytes = fs::read(unpacked(WITNESS)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("witness.json");
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let Err(HistoryError::Malformed { path: told, place, .. }) = load_witness(&path) else {
            panic!("half a witness was read")
        };
        assert!(told == path.display().to_string() && place.starts_with("line "), "{told} {place}");
    }
}
