//! `drill`: its two forms, its seeds, and the store that it leaves or refuses.

use crate::invocation::{pasted, ripcord};
use crate::{ENVIRONMENT, OK, USAGE, VERIFICATION, store};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("not a number: {value}"))
}

/// The acts of one scenario and its journal: all the fields that the object promises.
fn check_shape(scenario: &Value) {
    let acts = scenario["acts"].as_array().unwrap();
    let names: Vec<&str> = acts.iter().map(|act| act["act"].as_str().unwrap()).collect();
    assert_eq!(names, ["unguarded", "guarded", "control"]);
    for act in acts {
        for field in ["stolen", "left", "honest_refused", "false_alarms"] {
            number(&act[field]);
        }
        assert!(act["blocks_to_contain"].is_number() || act["blocks_to_contain"].is_null());
    }
    assert!(number(&scenario["journal"]["entries"]) > 0);
    let checkpoint = scenario["journal"]["checkpoint"].as_str().unwrap();
    let size = checkpoint.lines().nth(1).unwrap();
    assert_eq!(size, scenario["journal"]["entries"].to_string(), "the checkpoint covers the whole journal");
}

/// An exercise tells a story and figures with bounds, which hold.
fn check_exercise(scenario: &Value) {
    assert_eq!((scenario["acts"].as_array().unwrap().len(), &scenario["journal"]), (0, &Value::Null));
    assert!(scenario["exercise"]["timeline"].as_array().unwrap().len() >= 5, "{scenario}");
    let figures = scenario["exercise"]["figures"].as_array().unwrap();
    let bounded: Vec<&Value> = figures.iter().filter(|f| !f["most"].is_null()).collect();
    assert!(bounded.len() >= 3, "{scenario}");
    bounded.iter().for_each(|f| assert!(number(&f["value"]) <= number(&f["most"]), "{f}"));
}

#[test]
fn each_exercise_is_one_object_and_its_bounds_hold() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["guardian-key-stolen", "guardian-dead", "bad-upgrade", "bad-parameter"] {
        let done = ripcord(folder.path(), ["drill", name, "--json", "--seed", "3"]);
        assert_eq!(done.code, OK, "{done:?}");
        let object = done.json();
        let scenario = &object["scenarios"][0];
        assert_eq!(scenario["scenario"], name);
        check_exercise(scenario);
    }
}

