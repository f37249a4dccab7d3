//! `ripcord drill`.

use crate::exit::{self, Exit, Failure};
use crate::{audit, print, shell_word, tell};
use indicatif::ProgressBar;
use ripcord_sim::drill::{
    Act, ActName, Drill, DrillError, Exercise, Scenario, figures, json, run as play, story, text, timeline,
};
use ripcord_store::AuditError;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where drills go whose user names no folder.
const BASE: &str = ".ripcord/drill";
/// Drills of one seed in [`BASE`]; then the user has to tidy up.
const RUNS_MAX: u32 = 10_000;

/// Options of `drill`.
#[derive(clap::Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct Args {
    /// Scenario to play, or `list` to see what there is; the two thefts when left out.
    #[arg(value_parser = what)]
    scenario: Option<What>,
    /// Seed of the world: the same seed gives the same drill, byte for byte.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of the story.
    #[arg(long)]
    json: bool,
    /// Pace of the story: `max`, or a factor of real time such as `1x` or `20x`.
    #[arg(long, default_value = "max", value_parser = speed)]
    speed: Speed,
    /// Folder for the guardian's journals; a new one under `.ripcord/drill` when left out.
    #[arg(long)]
    store: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq)]
enum Speed {
    Max,
    Times(f64),
}

/// What the user asks for.
#[derive(Clone, Copy)]
enum What {
    List,
    Play(Scenario),
}

fn what(name: &str) -> Result<What, String> {
    if name == "list" {
        return Ok(What::List);
    }
    Scenario::ALL.into_iter().find(|s| s.name() == name).map(What::Play).ok_or_else(|| {
        let names: Vec<&str> = Scenario::ALL.iter().map(|s| s.name()).collect();
        format!("no such scenario; there are: {}", names.join(", "))
    })
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let wrong = || "give `max` or a factor from 0.01x to 1000000x".to_owned();
    let factor = text.strip_suffix('x').unwrap_or(text).parse::<f64>().map_err(|_| wrong())?;
    if (0.01..=1e6).contains(&factor) { Ok(Speed::Times(factor)) } else { Err(wrong()) }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let scenarios = match args.scenario {
        Some(What::List) => return list(args.json).map(|()| Exit::Ok),
        Some(What::Play(scenario)) => vec![scenario],
        None => Scenario::THEFTS.to_vec(),
    };
    let folder = store_folder(args)?;
    let mut drills = Vec::with_capacity(scenarios.len());
    for scenario in scenarios {
        let store = folder.join(scenario.name());
        let drill = play_behind_a_spinner(scenario, args.seed, &store)?;
        match &drill.exercise {
            Some(exercise) if !args.json => show_exercise(&drill, exercise)?,
            None if !args.json => show(&drill, args.speed, &store)?,
            Some(_) => {}
            None => tell(&format!("verify: ripcord audit verify {}", shell_word(&store))),
        }
        drills.push(drill);
    }
    if args.json {
        print(&json(&drills).to_string())?;
    }
    match drills.iter().find(|drill| drill.exercise.as_ref().is_some_and(|exercise| !exercise.holds())) {
        None => Ok(Exit::Ok),
        Some(drill) => Err(Failure::text(
            Exit::Findings,
            format!("a bound of {} does not hold", drill.scenario.name()),
            "this is a defect of the kit: report it with the seed",
        )),
    }
}

/// All scenarios, one line each.
fn list(as_json: bool) -> Result<(), Failure> {
    if as_json {
        let all: Vec<_> = Scenario::ALL
            .iter()
            .map(|s| serde_json::json!({ "scenario": s.name(), "sentence": s.sentence() }))
            .collect();
        return print(&serde_json::json!({ "scenarios": all }).to_string());
    }
    let width = Scenario::ALL.iter().map(|s| s.name().len()).max().unwrap_or(0);
    for scenario in Scenario::ALL {
        print(&format!("{:width$} {}", scenario.name(), scenario.sentence()))?;
    }
    Ok(())
}

