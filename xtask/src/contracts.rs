//! The Solidity kit: its packages, its build, and the committed artifacts that the Rust side embeds.
//!
//! What building and comparing mean is written in `contracts/package.json`; this file only calls its scripts.

use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::process::Program;
use crate::steps::Summary;

/// Copy of the lock file that `node_modules` was installed from.
const STAMP: &str = "node_modules/.installed-lock.json";

/// Installs the packages of `contracts/` when the lock file is not the one they were installed from.
pub(crate) fn install(root: &Path) -> Result<(), Failure> {
    let dir = root.join("contracts");
    let lock_path = dir.join("package-lock.json");
    let lock = fs::read(&lock_path).map_err(|error| Failure::file(&lock_path, &error))?;
    let stamp_path = dir.join(STAMP);
    if fs::read(&stamp_path).is_ok_and(|stamp| stamp == lock) {
        return Ok(());
    }
    npm(root, &["ci", "--no-audit", "--no-fund"]).run()?;
    fs::write(&stamp_path, lock).map_err(|error| Failure::file(&stamp_path, &error))
}

/// Builds the kit and writes `contracts/artifacts`, or only compares them.
pub(crate) fn artifacts(root: &Path, check: bool) -> Result<(), Failure> {
    install(root)?;
    npm(root, &["run", "--silent", if check { "artifacts:check" } else { "artifacts" }]).run()
}

pub(crate) fn formatted(root: &Path) -> Result<(), Failure> {
    npm(root, &["run", "--silent", "fmt", "--", "--check"]).run()
}

/// Runs the Solidity tests under a profile of `foundry.toml` and returns forge's closing lines.
pub(crate) fn test(root: &Path, profile: &str) -> Result<Summary, Failure> {
    npm(root, &["run", "--silent", "test"]).env("FOUNDRY_PROFILE", profile).summaries(closing)
}

/// Runs the gas tests, each call a transaction of its own, and returns forge's JSON; a failed test is in it, not an error.
pub(crate) fn gas(root: &Path) -> Result<String, Failure> {
    install(root)?;
    npm(root, &["run", "--silent", "gas"]).spoken()
}

/// Flips each guard condition of the kit; an error when a mutant survives.
pub(crate) fn mutate(root: &Path, more: &[&str]) -> Result<(), Failure> {
    install(root)?;
    npm(root, &[&["run", "--silent", "mutate", "--"], more].concat()).run()
}

fn npm(root: &Path, arguments: &[&str]) -> Program {
    let words: Vec<&str> = std::iter::once("npm").chain(arguments.iter().copied()).collect();
    Program::new(root, &words).dir(&root.join("contracts"))
}

fn closing(line: &str) -> bool {
    line.starts_with("Ran ") && line.contains("test suite") && line.contains(" in ")
}
