//! Random sequences of transactions, stacked, accepted, rejected, sealed and taken back, against maps that are simply copied.

use crate::world::{ETHER, SENDER, code, executor, header, init_of, op, push, run, state};
use alloy_primitives::{Address, B256, Bytes, U256, address};
use proptest::prelude::*;
use revm::primitives::hardfork::SpecId;
use ripcord_core::ports::{Snapshot, Views};
use ripcord_evm::{Executor, MemoryState};
use std::collections::BTreeMap;

const FACTORY: Address = address!("0000000000000000000000000000000000000fac");
const PAYEE: Address = address!("0000000000000000000000000000000000000bee");
const SLOTS: u64 = 3;

/// Stores calldata word 1 in the slot of word 0. Then word 2 decides: 0 stops, 1 reverts, 2 destroys the contract instead.
fn store() -> Bytes {
    let load = |at: u64| [push(U256::from(at)), vec![op::CALLDATALOAD]].concat();
    let jump_if = |to: usize| [push(U256::from(to)), vec![op::JUMPI]].concat();
    let build = |revert: usize, destroy: usize| {
        let choose = [load(64), vec![op::DUP1], push(U256::from(2)), vec![op::EQ], jump_if(destroy)].concat();
        let write = [load(32), load(0), vec![op::SSTORE], jump_if(revert), vec![op::STOP]].concat();
        let undo = [vec![op::JUMPDEST], push(U256::ZERO), push(U256::ZERO), vec![op::REVERT]].concat();
        let at = choose.len() + write.len();
        let code = [choose, write, undo.clone(), vec![op::JUMPDEST, op::CALLER, op::SELFDESTRUCT]].concat();
        (code, at, at + undo.len())
    };
    let (_, revert, destroy) = build(0, 0);
    build(revert, destroy).0.into()
}

/// Creates the store with `CREATE2` and the salt in calldata word 0.
fn factory() -> Bytes {
    let init = init_of(&store());
    let len = push(U256::from(init.len()));
    let salt = [push(U256::ZERO), vec![op::CALLDATALOAD]].concat();
    let create = [salt, len.clone(), push(U256::ZERO), push(U256::ZERO), vec![op::CREATE2, op::STOP]].concat();
    let head = 3 * 33 + 1 + create.len();
    code([&len, &push(U256::from(head)), &push(U256::ZERO), &[op::CODECOPY], &create, &init])
}

fn store_at(salt: u8) -> Address {
    FACTORY.create2_from_code(B256::from(U256::from(salt)), init_of(&store()))
}

fn words(words: [u64; 3]) -> Bytes {
    words.map(|word| U256::from(word).to_be_bytes::<32>()).concat().into()
}

#[derive(Debug, Clone)]
enum Step {
    /// Calls a store: slot, value, mode.
    Call {
        salt: u8,
        slot: u64,
        value: u64,
        mode: u64,
    },
    Create {
        salt: u8,
    },
    Pay {
        wei: u64,
    },
    Accept,
    Reject,
    /// Closes the block and goes on to the next.
    Seal,
    TakeBack,
    Abandon,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..2_u8, 0..SLOTS, 0..4_u64, 0..3_u64).prop_map(|(salt, slot, value, mode)| Step::Call { salt, slot, value, mode }),
        4 => (0..2_u8).prop_map(|salt| Step::Create { salt }),
        2 => (1..9_u64).prop_map(|wei| Step::Pay { wei }),
        6 => Just(Step::Accept),
        2 => Just(Step::Reject),
        2 => Just(Step::Seal),
        1 => Just(Step::TakeBack),
        1 => Just(Step::Abandon),
    ]
}

/// Everything that the steps can change.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct World {
    nonce: u64,
    paid: u64,
    /// Stores that exist, with their slots.
    stores: BTreeMap<u8, BTreeMap<u64, u64>>,
}

impl World {
    fn after(&self, step: &Step, spec: SpecId) -> Self {
        let mut next = self.clone();
        next.nonce += 1;
        match step {
            Step::Call { salt, slot, value, mode } => {
                if let Some(slots) = next.stores.get_mut(salt) {
                    match mode {
                        0 => drop(slots.insert(*slot, *value)),
                        2 if spec < SpecId::CANCUN => drop(next.stores.remove(salt)),
                        _ => {}
                    }
                }
            }
            Step::Create { salt } => drop(next.stores.entry(*salt).or_default()),
            Step::Pay { wei } => next.paid += wei,
            Step::Accept | Step::Reject | Step::Seal | Step::TakeBack | Step::Abandon => {
                unreachable!("not a transaction")
            }
        }
        next
    }

