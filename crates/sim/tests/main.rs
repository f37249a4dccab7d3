//! Recorded chain data against the executor: real blocks, a real witness, and go-ethereum's tracer cases. Drills over many seeds, and the
//! stories of `docs/scenarios`.
//!
//! Tests over real data stand in modules named `real_data` and are ignored with a reason, so that a run without the data counts them as
//! skipped and never as passed; `cargo xtask test` unpacks the data and runs them when it is there.

#![cfg(test)]

mod blocks;
mod data;
mod drill;
mod geth_cases;
mod kit;
mod scenarios;
mod simulation;
