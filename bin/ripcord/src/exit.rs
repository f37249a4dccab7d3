//! Exit codes and the one form of an error.

use ripcord_store::StoreError;
use std::path::Path;
use std::process::ExitCode;

/// Shown after `--help`.
pub(crate) const TABLE: &str = "Exit codes: 0 ok, 1 findings, 2 usage or configuration, 3 environment unreachable, \
4 refused by policy or approval, 5 verification failed, 130 interrupted.";

/// Exit codes (`docs/exit-codes.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// A test, lint, rule or comparison found something.
    Findings = 1,
    /// Wrong usage or configuration, or malformed input.
    Usage = 2,
    /// A file, folder, disk or service cannot be used.
    Environment = 3,
    /// Evidence does not verify.
    Verification = 5,
}

impl Exit {
    /// What an unusable store means for the caller.
    pub(crate) fn of_store(error: &StoreError) -> Self {
        use StoreError::{Damaged, Key, Newer, NotAJournal, Origin, OtherLog};
        if matches!(error, Damaged { .. }) {
            Self::Verification
        } else if matches!(error, NotAJournal { .. } | Newer { .. } | OtherLog { .. } | Origin(_) | Key { .. }) {
            Self::Usage
        } else {
            // Lock, disk, and whatever a later release of the store adds.
            Self::Environment
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error on its way to the user.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
    help: String,
    silent: bool,
}

impl Failure {
    /// An error with all its causes on one line, and what to do next.
    pub(crate) fn new(exit: Exit, error: &dyn std::error::Error, help: impl Into<String>) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(inner) = cause {
            message = format!("{message}: {inner}");
            cause = inner.source();
        }
        Self { exit, message, help: help.into(), silent: false }
    }

    pub(crate) fn text(exit: Exit, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { exit, message: message.into(), help: help.into(), silent: false }
    }

    /// The same error with other advice: the caller knows more about what the user was doing.
    pub(crate) fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// The same error, found in a file.
    pub(crate) fn at(self, file: &Path) -> Self {
        Self { message: format!("{}: {}", file.display(), self.message), ..self }
    }

    /// The reader of stdout has gone: no error of ours. Any other failure to write is one.
    pub(crate) fn pipe(error: &std::io::Error) -> Self {
        let silent = error.kind() == std::io::ErrorKind::BrokenPipe;
        let exit = if silent { Exit::Ok } else { Exit::Environment };
        Self {
            exit,
            message: format!("cannot write the result: {error}"),
            help: "free space on the target of stdout".to_owned(),
            silent,
        }
    }

    pub(crate) fn report(self) -> ExitCode {
        if !self.silent {
            crate::tell(&format!("error: {}", self.message));
            crate::tell(&format!("help: {}", self.help));
        }
        self.exit.into()
    }
}
