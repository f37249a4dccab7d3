//! Programs that the checks need beside the Rust toolchain: cargo-nextest and cargo-deny.
//!
//! What is installed is used. What is missing is fetched into `.cache/tools`: first as a prebuilt binary, pinned by hash in
//! `xtask/tools/*.txt` (2 s each), else built from source (cargo-deny: 145 s on two cores).

use std::path::Path;

use crate::failure::Failure;
use crate::process::{Program, TOOLS};

struct Tool {
    /// Package on the Rust registry, and the cargo subcommand after the dash.
    package: &'static str,
    subcommand: &'static str,
    version: &'static str,
    /// Requirements file with the prebuilt binary's hash.
    prebuilt: &'static str,
}

const NEEDED: [Tool; 2] = [
    Tool {
        package: "cargo-nextest",
        subcommand: "nextest",
        version: "0.9.148",
        prebuilt: "xtask/tools/cargo-nextest.txt",
    },
    Tool { package: "cargo-deny", subcommand: "deny", version: "0.20.2", prebuilt: "xtask/tools/cargo-deny.txt" },
];

/// Makes sure that every program the checks call is there.
pub(crate) fn ensure(root: &Path) -> Result<(), Failure> {
    NEEDED.iter().try_for_each(|tool| ensure_tool(root, tool))
}

fn ensure_tool(root: &Path, tool: &Tool) -> Result<(), Failure> {
    if present(root, tool) {
        return Ok(());
    }
    eprintln!("fetching {} {} into {TOOLS}", tool.package, tool.version);
    let fetched = python(root).is_some_and(|python| prebuilt(root, python, tool).answers());
    if fetched && present(root, tool) {
        return Ok(());
    }
    eprintln!("no prebuilt {} for this machine: building it from source", tool.package);
    let version = tool.version;
    let words = ["cargo", "install", "--locked", tool.package, "--version", version, "--root", TOOLS];
    Program::new(root, &words).run()
}

fn present(root: &Path, tool: &Tool) -> bool {
    Program::new(root, &["cargo", tool.subcommand, "--version"]).answers()
}

fn python(root: &Path) -> Option<&'static str> {
    ["python3", "python"].into_iter().find(|name| Program::new(root, &[name, "-m", "pip", "--version"]).answers())
}

fn prebuilt(root: &Path, python: &str, tool: &Tool) -> Program {
    let words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade", "--require-hashes"];
    let limits = ["--no-deps", "--only-binary", ":all:", "--target", TOOLS, "-r", tool.prebuilt];
    let all: Vec<&str> = std::iter::once(python).chain(words).chain(limits).collect();
    Program::new(root, &all)
}
