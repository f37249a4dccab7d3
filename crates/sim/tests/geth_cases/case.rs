//! One case: its state, its rules, its transaction, and the facts that executing it gives.

use crate::data;
use alloy_consensus::transaction::SignerRecoverable;
use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::Decodable2718;
use alloy_primitives::{Address, B256, Bytes, U256};
use revm::primitives::hardfork::SpecId;
use ripcord_core::chain::{ChainId, Finality};
use ripcord_core::fact::TxFacts;
use ripcord_evm::{Executor, Hardforks, Header, MemoryState, Tx};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// An executed case.
pub(crate) struct Case {
    /// State before.
    pub(crate) state: MemoryState,
    /// Rules in force.
    pub(crate) spec: SpecId,
    /// The transaction.
    pub(crate) tx: Tx,
    /// What it did.
    pub(crate) facts: TxFacts,
    /// What geth says that it did.
    pub(crate) expected: Value,
    config: Value,
}

fn root() -> PathBuf {
    data::unpacked("geth-tracetest-testdata").join("eth/tracers/internal/tracetest/testdata")
}

/// Names in a folder, sorted.
fn list(folder: &PathBuf) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// All folders of cases, sorted.
pub(crate) fn folders() -> Vec<String> {
    list(&root())
}

/// `folder/file` of every case in a folder.
pub(crate) fn names(folder: &str) -> Vec<String> {
    let files = list(&root().join(folder)).into_iter().filter(|name| name.ends_with(".json"));
    files.map(|name| format!("{folder}/{name}")).collect()
}

impl Case {
    /// Reads and executes a case.
    pub(crate) fn run(name: &str) -> Self {
        let json: Value = serde_json::from_slice(&fs::read(root().join(name)).unwrap()).unwrap();
        let (genesis, context) = (&json["genesis"], &json["context"]);
        let state = state(&genesis["alloc"]);
        let spec = spec(&genesis["config"], count(&context["number"]), count(&context["timestamp"]));
        let header = Header {
            number: count(&context["number"]),
            timestamp: count(&context["timestamp"]),
            beneficiary: address(&context["miner"]),
            gas_limit: count(&context["gasLimit"]),
            base_fee: count(&context["baseFeePerGas"]),
            difficulty: number(&context["difficulty"]),
            mix_hash: genesis["mixHash"].as_str().unwrap().parse().unwrap(),
            excess_blob_gas: genesis.get("excessBlobGas").map(count),
            ..Header::default()
        };
        let tx = transaction(json["input"].as_str().unwrap());
        let chain = ChainId(count(&genesis["config"]["chainId"]));
        let mut executor = Executor::new(&state, chain, Hardforks::Fixed(spec), header);
        let facts = executor.execute(&tx, 0, Finality::Head).unwrap_or_else(|error| panic!("{name}: {error}"));
        drop(executor);
        Self { state, spec, tx, facts, expected: json["result"].clone(), config: json["tracerConfig"].clone() }
    }

    /// Whether the tracer was run with this option.
    pub(crate) fn option(&self, name: &str) -> bool {
        self.config.get(name).is_some_and(|value| *value == Value::Bool(true))
    }
}

fn state(alloc: &Value) -> MemoryState {
    let mut state = MemoryState::default();
    for (key, account) in alloc.as_object().unwrap() {
        let address = key.parse().unwrap();
        let code = account.get("code").map(bytes).unwrap_or_default();
        state.set_account(address, number(&account["balance"]), count(&account["nonce"]), code);
        for (slot, value) in account.get("storage").and_then(Value::as_object).into_iter().flatten() {
            state.set_slot(address, word(slot), number(value));
        }
    }
    state
}

