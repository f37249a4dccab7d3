//! The virtual shell of Ripcord: recorded history, and a devnet with a clock, faults and scripted actors.

pub mod devnet;
pub mod drill;
pub mod history;
mod signer;
pub mod simulation;
pub mod world;

pub use signer::Signer;
