//! Exit: what accounts are owed, in the form that the contracts check.
//!
//! Owns the trees over entitlements. Must not know where entitlements come from or how they are paid.

pub mod merkle_sum;
