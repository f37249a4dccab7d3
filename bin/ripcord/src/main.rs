//! The command line of Ripcord: parse, call a library, render. No logic.

mod audit;
mod check;
mod drill;
mod exit;
mod replay;

use clap::{Parser, Subcommand};
use exit::{Exit, Failure};
use std::path::Path;
use std::process::ExitCode;

/// Fail-safe system for smart-contract protocols.
#[derive(Parser)]
#[command(name = "ripcord", version, max_term_width = 100, after_help = exit::TABLE)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Watch a theft drain a market, then watch the same theft fail.
    Drill(drill::Args),
    /// Replay recorded Ethereum blocks and compare gas and logs with their headers.
    Replay(replay::Args),
    /// Check a journal that Ripcord left.
    #[command(subcommand)]
    Audit(audit::Command),
    /// Check a policy file and show all its errors at once.
    Check(check::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are results and go to stdout; clap's own errors carry their advice.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            drop(error.print());
            return code.into();
        }
    };
    let done = match cli.command {
        Command::Drill(args) => drill::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Audit(command) => audit::run(&command),
        Command::Check(args) => check::run(&args),
    };
    match done {
        Ok(code) => code.into(),
        Err(failure) => failure.report(),
    }
}

/// Writes a line of the result to stdout. A closed pipe ends the program quietly.
fn print(line: &str) -> Result<(), Failure> {
    use std::io::Write;
    match writeln!(std::io::stdout().lock(), "{line}") {
        Ok(()) => Ok(()),
        Err(error) => Err(Failure::pipe(&error)),
    }
}

/// A path as one word of a POSIX shell, so that a printed command can be pasted.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return text;
    }
    let quoted = format!("'{}'", text.replace('\'', r"'\''"));
    if text.starts_with('-') { format!("-- {quoted}") } else { quoted }
}

/// Writes a line to stderr: progress and hints.
fn tell(line: &str) {
    use std::io::Write;
    // Nobody can be told that stderr is closed.
    drop(writeln!(std::io::stderr().lock(), "{line}"));
}
