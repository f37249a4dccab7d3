//! Execution of one block's transactions, and views of the state before and after each.

use crate::block::{Header, Tx};
use crate::extract;
use crate::frames::{ExecFailure, FramedEvm, FramedHandler, Recorder, ViewHandler, discard};
use crate::hardfork::Hardforks;
use crate::rehearsal::Precompiles;
use crate::snapshots::{DbError, Snapshots};
use crate::tracked::TrackedBlock;
use alloy_primitives::{Address, B256, Bytes, U256, address};
use revm::SystemCallEvm;
use revm::bytecode::Bytecode;
use revm::context::result::{EVMError, ExecutionResult, HaltReason};
use revm::context::{BlockEnv, CfgEnv, Context, ContextSetters, Evm, FrameStack, JournalTr, TxEnv};
use revm::context_interface::block::BlobExcessGasAndPrice;
use revm::context_interface::either::Either;
use revm::context_interface::transaction::{AccessList, AccessListItem};
use revm::database_interface::Database;
use revm::handler::Handler;
use revm::handler::instructions::EthInstructions;
use revm::primitives::hardfork::SpecId;
use revm::primitives::{TxKind, eip4844};
use revm::state::EvmState;
use ripcord_core::chain::{ChainId, Finality, Position};
use ripcord_core::fact::{ReadKey, TxFacts};
use ripcord_core::ports::{MissingState, ReadSet, Snapshot, StateSource, ViewCall, ViewError, ViewOutput, Views};

/// Slots that one executor keeps; beyond it [`Executor::is_full`] asks for a fresh one.
pub const OVERLAY_SLOTS_MAX: usize = 4_000_000;

const BEACON_ROOTS: Address = address!("000F3df6D732807Ef1319fB7B8bB8522d0Beac02");
const HISTORY: Address = address!("0000F90827F1C53a10cb7A02335B175320002935");

/// Whether to make the system calls that start a block (EIP-4788, EIP-2935).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SystemCalls {
    /// As the chain does.
    Run,
    /// Not on this chain (devnets without the system contracts).
    Skip,
}

/// Why a transaction could not be executed. A transaction that runs and reverts is not an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// State missing: nothing was executed.
    #[error(transparent)]
    Missing(#[from] MissingState),
    /// The transaction may not be in a block with this state: wrong nonce, no funds, fee too low.
    #[error("transaction {hash} is invalid here: {why}")]
    Invalid {
        /// Transaction.
        hash: B256,
        /// revm's reason.
        why: String,
    },
    /// revm reports a fault of its own.
    #[error("transaction {hash} cannot be executed: {why}")]
    Fault {
        /// Transaction.
        hash: B256,
        /// revm's reason.
        why: String,
    },
}

/// What a plain execution tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Whether it succeeded.
    pub success: bool,
    /// Gas used after refunds.
    pub gas_used: u64,
    /// Return data, revert data, or deployed code.
    pub output: Bytes,
    /// Address created by a creation transaction.
    pub created: Option<Address>,
    /// Logs.
    pub logs: Vec<revm::primitives::Log>,
}

/// Executes transactions of one block in order, on a stack of snapshots.
///
/// After [`Self::execute`] the transaction's state lies on top of the stack: views see before and after. [`Self::accept`] merges it into
/// the overlay, [`Self::reject`] drops it (a pending transaction).
pub struct Executor<S: StateSource> {
    evm: FramedEvm<S>,
    chain: ChainId,
    hardforks: Hardforks,
    header: Header,
}

impl<S: StateSource> Executor<S> {
    /// An executor at the start of the block, on the source's state.
    pub fn new(source: S, chain: ChainId, hardforks: Hardforks, header: Header) -> Self {
        let spec = hardforks.spec(header.number, header.timestamp);
        let mut ctx = Context::<TrackedBlock, TxEnv, CfgEnv, Snapshots<S>, revm::Journal<Snapshots<S>>, ()>::new(
            Snapshots::new(source, OVERLAY_SLOTS_MAX),
            spec,
        );
        ctx.cfg.chain_id = chain.0;
        let inner = Evm {
            ctx,
            inspector: (),
            instruction: EthInstructions::new_mainnet_with_spec(spec),
            precompiles: Precompiles::new(spec),
            frame_stack: FrameStack::new_prealloc(8),
        };
        let mut executor = Self { evm: FramedEvm { inner, recorder: Recorder::default() }, chain, hardforks, header };
        executor.set_environment(spec);
        executor
    }

    fn set_environment(&mut self, spec: SpecId) {
        self.evm.inner.ctx.set_block(TrackedBlock::new(block_env(&self.header, spec)));
    }

