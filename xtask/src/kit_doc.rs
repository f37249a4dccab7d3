//! `docs/kit.md`, the page of the on-chain kit: its figures are written from measurements, its claims name tests that exist.
//!
//! The page is written by hand but for three tables between markers: gas, from the gas tests, deployed sizes, from the committed
//! artifacts, and lines of code, from the sources. A test is named in backticks as `Folder/File.t.sol:function`. Nothing here knows what a test shows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Deserialize;

use crate::failure::Failure;
use crate::gas::{self, Measured};
use crate::tidy::{self, SourceFile, kit};

const PAGE: &str = "docs/kit.md";
/// Of EIP-170.
const SIZE_MAX: usize = 24_576;
const THEOREMS: usize = 12;
const HELP: &str =
    "cargo xtask kit-doc writes the tables; a test that was renamed or is new is named by hand in docs/kit.md";

/// Writes the tables of the page, or only compares them, and checks the tests that it names.
pub(crate) fn run(root: &Path, check: bool) -> Result<(), Failure> {
    let measured = gas::measure(root)?;
    let old = page(root)?;
    let files = tidy::sources(root)?;
    let new = sized(root, &filled(&old, "gas", &gas_table(&measured))?)?;
    let new = filled(&new, "lines", &line_table(&files))?;
    if check {
        compare(&old, &new)?;
    } else {
        let path = root.join(PAGE);
        fs::write(&path, &new).map_err(|error| Failure::file(&path, &error))?;
    }
    judge(unfounded(&new, &functions(&files)))
}

fn page(root: &Path) -> Result<String, Failure> {
    let path = root.join(PAGE);
    fs::read_to_string(&path).map_err(|error| Failure::file(&path, &error))
}

/// `text` with `table` between the markers of `name`.
fn filled(text: &str, name: &str, table: &str) -> Result<String, Failure> {
    let (open, close) =
        (format!("<!-- {name}: written by cargo xtask kit-doc -->\n"), format!("<!-- end of {name} -->"));
    let parts = text.split_once(&open).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(&close)?;
        Some(format!("{before}{open}{table}{close}{after}"))
    });
    parts.ok_or_else(|| {
        let help = format!("put the lines `{}` and `{close}` where the table belongs", open.trim_end());
        Failure::new(format!("{PAGE} has no place for the table of {name}"), help)
    })
}

fn gas_table(measured: &Measured) -> String {
    let mut table = String::from("| Operation | Goal | Measured | Best peer |\n|---|---:|---:|---|\n");
    for row in &measured.rows {
        let peer = match (row.peer, &row.peer_name) {
            (Some(theirs), Some(name)) => format!("{}, {name}", grouped(theirs)),
            _ => "none measured".to_owned(),
        };
        let mark = if row.above_goal() { " (above the goal)" } else { "" };
        let (goal, ours) = (grouped(row.goal), grouped(row.ours));
        table.push_str(&format!("| {} | {goal} | {ours}{mark} | {peer} |\n", row.operation));
    }
    table
}

/// 12345 as `12 345`.
fn grouped(number: u64) -> String {
    if number < 1000 { number.to_string() } else { format!("{} {:03}", grouped(number / 1000), number % 1000) }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    contract_name: String,
    deployed_bytecode: String,
}

/// `text` with the sizes of the committed artifacts whose source is part of the kit.
fn sized(root: &Path, text: &str) -> Result<String, Failure> {
    let mut sizes = BTreeSet::new();
    for file in tidy::sources(root)?.iter().filter(|file| kit::folder(&file.path).is_some()) {
        let name = stem(&file.path);
        let path = root.join(format!("contracts/artifacts/{name}.json"));
        // Libraries, interfaces and abstract contracts have none.
        if !path.exists() {
            continue;
        }
        let json = fs::read(&path).map_err(|error| Failure::file(&path, &error))?;
        let artifact: Artifact = serde_json::from_slice(&json).map_err(|error| Failure::file(&path, &error))?;
        sizes.insert((artifact.contract_name, artifact.deployed_bytecode.trim_start_matches("0x").len() / 2));
    }
    filled(text, "sizes", &size_table(&sizes))
}

fn size_table(sizes: &BTreeSet<(String, usize)>) -> String {
    let mut table = String::from("| Contract | Bytes | Left |\n|---|---:|---:|\n");
    for (name, size) in sizes {
        let left = SIZE_MAX.checked_sub(*size).map_or("none".to_owned(), |left| grouped(left as u64));
        table.push_str(&format!("| {name} | {} | {left} |\n", grouped(*size as u64)));
    }
    table
}

