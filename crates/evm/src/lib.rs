//! revm behind Ripcord's words.
//!
//! Owns: execution of blocks and transactions on a bounded overlay over a [`StateSource`](ripcord_core::ports::StateSource), one pass that
//! yields all facts that come from execution, views and probes on the pre-transaction, post-transaction and block snapshots, and
//! state proven from trie nodes. Must not know: rules, policies, journals, networks.
//!
//! Reading order: [`block`] (what goes in), [`executor`] (what is done), [`facts`](ripcord_core::fact) (what comes out).

pub mod block;
pub mod executor;
mod extract;
mod frames;
pub mod hardfork;
pub mod memory;
mod rehearsal;
mod snapshots;
mod tracked;
pub mod witness;
pub mod yardstick;

pub use block::{Block, Header, Tx};
pub use executor::{ExecError, Executor, Outcome, SystemCalls};
pub use hardfork::{Hardforks, SpecId};
pub use memory::MemoryState;
pub use rehearsal::stand_in;
