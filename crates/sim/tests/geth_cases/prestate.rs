//! State read and state changed: `prestateTracer`, plain and in diff mode.

use super::Comparison;
use super::case::{Case, bytes, count, hash, number, word};
use alloy_primitives::{Address, U256, keccak256};
use ripcord_core::fact::{StateKey, WriteFact};
use ripcord_core::ports::{AccountState, StateSource};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

type Accounts = BTreeMap<Address, Value>;

fn accounts(value: &Value) -> Accounts {
    value.as_object().unwrap().iter().map(|(key, account)| (key.parse().unwrap(), account.clone())).collect()
}

fn slots(account: &Value) -> BTreeMap<U256, U256> {
    let listed = account.get("storage").and_then(Value::as_object).into_iter().flatten();
    listed.map(|(slot, value)| (word(slot), number(value))).collect()
}

/// Hash of the code that an account is said to have, if anything is said.
fn code_hash(account: &Value) -> Option<U256> {
    let named = account.get("codeHash").map(hash);
    named.or_else(|| account.get("code").map(|code| keccak256(bytes(code)))).map(Into::into)
}

fn before(case: &Case, address: Address) -> AccountState {
    let none = AccountState { code_hash: alloy_primitives::KECCAK256_EMPTY, ..AccountState::default() };
    case.state.account(address).unwrap().unwrap_or(none)
}

/// Every value that geth shows must be in the read-set with that value before, and the read-set must hold no other slot.
pub(crate) fn compare(case: &Case, comparison: &mut Comparison) {
    let expected = accounts(&case.expected);
    let read: BTreeSet<Address> = case.facts.reads.iter().filter(|r| r.slot.is_none()).map(|r| r.account).collect();
    for (address, account) in &expected {
        comparison.same(format!("{address}"), true, read.contains(address));
        let known = before(case, *address);
        told(case, *address, StateKey::Balance, number(&account["balance"]), known.balance, comparison);
        let nonce = account.get("nonce").map_or(0, count);
        told(case, *address, StateKey::Nonce, U256::from(nonce), U256::from(known.nonce), comparison);
        if let Some(code) = code_hash(account) {
            told(case, *address, StateKey::CodeHash, code, known.code_hash.into(), comparison);
        }
        for (slot, value) in slots(account) {
            told(case, *address, StateKey::Slot(slot), value, case.state.storage(*address, slot).unwrap(), comparison);
        }
    }
    for address in read.iter().filter(|address| !expected.contains_key(*address)) {
        // geth leaves accounts out that were empty before, and their slots with them, unless asked for them.
        let empty = before(case, *address)
            == AccountState { code_hash: alloy_primitives::KECCAK256_EMPTY, ..AccountState::default() };
        if !empty || case.option("includeEmpty") {
            comparison.differs(format!("{address}"), "read by us, not shown by geth");
        }
    }
    let shown = expected.iter().flat_map(|(address, account)| slots(account).into_keys().map(|slot| (*address, slot)));
    let of_shown = case.facts.reads.iter().filter(|read| expected.contains_key(&read.account));
    let slots_read = of_shown.filter_map(|read| read.slot.map(|slot| (read.account, slot)));
    if !case.option("disableStorage") {
        comparison.same("storage", shown.collect::<Vec<_>>(), slots_read.collect());
    }
}

/// Compares a value with the state and with what a change of it says that it was before.
fn told(case: &Case, account: Address, key: StateKey, expected: U256, known: U256, comparison: &mut Comparison) {
    comparison.same(format!("{account}.{key:?}"), expected, known);
    let write = case.facts.writes.iter().find(|write| write.account == account && write.key == key);
    if let Some(write) = write {
        comparison.same(format!("{account}.{key:?}.before"), expected, write.before);
    }
}

/// The changes must be exactly those between geth's `pre` and `post`.
pub(crate) fn compare_changes(case: &Case, comparison: &mut Comparison) {
    let (pre, post) = (accounts(&case.expected["pre"]), accounts(&case.expected["post"]));
    let mut expected = BTreeSet::new();
    for address in pre.keys().chain(post.keys()).collect::<BTreeSet<_>>() {
        expected.extend(changes(case, *address, pre.get(address), post.get(address)));
    }
    let without_code = case.option("disableCode");
    let without_storage = case.option("disableStorage");
    let got: BTreeSet<WriteFact> = case
        .facts
        .writes
        .iter()
        .copied()
        .filter(|write| match write.key {
            StateKey::CodeHash => !without_code,
            StateKey::Slot(_) => !without_storage,
            StateKey::Balance | StateKey::Nonce => true,
        })
        .collect();
    for write in expected.symmetric_difference(&got) {
        let whose = if got.contains(write) { "ours only" } else { "geth's only" };
        comparison.differs(format!("{}.{:?} ({whose})", write.account, write.key), format!("{write:?}"));
    }
}

/// `pre` holds the account as it was and of its storage what changed; `post` holds what changed. An account without `post` is gone.
fn changes(case: &Case, account: Address, pre: Option<&Value>, post: Option<&Value>) -> Vec<WriteFact> {
    let nothing = Value::Null;
    let (was, is) = (pre.unwrap_or(&nothing), post.unwrap_or(&nothing));
    let gone = post.is_none();
    let empty = U256::from_be_bytes(alloy_primitives::KECCAK256_EMPTY.0);
    let field = |name: &str| (number(was.get(name).unwrap_or(&nothing)), is.get(name).map(number));
    let code = (code_hash(was).unwrap_or(empty), code_hash(is));
    let (old, new) = (slots(was), slots(is));
    let slot_of = |from: &BTreeMap<U256, U256>, slot: &U256| from.get(slot).copied().unwrap_or_default();
    let keys: BTreeSet<U256> = old.keys().chain(new.keys()).copied().collect();
    let mut all =
        vec![(StateKey::Balance, field("balance"), U256::ZERO), (StateKey::Nonce, field("nonce"), U256::ZERO)];
    if !case.option("disableCode") {
        all.push((StateKey::CodeHash, code, empty));
    }
    all.extend(
        keys.iter().map(|slot| (StateKey::Slot(*slot), (slot_of(&old, slot), Some(slot_of(&new, slot))), U256::ZERO)),
    );
    let writes = all.into_iter().map(|(key, (before, after), none)| {
        let after = if gone { none } else { after.unwrap_or(before) };
        WriteFact { account, key, before, after }
    });
    writes.filter(|write| write.before != write.after).collect()
}
