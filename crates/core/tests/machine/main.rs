//! The decision machine, tested through what goes in and what comes out.
#![cfg(test)]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test picks the words that it is about")]

mod budgets;
mod harness;
mod links;
mod quorums;
mod random;
mod reinstatements;
mod stories;
mod transactions;
mod vectors;
mod words;
