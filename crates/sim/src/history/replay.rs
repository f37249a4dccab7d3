//! Replay of one recorded block and its comparison with the header.

use super::{HistoryError, RecordedBlock};
use alloy_primitives::{Bloom, logs_bloom};
use ripcord_core::chain::Finality;
use ripcord_core::fact::TxFacts;
use ripcord_core::ports::StateSource;
use ripcord_evm::{Executor, Hardforks, SystemCalls};


/// What a replay showed.
#[derive(Debug, Clone)]
pub struct BlockReport {
    /// Height.
    pub number: u64,
    /// Gas used by all transactions.
    pub gas_used: u64,
    /// Gas used, from the header.
    pub gas_expected: u64,
    /// Whether the logs' bloom equals the header's.
    pub bloom_ok: bool,
    /// Facts of every transaction, in order.
    pub facts: Vec<TxFacts>,
}

/// Executes a recorded block with fact extraction.
///
/// # Errors
/// [`HistoryError::Execution`] naming the transaction.
pub fn replay<S: StateSource>(recorded: &RecordedBlock, state: S) -> Result<BlockReport, HistoryError> {
    let block = &recorded.block;
    let mut executor = Executor::new(state, block.chain, Hardforks::Mainnet, block.header.clone());
    let failed = |index, source| HistoryError::Execution { number: block.header.number, index, source };
    executor.begin(SystemCalls::Run).map_err(|e| failed(0, e))?;
    let mut facts = Vec::with_capacity(block.transactions.len());
    for (index, tx) in block.transactions.iter().enumerate() {
        let position = u32::try_from(index).unwrap_or(u32::MAX);
        facts.push(executor.execute(tx, position, Finality::Head).map_err(|e| failed(index, e))?);
        executor.accept();
    }
    Ok(BlockReport {
        number: block.header.number,
        gas_used: facts.iter().map(|f| f.gas_used).sum(),
        gas_expected: recorded.gas_used,
        bloom_ok: bloom(&facts) == recorded.logs_bloom,
        facts,
    })
}

fn bloom(facts: &[TxFacts]) -> Bloom {
    let mut bloom = Bloom::ZERO;
    for log in facts.iter().flat_map(|f| &f.logs) {
        let topics = log.topics.clone();
        let log = alloy_primitives::Log::new_unchecked(log.emitter, topics, log.data.clone());
        bloom.accrue_bloom(&logs_bloom([&log]));
    }
    bloom
}

