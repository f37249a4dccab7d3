//! Frames where revm's own account of a call is not what a call tree should say.

use crate::world::{ETHER, SENDER, call, code, executor, init_of, op, push, run, state, word};
use alloy_primitives::{Address, Bytes, U256, address};
use revm::primitives::hardfork::SpecId;
use ripcord_core::fact::{CallEnd, CallFact, CallKind, MoveKind, TokenMove};

const OUTER: Address = address!("0000000000000000000000000000000000000aaa");
const INNER: Address = address!("0000000000000000000000000000000000000bbb");
const HEIR: Address = address!("0000000000000000000000000000000000000ccc");

fn destroy(heir: Address) -> Vec<u8> {
    [push(word(heir)), vec![op::SELFDESTRUCT]].concat()
}

fn revert() -> Vec<u8> {
    [push(U256::ZERO), push(U256::ZERO), vec![op::REVERT]].concat()
}

/// Runs `outer` at [`OUTER`], which holds 5 wei, and `inner` at [`INNER`], which holds 7.
fn calls(spec: SpecId, outer: Bytes, inner: Bytes) -> (Vec<CallFact>, Vec<TokenMove>) {
    let mut state = state();
    state.set_account(OUTER, U256::from(5), 1, outer);
    state.set_account(INNER, U256::from(7), 1, inner);
    let facts = run(&mut executor(state, spec), Some(OUTER), 0, Bytes::new());
    (facts.calls, facts.moves)
}

/// Kind, parent and depth of each frame, in order.
fn shape(calls: &[CallFact]) -> Vec<(CallKind, Option<u32>, u16)> {
    calls.iter().map(|call| (call.kind, call.parent, call.depth)).collect()
}

#[test]
fn a_destruction_stands_where_it_happened() {
    for spec in [SpecId::LONDON, SpecId::CANCUN] {
        let outer = code([&call(INNER, 0, 0), &call(HEIR, 1, 0)]);
        let (calls, moves) = calls(spec, outer, destroy(HEIR).into());
        let expected = [
            (CallKind::Call, None, 0),
            (CallKind::Call, Some(0), 1),
            (CallKind::SelfDestruct, Some(1), 2),
            (CallKind::Call, Some(0), 1),
        ];
        assert_eq!(shape(&calls), expected);
        let gone = &calls[2];
        assert_eq!((gone.caller, gone.target, gone.value, &gone.end), (INNER, HEIR, U256::from(7), &CallEnd::Success));
        let native = |from, amount: u64| TokenMove {
            token: None,
            from,
            to: HEIR,
            amount: U256::from(amount),
            kind: MoveKind::Native,
        };
        assert_eq!(moves, [native(INNER, 7), native(OUTER, 1)]);
    }
}

/// The journal forgets a destruction that a parent undid; the call tree keeps it, and no wei moved.
#[test]
fn a_destruction_in_a_reverted_call_is_a_frame_and_moves_nothing() {
    let (calls, moves) = calls(SpecId::LONDON, code([&call(INNER, 0, 0), &revert()]), destroy(HEIR).into());
    assert_eq!(shape(&calls)[2], (CallKind::SelfDestruct, Some(1), 2));
    assert_eq!((calls[0].end.clone(), moves), (CallEnd::Revert, vec![]));
}

/// Under Cancun a destruction in favour of oneself leaves nothing in the journal; the payment before it must not be taken for it.
#[test]
fn a_destruction_in_favour_of_oneself_is_not_the_payment_before_it() {
    for spec in [SpecId::LONDON, SpecId::CANCUN] {
        let (calls, _) = calls(spec, code([&call(HEIR, 2, 0), &destroy(OUTER)]), Bytes::new());
        assert_eq!(shape(&calls)[2], (CallKind::SelfDestruct, Some(0), 1));
        assert_eq!((calls[2].caller, calls[2].target, calls[2].value), (OUTER, OUTER, U256::from(3)));
    }
}

#[test]
fn init_code_that_destroys_its_contract_has_the_frame_inside_the_creation() {
    let mut state = state();
    state.set_account(OUTER, U256::ZERO, 1, Bytes::new());
    for spec in [SpecId::LONDON, SpecId::CANCUN] {
        let facts = run(&mut executor(state.clone(), spec), None, 9, destroy(HEIR));
        assert_eq!(shape(&facts.calls), [(CallKind::Create, None, 0), (CallKind::SelfDestruct, Some(0), 1)]);
        assert_eq!((facts.calls[1].caller, facts.calls[1].value), (facts.calls[0].target, U256::from(9)));
    }
}

/// revm counts this among its reverts, and geth among its errors: no code ran and no gas went.
#[test]
fn a_call_without_funds_is_refused_and_not_reverted() {
    let (calls, _) = calls(SpecId::CANCUN, call(INNER, 6, 0).into(), Bytes::new());
    assert_eq!((&calls[1].end, calls[1].gas_used), (&CallEnd::Halt("OutOfFunds".to_owned()), 0));
    assert_eq!(calls[0].end, CallEnd::Success);
}

#[test]
fn an_exceptional_halt_takes_all_gas_and_returns_nothing() {
    let (calls, _) = calls(SpecId::CANCUN, call(INNER, 0, 0).into(), Bytes::from_static(&[0xfe]));
    assert_eq!(calls[1].end, CallEnd::Halt("InvalidFEOpcode".to_owned()));
    assert_eq!((calls[1].gas_used, calls[1].output.len()), (calls[1].gas_limit, 0));
}

/// A creation that cannot pay for its code has no code, though its init code returned some.
#[test]
fn a_creation_that_cannot_pay_for_its_code_returns_none() {
    let mut state = state();
    state.set_account(SENDER, ETHER, 0, Bytes::new());
    let mut executor = executor(state, SpecId::CANCUN);
    let mut tx = crate::world::tx(&mut executor, None, 0, init_of(&[op::STOP; 1000]));
    tx.gas_limit = 100_000;
    let facts = executor.execute(&tx, 0, ripcord_core::chain::Finality::Head).unwrap();
    let frame = &facts.calls[0];
    assert_eq!((&frame.end, frame.output.len()), (&CallEnd::Halt("OutOfGas".to_owned()), 0));
    assert_eq!((frame.gas_used, frame.target), (frame.gas_limit, SENDER.create(0)));
}

/// revm answers "returned" without an address here (EIP-2681).
#[test]
fn a_creation_by_an_account_whose_nonce_is_spent_is_refused() {
    let mut state = state();
    let outer = code([&push(U256::ZERO), &push(U256::ZERO), &push(U256::ZERO), &[op::CREATE]]);
    state.set_account(OUTER, U256::ZERO, u64::MAX, outer);
    let facts = run(&mut executor(state, SpecId::CANCUN), Some(OUTER), 0, Bytes::new());
    assert_eq!(facts.calls[1].end, CallEnd::Halt("NonceOverflow".to_owned()));
    assert_eq!((facts.calls[1].target, facts.calls[1].gas_used), (Address::ZERO, 0));
}
