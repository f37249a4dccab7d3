use super::*;

const ORIGIN: &str = "ripcord.example.org/test";

#[test]
fn a_key_file_is_made_once_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = LogKey::load_or_create(dir.path(), ORIGIN).unwrap().verifier(ORIGIN);
    let again = LogKey::load_or_create(dir.path(), ORIGIN).unwrap().verifier(ORIGIN);
    assert_eq!(first, again);
    let other = tempfile::tempdir().unwrap();
    assert_ne!(first, LogKey::load_or_create(other.path(), ORIGIN).unwrap().verifier(ORIGIN));
}

#[cfg(unix)]
#[test]
fn a_key_file_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    LogKey::load_or_create(dir.path(), ORIGIN).unwrap();
    let path = dir.path().join(KEY_FILE);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let error = LogKey::load_or_create(dir.path(), ORIGIN).unwrap_err();
    assert!(error.to_string().ends_with("log.key: the key file can be read by other users"), "{error}");
}

#[test]
fn a_damaged_or_foreign_key_file_is_refused_and_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    LogKey::load_or_create(dir.path(), ORIGIN).unwrap();
    let path = dir.path().join(KEY_FILE);
    let good = std::fs::read(&path).unwrap();
    assert!(matches!(LogKey::load_or_create(dir.path(), "another.log"), Err(StoreError::OtherLog { .. })));
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, &bad).unwrap();
        let error = LogKey::load_or_create(dir.path(), ORIGIN).unwrap_err();
        let secret = String::from_utf8_lossy(&good[good.len() - 40..good.len() - 5]).into_owned();
        assert!(!format!("{error:?} {error} {}", error.help()).contains(&secret), "the error tells the secret");
        assert_eq!(std::fs::read(&path).unwrap(), bad);
    }
    std::fs::write(&path, &good[..good.len() - 1]).unwrap();
    assert!(matches!(LogKey::load_or_create(dir.path(), ORIGIN), Err(StoreError::Key { .. })));
}

#[test]
fn the_secret_is_not_printed() {
    let key = LogKey::from_seed([0x5a; 32]);
    assert_eq!(format!("{key:?}"), "LogKey(..)");
}

/// The seed is that of RFC 8032 section 7.1, test 1, so the public key is known from there.
#[test]
fn a_seed_gives_the_key_of_rfc_8032_and_the_file_form_of_the_note_library() {
    let seed = alloy_primitives::hex!("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
    let public = alloy_primitives::hex!("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
    let key = LogKey::from_seed(seed);
    assert_eq!(key.verifier(ORIGIN).key.as_bytes(), &public);
    // Another implementation reads both forms.
    let line = key.line(ORIGIN);
    signed_note::StandardSigner::new(line.trim_end()).unwrap();
    signed_note::StandardVerifier::new(&key.verifier(ORIGIN).to_string()).unwrap();
}

#[test]
fn a_public_key_has_one_spelling() {
    let vkey = LogKey::from_seed([7; 32]).verifier(ORIGIN).to_string();
    assert_eq!(VerifierKey::parse(&vkey).unwrap().to_string(), vkey);
    for at in 0..vkey.len() {
        for bit in 0..8 {
            let mut bad = vkey.clone().into_bytes();
            bad[at] ^= 1 << bit;
            if let Ok(text) = std::str::from_utf8(&bad) {
                assert_eq!(VerifierKey::parse(text), None, "{text}");
            }
        }
    }
}

#[test]
fn origins_that_cannot_name_a_key_are_refused() {
    for origin in ["", "a b", "a+b", "a\nb", "a\u{7f}b", &"x".repeat(256)] {
        assert!(matches!(check_origin(origin), Err(StoreError::Origin(_))), "{origin:?}");
    }
}
