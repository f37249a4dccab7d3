//! A drill's result for people and for programs.

use super::act::{Act, ActName, Line, Who};
use super::exercise::{Exercise, Moment, Unit};
use super::scenario::Drill;
use alloy_primitives::U256;
use serde_json::{Value, json};

/// Schema name of the JSON object.
pub const SCHEMA: &str = "ripcord/drill/1";
/// Columns of the terminal that the story is written for.
pub(super) const WIDTH: usize = 120;

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
            "outflow_cap": a.outflow_cap_usd_e8.map(cents),
            "actors": a.actors,
            "honest": a.honest,
            "honest_before_theft": a.honest_before_theft,
            "honest_refused": a.honest_refused,
            "honest_refused_before_containment": a.honest_refused_before,
            "false_alarms": a.false_alarms,
            "blocks_to_contain": a.blocks_to_contain,
            "theft": {
                "sent": a.theft.sent,
                "private": a.theft.private,
                "begins_after_blocks": a.theft.begins_after_blocks,
            },
            "timeline": a.timeline,
        })
    };
    let journal = |d: &Drill| d.journal.as_ref().map(|j| json!({ "entries": j.entries, "checkpoint": j.checkpoint }));
    let scenario = |d: &Drill| {
        json!({
            "scenario": d.scenario.name(),
            "acts": d.acts.iter().map(act).collect::<Vec<_>>(),
            "exercise": d.exercise,
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

/// The timeline of an act: per event its time and its text, which fits [`WIDTH`] columns.
#[must_use]
pub fn timeline(act: &Act) -> Vec<(i64, String)> {
    act.timeline.iter().map(|line| (line.at_ms, render(line))).collect()
}

fn render(line: &Line) -> String {
    let who = match line.who {
        Who::Attacker => "attacker",
        Who::Guardian => "guardian",
        Who::Chain => "chain",
    };
    let sign = if line.at_ms < 0 { '-' } else { '+' };
    let ms = line.at_ms.unsigned_abs();
    let time = format!("{sign}{}.{}", ms / 1000, ms % 1000 / 100);
    let head = format!("  {time:>6} s  block {:>3}  {who:<8}  ", line.block);
    wrap(&head, &line.text)
}

/// One line, or two when the evidence in brackets needs its own; the rest of the evidence is in the JSON object and in the journal.
fn wrap(head: &str, text: &str) -> String {
    let indent = head.chars().count();
    let room = WIDTH.saturating_sub(indent);
    match text.split_once(" (") {
        Some((first, evidence)) if text.chars().count() > room => {
            let evidence = cut(&format!("({evidence}"), room);
            format!("{head}{}\n{:indent$}{evidence}", cut(first, room), "")
        }
        _ => format!("{head}{}", cut(text, room)),
    }
}

/// Cuts after a whole item, or a whole word, so that the text and the mark of the cut fit.
fn cut(text: &str, room: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(room) else { return text.to_owned() };
    let fits = text.get(..end).unwrap_or(text);
    let kept = [", ", " "].into_iter().find_map(|gap| fits.rsplit_once(gap)).map_or("", |(kept, _)| kept);
    format!("{kept} …")
}

/// The story of an exercise, line by line.
#[must_use]
pub fn story(exercise: &Exercise) -> Vec<String> {
    exercise.timeline.iter().map(tell).collect()
}

fn tell(moment: &Moment) -> String {
    let (day, secs) = (moment.at_secs / 86_400, moment.at_secs % 86_400);
    let head = format!("  day {day:>3} {:02}:{:02}  {:<8}  ", secs / 3_600, secs % 3_600 / 60, moment.who);
    let indent = head.chars().count();
    let mut lines = textwrap(&moment.text, WIDTH.saturating_sub(indent)).into_iter();
    let first = lines.next().unwrap_or_default();
    lines.fold(format!("{head}{first}"), |text, line| format!("{text}\n{:indent$}{line}", ""))
}

/// Whole words in lines of at most `room` columns.
fn textwrap(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The table of an exercise: what was measured, next to its bound.
#[must_use]
pub fn figures(exercise: &Exercise) -> String {
    use comfy_table::CellAlignment;
    let mut table = plain_table();
    table.set_header(["measured", "value", "at most", "holds"]);
    for figure in &exercise.figures {
        let holds = match figure.most {
            None => "",
            Some(_) if figure.holds() => "yes",
            Some(_) => "NO",
        };
        let most = figure.most.map_or_else(String::new, |most| quantity(most, figure.unit));
        table.add_row([figure.name.to_owned(), quantity(figure.value, figure.unit), most, holds.to_owned()]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}

fn quantity(value: u64, unit: Unit) -> String {
    match unit {
        Unit::Seconds if value >= 3_600 => format!("{} h {:02} min", value / 3_600, value % 3_600 / 60),
        Unit::Seconds => format!("{value} s"),
        Unit::Tokens => format!("{value} tokens"),
        Unit::Bps => format!("{value} bps"),
        Unit::Count => value.to_string(),
    }
}

fn plain_table() -> comfy_table::Table {
    use comfy_table::{LineStyle, Table, presets};
    let mut table = Table::new();
    table.load_style(presets::NOTHING.header_separator(LineStyle::none().fill('─').junction('─')));
    table
}

/// The table of one theft.
#[must_use]
pub fn text(drill: &Drill) -> String {
    use comfy_table::CellAlignment;
    let mut table = plain_table();
    table.set_header([
        "act",
        "stolen",
        "left for\nusers",
        "blocks to\ncontain",
        "honest\ntxs",
        "refused before\nthe halt",
        "refused\nby the halt",
        "false\nalarms",
    ]);
    for act in &drill.acts {
        let title = match act.act {
            ActName::Unguarded => "without guardian",
            ActName::Guarded => "with guardian",
            ActName::Control => "fixed contracts",
        };
        let watched = |text: String| if act.act == ActName::Unguarded { "-".to_owned() } else { text };
        table.add_row([
            title.to_owned(),
            dollars(act.stolen_usd_e8),
            dollars(act.left_usd_e8),
            act.blocks_to_contain.map_or_else(|| "-".to_owned(), |b| b.to_string()),
            act.honest.to_string(),
            watched(act.honest_refused_before.to_string()),
            watched((act.honest_refused - act.honest_refused_before).to_string()),
            watched(act.false_alarms.to_string()),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let closed = "Refused by the halt: honest transactions that were under way when the market closed. Wallets send no others then.";
    let capped = drill.acts.iter().find_map(|act| act.outflow_cap_usd_e8).map_or(String::new(), |cap| {
        format!(
            "\n Limits: with the guardian, and in the fixed contracts, at most {} can leave the vaults at once.",
            dollars(cap)
        )
    });
    format!("{}\n\n {closed}{capped}", table.trim_fmt())
}
