//! Drills: the same theft with and without the guardian, on a devnet, with honest traffic around it.
//!
//! Owns scenarios and the figures that are taken from the chain's own truth. The guardian in a drill is the engine that runs live; a drill
//! only brings the world.

mod act;
pub mod actions;
mod attack;
mod protocol;
mod report;
mod scenario;
mod traffic;

pub use act::{Act, ActName, Line, Who};
pub use attack::Form;
pub use protocol::{ASSETS, Asset, Build, CHAIN, EMPTY, GUARDIAN, OWNER, Protocol, THIEF, genesis};
pub use report::{SCHEMA, json, text, timeline};
pub use scenario::{Drill, JournalProof, Scenario, policy, run};
pub use traffic::USERS;

use crate::world::WorldError;
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
