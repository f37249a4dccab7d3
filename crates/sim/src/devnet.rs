//! A chain in memory: blocks built from a mempool with a public and a private lane, ordered by fees, with reorgs.
//!
//! Owns the canonical truth of the virtual world. Must not know the guardian: it sees transactions, like a chain does.

use alloy_primitives::{Address, B256, Keccak256, U256, keccak256};
use ripcord_core::chain::{BlockRef, ChainId, Finality};
use ripcord_core::fact::{CallEnd, CallKind, TxFacts};
use ripcord_core::ports::StateSource;
use ripcord_evm::{Block, ExecError, Executor, Hardforks, Header, MemoryState, SpecId, Tx};

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

/// Blocks kept with their states; older ones are forgotten.
pub const BLOCKS_KEPT_MAX: usize = 1024;
/// Transactions waiting; further ones are refused.
pub const MEMPOOL_MAX: usize = 20_000;
/// Gas limit of every block.
pub const BLOCK_GAS: u64 = 30_000_000;
/// Base fee of every block, wei per gas: the world has no fee market of its own.
pub const BASE_FEE: u64 = 1_000_000_000;

/// How a transaction reaches the block builder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// The public mempool: everybody sees it before inclusion.
    Public,
    /// Straight to the builder: nobody sees it before inclusion.
    Private,
}

#[derive(Debug, Clone)]
struct Waiting {
    tx: Tx,
    lane: Lane,
    arrival: u64,
    /// Not included before this height: a stuck transaction.
    held_until: u64,
}

/// A built block with what came of it.
#[derive(Debug, Clone)]
pub struct Built {
    /// The block.
    pub block: Arc<Block>,
    /// Facts of its transactions, in order.
    pub facts: Vec<TxFacts>,
    /// State after it.
    pub state: Arc<MemoryState>,
    lanes: Vec<Lane>,
}

/// The chain.
#[derive(Debug, Clone)]
pub struct Devnet {
    chain: ChainId,
    blocks: BTreeMap<B256, Arc<Built>>,
    order: VecDeque<B256>,
    canonical: BTreeMap<u64, B256>,
    /// Hashes of all blocks ever built.
    ever: BTreeSet<B256>,
    head: BlockRef,
    waiting: Vec<Waiting>,
    arrivals: u64,
    salt: u64,
}

impl Devnet {
    /// A chain whose block 0 has this state.
    #[must_use]
    pub fn new(chain: ChainId, genesis: MemoryState, timestamp: u64) -> Self {
        let hash = keccak256(timestamp.to_be_bytes());
        let head = BlockRef { number: 0, hash, parent: B256::ZERO, timestamp };
        let header = Header { hash, timestamp, gas_limit: BLOCK_GAS, base_fee: BASE_FEE, ..Header::default() };
        let block = Arc::new(Block { chain, header, transactions: Vec::new() });
        let built = Built { block, facts: Vec::new(), state: Arc::new(genesis), lanes: Vec::new() };
        Self {
            chain,
            blocks: BTreeMap::from([(hash, Arc::new(built))]),
            order: VecDeque::from([hash]),
            canonical: BTreeMap::from([(0, hash)]),
            ever: BTreeSet::from([hash]),
            head,
            waiting: Vec::new(),
            arrivals: 0,
            salt: 0,
        }
    }

    /// The canonical head.
    #[must_use]
    pub fn head(&self) -> BlockRef {
        self.head
    }

    /// Chain id.
    #[must_use]
    pub fn chain(&self) -> ChainId {
        self.chain
    }

    /// A block, canonical or not, if it is still kept.
    #[must_use]
    pub fn block(&self, hash: B256) -> Option<&Built> {
        self.blocks.get(&hash).map(Arc::as_ref)
    }

    /// Whether such a block was ever built, kept or not.
    #[must_use]
    pub fn ever_built(&self, hash: B256) -> bool {
        self.ever.contains(&hash)
    }

    /// The canonical block of a height.
    #[must_use]
    pub fn canonical(&self, number: u64) -> Option<&Built> {
        self.canonical.get(&number).and_then(|hash| self.block(*hash))
    }

    /// State after the canonical head.
    #[must_use]
    pub fn state(&self) -> Arc<MemoryState> {
        self.blocks.get(&self.head.hash).map(|b| Arc::clone(&b.state)).unwrap_or_default()
    }

    /// Next nonce of an account: on chain, plus its own transactions that wait.
    #[must_use]
    pub fn next_nonce(&self, account: Address) -> u64 {
        let on_chain = self.state().account(account).ok().flatten().map_or(0, |a| a.nonce);
        self.waiting.iter().filter(|w| w.tx.from == account).map(|w| w.tx.nonce + 1).max().unwrap_or(0).max(on_chain)
    }

