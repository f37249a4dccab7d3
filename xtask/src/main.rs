//! The repository's own tool: `cargo xtask test` is what CI runs and what the README names.
//!
//! It owns the order of the checks and knows nothing of what they check, but for `tidy`, which holds the rules of the house
//! that no other tool knows.

#![expect(clippy::print_stderr, reason = "a command-line tool reports its progress on stderr")]

mod contracts;
mod data;
mod failure;
mod fuzz;
mod gas;
mod kit_doc;
mod process;
mod steps;
mod suite;
mod tidy;
mod tools;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::suite::Length;

/// Set-up, checks, tests, fuzzing and test data of the repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything CI runs: set-up, checks, tests, a short fuzz run and a drill.
    Test,
    /// `test` with long settings, then benchmarks, long fuzzing and, where its database can be had, the advisory check.
    Nightly,
    /// Check the rules of the house that no other tool knows.
    Tidy,
    /// Build the Solidity kit and write its committed artifacts.
    Contracts {
        /// Write nothing; fail when the committed artifacts differ from a fresh build.
        #[arg(long)]
        check: bool,
    },
    /// Measure the kit's gas against its goals and the best peers.
    Gas {
        /// Print `rows[]{operation, goal, ours, peer, peer_name}` instead of a table.
        #[arg(long)]
        json: bool,
    },
    /// Write the tables of docs/kit.md from measurements, and check the tests that it names.
    KitDoc {
        /// Write nothing; fail when the page differs from what would be written.
        #[arg(long)]
        check: bool,
    },
    /// Flip each guard condition of the kit; every mutant must be noticed by a test.
    MutateSol {
        /// Only files whose path contains this.
        #[arg(long)]
        file: Option<String>,
    },
    /// Build the fuzz targets on stable Rust and run them.
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 60)]
        secs: u32,
        /// One target; all of them when absent.
        target: Option<String>,
    },
    /// Unpack the recorded chain data named by RIPCORD_DATA into .cache/data.
    Data,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments.command, &root()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, root: &Path) -> Result<(), Failure> {
    match command {
        Command::Test => suite::run(root, Length::Short),
        Command::Nightly => suite::run(root, Length::Long),
        Command::Tidy => tidy::run(root),
        Command::Contracts { check } => contracts::artifacts(root, check),
        Command::Gas { json } => gas::run(root, json),
        Command::KitDoc { check } => kit_doc::run(root, check),
        Command::MutateSol { file } => match file {
            Some(file) => contracts::mutate(root, &["--file", &file]),
            None => contracts::mutate(root, &[]),
        },
        Command::Fuzz { secs, target } => fuzz::run(root, secs, target.as_deref()),
        Command::Data => data::unpack(root).map(|unpacked| eprintln!("{unpacked}")),
    }
}

/// The folder of the workspace, wherever the command was started. Cargo names it when it runs us; a binary run by hand falls
/// back to where it was built.
fn root() -> PathBuf {
    let own = std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    own.parent().map_or(own.clone(), Path::to_path_buf)
}
