//! A complete state in memory: devnets and tests.

use alloy_primitives::map::{AddressMap, B256Map, HashMap, U256Map};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use ripcord_core::ports::{AccountState, MissingState, StateSource};

/// What is absent from it is known not to exist, except block hashes.
#[derive(Debug, Clone, Default)]
pub struct MemoryState {
    accounts: AddressMap<AccountState>,
    storage: AddressMap<U256Map<U256>>,
    codes: B256Map<Bytes>,
    block_hashes: HashMap<u64, B256>,
}

impl MemoryState {
    /// Sets an account; the code is stored under its hash.
    pub fn set_account(&mut self, address: Address, balance: U256, nonce: u64, code: Bytes) {
        let code_hash = keccak256(&code);
        self.accounts.insert(address, AccountState { balance, nonce, code_hash });
        if !code.is_empty() {
            self.codes.insert(code_hash, code);
        }
    }

    /// Sets a slot.
    pub fn set_slot(&mut self, address: Address, slot: U256, value: U256) {
        self.storage.entry(address).or_default().insert(slot, value);
    }

    /// Sets a block hash.
    pub fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.block_hashes.insert(number, hash);
    }
}

impl StateSource for MemoryState {
    fn account(&self, address: Address) -> Result<Option<AccountState>, MissingState> {
        Ok(self.accounts.get(&address).cloned())
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, MissingState> {
        Ok(self.storage.get(&address).and_then(|s| s.get(&slot)).copied().unwrap_or_default())
    }

    fn code(&self, hash: B256) -> Result<Bytes, MissingState> {
        self.codes.get(&hash).cloned().ok_or(MissingState::Code(hash))
    }

    fn block_hash(&self, number: u64) -> Result<B256, MissingState> {
        self.block_hashes.get(&number).copied().ok_or(MissingState::BlockHash(number))
    }
}
