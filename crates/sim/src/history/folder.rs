//! A folder of blocks: `blocks/N/block.json`, `blocks/N/pre_state.json`, `codes.json`, `block_hashes.bincode`.

use super::json::{parse, parse_block};
use super::{HistoryError, RecordedBlock};
use alloy_primitives::map::{AddressMap, B256Map, HashMap, U256Map};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use ripcord_core::chain::ChainId;
use ripcord_core::ports::{AccountState, MissingState, StateSource};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Most blocks that one folder may hold; more is refused, not cut.
const BLOCKS_MAX: usize = 1_000_000;

/// An opened folder. Codes and hashes are shared by all blocks; a block's own files are read when it is asked for.
#[derive(Debug, Clone)]
pub struct BlockFolder {
    root: PathBuf,
    numbers: Vec<u64>,
    codes: Arc<B256Map<Bytes>>,
    hashes: Arc<HashMap<u64, B256>>,
}

impl BlockFolder {
    /// Opens a folder: itself, or the one folder inside it that holds `blocks/`.
    ///
    /// # Errors
    /// [`HistoryError`] naming the file.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let root = find_root(path)?;
        let mut numbers = Vec::new();
        for entry in list(&root.join("blocks"))? {
            let name = entry.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
            let number = name.parse().map_err(|_| HistoryError::Malformed {
                path: entry.display().to_string(),
                place: "folder name".to_owned(),
                why: "not a block number".to_owned(),
            })?;
            numbers.push(number);
        }
        numbers.sort_unstable();
        if numbers.is_empty() || numbers.len() > BLOCKS_MAX {
            return Err(HistoryError::Malformed {
                path: root.join("blocks").display().to_string(),
                place: "folder".to_owned(),
                why: format!("holds {} blocks, expected 1 to {BLOCKS_MAX}", numbers.len()),
            });
        }
        let codes_path = root.join("codes.json");
        let codes = parse_codes(&codes_path.display().to_string(), &read(&codes_path)?)?;
        let hashes_path = root.join("block_hashes.bincode");
        let hashes = parse_hashes(&hashes_path.display().to_string(), &read(&hashes_path)?)?;
        Ok(Self { root, numbers, codes: Arc::new(codes), hashes: Arc::new(hashes) })
    }

    /// Block numbers in ascending order.
    #[must_use]
    pub fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    /// The file that holds the state of a block.
    #[must_use]
    pub fn state_file(&self, number: u64) -> PathBuf {
        self.root.join("blocks").join(number.to_string()).join("pre_state.json")
    }

    /// A block and the state that it reads.
    ///
    /// # Errors
    /// [`HistoryError`] naming the file.
    pub fn load(&self, number: u64) -> Result<(RecordedBlock, PreState), HistoryError> {
        let block_path = self.root.join("blocks").join(number.to_string()).join("block.json");
        let block = parse_block(&block_path.display().to_string(), ChainId(1), &read(&block_path)?)?;
        let state_path = self.state_file(number);
        let accounts = parse_state(&state_path.display().to_string(), &read(&state_path)?)?;
        Ok((block, PreState { accounts, codes: Arc::clone(&self.codes), hashes: Arc::clone(&self.hashes) }))
    }
}

/// The state that one block reads. An account that is not listed does not exist; a slot of a listed account that is not listed is not
/// known, and reading it is an error.
#[derive(Debug, Clone)]
pub struct PreState {
    accounts: AddressMap<(AccountState, U256Map<U256>)>,
    codes: Arc<B256Map<Bytes>>,
    hashes: Arc<HashMap<u64, B256>>,
}

impl PreState {
    /// Forgets a slot; what reads it then must fail.
    pub fn forget_slot(&mut self, address: Address, slot: U256) {
        if let Some((_, slots)) = self.accounts.get_mut(&address) {
            slots.remove(&slot);
        }
    }
}

