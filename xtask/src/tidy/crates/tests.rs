use super::*;

fn messages(name: &str, dependencies: &[(&str, Option<&str>)], manifest_text: &str) -> Vec<(usize, String)> {
    let dependencies =
        dependencies.iter().map(|(name, kind)| Dependency { name: (*name).to_owned(), kind: kind.map(str::to_owned) });
    let package = Package { name: name.to_owned(), manifest_path: String::new(), dependencies: dependencies.collect() };
    let found = edges(&package, "crates/it/Cargo.toml", manifest_text);
    found.into_iter().map(|finding| (finding.line, finding.message)).collect()
}

const LINTS: &str = "[lints]\nworkspace = true\n";

#[test]
fn edges_of_the_picture_are_allowed() {
    let down = [("ripcord-core", None), ("ripcord-policy", Some("dev")), ("serde", None)];
    assert_eq!(messages("ripcord-detect", &down, LINTS), []);
}

#[test]
fn an_edge_upwards_is_found_at_its_line() {
    let manifest = format!("[dependencies]\nripcord-core.workspace = true\nripcord-evm.workspace = true\n{LINTS}");
    let found = messages("ripcord-detect", &[("ripcord-core", None), ("ripcord-evm", None)], &manifest);
    assert_eq!(found, [(3, "ripcord-detect may not use ripcord-evm (normal dependency)".to_owned())]);
    let found = messages("ripcord-core", &[("ripcord-sim", Some("dev"))], LINTS);
    assert_eq!(found, [(1, "ripcord-core may not use ripcord-sim (dev dependency)".to_owned())]);
}

#[test]
fn an_unknown_crate_is_found() {
    assert_eq!(messages("ripcord-extra", &[], LINTS), [(1, "the house has no crate ripcord-extra".to_owned())]);
}

#[test]
fn untyped_errors_and_missing_lints_are_found() {
    assert_eq!(messages("ripcord-core", &[("anyhow", None)], LINTS), [(1, "ripcord-core uses anyhow".to_owned())]);
    let missing = "ripcord-core does not take the workspace's lints".to_owned();
    assert_eq!(messages("ripcord-core", &[], "[dependencies]"), [(1, missing)]);
}

#[test]
fn input_and_output_under_core_are_found() {
    let tree = "ripcord-core v0.1.0\nruint v1.17.0\nrand v0.9.0\nrand_core v0.9.0\nrand v0.9.0 (*)\n";
    let found = under_core("crates/core/Cargo.toml", tree);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].message, "rand stands in the dependency tree of core");
    for name in NEVER_UNDER_CORE {
        assert_eq!(under_core("crates/core/Cargo.toml", &format!("{name} v1.0.0")).len(), 1, "{name}");
    }
}

#[test]
fn a_crate_without_code_is_empty() {
    let code = |text: &str| syn::parse_file(text).unwrap().items.iter().any(is_code);
    assert!(!code("//! Only words.\nmod later;\npub use later::Later;\nfn main() {}"));
    assert!(!code("mod a { mod b { use c::d; } }"));
    assert!(code("pub struct Quorum;"));
    assert!(code("mod a { const BLOCKS: u64 = 3; }"));
    assert!(code("fn main() { run() }"));
}

#[test]
fn the_house_stands_on_its_own_crates() {
    let built: Vec<&str> = HOUSE.iter().map(|(name, _)| *name).collect();
    for (at, (name, below)) in HOUSE.iter().enumerate() {
        for other in *below {
            assert!(built.iter().take(at).any(|lower| lower == other), "{name} uses {other}, which stands above it");
        }
    }
}
