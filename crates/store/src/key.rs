//! The Ed25519 key that signs checkpoints: its file, and the public form that anyone can check with.
//!
//! The secret is never printed and is wiped from memory when dropped.

use crate::error::StoreError;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use ed25519_dalek::Signer as _;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::Path;
use zeroize::{Zeroize as _, Zeroizing};

/// Name of the key file in a store folder.
pub const KEY_FILE: &str = "log.key";
/// Algorithm byte of C2SP signed notes.
const ED25519: u8 = 1;
const ORIGIN_BYTES_MAX: usize = 255;

/// Whether a name can stand as origin and key name in a signed note.
pub(crate) fn check_origin(origin: &str) -> Result<(), StoreError> {
    let valid = signed_note::is_key_name_valid(origin)
        && origin.len() <= ORIGIN_BYTES_MAX
        && !origin.chars().any(char::is_control);
    if valid { Ok(()) } else { Err(StoreError::Origin(origin.to_owned())) }
}

/// The signing key of one log.
pub struct LogKey {
    key: ed25519_dalek::SigningKey,
}

impl std::fmt::Debug for LogKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LogKey(..)")
    }
}

impl LogKey {
    /// The key of a known seed: for drills, whose output must be the same each time. A live log uses a key file.
    #[must_use]
    pub fn from_seed(mut seed: [u8; 32]) -> Self {
        let key = ed25519_dalek::SigningKey::from_bytes(&seed);
        seed.zeroize();
        Self { key }
    }

    /// Reads the key file of a store folder, or makes one with the system's randomness. Makes the folder too.
    ///
    /// # Errors
    /// [`StoreError::Key`] when the file is malformed or readable by others, [`StoreError::OtherLog`] when it belongs to
    /// another origin, [`StoreError::Io`] and [`StoreError::Randomness`].
    pub fn load_or_create(dir: &Path, origin: &str) -> Result<Self, StoreError> {
        check_origin(origin)?;
        crate::journal::make_folder(dir)?;
        let path = dir.join(KEY_FILE);
        match File::open(&path) {
            Ok(file) => Self::load(file, &path, origin),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Self::create(&path, origin),
            Err(source) => Err(StoreError::Io { path, doing: "open the key file", source }),
        }
    }

    fn load(file: File, path: &Path, origin: &str) -> Result<Self, StoreError> {
        let io = |source| StoreError::Io { path: path.to_owned(), doing: "read the key file", source };
        refuse_shared(&file, path)?;
        let mut text = Zeroizing::new(String::with_capacity(1024));
        file.take(1024).read_to_string(&mut text).map_err(io)?;
        let bad = |why| StoreError::Key { path: path.to_owned(), why };
        let line = text.strip_suffix('\n').ok_or_else(|| bad("the key file is cut short"))?;
        let rest = line.strip_prefix("PRIVATE+KEY+").ok_or_else(|| bad("not a note signing key"))?;
        let (name, rest) = rest.split_once('+').ok_or_else(|| bad("not a note signing key"))?;
        let (_, encoded) = rest.split_once('+').ok_or_else(|| bad("not a note signing key"))?;
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(encoded).map_err(|_| bad("the key is not base64"))?);
        let Some((&ED25519, seed)) = bytes.split_first() else { return Err(bad("not an Ed25519 key")) };
        let seed = Zeroizing::new(<[u8; 32]>::try_from(seed).map_err(|_| bad("the key has the wrong length"))?);
        if name != origin {
            let (found, expected) = (name.to_owned(), origin.to_owned());
            return Err(StoreError::OtherLog { path: path.to_owned(), found, expected });
        }
        let key = Self::from_seed(*seed);
        // The line repeats the hash of the public key: damage to the seed shows here and not in a bad signature later.
        if *key.line(origin) != *text { Err(bad("the key does not match its own hash")) } else { Ok(key) }
    }

    fn create(path: &Path, origin: &str) -> Result<Self, StoreError> {
        let mut seed = Zeroizing::new([0_u8; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(StoreError::Randomness)?;
        let key = Self::from_seed(*seed);
        let io = |source| StoreError::Io { path: path.to_owned(), doing: "write the key file", source };
        // A crash leaves the whole file or none: it is written under another name and linked into place.
        let dir = path.parent().unwrap_or(Path::new("."));
        let temporary = tempfile::Builder::new().prefix(".log.key-").tempfile_in(dir).map_err(io)?;
        temporary.as_file().write_all(key.line(origin).as_bytes()).map_err(io)?;
        temporary.as_file().sync_all().map_err(io)?;
        temporary.persist_noclobber(path).map_err(|error| io(error.error))?;
        crate::journal::sync_folder(dir)?;
        Ok(key)
    }

    /// The file's one line: the note signing key of Go's `note` package.
    fn line(&self, origin: &str) -> Zeroizing<String> {
        let mut secret = Zeroizing::new([ED25519; 33]);
        if let Some((_, seed)) = secret.split_first_mut() {
            seed.copy_from_slice(Zeroizing::new(self.key.to_bytes()).as_slice());
        }
        let encoded = Zeroizing::new(BASE64_STANDARD.encode(secret.as_slice()));
        let id = self.verifier(origin).id;
        Zeroizing::new(format!("PRIVATE+KEY+{origin}+{id:08x}+{}\n", *encoded))
    }

    /// The public half under a log's name.
    #[must_use]
    pub fn verifier(&self, origin: &str) -> VerifierKey {
        VerifierKey::new(origin, self.key.verifying_key())
    }

    pub(crate) fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.key.sign(text).to_bytes()
    }
}

/// A secret that others can read is not one.
#[cfg(unix)]
fn refuse_shared(file: &File, path: &Path) -> Result<(), StoreError> {
    use std::os::unix::fs::PermissionsExt as _;
    let io = |source| StoreError::Io { path: path.to_owned(), doing: "read the key file's permissions", source };
    if file.metadata().map_err(io)?.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    Err(StoreError::Key { path: path.to_owned(), why: "the key file can be read by other users" })
}

#[cfg(not(unix))]
fn refuse_shared(_: &File, _: &Path) -> Result<(), StoreError> {
    Ok(())
}

/// The public key of a log, printed as `origin+hash+base64` (C2SP "vkey").
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: u32,
    key: ed25519_dalek::VerifyingKey,
}

impl VerifierKey {
    fn new(name: &str, key: ed25519_dalek::VerifyingKey) -> Self {
        let id = signed_note::key_id(name, &tagged(&key));
        Self { name: name.to_owned(), id, key }
    }

    /// Parses the printed form; anything but the exact form that [`std::fmt::Display`] gives is refused.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (name, rest) = text.split_once('+')?;
        let (_, encoded) = rest.split_once('+')?;
        check_origin(name).ok()?;
        let bytes = BASE64_STANDARD.decode(encoded).ok()?;
        let (&ED25519, key) = bytes.split_first()? else { return None };
        let key = ed25519_dalek::VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        let parsed = Self::new(name, key);
        (parsed.to_string() == text).then_some(parsed)
    }

    /// The log's origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.name
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.id, BASE64_STANDARD.encode(tagged(&self.key)))
    }
}

impl signed_note::Verifier for VerifierKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Ok(signature) = ed25519_dalek::Signature::from_slice(signature) else { return false };
        self.key.verify_strict(message, &signature).is_ok()
    }
}

fn tagged(key: &ed25519_dalek::VerifyingKey) -> Vec<u8> {
    [&[ED25519], key.as_bytes().as_slice()].concat()
}

#[cfg(test)]
mod tests;
