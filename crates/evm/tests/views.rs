//! Views: what they see, what they say they read, and what they never do.

use crate::world::{
    ETHER, Forgetful, GAS, PROBE, SENDER, call, code, executor, header, init_of, op, probe, push, reader, return_top,
    run, state, tx, view, word,
};
use alloy_primitives::{Address, Bytes, U256, address, keccak256};
use revm::primitives::hardfork::SpecId;
use ripcord_core::chain::Finality;
use ripcord_core::fact::{ReadKey, StateKey};
use ripcord_core::ports::{MissingState, Snapshot, StateSource, ViewCall, ViewError, ViewOutput, Views};
use ripcord_evm::{ExecError, Executor};

const HEIR: Address = address!("0000000000000000000000000000000000000ccc");
const STORE: Address = address!("0000000000000000000000000000000000000aaa");
const OTHER: Address = address!("0000000000000000000000000000000000000bbb");

fn number(output: &ViewOutput) -> U256 {
    U256::from_be_slice(&output.output)
}

fn slots(output: &ViewOutput) -> Vec<(Address, U256)> {
    output.reads.keys.iter().filter_map(|key| key.slot.map(|slot| (key.account, slot))).collect()
}

/// Stores calldata word 1 in slot 1.
fn writer() -> Bytes {
    code([&push(U256::ZERO), &[op::CALLDATALOAD], &push(U256::ONE), &[op::SSTORE, op::STOP]])
}

#[test]
fn snapshots_see_wei_before_and_after_a_payment() {
    let mut executor = executor(state(), SpecId::CANCUN);
    let balance = probe(code([&push(word(HEIR)), &[op::BALANCE], &return_top()]));
    let see = |executor: &mut Executor<_>| {
        [Snapshot::PreTx, Snapshot::PostTx, Snapshot::Block]
            .map(|at| number(&executor.view(at, &balance).unwrap()).to::<u64>())
    };
    assert_eq!(see(&mut executor), [0, 0, 0]);
    run(&mut executor, Some(HEIR), 5, Bytes::new());
    assert_eq!(see(&mut executor), [0, 5, 5]);
    run(&mut executor, Some(HEIR), 2, Bytes::new());
    assert_eq!(see(&mut executor), [5, 7, 7]);
    executor.reject();
    assert_eq!(see(&mut executor), [0, 0, 0]);
    run(&mut executor, Some(HEIR), 3, Bytes::new());
    executor.accept();
    // No transaction is on the stack: before is before the block.
    assert_eq!(see(&mut executor), [0, 3, 3]);
    executor.seal();
    executor.next_block(header(101));
    assert_eq!(see(&mut executor), [3, 3, 3]);
    run(&mut executor, Some(HEIR), 1, Bytes::new());
    assert_eq!(see(&mut executor), [3, 4, 4]);
}

/// Looking back is for the view only: whatever comes next happens now.
#[test]
fn what_follows_a_look_back_happens_now() {
    let mut state = state();
    state.set_account(STORE, U256::ZERO, 1, reader(1));
    let mut executor =
        executor(Forgetful { state, unknown: vec![MissingState::Slot(STORE, U256::ONE)] }, SpecId::CANCUN);
    let balance = [push(word(HEIR)), vec![op::BALANCE]].concat();
    let answered = probe(code([&balance, &return_top()]));
    // Reads the balance and then, in another contract, what is not known.
    let failing = probe(code([&balance, &call(STORE, 0, 0), &return_top()]));
    for paid in 0..3_u64 {
        run(&mut executor, Some(HEIR), 1, Bytes::new());
        assert_eq!(number(&executor.view(Snapshot::PreTx, &answered).unwrap()), U256::from(paid));
        assert_eq!(executor.account(HEIR).unwrap().1, U256::from(paid + 1));
        assert!(executor.view(Snapshot::PreTx, &failing).is_err());
        assert_eq!(executor.account(HEIR).unwrap().1, U256::from(paid + 1));
        assert_eq!(number(&executor.view(Snapshot::PostTx, &answered).unwrap()), U256::from(paid + 1));
        assert!(executor.view(Snapshot::PreTx, &failing).is_err());
        assert!(executor.slot(Snapshot::PreTx, STORE, U256::ONE).is_err());
    }
}

