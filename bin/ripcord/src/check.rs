//! `ripcord check`.

use crate::exit::{Exit, Failure};
use crate::{print, tell};
use ripcord_policy::{LoadOptions, load};
use std::path::{Path, PathBuf};

/// Options of `check`.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Policy file.
    #[arg(default_value = "ripcord.toml")]
    policy: PathBuf,
}

pub(crate) fn run(args: &Args) -> Result<Exit, Failure> {
    let folder = args.policy.parent().unwrap_or_else(|| Path::new("")).to_owned();
    let name = args.policy.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if !args.policy.is_file() {
        let message = format!("{} is not a file", args.policy.display());
        return Err(Failure::text(Exit::Environment, message, "give the path of a `ripcord.toml`"));
    }
    let files = |path: &str| std::fs::read(folder.join(path)).map_err(|e| e.to_string());
    let options = LoadOptions { vars: std::env::vars().collect() };
    match load(&name, &files, &options) {
        Ok(policy) => {
            let program = policy.program();
            print(&format!("ok: {} rules, {} playbooks, policy hash {}", program.rules.len(), program.playbooks.len(), program.policy_hash))?;
            Ok(Exit::Ok)
        }
        Err(all) => {
            let texts = all.iter().filter_map(|d| files(&d.file).ok().map(|bytes| (d.file.clone(), bytes)));
            let sources = texts.map(|(file, bytes)| (file, String::from_utf8_lossy(&bytes).into_owned())).collect();
            tell(&ripcord_policy::render(&all, &sources));
            Err(Failure::text(Exit::Usage, format!("{} errors", all.len()), "each error above names its place and its remedy"))
        }
    }
}
