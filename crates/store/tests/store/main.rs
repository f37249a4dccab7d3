//! The store from outside: the journal's contract, crashes, damage, the log, the old format.
#![cfg(test)]

mod contract;
mod crash;
mod damage;
mod format;
mod full_disk;
mod log;
mod replay;
mod support;
