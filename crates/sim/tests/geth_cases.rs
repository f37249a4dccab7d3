//! go-ethereum's 97 single-transaction tracer cases: genesis state, one signed transaction, and what geth's tracers say of it.
//!
//! Every field that facts carry is compared. What differs must stand in [`DIFFERENCES`], one field of one case a line, with the reason;
//! a line there that no longer describes a difference fails the test too.

mod calls;
mod case;
mod flat;
mod prestate;

use case::Case;
use std::collections::BTreeMap;
use std::fmt::Debug;

/// Folders and how many cases each holds.
const FOLDERS: [(&str, usize); 8] = [
    ("call_tracer", 15),
    ("call_tracer_flat", 32),
    ("call_tracer_legacy", 12),
    ("call_tracer_withLog", 10),
    ("erc7562_tracer", 3),
    ("prestate_tracer", 11),
    ("prestate_tracer_legacy", 1),
    ("prestate_tracer_with_diff_mode", 13),
];

/// Known differences: case, field, reason.
const DIFFERENCES: [(&str, &str, &str); 10] = [
    ("call_tracer_legacy/delegatecall.json", "root.calls[0].calls[0].value", NO_VALUE),
    ("call_tracer_legacy/inner_instafail.json", "root.calls[0].gas", NO_GAS),
    ("call_tracer_legacy/inner_instafail.json", "root.calls[0].gasUsed", NO_GAS),
    ("call_tracer_legacy/selfdestruct.json", "root.calls[0].gas", NO_GAS),
    ("call_tracer_legacy/selfdestruct.json", "root.calls[0].gasUsed", NO_GAS),
    ("call_tracer_legacy/simple.json", "root.calls[0].gas", NO_GAS),
    ("call_tracer_legacy/simple.json", "root.calls[0].gasUsed", NO_GAS),
    (
        "call_tracer_withLog/frontier_create_outofstorage.json",
        "root.output",
        "under Frontier a creation that cannot pay for its code succeeds without it: geth shows what was returned, facts what was deployed",
    ),
    (
        "call_tracer_withLog/with_onlyTopCall.json",
        "logs",
        "geth was asked for the top frame's logs only, facts hold all; calldata.json is the same transaction with all of them",
    ),
    (
        "prestate_tracer/setcode_tx.json",
        "0x000000000000000000000000000000000000aaaa",
        "geth looks a delegation up before it applies the transaction's own authorisations and so misses the code that runs",
    ),
];

const NO_VALUE: &str = "the older tracer shows no value for delegate calls; call_tracer/delegatecall.json shows it";
const NO_GAS: &str =
    "the older tracer shows no gas for a frame that runs no instruction; the case of this name in call_tracer does";

/// The differences between one case's expected result and the facts, by field.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    found: BTreeMap<String, String>,
}

impl Comparison {
    /// Notes a difference when the two are not equal.
    pub(crate) fn same<T: PartialEq + Debug>(&mut self, field: impl Into<String>, expected: T, got: T) {
        if expected != got {
            self.differs(field, format!("expected {expected:?}, got {got:?}"));
        }
    }

    /// Notes a difference.
    pub(crate) fn differs(&mut self, field: impl Into<String>, what: impl Into<String>) {
        let mut what = what.into();
        what.truncate(400);
        self.found.insert(field.into(), what);
    }
}

/// Runs every case of a folder and holds the differences against the table.
fn check(folder: &str, compare: fn(&Case, &mut Comparison)) {
    let names = case::names(folder);
    let count = FOLDERS.iter().find(|(name, _)| *name == folder).map(|(_, count)| *count);
    assert_eq!(Some(names.len()), count, "cases in {folder}");
    let mut wrong = Vec::new();
    for name in names {
        let case = Case::run(&name);
        let mut comparison = Comparison::default();
        compare(&case, &mut comparison);
        for (_, field, _) in DIFFERENCES.iter().filter(|(case, _, _)| *case == name) {
            if comparison.found.remove(*field).is_none() {
                wrong.push(format!("{name}: {field} no longer differs"));
            }
        }
        wrong.extend(comparison.found.into_iter().map(|(field, what)| format!("{name}: {field}: {what}")));
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn ninety_seven_cases_are_listed_and_each_known_difference_names_one_of_them() {
    assert_eq!(FOLDERS.iter().map(|(_, count)| count).sum::<usize>(), 97);
    for (case, field, reason) in DIFFERENCES {
        assert!(
            FOLDERS.iter().any(|(folder, _)| case.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))),
            "{case}"
        );
        assert!(!field.is_empty() && !reason.is_empty(), "{case}");
    }
}

mod real_data {
    use super::*;

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn no_folder_of_cases_is_left_out() {
        assert_eq!(case::folders(), FOLDERS.map(|(name, _)| name.to_owned()));
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn call_tracer() {
        check("call_tracer", calls::compare);
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn call_tracer_flat() {
        check("call_tracer_flat", flat::compare);
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn call_tracer_legacy() {
        check("call_tracer_legacy", calls::compare);
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn call_tracer_with_logs() {
        check("call_tracer_withLog", calls::compare);
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn erc7562_tracer() {
        check("erc7562_tracer", calls::compare);
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn prestate_tracer() {
        check("prestate_tracer", prestate::compare);
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn prestate_tracer_legacy() {
        check("prestate_tracer_legacy", prestate::compare);
    }

    #[test]
    #[ignore = "needs real data: run cargo xtask data"]
    fn prestate_tracer_with_differences() {
        check("prestate_tracer_with_diff_mode", prestate::compare_changes);
    }
}
