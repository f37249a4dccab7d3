//! Gas of the kit's operations against its budgets and the best peers, all measured in one run of forge.
//!
//! The tests under `contracts/test/kit/gas/` measure and fail above a ceiling: the goal or, where that is not reached, just above what was.
//! This file only reads what they report: events `GasUsed(operation, goal, ours)` and `PeerGasUsed(operation, peer, theirs)`.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::contracts;
use crate::failure::Failure;
use crate::steps::Summary;

/// keccak-256 of `GasUsed(string,uint256,uint256)`.
const GAS_USED: &str = "0xd8e1068095fae444157c607b1fd26fd5b189a81d381d21f562d4ee5e438d8ecb";
/// keccak-256 of `PeerGasUsed(string,string,uint256)`.
const PEER_GAS_USED: &str = "0xc1f2ce163a038a5bc8c4822e2a15e15d8211cf8c0dc76a1ba1905dc7bdc3958c";

/// One operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Row {
    pub(crate) operation: String,
    /// Most that it should cost.
    pub(crate) goal: u64,
    /// What it costs.
    pub(crate) ours: u64,
    /// What the best peer costs for the same, if one was measured.
    pub(crate) peer: Option<u64>,
    pub(crate) peer_name: Option<String>,
}

impl Row {
    pub(crate) fn above_goal(&self) -> bool {
        self.ours > self.goal
    }
}

/// Rows in alphabetical order, and the tests that failed with their reasons.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Measured {
    pub(crate) rows: Vec<Row>,
    pub(crate) failed: Vec<String>,
}

impl Measured {
    /// The operations above their goals; an error when one is above its ceiling.
    pub(crate) fn judge(&self) -> Result<Summary, Failure> {
        if !self.failed.is_empty() {
            return Err(Failure::new(
                format!("gas tests failed:\n  {}", self.failed.join("\n  ")),
                "make the operation cheaper, or change its goal or ceiling with a decision record that says why",
            ));
        }
        let above = self.rows.iter().filter(|row| row.above_goal());
        Ok(above.map(|row| format!("{}: {}, above the goal of {}", row.operation, row.ours, row.goal)).collect())
    }
}

#[derive(Serialize)]
struct Report<'a> {
    rows: &'a [Row],
}

#[derive(Deserialize)]
struct Suite {
    test_results: BTreeMap<String, TestResult>,
}

#[derive(Deserialize)]
struct TestResult {
    status: String,
    reason: Option<String>,
    logs: Vec<Log>,
}

#[derive(Deserialize)]
struct Log {
    topics: Vec<String>,
    data: String,
}

/// Measures, prints the table (or JSON) on stdout, and fails when an operation is above its ceiling.
pub(crate) fn run(root: &Path, json: bool) -> Result<(), Failure> {
    let measured = measure(root)?;
    if json {
        let text = serde_json::to_string_pretty(&Report { rows: &measured.rows })
            .map_err(|error| Failure::new(format!("the table cannot be written as JSON: {error}"), "report this"))?;
        show(&text);
    } else {
        show(&table(&measured.rows));
    }
    measured.judge().map(drop)
}

/// Runs the gas tests. One that fails is in the answer, not an error.
pub(crate) fn measure(root: &Path) -> Result<Measured, Failure> {
    read(&contracts::gas(root)?)
}

#[expect(clippy::print_stdout, reason = "the table is the result of the command")]
fn show(text: &str) {
    println!("{text}");
}

fn read(output: &str) -> Result<Measured, Failure> {
    let unreadable =
        |why: String| Failure::new(format!("forge's report cannot be read: {why}"), "run `npm run gas` in contracts/");
    let line =
        output.lines().rfind(|line| line.starts_with('{')).ok_or_else(|| unreadable("no JSON in it".to_owned()))?;
    let suites: BTreeMap<String, Suite> = serde_json::from_str(line).map_err(|error| unreadable(error.to_string()))?;
    let mut rows = BTreeMap::new();
    let mut peers: BTreeMap<String, (u64, String)> = BTreeMap::new();
    let mut failed = Vec::new();
    for (name, test) in suites.values().flat_map(|suite| &suite.test_results) {
        if test.status != "Success" {
            failed.push(format!("{name}: {}", test.reason.as_deref().unwrap_or("no reason given")));
        }
        for log in &test.logs {
            let Some(topic) = log.topics.first() else { continue };
            let words = Words::of(&log.data);
            let broken = || unreadable(format!("an event of {name} is malformed"));
            if topic == GAS_USED {
                let operation = words.text(0).ok_or_else(broken)?;
                let (goal, ours) = (words.number(1).ok_or_else(broken)?, words.number(2).ok_or_else(broken)?);
                rows.insert(operation.clone(), Row { operation, goal, ours, peer: None, peer_name: None });
            } else if topic == PEER_GAS_USED {
                let (operation, peer) = (words.text(0).ok_or_else(broken)?, words.text(1).ok_or_else(broken)?);
                let theirs = words.number(2).ok_or_else(broken)?;
                let best = peers.entry(operation).or_insert_with(|| (theirs, peer.clone()));
                if theirs < best.0 {
                    *best = (theirs, peer);
                }
            }
        }
    }
    for (operation, (theirs, name)) in peers {
        let row = rows
            .get_mut(&operation)
            .ok_or_else(|| unreadable(format!("a peer of `{operation}`, and no such operation")))?;
        (row.peer, row.peer_name) = (Some(theirs), Some(name));
    }
    if rows.is_empty() && failed.is_empty() {
        return Err(unreadable("no operation was measured".to_owned()));
    }
    Ok(Measured { rows: rows.into_values().collect(), failed })
}

