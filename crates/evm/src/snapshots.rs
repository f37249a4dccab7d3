//! State as a stack: a bounded overlay over a source, and on top of it the states that single transactions produced.
//!
//! The state of a transaction is moved onto the stack, never copied. A look-up at height `n` sees the overlay and the first `n` layers,
//! so that before and after a transaction are two heights of one stack (`architecture.md` section 4).

use alloy_primitives::map::{AddressMap, B256Map, HashMap, U256Map};
use ripcord_core::ports::{MissingState, StateSource};
use revm::bytecode::Bytecode;
use revm::database_interface::{DBErrorMarker, Database};
use revm::primitives::{Address, B256, KECCAK_EMPTY, U256};
use revm::state::{AccountInfo, EvmState};

/// Why the database has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(transparent)]
pub(crate) struct DbError(#[from] pub(crate) MissingState);

impl DBErrorMarker for DbError {}

/// An account of the overlay.
#[derive(Debug, Clone, Default)]
struct Cached {
    /// `None`: known not to exist.
    info: Option<AccountInfo>,
    /// Slots known so far.
    slots: U256Map<U256>,
    /// The storage was wiped or born inside the overlay: an unlisted slot is zero, the source must not be asked.
    complete: bool,
}

/// The overlay, its source and the layers above it.
#[derive(Debug)]
pub(crate) struct Snapshots<S> {
    source: S,
    accounts: AddressMap<Cached>,
    codes: B256Map<Bytecode>,
    block_hashes: HashMap<u64, B256>,
    layers: Vec<EvmState>,
    /// How many layers a look-up sees.
    height: usize,
    slots_held: usize,
    slots_max: usize,
}

impl<S: StateSource> Snapshots<S> {
    /// An empty overlay that keeps at most `slots_max` clean slots; at the bound [`Self::shed`] drops what can be read again.
    pub(crate) fn new(source: S, slots_max: usize) -> Self {
        Self {
            source,
            accounts: AddressMap::default(),
            codes: B256Map::default(),
            block_hashes: HashMap::default(),
            layers: Vec::new(),
            height: 0,
            slots_held: 0,
            slots_max,
        }
    }

    pub(crate) fn source(&self) -> &S {
        &self.source
    }

    pub(crate) fn layers(&self) -> usize {
        self.layers.len()
    }

    /// Makes look-ups see the overlay and the first `height` layers.
    pub(crate) fn look_at(&mut self, height: usize) {
        self.height = height.min(self.layers.len());
    }

    /// Puts a transaction's state on top and looks at it.
    pub(crate) fn push(&mut self, layer: EvmState) {
        self.layers.push(layer);
        self.height = self.layers.len();
    }

    /// Drops the layers above `height`: the transactions that made them never happened.
    pub(crate) fn truncate(&mut self, height: usize) {
        self.layers.truncate(height);
        self.height = self.layers.len();
    }

    /// Merges all layers into the overlay: their transactions are in the block.
    pub(crate) fn merge(&mut self) {
        for layer in std::mem::take(&mut self.layers) {
            self.merge_layer(layer);
        }
        self.height = 0;
    }

    #[expect(clippy::iter_over_hash_type, reason = "each account is merged on its own; the order cannot matter")]
    fn merge_layer(&mut self, layer: EvmState) {
        for (address, account) in layer {
            if !account.is_touched() {
                continue;
            }
            let cached = self.accounts.entry(address).or_default();
            if account.is_selfdestructed() {
                self.slots_held = self.slots_held.saturating_sub(cached.slots.len());
                *cached = Cached { info: None, slots: U256Map::default(), complete: true };
                continue;
            }
            if account.is_created() {
                self.slots_held = self.slots_held.saturating_sub(cached.slots.len());
                cached.slots.clear();
                cached.complete = true;
            }
            if let Some(code) = &account.info.code
                && account.is_created()
            {
                self.codes.entry(account.info.code_hash).or_insert_with(|| code.clone());
            }
            cached.info = Some(account.info);
            for (slot, value) in account.storage {
                if value.is_changed() && cached.slots.insert(slot, value.present_value).is_none() {
                    self.slots_held += 1;
                }
            }
        }
    }

    /// The code of an account that the overlay or source holds.
    fn load_code(&mut self, hash: B256) -> Result<Bytecode, DbError> {
        if hash == KECCAK_EMPTY || hash.is_zero() {
            return Ok(Bytecode::default());
        }
        if let Some(code) = self.codes.get(&hash) {
            return Ok(code.clone());
        }
        let code = Bytecode::new_raw(self.source.code(hash)?);
        self.codes.insert(hash, code.clone());
        Ok(code)
    }

    fn cached(&mut self, address: Address) -> Result<&mut Cached, DbError> {
        if !self.accounts.contains_key(&address) {
            let info = match self.source.account(address)? {
                None => None,
                Some(state) => Some(AccountInfo {
                    balance: state.balance,
                    nonce: state.nonce,
                    code_hash: if state.code_hash.is_zero() { KECCAK_EMPTY } else { state.code_hash },
                    code: Some(self.load_code(state.code_hash)?),
                    account_id: None,
                }),
            };
            let complete = info.is_none();
            self.accounts.insert(address, Cached { info, slots: U256Map::default(), complete });
        }
        Ok(self.accounts.entry(address).or_default())
    }

    /// Number of slots that the overlay holds.
    pub(crate) fn slots_held(&self) -> usize {
        self.slots_held
    }

    /// Whether the overlay has reached its bound. The owner then starts a new one over a source that knows the present state: dropping
    /// single slots here would be wrong, because written slots are newer than the source.
    pub(crate) fn is_full(&self) -> bool {
        self.slots_held >= self.slots_max
    }

    /// The account as seen at the present height, without code.
    pub(crate) fn account_at(&mut self, address: Address) -> Result<Option<AccountInfo>, DbError> {
        self.basic(address)
    }
}

impl<S: StateSource> Database for Snapshots<S> {
    type Error = DbError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, DbError> {
        for layer in self.layers.iter().take(self.height).rev() {
            if let Some(account) = layer.get(&address).filter(|a| a.is_touched()) {
                return Ok((!account.is_selfdestructed()).then(|| account.info.clone()));
            }
        }
        self.cached(address).map(|cached| cached.info.clone())
    }

    fn code_by_hash(&mut self, hash: B256) -> Result<Bytecode, DbError> {
        for layer in self.layers.iter().take(self.height).rev() {
            let created = layer.values().find(|a| a.is_created() && a.info.code_hash == hash);
            if let Some(code) = created.and_then(|a| a.info.code.clone()) {
                return Ok(code);
            }
        }
        self.load_code(hash)
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, DbError> {
        for layer in self.layers.iter().take(self.height).rev() {
            let Some(account) = layer.get(&address).filter(|a| a.is_touched()) else { continue };
            if account.is_selfdestructed() {
                return Ok(U256::ZERO);
            }
            if let Some(value) = account.storage.get(&slot) {
                return Ok(value.present_value);
            }
            if account.is_created() {
                return Ok(U256::ZERO);
            }
        }
        let cached = self.cached(address)?;
        if let Some(value) = cached.slots.get(&slot) {
            return Ok(*value);
        }
        if cached.complete {
            return Ok(U256::ZERO);
        }
        let value = self.source.storage(address, slot)?;
        if let Some(cached) = self.accounts.get_mut(&address) {
            cached.slots.insert(slot, value);
            self.slots_held += 1;
        }
        Ok(value)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, DbError> {
        if let Some(hash) = self.block_hashes.get(&number) {
            return Ok(*hash);
        }
        let hash = self.source.block_hash(number)?;
        self.block_hashes.insert(number, hash);
        Ok(hash)
    }
}
