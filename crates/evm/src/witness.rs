//! State proven from trie nodes: every answer is a walk from one root through nodes whose hashes were checked.
//!
//! Source: Ethereum yellow paper, appendix D (modified Merkle Patricia trie); `debug_executionWitness` and `eth_getProof` deliver such nodes.

use alloy_primitives::map::{AddressMap, B256Map, HashMap};
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::Decodable;
use alloy_trie::nodes::{RlpNode, TrieNode};
use alloy_trie::{EMPTY_ROOT_HASH, Nibbles, TrieAccount};
use ripcord_core::ports::{AccountState, MissingState, StateSource};
use std::cell::RefCell;

/// The state under one root, as far as the nodes reach.
#[derive(Debug, Clone, Default)]
pub struct Witness {
    root: B256,
    nodes: B256Map<Bytes>,
    codes: B256Map<Bytes>,
    block_hashes: HashMap<u64, B256>,
    storage_roots: RefCell<AddressMap<B256>>,
}

/// Why a walk has no answer.
enum Stop {
    /// A node on the way is not in the witness, or is not a trie node.
    Missing,
}

impl Witness {
    /// A witness for the state with this root. Nodes and codes are stored under their own hashes, so that none can lie.
    #[must_use]
    pub fn new(root: B256, nodes: impl IntoIterator<Item = Bytes>, codes: impl IntoIterator<Item = Bytes>) -> Self {
        let keyed = |items: &mut dyn Iterator<Item = Bytes>| items.map(|bytes| (keccak256(&bytes), bytes)).collect();
        Self {
            root,
            nodes: keyed(&mut nodes.into_iter()),
            codes: keyed(&mut codes.into_iter()),
            block_hashes: HashMap::default(),
            storage_roots: RefCell::default(),
        }
    }

    /// Adds the hash of an ancestor.
    pub fn set_block_hash(&mut self, number: u64, hash: B256) {
        self.block_hashes.insert(number, hash);
    }

    /// The RLP value under a hashed key; `None` is proven absence.
    fn walk(&self, root: B256, key: B256) -> Result<Option<Vec<u8>>, Stop> {
        if root == EMPTY_ROOT_HASH {
            return Ok(None);
        }
        let path = Nibbles::unpack(key);
        let mut depth = 0;
        let mut node = self.nodes.get(&root).ok_or(Stop::Missing)?.clone();
        loop {
            let rest = path.slice(depth.min(path.len())..);
            let next = match TrieNode::decode(&mut node.as_ref()).map_err(|_| Stop::Missing)? {
                TrieNode::EmptyRoot => return Ok(None),
                TrieNode::Leaf(leaf) => return Ok((leaf.key == rest).then_some(leaf.value)),
                TrieNode::Extension(extension) => {
                    if !rest.starts_with(&extension.key) {
                        return Ok(None);
                    }
                    depth += extension.key.len();
                    extension.child
                }
                TrieNode::Branch(branch) => {
                    let nibble = rest.first().ok_or(Stop::Missing)?;
                    depth += 1;
                    let child = branch
                        .as_ref()
                        .children()
                        .find(|(index, _)| *index == nibble)
                        .and_then(|(_, child)| child.cloned());
                    match child {
                        None => return Ok(None),
                        Some(child) => child,
                    }
                }
            };
            node = self.resolve(&next)?;
        }
    }

    /// A child is given by hash, or inline when it is shorter than a hash.
    fn resolve(&self, child: &RlpNode) -> Result<Bytes, Stop> {
        match child.as_hash() {
            Some(hash) => self.nodes.get(&hash).cloned().ok_or(Stop::Missing),
            None => Ok(Bytes::copy_from_slice(child.as_slice())),
        }
    }

    fn trie_account(&self, address: Address) -> Result<Option<TrieAccount>, MissingState> {
        let missing = || MissingState::Account(address);
        match self.walk(self.root, keccak256(address)).map_err(|Stop::Missing| missing())? {
            None => Ok(None),
            Some(rlp) => TrieAccount::decode(&mut rlp.as_slice()).map(Some).map_err(|_| missing()),
        }
    }
}

impl StateSource for Witness {
    fn account(&self, address: Address) -> Result<Option<AccountState>, MissingState> {
        let account = self.trie_account(address)?;
        let root = account.as_ref().map_or(EMPTY_ROOT_HASH, |a| a.storage_root);
        self.storage_roots.borrow_mut().insert(address, root);
        Ok(account.map(|a| AccountState { balance: a.balance, nonce: a.nonce, code_hash: a.code_hash }))
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, MissingState> {
        let known = self.storage_roots.borrow().get(&address).copied();
        let root = match known {
            Some(root) => root,
            None => self.trie_account(address)?.map_or(EMPTY_ROOT_HASH, |a| a.storage_root),
        };
        let missing = || MissingState::Slot(address, slot);
        match self.walk(root, keccak256(B256::from(slot))).map_err(|Stop::Missing| missing())? {
            None => Ok(U256::ZERO),
            Some(rlp) => U256::decode(&mut rlp.as_slice()).map_err(|_| missing()),
        }
    }

    fn code(&self, hash: B256) -> Result<Bytes, MissingState> {
        self.codes.get(&hash).cloned().ok_or(MissingState::Code(hash))
    }

    fn block_hash(&self, number: u64) -> Result<B256, MissingState> {
        self.block_hashes.get(&number).copied().ok_or(MissingState::BlockHash(number))
    }
}