/// The rules that geth derives from a chain configuration; the merge counts when the configured total difficulty is zero, and forks by
/// time only after it.
fn spec(config: &Value, block: u64, timestamp: u64) -> SpecId {
    let by_block = [
        ("londonBlock", SpecId::LONDON),
        ("berlinBlock", SpecId::BERLIN),
        ("istanbulBlock", SpecId::ISTANBUL),
        ("petersburgBlock", SpecId::PETERSBURG),
        // Constantinople proper lived for no block of mainnet and revm has no rules for it; its opcodes came with Petersburg.
        ("constantinopleBlock", SpecId::PETERSBURG),
        ("byzantiumBlock", SpecId::BYZANTIUM),
        ("eip158Block", SpecId::SPURIOUS_DRAGON),
        ("eip150Block", SpecId::TANGERINE),
        ("homesteadBlock", SpecId::HOMESTEAD),
    ];
    let by_time = [("pragueTime", SpecId::PRAGUE), ("cancunTime", SpecId::CANCUN), ("shanghaiTime", SpecId::SHANGHAI)];
    // Go reads keys without regard to case, and some cases rely on it.
    let get = |key: &str| config.as_object().unwrap().iter().find(|(k, _)| k.eq_ignore_ascii_case(key)).map(|(_, v)| v);
    let reached = |key: &str, now: u64| get(key).is_some_and(|from| !from.is_null() && count(from) <= now);
    let merged = get("terminalTotalDifficulty").is_some_and(|total| number(total).is_zero());
    let timed = by_time.into_iter().find(|(key, _)| merged && reached(key, timestamp));
    match timed.or_else(|| by_block.into_iter().find(|(key, _)| reached(key, block))) {
        Some((_, SpecId::LONDON)) if merged => SpecId::MERGE,
        Some((_, spec)) => spec,
        None => SpecId::FRONTIER,
    }
}

fn transaction(input: &str) -> Tx {
    let raw: Bytes = input.parse().unwrap();
    let signed = TxEnvelope::decode_2718(&mut raw.as_ref()).unwrap();
    let list = signed.access_list().map(|list| list.0.clone()).unwrap_or_default();
    Tx {
        hash: *signed.hash(),
        kind: signed.tx_type() as u8,
        // Some cases are older than the rule that `s` be low.
        from: signed.recover_signer_unchecked().unwrap(),
        to: signed.to(),
        value: signed.value(),
        input: signed.input().clone(),
        nonce: signed.nonce(),
        gas_limit: signed.gas_limit(),
        max_fee: signed.max_fee_per_gas(),
        priority_fee: signed.max_priority_fee_per_gas(),
        chain_id: signed.chain_id(),
        access_list: list.into_iter().map(|item| (item.address, item.storage_keys)).collect(),
        blob_hashes: signed.blob_versioned_hashes().unwrap_or_default().to_vec(),
        max_blob_fee: signed.max_fee_per_blob_gas().unwrap_or_default(),
        authorizations: signed.authorization_list().unwrap_or_default().to_vec(),
    }
}

/// A number as these files write it: JSON number, decimal or hexadecimal string; absent is zero.
pub(crate) fn number(value: &Value) -> U256 {
    match value {
        Value::Null => U256::ZERO,
        Value::Number(number) => number.to_string().parse().unwrap(),
        Value::String(text) if text.is_empty() => U256::ZERO,
        Value::String(text) => text.parse().unwrap(),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => panic!("not a number: {value}"),
    }
}

/// A number that fits 64 bits.
pub(crate) fn count(value: &Value) -> u64 {
    number(value).to()
}

pub(crate) fn address(value: &Value) -> Address {
    value.as_str().unwrap().parse().unwrap()
}

pub(crate) fn bytes(value: &Value) -> Bytes {
    value.as_str().unwrap().parse().unwrap()
}

/// A slot or hash, with or without leading zeros and `0x`.
pub(crate) fn word(text: &str) -> U256 {
    U256::from_str_radix(text.trim_start_matches("0x"), 16).unwrap()
}

pub(crate) fn hash(value: &Value) -> B256 {
    value.as_str().unwrap().parse().unwrap()
}
