//! `replay`: recorded blocks agree with their headers, differ and say so, or are refused with file and place.

use crate::invocation::{Done, ripcord};
use crate::{ENVIRONMENT, OK, USAGE};
use alloy_primitives::{Address, B256, address, hex, keccak256};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

const FINDINGS: i32 = 1;
const ALICE: Address = address!("00000000000000000000000000000000000a11ce");
const BOB: Address = address!("0000000000000000000000000000000000000b0b");
const CONTRACT: Address = address!("000000000000000000000000000000000000c0de");
/// Reads slot 1 and forgets it.
const CODE: [u8; 4] = [0x60, 1, 0x54, 0x00];
const NUMBER: u64 = 14_000_000;

fn transaction(nonce: u64, to: Address) -> Value {
    json!({
        "hash": keccak256([u8::try_from(nonce).unwrap()]), "from": ALICE, "to": to, "value": "0x7", "input": "0x",
        "nonce": format!("{nonce:#x}"), "gas": "0x186a0", "gasPrice": "0xa", "type": "0x0"
    })
}

/// Two plain transfers of ether: 21,000 gas each, no logs.
fn block() -> Value {
    json!({
        "hash": keccak256("block"), "parentHash": B256::ZERO, "miner": Address::ZERO, "difficulty": "0x1",
        "number": format!("{NUMBER:#x}"), "logsBloom": format!("0x{}", "00".repeat(256)), "gasLimit": "0x1c9c380",
        "gasUsed": format!("{:#x}", 42_000), "timestamp": "0x61e2b2c0", "mixHash": B256::ZERO, "baseFeePerGas": "0x7",
        "transactions": [transaction(0, BOB), transaction(1, BOB)]
    })
}

fn state() -> Value {
    let account =
        |balance: &str, code: Option<B256>| json!({ "balance": balance, "nonce": 0, "code_hash": code, "storage": {} });
    json!({
        (ALICE.to_string()): account("0xde0b6b3a7640000", None),
        (BOB.to_string()): account("0x0", None),
        (CONTRACT.to_string()): account("0x0", Some(keccak256(CODE)))
    })
}

/// A folder `blocks` of that one block.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(folder.file("block.json").parent().unwrap()).unwrap();
        folder.write("block.json", block().to_string());
        folder.write("pre_state.json", state().to_string());
        folder.write("codes.json", json!({ (keccak256(CODE).to_string()): hex::encode_prefixed(CODE) }).to_string());
        folder.write("block_hashes.bincode", [0]);
        folder
    }

    fn file(&self, name: &str) -> PathBuf {
        let root = self.0.path().join("data");
        match name {
            "block.json" | "pre_state.json" => root.join("blocks").join(NUMBER.to_string()).join(name),
            _ => root.join(name),
        }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.file(name), bytes).unwrap();
    }

    fn replay(&self, args: &[&str]) -> Done {
        ripcord(self.0.path(), [&["replay", "--blocks", "data"], args].concat())
    }
}

#[test]
fn a_block_of_plain_transfers_agrees_with_its_header() {
    let folder = Folder::new();
    let done = folder.replay(&[]);
    assert_eq!((done.code, done.stderr.as_str()), (OK, ""));
    assert!(done.stdout.contains("block  14000000    2 txs  gas ok  bloom ok"), "{}", done.stdout);
    assert!(
        done.stdout
            .ends_with("1 of 1 blocks agree with their headers in gas and logs bloom; 2 transactions, 42000 gas\n")
    );

    let object = folder.replay(&["--json"]).json();
    assert_eq!(object["schema"], "ripcord/replay/1");
    let block = &object["blocks"][0];
    let fields = ["number", "txs", "gas_used", "gas_expected", "gas_ok", "bloom_ok"].map(|name| block[name].clone());
    assert_eq!(Value::from(fields.to_vec()), json!([NUMBER, 2, 42_000, 42_000, true, true]));
    assert_eq!(block["facts"]["moves"], 2, "two transfers: {block}");
    assert_eq!(object["totals"], json!({ "blocks": 1, "blocks_ok": 1, "txs": 2, "gas_used": 42_000 }));

    let measured = &folder.replay(&["--json", "--bench", "--runs", "3"]).json()["bench"];
    assert_eq!(measured["runs"], 3);
    assert!(["plain_us", "facts_us", "ratio"].iter().all(|name| measured[name].is_number()), "{measured}");
}

