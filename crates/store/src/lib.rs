//! The journal of Ripcord and its evidence.
//!
//! One store is one folder: `journal.db` (SQLite, WAL, every commit flushed), `journal.lock` (one process at a time) and
//! `log.key` (the Ed25519 key that signs checkpoints). The entries form a transparency log: RFC 6962 hashing, C2SP
//! checkpoints and tiles, so that anyone can check a copy without trusting whoever made it.
//!
//! | module | owns |
//! | --- | --- |
//! | [`journal`] | [`SqliteJournal`], the journal of a live guardian |
//! | [`memory`] | [`MemoryJournal`], the journal of a simulated world, with faults to order |
//! | [`audit`] | reading a store or an exported log as evidence: nothing is written, nothing is trusted |
//! | [`replay`] | entries to and from [`ripcord_core::io::Record`] |
//! | [`merkle`], [`proof`], [`checkpoint`], [`key`], [`tiles`] | the log: tree, proofs, signed notes, key file, export |
//!
//! The journal knows no rules and has no clock: what an entry means, and when, is the caller's business. Randomness is asked
//! for in one place only, where [`key`] makes a key file.

pub mod audit;
pub mod checkpoint;
mod error;
pub mod journal;
pub mod key;
pub mod memory;
pub mod merkle;
pub mod proof;
mod reader;
pub mod replay;
mod schema;
pub mod tiles;

pub use audit::{Audit, AuditError, Pins, verify, verify_pinned};
pub use error::{Class, StoreError};
pub use journal::SqliteJournal;
pub use key::{LogKey, VerifierKey};
pub use memory::MemoryJournal;

/// Largest entry, bytes: an entry bundle gives each entry a length of two bytes.
pub const ENTRY_BYTES_MAX: usize = 65_535;
