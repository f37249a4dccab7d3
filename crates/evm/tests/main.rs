//! The executor on small worlds: views, call trees, destroyed accounts, stacked transactions.

#![cfg(test)]

mod call_tree;
mod destruction;
mod layering;
mod rehearsal;
mod views;
mod world;
