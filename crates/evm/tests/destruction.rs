//! What is left of contracts that destroyed themselves: in the next transaction, in views, in facts.

use crate::world::{call, code, executor, init_of, op, probe, push, reader, run, state, view, word};
use alloy_primitives::{Address, Bytes, U256, address};
use revm::primitives::hardfork::SpecId;
use ripcord_core::fact::StateKey;
use ripcord_core::ports::{Snapshot, ViewError, Views};

const CONTRACT: Address = address!("0000000000000000000000000000000000000ddd");
const HEIR: Address = address!("0000000000000000000000000000000000000ccc");
const SLOT: U256 = U256::ONE;

fn destroy() -> Vec<u8> {
    [push(word(HEIR)), vec![op::SELFDESTRUCT]].concat()
}

/// Creates a contract whose slot 1 is 5 and which destroys itself when called, and calls it, all in one transaction.
#[test]
fn a_contract_created_and_destroyed_in_one_transaction_leaves_nothing() {
    for spec in [SpecId::LONDON, SpecId::CANCUN] {
        let runtime = destroy();
        let child_init = code([&push(U256::from(5)), &push(SLOT), &[op::SSTORE], &init_of_at(&runtime, 67)]);
        let mut state = state();
        // Copies the child's init code behind its own, creates the child with 3 wei, calls it.
        let head = |len: usize, from: usize| {
            let create = [push(U256::from(len)), push(U256::ZERO), push(U256::from(3)), vec![op::CREATE]].concat();
            let zero = || push(U256::ZERO);
            // gas, to, value, in, in_len, out, out_len: `to` lies below, so it is fetched last by storing it in memory.
            let keep = [push(U256::from(1024)), vec![op::MSTORE]].concat();
            let fetch = [push(U256::from(1024)), vec![op::MLOAD]].concat();
            let call =
                [zero(), zero(), zero(), zero(), zero(), fetch, push(U256::from(100_000)), vec![op::CALL, op::STOP]]
                    .concat();
            let copy = [push(U256::from(len)), push(U256::from(from)), zero(), vec![op::CODECOPY]].concat();
            [copy, create, keep, call].concat()
        };
        let length = head(0, 0).len();
        let outer = code([&head(child_init.len(), length), &child_init]);
        state.set_account(CONTRACT, U256::from(10), 1, outer);
        let mut executor = executor(state, spec);
        let facts = run(&mut executor, Some(CONTRACT), 0, Bytes::new());
        let child = CONTRACT.create(1);
        assert_eq!(
            facts.calls.iter().map(|c| c.target).collect::<Vec<_>>(),
            [CONTRACT, child, child, HEIR],
            "{spec:?}"
        );
        assert!(facts.writes.iter().all(|w| w.account != child), "{:?}", facts.writes);
        for at in [Snapshot::PreTx, Snapshot::PostTx] {
            assert_eq!(executor.slot(at, child, SLOT).unwrap(), U256::ZERO);
            assert_eq!(executor.view(at, &view(child)), Err(ViewError::Reverted { target: child }));
        }
        executor.accept();
        assert_eq!(executor.account(child).unwrap(), (0, U256::ZERO));
        assert_eq!(executor.account(HEIR).unwrap().1, U256::from(3));
    }
}

/// Init code behind `before` bytes of other init code.
fn init_of_at(runtime: &[u8], before: usize) -> Vec<u8> {
    let len = push(U256::from(runtime.len()));
    let back = [len.as_slice(), &push(U256::ZERO), &[op::RETURN]].concat();
    let from = before + 3 * 33 + 1 + back.len();
    [len.as_slice(), &push(U256::from(from)), &push(U256::ZERO), &[op::CODECOPY], &back, runtime].concat()
}

