//! The block reader answers any bytes with a block or with an error that names the place, never with a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ripcord_core::chain::ChainId;
use ripcord_sim::history::{HistoryError, parse_block};

fuzz_target!(|data: &[u8]| {
    if let Err(error) = parse_block("fuzz.json", ChainId(1), data) {
        assert!(matches!(error, HistoryError::Malformed { .. }), "{error}");
    }
});
