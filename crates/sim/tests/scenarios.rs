//! The stories in `docs/scenarios`: each is played again, and what the file expects is compared with what happened.
//!
//! A story names its drill in a block tagged `toml drill`. A block tagged `toml policy` must stand, line by line, in the drill's policy.
//! Blocks tagged `text timeline`, `text result` and `text journal` are what is compared; `UPDATE=1` writes them anew.

use ripcord_core::chain::{BlockRef, Millis};
use ripcord_core::incident::IncidentEvent;
use ripcord_core::io::{Body, DryRun, Input, Record};
use ripcord_core::signal::Verdict;
use ripcord_sim::drill::{ActName, Drill, Scenario, records, run, text, timeline};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block: its tag, and where its content lies in the text.
struct Fence {
    tag: String,
    content: std::ops::Range<usize>,
}

fn fences(text: &str) -> Vec<Fence> {
    let (mut fences, mut open, mut at) = (Vec::new(), None, 0);
    for line in text.split_inclusive('\n') {
        let end = at + line.len();
        match (line.trim_end().strip_prefix("```"), open.take()) {
            (Some(""), Some((tag, start))) => fences.push(Fence { tag, content: start..at }),
            (Some(tag), None) => open = Some((tag.to_owned(), end)),
            (_, before) => open = before,
        }
        at = end;
    }
    assert!(open.is_none(), "a block is not closed");
    fences
}

/// `key = value` of the drill block.
fn setting<'a>(block: &'a str, key: &str) -> &'a str {
    let line = block.lines().find_map(|l| l.strip_prefix(key)?.trim_start().strip_prefix('='));
    line.unwrap_or_else(|| panic!("no `{key}` in the drill block")).trim().trim_matches('"')
}

fn timelines(drill: &Drill) -> String {
    let mut out = String::new();
    for act in &drill.acts {
        let title = match act.act {
            ActName::Unguarded => "without the guardian",
            ActName::Guarded => "with the guardian",
            ActName::Control => "on the fixed contracts, with the guardian",
        };
        out.push_str(&format!("{title}\n"));
        timeline(act).iter().for_each(|(_, line)| out.push_str(&format!("{line}\n")));
    }
    out
}

/// The journal, one line per entry. Entries that say nothing new are counted: what every block brings, facts that touch an open incident,
/// and verdicts that a rule gave before.
fn journal(records: &[Record], start: Millis) -> String {
    let (mut out, mut routine) = (String::new(), Vec::new());
    let mut last: Option<(String, usize)> = None;
    let mut verdicts = BTreeMap::new();
    for record in records {
        if is_routine(&record.body) || is_repeated(&record.body, &mut verdicts) {
            flush(&mut out, &mut last);
            routine.push(&record.body);
            continue;
        }
        let line = format!("{} {}", since(record.at, start), say(&record.body));
        match &mut last {
            Some((before, count)) if *before == line => *count += 1,
            _ => {
                flush(&mut out, &mut last);
                out.push_str(&adopted(&std::mem::take(&mut routine)));
                last = Some((line, 1));
            }
        }
    }
    flush(&mut out, &mut last);
    out + &adopted(&routine)
}

fn flush(out: &mut String, last: &mut Option<(String, usize)>) {
    match last.take() {
        Some((line, 1)) => out.push_str(&format!("{line}\n")),
        Some((line, count)) => out.push_str(&format!("{line} × {count}\n")),
        None => {}
    }
}

fn is_routine(body: &Body) -> bool {
    use Input::{Account, Evaluated, Fact, Head};
    matches!(
        body,
        Body::Chain { retracted: false, .. } | Body::Input(Head { .. } | Evaluated { .. } | Account { .. } | Fact(_))
    )
}

fn is_repeated(body: &Body, verdicts: &mut BTreeMap<String, String>) -> bool {
    let Body::Input(input @ Input::Signal(signal)) = body else { return false };
    let verdict = say_input(input);
    verdicts.insert(signal.rule.to_string(), verdict.clone()) == Some(verdict)
}

/// One line for a run of routine entries.
fn adopted(routine: &[&Body]) -> String {
    let number = |body: &&Body| if let Body::Chain { block, .. } = body { Some(block.number) } else { None };
    let blocks: Vec<u64> = routine.iter().filter_map(number).collect();
    let entries = if routine.len() == 1 { "1 entry".to_owned() } else { format!("{} entries", routine.len()) };
    match (blocks.first(), blocks.last()) {
        _ if routine.is_empty() => String::new(),
        (Some(first), Some(last)) if first == last => format!("           block {first} adopted, {entries}\n"),
        (Some(first), Some(last)) => format!("           blocks {first} to {last} adopted, {entries}\n"),
        _ => format!("           nothing new, {entries}\n"),
    }
}

fn since(at: Millis, start: Millis) -> String {
    let ms = i128::from(at.0) - i128::from(start.0);
    let sign = if ms < 0 { '-' } else { '+' };
    format!("{:>8} s ", format!("{sign}{}.{}", ms.abs() / 1000, ms.abs() % 1000 / 100))
}

fn say(body: &Body) -> String {
    match body {
        Body::Genesis { project, .. } => format!("genesis of {project}"),
        Body::Input(input) => format!("input: {}", say_input(input)),
        Body::Incident(event) => format!("incident: {}", say_event(event)),
        Body::Intent(s) => format!("intent: {} attempt {} nonce {}", s.action.step, s.attempt, s.nonce),
        Body::Asked(ask) => format!("asked: {}", ask.step),
        Body::Notified(notice) => {
            format!("notified {:?}: {}", notice.severity, notice.text.split(" (").next().unwrap_or_default())
        }
        Body::Ladder { rule, mode, .. } => format!("ladder: {rule} {mode:?}"),
        Body::Shadow { rule, .. } => format!("shadow: {rule}"),
        Body::Chain { block: BlockRef { number, .. }, .. } => format!("block {number} dropped"),
    }
}

