//! The virtual shell of Ripcord: recorded history, and a devnet with a clock, faults and scripted actors.

pub mod devnet;
pub mod drill;
pub mod history;
pub mod simulation;
pub mod world;