#[test]
fn a_view_names_the_slots_that_it_read_and_no_others() {
    let mut state = state();
    let two = code([&push(U256::from(9)), &[op::SLOAD, op::POP], &reader(3)]);
    state.set_account(STORE, U256::ZERO, 1, two);
    state.set_slot(STORE, U256::from(3), U256::from(33));
    state.set_slot(STORE, U256::from(4), U256::from(44));
    // Reads its own slot 1 after the other contract has read its two.
    state.set_account(OTHER, U256::ZERO, 1, code([&call(STORE, 0, 0), &[op::POP], &reader(1)]));
    let mut executor = executor(state, SpecId::CANCUN);
    let direct = executor.view(Snapshot::Block, &view(STORE)).unwrap();
    assert_eq!(
        (number(&direct), slots(&direct)),
        (U256::from(33), vec![(STORE, U256::from(3)), (STORE, U256::from(9))])
    );
    let nested = executor.view(Snapshot::Block, &view(OTHER)).unwrap();
    assert_eq!(slots(&nested), [(STORE, U256::from(3)), (STORE, U256::from(9)), (OTHER, U256::ONE)]);
    assert!(nested.reads.keys.contains(&ReadKey { account: STORE, slot: None }));
    assert!(nested.reads.keys.is_sorted() && !nested.reads.block_fields);
    // What one view read does not cling to the next.
    assert_eq!(slots(&executor.view(Snapshot::Block, &view(STORE)).unwrap()), slots(&direct));
}

#[test]
fn a_view_says_whether_it_read_the_block() {
    let mut executor = executor(state(), SpecId::CANCUN);
    for (opcode, read) in
        [(op::TIMESTAMP, true), (op::NUMBER, true), (op::COINBASE, true), (op::CHAINID, false), (op::CALLER, false)]
    {
        let output = executor.view(Snapshot::Block, &probe(code([&[opcode], &return_top()]))).unwrap();
        assert_eq!(output.reads.block_fields, read, "{opcode:#x}");
    }
    executor.next_block(header(101));
    let output = executor.view(Snapshot::Block, &probe(code([&[op::NUMBER], &return_top()]))).unwrap();
    assert_eq!(number(&output), U256::from(101));
}

#[test]
fn a_view_can_never_write() {
    let zero = push(U256::ZERO);
    let mut state = state();
    state.set_account(STORE, ETHER, 1, writer());
    let mut executor = executor(state, SpecId::CANCUN);
    let attempts: [(&str, Bytes); 6] = [
        ("SSTORE", code([&push(U256::ONE), &push(U256::ONE), &[op::SSTORE]])),
        ("TSTORE", code([&push(U256::ONE), &push(U256::ONE), &[op::TSTORE]])),
        ("LOG0", code([&zero, &zero, &[op::LOG0]])),
        ("CREATE", code([&zero, &zero, &zero, &[op::CREATE]])),
        ("CALL with value", call(HEIR, 1, 0).into()),
        ("SELFDESTRUCT", code([&push(word(HEIR)), &[op::SELFDESTRUCT]])),
    ];
    for (name, code) in attempts {
        assert_eq!(executor.view(Snapshot::Block, &probe(code)), Err(ViewError::Reverted { target: PROBE }), "{name}");
    }
    assert_eq!(executor.view(Snapshot::Block, &view(STORE)), Err(ViewError::Reverted { target: STORE }));
    // A view may call what writes; that call fails inside it.
    let inner = executor.view(Snapshot::Block, &probe(code([&call(STORE, 0, 0), &return_top()]))).unwrap();
    assert_eq!(number(&inner), U256::ZERO);
    assert_eq!(executor.slot(Snapshot::Block, STORE, U256::ONE).unwrap(), U256::ZERO);
    assert_eq!(executor.account(SENDER).unwrap(), (0, ETHER));
}

