//! The two halves of the on-chain kit: what holds when everything else is dead stays small and knows nothing of the rest
//! (decision 25).

use super::{Finding, SourceFile};

/// Sources of the kit.
pub(crate) const SOURCES: &str = "contracts/src/kit/";
/// Folders of the first line: pause, limits, who may trip. `""` are the files beside the folders.
pub(crate) const FIRST_LINE: [&str; 3] = ["", "controller", "interfaces"];
/// Lines of code that the first line may have: what two people audit in two weeks.
const FIRST_LINE_MAX: usize = 3_000;

/// Imports out of the first line, and its size.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let first: Vec<&SourceFile> = files.iter().filter(|file| in_first_line(&file.path)).collect();
    let mut findings: Vec<Finding> = first.iter().flat_map(|file| foreign_imports(file)).collect();
    let lines: usize = first.iter().map(|file| lines_of_code(&file.text)).sum();
    if lines > FIRST_LINE_MAX {
        findings.push(Finding {
            path: SOURCES.to_owned(),
            line: 1,
            message: format!("the first line of the kit has {lines} lines of code, {FIRST_LINE_MAX} are allowed"),
            help: "simplify, or move what is not needed to pause, limit and trip into another folder",
        });
    }
    findings
}

/// Folder of a source of the kit below `SOURCES`; `""` for a file beside the folders, none for other files.
pub(crate) fn folder(path: &str) -> Option<&str> {
    let rest = path.strip_prefix(SOURCES)?;
    rest.ends_with(".sol").then(|| rest.rsplit_once('/').map_or("", |(folder, _)| folder))
}

fn in_first_line(path: &str) -> bool {
    folder(path).is_some_and(|folder| FIRST_LINE.contains(&folder))
}

fn foreign_imports(file: &SourceFile) -> Vec<Finding> {
    let home = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let imports =
        file.text.lines().enumerate().filter(|(_, line)| line.starts_with("import ") || line.starts_with("} from "));
    let paths = imports.filter_map(|(index, line)| line.split('"').nth(1).map(|path| (index + 1, path)));
    paths
        .filter(|(_, path)| !in_first_line(&resolved(home, path)))
        .map(|(line, path)| Finding {
            path: file.path.clone(),
            line,
            message: format!("the first line of the kit imports `{path}`"),
            help: "it must hold without exits, losses, rollback, recovery and adapters; let them import it",
        })
        .collect()
}

/// `path`, as written in a file of the folder `home`.
fn resolved(home: &str, path: &str) -> String {
    let mut parts: Vec<&str> = home.split('/').collect();
    for part in path.split('/') {
        match part {
            "." => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

/// Lines that hold more than a comment. Strings with comment signs in them do not occur in the kit.
pub(crate) fn lines_of_code(text: &str) -> usize {
    let mut in_block = false;
    let mut count = 0;
    for line in text.lines() {
        let mut code = String::new();
        let mut rest = line;
        while !rest.is_empty() {
            if in_block {
                let Some((_, after)) = rest.split_once("*/") else { break };
                (in_block, rest) = (false, after);
                continue;
            }
            let (line_at, block_at) = (rest.find("//"), rest.find("/*"));
            match (line_at, block_at) {
                (Some(line), block) if block.is_none_or(|block| line < block) => {
                    code.push_str(&rest[..line]);
                    break;
                }
                (_, Some(block)) => {
                    code.push_str(&rest[..block]);
                    (in_block, rest) = (true, &rest[block + 2..]);
                }
                _ => {
                    code.push_str(rest);
                    break;
                }
            }
        }
        count += usize::from(!code.trim().is_empty());
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn comments_and_empty_lines_are_no_code() {
        let text = "// SPDX\n\npragma solidity; // why\n/* a\n b */ uint256 a; /* c */\n/** d */\n    \n}\n";
        assert_eq!(lines_of_code(text), 3);
    }

    #[test]
    fn the_first_line_imports_nothing_of_the_second() {
        let files = [
            file(
                "contracts/src/kit/A.sol",
                "import {B} from \"./controller/B.sol\";\nimport {X} from \"./exit/X.sol\";",
            ),
            file(
                "contracts/src/kit/controller/B.sol",
                "import {\n    A\n} from \"../A.sol\";\nimport {L} from \"../loss/L.sol\";",
            ),
            file("contracts/src/kit/exit/X.sol", "import {A} from \"../A.sol\";\nimport {L} from \"../loss/L.sol\";"),
            file("contracts/src/probes/P.sol", "import {X} from \"../kit/exit/X.sol\";"),
        ];
        let found: Vec<(String, usize)> = check(&files).into_iter().map(|f| (f.path, f.line)).collect();
        let want = [("contracts/src/kit/A.sol".to_owned(), 2), ("contracts/src/kit/controller/B.sol".to_owned(), 4)];
        assert_eq!(found, want);
    }

    #[test]
    fn the_first_line_has_a_size() {
        let full = file("contracts/src/kit/A.sol", &"a;\n".repeat(FIRST_LINE_MAX));
        let other = file("contracts/src/kit/exit/X.sol", "x;\n");
        assert_eq!(check(&[full, other]), []);
        let over = [
            file("contracts/src/kit/A.sol", &"a;\n".repeat(FIRST_LINE_MAX)),
            file("contracts/src/kit/controller/B.sol", "b;\n"),
        ];
        assert_eq!(check(&over).len(), 1);
    }
}
