//! The virtual shell of Ripcord: recorded history, and a devnet with a clock, faults and scripted actors.

pub mod history;
