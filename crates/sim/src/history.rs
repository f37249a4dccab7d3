//! Recorded history: folders of real blocks with the state that they read, and blocks with a trie witness.
//!
//! Owns the two file formats and the comparison with the headers. A file that is malformed or truncated is a [`HistoryError`] that names
//! the file and the place; nothing is guessed.

mod bench;
mod folder;
mod json;
mod replay;
mod witness;

pub use bench::{Bench, bench};
pub use folder::{BlockFolder, PreState};
pub use json::parse_block;
pub use replay::{BlockReport, replay};
pub use witness::load as load_witness;

use alloy_primitives::Bloom;
use ripcord_evm::{Block, ExecError};
use ripcord_policy::{LoadOptions, Policy, load};

/// The rules that a replay evaluates when the user names none.
const EXAMPLE: &str = include_str!("../../../drills/mainnet/ripcord.toml");

/// The example policy for mainnet blocks: it watches well-known contracts and acts on nothing.
///
/// # Errors
/// Its diagnostics, rendered; only a defect of this build gives any.
pub fn example_policy() -> Result<Policy, String> {
    let options = LoadOptions { vars: [("RECORDED".to_owned(), "recorded blocks".to_owned())].into() };
    let files =
        |name: &str| if name == "ripcord.toml" { Ok(EXAMPLE.as_bytes().to_vec()) } else { Err("not there".to_owned()) };
    load("ripcord.toml", &files, &options)
        .map_err(|all| ripcord_policy::render(&all, &[("ripcord.toml".to_owned(), EXAMPLE.to_owned())].into()))
}

/// A block with what its header says came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedBlock {
    /// The block.
    pub block: Block,
    /// Gas used, from the header.
    pub gas_used: u64,
    /// Logs bloom, from the header.
    pub logs_bloom: Bloom,
}

/// Why history cannot be read or replayed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// A file cannot be opened or read.
    #[error("cannot read {path}: {why}")]
    Unreadable {
        /// File.
        path: String,
        /// System's reason.
        why: String,
    },
    /// A file is not what it should be.
    #[error("{path} is malformed at {place}: {why}")]
    Malformed {
        /// File.
        path: String,
        /// Line and column, byte offset, or field.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// A transaction cannot be executed on the recorded state.
    #[error("block {number}, transaction {index}")]
    Execution {
        /// Block.
        number: u64,
        /// Index of the transaction.
        index: usize,
        /// Reason.
        source: ExecError,
    },
}

impl HistoryError {
    /// What to do next, for people.
    #[must_use]
    pub fn help(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => {
                "give the folder that holds `blocks/`, `codes.json` and `block_hashes.bincode`, or a witness `.json` file"
            }
            Self::Malformed { .. } => "the file is damaged or of another format: unpack it again from its archive",
            Self::Execution { source: ExecError::Missing(_), .. } => {
                "the recorded pre-state lacks a value that this block reads; it was not taken as zero. Record the state again"
            }
            Self::Execution { .. } => {
                "the recorded transactions do not fit the recorded state: record both from the same block"
            }
        }
    }
}
