//! A complete state in memory: devnets and tests.

use alloy_primitives::map::{AddressMap, B256Map, HashMap, U256Map};
use alloy_primitives::{Address, B256, Bytes, KECCAK256_EMPTY, U256, keccak256};
use ripcord_core::fact::{CallEnd, CallKind, StateKey, TxFacts};
use ripcord_core::ports::{AccountState, MissingState, StateSource};

/// What is absent from it is known not to exist, except block hashes.
#[derive(Debug, Clone, Default)]
pub struct MemoryState {
    accounts: AddressMap<AccountState>,
    storage: AddressMap<U256Map<U256>>,
    codes: B256Map<Bytes>,
    block_hashes: HashMap<u64, B256>,
    hidden: Vec<Address>,
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

    /// Applies what a transaction changed.
    pub fn apply(&mut self, facts: &TxFacts) {
        for call in &facts.calls {
            let created = matches!(call.kind, CallKind::Create | CallKind::Create2) && call.end == CallEnd::Success;
            if created && !call.output.is_empty() {
                self.codes.insert(keccak256(&call.output), call.output.clone());
            }
        }
        for write in &facts.writes {
            let account = self
                .accounts
                .entry(write.account)
                .or_insert_with(|| AccountState { code_hash: KECCAK256_EMPTY, ..AccountState::default() });
            match write.key {
                StateKey::Balance => account.balance = write.after,
                StateKey::Nonce => account.nonce = write.after.saturating_to(),
                StateKey::CodeHash => account.code_hash = write.after.into(),
                StateKey::Slot(slot) => self.set_slot(write.account, slot, write.after),
            }
        }
    }

    /// Makes an account unknown, as in a view that never fetched it: reading it is an error from now on.
    pub fn hide(&mut self, address: Address) {
        self.hidden.push(address);
    }

    /// Sets a block hash.
    pub fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.block_hashes.insert(number, hash);
    }
}

impl StateSource for MemoryState {
    fn account(&self, address: Address) -> Result<Option<AccountState>, MissingState> {
        if self.hidden.contains(&address) {
            return Err(MissingState::Account(address));
        }
        Ok(self.accounts.get(&address).cloned())
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, MissingState> {
        if self.hidden.contains(&address) {
            return Err(MissingState::Slot(address, slot));
        }
        Ok(self.storage.get(&address).and_then(|s| s.get(&slot)).copied().unwrap_or_default())
    }

    fn code(&self, hash: B256) -> Result<Bytes, MissingState> {
        self.codes.get(&hash).cloned().ok_or(MissingState::Code(hash))
    }

    fn block_hash(&self, number: u64) -> Result<B256, MissingState> {
        self.block_hashes.get(&number).copied().ok_or(MissingState::BlockHash(number))
    }
}