    /// Takes a transaction. A waiting one of the same sender and nonce is replaced if the new one pays at least 10 % more; otherwise the
    /// new one is refused.
    ///
    /// # Errors
    /// One line, as a node would answer.
    pub fn submit(&mut self, mut tx: Tx, lane: Lane) -> Result<B256, String> {
        tx.hash = tx_hash(&tx);
        tx.chain_id = Some(self.chain.0);
        let hash = tx.hash;
        let nonce = self.state().account(tx.from).ok().flatten().map_or(0, |a| a.nonce);
        if tx.nonce < nonce {
            return Err(format!("nonce too low: next nonce {nonce}, tx nonce {}", tx.nonce));
        }
        if self.waiting.iter().any(|w| w.tx.hash == hash) {
            return Ok(hash);
        }
        let same = self.waiting.iter().position(|w| w.tx.from == tx.from && w.tx.nonce == tx.nonce);
        let mut held_until = 0;
        if let Some(old) = same.and_then(|i| self.waiting.get(i)) {
            let enough = |new: u128, old: u128| new >= old.saturating_add(old / 10);
            if !enough(tx.max_fee, old.tx.max_fee) || !enough(tip_cap(&tx), tip_cap(&old.tx)) {
                return Err("replacement transaction underpriced".to_owned());
            }
            held_until = old.held_until;
        }
        if let Some(index) = same {
            self.waiting.remove(index);
        }
        if self.waiting.len() >= MEMPOOL_MAX {
            return Err("transaction pool is full".to_owned());
        }
        self.arrivals += 1;
        self.waiting.push(Waiting { tx, lane, arrival: self.arrivals, held_until });
        Ok(hash)
    }

    /// Keeps the waiting transactions of an account out of blocks below this height.
    pub fn hold(&mut self, account: Address, until: u64) {
        for waiting in self.waiting.iter_mut().filter(|w| w.tx.from == account) {
            waiting.held_until = until;
        }
    }

    /// Forgets the waiting transactions of an account, as nodes do with what they find too cheap.
    pub fn drop_waiting(&mut self, account: Address) {
        self.waiting.retain(|w| w.tx.from != account);
    }

    /// What the public mempool shows, in order of arrival.
    pub fn public(&self) -> impl Iterator<Item = &Tx> {
        self.waiting.iter().filter(|w| w.lane == Lane::Public).map(|w| &w.tx)
    }

    /// Number of transactions that wait, in both lanes.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// Builds the next block on the head: best effective tip first, nonces in order.
    ///
    /// # Errors
    /// [`ExecError`] when revm reports a fault; invalid transactions are dropped, not errors.
    pub fn build(&mut self, timestamp: u64) -> Result<BlockRef, ExecError> {
        let number = self.head.number + 1;
        let parent_state = self.state();
        let header = Header {
            number,
            parent: self.head.hash,
            timestamp,
            gas_limit: BLOCK_GAS,
            base_fee: BASE_FEE,
            beneficiary: Address::repeat_byte(0xc0),
            ..Header::default()
        };
        let mut executor = Executor::new(&*parent_state, self.chain, Hardforks::Fixed(SpecId::CANCUN), header.clone());
        let mut state = (*parent_state).clone();
        let (mut transactions, mut facts, mut lanes, mut gas) = (Vec::new(), Vec::new(), Vec::new(), 0_u64);
        while let Some(next) = self.take_best(number, &state, BLOCK_GAS - gas) {
            let index = u32::try_from(transactions.len()).unwrap_or(u32::MAX);
            match executor.execute(&next.tx, index, Finality::Head) {
                Ok(done) => {
                    executor.accept();
                    state.apply(&done);
                    gas += done.gas_used;
                    facts.push(done);
                    lanes.push(next.lane);
                    transactions.push(next.tx);
                }
                // A node drops what cannot pay or is otherwise invalid.
                Err(ExecError::Invalid { .. }) => {}
                Err(fault) => return Err(fault),
            }
        }
        drop(executor);
        self.append(header, transactions, facts, state, lanes)
    }

