//! `ripcord check`.

use crate::exit::{self, Exit, Failure};
use crate::{print, tell};
use ripcord_policy::{LoadOptions, Policy, load};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Options of `check`.
#[derive(clap::Args)]
#[command(after_help = exit::TABLE)]
pub(crate) struct Args {
    /// Policy file.
    #[arg(default_value = "ripcord.toml")]
    policy: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let program = load_policy(&args.policy)?.program();
    let (rules, playbooks, hash) = (program.rules.len(), program.playbooks.len(), program.policy_hash);
    print(&format!("ok: {rules} rules, {playbooks} playbooks, policy hash {hash}"))?;
    Ok(Exit::Ok)
}

/// Loads a policy file; all its errors go to stderr, each with place and remedy.
pub(crate) fn load_policy(path: &Path) -> Result<Policy, Failure> {
    let folder = path.parent().unwrap_or_else(|| Path::new("")).to_owned();
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if !path.is_file() {
        let message = format!("{} is not a file", path.display());
        return Err(Failure::text(Exit::Environment, message, "give the path of a `ripcord.toml`"));
    }
    let files = |path: &str| std::fs::read(folder.join(path)).map_err(|e| e.to_string());
    let options = LoadOptions { vars: std::env::vars().collect() };
    load(&name, &files, &options).map_err(|mut all| {
        let mut sources = BTreeMap::new();
        for finding in &mut all {
            // What ships with Ripcord has no file here and keeps its name.
            let Ok(bytes) = files(&finding.file) else { continue };
            finding.file = folder.join(&finding.file).display().to_string();
            sources.insert(finding.file.clone(), String::from_utf8_lossy(&bytes).into_owned());
        }
        tell(&ripcord_policy::render(&all, &sources));
        let count = if all.len() == 1 { "1 error".to_owned() } else { format!("{} errors", all.len()) };
        let message = format!("{count} in {}", path.display());
        Failure::text(Exit::Usage, message, "each error above names its place and its remedy")
    })
}