fn say_input(input: &Input) -> String {
    match input {
        Input::Signal(signal) => {
            let verdict = match &signal.verdict {
                Verdict::Holds => "holds".to_owned(),
                Verdict::Violated { .. } => "is violated".to_owned(),
                Verdict::Unknown { why } => format!("is unknown: {why:?}"),
            };
            format!("{} {verdict}", signal.rule)
        }
        Input::DryRun { outcome: DryRun::Works { .. }, .. } => "dry run works".to_owned(),
        Input::DryRun { outcome, .. } => format!("dry run: {outcome:?}"),
        Input::Submitted { attempt, result, .. } => {
            format!("attempt {attempt} {}", if result.is_ok() { "taken" } else { "refused" })
        }
        Input::Absent { .. } => "no block holds it".to_owned(),
        Input::Receipt(receipt) => {
            format!(
                "receipt in block {}: {}",
                receipt.block_number,
                if receipt.success { "success" } else { "failure" }
            )
        }
        Input::Tick
        | Input::Head { .. }
        | Input::SourceFault { .. }
        | Input::Fact(_)
        | Input::Evaluated { .. }
        | Input::Blind { .. }
        | Input::Human(_)
        | Input::Account { .. }
        | Input::Restarted => format!("{input:?}"),
    }
}

fn say_event(event: &IncidentEvent) -> String {
    match event {
        IncidentEvent::Opened { incident, rule, severity, .. } => format!("{incident} opened by {rule}, {severity:?}"),
        IncidentEvent::Joined { incident, rule, .. } => format!("{incident} joined by {rule}"),
        IncidentEvent::StepStarted { incident, step } => format!("{incident} {step} started"),
        IncidentEvent::StepDone { incident, step } => format!("{incident} {step} done"),
        IncidentEvent::StepFailed { incident, step, why } => format!("{incident} {step} failed: {why}"),
        IncidentEvent::PlaybookEnded { incident, playbook, end } => format!("{incident} {playbook} ended: {end:?}"),
        IncidentEvent::Contained { incident, blocks_to_contain, .. } => {
            format!("{incident} contained, blocks to contain: {blocks_to_contain}")
        }
        IncidentEvent::SignalsRetracted { .. }
        | IncidentEvent::Uncontained { .. }
        | IncidentEvent::Exiting { .. }
        | IncidentEvent::Recovering { .. }
        | IncidentEvent::Reopened { .. }
        | IncidentEvent::Acknowledged { .. }
        | IncidentEvent::Labelled { .. }
        | IncidentEvent::Resolved { .. } => format!("{event:?}"),
    }
}

/// What a block of that tag must say; `None` for blocks that are only read.
fn expected(tag: &str, drill: &Drill, told: &str) -> Option<String> {
    match tag {
        "text timeline" => Some(timelines(drill)),
        "text result" => Some(format!("{}\n", text(drill))),
        "text journal" => Some(told.to_owned()),
        _ => None,
    }
}

fn check_policy(block: &str) {
    let policy = include_str!("../../../drills/inflation/ripcord.toml");
    for line in block.lines().filter(|l| !l.is_empty()) {
        assert!(policy.lines().any(|known| known == line), "not in the drill's policy: {line}");
    }
}

fn check(name: &str) {
    let path = folder().join(name);
    let story = fs::read_to_string(&path).unwrap();
    let fences = fences(&story);
    let block = |tag: &str| fences.iter().find(|f| f.tag == tag).map(|f| &story[f.content.clone()]);
    let drill_block = block("toml drill").unwrap();
    let scenario = Scenario::ALL.into_iter().find(|s| s.name() == setting(drill_block, "scenario")).unwrap();
    let seed = setting(drill_block, "seed").parse().unwrap();
    block("toml policy").into_iter().for_each(check_policy);

    let drill = run(scenario, seed, None).unwrap();
    let (act, records) = records(scenario, seed).unwrap();
    assert_eq!(act, drill.acts[1]);
    let told = journal(&records, act.started);
    let (mut renewed, mut compared) = (story.clone(), 0);
    for fence in fences.iter().rev() {
        let Some(now) = expected(&fence.tag, &drill, &told) else { continue };
        compared += 1;
        if std::env::var_os("UPDATE").is_some() {
            renewed.replace_range(fence.content.clone(), &now);
        } else {
            let then = &story[fence.content.clone()];
            assert!(
                then == now,
                "{name}, block `{}`: expected\n{then}\nand it was\n{now}\nUPDATE=1 writes it anew",
                fence.tag
            );
        }
    }
    assert!(compared >= 2, "{name} expects too little");
    if renewed != story {
        fs::write(&path, renewed).unwrap();
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/scenarios")
}

#[test]
fn scenario_001_inflation() {
    check("001-inflation.md");
}

#[test]
fn scenario_002_inflation_private() {
    check("002-inflation-private.md");
}

/// A story that no test plays would rot, and one that the book does not list would not be found.
#[test]
fn every_scenario_is_played_and_listed() {
    let summary = fs::read_to_string(folder().join("../SUMMARY.md")).unwrap();
    let tests = include_str!("scenarios.rs");
    for entry in fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(summary.contains(&format!("(scenarios/{name})")), "docs/SUMMARY.md does not list {name}");
        assert!(name == "README.md" || tests.contains(&format!("check(\"{name}\")")), "no test plays {name}");
    }
}