fn play_behind_a_spinner(scenario: Scenario, seed: u64, store: &Path) -> Result<Drill, Failure> {
    let spinner = ProgressBar::new_spinner().with_message(format!("playing {} with seed {seed}", scenario.name()));
    spinner.enable_steady_tick(Duration::from_millis(100));
    let drill = play(scenario, seed, Some(store));
    spinner.finish_and_clear();
    drill.map_err(|e| failure(&e))
}

fn failure(error: &DrillError) -> Failure {
    let exit = if let DrillError::Store(store) = error {
        Exit::of_store(store)
    } else if error.is_storage() {
        Exit::Environment
    } else {
        Exit::Findings
    };
    Failure::new(exit, error, error.help())
}

/// A folder that no earlier drill has used: evidence is never overwritten.
fn store_folder(args: &Args) -> Result<PathBuf, Failure> {
    let cannot = |folder: &Path, error: std::io::Error| {
        let message = format!("cannot create {}: {error}", folder.display());
        Failure::text(Exit::Environment, message, "give `--store` a folder that can be written")
    };
    if let Some(folder) = &args.store {
        refuse_used(folder)?;
        return std::fs::create_dir_all(folder).map_err(|e| cannot(folder, e)).map(|()| folder.clone());
    }
    std::fs::create_dir_all(BASE).map_err(|e| cannot(Path::new(BASE), e))?;
    for run in 1..=RUNS_MAX {
        // Creating it is the test: two drills that start together get two folders.
        let folder = Path::new(BASE).join(format!("seed-{}-{run}", args.seed));
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(cannot(&folder, error)),
        }
    }
    Err(Failure::text(
        Exit::Usage,
        format!("{BASE} holds {RUNS_MAX} drills of this seed"),
        "give `--store` a new folder",
    ))
}

fn refuse_used(folder: &Path) -> Result<(), Failure> {
    for scenario in Scenario::ALL {
        let store = folder.join(scenario.name());
        if !store.exists() {
            continue;
        }
        if let Err(error @ AuditError::InUse { .. }) = ripcord_store::verify(&store) {
            let help = "wait for the drill that is writing there, or give `--store` a folder of its own";
            return Err(audit::failure(&error).with_help(help));
        }
        let message = format!("{} already holds a drill's journal", store.display());
        let help = "give `--store` a new folder: journals are evidence and are not overwritten";
        return Err(Failure::text(Exit::Usage, message, help));
    }
    Ok(())
}

fn show(drill: &Drill, speed: Speed, store: &Path) -> Result<(), Failure> {
    print(&format!("Scenario {} (seed {}): {}\n", drill.scenario.name(), drill.seed, drill.scenario.sentence()))?;
    for (act, number) in drill.acts.iter().zip(1..) {
        print(&format!("Act {number}: {}", title(act)))?;
        let mut last = None;
        for (at_ms, line) in timeline(act) {
            pace(speed, &mut last, at_ms);
            print(&line)?;
        }
        print("")?;
    }
    print(&text(drill))?;
    if let Some(journal) = &drill.journal {
        print(&format!("\nJournal of the guarded act: {} entries; its signed checkpoint:\n", journal.entries))?;
        for line in journal.checkpoint.lines() {
            print(format!("    {line}").trim_end())?;
        }
        print(&format!("\nverify: ripcord audit verify {}\n", shell_word(store)))?;
    }
    Ok(())
}

fn show_exercise(drill: &Drill, exercise: &Exercise) -> Result<(), Failure> {
    print(&format!("Scenario {} (seed {}): {}\n", drill.scenario.name(), drill.seed, drill.scenario.sentence()))?;
    for line in story(exercise) {
        print(&line)?;
    }
    print(&format!("\n{}\n", figures(exercise)))
}

fn title(act: &Act) -> &'static str {
    match act.act {
        ActName::Unguarded => "the theft, nobody watching",
        ActName::Guarded => "the same theft, the guardian watching",
        ActName::Control => "the same attempt on the fixed contracts, the guardian watching",
    }
}

fn pace(speed: Speed, last: &mut Option<i64>, at_ms: i64) {
    if let (Speed::Times(factor), Some(before)) = (speed, *last) {
        let gap = Duration::from_millis(at_ms.saturating_sub(before).max(0).unsigned_abs());
        std::thread::sleep(gap.div_f64(factor));
    }
    *last = Some(at_ms);
}