#[test]
fn a_view_without_an_answer_says_why() {
    let mut state = state();
    state.set_account(STORE, U256::ZERO, 1, reader(1));
    let unknown = vec![MissingState::Slot(STORE, U256::ONE), MissingState::Account(HEIR)];
    let mut executor = executor(Forgetful { state, unknown }, SpecId::CANCUN);
    let endless = code([&[op::JUMPDEST], &push(U256::ZERO), &[op::JUMP]]);
    let reverted = Err(ViewError::Reverted { target: PROBE });
    let ask_heir = code([&push(word(HEIR)), &[op::BALANCE], &return_top()]);
    let cases: [(ViewCall, Result<ViewOutput, ViewError>); 7] = [
        (probe(endless), Err(ViewError::Budget { target: PROBE, gas_limit: 200_000 })),
        (probe(code([&push(U256::ZERO), &push(U256::ZERO), &[op::REVERT]])), reverted.clone()),
        (probe(Bytes::from_static(&[0xfe])), reverted),
        (view(OTHER), Err(ViewError::Reverted { target: OTHER })),
        (view(STORE), Err(ViewError::Missing(MissingState::Slot(STORE, U256::ONE)))),
        (view(HEIR), Err(ViewError::Missing(MissingState::Account(HEIR)))),
        (probe(ask_heir), Err(ViewError::Missing(MissingState::Account(HEIR)))),
    ];
    let good = probe(code([&push(U256::from(42)), &return_top()]));
    for (call, expected) in cases {
        assert_eq!(executor.view(Snapshot::Block, &call), expected);
        // The next view and the next transaction are as if the failed one had never run.
        assert_eq!(number(&executor.view(Snapshot::Block, &good).unwrap()), U256::from(42), "after {expected:?}");
        let facts = run(&mut executor, Some(OTHER), 1, Bytes::new());
        assert_eq!((facts.success, facts.gas_used, facts.calls.len()), (true, 21_000, 1), "after {expected:?}");
        executor.reject();
    }
}

/// The pseudo-address may be unknown to the source, and is as unknown after the view as before.
#[test]
fn a_probe_leaves_no_trace() {
    let good = probe(code([&push(U256::from(42)), &return_top()]));
    let complete = Forgetful { state: state(), unknown: vec![] };
    let strict = Forgetful { state: state(), unknown: vec![MissingState::Account(PROBE)] };
    for (source, known) in [(complete, true), (strict, false)] {
        let mut executor = executor(source, SpecId::CANCUN);
        run(&mut executor, Some(HEIR), 1, Bytes::new());
        for at in [Snapshot::PreTx, Snapshot::PostTx, Snapshot::Block] {
            assert_eq!(number(&executor.view(at, &good).unwrap()), U256::from(42));
            let without = executor.view(at, &view(PROBE));
            let expected =
                if known { ViewError::Reverted { target: PROBE } } else { MissingState::Account(PROBE).into() };
            assert_eq!(without, Err(expected));
        }
        executor.accept();
        let account = executor.account(PROBE);
        assert_eq!(account, if known { Ok((0, U256::ZERO)) } else { Err(MissingState::Account(PROBE)) });
        if known {
            let facts = run(&mut executor, Some(PROBE), 0, Bytes::new());
            assert_eq!((facts.calls[0].output.len(), facts.gas_used, facts.writes.len()), (0, 21_000, 1));
        }
    }
}

/// A probe where a contract stands runs instead of it, for that view only.
#[test]
fn a_probe_may_stand_in_for_a_contract() {
    let mut state = state();
    state.set_account(STORE, U256::ZERO, 1, reader(1));
    state.set_slot(STORE, U256::from(1), U256::from(11));
    state.set_slot(STORE, U256::from(2), U256::from(22));
    let mut executor = executor(state, SpecId::CANCUN);
    let instead = ViewCall { code: Some(reader(2)), ..view(STORE) };
    assert_eq!(number(&executor.view(Snapshot::Block, &instead).unwrap()), U256::from(22));
    assert_eq!(number(&executor.view(Snapshot::Block, &view(STORE)).unwrap()), U256::from(11));
    run(&mut executor, Some(HEIR), 1, Bytes::new());
    assert_eq!(number(&executor.view(Snapshot::PreTx, &instead).unwrap()), U256::from(22));
    assert_eq!(number(&executor.view(Snapshot::PostTx, &view(STORE)).unwrap()), U256::from(11));
}

