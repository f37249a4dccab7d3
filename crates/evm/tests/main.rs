//! The executor on small worlds: views, call trees, destroyed accounts, stacked transactions.

#![cfg(test)]

mod call_tree;
mod destruction;
mod layering;
mod views;
mod world;
