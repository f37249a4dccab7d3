//! `check`: a policy is good, or every error in it is shown at once with its place and its remedy.

use crate::invocation::{Done, command, finish, ripcord};
use crate::{ENVIRONMENT, OK, USAGE};
use std::fs;
use std::path::{Path, PathBuf};

const POLICY: &str = r#"schema = 1
project = { id = "p", owner = "o@example.org" }
rules = [
  { id = "A-1", title = "The vault holds its cash", severity = "P1", on = ["block"], expr = "cash >= amount('usdc', '100')" },
]

[chains.dev]
id = "eip155:31337"
sources = ["a"]

[contracts]
vault = { chain = "dev", address = "0x1111111111111111111111111111111111111111", decimals = 18 }
usdc = { chain = "dev", address = "0x2222222222222222222222222222222222222222", decimals = 6 }

[signals]
cash = { unit = "amount:usdc", view = "@vault.cash()" }
price = { unit = "usd", view = "@vault.price()" }
"#;

fn check(text: &str) -> Done {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("lend")).unwrap();
    fs::write(folder.path().join("lend/ripcord.toml"), text).unwrap();
    ripcord(folder.path(), ["check", "lend/ripcord.toml"])
}

#[test]
fn a_good_policy_passes_with_its_hash() {
    let done = check(POLICY);
    assert_eq!((done.code, done.stderr.as_str()), (OK, ""), "{done:?}");
    assert!(done.stdout.starts_with("ok: 1 rules, 0 playbooks, policy hash 0x"), "{done:?}");
    assert_eq!(
        check(&format!("# a comment\n{POLICY}")).stdout,
        done.stdout,
        "the hash is of the meaning, not of the text"
    );
}

/// The policy of the drill is an ordinary one: with its variables set, and beside the artifacts that it names, it passes.
#[test]
fn the_policy_of_the_drill_passes_as_a_file() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = fs::read_to_string(root.join("drills/inflation/ripcord.toml")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ripcord.toml"), &text).unwrap();
    let artifacts = Path::new("contracts/artifacts");
    fs::create_dir_all(folder.path().join(artifacts)).unwrap();
    for name in ["FailSafeMarket", "SupplyVault", "DrillTimelock", "VaultProbe"] {
        let file = artifacts.join(format!("{name}.json"));
        fs::copy(root.join(&file), folder.path().join(&file)).unwrap();
    }
    let mut command = command(folder.path(), ["check"]);
    let variables: std::collections::BTreeSet<&str> =
        text.split("\"env:").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    for (name, n) in variables.into_iter().zip(1..) {
        command.env(name, if name.ends_with("DECIMALS") { "18".to_owned() } else { format!("0x{n:040}") });
    }
    let done = finish(&mut command);
    assert_eq!(done.code, OK, "{}", done.stderr);
}

#[test]
fn all_errors_are_shown_at_once_each_with_line_column_and_help() {
    let text = POLICY
        .replace("owner = \"o@example.org\"", "owner = \"o@example.org\", onwer = \"x\"")
        .replace("cash >= amount('usdc', '100')", "cash >= usd(100)")
        .replace("sources = [\"a\"]", "sources = [\"a\"]\nstale_after = \"60 parsecs\"")
        .replace("\"@vault.price()\"", "\"@valt.price()\"");
    let done = check(&text);
    let column = |line: usize, word: &str| text.lines().nth(line - 1).unwrap().find(word).unwrap() + 1;
    let place = |line: usize, word: &str| format!("lend/ripcord.toml:{line}:{}", column(line, word));
    done.refuses(
        USAGE,
        &[
            "unknown key `onwer`",
            &place(2, "onwer"),
            "did you mean `owner`?",
            "lend/ripcord.toml:4:",
            &place(10, "\"60 parsecs\""),
            "valt",
            "lend/ripcord.toml:18:",
            "error: 4 errors in lend/ripcord.toml",
        ],
    );
    assert_eq!(done.stderr.matches("\n  help: ").count(), 4, "{}", done.stderr);
}

#[test]
fn one_error_is_called_one() {
    check(&POLICY.replace("cash >= amount('usdc', '100')", "cash >= 100"))
        .refuses(USAGE, &["error: 1 error in lend/ripcord.toml"]);
    check("schema = \n").refuses(USAGE, &["lend/ripcord.toml:1:"]);
    check("").refuses(USAGE, &["lend/ripcord.toml:1:1"]);
}

#[test]
fn a_file_that_is_not_there_is_the_environment_s_fault() {
    let folder = tempfile::tempdir().unwrap();
    ripcord(folder.path(), ["check"]).refuses(ENVIRONMENT, &["ripcord.toml is not a file"]);
    ripcord(folder.path(), ["check", "."]).refuses(ENVIRONMENT, &[". is not a file"]);
    fs::write(
        folder.path().join("ripcord.toml"),
        POLICY.replace("rules = [", "project.include = [\"absent.toml\"]\nrules = ["),
    )
    .unwrap();
    assert_eq!(ripcord(folder.path(), ["check"]).code, USAGE, "a file that the policy names is the policy's business");
}