/// Lines of code by folder: the first line of the kit, the other folders, all.
fn line_table(files: &[SourceFile]) -> String {
    let mut folders: BTreeMap<&str, u64> = BTreeMap::new();
    for file in files {
        let Some(folder) = kit::folder(&file.path) else { continue };
        *folders.entry(folder).or_default() += kit::lines_of_code(&file.text) as u64;
    }
    let first: u64 = kit::FIRST_LINE.iter().filter_map(|folder| folders.remove(*folder)).sum();
    let all = first + folders.values().sum::<u64>();
    let mut table = format!("| Part | Lines |\n|---|---:|\n| first line | {} |\n", grouped(first));
    for (folder, lines) in &folders {
        table.push_str(&format!("| {folder} | {} |\n", grouped(*lines)));
    }
    table + &format!("| all | {} |\n", grouped(all))
}

fn stem(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split('.').next().unwrap_or(file)
}

/// What runs: tests, invariants and symbolic checks below `contracts/test`, every function of a proof; each as `path:function`.
fn functions(files: &[SourceFile]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files.iter().filter(|file| file.path.ends_with(".sol")) {
        let proof = file.path.starts_with("contracts/src/proofs/");
        if !proof && !file.path.starts_with("contracts/test/") {
            continue;
        }
        for line in file.text.lines() {
            let Some(rest) = line.trim_start().strip_prefix("function ") else { continue };
            let name = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
            let runs = ["test", "invariant_", "check_"].iter().any(|prefix| name.starts_with(prefix));
            if proof || runs {
                found.insert(format!("{}:{name}", file.path));
            }
        }
    }
    found
}

/// Tests named in a line: words in backticks of the form `File.sol:function`.
fn named(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2).filter(|word| word.contains(".sol:"))
}

/// What the page claims without a test, and regressions that it leaves out.
fn unfounded(text: &str, functions: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let mut known = BTreeSet::new();
    for word in text.lines().flat_map(named) {
        let suffix = format!("/{word}");
        let matches: Vec<&String> = functions.iter().filter(|function| function.ends_with(&suffix)).collect();
        match matches.as_slice() {
            [one] => {
                known.insert(one.as_str());
            }
            [] => problems.push(format!("{word} is named, and there is no such test")),
            _ => problems.push(format!("{word} names {} tests: give more of its path", matches.len())),
        }
    }
    for theorem in (1..=THEOREMS).map(|number| format!("| T{number} |")) {
        let shown = text.lines().filter(|line| line.starts_with(&theorem)).any(|line| named(line).next().is_some());
        if !shown {
            problems.push(format!("no row `{theorem}` names a test"));
        }
    }
    let regressions = functions.iter().filter(|function| function.contains("_Regress_"));
    let unnamed = regressions.filter(|function| !known.contains(function.as_str()));
    problems.extend(unnamed.map(|function| format!("{function} is not on the page")));
    problems
}

fn judge(problems: Vec<String>) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("{PAGE} and the tests disagree:\n  {}", problems.join("\n  ")), HELP))
}

