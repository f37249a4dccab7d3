//! What facts cost: the same blocks by plain revm and by the fact-extracting executor, alternately, in one run.

use super::{BlockFolder, HistoryError, PreState, RecordedBlock};
use ripcord_core::chain::Finality;
use ripcord_core::fact::ReadKey;
use ripcord_evm::{ExecError, Executor, Hardforks, yardstick};
use std::time::{Duration, Instant};

/// Result of [`bench`]. Times are medians over the runs, of one pass over all blocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bench {
    /// Plain revm replay, µs.
    pub plain_us: u64,
    /// Replay with all facts, µs.
    pub facts_us: u64,
    /// Median of the runs' own ratios facts ÷ plain.
    pub ratio: f64,
    /// Runs.
    pub runs: usize,
}

struct Case {
    recorded: RecordedBlock,
    state: PreState,
    hot: Vec<ReadKey>,
}

/// Measures `runs` passes over all blocks of a folder. State is hot on both sides: it is loaded before the clock starts.
///
/// # Errors
/// [`HistoryError`] for unreadable or inexecutable blocks.
pub fn bench(folder: &BlockFolder, runs: usize, mut progress: impl FnMut(usize)) -> Result<Bench, HistoryError> {
    let cases = folder.numbers().iter().map(|n| prepare(folder, *n)).collect::<Result<Vec<_>, _>>()?;
    let mut plain = Vec::with_capacity(runs);
    let mut facts = Vec::with_capacity(runs);
    for run in 0..runs {
        let (mut plain_time, mut facts_time) = (Duration::ZERO, Duration::ZERO);
        for (index, case) in cases.iter().enumerate() {
            // Alternate which side goes first, so that neither always finds the caches cold.
            if (run + index) % 2 == 0 {
                plain_time += time_plain(case)?;
                facts_time += time_facts(case)?;
            } else {
                facts_time += time_facts(case)?;
                plain_time += time_plain(case)?;
            }
        }
        plain.push(plain_time);
        facts.push(facts_time);
        progress(run);
    }
    let mut ratios: Vec<f64> = plain.iter().zip(&facts).map(|(p, f)| f.as_secs_f64() / p.as_secs_f64()).collect();
    ratios.sort_by(f64::total_cmp);
    Ok(Bench {
        plain_us: median(&mut plain),
        facts_us: median(&mut facts),
        ratio: ratios.get(ratios.len() / 2).copied().unwrap_or(f64::NAN),
        runs,
    })
}

fn median(times: &mut [Duration]) -> u64 {
    times.sort();
    times.get(times.len() / 2).map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
}

fn prepare(folder: &BlockFolder, number: u64) -> Result<Case, HistoryError> {
    let (recorded, state) = folder.load(number)?;
    let report = super::replay(&recorded, &state, None)?;
    let mut hot: Vec<ReadKey> = report.facts.iter().flat_map(|f| f.reads.iter().copied()).collect();
    hot.sort_unstable();
    hot.dedup();
    // Slots of contracts born in this very block are not in the state before it.
    hot.retain(|key| {
        key.slot.is_none_or(|slot| ripcord_core::ports::StateSource::storage(&state, key.account, slot).is_ok())
    });
    Ok(Case { recorded, state, hot })
}

fn failed(case: &Case, index: usize, source: ExecError) -> HistoryError {
    HistoryError::Execution { number: case.recorded.block.header.number, index, source }
}

fn time_plain(case: &Case) -> Result<Duration, HistoryError> {
    let (_, time) = yardstick::plain_replay(&case.recorded.block, &case.state, Hardforks::Mainnet, &case.hot)
        .map_err(|e| failed(case, 0, e))?;
    Ok(time)
}

#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time; nothing decides on it")]
fn time_facts(case: &Case) -> Result<Duration, HistoryError> {
    let block = &case.recorded.block;
    let mut executor = Executor::new(&case.state, block.chain, Hardforks::Mainnet, block.header.clone());
    executor.prefetch(&case.hot).map_err(|e| failed(case, 0, e.into()))?;
    let start = Instant::now();
    for (index, tx) in (0_u32..).zip(&block.transactions) {
        let facts = executor.execute(tx, index, Finality::Head).map_err(|e| failed(case, index as usize, e))?;
        std::hint::black_box(&facts);
        executor.accept();
    }
    Ok(start.elapsed())
}
