//! The whole guardian as one synchronous pipeline.
//!
//! An [`Observation`] goes in; blocks are executed, facts extracted, rules evaluated, decisions made, all of it journaled and flushed; only
//! then the [`Effect`]s come out, for the shell to carry out. `run`, `drill`, `replay` and audit replay are this engine under different
//! shells. Owns the order of these stages. Must not know: networks, clocks, files.

mod engine;
mod pipeline;
mod words;

pub use engine::{Engine, EngineError, Setup};
pub use pipeline::{BODIES_MAX, ChainSetup};
pub use words::{Effect, Observation};

#[cfg(feature = "sabotage")]
pub use engine::Sabotage;
