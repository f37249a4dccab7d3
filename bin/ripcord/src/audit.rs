//! `ripcord audit`.

use crate::exit::{self, Exit, Failure};
use crate::{print, tell};
use ripcord_store::audit::{Audit, AuditError, Pins, Source};
use ripcord_store::{VerifierKey, tiles, verify_pinned};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Subcommands of `audit`.
#[derive(clap::Subcommand)]
#[command(after_help = exit::TABLE)]
pub(crate) enum Command {
    /// Verify a store folder or an exported log: every entry, hash, checkpoint and signature, offline and read-only.
    #[command(after_help = exit::TABLE)]
    Verify(VerifyArgs),
    /// Write a store's log as a folder of static files (C2SP tlog-tiles) that anyone can publish and verify.
    #[command(after_help = exit::TABLE)]
    Export(ExportArgs),
}

/// Options of `audit verify`.
#[derive(clap::Args)]
pub(crate) struct VerifyArgs {
    /// Store folder, or folder of an exported log.
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
}

/// Options of `audit export`.
#[derive(clap::Args)]
pub(crate) struct ExportArgs {
    /// Store folder; nobody may be writing to it.
    store: PathBuf,
    /// Folder for the log: new, or one with an earlier export of the same log, which is added to.
    out: PathBuf,
}

pub(crate) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Verify(args) => verify(args),
        Command::Export(args) => export(args),
    }
}

fn verify(args: &VerifyArgs) -> Result<Exit, Failure> {
    let pins = Pins {
        vkey: args.vkey.as_deref().map(parse_key).transpose()?,
        checkpoint: args.checkpoint.as_deref().map(read).transpose()?,
    };
    let audit = verify_pinned(&args.store, &pins).map_err(|e| failure(&e))?;
    if args.json {
        print(&object(&audit).to_string())?
    } else {
        show(&audit)?
    }
    warn(&audit);
    Ok(Exit::Ok)
}

fn show(audit: &Audit) -> Result<(), Failure> {
    let kind = if audit.source == Source::Store { "store" } else { "exported log" };
    print(&format!("ok: {kind} {}", audit.origin))?;
    print(&format!("  entries      {}", audit.size))?;
    print(&format!("  root         {}", audit.root))?;
    let pinned = if audit.pinned { "pinned" } else { "not pinned" };
    print(&format!("  checkpoints  {} signed by {} ({pinned})", audit.checkpoints, audit.vkey))?;
    if audit.source == Source::Store {
        print(&format!("  outbox       {} rows, {} not yet delivered", audit.outbox, audit.pending))?;
    }
    Ok(())
}

fn object(audit: &Audit) -> serde_json::Value {
    json!({
        "schema": "ripcord/audit-verify/1",
        "ok": true,
        "source": if audit.source == Source::Store { "store" } else { "export" },
        "origin": audit.origin,
        "vkey": audit.vkey,
        "pinned": audit.pinned,
        "entries": audit.size,
        "root": audit.root.to_string(),
        "checkpoints": audit.checkpoints,
        "unsigned_tail": audit.unsigned_tail,
        "torn_tail": audit.torn_tail,
        "outbox": audit.outbox,
        "pending": audit.pending,
    })
}

/// What is no finding, and still something to know.
fn warn(audit: &Audit) {
    if audit.unsigned_tail > 0 {
        tell(&format!(
            "warning: {} entries stand after the last signed checkpoint: nobody vouches for them",
            audit.unsigned_tail
        ));
    }
    if audit.torn_tail {
        tell("warning: a crash cut the last write short; it was never acknowledged and is not counted");
    }
    if !audit.pinned {
        tell(
            "warning: the key was read from the copy itself, which proves that nothing was changed since, not who signed",
        );
        tell("help: get the key from the log's operator and pass it with `--vkey`");
    }
}

fn export(args: &ExportArgs) -> Result<Exit, Failure> {
    // Damage must not be exported, and a folder that is no store has a better answer here than in the middle of it.
    let audit = ripcord_store::verify(&args.store).map_err(|e| failure(&e))?;
    if audit.source == Source::Export {
        let message = format!("{} is an exported log already", args.store.display());
        return Err(Failure::text(Exit::Usage, message, "give the store folder of a guardian"));
    }
    tiles::export(&args.store, &args.out).map_err(|e| Failure::new(Exit::of_store(&e), &e, e.help()))?;
    print(&format!("ok: {} entries of {} exported to {}", audit.size, audit.origin, args.out.display()))?;
    tell(&format!("verify: ripcord audit verify {}", crate::shell_word(&args.out)));
    Ok(Exit::Ok)
}

pub(crate) fn failure(error: &AuditError) -> Failure {
    let exit = if error.is_finding() {
        Exit::Verification
    } else if matches!(error, AuditError::InUse { .. } | AuditError::Io { .. }) {
        Exit::Environment
    } else {
        Exit::Usage
    };
    Failure::new(exit, error, error.help())
}

fn parse_key(text: &str) -> Result<VerifierKey, Failure> {
    VerifierKey::parse(text.trim()).ok_or_else(|| {
        Failure::text(
            Exit::Usage,
            "--vkey is not a verifier key",
            "give the line that `audit verify` prints, in quotes",
        )
    })
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| {
        Failure::text(
            Exit::Environment,
            format!("cannot read {}: {e}", path.display()),
            "give a file that holds one signed checkpoint",
        )
    })
}
