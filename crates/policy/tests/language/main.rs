#![cfg(test)]
//! The policy language at the level of a user: text in, policy or findings out.

mod diagnostics;
