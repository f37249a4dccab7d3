//! The rules of the house that no other tool checks. All findings of a run are reported together.
//!
//! A rule is here when it can be decided from the tree alone and has a reason that a newcomer can read in its `help:` line.

mod crates;
mod guide;
pub(crate) mod kit;
mod rust;
mod text;

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use crate::failure::Failure;
use crate::process::Program;

/// One broken rule at one place.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    /// Counted from 1; 1 when the whole file is meant.
    line: usize,
    message: String,
    help: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}\n  help: {}", self.path, self.line, self.message, self.help)
    }
}

/// A text file of the repository; its path is relative to the root, with forward slashes.
pub(crate) struct SourceFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// Checks the whole tree and prints what it finds on stdout.
#[expect(clippy::print_stdout, reason = "the findings are the result of this command")]
pub(crate) fn run(root: &Path) -> Result<(), Failure> {
    let files = sources(root)?;
    let findings = check(root, &files)?;
    for finding in &findings {
        println!("{finding}");
    }
    if findings.is_empty() {
        println!("tidy: {} files, no findings", files.len());
        return Ok(());
    }
    Err(Failure::new(format!("tidy: {} finding(s)", findings.len()), "each one says above what to do"))
}

fn check(root: &Path, files: &[SourceFile]) -> Result<BTreeSet<Finding>, Failure> {
    let mut findings = BTreeSet::new();
    let mut parsed = Vec::new();
    for file in files {
        findings.extend(text::check(file));
        if !file.path.ends_with(".rs") {
            continue;
        }
        findings.extend(rust::file_name(&file.path));
        match syn::parse_file(&file.text) {
            Ok(tree) => {
                findings.extend(rust::check(file, &tree));
                parsed.push((file.path.as_str(), tree));
            }
            Err(error) => findings.extend([Finding {
                path: file.path.clone(),
                line: error.span().start().line,
                message: format!("not Rust: {error}"),
                help: "mend the syntax; the other rules cannot be checked in this file",
            }]),
        }
    }
    findings.extend(crates::check(root, &parsed)?);
    findings.extend(kit::check(files));
    let exists = |path: &str| root.join(path).exists();
    let guide = files.iter().find(|file| file.path == guide::PATH);
    findings.extend(guide::check(guide, &crates::folders(root)?, exists));
    Ok(findings)
}

/// Every text file that git tracks or would track.
pub(crate) fn sources(root: &Path) -> Result<Vec<SourceFile>, Failure> {
    let words = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"];
    let names = Program::new(root, &words).answer()?;
    let mut files = Vec::new();
    for name in names.split('\0').filter(|name| !name.is_empty()) {
        let path = root.join(name);
        // A file that is deleted but not yet staged, a link to a folder, and a submodule have no text.
        if !path.is_file() {
            continue;
        }
        let bytes = fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
        if let Ok(text) = String::from_utf8(bytes) {
            files.push(SourceFile { path: name.to_owned(), text });
        }
    }
    Ok(files)
}
