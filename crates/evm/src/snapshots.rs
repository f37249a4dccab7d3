//! State as a stack: a bounded overlay over a source, and on top of it the states that single transactions produced.
//!
//! The state of a transaction is moved onto the stack, never copied. A look-up at height `n` sees the overlay and the first `n` layers,
//! so that before and after a transaction are two heights of one stack.

use alloy_primitives::map::{AddressMap, B256Map, Entry, HashMap, U256Map};
use revm::bytecode::Bytecode;
use revm::database_interface::{DBErrorMarker, Database};
use revm::primitives::{Address, B256, KECCAK_EMPTY, U256};
use revm::state::{AccountInfo, EvmState};
use ripcord_core::ports::{MissingState, StateSource};
use std::collections::VecDeque;

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

/// What the overlay knew of one thing before a block changed it.
#[derive(Debug, Clone)]
enum Prior {
    /// Info of the account.
    Info(Option<AccountInfo>),
    /// Value of a slot, if it was known.
    Slot(U256, Option<U256>),
    /// The whole account: the block created or destroyed it.
    Account(Box<Cached>),
}

/// How to take a block back.
#[derive(Debug, Clone)]
struct Undo {
    block: B256,
    changes: Vec<(Address, Prior)>,
}

/// Blocks that can be taken back; the oldest is forgotten first. Ethereum finalises after 64 blocks.
pub(crate) const UNDO_BLOCKS_MAX: usize = 128;

