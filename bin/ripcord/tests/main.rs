//! The built `ripcord`, run as a user runs it: what it prints where, and the code it ends with.

#![cfg(test)]

mod audit;
mod check;
mod drill;
mod invocation;
mod output;
mod reference;
mod replay;
mod store;

const OK: i32 = 0;
const USAGE: i32 = 2;
const ENVIRONMENT: i32 = 3;
const VERIFICATION: i32 = 5;
