//! The yardstick of the benchmark: revm as it comes, with its own database, and nothing of ours around it.

use crate::block::Block;
use crate::executor::{ExecError, block_env, tx_env};
use crate::hardfork::Hardforks;
use crate::snapshots::DbError;
use revm::bytecode::Bytecode;
use revm::context::result::EVMError;
use revm::database::CacheDB;
use revm::database_interface::{DatabaseCommit, DatabaseRef};
use revm::primitives::{Address, B256, KECCAK_EMPTY, U256};
use revm::state::AccountInfo;
use revm::{Context, Database, ExecuteEvm, MainBuilder, MainContext};
use ripcord_core::fact::ReadKey;
use ripcord_core::ports::StateSource;
use std::time::{Duration, Instant};

struct Plain<S>(S);

impl<S: StateSource> DatabaseRef for Plain<S> {
    type Error = DbError;

    fn basic_ref(&self, address: Address) -> Result<Option<AccountInfo>, DbError> {
        let Some(account) = self.0.account(address)? else { return Ok(None) };
        let code_hash = if account.code_hash.is_zero() { KECCAK_EMPTY } else { account.code_hash };
        let code = if code_hash == KECCAK_EMPTY { Bytecode::default() } else { self.code_by_hash_ref(code_hash)? };
        let AccountInfo { account_id, .. } = AccountInfo::default();
        Ok(Some(AccountInfo {
            balance: account.balance,
            nonce: account.nonce,
            code_hash,
            account_id,
            code: Some(code),
        }))
    }

    fn code_by_hash_ref(&self, hash: B256) -> Result<Bytecode, DbError> {
        Ok(Bytecode::new_raw(self.0.code(hash)?))
    }

    fn storage_ref(&self, address: Address, slot: U256) -> Result<U256, DbError> {
        Ok(self.0.storage(address, slot)?)
    }

    fn block_hash_ref(&self, number: u64) -> Result<B256, DbError> {
        Ok(self.0.block_hash(number)?)
    }
}

/// Executes a block's transactions with stock revm over its `CacheDB`, all of `hot` loaded beforehand; returns gas used and the time that
/// conversion of each transaction to revm's form, `transact` and `commit` took together, as on the other side. System calls at the start of a block are left out on both sides of the comparison.
///
/// # Errors
/// [`ExecError`].
#[expect(
    clippy::disallowed_methods,
    reason = "the one purpose of this function is to take the time; nothing decides on it"
)]
pub fn plain_replay<S: StateSource>(
    block: &Block,
    state: S,
    hardforks: Hardforks,
    hot: &[ReadKey],
) -> Result<(u64, Duration), ExecError> {
    let spec = hardforks.spec(block.header.number, block.header.timestamp);
    let mut database = CacheDB::new(Plain(state));
    for key in hot {
        match key.slot {
            None => drop(database.basic(key.account).map_err(|e| e.0)?),
            Some(slot) => drop(database.storage(key.account, slot).map_err(|e| e.0)?),
        }
    }
    let mut evm = Context::mainnet()
        .with_db(database)
        .modify_cfg_chained(|cfg| cfg.set_spec_and_mainnet_gas_params(spec))
        .with_block(block_env(&block.header, spec))
        .build_mainnet();
    let mut gas_used = 0;
    let start = Instant::now();
    for tx in &block.transactions {
        let hash = tx.hash;
        let done = evm.transact(tx_env(tx)).map_err(|error| {
            if let EVMError::Database(DbError(missing)) = error {
                ExecError::Missing(missing)
            } else {
                ExecError::Fault { hash, why: error.to_string() }
            }
        })?;
        gas_used += done.result.tx_gas_used();
        evm.ctx.journaled_state.database.commit(done.state);
    }
    Ok((gas_used, start.elapsed()))
}