/// A contract of the source: before Cancun its storage goes with it and must not shine through from the source again.
#[test]
fn a_contract_destroyed_before_cancun_reads_zero_in_the_next_transaction() {
    let mut state = state();
    state.set_account(CONTRACT, U256::from(7), 1, destroy().into());
    state.set_slot(CONTRACT, SLOT, U256::from(5));
    let mut executor = executor(state, SpecId::LONDON);
    // The slot is known to the overlay before, as a view read it.
    assert_eq!(executor.slot(Snapshot::Block, CONTRACT, SLOT).unwrap(), U256::from(5));
    let facts = run(&mut executor, Some(CONTRACT), 0, Bytes::new());
    assert!(facts.writes.iter().any(|w| (w.account, w.key) == (CONTRACT, StateKey::CodeHash)));
    assert_eq!(executor.slot(Snapshot::PreTx, CONTRACT, SLOT).unwrap(), U256::from(5));
    assert_eq!(executor.slot(Snapshot::PostTx, CONTRACT, SLOT).unwrap(), U256::ZERO);
    // Paid again while the destruction is still a layer, and after it was merged.
    for _ in 0..2 {
        run(&mut executor, Some(CONTRACT), 1, Bytes::new());
        assert_eq!(executor.slot(Snapshot::PostTx, CONTRACT, SLOT).unwrap(), U256::ZERO);
        executor.accept();
        assert_eq!(executor.slot(Snapshot::Block, CONTRACT, SLOT).unwrap(), U256::ZERO);
    }
    assert_eq!(executor.account(CONTRACT).unwrap(), (0, U256::from(2)));
}

#[test]
fn a_contract_that_destroys_itself_under_cancun_stays_and_pays() {
    let mut state = state();
    state.set_account(CONTRACT, U256::from(7), 1, destroy().into());
    state.set_slot(CONTRACT, SLOT, U256::from(5));
    let mut executor = executor(state, SpecId::CANCUN);
    let facts = run(&mut executor, Some(CONTRACT), 0, Bytes::new());
    assert!(facts.writes.iter().all(|w| w.account != CONTRACT || w.key == StateKey::Balance));
    executor.accept();
    assert_eq!(executor.slot(Snapshot::Block, CONTRACT, SLOT).unwrap(), U256::from(5));
    assert_eq!(executor.account(CONTRACT).unwrap(), (1, U256::ZERO));
}

/// A destruction that a parent undid leaves the contract as it was.
#[test]
fn a_reverted_destruction_leaves_the_contract() {
    let outer = address!("0000000000000000000000000000000000000aaa");
    let mut state = state();
    state.set_account(CONTRACT, U256::from(7), 1, destroy().into());
    state.set_slot(CONTRACT, SLOT, U256::from(5));
    state.set_account(
        outer,
        U256::ZERO,
        1,
        code([&call(CONTRACT, 0, 0), &push(U256::ZERO), &push(U256::ZERO), &[op::REVERT]]),
    );
    let mut executor = executor(state, SpecId::LONDON);
    let facts = run(&mut executor, Some(outer), 0, Bytes::new());
    assert!(!facts.success && facts.moves.is_empty());
    assert_eq!(executor.slot(Snapshot::PostTx, CONTRACT, SLOT).unwrap(), U256::from(5));
    let balance = probe(code([&push(word(CONTRACT)), &[op::BALANCE], &crate::world::return_top()]));
    assert_eq!(executor.view(Snapshot::PostTx, &balance).unwrap().output.last(), Some(&7));
}

/// A contract created where wei already lay starts with empty storage, whatever the source says of its slots.
#[test]
fn a_created_contract_does_not_inherit_storage_from_the_source() {
    let mut state = state();
    let address = crate::world::SENDER.create(0);
    state.set_account(address, U256::ONE, 0, Bytes::new());
    state.set_slot(address, SLOT, U256::from(5));
    let mut executor = executor(state, SpecId::LONDON);
    assert!(run(&mut executor, None, 0, init_of(&reader(1))).success);
    assert_eq!(executor.view(Snapshot::PostTx, &view(address)).unwrap().output.as_ref(), [0; 32]);
    run(&mut executor, Some(HEIR), 1, Bytes::new());
    assert_eq!(executor.view(Snapshot::PreTx, &view(address)).unwrap().output.as_ref(), [0; 32]);
    executor.accept();
    assert_eq!(executor.view(Snapshot::Block, &view(address)).unwrap().output.as_ref(), [0; 32]);
}
