//! From what revm returns to facts: state changes, read-set, logs and token moves of one transaction.

use crate::block::Tx;
use crate::frames::Recorder;
use alloy_primitives::{Address, B256, U256, b256};
use revm::context::result::ExecutionResult;
use revm::primitives::{KECCAK_EMPTY, Log};
use revm::state::{Account, EvmState};
use ripcord_core::chain::Position;
use ripcord_core::fact::{LogFact, MoveKind, ReadKey, StateKey, TokenMove, TxFacts, WriteFact};

/// `Transfer(address,address,uint256)`, ERC-20.
const TRANSFER: B256 = b256!("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef");

/// Facts of one executed transaction.
pub(crate) fn facts(
    at: Position,
    tx: &Tx,
    result: ExecutionResult,
    state: &EvmState,
    recorder: &mut Recorder,
) -> TxFacts {
    let success = result.is_success();
    let gas_used = result.tx_gas_used();
    let (writes, reads) = changes(state);
    let mut moves = std::mem::take(&mut recorder.native);
    let logs: Vec<LogFact> = if success { result.into_logs().into_iter().map(log).collect() } else { Vec::new() };
    moves.extend(logs.iter().filter_map(transfer));
    TxFacts {
        at,
        from: tx.from,
        to: tx.to,
        value: tx.value,
        nonce: tx.nonce,
        success,
        gas_used,
        calls: recorder.calls.drain(..).collect(),
        logs,
        writes,
        reads,
        moves,
    }
}

fn log(log: Log) -> LogFact {
    let (topics, data) = log.data.split();
    LogFact { emitter: log.address, topics, data }
}

/// An ERC-20 transfer: three topics and one word. ERC-721 has a fourth topic and moves no amount.
fn transfer(log: &LogFact) -> Option<TokenMove> {
    let [topic, from, to] = log.topics.as_slice() else { return None };
    if *topic != TRANSFER || log.data.len() != 32 {
        return None;
    }
    let (from, to) = (Address::from_word(*from), Address::from_word(*to));
    let kind = if from.is_zero() {
        MoveKind::Mint
    } else if to.is_zero() {
        MoveKind::Burn
    } else {
        MoveKind::Transfer
    };
    Some(TokenMove { token: Some(log.emitter), from, to, amount: U256::from_be_slice(&log.data), kind })
}

/// State changes and read-set, in order of account, then balance, nonce, code hash, slots.
pub(crate) fn changes(state: &EvmState) -> (Vec<WriteFact>, Vec<ReadKey>) {
    let mut accounts: Vec<(&Address, &Account)> = state.iter().collect();
    accounts.sort_unstable_by_key(|(address, _)| **address);
    let slots = accounts.iter().map(|(_, a)| a.storage.len()).sum::<usize>();
    let mut reads = Vec::with_capacity(slots + accounts.len());
    let mut writes = Vec::with_capacity(slots / 2 + accounts.len());
    for (address, account) in accounts {
        account_changes(*address, account, &mut writes, &mut reads);
    }
    (writes, reads)
}

#[expect(clippy::iter_over_hash_type, reason = "slots are sorted once they are collected")]
fn account_changes(address: Address, account: &Account, writes: &mut Vec<WriteFact>, reads: &mut Vec<ReadKey>) {
    reads.push(ReadKey { account: address, slot: None });
    let destroyed = account.is_selfdestructed();
    if account.is_touched() && (destroyed || account.is_changed()) {
        info_changes(address, account, destroyed, writes);
    }
    let first_read = reads.len();
    let first_write = writes.len();
    for (slot, value) in &account.storage {
        reads.push(ReadKey { account: address, slot: Some(*slot) });
        let after = if destroyed { U256::ZERO } else { value.present_value };
        if value.original_value != after {
            writes.push(WriteFact {
                account: address,
                key: StateKey::Slot(*slot),
                before: value.original_value,
                after,
            });
        }
    }
    if let Some(new) = reads.get_mut(first_read..) {
        new.sort_unstable_by_key(|r| r.slot);
    }
    if let Some(new) = writes.get_mut(first_write..) {
        new.sort_unstable_by_key(|w| w.key);
    }
}

fn info_changes(account: Address, now: &Account, destroyed: bool, writes: &mut Vec<WriteFact>) {
    let before = now.original_info();
    let (balance, nonce, code) =
        if destroyed { (U256::ZERO, 0, KECCAK_EMPTY) } else { (now.info.balance, now.info.nonce, now.info.code_hash) };
    let mut push = |key, before, after| {
        if before != after {
            writes.push(WriteFact { account, key, before, after });
        }
    };
    push(StateKey::Balance, before.balance, balance);
    push(StateKey::Nonce, U256::from(before.nonce), U256::from(nonce));
    push(StateKey::CodeHash, before.code_hash.into(), code.into());
}