#[test]
fn a_transaction_that_cannot_be_executed_changes_nothing() {
    let mut state = state();
    // Writes slot 1, then reads slot 2, which is not known.
    let write_then_read = code([&push(U256::from(7)), &push(U256::ONE), &[op::SSTORE], &reader(2)]);
    state.set_account(STORE, U256::ZERO, 1, write_then_read);
    state.set_account(OTHER, U256::ZERO, 1, code([&call(STORE, 0, 0), &return_top()]));
    let missing = MissingState::Slot(STORE, U256::from(2));
    let mut executor = executor(Forgetful { state, unknown: vec![missing] }, SpecId::CANCUN);
    run(&mut executor, Some(HEIR), 1, Bytes::new());
    let good = tx(&mut executor, Some(HEIR), 2, Bytes::new());
    let wrong_nonce = ripcord_evm::Tx { nonce: 9, ..good.clone() };
    let too_poor = ripcord_evm::Tx { value: ETHER, ..good.clone() };
    let into_the_gap = ripcord_evm::Tx { to: Some(OTHER), ..good.clone() };
    for (tx, expected) in [(wrong_nonce, None), (too_poor, None), (into_the_gap, Some(missing))] {
        match (executor.execute(&tx, 0, Finality::Head), expected) {
            (Err(ExecError::Missing(told)), Some(missing)) => assert_eq!(told, missing),
            (Err(ExecError::Invalid { hash, .. }), None) => assert_eq!(hash, tx.hash),
            (other, _) => panic!("{other:?}"),
        }
        assert_eq!(executor.slot(Snapshot::PostTx, STORE, U256::ONE).unwrap(), U256::ZERO);
        assert_eq!(executor.account(SENDER).unwrap(), (1, ETHER - U256::ONE));
        assert_eq!(executor.account(HEIR).unwrap().1, U256::ONE);
    }
    let facts = executor.execute(&good, 0, Finality::Head).unwrap();
    assert_eq!((facts.success, facts.gas_used, facts.calls.len(), facts.moves.len()), (true, 21_000, 1, 1));
    assert_eq!(executor.account(HEIR).unwrap().1, U256::from(3));
}

/// `balanceOf`, as Solidity lays it out.
fn balance_slot(holder: Address, slot: u64) -> U256 {
    keccak256([word(holder).to_be_bytes::<32>(), U256::from(slot).to_be_bytes()].concat()).into()
}