    fn slot(&self, salt: u8, slot: u64) -> U256 {
        U256::from(self.stores.get(&salt).and_then(|slots| slots.get(&slot)).copied().unwrap_or_default())
    }
}

/// The model: states, one a layer, and one a sealed block.
struct Model {
    sealed: Vec<(B256, World)>,
    base: World,
    layers: Vec<World>,
    /// State at the last seal.
    floor: World,
}

impl Model {
    fn top(&self) -> &World {
        self.layers.last().unwrap_or(&self.base)
    }

    /// Before the newest transaction; when none is on the stack, before the block.
    fn before(&self) -> &World {
        match self.layers.as_slice() {
            [] => &self.floor,
            [_] => &self.base,
            [.., before, _] => before,
        }
    }
}

/// The source: store 0 exists from the start, and its slots must not shine through once it was destroyed.
fn genesis() -> (MemoryState, World) {
    let mut state = state();
    state.set_account(FACTORY, U256::ZERO, 1, factory());
    state.set_account(store_at(0), U256::ZERO, 1, store());
    let slots: BTreeMap<u64, u64> = (0..SLOTS).map(|slot| (slot, slot + 7)).collect();
    for (slot, value) in &slots {
        state.set_slot(store_at(0), U256::from(*slot), U256::from(*value));
    }
    (state, World { stores: [(0, slots)].into(), ..World::default() })
}

fn compare(executor: &mut Executor<MemoryState>, model: &Model) -> Result<(), TestCaseError> {
    for salt in 0..2 {
        for slot in 0..SLOTS {
            for (at, world) in
                [(Snapshot::PreTx, model.before()), (Snapshot::PostTx, model.top()), (Snapshot::Block, model.top())]
            {
                let got = executor.slot(at, store_at(salt), U256::from(slot)).unwrap();
                prop_assert_eq!(got, world.slot(salt, slot), "{:?} slot {} of store {}", at, slot, salt);
            }
        }
        let nonce = u64::from(model.top().stores.contains_key(&salt));
        prop_assert_eq!(executor.account(store_at(salt)).unwrap(), (nonce, U256::ZERO));
    }
    let top = model.top();
    prop_assert_eq!(executor.account(SENDER).unwrap(), (top.nonce, ETHER - U256::from(top.paid)));
    prop_assert_eq!(executor.account(PAYEE).unwrap().1, U256::from(top.paid));
    Ok(())
}

fn apply(executor: &mut Executor<MemoryState>, model: &mut Model, step: &Step, spec: SpecId) {
    let (to, value, input) = match step {
        Step::Call { salt, slot, value, mode } => (store_at(*salt), 0, words([*slot, *value, *mode])),
        Step::Create { salt } => (FACTORY, 0, words([u64::from(*salt), 0, 0])),
        Step::Pay { wei } => (PAYEE, *wei, Bytes::new()),
        Step::Accept => {
            executor.accept();
            model.base = model.top().clone();
            return model.layers.clear();
        }
        Step::Reject => {
            executor.reject();
            return model.layers.clear();
        }
        Step::Seal => {
            executor.accept();
            executor.seal();
            let world = model.top().clone();
            model.sealed.push((executor.header().hash, std::mem::replace(&mut model.floor, world.clone())));
            (model.base, model.layers) = (world, Vec::new());
            return executor.next_block(header(executor.header().number + 1));
        }
        Step::TakeBack => {
            assert!(!executor.take_back(B256::ZERO), "no such block");
            let Some((hash, world)) = model.sealed.pop() else { return };
            assert!(executor.take_back(hash));
            (model.base, model.floor, model.layers) = (world.clone(), world, Vec::new());
            return;
        }
        Step::Abandon => {
            executor.abandon();
            (model.base, model.layers) = (model.floor.clone(), Vec::new());
            return;
        }
    };
    run(executor, Some(to), value, input);
    model.layers.push(model.top().after(step, spec));
}

proptest! {
    #[test]
    fn the_stack_of_snapshots_is_what_copies_would_be(
        steps in proptest::collection::vec(step(), 1..40),
        spec in prop_oneof![Just(SpecId::LONDON), Just(SpecId::CANCUN)],
    ) {
        let (state, world) = genesis();
        let mut executor = executor(state, spec);
        let mut model = Model { sealed: vec![], base: world.clone(), layers: vec![], floor: world };
        for step in &steps {
            apply(&mut executor, &mut model, step, spec);
            compare(&mut executor, &model)?;
        }
    }
}