    /// Moves on to the next block of the same chain, keeping the overlay.
    pub fn next_block(&mut self, header: Header) {
        self.evm.inner.ctx.journaled_state.database.merge();
        let spec = self.hardforks.spec(header.number, header.timestamp);
        self.header = header;
        if spec != self.evm.inner.ctx.cfg.spec {
            self.evm.inner.ctx.cfg.set_spec_and_mainnet_gas_params(spec);
            self.evm.inner.ctx.journaled_state.set_spec_id(spec);
            self.evm.inner.instruction = EthInstructions::new_mainnet_with_spec(spec);
            self.evm.inner.precompiles = Precompiles::new(spec);
        }
        self.set_environment(spec);
    }

    /// The header in force.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The source under the overlay.
    #[must_use]
    pub fn source(&self) -> &S {
        self.evm.inner.ctx.journaled_state.database.source()
    }

    /// Whether the overlay has reached [`OVERLAY_SLOTS_MAX`] and the owner should start afresh from a current source.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.evm.inner.ctx.journaled_state.database.is_full()
    }

    /// Slots held by the overlay.
    #[must_use]
    pub fn slots_held(&self) -> usize {
        self.evm.inner.ctx.journaled_state.database.slots_held()
    }

    /// Makes the system calls that open a block.
    ///
    /// # Errors
    /// [`ExecError::Missing`] or [`ExecError::Fault`].
    pub fn begin(&mut self, calls: SystemCalls) -> Result<(), ExecError> {
        let spec = self.evm.inner.ctx.cfg.spec;
        if calls == SystemCalls::Skip {
            return Ok(());
        }
        if let Some(root) = self.header.parent_beacon_root.filter(|_| spec.is_enabled_in(SpecId::CANCUN)) {
            self.system_call(BEACON_ROOTS, root)?;
        }
        if spec.is_enabled_in(SpecId::PRAGUE) {
            self.system_call(HISTORY, self.header.parent)?;
        }
        Ok(())
    }

    fn system_call(&mut self, target: Address, word: B256) -> Result<(), ExecError> {
        let done = self.evm.inner.system_call(target, Bytes::from(word.0));
        let state = done.map_err(|e| failure::<S>(self.header.hash, e))?.state;
        self.evm.inner.ctx.journaled_state.database.push(state);
        self.accept();
        Ok(())
    }

    /// Executes a transaction and returns its facts; its state lies on top of the stack.
    ///
    /// # Errors
    /// [`ExecError`]; the stack is as before.
    pub fn execute(&mut self, tx: &Tx, index: u32, finality: Finality) -> Result<TxFacts, ExecError> {
        self.evm.recorder.start(true);
        let (result, state) = self.transact(tx)?;
        let at = Position {
            chain: self.chain,
            block_number: self.header.number,
            block_hash: self.header.hash,
            tx: Some(tx.hash),
            tx_index: index,
            finality,
        };
        let facts = extract::facts(at, tx, result, &state, &mut self.evm.recorder);
        self.evm.inner.ctx.journaled_state.database.push(state);
        Ok(facts)
    }

    /// Executes a transaction without extracting facts: the yardstick of the benchmark, and the devnet's own block building.
    ///
    /// # Errors
    /// [`ExecError`]; the stack is as before.
    pub fn execute_plain(&mut self, tx: &Tx) -> Result<Outcome, ExecError> {
        self.evm.recorder.start(false);
        let (result, state) = self.transact(tx)?;
        self.evm.inner.ctx.journaled_state.database.push(state);
        Ok(outcome(result))
    }

    /// Executes a transaction that carries stand-in signatures ([`crate::stand_in`]) as if these signers had signed.
    ///
    /// # Errors
    /// [`ExecError`]; the stack is as before.
    pub fn rehearse(&mut self, tx: &Tx, signers: &[Address]) -> Result<TxFacts, ExecError> {
        self.evm.inner.precompiles.signers = signers.to_vec();
        let facts = self.execute(tx, 0, Finality::Pending);
        self.evm.inner.precompiles.signers.clear();
        facts
    }

    fn transact(&mut self, tx: &Tx) -> Result<(ExecutionResult, EvmState), ExecError> {
        self.evm.inner.ctx.set_tx(tx_env(tx));
        match FramedHandler::default().run(&mut self.evm) {
            Ok(result) => Ok((result, self.evm.inner.ctx.journaled_state.finalize())),
            Err(error) => {
                discard(&mut self.evm);
                Err(failure::<S>(tx.hash, error))
            }
        }
    }

    /// The executed transactions are in the block.
    pub fn accept(&mut self) {
        self.evm.inner.ctx.journaled_state.database.merge();
    }

    /// All transactions of the block are accepted: closes it, so that [`Self::take_back`] can undo it as a whole.
    pub fn seal(&mut self) {
        let hash = self.header.hash;
        self.evm.inner.ctx.journaled_state.database.seal(hash);
    }

    /// Undoes the newest sealed block and what was accepted since. `false` when `block` is not that block or is too old: start afresh then.
    #[must_use]
    pub fn take_back(&mut self, block: B256) -> bool {
        self.evm.inner.ctx.journaled_state.database.unseal(block)
    }

    /// Undoes what was accepted since the last [`Self::seal`]: a block that could not be executed to its end.
    pub fn abandon(&mut self) {
        self.reject();
        self.evm.inner.ctx.journaled_state.database.roll_back();
    }

    /// The executed transactions never happened.
    pub fn reject(&mut self) {
        self.evm.inner.ctx.journaled_state.database.truncate(0);
    }

    /// Nonce and balance (wei) of an account now.
    ///
    /// # Errors
    /// [`MissingState`].
    pub fn account(&mut self, address: Address) -> Result<(u64, U256), MissingState> {
        let info = self.evm.inner.ctx.journaled_state.database.account_at(address).map_err(|e| e.0)?;
        Ok(info.map_or((0, U256::ZERO), |i| (i.nonce, i.balance)))
    }

    /// Replaces a balance outside any transaction (devnets, withdrawals).
    ///
    /// # Errors
    /// [`MissingState`].
    pub fn set_balance(&mut self, address: Address, balance: U256) -> Result<(), MissingState> {
        let database = &mut self.evm.inner.ctx.journaled_state.database;
        let mut info = database.account_at(address).map_err(|e| e.0)?.unwrap_or_default();
        info.balance = balance;
        let mut account = revm::state::Account::from(info);
        account.mark_touch();
        database.push(EvmState::from_iter([(address, account)]));
        database.merge();
        Ok(())
    }

    /// Loads accounts and slots into the overlay, so that the next executions find them hot.
    ///
    /// # Errors
    /// [`MissingState`] for the first key that the source does not know; the others before it are loaded.
    pub fn prefetch(&mut self, keys: &[ReadKey]) -> Result<(), MissingState> {
        let database = &mut self.evm.inner.ctx.journaled_state.database;
        for key in keys {
            match key.slot {
                None => drop(database.account_at(key.account).map_err(|e| e.0)?),
                Some(slot) => drop(database.storage(key.account, slot).map_err(|e| e.0)?),
            }
        }
        Ok(())
    }

    fn run_view(&mut self, call: &ViewCall) -> Result<ViewOutput, ViewError> {
        self.evm.recorder.start(false);
        if let Some(code) = &call.code {
            self.install_probe(call.target, code.clone())?;
        }
        let tx = TxEnv {
            caller: Address::ZERO,
            kind: TxKind::Call(call.target),
            data: call.calldata.clone(),
            gas_limit: call.gas_limit,
            ..TxEnv::default()
        };
        self.evm.inner.ctx.set_tx(tx);
        self.evm.inner.ctx.block.take_read();
        let done = ViewHandler::default().run_system_call(&mut self.evm);
        let block_fields = self.evm.inner.ctx.block.take_read();
        let result = match done {
            Ok(result) => result,
            Err(EVMError::Database(DbError(missing))) => {
                discard(&mut self.evm);
                return Err(missing.into());
            }
            Err(_) => {
                discard(&mut self.evm);
                return Err(ViewError::Reverted { target: call.target });
            }
        };
        let state = self.evm.inner.ctx.journaled_state.finalize();
        let (_, keys) = extract::changes(&state);
        let deployed = call.code.is_some() || state.get(&call.target).is_some_and(|a| !a.info.is_empty_code_hash());
        match result {
            ExecutionResult::Success { output, .. } if deployed => {
                Ok(ViewOutput { output: output.into_data(), reads: ReadSet { keys, block_fields } })
            }
            ExecutionResult::Halt { reason: HaltReason::OutOfGas(_), .. } => {
                Err(ViewError::Budget { target: call.target, gas_limit: call.gas_limit })
            }
            ExecutionResult::Success { .. } | ExecutionResult::Revert { .. } | ExecutionResult::Halt { .. } => {
                Err(ViewError::Reverted { target: call.target })
            }
        }
    }

    /// Puts a probe's code at its pseudo-address for the next call only: it lives in revm's journal, which the call's `finalize` empties.
    fn install_probe(&mut self, target: Address, code: Bytes) -> Result<(), ViewError> {
        let journal = &mut self.evm.inner.ctx.journaled_state;
        let loaded = journal.load_account(target).map(|_| ());
        if let Err(DbError(missing)) = loaded {
            // A probe's pseudo-address need not be in the state view.
            if !matches!(missing, MissingState::Account(a) if a == target) {
                return Err(missing.into());
            }
            journal.inner.state.insert(target, revm::state::Account::default());
        }
        journal.set_code(target, Bytecode::new_raw(code));
        Ok(())
    }

    fn look_at(&mut self, at: Snapshot) {
        let database = &mut self.evm.inner.ctx.journaled_state.database;
        let top = database.layers();
        match at {
            Snapshot::PreTx if top == 0 => database.look_at_block_start(),
            Snapshot::PreTx => database.look_at(top - 1),
            Snapshot::PostTx | Snapshot::Block => database.look_at(top),
        }
    }
}

