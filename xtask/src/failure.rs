//! Why a command of ours stopped, and what to do next.

use std::fmt;

/// One sentence of cause and one of advice; both are written for the person at the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    cause: String,
    help: String,
}

impl Failure {
    pub(crate) fn new(cause: impl Into<String>, help: impl Into<String>) -> Self {
        Self { cause: cause.into(), help: help.into() }
    }

    /// A file or folder of the repository could not be read or written.
    pub(crate) fn file(path: &std::path::Path, error: &dyn fmt::Display) -> Self {
        Self::new(
            format!("{}: {error}", path.display()),
            "check that the path exists and that you may read and write it",
        )
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\nhelp: {}", self.cause, self.help)
    }
}
