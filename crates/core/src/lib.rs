//! The decision machine of Ripcord and its words.
//!
//! Inputs come in with the time, outputs go out in order; there is no I/O, clock, float, lock, async or randomness here
//! (`ARCHITECTURE.md`, invariant 1). The same inputs give a byte-identical journal.

pub mod chain;
pub mod fact;
pub mod incident;
pub mod io;
pub mod playbook;
pub mod ports;
pub mod signal;
