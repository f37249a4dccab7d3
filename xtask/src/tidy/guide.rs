//! ARCHITECTURE.md is short, names every crate, and its code map names only what exists.

use super::{Finding, SourceFile};

pub(super) const PATH: &str = "ARCHITECTURE.md";
const LINES_MAX: usize = 300;
/// A word with a slash is a path of the repository when it starts with one of these; `application/json` is none.
const FOLDERS: [&str; 11] =
    ["bin", "contracts", "crates", "docs", "drills", "fuzz", "xtask", ".ci", ".config", ".cargo", ".cache"];

/// `crates` are the folders of the workspace's members; `exists` answers for a path relative to the root.
pub(super) fn check(guide: Option<&SourceFile>, crates: &[String], exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut report = |line, message: String, help| {
        findings.push(Finding { path: PATH.to_owned(), line, message, help });
    };
    let Some(guide) = guide else {
        report(1, "is missing".to_owned(), "write the picture, the code map and the invariants");
        return findings;
    };
    let lines = guide.text.lines().count();
    if lines > LINES_MAX {
        report(LINES_MAX + 1, format!("has {lines} lines"), "at most 300: move detail into docs/ or module comments");
    }
    for folder in crates.iter().filter(|folder| !guide.text.contains(folder.as_str())) {
        report(1, format!("does not name the crate {folder}"), "give it a line in the code map");
    }
    let map: Vec<(usize, &str)> = code_map(&guide.text).collect();
    if map.is_empty() {
        report(
            1,
            "has no section `Code map`".to_owned(),
            "newcomers find their way by it; add the heading and the map",
        );
    }
    for (line, path) in map.into_iter().flat_map(|(line, text)| paths(text).map(move |path| (line, path))) {
        if !exists(path) {
            report(line, format!("names `{path}`, which does not exist"), "correct the path or take the entry out");
        }
    }
    findings
}

/// The numbered lines below the heading `Code map`, up to the next heading of the same or a higher level.
fn code_map(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let level = |line: &str| line.chars().take_while(|c| *c == '#').count();
    let mut map_level = None;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let own = level(line);
        if own > 0 && line.to_ascii_lowercase().contains("code map") {
            map_level = Some(own);
        } else if own > 0 && map_level.is_some_and(|level| own <= level) {
            map_level = None;
        }
        map_level.is_some()
    })
}

/// Words in backticks that are paths of the repository.
fn paths(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|word| {
        let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "._-/".contains(c));
        plain && word.split_once('/').is_some_and(|(first, _)| FOLDERS.contains(&first))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "# Ripcord\n## Code map\n`crates/core/` decides, `application/json` is no path.\n## Rules\n`crates/old/`";

    fn findings(text: &str, crates: &[&str]) -> Vec<(usize, String)> {
        let guide = SourceFile { path: PATH.to_owned(), text: text.to_owned() };
        let crates: Vec<String> = crates.iter().map(|folder| (*folder).to_owned()).collect();
        let found = check(Some(&guide), &crates, |path| path == "crates/core/");
        found.into_iter().map(|finding| (finding.line, finding.message)).collect()
    }

    #[test]
    fn a_good_guide_has_no_findings() {
        assert_eq!(findings(GOOD, &["crates/core"]), []);
    }

    #[test]
    fn a_missing_guide_is_found() {
        assert_eq!(check(None, &[], |_| true).len(), 1);
    }

    #[test]
    fn a_crate_without_a_line_is_found() {
        assert_eq!(findings(GOOD, &["crates/evm"]), [(1, "does not name the crate crates/evm".to_owned())]);
    }

    #[test]
    fn a_stale_path_is_found_at_its_line() {
        let text = GOOD.replace("decides", "decides, `crates/core/src/gone.rs`");
        assert_eq!(findings(&text, &[]), [(3, "names `crates/core/src/gone.rs`, which does not exist".to_owned())]);
    }

    #[test]
    fn a_long_guide_and_one_without_a_map_are_found() {
        assert_eq!(findings(&format!("{GOOD}{}", "\n".repeat(300)), &[])[0].1, "has 304 lines");
        assert_eq!(findings("# Ripcord\n", &[])[0].1, "has no section `Code map`");
    }
}