fn compare(old: &str, new: &str) -> Result<(), Failure> {
    if old == new {
        return Ok(());
    }
    let (written, fresh): (BTreeSet<&str>, BTreeSet<&str>) = (old.lines().collect(), new.lines().collect());
    let gone = written.difference(&fresh).map(|line| format!("\n- {line}"));
    let come = fresh.difference(&written).map(|line| format!("\n+ {line}"));
    let lines: String = gone.chain(come).collect();
    Err(Failure::new(format!("{PAGE} is not up to date:{lines}"), HELP))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gas::Row;

    fn file(path: &str, text: &str) -> SourceFile {
        SourceFile { path: path.to_owned(), text: text.to_owned() }
    }

    fn kit() -> BTreeSet<String> {
        functions(&[
            file(
                "contracts/test/kit/A/One.t.sol",
                "contract One {\n    function test_Good() public {}\n    function _own() private {}\n}",
            ),
            file(
                "contracts/test/kit/B/One.t.sol",
                "function test_Good(\n    uint256 a\n) public {}\nfunction testFuzz_Regress_Bug(uint256) public {}",
            ),
            file("contracts/src/proofs/Proof.sol", "function spend(uint80 a) external {}"),
            file("contracts/src/kit/Kit.sol", "function test_NotATest() external {}"),
        ])
    }

    /// A page that shows every theorem and names the one regression.
    fn good() -> String {
        let rows = (1..=THEOREMS).map(|number| format!("| T{number} | `A/One.t.sol:test_Good` |\n"));
        rows.collect::<String>() + "`Proof.sol:spend` and `B/One.t.sol:testFuzz_Regress_Bug`\n"
    }

    #[test]
    fn a_page_with_a_test_for_everything_is_sound() {
        assert_eq!(unfounded(&good(), &kit()), Vec::<String>::new());
    }

    #[test]
    fn a_name_that_is_no_test_is_found() {
        for name in ["A/One.t.sol:test_Gone", "A/One.t.sol:_own", "A/Two.t.sol:test_Good", "Kit.sol:test_NotATest"] {
            let text = good() + &format!("`{name}`");
            assert_eq!(unfounded(&text, &kit()), [format!("{name} is named, and there is no such test")]);
        }
    }

    #[test]
    fn a_name_that_fits_two_tests_is_found() {
        let text = good() + "`One.t.sol:test_Good`";
        assert_eq!(unfounded(&text, &kit()), ["One.t.sol:test_Good names 2 tests: give more of its path"]);
    }

    #[test]
    fn a_theorem_without_a_test_is_found() {
        let text = good().replace("| T4 | `A/One.t.sol:test_Good` |", "| T4 | we are sure of it |");
        assert_eq!(unfounded(&text, &kit()), ["no row `| T4 |` names a test"]);
    }

    #[test]
    fn a_regression_that_the_page_leaves_out_is_found() {
        let text = good().replace("`B/One.t.sol:testFuzz_Regress_Bug`", "nothing");
        let want = "contracts/test/kit/B/One.t.sol:testFuzz_Regress_Bug is not on the page";
        assert_eq!(unfounded(&text, &kit()), [want]);
    }

    #[test]
    fn a_table_takes_the_place_of_the_old_one() {
        let text = "before\n<!-- sizes: written by cargo xtask kit-doc -->\nold\n<!-- end of sizes -->\nafter\n";
        let sizes = BTreeSet::from([("Big".to_owned(), 24_577), ("Small".to_owned(), 900)]);
        let new = filled(text, "sizes", &size_table(&sizes)).unwrap();
        assert!(new.contains("-->\n| Contract | Bytes | Left |\n"), "{new}");
        assert!(new.contains("| Big | 24 577 | none |\n| Small | 900 | 23 676 |\n<!-- end"), "{new}");
        assert!(!new.contains("old") && new.starts_with("before") && new.ends_with("after\n"), "{new}");
        assert_eq!(filled(&new, "sizes", &size_table(&sizes)).unwrap(), new);
        assert!(filled(text, "gas", "").is_err());

        assert!(compare(&new, &new).is_ok());
        let shown = compare(text, &new).unwrap_err().to_string();
        assert!(shown.contains("\n- old\n+ | Big | 24 577 | none |"), "{shown}");
        assert!(shown.contains("\nhelp: "), "{shown}");
    }

    #[test]
    fn lines_are_summed_by_part() {
        let files = [
            file("contracts/src/kit/A.sol", "a;\n// b\n"),
            file("contracts/src/kit/controller/B.sol", "b;\n"),
            file("contracts/src/kit/exit/X.sol", "x;\ny;\nz;\n"),
            file("contracts/src/drill/D.sol", "d;\n"),
        ];
        assert_eq!(line_table(&files), "| Part | Lines |\n|---|---:|\n| first line | 2 |\n| exit | 3 |\n| all | 5 |\n");
    }

    #[test]
    fn an_operation_above_its_goal_is_marked() {
        let row = |ours, peer: Option<u64>| Row {
            operation: "trip".to_owned(),
            goal: 60_000,
            ours,
            peer,
            peer_name: peer.map(|_| "Slow".to_owned()),
        };
        let rows = vec![row(60_000, Some(1_083_010)), row(60_001, None)];
        let table = gas_table(&Measured { rows, failed: Vec::new() });
        assert!(table.contains("| trip | 60 000 | 60 000 | 1 083 010, Slow |\n"), "{table}");
        assert!(table.contains("| trip | 60 000 | 60 001 (above the goal) | none measured |\n"), "{table}");
    }
}
