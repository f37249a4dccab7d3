//! Runs other programs: inherited output for long steps, captured output where a step reads an answer.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use crate::failure::Failure;

/// Where `tools` puts programs it had to fetch; first on every child's PATH.
pub(crate) const TOOLS: &str = ".cache/tools";

/// A program to run at the root of the repository, or in a folder below it.
pub(crate) struct Program {
    command: Command,
    shown: String,
}

impl Program {
    /// `words` is the program and its arguments.
    pub(crate) fn new(root: &Path, words: &[&str]) -> Self {
        let mut words = words.iter();
        let name = words.next().copied().unwrap_or_default();
        let mut command = Command::new(name);
        command.args(words.clone()).current_dir(root).env("PATH", search_path(root));
        // Cargo describes xtask to this process; passed on, that description would make build scripts run again.
        for (key, _) in std::env::vars_os() {
            let key_text = key.to_string_lossy();
            if key_text.starts_with("CARGO_PKG_") || key_text.starts_with("CARGO_MANIFEST_") {
                command.env_remove(&key);
            }
        }
        let shown = std::iter::once(name).chain(words.copied()).collect::<Vec<_>>().join(" ");
        Self { command, shown }
    }

    pub(crate) fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn env(mut self, key: &str, value: impl Into<OsString>) -> Self {
        self.command.env(key, value.into());
        self
    }

    /// Whether the program is there and answers with success; prints nothing.
    pub(crate) fn answers(mut self) -> bool {
        let quiet = self.command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        quiet.status().is_ok_and(|status| status.success())
    }

    /// Runs with its output on our stderr, which keeps our own stdout for results.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        self.command.stdin(Stdio::null()).stdout(std::io::stderr());
        let status = self.command.status().map_err(|error| self.not_started(&error))?;
        self.judge(status)
    }

    /// Runs, shows stderr, and returns stdout.
    pub(crate) fn answer(mut self) -> Result<String, Failure> {
        self.command.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = self.command.output().map_err(|error| self.not_started(&error))?;
        self.judge(output.status)?;
        String::from_utf8(output.stdout)
            .map_err(|_| Failure::new(format!("`{}` printed text that is not UTF-8", self.shown), "run it by hand"))
    }

    /// Runs, shows stderr, and returns stdout whatever the exit status.
    pub(crate) fn spoken(mut self) -> Result<String, Failure> {
        self.command.stdin(Stdio::null()).stderr(Stdio::inherit());
        let output = self.command.output().map_err(|error| self.not_started(&error))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Runs with all output shown and returns the lines in which `keep` sees the runner's own summary.
    pub(crate) fn summaries(mut self, keep: fn(&str) -> bool) -> Result<Vec<String>, Failure> {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().map_err(|error| self.not_started(&error))?;
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let kept = thread::scope(|scope| {
            let readers = [scope.spawn(move || show(stdout, keep)), scope.spawn(move || show(stderr, keep))];
            readers.into_iter().flat_map(|reader| reader.join().unwrap_or_default()).collect()
        });
        let status = child.wait().map_err(|error| self.not_started(&error))?;
        self.judge(status).map(|()| kept)
    }

    fn judge(&self, status: ExitStatus) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        Err(Failure::new(
            format!("`{}` ended with {status}", self.shown),
            "its own messages stand above; run it alone once they are mended",
        ))
    }

    fn not_started(&self, error: &std::io::Error) -> Failure {
        Failure::new(
            format!("`{}` could not be started: {error}", self.shown),
            "install the program or put it on the PATH; CONTRIBUTING.md lists what the checks need",
        )
    }
}

fn search_path(root: &Path) -> OsString {
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    let tools: PathBuf = root.join(TOOLS).join("bin");
    let folders = std::iter::once(tools).chain(std::env::split_paths(&inherited));
    // A folder of the PATH that cannot be written back leaves the PATH as it was.
    std::env::join_paths(folders).unwrap_or(inherited)
}

fn show(stream: Option<impl Read>, keep: fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    let Some(stream) = stream else { return kept };
    for line in BufReader::new(stream).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line).into_owned();
        // A terminal that went away must not stop the child.
        let _gone = writeln!(std::io::stderr(), "{line}");
        if keep(&line) {
            kept.push(line.trim().to_owned());
        }
    }
    kept
}