impl<S: StateSource + Clone> Clone for Executor<S> {
    /// The same overlay, layers and environment; between transactions revm itself holds nothing.
    fn clone(&self) -> Self {
        let mut copy = Self::new(self.source().clone(), self.chain, self.hardforks, self.header.clone());
        copy.evm.inner.ctx.journaled_state.database = self.evm.inner.ctx.journaled_state.database.clone();
        copy
    }
}

impl<S: StateSource> Views for Executor<S> {
    fn view(&mut self, at: Snapshot, call: &ViewCall) -> Result<ViewOutput, ViewError> {
        self.look_at(at);
        self.evm.inner.ctx.journaled_state.database.set_viewing(true);
        let answer = self.run_view(call);
        self.evm.inner.ctx.journaled_state.database.set_viewing(false);
        self.look_at(Snapshot::Block);
        answer
    }

    fn slot(&mut self, at: Snapshot, account: Address, slot: U256) -> Result<U256, ViewError> {
        self.look_at(at);
        let database = &mut self.evm.inner.ctx.journaled_state.database;
        database.set_viewing(true);
        let value = database.storage(account, slot);
        database.set_viewing(false);
        self.look_at(Snapshot::Block);
        value.map_err(|e| e.0.into())
    }
}

fn outcome(result: ExecutionResult) -> Outcome {
    Outcome {
        success: result.is_success(),
        gas_used: result.tx_gas_used(),
        created: result.created_address(),
        output: result.output().cloned().unwrap_or_default(),
        logs: result.into_logs(),
    }
}