#[test]
fn the_list_names_every_scenario() {
    let folder = tempfile::tempdir().unwrap();
    let done = ripcord(folder.path(), ["drill", "list"]);
    assert_eq!((done.code, done.stdout.lines().count()), (OK, 6), "{done:?}");
    assert!(done.stdout.lines().all(|line| line.chars().count() <= 120), "{}", done.stdout);
    let listed = ripcord(folder.path(), ["drill", "list", "--json"]).json();
    for (line, scenario) in done.stdout.lines().zip(listed["scenarios"].as_array().unwrap()) {
        assert!(line.starts_with(scenario["scenario"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn an_exercise_is_told_with_its_bounds() {
    let folder = tempfile::tempdir().unwrap();
    let done = ripcord(folder.path(), ["drill", "bad-upgrade", "--seed", "7"]);
    assert_eq!(done.code, OK, "{done:?}");
    let too_wide: Vec<&str> = done.stdout.lines().filter(|l| l.chars().count() > 120).collect();
    assert!(too_wide.is_empty(), "{too_wide:#?}");
    for part in ["Scenario bad-upgrade (seed 7): ", "signs a rollback", " savers not paid ", "holds"] {
        assert!(done.stdout.contains(part), "no {part:?} in\n{}", done.stdout);
    }
    assert!(!done.stdout.lines().any(|line| line.ends_with(" NO")), "{}", done.stdout);
}

#[test]
fn the_json_form_is_one_object_that_only_the_seed_decides() {
    let folder = tempfile::tempdir().unwrap();
    let again = std::thread::spawn({
        let folder = folder.path().to_owned();
        move || ripcord(&folder, ["drill", "--json", "--seed", "7", "--store", "elsewhere"])
    });
    let done = ripcord(folder.path(), ["drill", "--json", "--seed", "7"]);
    assert_eq!(done.code, OK, "{done:?}");
    let object = done.json();
    assert_eq!((&object["schema"], &object["seed"]), (&"ripcord/drill/1".into(), &7.into()));
    let scenarios = object["scenarios"].as_array().unwrap();
    assert_eq!(
        scenarios.iter().map(|s| s["scenario"].as_str().unwrap()).collect::<Vec<_>>(),
        ["inflation", "inflation-private"]
    );
    scenarios.iter().for_each(check_shape);
    assert_eq!(
        (&object["acts"], &object["journal"]),
        (&scenarios[0]["acts"], &scenarios[0]["journal"]),
        "the first one, at the top"
    );

    let stolen = |scenario: usize, act: usize| number(&scenarios[scenario]["acts"][act]["stolen"]);
    assert!(
        stolen(0, 0) > 100_000_000 && stolen(0, 1) * 100 <= stolen(0, 0),
        "contained: {} of {} cents",
        stolen(0, 1),
        stolen(0, 0)
    );
    let cap = number(&scenarios[1]["acts"][1]["outflow_cap"]);
    assert!((1..=cap).contains(&stolen(1, 1)), "one private transaction takes {} of at most {cap} cents", stolen(1, 1));

    let verify: Vec<&str> = done.stderr.lines().filter_map(|l| l.strip_prefix("verify: ")).collect();
    assert_eq!(verify.len(), 2, "{}", done.stderr);
    for line in verify {
        assert_eq!(pasted(folder.path(), line).code, OK);
    }
    assert_eq!(again.join().unwrap().stdout, done.stdout, "same seed, other bytes");
}

#[test]
fn another_seed_is_another_drill() {
    let folder = tempfile::tempdir().unwrap();
    let drill = |seed: &str| ripcord(folder.path(), ["drill", "inflation", "--json", "--seed", seed]).json();
    let (mut one, two) = (drill("21"), drill("22"));
    one["seed"] = 22.into();
    assert_ne!(one, two);
    assert_ne!(one["journal"]["checkpoint"], two["journal"]["checkpoint"]);
}

/// Flips the middle of an entry of the drill's store and expects the audit to name it.
fn check_flip(folder: &Path, journal: &str, index: u64) {
    let file = folder.join(journal).join("journal.db");
    let good = fs::read(&file).unwrap();
    let entry = store::entry(&folder.join(journal), index);
    let places: Vec<usize> =
        good.windows(entry.len()).enumerate().filter(|(_, w)| *w == entry).map(|(at, _)| at).collect();
    let found = places.iter().any(|place| {
        let mut bad = good.clone();
        bad[place + entry.len() / 2] ^= 1;
        fs::write(&file, bad).unwrap();
        let done = ripcord(folder, ["audit", "verify", journal]);
        done.code == VERIFICATION && done.stderr.contains(&format!("entry {index}: its bytes: altered"))
    });
    assert!(found, "entry {index} in {places:?}");
    fs::write(&file, good).unwrap();
}

#[test]
fn the_story_fits_the_terminal_and_its_verify_line_works() {
    let folder = tempfile::tempdir().unwrap();
    let done = ripcord(folder.path(), ["drill", "inflation", "--seed", "7", "--store", "it's here"]);
    assert_eq!(done.code, OK, "{done:?}");
    let too_wide: Vec<&str> = done.stdout.lines().filter(|l| l.chars().count() > 120).collect();
    assert!(too_wide.is_empty(), "{too_wide:#?}");
    for part in [
        "Scenario inflation (seed 7): ",
        "Act 1: the theft, nobody watching",
        "attacker  sends tx 1 ",
        "guardian  pages P",
        "guardian  signs and sends contain.halt",
        "chain     includes the guardian's trip: the market is halted",
        "Act 3: the same attempt on the fixed contracts",
        " without guardian   $",
        " with guardian ",
        " fixed contracts ",
        "its signed checkpoint:\n\n    ripcord.example/drill\n",
    ] {
        assert!(done.stdout.contains(part), "no {part:?} in\n{}", done.stdout);
    }
    let line = done.stdout.lines().find_map(|l| l.strip_prefix("verify: ")).unwrap();
    let audit = pasted(folder.path(), line);
    assert_eq!(audit.code, OK, "{line}: {audit:?}");
    assert!(audit.stdout.starts_with("ok: store ripcord.example/drill\n"), "{audit:?}");

    let journal = "it's here/inflation";
    for index in [0, 100, 300] {
        check_flip(folder.path(), journal, index);
    }
    assert_eq!(ripcord(folder.path(), ["audit", "verify", journal]).code, OK);
    let used = ripcord(folder.path(), ["drill", "inflation", "--store", "it's here"]);
    used.refuses(USAGE, &["it's here/inflation already holds a drill's journal", "give `--store` a new folder"]);
    let other = ripcord(folder.path(), ["drill", "inflation-private", "--store", "it's here"]);
    other.refuses(USAGE, &["already holds a drill's journal"]);
}

#[test]
fn a_store_that_another_process_writes_is_left_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let wanted = folder.path().join("shared/inflation");
    let mut journal = store::open(&wanted);
    store::append(&mut journal, 5);
    let done = ripcord(folder.path(), ["drill", "inflation", "--store", "shared"]);
    done.refuses(
        ENVIRONMENT,
        &["the store shared/inflation is being written to", "give `--store` a folder of its own"],
    );
    store::append(&mut journal, 5);
    journal.close().unwrap();
    let audit = ripcord(folder.path(), ["audit", "verify", "shared/inflation", "--json"]).json();
    assert_eq!((&audit["entries"], &audit["torn_tail"]), (&10.into(), &false.into()), "nothing is lost");
    assert!(!folder.path().join("shared/inflation-private").exists());
}

#[test]
fn a_store_that_cannot_be_made_is_the_environment_s_fault() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    ripcord(folder.path(), ["drill", "--store", "file/below"]).refuses(ENVIRONMENT, &["cannot create file/below"]);
    fs::write(folder.path().join(".ripcord"), "").unwrap();
    ripcord(folder.path(), ["drill"]).refuses(ENVIRONMENT, &["cannot create .ripcord/drill"]);
}

/// A file system of one megabyte, gone when dropped.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder.path()).output();
        mount.is_ok_and(|output| output.status.success()).then_some(Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_full_disk_ends_the_drill_and_what_was_journaled_verifies() {
    let Some(disk) = SmallDisk::mount() else {
        let line =
            "skipped: drill::a_full_disk_ends_the_drill_and_what_was_journaled_verifies needs root to mount a tmpfs";
        writeln!(std::io::stderr(), "{line}").unwrap();
        return;
    };
    fs::write(disk.0.path().join("ballast"), vec![0; 500 * 1024]).unwrap();
    let done = ripcord(disk.0.path(), ["drill", "inflation", "--store", "here"]);
    done.refuses(ENVIRONMENT, &["here/inflation/journal.db", "full", "free space on the disk"]);
    let audit = ripcord(disk.0.path(), ["audit", "verify", "here/inflation", "--json"]).json();
    assert!(number(&audit["entries"]) > 0, "{audit}");
    assert_eq!(audit["unsigned_tail"], 0);
}