/// The overlay, its source and the layers above it.
#[derive(Debug, Clone)]
pub(crate) struct Snapshots<S> {
    source: S,
    accounts: AddressMap<Cached>,
    codes: B256Map<Bytecode>,
    block_hashes: HashMap<u64, B256>,
    layers: Vec<EvmState>,
    /// How many layers a look-up sees.
    height: usize,
    /// Look-ups see the state before the block in progress instead.
    at_block_start: bool,
    /// Look-ups are a view's, not an execution's: what the source cannot tell is missing, not absent.
    viewing: bool,
    slots_held: usize,
    slots_max: usize,
    /// Changes of the block in progress, in order.
    open: Vec<(Address, Prior)>,
    /// Sealed blocks, oldest first.
    undo: VecDeque<Undo>,
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
            at_block_start: false,
            viewing: false,
            slots_held: 0,
            slots_max,
            open: Vec::new(),
            undo: VecDeque::new(),
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
        self.at_block_start = false;
    }

    /// Says whether the next look-ups are a view's.
    pub(crate) fn set_viewing(&mut self, viewing: bool) {
        self.viewing = viewing;
    }

    /// Makes look-ups see the state before the block in progress.
    pub(crate) fn look_at_block_start(&mut self) {
        self.height = 0;
        self.at_block_start = true;
    }

    /// What the block in progress found before its first changes to an account, oldest first.
    fn priors(&self, address: Address) -> impl Iterator<Item = &Prior> {
        self.open.iter().filter(move |(changed, _)| *changed == address).map(|(_, prior)| prior)
    }

    /// An account before the block in progress, if the block changed it.
    fn info_at_start(&self, address: Address) -> Option<Option<AccountInfo>> {
        self.priors(address).find_map(|prior| match prior {
            Prior::Info(info) => Some(info.clone()),
            Prior::Account(cached) => Some(cached.info.clone()),
            Prior::Slot(..) => None,
        })
    }

    /// A slot before the block in progress, if the block changed it.
    fn slot_at_start(&self, address: Address, slot: U256) -> Option<Result<U256, DbError>> {
        self.priors(address).find_map(|prior| match prior {
            Prior::Slot(changed, value) if *changed == slot => {
                Some(value.map_or_else(|| self.source.storage(address, slot).map_err(DbError), Ok))
            }
            Prior::Account(cached) => Some(match cached.slots.get(&slot) {
                Some(value) => Ok(*value),
                None if cached.complete => Ok(U256::ZERO),
                None => self.source.storage(address, slot).map_err(DbError),
            }),
            Prior::Slot(..) | Prior::Info(_) => None,
        })
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

    /// Closes the block in progress, so that it can be taken back as a whole.
    pub(crate) fn seal(&mut self, block: B256) {
        if self.undo.len() == UNDO_BLOCKS_MAX {
            self.undo.pop_front();
        }
        self.undo.push_back(Undo { block, changes: std::mem::take(&mut self.open) });
    }

    /// Takes the newest sealed block back, and whatever was merged since. `false` when that block is not the newest one: the overlay is
    /// then as it was, and its owner must start afresh.
    pub(crate) fn unseal(&mut self, block: B256) -> bool {
        if self.undo.back().is_none_or(|u| u.block != block) {
            return false;
        }
        self.truncate(0);
        self.roll_back();
        if let Some(undo) = self.undo.pop_back() {
            self.open = undo.changes;
            self.roll_back();
        }
        true
    }

    /// Takes back what was merged since the last seal.
    pub(crate) fn roll_back(&mut self) {
        for (address, prior) in std::mem::take(&mut self.open).into_iter().rev() {
            let cached = self.accounts.entry(address).or_default();
            match prior {
                Prior::Account(before) => *cached = *before,
                Prior::Info(info) => cached.info = info,
                Prior::Slot(slot, Some(value)) => drop(cached.slots.insert(slot, value)),
                Prior::Slot(slot, None) => drop(cached.slots.remove(&slot)),
            }
        }
    }

    #[expect(clippy::iter_over_hash_type, reason = "each account is merged on its own; the order cannot matter")]
    fn merge_layer(&mut self, layer: EvmState) {
        for (address, account) in layer {
            if !account.is_touched() {
                continue;
            }
            let cached = self.accounts.entry(address).or_default();
            if account.is_selfdestructed() || account.is_created() {
                let blank = Cached { info: None, slots: U256Map::default(), complete: true };
                self.open.push((address, Prior::Account(Box::new(std::mem::replace(cached, blank)))));
            }
            if account.is_selfdestructed() {
                continue;
            }
            if account.is_created()
                && let Some(code) = &account.info.code
            {
                self.codes.entry(account.info.code_hash).or_insert_with(|| code.clone());
            }
            for (slot, value) in account.storage {
                if value.is_changed() {
                    let before = cached.slots.insert(slot, value.present_value);
                    self.slots_held += usize::from(before.is_none());
                    // A slot that a complete account did not list was zero, and known to be.
                    let before = before.or(cached.complete.then_some(U256::ZERO));
                    self.open.push((address, Prior::Slot(slot, before)));
                }
            }
            let info = cached.info.replace(account.info);
            self.open.push((address, Prior::Info(info)));
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

    /// Reads an account that the overlay does not hold yet.
    #[cold]
    fn load(&mut self, address: Address) -> Result<(), DbError> {
        if self.viewing && !self.source.can_tell(address) {
            return Err(MissingState::Account(address).into());
        }
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
        Ok(())
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
        if self.at_block_start
            && let Some(info) = self.info_at_start(address)
        {
            return Ok(info);
        }
        for layer in self.layers.iter().take(self.height).rev() {
            if let Some(account) = layer.get(&address).filter(|a| a.is_touched()) {
                return Ok((!account.is_selfdestructed()).then(|| account.info.clone()));
            }
        }
        if let Some(cached) = self.accounts.get(&address) {
            return Ok(cached.info.clone());
        }
        self.load(address)?;
        Ok(self.accounts.get(&address).and_then(|cached| cached.info.clone()))
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
        if self.at_block_start
            && let Some(value) = self.slot_at_start(address, slot)
        {
            return value;
        }
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
        if !self.accounts.contains_key(&address) {
            self.load(address)?;
        }
        let cached = self.accounts.entry(address).or_default();
        match cached.slots.entry(slot) {
            Entry::Occupied(known) => Ok(*known.get()),
            Entry::Vacant(_) if cached.complete => Ok(U256::ZERO),
            Entry::Vacant(unknown) => {
                let value = self.source.storage(address, slot)?;
                self.slots_held += 1;
                Ok(*unknown.insert(value))
            }
        }
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
