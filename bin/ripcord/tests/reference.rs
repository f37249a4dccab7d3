//! `docs/cli.md` is what `--help` says.

use crate::OK;
use crate::invocation::ripcord;
use std::fs;
use std::path::Path;

const COMMANDS: [&[&str]; 7] =
    [&[], &["drill"], &["replay"], &["audit"], &["audit", "verify"], &["audit", "export"], &["check"]];
const HEAD: &str = "# Command line\n
Every command answers `--help` with what stands here: a test compares this page with the program, and `UPDATE=1 cargo test -p ripcord`
writes it anew. [Exit codes](exit-codes.md) says what each code asks of you.\n";

fn help(path: &[&str]) -> String {
    let done = ripcord(Path::new("."), [path, &["--help"]].concat());
    assert_eq!((done.code, done.stderr.as_str()), (OK, ""), "help is a result");
    done.stdout
}

/// Commands that a help text lists, except `help` itself.
fn listed(text: &str) -> Vec<&str> {
    let list = text.split("\nCommands:\n").nth(1).unwrap_or_default();
    let names = list.lines().take_while(|l| !l.is_empty()).filter(|l| l.starts_with("  ") && !l.starts_with("   "));
    names.filter_map(|l| l.split_whitespace().next()).filter(|name| *name != "help").collect()
}

#[test]
fn the_reference_is_what_the_program_says() {
    let mut page = HEAD.to_owned();
    for path in COMMANDS {
        let text = help(path);
        for name in listed(&text) {
            let below = [path, &[name]].concat();
            assert!(COMMANDS.iter().any(|known| *known == below), "`{}` is not in the reference", below.join(" "));
        }
        assert!(text.contains("Exit codes: 0 ok"), "{path:?} does not tell its exit codes");
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        page.push_str(&format!(
            "\n## `{}`\n\n```text\n{}\n```\n",
            [&["ripcord"], path].concat().join(" "),
            lines.join("\n")
        ));
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cli.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&file, &page).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "docs/cli.md is out of date; write it anew with `UPDATE=1 cargo test -p ripcord`");
}
