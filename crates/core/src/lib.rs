//! The decision machine of Ripcord and its words.
//!
//! Inputs come in with the time, outputs go out in order; there is no I/O, clock, float, lock, async or randomness here
//! (`ARCHITECTURE.md`, invariant 1). The same inputs give a byte-identical journal.
//!
//! Words: [`chain`], [`fact`], [`signal`], [`playbook`], [`incident`], [`io`], and the traits in [`ports`]. The machine:
//! [`guardian`] in front, with [`quorum`], [`link`], [`submission`], [`ladder`], [`recovery`], [`response`] and [`key`] behind it.

#![warn(missing_docs)]

pub mod chain;
pub mod exit;
pub mod fact;
pub mod guardian;
pub mod incident;
pub mod io;
pub mod key;
pub mod ladder;
pub mod link;
pub mod playbook;
pub mod ports;
pub mod qty;
pub mod quorum;
pub mod recovery;
pub mod response;
pub mod signal;
pub mod submission;
pub mod trip;