fn failure<S: StateSource>(hash: B256, error: ExecFailure<S>) -> ExecError {
    match error {
        EVMError::Database(DbError(missing)) => ExecError::Missing(missing),
        EVMError::Transaction(why) => ExecError::Invalid { hash, why: why.to_string() },
        EVMError::Header(why) => ExecError::Fault { hash, why: why.to_string() },
        EVMError::Custom(why) => ExecError::Fault { hash, why },
        EVMError::CustomAny(why) => ExecError::Fault { hash, why: why.to_string() },
    }
}

pub(crate) fn block_env(header: &Header, spec: SpecId) -> BlockEnv {
    let fraction = if spec.is_enabled_in(SpecId::PRAGUE) {
        eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_PRAGUE
    } else {
        eip4844::BLOB_BASE_FEE_UPDATE_FRACTION_CANCUN
    };
    BlockEnv {
        number: U256::from(header.number),
        beneficiary: header.beneficiary,
        timestamp: U256::from(header.timestamp),
        gas_limit: header.gas_limit,
        basefee: header.base_fee,
        difficulty: header.difficulty,
        prevrandao: spec.is_enabled_in(SpecId::MERGE).then_some(header.mix_hash),
        blob_excess_gas_and_price: spec
            .is_enabled_in(SpecId::CANCUN)
            .then(|| BlobExcessGasAndPrice::new(header.excess_blob_gas.unwrap_or(0), fraction)),
        slot_num: 0,
    }
}

pub(crate) fn tx_env(tx: &Tx) -> TxEnv {
    TxEnv {
        tx_type: tx.kind,
        caller: tx.from,
        gas_limit: tx.gas_limit,
        gas_price: tx.max_fee,
        kind: tx.to.map_or(TxKind::Create, TxKind::Call),
        value: tx.value,
        data: tx.input.clone(),
        nonce: tx.nonce,
        chain_id: tx.chain_id,
        access_list: AccessList(
            tx.access_list
                .iter()
                .map(|(address, storage_keys)| AccessListItem { address: *address, storage_keys: storage_keys.clone() })
                .collect(),
        ),
        gas_priority_fee: tx.priority_fee,
        blob_hashes: tx.blob_hashes.clone(),
        max_fee_per_blob_gas: tx.max_blob_fee,
        authorization_list: tx.authorizations.iter().cloned().map(Either::Left).collect(),
    }
}
