//! `ripcord drill`.

use crate::exit::{Exit, Failure};
use crate::{print, tell};
use ripcord_sim::drill::{Act, Drill, DrillError, Scenario, json, run as play, text, timeline};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Options of `drill`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Scenario to play; all of them when left out.
    #[arg(value_parser = scenario)]
    scenario: Option<Scenario>,
    /// Seed of the world: the same seed gives the same drill, byte for byte.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Print one JSON object instead of the story.
    #[arg(long)]
    json: bool,
    /// Pace of the story: `max`, or a factor such as `1x` or `20x`.
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

fn scenario(name: &str) -> Result<Scenario, String> {
    Scenario::ALL.into_iter().find(|s| s.name() == name).ok_or_else(|| {
        let names: Vec<&str> = Scenario::ALL.iter().map(|s| s.name()).collect();
        format!("no such scenario; there are: {}", names.join(", "))
    })
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let factor = text.strip_suffix('x').unwrap_or(text).parse::<f64>().map_err(|e| e.to_string())?;
    if factor.is_finite() && factor > 0.0 { Ok(Speed::Times(factor)) } else { Err("give `max` or a factor above 0".to_owned()) }
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let scenarios = args.scenario.map_or_else(|| Scenario::ALL.to_vec(), |s| vec![s]);
    let folder = store_folder(args)?;
    let mut drills = Vec::with_capacity(scenarios.len());
    for scenario in scenarios {
        tell(&format!("drill {}: {}", scenario.name(), scenario.sentence()));
        let store = folder.join(scenario.name());
        let drill = play(scenario, args.seed, Some(&store)).map_err(|e| failure(&e))?;
        if !args.json {
            show(&drill, args.speed, &store)?;
        }
        drills.push(drill);
    }
    if args.json {
        print(&json(&drills).to_string())?;
        tell(&format!("verify: ripcord audit verify {}", folder.join(drills.first().map_or("", |d| d.scenario.name())).display()));
    }
    Ok(Exit::Ok)
}

fn failure(error: &DrillError) -> Failure {
    let help = match error {
        DrillError::Store(store) => store.help(),
        _ => "this is a defect of the drill itself: report it with the seed".to_owned(),
    };
    Failure::new(if matches!(error, DrillError::Store(_)) { Exit::Environment } else { Exit::Findings }, error, help)
}

/// A folder that no earlier drill has used: evidence is never overwritten.
fn store_folder(args: &Args) -> Result<PathBuf, Failure> {
    let folder = match &args.store {
        Some(folder) => folder.clone(),
        None => {
            let base = Path::new(".ripcord/drill");
            (1_u32..)
                .map(|n| base.join(format!("seed-{}-{n}", args.seed)))
                .find(|folder| !folder.exists())
                .unwrap_or_else(|| base.join("last"))
        }
    };
    if folder.join(Scenario::Inflation.name()).exists() || folder.join(Scenario::InflationPrivate.name()).exists() {
        return Err(Failure::text(
            Exit::Usage,
            format!("{} already holds a drill's journal", folder.display()),
            "give `--store` a new folder: journals are evidence and are not overwritten",
        ));
    }
    std::fs::create_dir_all(&folder).map_err(|e| {
        Failure::text(Exit::Environment, format!("cannot create {}: {e}", folder.display()), "give `--store` a folder that can be written")
    })?;
    Ok(folder)
}

fn show(drill: &Drill, speed: Speed, store: &Path) -> Result<(), Failure> {
    print(&format!("\nScenario {} (seed {}): {}\n", drill.scenario.name(), drill.seed, drill.scenario.sentence()))?;
    for (act, number) in drill.acts.iter().zip(1..) {
        print(&format!("Act {number}: {}", title(act)))?;
        let mut last = None;
        for (at_ms, line) in timeline(act) {
            pace(speed, &mut last, at_ms);
            print(&line)?;
        }
        if act.timeline.is_empty() {
            print("  nothing to tell")?;
        }
        print("")?;
    }
    print(&text(drill))?;
    if let Some(journal) = &drill.journal {
        print(&format!("\nJournal of the guarded act: {} entries; its signed checkpoint:\n", journal.entries))?;
        for line in journal.checkpoint.lines() {
            print(&format!("    {line}"))?;
        }
        print(&format!("\nverify: ripcord audit verify {}\n", store.display()))?;
    }
    Ok(())
}

fn title(act: &Act) -> &'static str {
    use ripcord_sim::drill::ActName;
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
