//! Loading is total: whatever the text, there is a policy or there are findings.

use crate::{HEAD, load_text, with_rule};
use proptest::prelude::*;
use ripcord_policy::{CORE_PACK, load_str};

const STEPS: &str = r#"
[people]
oncall = ["ana", "bo"]
[signers]
k = { kind = "keystore", account = "0x1111111111111111111111111111111111111111", priority_fee = "2 gwei" }
[[playbooks]]
id = "contain"
steps = [
  { id = "stop", call = "@vault.stop(uint64)", args = [5], via = "k", approve = "1-of:oncall", timeout = "3m", veto = "1m", expires = "6h", verify = "on", when = "off || on", within = "2 blocks", retry = "bump-fee x3", else = "tell" },
  { id = "tell", notify = "help", approve = "auto" },
  { id = "back", restore = "staged", stages = ["repay", { name = "withdraw", dwell = "1h", gates = ["A-1"] }] },
]
"#;

fn mutate(text: &str, edits: &[(usize, u8, u8)]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for (at, kind, value) in edits {
        let at = at % bytes.len().max(1);
        match kind % 5 {
            0 => bytes[at] = *value,
            1 => drop(bytes.drain(at..(at + usize::from(*value)).min(bytes.len()))),
            2 => bytes.insert(at, *value),
            3 => {
                let end = (at + usize::from(*value)).min(bytes.len());
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => bytes.insert(at, *b"\"'[]{}=.,()$@#-\n0".get(usize::from(*value) % 17).unwrap()),
        }
        if bytes.is_empty() {
            bytes.push(b' ');
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn mutated_policies_load_or_are_refused(edits in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..6)) {
        let text = mutate(&format!("{}{STEPS}", with_rule("on && delta(price) <= usd('0.5')")), &edits);
        let _either = load_text(&text);
        let _either = load_str(&mutate(CORE_PACK, &edits));
        // The pack's own errors are reported in its own file.
        let included = HEAD.replace("owner = \"o\"", "owner = \"o\", include = [\"ripcord:core\"]");
        let _either = load_str(&mutate(&included, &edits));
    }

    #[test]
    fn any_expression_is_checked_or_refused(expr in "[a-z0-9 ()<>=&|!.,+*'\\[\\]-]{0,120}") {
        let _either = load_text(&with_rule(&expr.replace("'''", "")));
    }

    #[test]
    fn any_text_is_refused(text in "\\PC{0,200}") {
        let _either = load_str(&text);
    }
}

#[test]
fn a_full_playbook_loads() {
    let policy = load_text(&format!("{}{STEPS}", with_rule("on"))).unwrap_or_else(|e| panic!("{e:#?}"));
    let program = policy.program();
    insta::assert_debug_snapshot!(program.playbooks);
    assert_eq!(program.oncall, ["ana", "bo"]);
    let hidden: Vec<&str> = policy.rules().iter().filter(|r| r.hidden).map(|r| r.spec.id.0.as_str()).collect();
    assert_eq!(hidden, ["contain.stop.when", "contain.stop.verify"]);
    assert!(program.rules.iter().all(|r| r.id.0 == "A-1"));
}
