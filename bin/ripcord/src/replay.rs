//! `ripcord replay`.

use crate::check::load_policy;
use crate::exit::{self, Exit, Failure};
use crate::{print, tell};
use indicatif::{ProgressBar, ProgressStyle};
use ripcord_core::fact::TxFacts;
use ripcord_core::signal::{Signal, Verdict};
use ripcord_detect::Detector;
use ripcord_policy::Policy;
use ripcord_sim::history::{
    Bench, BlockFolder, BlockReport, HistoryError, bench, example_policy, load_witness, replay,
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Options of `replay`.
#[derive(clap::Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct Args {
    /// Folder with `blocks/`, `codes.json` and `block_hashes.bincode`, or a witness `.json` file.
    #[arg(long)]
    blocks: PathBuf,
    /// Policy whose rules are evaluated; an example for well-known mainnet contracts when left out.
    #[arg(long)]
    policy: Option<PathBuf>,
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

/// What is kept of a replayed block: the facts themselves would fill the memory.
struct Row {
    number: u64,
    txs: usize,
    gas_used: u64,
    gas_expected: u64,
    bloom_ok: bool,
    calls: usize,
    logs: usize,
    writes: usize,
    reads: usize,
    moves: usize,
    holds: usize,
    /// Rule, index of the transaction, evidence.
    violated: Vec<(String, u32, String)>,
    /// Rule and reason, each pair once.
    unknown: BTreeSet<(String, String)>,
}

impl Row {
    fn of(report: &BlockReport) -> Self {
        let sum = |of: fn(&TxFacts) -> usize| report.facts.iter().map(of).sum();
        Self {
            number: report.number,
            txs: report.facts.len(),
            gas_used: report.gas_used,
            gas_expected: report.gas_expected,
            bloom_ok: report.bloom_ok,
            calls: sum(|f| f.calls.len()),
            logs: sum(|f| f.logs.len()),
            writes: sum(|f| f.writes.len()),
            reads: sum(|f| f.reads.len()),
            moves: sum(|f| f.moves.len()),
            holds: report.signals.iter().filter(|s| s.verdict == Verdict::Holds).count(),
            violated: report.signals.iter().filter_map(violated).collect(),
            unknown: report.signals.iter().filter_map(unknown).collect(),
        }
    }

    fn gas_ok(&self) -> bool {
        self.gas_used == self.gas_expected
    }

    /// What the rules said, one line each; nothing when they only held.
    fn verdicts(&self) -> impl Iterator<Item = String> {
        let violated = self
            .violated
            .iter()
            .map(|(rule, tx, evidence)| format!("    {rule} VIOLATED in transaction {tx}: {evidence}"));
        let unknown = self.unknown.iter().map(|(rule, why)| format!("    {rule} unknown: {why}"));
        violated.chain(unknown)
    }

    fn line(&self) -> String {
        let differs = || format!("DIFFERS ({} for {})", self.gas_used, self.gas_expected);
        format!(
            "block {:>9} {:>4} txs  gas {}  bloom {}  {:>5} calls {:>4} logs {:>5} writes {:>5} reads {:>4} moves {:>4} verdicts",
            self.number,
            self.txs,
            if self.gas_ok() { "ok".to_owned() } else { differs() },
            if self.bloom_ok { "ok" } else { "DIFFERS" },
            self.calls,
            self.logs,
            self.writes,
            self.reads,
            self.moves,
            self.holds + self.violated.len() + self.unknown.len()
        )
    }

    fn json(&self) -> Value {
        json!({
            "number": self.number,
            "txs": self.txs,
            "gas_used": self.gas_used,
            "gas_expected": self.gas_expected,
            "gas_ok": self.gas_ok(),
            "bloom_ok": self.bloom_ok,
            "facts": {
                "calls": self.calls,
                "logs": self.logs,
                "writes": self.writes,
                "reads": self.reads,
                "moves": self.moves,
            },
            "verdicts": {
                "holds": self.holds,
                "violated": self.violated.iter().map(|(rule, tx, evidence)| json!({ "rule": rule, "tx": tx, "evidence": evidence })).collect::<Vec<_>>(),
                "unknown": self.unknown.iter().map(|(rule, why)| json!({ "rule": rule, "why": why })).collect::<Vec<_>>(),
            },
        })
    }
}

fn violated(signal: &Signal) -> Option<(String, u32, String)> {
    let Verdict::Violated { evidence } = &signal.verdict else { return None };
    let shown: Vec<String> = evidence.iter().take(2).map(|e| format!("{} {}", e.name, e.value)).collect();
    Some((signal.rule.to_string(), signal.at.tx_index, shown.join(", ")))
}

fn unknown(signal: &Signal) -> Option<(String, String)> {
    let Verdict::Unknown { why } = &signal.verdict else { return None };
    let why = serde_json::to_value(why).ok().and_then(|v| v.as_str().map(ToOwned::to_owned)).unwrap_or_default();
    Some((signal.rule.to_string(), why))
}

/// A detector that has seen nothing: blocks of a folder lie years apart, so each gets its own.
fn detector(policy: &Arc<Policy>) -> Detector {
    Detector::new(Arc::clone(policy))
}

fn policy(args: &Args) -> Result<Arc<Policy>, Failure> {
    let loaded = match &args.policy {
        Some(path) => load_policy(path)?,
        None => {
            example_policy().map_err(|e| Failure::text(Exit::Usage, e, "this is a defect of this build: report it"))?
        }
    };
    Ok(Arc::new(loaded))
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    if !args.blocks.is_file() {
        return folder(args);
    }
    if args.bench {
        return Err(Failure::text(
            Exit::Usage,
            "--bench needs a folder of blocks",
            "leave out `--bench` for a witness file",
        ));
    }
    let policy = policy(args)?;
    let (recorded, witness) = load_witness(&args.blocks).map_err(|e| failure(&e, &args.blocks))?;
    let row =
        Row::of(&replay(&recorded, witness, Some(&mut detector(&policy))).map_err(|e| failure(&e, &args.blocks))?);
    if !args.json {
        print(&row.line())?;
        row.verdicts().try_for_each(|line| print(&line))?;
    }
    finish(args, &[row], None)
}

fn folder(args: &Args) -> Result<Exit, Failure> {
    let folder = BlockFolder::open(&args.blocks).map_err(|e| failure(&e, &args.blocks))?;
    let policy = policy(args)?;
    let bar = progress(folder.numbers().len(), "blocks");
    let mut rows = Vec::with_capacity(folder.numbers().len());
    for number in folder.numbers() {
        let state_file = folder.state_file(*number);
        let (recorded, state) = folder.load(*number).map_err(|e| failure(&e, &state_file))?;
        let row =
            Row::of(&replay(&recorded, state, Some(&mut detector(&policy))).map_err(|e| failure(&e, &state_file))?);
        if !args.json {
            bar.suspend(|| {
                print(&row.line())?;
                row.verdicts().try_for_each(|line| print(&line))
            })?;
        }
        rows.push(row);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let measured = args.bench.then(|| measure(&folder, usize::from(args.runs), &args.blocks)).transpose()?;
    finish(args, &rows, measured)
}

fn progress(count: usize, what: &str) -> ProgressBar {
    let template = format!("{{bar:30}} {{pos}}/{{len}} {what}  {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(count as u64).with_style(style)
}

fn measure(folder: &BlockFolder, runs: usize, path: &Path) -> Result<Bench, Failure> {
    tell(&format!("measuring {runs} passes of plain and fact-extracting replay"));
    let bar = progress(runs, "passes");
    let result = bench(folder, runs, |_| bar.inc(1)).map_err(|e| failure(&e, path))?;
    bar.finish_and_clear();
    Ok(result)
}

fn finish(args: &Args, rows: &[Row], measured: Option<Bench>) -> Result<Exit, Failure> {
    let good = rows.iter().filter(|r| r.gas_ok() && r.bloom_ok).count();
    let txs: usize = rows.iter().map(|r| r.txs).sum();
    let gas: u64 = rows.iter().map(|r| r.gas_used).sum();
    let all = good == rows.len();
    if args.json {
        let mut object = json!({
            "schema": "ripcord/replay/1",
            "blocks": rows.iter().map(Row::json).collect::<Vec<_>>(),
            "totals": { "blocks": rows.len(), "blocks_ok": good, "txs": txs, "gas_used": gas },
        });
        if let (Some(b), Some(object)) = (measured, object.as_object_mut()) {
            let bench = json!({ "plain_us": b.plain_us, "facts_us": b.facts_us, "ratio": b.ratio, "runs": b.runs });
            object.insert("bench".to_owned(), bench);
        }
        print(&object.to_string())?;
    } else {
        print(&format!(
            "\n{good} of {} blocks agree with their headers in gas and logs bloom; {txs} transactions, {gas} gas",
            rows.len()
        ))?;
        if let Some(bench) = measured {
            print(&format!(
                "facts cost {:.3} x a plain revm replay (medians of {} passes: {} us against {} us)",
                bench.ratio, bench.runs, bench.facts_us, bench.plain_us
            ))?;
        }
    }
    Ok(if all { Exit::Ok } else { Exit::Findings })
}

/// `state` is the file that an execution was given its state from.
fn failure(error: &HistoryError, state: &Path) -> Failure {
    let exit = if matches!(error, HistoryError::Unreadable { .. }) { Exit::Environment } else { Exit::Usage };
    let failure = Failure::new(exit, error, error.help());
    // The other errors name their file themselves.
    if matches!(error, HistoryError::Execution { .. }) { failure.at(state) } else { failure }
}
