//! A block with its execution witness: header, signed transactions, trie nodes, codes and ancestor hashes in one JSON file.

use super::folder::read;
use super::json::parse;
use super::{HistoryError, RecordedBlock};
use alloy_consensus::{SignableTransaction, Signed, TxEip1559, TxLegacy};
use alloy_eips::eip2930::AccessList;
use alloy_primitives::{Address, B256, Bloom, Bytes, Signature, TxKind, U64, U256};
use ripcord_core::chain::ChainId;
use ripcord_evm::witness::Witness;
use ripcord_evm::{Block, Header, Tx};
use serde::Deserialize;
use std::path::Path;

#[derive(Deserialize)]
struct WitnessJson {
    chain_id: u64,
    header: HeaderJson,
    prev_state_root: B256,
    transactions: Vec<SignedJson>,
    block_hashes: Vec<B256>,
    states: Vec<Bytes>,
    codes: Vec<Bytes>,
}

#[derive(Deserialize)]
struct HeaderJson {
    parent_hash: B256,
    beneficiary: Address,
    logs_bloom: Bloom,
    difficulty: U256,
    number: u64,
    gas_limit: u64,
    gas_used: u64,
    timestamp: u64,
    mix_hash: B256,
    base_fee_per_gas: Option<u64>,
    excess_blob_gas: Option<u64>,
    parent_beacon_block_root: Option<B256>,
}

#[derive(Deserialize)]
struct SignedJson {
    signature: SignatureJson,
    transaction: TxJson,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SignatureJson {
    r: U256,
    s: U256,
    y_parity: U64,
}

#[derive(Deserialize)]
enum TxJson {
    Legacy(LegacyJson),
    Eip1559(FeeMarketJson),
}

#[derive(Deserialize)]
struct LegacyJson {
    chain_id: Option<U64>,
    nonce: u64,
    gas_price: u128,
    gas_limit: u64,
    to: Option<Address>,
    value: U256,
    input: Bytes,
}

#[derive(Deserialize)]
struct FeeMarketJson {
    chain_id: u64,
    nonce: u64,
    gas_limit: u64,
    max_fee_per_gas: u128,
    max_priority_fee_per_gas: u128,
    to: Option<Address>,
    value: U256,
    access_list: Vec<AccessJson>,
    input: Bytes,
}

#[derive(Deserialize)]
struct AccessJson {
    address: Address,
    #[serde(alias = "storageKeys")]
    storage_keys: Vec<B256>,
}

/// Loads a witness file: the block, and a state in which every answer is proven against the parent's state root.
///
/// # Errors
/// [`HistoryError`] naming the file and the place.
pub fn load(path: &Path) -> Result<(RecordedBlock, Witness), HistoryError> {
    let name = path.display().to_string();
    let json: WitnessJson = parse(&name, &read(path)?)?;
    let chain = ChainId(json.chain_id);
    let mut transactions = Vec::with_capacity(json.transactions.len());
    for (index, signed) in json.transactions.into_iter().enumerate() {
        transactions.push(convert(signed).map_err(|why| HistoryError::Malformed {
            path: name.clone(),
            place: format!("transactions[{index}]"),
            why,
        })?);
    }
    let mut witness = Witness::new(json.prev_state_root, json.states, json.codes);
    for (back, hash) in (1_u64..).zip(&json.block_hashes) {
        witness.set_block_hash(json.header.number.saturating_sub(back), *hash);
    }
    let header = Header {
        number: json.header.number,
        // The file does not carry the block's own hash; nothing in execution reads it.
        hash: B256::ZERO,
        parent: json.header.parent_hash,
        timestamp: json.header.timestamp,
        beneficiary: json.header.beneficiary,
        gas_limit: json.header.gas_limit,
        base_fee: json.header.base_fee_per_gas.unwrap_or(0),
        difficulty: json.header.difficulty,
        mix_hash: json.header.mix_hash,
        excess_blob_gas: json.header.excess_blob_gas,
        parent_beacon_root: json.header.parent_beacon_block_root,
    };
    let recorded = RecordedBlock {
        block: Block { chain, header, transactions },
        gas_used: json.header.gas_used,
        logs_bloom: json.header.logs_bloom,
    };
    Ok((recorded, witness))
}

fn convert(signed: SignedJson) -> Result<Tx, String> {
    let SignatureJson { r, s, y_parity } = signed.signature;
    let signature = Signature::new(r, s, !y_parity.is_zero());
    match signed.transaction {
        TxJson::Legacy(tx) => {
            let kind = tx.to.map_or(TxKind::Create, TxKind::Call);
            let chain_id = tx.chain_id.map(|c| c.to());
            let plain = TxLegacy {
                chain_id,
                nonce: tx.nonce,
                gas_price: tx.gas_price,
                gas_limit: tx.gas_limit,
                to: kind,
                value: tx.value,
                input: tx.input.clone(),
            };
            let (hash, from) = recover(plain.into_signed(signature))?;
            Ok(Tx {
                hash,
                kind: 0,
                from,
                to: tx.to,
                value: tx.value,
                input: tx.input,
                nonce: tx.nonce,
                gas_limit: tx.gas_limit,
                max_fee: tx.gas_price,
                chain_id,
                ..Tx::default()
            })
        }
        TxJson::Eip1559(tx) => fee_market(tx, signature),
    }
}

fn fee_market(tx: FeeMarketJson, signature: Signature) -> Result<Tx, String> {
    let access_list: Vec<(Address, Vec<B256>)> =
        tx.access_list.into_iter().map(|a| (a.address, a.storage_keys)).collect();
    let items = access_list.iter().map(|(address, storage_keys)| alloy_eips::eip2930::AccessListItem {
        address: *address,
        storage_keys: storage_keys.clone(),
    });
    let plain = TxEip1559 {
        chain_id: tx.chain_id,
        nonce: tx.nonce,
        gas_limit: tx.gas_limit,
        max_fee_per_gas: tx.max_fee_per_gas,
        max_priority_fee_per_gas: tx.max_priority_fee_per_gas,
        to: tx.to.map_or(TxKind::Create, TxKind::Call),
        value: tx.value,
        access_list: AccessList(items.collect()),
        input: tx.input.clone(),
    };
    let (hash, from) = recover(plain.into_signed(signature))?;
    Ok(Tx {
        hash,
        kind: 2,
        from,
        to: tx.to,
        value: tx.value,
        input: tx.input,
        nonce: tx.nonce,
        gas_limit: tx.gas_limit,
        max_fee: tx.max_fee_per_gas,
        priority_fee: Some(tx.max_priority_fee_per_gas),
        chain_id: Some(tx.chain_id),
        access_list,
        ..Tx::default()
    })
}

fn recover<T>(signed: Signed<T>) -> Result<(B256, Address), String>
where
    T: SignableTransaction<Signature> + alloy_consensus::transaction::RlpEcdsaEncodableTx,
{
    let from = signed
        .signature()
        .recover_address_from_prehash(&signed.signature_hash())
        .map_err(|e| format!("the signature recovers no sender: {e}"))?;
    Ok((*signed.hash(), from))
}
