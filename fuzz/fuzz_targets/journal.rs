//! The journal reader answers any entry with a record or with an error, never with a panic; what it accepts, it writes back byte for byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ripcord_store::replay;

fuzz_target!(|data: &[u8]| {
    if let Ok(record) = replay::decode(0, data) {
        let again = replay::encode(&record).expect("a decoded record can be encoded");
        assert_eq!(again, data, "an accepted entry must be canonical");
    }
});
