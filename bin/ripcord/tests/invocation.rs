//! One run of the program.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};

/// What a run left.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    /// An error that is one: its code, nothing on stdout, each of `words` on stderr, and a `help:` line.
    pub(crate) fn refuses(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        assert_eq!(self.stdout, "", "an error is not a result");
        for word in words {
            assert!(self.stderr.contains(word), "no {word:?} in: {}", self.stderr);
        }
        assert!(self.stderr.lines().any(|l| l.starts_with("error: ")), "{}", self.stderr);
        assert!(self.stderr.lines().any(|l| l.starts_with("help: ") && l.len() > 10), "{}", self.stderr);
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

/// The program with a fixed width, no terminal and nothing on stdin, working in `folder`.
pub(crate) fn command<A: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ripcord"));
    command.args(args).current_dir(folder).stdin(Stdio::null()).env("COLUMNS", "100");
    command
}

pub(crate) fn ripcord<A: AsRef<OsStr>>(folder: &Path, args: impl IntoIterator<Item = A>) -> Done {
    finish(&mut command(folder, args))
}

pub(crate) fn finish(command: &mut Command) -> Done {
    let output = command.output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a command line that the program printed, as it was printed.
pub(crate) fn pasted(folder: &Path, line: &str) -> Done {
    let program = Path::new(env!("CARGO_BIN_EXE_ripcord"));
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    finish(Command::new("sh").args(["-c", line]).current_dir(folder).stdin(Stdio::null()).env("PATH", path))
}
