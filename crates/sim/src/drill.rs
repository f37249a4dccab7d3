//! Drills: the same theft with and without the guardian, on a devnet, with honest traffic around it.
//!
//! Owns scenarios and the figures that are taken from the chain's own truth. The guardian in a drill is the engine that runs live; a drill
//! only brings the world.

mod act;
pub mod actions;
mod attack;
pub mod exercise;
mod kit;
mod protocol;
mod report;
mod scenario;
mod traffic;

pub use act::{Act, ActName, Line, Theft, Who};
pub use attack::Form;
pub use exercise::Exercise;
pub use kit::Kit;
pub use protocol::{ASSETS, Asset, Build, CHAIN, EMPTY, GUARDIAN, OWNER, Protocol, THIEF, genesis};
pub use report::{SCHEMA, figures, json, story, text, timeline};
pub use scenario::{Drill, JournalProof, Scenario, policy, records, run};
pub use traffic::USERS;

use crate::world::WorldError;
use ripcord_engine::EngineError;
use ripcord_evm::ExecError;
use ripcord_store::StoreError;

/// Seconds between blocks.
pub const BLOCK_SECS: u64 = 12;

/// Why a drill cannot be run to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DrillError {
    /// A committed artifact is unusable.
    #[error("contract artifact: {0}")]
    Artifact(String),
    /// The drill's own policy does not load.
    #[error("the drill's policy does not load:\n{0}")]
    Policy(String),
    /// The chain refused something that the scenario needs.
    #[error("the devnet refused: {0}")]
    Refused(String),
    /// The chain cannot execute.
    #[error("the devnet cannot execute")]
    Chain(#[from] ExecError),
    /// The world stopped.
    #[error("the world stopped")]
    World(#[from] WorldError),
    /// The journal's folder cannot be used.
    #[error("the drill's store")]
    Store(#[from] StoreError),
}

impl DrillError {
    /// Whether the journal's folder or disk is at fault, and not the drill.
    #[must_use]
    pub fn is_storage(&self) -> bool {
        matches!(self, Self::Store(_) | Self::World(WorldError::Engine(EngineError::Journal(_))))
    }

    /// What to do next, one line.
    #[must_use]
    pub fn help(&self) -> String {
        match self {
            Self::Store(error) => error.help(),
            Self::World(WorldError::Engine(EngineError::Journal(_))) => {
                "free space on the disk of that file, or give `--store` a folder on another; what was journaled before stands".to_owned()
            }
            Self::Artifact(_) | Self::Policy(_) | Self::Refused(_) | Self::Chain(_) | Self::World(_) => {
                "this is a defect of the drill itself: report it with the seed".to_owned()
            }
        }
    }
}
