//! Rehearsals: a stand-in signature counts for the signers of this one call and never elsewhere.

use crate::world::{SENDER, code, executor, op, push, return_top, state, tx};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use revm::primitives::hardfork::SpecId;
use ripcord_core::chain::Finality;
use ripcord_evm::stand_in;

const CHECKER: Address = address!("0000000000000000000000000000000000000c4e");
const SEAT: Address = address!("00000000000000000000000000000000000005ea");
const STRANGER: Address = address!("0000000000000000000000000000000000000bad");

/// Hands its calldata (hash, v, r, s) to `ECRECOVER` and returns what that says.
fn checker() -> Bytes {
    let zero = || push(U256::ZERO);
    let len = || push(U256::from(128));
    let copy = [len(), zero(), zero(), vec![0x37]].concat();
    let ask = [push(U256::from(32)), push(U256::from(256)), len(), zero(), push(U256::ONE), vec![0x5a, 0xfa, op::POP]];
    code([&copy, &ask.concat(), &push(U256::from(256)), &[op::MLOAD], &return_top()])
}

/// Who `ECRECOVER` says has signed with `signature` when the stand-ins of `signers` count.
fn recovered(signature: &[u8], signers: &[Address]) -> Address {
    let mut state = state();
    state.set_account(CHECKER, U256::ZERO, 1, checker());
    let mut executor = executor(state, SpecId::CANCUN);
    let (rs, v) = signature.split_at(64);
    let input = [B256::repeat_byte(0xd1).as_slice(), B256::with_last_byte(v[0]).as_slice(), rs].concat();
    let tx = tx(&mut executor, Some(CHECKER), 0, input);
    let facts = executor.rehearse(&tx, signers).unwrap();
    assert!(facts.success);
    executor.reject();
    // What follows a rehearsal is no rehearsal.
    let real = executor.execute(&tx, 0, Finality::Pending).unwrap();
    assert_ne!(Address::from_word(B256::from_slice(&real.calls[0].output)), SEAT);
    Address::from_word(B256::from_slice(&facts.calls[0].output))
}

#[test]
fn a_stand_in_counts_for_the_signers_of_the_rehearsal_alone() {
    assert_eq!(recovered(&stand_in(SEAT), &[SENDER, SEAT]), SEAT);
    assert_ne!(recovered(&stand_in(SEAT), &[STRANGER]), SEAT);
    assert_ne!(recovered(&stand_in(SEAT), &[]), SEAT);
}

#[test]
fn only_the_exact_stand_in_counts() {
    let whole = stand_in(SEAT);
    for (index, value) in [(63, 2), (64, 28), (0, 1)] {
        let mut changed = whole.to_vec();
        changed[index] = value;
        assert_ne!(recovered(&changed, &[SEAT]), SEAT, "byte {index} is {value}");
    }
}
