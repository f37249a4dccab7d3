//! Replay of one recorded block and its comparison with the header.

use super::{HistoryError, RecordedBlock};
use alloy_primitives::{Bloom, logs_bloom};
use ripcord_core::chain::{Finality, Position};
use ripcord_core::fact::TxFacts;
use ripcord_core::ports::StateSource;
use ripcord_core::signal::Signal;
use ripcord_detect::Detector;
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
    /// Verdicts of the rules that the block touched, in order.
    pub signals: Vec<Signal>,
}

/// Executes a recorded block with fact extraction and evaluates the rules that it touches, if there are any.
///
/// # Errors
/// [`HistoryError::Execution`] naming the transaction.
pub fn replay<S: StateSource>(
    recorded: &RecordedBlock,
    state: S,
    mut rules: Option<&mut Detector>,
) -> Result<BlockReport, HistoryError> {
    let block = &recorded.block;
    let mut executor = Executor::new(state, block.chain, Hardforks::Mainnet, block.header.clone());
    let failed = |index, source| HistoryError::Execution { number: block.header.number, index, source };
    executor.begin(SystemCalls::Run).map_err(|e| failed(0, e))?;
    let mut facts = Vec::with_capacity(block.transactions.len());
    let mut signals = Vec::new();
    for (index, tx) in block.transactions.iter().enumerate() {
        let position = u32::try_from(index).unwrap_or(u32::MAX);
        let done = executor.execute(tx, position, Finality::Head).map_err(|e| failed(index, e))?;
        if let Some(rules) = rules.as_deref_mut() {
            signals.extend(rules.on_tx(&done, &mut executor));
        }
        executor.accept();
        facts.push(done);
    }
    if let Some(rules) = rules {
        let (number, hash) = (block.header.number, block.header.hash);
        let (tx, tx_index, finality) = (None, 0, Finality::Head);
        let at = Position { chain: block.chain, block_number: number, block_hash: hash, tx, tx_index, finality };
        signals.extend(rules.on_block(at, block.header.timestamp, &mut executor));
    }
    Ok(BlockReport {
        number: block.header.number,
        gas_used: facts.iter().map(|f| f.gas_used).sum(),
        gas_expected: recorded.gas_used,
        bloom_ok: bloom(&facts) == recorded.logs_bloom,
        facts,
        signals,
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