fn artifact(name: &str) -> serde_json::Value {
    let path = format!("{}/../../contracts/artifacts/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Selector and words.
fn encoded(artifact: &serde_json::Value, method: &str, words: &[U256]) -> Bytes {
    let selector = artifact["methodIdentifiers"][method].as_str().unwrap();
    let words = words.iter().flat_map(|word| word.to_be_bytes::<32>());
    alloy_primitives::hex::decode(selector).unwrap().into_iter().chain(words).collect()
}

/// The drill's token, deployed by its own constructor: facts and views around a transfer.
#[test]
fn a_token_transfer_is_seen_before_and_after_and_read_from_its_slot() {
    let token = artifact("DrillToken");
    let layout = token["storageLayout"].as_array().unwrap();
    let slot = layout.iter().find(|v| v["label"] == "balanceOf").unwrap()["slot"].as_u64().unwrap();
    let mut executor = executor(state(), SpecId::PRAGUE);
    // constructor(string, string, uint8): two empty strings behind three words.
    let arguments = [96_u64, 128, 18, 0, 0].map(|word| U256::from(word).to_be_bytes::<32>()).concat();
    let init: Bytes = token["bytecode"].as_str().unwrap().parse().unwrap();
    let mut deploy = tx(&mut executor, None, 0, [init.as_ref(), &arguments].concat());
    deploy.gas_limit = 4 * GAS;
    let deployed = executor.execute(&deploy, 0, Finality::Head).unwrap();
    assert!(deployed.success, "{:?}", deployed.calls);
    let address = deployed.calls[0].target;
    assert!(
        run(
            &mut executor,
            Some(address),
            0,
            encoded(&token, "mint(address,uint256)", &[word(SENDER), U256::from(100)])
        )
        .success
    );
    executor.accept();

    let transfer = encoded(&token, "transfer(address,uint256)", &[word(HEIR), U256::from(30)]);
    let facts = run(&mut executor, Some(address), 0, transfer);
    let moved = facts.moves[0];
    assert_eq!((moved.token, moved.from, moved.to, moved.amount), (Some(address), SENDER, HEIR, U256::from(30)));
    for (holder, before, after) in [(SENDER, 100_u64, 70_u64), (HEIR, 0, 30)] {
        let key = StateKey::Slot(balance_slot(holder, slot));
        let write = facts.writes.iter().find(|w| (w.account, w.key) == (address, key)).unwrap();
        assert_eq!((write.before, write.after), (U256::from(before), U256::from(after)));
        let ask = ViewCall { calldata: encoded(&token, "balanceOf(address)", &[word(holder)]), ..view(address) };
        for (at, expected) in [(Snapshot::PreTx, before), (Snapshot::PostTx, after), (Snapshot::Block, after)] {
            let output = executor.view(at, &ask).unwrap();
            assert_eq!(
                (number(&output), slots(&output)),
                (U256::from(expected), vec![(address, balance_slot(holder, slot))])
            );
            assert!(!output.reads.block_fields);
        }
    }
}

/// The source is asked for what a view needs and nothing else: a source that knows only that answers.
#[test]
fn a_view_needs_no_more_of_the_source_than_it_reads() {
    struct Only(Address, Bytes);
    impl StateSource for Only {
        fn account(&self, address: Address) -> Result<Option<ripcord_core::ports::AccountState>, MissingState> {
            let code_hash = keccak256(&self.1);
            let known = ripcord_core::ports::AccountState { balance: U256::ZERO, nonce: 1, code_hash };
            if address == self.0 { Ok(Some(known)) } else { Err(MissingState::Account(address)) }
        }
        fn storage(&self, address: Address, slot: U256) -> Result<U256, MissingState> {
            if address == self.0 { Ok(slot + slot) } else { Err(MissingState::Slot(address, slot)) }
        }
        fn code(&self, _: alloy_primitives::B256) -> Result<Bytes, MissingState> {
            Ok(self.1.clone())
        }
        fn block_hash(&self, number: u64) -> Result<alloy_primitives::B256, MissingState> {
            Err(MissingState::BlockHash(number))
        }
    }
    let mut executor = executor(Only(STORE, reader(4)), SpecId::CANCUN);
    let output = executor.view(Snapshot::Block, &view(STORE)).unwrap();
    assert_eq!(number(&output), U256::from(8));
    assert!(output.reads.keys.iter().all(|key| key.account == STORE), "{:?}", output.reads.keys);
}

/// Views on one snapshot are the same however many ran before, and whatever was deployed in between.
#[test]
fn a_view_of_a_new_contract_needs_its_layer() {
    let mut executor = executor(state(), SpecId::CANCUN);
    let facts = run(&mut executor, None, 0, init_of(&reader(1)));
    let created = facts.calls[0].target;
    assert_eq!(executor.view(Snapshot::PreTx, &view(created)), Err(ViewError::Reverted { target: created }));
    assert_eq!(number(&executor.view(Snapshot::PostTx, &view(created)).unwrap()), U256::ZERO);
    run(&mut executor, Some(HEIR), 1, Bytes::new());
    assert_eq!(number(&executor.view(Snapshot::PreTx, &view(created)).unwrap()), U256::ZERO);
    executor.reject();
    assert_eq!(executor.view(Snapshot::Block, &view(created)), Err(ViewError::Reverted { target: created }));
}
