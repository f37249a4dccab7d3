//! A small world: one funded sender, hand-assembled contracts, transactions without fees.

use alloy_primitives::{Address, B256, Bytes, U256, address, keccak256};
use revm::primitives::hardfork::SpecId;
use ripcord_core::chain::{ChainId, Finality};
use ripcord_core::fact::TxFacts;
use ripcord_core::ports::{AccountState, MissingState, StateSource, ViewCall};
use ripcord_evm::{Executor, Hardforks, Header, MemoryState, Tx};

/// Sender of every transaction; has one ether.
pub(crate) const SENDER: Address = address!("00000000000000000000000000000000000a11ce");
pub(crate) const ETHER: U256 = U256::from_limbs([1_000_000_000_000_000_000, 0, 0, 0]);
/// Where probes run; nothing is there.
pub(crate) const PROBE: Address = address!("000000000000000000000000000000000000900b");
pub(crate) const GAS: u64 = 1_000_000;

/// Opcodes, by their names in the yellow paper.
pub(crate) mod op {
    pub(crate) const STOP: u8 = 0x00;
    pub(crate) const EQ: u8 = 0x14;
    pub(crate) const BALANCE: u8 = 0x31;
    pub(crate) const CALLER: u8 = 0x33;
    pub(crate) const CALLDATALOAD: u8 = 0x35;
    pub(crate) const CODECOPY: u8 = 0x39;
    pub(crate) const COINBASE: u8 = 0x41;
    pub(crate) const TIMESTAMP: u8 = 0x42;
    pub(crate) const NUMBER: u8 = 0x43;
    pub(crate) const CHAINID: u8 = 0x46;
    pub(crate) const POP: u8 = 0x50;
    pub(crate) const MLOAD: u8 = 0x51;
    pub(crate) const MSTORE: u8 = 0x52;
    pub(crate) const SLOAD: u8 = 0x54;
    pub(crate) const SSTORE: u8 = 0x55;
    pub(crate) const JUMP: u8 = 0x56;
    pub(crate) const JUMPI: u8 = 0x57;
    pub(crate) const JUMPDEST: u8 = 0x5b;
    pub(crate) const TSTORE: u8 = 0x5d;
    pub(crate) const DUP1: u8 = 0x80;
    pub(crate) const LOG0: u8 = 0xa0;
    pub(crate) const CREATE: u8 = 0xf0;
    pub(crate) const CALL: u8 = 0xf1;
    pub(crate) const RETURN: u8 = 0xf3;
    pub(crate) const CREATE2: u8 = 0xf5;
    pub(crate) const REVERT: u8 = 0xfd;
    pub(crate) const SELFDESTRUCT: u8 = 0xff;
}

/// `PUSH32` of a number or address.
pub(crate) fn push(value: impl Into<U256>) -> Vec<u8> {
    [&[0x7f], value.into().to_be_bytes::<32>().as_slice()].concat()
}

pub(crate) fn word(address: Address) -> U256 {
    address.into_word().into()
}

/// Pieces of code in order.
pub(crate) fn code<const N: usize>(pieces: [&[u8]; N]) -> Bytes {
    pieces.concat().into()
}

/// Returns the word on top of the stack.
pub(crate) fn return_top() -> Vec<u8> {
    [push(U256::ZERO), vec![op::MSTORE], push(U256::from(32)), push(U256::ZERO), vec![op::RETURN]].concat()
}

/// `CALL` with this value and the first `input_len` bytes of memory, no output; leaves 1 or 0 on the stack.
pub(crate) fn call(to: Address, value: u64, input_len: u64) -> Vec<u8> {
    let zero = || push(U256::ZERO);
    let gas = push(U256::from(300_000));
    [zero(), zero(), push(U256::from(input_len)), zero(), push(U256::from(value)), push(word(to)), gas, vec![op::CALL]]
        .concat()
}

/// Returns slot `slot`.
pub(crate) fn reader(slot: u64) -> Bytes {
    code([&push(U256::from(slot)), &[op::SLOAD], &return_top()])
}

/// Init code that deploys `runtime`.
pub(crate) fn init_of(runtime: &[u8]) -> Bytes {
    let len = push(U256::from(runtime.len()));
    let back = [len.as_slice(), &push(U256::ZERO), &[op::RETURN]].concat();
    let from = 3 * 33 + 1 + back.len();
    code([&len, &push(U256::from(from)), &push(U256::ZERO), &[op::CODECOPY], &back, runtime])
}

pub(crate) fn state() -> MemoryState {
    let mut state = MemoryState::default();
    state.set_account(SENDER, ETHER, 0, Bytes::new());
    state
}

pub(crate) fn header(number: u64) -> Header {
    Header {
        number,
        hash: keccak256(number.to_be_bytes()),
        timestamp: 1_700_000_000 + 12 * number,
        gas_limit: 30_000_000,
        beneficiary: address!("000000000000000000000000000000000000fee5"),
        ..Header::default()
    }
}

pub(crate) fn executor<S: StateSource>(source: S, spec: SpecId) -> Executor<S> {
    Executor::new(source, ChainId(1), Hardforks::Fixed(spec), header(100))
}

/// The sender's next transaction.
pub(crate) fn tx<S: StateSource>(
    executor: &mut Executor<S>,
    to: Option<Address>,
    value: u64,
    input: impl Into<Bytes>,
) -> Tx {
    let (nonce, _) = executor.account(SENDER).unwrap();
    Tx {
        hash: keccak256(nonce.to_be_bytes()),
        from: SENDER,
        to,
        value: U256::from(value),
        input: input.into(),
        nonce,
        gas_limit: GAS,
        ..Tx::default()
    }
}

/// Executes the sender's next transaction and leaves it on top of the stack.
pub(crate) fn run<S: StateSource>(
    executor: &mut Executor<S>,
    to: Option<Address>,
    value: u64,
    input: impl Into<Bytes>,
) -> TxFacts {
    let tx = tx(executor, to, value, input);
    executor.execute(&tx, 0, Finality::Head).unwrap()
}

pub(crate) fn view(target: Address) -> ViewCall {
    ViewCall { target, code: None, calldata: Bytes::new(), gas_limit: 200_000 }
}

pub(crate) fn probe(code: Bytes) -> ViewCall {
    ViewCall { target: PROBE, code: Some(code), calldata: Bytes::new(), gas_limit: 200_000 }
}

/// A source that does not know some keys.
pub(crate) struct Forgetful {
    pub(crate) state: MemoryState,
    pub(crate) unknown: Vec<MissingState>,
}

impl Forgetful {
    fn know(&self, key: MissingState) -> Result<(), MissingState> {
        if self.unknown.contains(&key) { Err(key) } else { Ok(()) }
    }
}

impl StateSource for Forgetful {
    fn account(&self, address: Address) -> Result<Option<AccountState>, MissingState> {
        self.know(MissingState::Account(address)).and_then(|()| self.state.account(address))
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, MissingState> {
        self.know(MissingState::Slot(address, slot)).and_then(|()| self.state.storage(address, slot))
    }

    fn code(&self, hash: B256) -> Result<Bytes, MissingState> {
        self.know(MissingState::Code(hash)).and_then(|()| self.state.code(hash))
    }

    fn block_hash(&self, number: u64) -> Result<B256, MissingState> {
        self.state.block_hash(number)
    }
}
