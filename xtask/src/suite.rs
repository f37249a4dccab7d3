//! The checks of the repository, in one order, cheap first: what a contributor runs and what CI runs.
//!
//! Cargo builds the dependencies three times, and no more: once as metadata for clippy, once for the tests (xtask itself, unit
//! tests and doc tests share that build while the dev and test profiles agree about dependencies), once in release for the
//! drill. The fuzz targets are a workspace of their own and build the crates they reach once more, with coverage.
//!
//! Cold, on two cores, the dependencies of clippy take 82 s and those of the tests 124 s more, if procedural macros and build
//! scripts are not optimised. An `opt-level` under `[profile.dev.package."*"]` reaches them too, whatever `build-override`
//! says, and makes that 266 s and 132 s.

use std::path::Path;

use crate::data::Unpacked;
use crate::failure::Failure;
use crate::process::Program;
use crate::steps::{Steps, Summary};
use crate::{contracts, data, fuzz, gas, kit_doc, tidy, tools};

/// Tests over recorded chain data stand in modules of this name and are `#[ignore]`d with a reason.
const DATA_TESTS: &str = "test(/(^|::)real_data::/)";
/// The run whose summary closes the output.
const UNIT_TESTS: &str = "tests";

/// How long the suite may take: `Short` is for every change, `Long` for every night.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    Short,
    Long,
}

impl Length {
    /// Settings of tests that can do more when there is time.
    fn settings(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Short => &[],
            Self::Long => &[("RIPCORD_SIM_SEEDS", "2560"), ("PROPTEST_CASES", "8192")],
        }
    }

    fn nextest_profile(self) -> &'static str {
        match self {
            Self::Short => "ci",
            Self::Long => "nightly",
        }
    }

    /// Profile of `contracts/foundry.toml`; `ci` is its long one.
    fn forge_profile(self) -> &'static str {
        match self {
            Self::Short => "default",
            Self::Long => "ci",
        }
    }

    fn fuzz_secs(self) -> u32 {
        match self {
            Self::Short => 10,
            Self::Long => 600,
        }
    }
}

/// Runs every step until one fails, then prints what was run and how it went.
pub(crate) fn run(root: &Path, length: Length) -> Result<(), Failure> {
    let mut steps = Steps::new();
    let outcome = all(&mut steps, root, length);
    eprint!("{}", steps.table(UNIT_TESTS));
    outcome
}

fn all(steps: &mut Steps, root: &Path, length: Length) -> Result<(), Failure> {
    steps.run("set-up", || tools::ensure(root).and_then(|()| contracts::install(root)).map(nothing))?;
    steps.run("tidy", || tidy::run(root).map(nothing))?;
    steps.run("format", || cargo(root, &["fmt", "--check"]).run().map(nothing))?;
    steps.run("licences", || licences(root))?;
    steps.run("clippy", || {
        let words = ["clippy", "--quiet", "--workspace", "--all-targets", "--", "-D", "warnings"];
        cargo(root, &words).run().map(nothing)
    })?;
    steps.run("data tests", || data_tests(root, length))?;
    steps.run(UNIT_TESTS, || nextest(root, length, &[]))?;
    steps.run("doc tests", || {
        cargo(root, &["test", "--quiet", "--doc", "--workspace"]).summaries(|line| line.starts_with("test result:"))
    })?;
    steps.run("solidity format", || contracts::formatted(root).map(nothing))?;
    steps.run("solidity artifacts", || contracts::artifacts(root, true).map(nothing))?;
    steps.run("solidity tests", || contracts::test(root, length.forge_profile()))?;
    steps.run("kit page", || kit_doc::run(root, true).map(nothing))?;
    steps.run("gas", || gas::measure(root)?.judge())?;
    steps.run("drill", || drill(root))?;
    steps.run("fuzz", || fuzz::targets(root, length.fuzz_secs(), None))?;
    if length == Length::Long {
        steps.run("advisories", || advisories(root))?;
        steps.run("benchmarks", || cargo(root, &["bench", "--workspace"]).run().map(nothing))?;
    }
    Ok(())
}

