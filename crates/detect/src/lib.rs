//! The one evaluator of rules, live and in the simulator.
//!
//! [`Detector`] is told each transaction and block in order and answers with the verdicts of the rules that are due. It is pure:
//! state comes through [`ripcord_core::ports::Views`], time with the block. It knows neither the chain's data format nor what is
//! done about a verdict.

mod detector;
mod facts;
mod index;
mod reader;
mod window;

pub use detector::{Detector, Explanation};
