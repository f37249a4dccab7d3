//! `ripcord audit`.

use crate::exit::{Exit, Failure};
use crate::print;
use ripcord_store::audit::{AuditError, Pins, Source};
use ripcord_store::{VerifierKey, verify_pinned};
use serde_json::json;
use std::path::PathBuf;

/// Subcommands of `audit`.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Verify a store folder or an exported log: every entry, hash, checkpoint and signature, offline and read-only.
    Verify {
        /// Store folder, or folder of exported tiles.
        store: PathBuf,
        /// Public key that the log must be signed with; without it the copy vouches for itself only.
        #[arg(long)]
        vkey: Option<String>,
        /// File with an earlier signed checkpoint: the log must begin with what it covers.
        #[arg(long)]
        checkpoint: Option<PathBuf>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
    },
}

pub(crate) fn run(command: &Command) -> Result<Exit, Failure> {
    let Command::Verify { store, vkey, checkpoint, json } = command;
    let pins = Pins { vkey: vkey.as_deref().map(parse_key).transpose()?, checkpoint: checkpoint.as_ref().map(read).transpose()? };
    match verify_pinned(store, &pins) {
        Ok(audit) => {
            let root = audit.root.to_string();
            if *json {
                let object = json!({
                    "schema": "ripcord/audit-verify/1",
                    "ok": true,
                    "origin": audit.origin,
                    "vkey": audit.vkey,
                    "pinned": audit.pinned,
                    "entries": audit.size,
                    "root": root,
                    "checkpoints": audit.checkpoints,
                    "unsigned_tail": audit.unsigned_tail,
                    "pending": audit.pending,
                });
                print(&object.to_string())?;
            } else {
                let kind = if audit.source == Source::Store { "store" } else { "exported log" };
                print(&format!("ok: {kind} {}: {} entries, root {root}", audit.origin, audit.size))?;
                print(&format!("    {} signed checkpoints by {}", audit.checkpoints, audit.vkey))?;
                print(&format!("    {} outbox rows, {} not yet delivered", audit.outbox, audit.pending))?;
                if audit.unsigned_tail > 0 {
                    print(&format!("    WARNING: {} entries after the last signed checkpoint", audit.unsigned_tail))?;
                }
                if !audit.pinned {
                    print("    the key was read from the copy itself; pin one with --vkey to know who signed")?;
                }
            }
            Ok(Exit::Ok)
        }
        Err(error) => {
            let exit = match &error {
                AuditError::NothingThere { .. } => Exit::Environment,
                _ => Exit::Verification,
            };
            Err(Failure::new(exit, &error, error.help()))
        }
    }
}

fn parse_key(text: &str) -> Result<VerifierKey, Failure> {
    VerifierKey::parse(text)
        .ok_or_else(|| Failure::text(Exit::Usage, "--vkey is not a verifier key", "give the line that `audit verify` prints, in quotes"))
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| {
        Failure::text(Exit::Environment, format!("cannot read {}: {e}", path.display()), "give a file that holds one signed checkpoint")
    })
}