#[test]
fn a_block_that_differs_from_its_header_is_a_finding() {
    let folder = Folder::new();
    let mut wrong = block();
    wrong["gasUsed"] = "0x1".into();
    folder.write("block.json", wrong.to_string());
    let done = folder.replay(&[]);
    assert_eq!(done.code, FINDINGS);
    assert!(done.stdout.contains("gas DIFFERS (42000 for 1)  bloom ok"), "{}", done.stdout);
    assert!(done.stdout.contains("0 of 1 blocks agree"), "{}", done.stdout);

    let mut wrong = block();
    wrong["logsBloom"] = format!("0x01{}", "00".repeat(255)).into();
    folder.write("block.json", wrong.to_string());
    let done = folder.replay(&["--json"]);
    assert_eq!(done.code, FINDINGS);
    assert_eq!(
        (&done.json()["blocks"][0]["gas_ok"], &done.json()["blocks"][0]["bloom_ok"]),
        (&true.into(), &false.into())
    );
}

/// Two rules over a number that a contract returns: five.
const POLICY: &str = r#"schema = 1
project = { id = "p", owner = "o" }
rules = [
  { id = "A-1", title = "At least six", severity = "P2", on = ["block"], expr = "n >= 6" },
  { id = "A-2", title = "At most six", severity = "P2", on = ["block"], expr = "n <= 6" },
  { id = "A-3", title = "Never zero", severity = "P2", on = ["block"], expr = "m > 0" },
]
[chains.eth]
id = "eip155:1"
sources = ["a"]
[contracts]
five = { chain = "eth", address = "0x000000000000000000000000000000000000c0de", decimals = 18, code = "any" }
[signals]
n = { unit = "count", view = "@five.n()" }
m = { unit = "count", slot = "0x0000000000000000000000000000000000000000000000000000000000000009", contract = "@five" }
"#;

#[test]
fn the_rules_of_a_policy_are_told_by_block() {
    let five = [0x60_u8, 5, 0x60, 0, 0x52, 0x60, 32, 0x60, 0, 0xf3];
    let folder = Folder::new();
    folder.write("codes.json", json!({ (keccak256(five).to_string()): hex::encode_prefixed(five) }).to_string());
    let mut with_five = state();
    with_five[CONTRACT.to_string()]["code_hash"] = json!(keccak256(five));
    folder.write("pre_state.json", with_five.to_string());
    fs::write(folder.0.path().join("ripcord.toml"), POLICY).unwrap();

    let done = folder.replay(&["--policy", "ripcord.toml"]);
    assert_eq!(done.code, OK, "{done:?}");
    for line in ["A-1 VIOLATED in transaction ", "A-3 unknown: missing_state"] {
        assert!(done.stdout.contains(line), "no {line:?} in {}", done.stdout);
    }
    assert!(!done.stdout.contains("A-2"), "what holds is only counted: {}", done.stdout);
    let verdicts = &folder.replay(&["--policy", "ripcord.toml", "--json"]).json()["blocks"][0]["verdicts"];
    assert_eq!(
        (&verdicts["violated"][0]["rule"], &verdicts["unknown"][0]["rule"]),
        (&"A-1".into(), &"A-3".into()),
        "{verdicts}"
    );
    assert!(verdicts["holds"].as_u64() >= Some(1), "{verdicts}");

    fs::write(folder.0.path().join("ripcord.toml"), POLICY.replace("n >= 6", "k >= 6")).unwrap();
    folder.replay(&["--policy", "ripcord.toml"]).refuses(USAGE, &["ripcord.toml:4:"]);
    folder.replay(&["--policy", "absent.toml"]).refuses(ENVIRONMENT, &["absent.toml is not a file"]);
}

/// The folder with one file replaced is refused with usage code, that file's name and those words.
fn refused(name: &str, bytes: impl AsRef<[u8]>, words: &[&str]) {
    let folder = Folder::new();
    folder.write(name, bytes);
    let file = folder.file(name);
    let shown = file.strip_prefix(folder.0.path()).unwrap().display().to_string();
    folder.replay(&["--json"]).refuses(USAGE, &[&[shown.as_str()], words].concat());
    folder.replay(&[]).refuses(USAGE, &[shown.as_str()]);
}