/// Everything of deny.toml that needs no network beyond the packages themselves.
fn licences(root: &Path) -> Result<Summary, Failure> {
    cargo(root, &["fetch", "--quiet"]).run()?;
    cargo(root, &["deny", "--offline", "check", "licenses", "bans", "sources"])
        .summaries(|line| line.contains("bans ok"))
}

/// Vulnerabilities and withdrawn crates; without its database the check did not happen, and says so.
fn advisories(root: &Path) -> Result<Summary, Failure> {
    if !cargo(root, &["deny", "fetch", "db"]).answers() {
        return Ok(vec!["NOT CHECKED: the advisory database could not be fetched".to_owned()]);
    }
    cargo(root, &["deny", "check", "advisories"]).summaries(|line| line.starts_with("advisories "))
}

/// Runs the tests over recorded data, or names the ones that do not run without it.
fn data_tests(root: &Path, length: Length) -> Result<Summary, Failure> {
    let unpacked = data::unpack(root)?;
    eprintln!("{unpacked}");
    let chosen = ["--run-ignored", "only", "-E", DATA_TESTS];
    match unpacked {
        Unpacked::At(_) => nextest(root, length, &[chosen.as_slice(), &["--no-tests", "pass"]].concat()),
        Unpacked::Absent(_) => {
            let list = [["nextest", "list", "--workspace", "--message-format", "oneline"].as_slice(), &chosen].concat();
            let names = cargo(root, &list).answer()?;
            Ok(names.lines().map(|name| format!("skipped for want of data: {name}")).collect())
        }
    }
}

fn nextest(root: &Path, length: Length, more: &[&str]) -> Result<Summary, Failure> {
    let words = ["nextest", "run", "--workspace", "--profile", length.nextest_profile()];
    let run = cargo(root, &[words.as_slice(), more].concat());
    let run = length.settings().iter().fold(run, |run, (key, value)| run.env(key, value));
    run.summaries(|line| line.trim_start().starts_with("Summary ["))
}

/// The command of the README, with a fixed seed: it must succeed and print JSON and nothing else on stdout.
fn drill(root: &Path) -> Result<Summary, Failure> {
    let words = ["run", "--quiet", "--release", "--bin", "ripcord", "--", "drill", "--json", "--seed", "7"];
    let output = cargo(root, &words).answer()?;
    json_documents(&output).map(|count| vec![format!("{count} JSON document(s)")])
}

fn json_documents(text: &str) -> Result<usize, Failure> {
    let mut count = 0;
    for document in serde_json::Deserializer::from_str(text).into_iter::<serde::de::IgnoredAny>() {
        document.map_err(|error| {
            Failure::new(
                format!("`drill --json` printed something else than JSON: {error}"),
                "print all but the result on stderr",
            )
        })?;
        count += 1;
    }
    if count == 0 {
        return Err(Failure::new("`drill --json` printed nothing", "print the result of the drill on stdout"));
    }
    Ok(count)
}

fn cargo(root: &Path, words: &[&str]) -> Program {
    let all: Vec<&str> = std::iter::once("cargo").chain(words.iter().copied()).collect();
    let program = Program::new(root, &all);
    // A machine that builds once gains nothing from incremental state.
    if std::env::var_os("CI").is_some() { program.env("CARGO_INCREMENTAL", "0") } else { program }
}

fn nothing((): ()) -> Summary {
    Summary::new()
}

#[cfg(test)]
mod tests {
    use super::json_documents;

    #[test]
    fn a_drill_prints_json_and_nothing_else() {
        assert_eq!(json_documents("{\"seed\":7}\n").unwrap(), 1);
        assert_eq!(json_documents("{\"a\":1}\n{\"b\":2}\n").unwrap(), 2);
        assert!(json_documents("").is_err());
        assert!(json_documents("drill passed\n{\"seed\":7}\n").is_err());
    }
}
