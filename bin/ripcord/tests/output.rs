//! What goes where: results to stdout, everything else to stderr, no colours without a terminal, and no fuss when the reader leaves.

use crate::invocation::{command, finish, ripcord};
use crate::{ENVIRONMENT, OK, USAGE, store};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;

#[test]
fn a_reader_that_leaves_early_ends_the_program_quietly() {
    let folder = tempfile::tempdir().unwrap();
    // Paced, so that there is more to write after the reader has gone.
    let args = ["drill", "inflation", "--speed", "40x"];
    let mut child = command(folder.path(), args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut reader = BufReader::with_capacity(1, child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    drop(reader);
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(OK), "{stderr}");
    assert!(first.starts_with("Scenario inflation"), "{first}");
    assert_eq!(stderr, "");
}

#[test]
fn a_result_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    store::make(&folder.path().join("store"), 3);
    let mut command = command(folder.path(), ["audit", "verify", "store"]);
    // The device that is always full.
    let done =
        command.stdout(File::options().write(true).open("/dev/full").unwrap()).stderr(Stdio::piped()).spawn().unwrap();
    let output = done.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(ENVIRONMENT), "{stderr}");
    assert!(stderr.contains("error: cannot write the result: ") && stderr.contains("help: "), "{stderr}");
}

#[test]
fn nothing_is_coloured_without_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    store::make(&folder.path().join("store"), 3);
    fs::write(folder.path().join("ripcord.toml"), "schema = 2\n").unwrap();
    let runs: [&[&str]; 7] = [
        &["--help"],
        &["drill", "--help"],
        &["drill", "nonsense"],
        &["audit", "verify", "store"],
        &["check"],
        &["replay", "--blocks", "absent"],
        &["drill", "inflation-private", "--seed", "5"],
    ];
    for args in runs {
        let done = finish(command(folder.path(), args).env("TERM", "xterm-256color").env_remove("NO_COLOR"));
        assert!(!done.stdout.contains('\u{1b}') && !done.stderr.contains('\u{1b}'), "{args:?}: {done:?}");
    }
}

/// Runs under a pseudo-terminal of `script`; `None` where there is none.
fn in_a_terminal(folder: &Path, args: &str) -> Option<String> {
    let line = format!("stty columns 100; '{}' {args}", env!("CARGO_BIN_EXE_ripcord"));
    let mut script = std::process::Command::new("script");
    script.args(["-qec", &line, "/dev/null"]).current_dir(folder).stdin(Stdio::null());
    let output = script.env("TERM", "xterm").env("NO_COLOR", "1").output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn no_color_is_heeded_in_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    store::make(&folder.path().join("store"), 3);
    for args in ["--help", "drill nonsense", "audit verify store", "audit verify absent"] {
        let Some(shown) = in_a_terminal(folder.path(), args) else { return };
        assert!(shown.len() > 40 && !shown.contains("\u{1b}["), "{args}: {shown:?}");
    }
}

#[test]
fn wrong_usage_ends_with_two_and_leaves_stdout_empty() {
    let folder = tempfile::tempdir().unwrap();
    let runs: [(&[&str], &str); 10] = [
        (&[], "Usage: ripcord"),
        (&["dril"], "drill"),
        (&["drill", "nonsense"], "there are: inflation, inflation-private"),
        (&["drill", "--seed", "minus"], "--seed"),
        (&["drill", "--speed", "0"], "0.01x to 1000000x"),
        (&["drill", "--speed", "fast"], "give `max` or a factor"),
        (&["drill", "--unknown"], "--unknown"),
        (&["replay"], "--blocks"),
        (&["replay", "--blocks", "x", "--runs", "0"], "--runs"),
        (&["audit"], "Usage: ripcord audit"),
    ];
    for (args, words) in runs {
        let done = ripcord(folder.path(), args);
        assert_eq!((done.code, done.stdout.as_str()), (USAGE, ""), "{args:?}");
        assert!(done.stderr.contains(words), "{args:?}: {}", done.stderr);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "wrong usage left something behind");
}