#[test]
fn a_malformed_or_truncated_file_is_refused_by_name_and_place() {
    let text = block().to_string();
    refused("block.json", "{\n  \"hash\": 7\n}", &["line 2 column 11"]);
    refused("block.json", "", &["line 1 column 0"]);
    refused("block.json", &text[..text.len() / 2], &[&format!("line 1 column {}", text.len() / 2)]);
    refused("block.json", text.replacen("\"0x0\"", "\"0x9\"", 9), &["transactions[0]"]);
    let text = state().to_string();
    refused("pre_state.json", &text[..text.len() - 1], &[&format!("line 1 column {}", text.len() - 1)]);
    refused(
        "codes.json",
        json!({ (B256::ZERO.to_string()): "0x00" }).to_string(),
        &["the code does not have this hash"],
    );
    refused("codes.json", "{\n[", &["line 2 column 1"]);
    refused("block_hashes.bincode", [1, 0xfc, 0], &["byte 3"]);
}

/// Regression: an execution that lacked state named block and transaction, but not the file that the value is missing from.
#[test]
fn state_that_was_not_recorded_is_named_and_not_taken_as_zero() {
    let mut call = block();
    call["transactions"][1] = transaction(1, CONTRACT);
    let folder = Folder::new();
    folder.write("block.json", call.to_string());
    let file = format!("data/blocks/{NUMBER}/pre_state.json");
    let done = folder.replay(&[]);
    let missing = format!("{file}: block 14000000, transaction 1: slot 0x1 of {CONTRACT} is not in the state view\n");
    done.refuses(USAGE, &[&missing, "it was not taken as zero"]);

    // An account that is not listed does not exist, so that its transaction has nothing to pay with.
    let mut poor = state();
    poor.as_object_mut().unwrap().remove(&ALICE.to_string());
    refused("pre_state.json", poor.to_string(), &["block 14000000, transaction 0"]);
    // A listed contract whose code is not there.
    folder.write("codes.json", "{}");
    folder.replay(&[]).refuses(USAGE, &[&file, "transaction 1", &keccak256(CODE).to_string()]);
}

#[test]
fn a_folder_that_is_none_is_the_environment_s_fault() {
    let folder = Folder::new();
    let replay = |path: &str| ripcord(folder.0.path(), ["replay", "--blocks", path]);
    replay("absent").refuses(ENVIRONMENT, &["cannot read absent"]);
    fs::create_dir(folder.0.path().join("empty")).unwrap();
    replay("empty").refuses(ENVIRONMENT, &["empty: no folder `blocks` in it"]);
    fs::remove_file(folder.file("pre_state.json")).unwrap();
    folder.replay(&[]).refuses(ENVIRONMENT, &[&format!("data/blocks/{NUMBER}/pre_state.json")]);
    fs::write(folder.0.path().join("note.txt"), "not a witness").unwrap();
    replay("note.txt").refuses(USAGE, &["note.txt is malformed at"]);
    let done = ripcord(folder.0.path(), ["replay", "--blocks", "note.txt", "--bench"]);
    done.refuses(USAGE, &["--bench needs a folder of blocks"]);
}

mod real_data {
    use super::*;

    fn unpacked(name: &str) -> PathBuf {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/data").join(name);
        assert!(
            path.exists(),
            "{} is missing: run `cargo xtask data` (RIPCORD_DATA names the folder of archives)",
            path.display()
        );
        path
    }

    fn agrees(name: &str, blocks: usize) {
        let path = unpacked(name);
        let done = ripcord(Path::new("."), ["replay", "--json", "--blocks", path.to_str().unwrap()]);
        assert_eq!(done.code, OK, "{}", done.stderr);
        let object = done.json();
        let rows = object["blocks"].as_array().unwrap();
        let total = |field: &str| rows.iter().map(|row| row[field].as_u64().unwrap()).sum::<u64>();
        assert_eq!((rows.len(), object["totals"]["blocks_ok"].as_u64()), (blocks, u64::try_from(blocks).ok()));
        for row in rows {
            assert_eq!((&row["gas_ok"], &row["bloom_ok"]), (&true.into(), &true.into()), "{row}");
            assert_eq!(row["gas_used"], row["gas_expected"]);
        }
        assert_eq!(object["totals"]["gas_used"], total("gas_used"));
        assert!(total("txs") > 0 && total("gas_used") > 21_000 * total("txs"));
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn fifty_three_mainnet_blocks_agree_with_their_headers() {
        agrees("mainnet-blocks", 53);
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn the_witness_block_agrees_with_its_header() {
        agrees("mainnet-23587691-witness.json", 1);
    }
}
