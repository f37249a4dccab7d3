//! The JSON-RPC form of a block with full transactions.

use super::{HistoryError, RecordedBlock};
use alloy_eips::eip7702::SignedAuthorization;
use alloy_primitives::{Address, B256, Bloom, Bytes, U64, U128, U256};
use ripcord_core::chain::ChainId;
use ripcord_evm::{Block, Header, Tx};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockJson {
    hash: B256,
    parent_hash: B256,
    miner: Address,
    logs_bloom: Bloom,
    difficulty: U256,
    number: U64,
    gas_limit: U64,
    gas_used: U64,
    timestamp: U64,
    mix_hash: Option<B256>,
    base_fee_per_gas: Option<U64>,
    excess_blob_gas: Option<U64>,
    parent_beacon_block_root: Option<B256>,
    transactions: Vec<TxJson>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TxJson {
    hash: B256,
    from: Address,
    to: Option<Address>,
    value: U256,
    input: Bytes,
    nonce: U64,
    gas: U64,
    gas_price: Option<U128>,
    max_fee_per_gas: Option<U128>,
    max_priority_fee_per_gas: Option<U128>,
    #[serde(rename = "type")]
    kind: Option<U64>,
    chain_id: Option<U64>,
    access_list: Option<Vec<AccessJson>>,
    blob_versioned_hashes: Option<Vec<B256>>,
    max_fee_per_blob_gas: Option<U128>,
    authorization_list: Option<Vec<SignedAuthorization>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AccessJson {
    address: Address,
    storage_keys: Vec<B256>,
}

/// Parses a block in JSON-RPC form, with full transactions that carry `from`.
///
/// # Errors
/// [`HistoryError::Malformed`] with line and column in `path`.
pub fn parse_block(path: &str, chain: ChainId, bytes: &[u8]) -> Result<RecordedBlock, HistoryError> {
    let json: BlockJson = parse(path, bytes)?;
    let mut transactions = Vec::with_capacity(json.transactions.len());
    for (index, tx) in json.transactions.into_iter().enumerate() {
        transactions.push(convert(tx).map_err(|why| HistoryError::Malformed {
            path: path.to_owned(),
            place: format!("transactions[{index}]"),
            why,
        })?);
    }
    let header = Header {
        number: json.number.to(),
        hash: json.hash,
        parent: json.parent_hash,
        timestamp: json.timestamp.to(),
        beneficiary: json.miner,
        gas_limit: json.gas_limit.to(),
        base_fee: json.base_fee_per_gas.unwrap_or_default().to(),
        difficulty: json.difficulty,
        mix_hash: json.mix_hash.unwrap_or_default(),
        excess_blob_gas: json.excess_blob_gas.map(|g| g.to()),
        parent_beacon_root: json.parent_beacon_block_root,
    };
    Ok(RecordedBlock {
        block: Block { chain, header, transactions },
        gas_used: json.gas_used.to(),
        logs_bloom: json.logs_bloom,
    })
}

/// Parses any JSON file of the formats here.
pub(super) fn parse<'a, T: Deserialize<'a>>(path: &str, bytes: &'a [u8]) -> Result<T, HistoryError> {
    serde_json::from_slice(bytes).map_err(|e| HistoryError::Malformed {
        path: path.to_owned(),
        place: format!("line {} column {}", e.line(), e.column()),
        why: e.to_string(),
    })
}

fn convert(tx: TxJson) -> Result<Tx, String> {
    let kind: u64 = tx.kind.unwrap_or_default().to();
    let kind = u8::try_from(kind).ok().filter(|k| *k <= 4).ok_or(format!("unknown transaction type {kind}"))?;
    let max_fee = if kind >= 2 { tx.max_fee_per_gas } else { tx.gas_price };
    Ok(Tx {
        hash: tx.hash,
        kind,
        from: tx.from,
        to: tx.to,
        value: tx.value,
        input: tx.input,
        nonce: tx.nonce.to(),
        gas_limit: tx.gas.to(),
        max_fee: max_fee.ok_or("no gas price")?.to(),
        priority_fee: if kind >= 2 { tx.max_priority_fee_per_gas.map(|f| f.to()) } else { None },
        chain_id: tx.chain_id.map(|c| c.to()),
        access_list: tx.access_list.unwrap_or_default().into_iter().map(|a| (a.address, a.storage_keys)).collect(),
        blob_hashes: tx.blob_versioned_hashes.unwrap_or_default(),
        max_blob_fee: tx.max_fee_per_blob_gas.unwrap_or_default().to(),
        authorizations: tx.authorization_list.unwrap_or_default(),
    })
}