    fn append(
        &mut self,
        mut header: Header,
        transactions: Vec<Tx>,
        mut facts: Vec<TxFacts>,
        mut state: MemoryState,
        lanes: Vec<Lane>,
    ) -> Result<BlockRef, ExecError> {
        self.salt += 1;
        let mut hasher = Keccak256::new();
        hasher.update(header.parent);
        hasher.update(header.number.to_be_bytes());
        hasher.update(header.timestamp.to_be_bytes());
        hasher.update(self.salt.to_be_bytes());
        transactions.iter().for_each(|tx| hasher.update(tx.hash));
        header.hash = hasher.finalize();
        facts.iter_mut().for_each(|f| f.at.block_hash = header.hash);
        state.set_block_hash(header.number, header.hash);
        self.head = header.block_ref();
        self.canonical.insert(self.head.number, self.head.hash);
        self.ever.insert(self.head.hash);
        let block = Arc::new(Block { chain: self.chain, header, transactions });
        self.blocks.insert(self.head.hash, Arc::new(Built { block, facts, state: Arc::new(state), lanes }));
        self.order.push_back(self.head.hash);
        if self.order.len() > BLOCKS_KEPT_MAX
            && let Some(old) = self.order.pop_front()
        {
            self.blocks.remove(&old);
        }
        Ok(self.head)
    }

    /// The waiting transaction that pays the builder best among those that may come next.
    fn take_best(&mut self, number: u64, state: &MemoryState, gas_left: u64) -> Option<Waiting> {
        let nonce_of = |account| state.account(account).ok().flatten().map_or(0, |a| a.nonce);
        self.waiting.retain(|w| w.tx.nonce >= nonce_of(w.tx.from));
        let eligible = |w: &&Waiting| {
            w.held_until <= number
                && w.tx.gas_limit <= gas_left
                && w.tx.nonce == nonce_of(w.tx.from)
                && w.tx.max_fee >= u128::from(BASE_FEE)
        };
        let best =
            self.waiting.iter().filter(eligible).max_by_key(|w| (tip(&w.tx), std::cmp::Reverse(w.arrival)))?.arrival;
        let index = self.waiting.iter().position(|w| w.arrival == best)?;
        Some(self.waiting.remove(index))
    }

    /// Drops the newest `depth` blocks from the canonical chain; their transactions wait again. The next [`Self::build`] grows another
    /// branch. Returns how many were dropped: never block 0, never what is no longer kept.
    pub fn rewind(&mut self, depth: u64) -> u64 {
        let mut dropped = 0;
        while dropped < depth && self.head.number > 0 {
            let Some(parent) = self.blocks.get(&self.head.parent).map(|b| b.block.header.block_ref()) else { break };
            self.canonical.remove(&self.head.number);
            let undone = self.blocks.get(&self.head.hash).map(|b| (Arc::clone(&b.block), b.lanes.clone()));
            self.head = parent;
            for (tx, lane) in undone.iter().flat_map(|(block, lanes)| block.transactions.iter().zip(lanes)) {
                self.arrivals += 1;
                self.waiting.push(Waiting { tx: tx.clone(), lane: *lane, arrival: self.arrivals, held_until: 0 });
            }
            dropped += 1;
        }
        dropped
    }

    /// Address of the contract that a transaction of a canonical block created.
    #[must_use]
    pub fn created(&self, hash: B256) -> Option<Address> {
        let facts = self.facts(hash)?;
        let root = facts.calls.first()?;
        (root.kind == CallKind::Create && root.end == CallEnd::Success).then_some(root.target)
    }

    /// Facts of a transaction, newest block first.
    #[must_use]
    pub fn facts(&self, hash: B256) -> Option<&TxFacts> {
        self.canonical
            .values()
            .rev()
            .filter_map(|h| self.blocks.get(h))
            .flat_map(|b| &b.facts)
            .find(|f| f.at.tx == Some(hash))
    }
}

fn tip_cap(tx: &Tx) -> u128 {
    tx.priority_fee.unwrap_or(tx.max_fee)
}

/// What the builder earns per gas, wei.
fn tip(tx: &Tx) -> u128 {
    tip_cap(tx).min(tx.max_fee.saturating_sub(u128::from(BASE_FEE)))
}

/// The world's transactions carry no signature; their hash covers every field.
fn tx_hash(tx: &Tx) -> B256 {
    let mut hasher = Keccak256::new();
    hasher.update(tx.from);
    hasher.update(tx.nonce.to_be_bytes());
    hasher.update(tx.to.unwrap_or_default());
    hasher.update(U256::to_be_bytes::<32>(&tx.value));
    hasher.update(tx.gas_limit.to_be_bytes());
    hasher.update(tx.max_fee.to_be_bytes());
    hasher.update(tip_cap(tx).to_be_bytes());
    hasher.update(&tx.input);
    hasher.finalize()
}
