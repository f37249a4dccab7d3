#![cfg(test)]
//! Rules at the level of a user: policy text and recorded answers in, verdicts out.

mod incremental;
mod recorded;
mod templates;
mod windows;
