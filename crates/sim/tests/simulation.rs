//! The seeded simulation: many worlds, crashes at every write, a real store, and planted faults that must be noticed.
//!
//! `RIPCORD_SIM_SEEDS` multiplies: `cargo xtask nightly` sets it to 2,560.

use ripcord_sim::simulation::{
    Breach, Options, Planted, SimulationError, SqliteDisk, Stage, Tally, crash_at_every_write, simulate, simulate_on,
};

/// Steps per seed.
const STEPS: u32 = 2000;
/// Tests that share the seeds, so that the runner can use all cores.
const SLICES: u64 = 8;

fn seeds() -> u64 {
    std::env::var("RIPCORD_SIM_SEEDS").ok().and_then(|v| v.parse().ok()).unwrap_or(256)
}

fn options(seed: u64, steps: u32, planted: Option<Planted>) -> Options {
    Options { seed, steps, crash_every: 200, planted }
}

fn explain(error: &SimulationError) -> String {
    let cause = std::error::Error::source(error).map(|c| format!(": {c}")).unwrap_or_default();
    format!("{error}{cause}")
}

/// Every world of a slice stays safe after each step and comes to rest, and the slice as a whole has seen all kinds of trouble.
fn slice(index: u64) {
    let stage = Stage::new().expect("the stage is set");
    let mut sum = Tally::default();
    for seed in (0..seeds()).filter(|s| s % SLICES == index) {
        let tally = simulate(&stage, options(seed, STEPS, None)).unwrap_or_else(|e| panic!("{}", explain(&e)));
        sum.steps += tally.steps;
        sum.crashes += tally.crashes;
        sum.reorgs += tally.reorgs;
        sum.pauses += tally.pauses;
        sum.incidents += tally.incidents;
    }
    assert!(sum.crashes > sum.steps / 400, "too few crashes to mean anything: {sum:?}");
    assert!(sum.reorgs > 0 && sum.pauses > 0 && sum.incidents > 0, "the worlds were too quiet: {sum:?}");
}

macro_rules! slices {
    ($($name:ident = $index:literal),*) => { $(#[test] fn $name() { slice($index); })* };
}

slices!(worlds_0 = 0, worlds_1 = 1, worlds_2 = 2, worlds_3 = 3, worlds_4 = 4, worlds_5 = 5, worlds_6 = 6, worlds_7 = 7);

/// In this world the guardian's pause lands in a block that a crash and a fresh state make it skip: it once paused again under the same key.
#[test]
fn a_pause_in_a_skipped_block_is_found_and_not_repeated() {
    let stage = Stage::new().expect("the stage is set");
    simulate(&stage, options(1602, 600, None)).unwrap_or_else(|e| panic!("{}", explain(&e)));
}

fn every_write(seeds: std::ops::Range<u64>) {
    let stage = Stage::new().expect("the stage is set");
    for seed in seeds {
        let tried = crash_at_every_write(&stage, seed, 500, 5).unwrap_or_else(|e| panic!("{}", explain(&e)));
        assert!(tried > 500, "seed {seed} wrote too little: {tried} crashes");
    }
}

#[test]
fn a_crash_at_every_write_is_survived_0() {
    every_write(0..4);
}

#[test]
fn a_crash_at_every_write_is_survived_1() {
    every_write(4..8);
}

#[test]
fn worlds_on_a_real_store() {
    let stage = Stage::new().expect("the stage is set");
    for seed in 1000..1016 {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = SqliteDisk::open(folder.path().join("store")).expect("a store");
        let tally = simulate_on(&stage, options(seed, STEPS, None), disk).unwrap_or_else(|e| panic!("{}", explain(&e)));
        assert!(tally.crashes > 0, "seed {seed} never crashed");
        let audit = ripcord_store::verify(&folder.path().join("store")).expect("the journal verifies");
        assert_eq!(audit.size, tally.writes, "seed {seed}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let stage = Stage::new().expect("the stage is set");
    let run = || simulate(&stage, options(42, STEPS, None)).unwrap_or_else(|e| panic!("{}", explain(&e)));
    assert_eq!(run(), run());
}

/// The first breach among some seeds with a fault planted.
fn noticed(planted: Planted) -> Breach {
    let stage = Stage::new().expect("the stage is set");
    let found = (0..32).find_map(|seed| match simulate(&stage, options(seed, STEPS, Some(planted))) {
        Err(SimulationError::Breach { breach, .. }) => Some(breach),
        Err(other) => panic!("{}", explain(&other)),
        Ok(_) => None,
    });
    found.unwrap_or_else(|| panic!("{planted:?} went unnoticed"))
}

#[test]
fn a_journal_that_skips_the_flush_is_noticed() {
    let breach = noticed(Planted::SkipFlush);
    assert!(matches!(breach, Breach::IntentLost(_) | Breach::Shrank(..) | Breach::StateDiffers), "{breach}");
}

#[test]
fn unknown_read_as_holds_is_noticed() {
    let breach = noticed(Planted::UnknownAsHolds);
    assert!(matches!(breach, Breach::SilentlyBlind(_)), "{breach}");
}

#[test]
fn a_forgotten_idempotency_key_is_noticed() {
    let breach = noticed(Planted::ForgetKey);
    assert!(matches!(breach, Breach::NoIntent(_)), "{breach}");
}
