use super::*;

fn findings(path: &str, text: &str) -> Vec<(usize, String)> {
    let file = SourceFile { path: path.to_owned(), text: text.to_owned() };
    let tree = syn::parse_file(text).unwrap();
    check(&file, &tree).into_iter().map(|finding| (finding.line, finding.message)).collect()
}

#[track_caller]
fn one(text: &str, line: usize, part: &str) {
    let found = findings("crates/core/src/quorum.rs", text);
    assert!(matches!(found.as_slice(), [(at, message)] if *at == line && message.contains(part)), "{found:?}");
}

#[track_caller]
fn none(text: &str) {
    assert_eq!(findings("crates/core/src/quorum.rs", text), []);
}

#[test]
fn file_names_say_what_the_file_owns() {
    for name in FILE_NAMES {
        assert!(file_name(&format!("crates/core/src/{name}")).is_some(), "{name}");
    }
    assert_eq!(file_name("crates/core/src/quorum.rs"), None);
}

#[test]
fn a_file_has_a_bounded_number_of_lines() {
    let constants = |count: usize| "const A: u8 = 1;\n".repeat(count);
    none(&constants(700));
    one(&constants(701), 1, "701 lines without tests");
}

#[test]
fn lines_of_tests_do_not_count() {
    let tests = "\n".repeat(701);
    none(&format!("#[cfg(test)]\nmod tests {{{tests}}}"));
    none(&format!("#[cfg(all(test, unix))]\nmod tests {{{tests}}}"));
    one(&format!("#[cfg(not(test))]\nmod real {{{tests}}}"), 1, "lines without tests");
    assert_eq!(findings("crates/core/tests/quorum.rs", &tests), []);
    assert_eq!(findings("crates/core/src/quorum/tests.rs", &tests), []);
    assert_eq!(findings("crates/core/src/quorum.rs", &tests).len(), 1);
}

#[test]
fn a_function_has_a_bounded_number_of_lines() {
    let body = |lines: usize| "\n".repeat(lines - 1);
    none(&format!("fn a() {{{}}}", body(70)));
    one(&format!("fn a() {{{}}}", body(71)), 1, "`a` has 71 lines");
    one(&format!("struct A;\nimpl A {{\n fn a() {{{}}} }}", body(71)), 3, "`a` has 71 lines");
    one(&format!("trait A {{ fn a() {{{}}} }}", body(71)), 1, "`a` has 71 lines");
}

#[test]
fn type_names_say_what_the_thing_is() {
    one("struct QuorumImpl;", 1, "QuorumImpl");
    one("\ntrait QuorumTrait {}", 2, "QuorumTrait");
    one("enum BaseRule {}", 1, "BaseRule");
    one("trait IQuorum {}", 1, "IQuorum");
    none("trait Incident {} struct Base; struct IQ; struct BaseFee; enum Trailing {}");
}

#[test]
fn missing_code_is_found_inside_macros_too() {
    one("fn a() { todo!() }", 1, "missing code");
    one("fn a() {\n assert!(unimplemented!());\n}", 2, "missing code");
    none("fn todo(a: bool) -> bool { !a }");
}

#[test]
fn an_ignored_test_says_why() {
    one("#[test]\n#[ignore]\nfn a() {}", 2, "ignored without a reason");
    one("proptest! {\n#[ignore]\nfn a() {} }", 2, "ignored without a reason");
    one("#[cfg_attr(unix, ignore)]\nfn a() {}", 1, "ignored without a reason");
    none("#[ignore = \"needs the recorded blocks\"]\nfn a() {}");
}

#[test]
fn lints_are_expected_with_a_reason() {
    one("#[allow(dead_code)]\nfn a() {}", 1, "allowed for good");
    one("#![allow(dead_code)]", 1, "allowed for good");
    one("#[cfg_attr(test, allow(dead_code))]\nfn a() {}", 1, "allowed for good");
    one("#[expect(dead_code)]\nfn a() {}", 1, "without a reason");
    none("#[expect(dead_code, reason = \"the C side calls it\")]\nfn a() {}");
    assert_eq!(findings("fuzz/fuzz_targets/policy.rs", "#![allow(dead_code)]"), []);
}
