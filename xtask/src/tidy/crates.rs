//! The crates of the house: which may use which, and what must never come under core.

use std::path::Path;

use serde::Deserialize;

use super::Finding;
use crate::failure::Failure;
use crate::process::Program;

/// Each crate and the crates of ours that it may use, lowest first. ARCHITECTURE.md shows it as a picture.
const HOUSE: [(&str, &[&str]); 11] = [
    ("ripcord-core", &[]),
    ("ripcord-policy", &["ripcord-core"]),
    ("ripcord-evm", &["ripcord-core"]),
    ("ripcord-detect", &["ripcord-core", "ripcord-policy"]),
    ("ripcord-store", &["ripcord-core"]),
    ("ripcord-chain", &["ripcord-core"]),
    ("ripcord-engine", &["ripcord-core", "ripcord-policy", "ripcord-evm", "ripcord-detect", "ripcord-store"]),
    (
        "ripcord-sim",
        &["ripcord-engine", "ripcord-core", "ripcord-policy", "ripcord-evm", "ripcord-detect", "ripcord-store"],
    ),
    (
        "ripcord-daemon",
        &[
            "ripcord-chain",
            "ripcord-engine",
            "ripcord-core",
            "ripcord-policy",
            "ripcord-evm",
            "ripcord-detect",
            "ripcord-store",
        ],
    ),
    (
        "ripcord",
        &[
            "ripcord-daemon",
            "ripcord-sim",
            "ripcord-engine",
            "ripcord-core",
            "ripcord-store",
            "ripcord-policy",
            "ripcord-evm",
            "ripcord-detect",
        ],
    ),
    ("xtask", &[]),
];

const CORE: &str = "ripcord-core";
const NEVER_UNDER_CORE: [&str; 4] = ["tokio", "alloy-provider", "rand", "revm"];
/// Errors of libraries are typed; these hide the type.
const UNTYPED_ERRORS: [&str; 3] = ["anyhow", "eyre", "color-eyre"];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    manifest_path: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    /// Absent for normal dependencies, else `dev` or `build`.
    kind: Option<String>,
}

impl Package {
    /// The folder below the root, with forward slashes.
    fn folder(&self, root: &Path) -> String {
        let manifest = Path::new(&self.manifest_path);
        let folder = manifest.parent().unwrap_or(manifest);
        folder.strip_prefix(root).unwrap_or(folder).to_string_lossy().replace('\\', "/")
    }
}

/// `parsed` is every Rust file of the repository.
pub(super) fn check(root: &Path, parsed: &[(&str, syn::File)]) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::new();
    for package in members(root)? {
        let folder = package.folder(root);
        let manifest = format!("{folder}/Cargo.toml");
        let text = std::fs::read_to_string(root.join(&manifest)).map_err(|error| Failure::file(root, &error))?;
        findings.extend(edges(&package, &manifest, &text));
        let source = format!("{folder}/src/");
        let mut own = parsed.iter().filter(|(path, _)| path.starts_with(&source));
        if !own.any(|(_, tree)| tree.items.iter().any(is_code)) {
            findings.push(at(&manifest, 1, format!("the crate {} is empty", package.name), "add it with its code"));
        }
        if package.name == CORE {
            let words =
                ["cargo", "tree", "--package", CORE, "--edges", "normal", "--target", "all", "--prefix", "none"];
            let tree = Program::new(root, &words).answer()?;
            findings.extend(under_core(&manifest, &tree));
        }
    }
    Ok(findings)
}

/// The folders of the workspace's members.
pub(super) fn folders(root: &Path) -> Result<Vec<String>, Failure> {
    Ok(members(root)?.iter().map(|package| package.folder(root)).collect())
}

fn members(root: &Path) -> Result<Vec<Package>, Failure> {
    let text = Program::new(root, &["cargo", "metadata", "--format-version", "1", "--no-deps"]).answer()?;
    let metadata: Metadata = serde_json::from_str(&text).map_err(|error| {
        Failure::new(format!("`cargo metadata` printed something unexpected: {error}"), "update xtask to this cargo")
    })?;
    Ok(metadata.packages)
}

fn edges(package: &Package, manifest: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some((_, allowed)) = HOUSE.iter().find(|(name, _)| *name == package.name) else {
        let help =
            "say what the boundary carries, then add it to ARCHITECTURE.md and to HOUSE in xtask/src/tidy/crates.rs";
        return vec![at(manifest, 1, format!("the house has no crate {}", package.name), help)];
    };
    for dependency in &package.dependencies {
        let name = dependency.name.as_str();
        let line = line_of(text, name);
        let kind = dependency.kind.as_deref().unwrap_or("normal");
        // A crate may name itself, to give its own tests a feature.
        if HOUSE.iter().any(|(other, _)| *other == name) && name != package.name && !allowed.contains(&name) {
            let help = "imports run down the picture in ARCHITECTURE.md and nowhere else";
            findings.push(at(manifest, line, format!("{} may not use {name} ({kind} dependency)", package.name), help));
        }
        if UNTYPED_ERRORS.contains(&name) && manifest.starts_with("crates/") {
            let help = "derive the library's own error with thiserror";
            findings.push(at(manifest, line, format!("{} uses {name}", package.name), help));
        }
    }
    if !text.contains("[lints]\nworkspace = true") && !text.contains("lints.workspace = true") {
        let help = "add [lints] with workspace = true";
        findings.push(at(manifest, 1, format!("{} does not take the workspace's lints", package.name), help));
    }
    findings
}

/// `tree` is what `cargo tree --prefix none` prints: a name, a version and more on each line.
fn under_core(manifest: &str, tree: &str) -> Vec<Finding> {
    let names: std::collections::BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
    let never = NEVER_UNDER_CORE.into_iter().filter(|name| names.contains(name));
    let help = "`cargo tree --package ripcord-core --invert` shows the way it comes in; turn that feature off";
    never.map(|name| at(manifest, 1, format!("{name} stands in the dependency tree of core"), help)).collect()
}

/// Whether the item does something: declarations of modules, imports and an empty `main` do not.
fn is_code(item: &syn::Item) -> bool {
    if let syn::Item::Mod(module) = item {
        return module.content.as_ref().is_some_and(|(_, items)| items.iter().any(is_code));
    }
    if let syn::Item::Fn(function) = item {
        return !function.block.stmts.is_empty();
    }
    !matches!(item, syn::Item::Use(_) | syn::Item::ExternCrate(_))
}

fn line_of(manifest: &str, dependency: &str) -> usize {
    let starts = |line: &str| line.strip_prefix(dependency).is_some_and(|rest| rest.starts_with([' ', '.', '=']));
    manifest.lines().position(starts).map_or(1, |index| index + 1)
}

fn at(manifest: &str, line: usize, message: String, help: &'static str) -> Finding {
    Finding { path: manifest.to_owned(), line, message, help }
}

#[cfg(test)]
mod tests;
