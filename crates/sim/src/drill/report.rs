//! A drill's result for people and for programs.

use super::act::{Act, ActName, Line, Who};
use super::scenario::Drill;
use alloy_primitives::U256;
use serde_json::{Value, json};

/// Schema name of the JSON object.
pub const SCHEMA: &str = "ripcord/drill/1";

fn name(act: ActName) -> &'static str {
    match act {
        ActName::Unguarded => "unguarded",
        ActName::Guarded => "guarded",
        ActName::Control => "control",
    }
}

/// Whole dollars with separators.
fn dollars(usd_e8: U256) -> String {
    let whole = (usd_e8 / U256::from(100_000_000)).to_string();
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    format!("${text}")
}

/// The JSON object of one drill run. Money is a number of whole cents: a drill's sums stay far below 2^53.
#[must_use]
pub fn json(drills: &[Drill]) -> Value {
    let cents = |usd_e8: U256| (usd_e8 / U256::from(1_000_000)).saturating_to::<u64>();
    let act = |a: &Act| {
        json!({
            "act": name(a.act),
            "stolen": cents(a.stolen_usd_e8),
            "left": cents(a.left_usd_e8),
            "honest": a.honest,
            "honest_refused": a.honest_refused,
            "honest_refused_before_containment": a.honest_refused_before,
            "false_alarms": a.false_alarms,
            "blocks_to_contain": a.blocks_to_contain,
            "timeline": a.timeline,
        })
    };
    let journal = |d: &Drill| d.journal.as_ref().map(|j| json!({ "entries": j.entries, "checkpoint": j.checkpoint }));
    let scenario = |d: &Drill| {
        json!({
            "scenario": d.scenario.name(),
            "acts": d.acts.iter().map(act).collect::<Vec<_>>(),
            "journal": journal(d),
        })
    };
    json!({
        "schema": SCHEMA,
        "seed": drills.first().map(|d| d.seed),
        "unit": "usd-cents",
        "scenarios": drills.iter().map(scenario).collect::<Vec<_>>(),
        // The first scenario again at the top level, for readers that want one result.
        "acts": drills.first().map(|d| d.acts.iter().map(act).collect::<Vec<_>>()),
        "journal": drills.first().and_then(journal),
    })
}

/// The timeline of an act, one line per event.
#[must_use]
pub fn timeline(act: &Act) -> Vec<(i64, String)> {
    act.timeline.iter().map(|line| (line.at_ms, render(line))).collect()
}

fn render(line: &Line) -> String {
    let who = match line.who {
        Who::Attacker => "attacker",
        Who::Guardian => "guardian",
        Who::Chain => "chain   ",
    };
    let sign = if line.at_ms < 0 { '-' } else { '+' };
    let ms = line.at_ms.unsigned_abs();
    format!("  {sign}{:>3}.{:01} s  block {:>4}  {who}  {}", ms / 1000, ms % 1000 / 100, line.block, line.text)
}

/// The table of one scenario.
#[must_use]
pub fn text(drill: &Drill) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::UTF8_HORIZONTAL_ONLY);
    let header = [
        "act",
        "stolen",
        "left for users",
        "blocks to contain",
        "honest sent",
        "refused before containment",
        "refused while closed",
        "false alarms",
    ];
    table.set_header(header);
    for act in &drill.acts {
        let title = match act.act {
            ActName::Unguarded => "without guardian",
            ActName::Guarded => "with guardian",
            ActName::Control => "fixed contracts, with guardian",
        };
        let watched = act.act != ActName::Unguarded;
        let contained = act.blocks_to_contain.map_or_else(|| "-".to_owned(), |b| b.to_string());
        table.add_row([
            title.to_owned(),
            dollars(act.stolen_usd_e8),
            dollars(act.left_usd_e8),
            contained,
            act.honest.to_string(),
            act.honest_refused_before.to_string(),
            (act.honest_refused - act.honest_refused_before).to_string(),
            if watched { act.false_alarms.to_string() } else { "-".to_owned() },
        ]);
    }
    table.to_string()
}