impl StateSource for PreState {
    fn account(&self, address: Address) -> Result<Option<AccountState>, MissingState> {
        Ok(self.accounts.get(&address).map(|(account, _)| account.clone()))
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, MissingState> {
        match self.accounts.get(&address) {
            None => Ok(U256::ZERO),
            Some((_, slots)) => slots.get(&slot).copied().ok_or(MissingState::Slot(address, slot)),
        }
    }

    fn code(&self, hash: B256) -> Result<Bytes, MissingState> {
        self.codes.get(&hash).cloned().ok_or(MissingState::Code(hash))
    }

    fn block_hash(&self, number: u64) -> Result<B256, MissingState> {
        self.hashes.get(&number).copied().ok_or(MissingState::BlockHash(number))
    }

    fn can_tell(&self, address: Address) -> bool {
        self.accounts.contains_key(&address)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountJson {
    balance: U256,
    nonce: u64,
    #[serde(default)]
    code_hash: Option<B256>,
    storage: BTreeMap<U256, U256>,
}

fn parse_state(path: &str, bytes: &[u8]) -> Result<AddressMap<(AccountState, U256Map<U256>)>, HistoryError> {
    let json: BTreeMap<Address, AccountJson> = parse(path, bytes)?;
    let account = |json: AccountJson| {
        let code_hash = json.code_hash.unwrap_or(alloy_primitives::KECCAK256_EMPTY);
        (AccountState { balance: json.balance, nonce: json.nonce, code_hash }, json.storage.into_iter().collect())
    };
    Ok(json.into_iter().map(|(address, json)| (address, account(json))).collect())
}

/// `{hash: code}`; each code must have the hash it is filed under.
fn parse_codes(path: &str, bytes: &[u8]) -> Result<B256Map<Bytes>, HistoryError> {
    let json: BTreeMap<B256, Bytes> = parse(path, bytes)?;
    for (hash, code) in &json {
        if keccak256(code) != *hash {
            return Err(HistoryError::Malformed {
                path: path.to_owned(),
                place: hash.to_string(),
                why: "the code does not have this hash".to_owned(),
            });
        }
    }
    Ok(json.into_iter().collect())
}

/// One count, then per entry `0xfc`, the number as u32 little-endian, `0x20` and the 32 bytes of the hash.
fn parse_hashes(path: &str, bytes: &[u8]) -> Result<HashMap<u64, B256>, HistoryError> {
    const ENTRY: usize = 38;
    let malformed = |offset: usize, why: &str| HistoryError::Malformed {
        path: path.to_owned(),
        place: format!("byte {offset}"),
        why: why.to_owned(),
    };
    let (count, entries) = bytes.split_first().ok_or_else(|| malformed(0, "empty file"))?;
    if entries.len() != usize::from(*count) * ENTRY {
        return Err(malformed(bytes.len(), &format!("expected {count} entries of {ENTRY} bytes")));
    }
    let mut hashes = HashMap::default();
    for (index, entry) in entries.chunks_exact(ENTRY).enumerate() {
        let parsed = match entry {
            [0xfc, a, b, c, d, 0x20, hash @ ..] => Some((u32::from_le_bytes([*a, *b, *c, *d]), B256::from_slice(hash))),
            _ => None,
        };
        let (number, hash) = parsed.ok_or_else(|| malformed(1 + index * ENTRY, "not a block hash entry"))?;
        hashes.insert(u64::from(number), hash);
    }
    Ok(hashes)
}

fn find_root(path: &Path) -> Result<PathBuf, HistoryError> {
    if path.join("blocks").is_dir() {
        return Ok(path.to_owned());
    }
    let inner: Vec<PathBuf> = list(path)?.into_iter().filter(|p| p.join("blocks").is_dir()).collect();
    match inner.as_slice() {
        [one] => Ok(one.clone()),
        _ => Err(HistoryError::Unreadable {
            path: path.display().to_string(),
            why: "no folder `blocks` in it".to_owned(),
        }),
    }
}

fn list(path: &Path) -> Result<Vec<PathBuf>, HistoryError> {
    let unreadable =
        |e: std::io::Error| HistoryError::Unreadable { path: path.display().to_string(), why: e.to_string() };
    let mut entries = std::fs::read_dir(path)
        .map_err(unreadable)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(unreadable)?;
    entries.sort();
    Ok(entries)
}

pub(super) fn read(path: &Path) -> Result<Vec<u8>, HistoryError> {
    std::fs::read(path).map_err(|e| HistoryError::Unreadable { path: path.display().to_string(), why: e.to_string() })
}