fn table(rows: &[Row]) -> String {
    let width = rows.iter().map(|row| row.operation.len()).max().unwrap_or_default().max("operation".len());
    let mut text = format!("{:width$}  {:>8}  {:>8}  {:>8}  best peer", "operation", "goal", "ours", "peer");
    for row in rows {
        let peer = row.peer.map_or_else(|| "-".to_owned(), |gas| gas.to_string());
        let name = row.peer_name.as_deref().unwrap_or("none measured");
        text.push_str(&format!("\n{:width$}  {:>8}  {:>8}  {peer:>8}  {name}", row.operation, row.goal, row.ours));
        if row.above_goal() {
            text.push_str(", above the goal");
        }
    }
    text
}

/// ABI-encoded event data: 32-byte words as hexadecimal text.
struct Words<'a> {
    hex: &'a str,
}

impl<'a> Words<'a> {
    fn of(data: &'a str) -> Self {
        Self { hex: data.strip_prefix("0x").unwrap_or(data) }
    }

    /// The word at `index` as a number; `None` when there is none or it is beyond 64 bits.
    fn number(&self, index: usize) -> Option<u64> {
        let word = self.hex.get(index.checked_mul(64)?..index.checked_mul(64)?.checked_add(64)?)?;
        let (high, low) = word.split_at_checked(48)?;
        high.bytes().all(|digit| digit == b'0').then(|| u64::from_str_radix(low, 16).ok()).flatten()
    }

    /// The text whose offset stands at `index`.
    fn text(&self, index: usize) -> Option<String> {
        let start = usize::try_from(self.number(index)?).ok()?;
        let len = usize::try_from(self.number(start / 32)?).ok()?;
        let from = start.checked_add(32)?.checked_mul(2)?;
        let digits = self.hex.get(from..from.checked_add(len.checked_mul(2)?)?)?;
        let bytes = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()));
        String::from_utf8(bytes.collect::<Option<Vec<u8>>>()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn word(value: u64) -> String {
        format!("{value:064x}")
    }

    fn padded(text: &str) -> String {
        let hex: String = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        word(text.len() as u64) + &format!("{hex:0<64}")
    }

    fn report(status: &str, peers: &[(&str, u64)]) -> String {
        let ours = word(96) + &word(500) + &word(480) + &padded("trip");
        let mut logs = vec![serde_json::json!({ "topics": [GAS_USED], "data": format!("0x{ours}") })];
        for (name, theirs) in peers {
            let data = word(96) + &word(160) + &word(*theirs) + &padded("trip") + &padded(name);
            logs.push(serde_json::json!({ "topics": [PEER_GAS_USED], "data": format!("0x{data}") }));
        }
        let test = serde_json::json!({ "status": status, "reason": "480 > 470", "logs": logs });
        format!("Compiling\n{}\n", serde_json::json!({ "a.t.sol:A": { "test_results": { "test_Gas_Trip()": test } } }))
    }

    #[test]
    fn a_row_carries_the_cheapest_peer() {
        let measured = read(&report("Success", &[("slow", 900), ("fast", 600), ("other", 700)])).unwrap();
        let want = Row {
            operation: "trip".to_owned(),
            goal: 500,
            ours: 480,
            peer: Some(600),
            peer_name: Some("fast".to_owned()),
        };
        assert_eq!(measured, Measured { rows: vec![want], failed: Vec::new() });
        assert_eq!(measured.judge(), Ok(Summary::new()));
        assert!(!table(&measured.rows).contains("above"));
    }

    #[test]
    fn what_is_above_its_goal_and_below_its_ceiling_is_named() {
        let output = report("Success", &[]).replace(&word(500), &word(479));
        let measured = read(&output).unwrap();
        assert_eq!(measured.judge(), Ok(vec!["trip: 480, above the goal of 479".to_owned()]));
        assert!(table(&measured.rows).ends_with("above the goal"));
    }

    #[test]
    fn a_failed_test_is_named_with_its_reason() {
        let measured = read(&report("Failure", &[])).unwrap();
        assert_eq!(measured.failed, ["test_Gas_Trip(): 480 > 470"]);
        assert!(measured.judge().is_err());
        assert!(table(&measured.rows).contains("none measured"));
    }

    #[test]
    fn a_report_without_figures_is_an_error() {
        assert!(read("{}").is_err());
        assert!(read("no JSON").is_err());
        let cut = report("Success", &[]).replace(&padded("trip"), "");
        assert!(read(&cut).is_err());
    }
}
