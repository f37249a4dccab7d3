//! `ripcord replay`.

use crate::exit::{Exit, Failure};
use crate::{print, tell};
use indicatif::{ProgressBar, ProgressStyle};
use ripcord_sim::history::{BlockFolder, BlockReport, HistoryError, bench, load_witness, replay};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Options of `replay`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Folder with `blocks/`, `codes.json` and `block_hashes.bincode`, or a witness `.json` file.
    #[arg(long)]
    blocks: PathBuf,
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
    /// Also measure what facts cost, against a plain revm replay of the same blocks.
    #[arg(long)]
    bench: bool,
    /// Passes of `--bench`.
    #[arg(long, default_value_t = 9, value_parser = clap::value_parser!(u16).range(1..=1000))]
    runs: u16,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut rows = Vec::new();
    let measured = if args.blocks.is_file() {
        let (recorded, witness) = load_witness(&args.blocks).map_err(|e| failure(&e))?;
        rows.push(replay(&recorded, witness).map_err(|e| failure(&e))?);
        show(args, &rows)?;
        if args.bench {
            return Err(Failure::text(Exit::Usage, "--bench needs a folder of blocks", "leave out `--bench` for a witness file"));
        }
        None
    } else {
        let folder = BlockFolder::open(&args.blocks).map_err(|e| failure(&e))?;
        let bar = progress(folder.numbers().len());
        for number in folder.numbers() {
            let (recorded, state) = folder.load(*number).map_err(|e| failure(&e))?;
            let mut row = replay(&recorded, state).map_err(|e| failure(&e))?;
            if !args.json {
                bar.suspend(|| print(&line(&row)))?;
            }
            // Only counts are printed from here on.
            row.facts.shrink_to_fit();
            rows.push(row);
            bar.inc(1);
        }
        bar.finish_and_clear();
        args.bench.then(|| measure(&folder, usize::from(args.runs))).transpose()?
    };
    finish(args, &rows, measured)
}

fn show(args: &Args, rows: &[BlockReport]) -> Result<(), Failure> {
    if args.json {
        return Ok(());
    }
    rows.iter().try_for_each(|row| print(&line(row)))
}

fn progress(blocks: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} blocks  {eta} left").unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(blocks as u64).with_style(style)
}

fn measure(folder: &BlockFolder, runs: usize) -> Result<Value, Failure> {
    tell(&format!("measuring {runs} passes of plain and fact-extracting replay"));
    let bar = progress(runs);
    let result = bench(folder, runs, |_| bar.inc(1)).map_err(|e| failure(&e))?;
    bar.finish_and_clear();
    Ok(json!({ "plain_us": result.plain_us, "facts_us": result.facts_us, "ratio": result.ratio, "runs": result.runs }))
}

fn finish(args: &Args, rows: &[BlockReport], measured: Option<Value>) -> Result<Exit, Failure> {
    let good = rows.iter().filter(|r| gas_ok(r) && r.bloom_ok).count();
    let txs: usize = rows.iter().map(|r| r.facts.len()).sum();
    let gas: u64 = rows.iter().map(|r| r.gas_used).sum();
    let all = good == rows.len();
    if args.json {
        let mut object = json!({
            "schema": "ripcord/replay/1",
            "blocks": rows.iter().map(block_json).collect::<Vec<_>>(),
            "totals": { "blocks": rows.len(), "blocks_ok": good, "txs": txs, "gas_used": gas },
        });
        if let (Some(bench), Some(object)) = (measured, object.as_object_mut()) {
            object.insert("bench".to_owned(), bench);
        }
        print(&object.to_string())?;
    } else {
        print(&format!("\n{good} of {} blocks agree with their headers in gas and logs bloom; {txs} transactions, {gas} gas", rows.len()))?;
        if let Some(bench) = measured {
            print(&format!(
                "facts cost {:.3} x a plain revm replay (medians of {} passes: {} us against {} us)",
                bench["ratio"].as_f64().unwrap_or(f64::NAN),
                bench["runs"],
                bench["facts_us"],
                bench["plain_us"]
            ))?;
        }
    }
    Ok(if all { Exit::Ok } else { Exit::Findings })
}

fn gas_ok(row: &BlockReport) -> bool {
    row.gas_used == row.gas_expected
}

fn line(row: &BlockReport) -> String {
    let counts = Counts::of(row);
    format!(
        "block {:>9}  {:>5} txs  gas {}  bloom {}  facts: {} calls, {} logs, {} writes, {} reads, {} moves",
        row.number,
        row.facts.len(),
        if gas_ok(row) { "ok".to_owned() } else { format!("DIFFERS ({} for {})", row.gas_used, row.gas_expected) },
        if row.bloom_ok { "ok" } else { "DIFFERS" },
        counts.calls,
        counts.logs,
        counts.writes,
        counts.reads,
        counts.moves
    )
}

struct Counts {
    calls: usize,
    logs: usize,
    writes: usize,
    reads: usize,
    moves: usize,
}

impl Counts {
    fn of(row: &BlockReport) -> Self {
        let sum = |of: fn(&ripcord_core::fact::TxFacts) -> usize| row.facts.iter().map(of).sum();
        Self {
            calls: sum(|f| f.calls.len()),
            logs: sum(|f| f.logs.len()),
            writes: sum(|f| f.writes.len()),
            reads: sum(|f| f.reads.len()),
            moves: sum(|f| f.moves.len()),
        }
    }
}

fn block_json(row: &BlockReport) -> Value {
    let counts = Counts::of(row);
    json!({
        "number": row.number,
        "txs": row.facts.len(),
        "gas_used": row.gas_used,
        "gas_expected": row.gas_expected,
        "gas_ok": gas_ok(row),
        "bloom_ok": row.bloom_ok,
        "facts": {
            "calls": counts.calls,
            "logs": counts.logs,
            "writes": counts.writes,
            "reads": counts.reads,
            "moves": counts.moves,
        },
    })
}

fn failure(error: &HistoryError) -> Failure {
    let exit = if matches!(error, HistoryError::Unreadable { .. }) { Exit::Environment } else { Exit::Usage };
    Failure::new(exit, error, error.help())
}
