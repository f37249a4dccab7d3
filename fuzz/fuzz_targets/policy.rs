//! The policy loader answers any text with a policy or with diagnostics, never with a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        if let Err(diagnostics) = ripcord_policy::load_str(text) {
            assert!(!diagnostics.is_empty(), "a refused policy must say why");
        }
    }
});
