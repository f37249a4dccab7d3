//! Rules for any text file: open ends, host names and paths that mean something only on one machine.

use super::{Finding, SourceFile};

/// Marks of unfinished work. Written in two halves here and below, because this file is checked too.
const OPEN_ENDS: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const PROSE_AND_CODE: [&str; 4] = [".rs", ".sol", ".toml", ".md"];

const REGISTRY_HOSTS: [&str; 6] = [
    concat!("crates", ".io"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("debian", ".org"),
];

const MACHINE_PATHS: [&str; 2] = [concat!("/wo", "rk/"), concat!("/ro", "ot/")];

pub(super) fn check(file: &SourceFile) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (line, number) in file.text.lines().zip(1..) {
        let mut report = |message: String, help| {
            findings.push(Finding { path: file.path.clone(), line: number, message, help });
        };
        if PROSE_AND_CODE.iter().any(|ending| file.path.ends_with(ending))
            && let Some(word) = words(line).find(|word| OPEN_ENDS.contains(word))
        {
            report(format!("`{word}` marks unfinished work"), "finish it, or open an issue and leave the mark out");
        }
        // Cargo writes the address of its index into every lock file.
        if !file.path.ends_with("Cargo.lock")
            && let Some(host) = REGISTRY_HOSTS.into_iter().find(|host| line.contains(host))
        {
            report(format!("names the registry host {host}"), "name the package; clients know where their registry is");
        }
        if let Some(path) = MACHINE_PATHS.into_iter().find(|path| starts_path(line, path)) {
            report(format!("names {path}, a path of one machine"), "use a path relative to the repository");
        }
        if file.path.ends_with("package-lock.json") && line.contains("\"resolved\":") && line.contains("http") {
            let help = "npm config set omit-lockfile-registry-resolved true, then npm install --package-lock-only";
            report("records a download address".to_owned(), help);
        }
    }
    findings
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

/// Whether `line` holds `path` as the start of an absolute path, not in the middle of a longer one.
fn starts_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || "._-/*~})>".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<(usize, String)> {
        let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
        check(&file).into_iter().map(|finding| (finding.line, finding.message)).collect()
    }

    fn count(path: &str, text: &str) -> usize {
        findings(path, text).len()
    }

    #[test]
    fn unfinished_work_is_found_as_a_word() {
        let mark = OPEN_ENDS[0];
        assert_eq!(findings("a.rs", &format!("fn a() {{}}\n// {mark}: later"))[0].0, 2);
        assert_eq!(count("a.sol", &format!("// {mark}(me)")), 1);
        assert_eq!(count("a.md", &format!("{mark}S and {mark}_LIST")), 0);
        assert_eq!(count("a.json", mark), 0);
    }

    #[test]
    fn registry_hosts_are_found_everywhere_but_in_cargo_lock() {
        for host in REGISTRY_HOSTS {
            let line = format!("see https://{host}/thing");
            assert_eq!(count("docs/a.md", &line), 1, "{host}");
            assert_eq!(count("fuzz/Cargo.lock", &line), 0, "{host}");
        }
    }

    #[test]
    fn machine_paths_are_found_where_a_path_starts() {
        for path in MACHINE_PATHS {
            assert_eq!(count("a.sh", &format!("cd {path}x")), 1);
            assert_eq!(count("a.sh", &format!("\"{path}x\"")), 1);
            assert_eq!(count("a.sh", &format!("docs{path}x")), 0);
            assert_eq!(count("a.sh", &format!("https://example.net{path}x")), 0);
        }
    }

    #[test]
    fn a_lock_file_records_no_download_address() {
        let line = "      \"resolved\": \"https://example.net/solc.tgz\",";
        assert_eq!(count("contracts/package-lock.json", line), 1);
        assert_eq!(count("contracts/package-lock.json", "\"resolved\": \"vendor/solc\","), 0);
        assert_eq!(count("contracts/other.json", line), 0);
    }
}
