//! Text to policy: `ripcord.toml` and its CEL expressions become a checked, typed [`Policy`], and typed rules are evaluated.
//!
//! [`load()`] reads the root file and what it includes through a function of the caller's; this crate has no I/O. All errors
//! of a run are reported together, each with file, span and help. Rules reach the typed form of [`ir`] only through the unit
//! check, and [`eval`] evaluates that form with three values. What a signal's value *is* at some block is not known here: the
//! detect crate reads it and hands it to the evaluator through [`eval::Leaves`].
//!
//! `docs/policy-language.md` says what of the language is supported.

mod abi;
mod check;
pub mod diagnostic;
pub mod duration;
pub mod eval;
pub mod ir;
mod lexicon;
mod load;
pub mod policy;
mod text;
pub mod value;

pub use abi::{Output, Raw, word_at};
pub use diagnostic::{Code, Diagnostic, render};
pub use load::{CORE_PACK, CORE_PACK_FILE, Files, LoadOptions, load, load_str};
pub use policy::Policy;
