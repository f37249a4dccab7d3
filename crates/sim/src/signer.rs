//! A signing key of the virtual world: signs what the guardian asks to have signed.

use alloy_primitives::{Address, B256, Bytes, keccak256};
use k256::ecdsa::SigningKey;

/// A secp256k1 key in memory; for worlds that hold nothing of worth.
#[derive(Clone)]
pub struct Signer {
    key: SigningKey,
}

impl Signer {
    /// The key whose secret is the hash of a name; `None` for the one hash in 2^128 that is not a key.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let secret = keccak256(name);
        SigningKey::from_slice(secret.as_slice()).ok().map(|key| Self { key })
    }

    /// Its account.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::from_public_key(self.key.verifying_key())
    }

    /// r, s and v (27 or 28) of an ECDSA signature over a digest, deterministic (RFC 6979), s in the lower half of the order (EIP-2).
    ///
    /// # Errors
    /// The curve library's, which no digest is known to cause.
    pub fn sign(&self, digest: B256) -> Result<Bytes, String> {
        let (signature, recovery) =
            self.key.sign_prehash_recoverable(digest.as_slice()).map_err(|error| error.to_string())?;
        let mut out = signature.to_bytes().to_vec();
        out.push(27 + recovery.to_byte());
        Ok(out.into())
    }
}

impl std::fmt::Debug for Signer {
    /// The account; the secret never.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Signer").field(&self.address()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::Signature;

    #[test]
    fn a_signature_recovers_to_its_account_and_is_low() {
        let signer = Signer::named("somebody").unwrap();
        for index in 0..64_u64 {
            let digest = keccak256(index.to_be_bytes());
            let signed = signer.sign(digest).unwrap();
            let signature = Signature::from_raw(&signed).unwrap();
            assert_eq!(signature.recover_address_from_prehash(&digest).unwrap(), signer.address());
            assert!(signature.normalize_s().is_none(), "s is in the lower half already");
        }
    }

    #[test]
    fn the_secret_is_not_printed() {
        let signer = Signer::named("somebody").unwrap();
        assert_eq!(format!("{signer:?}"), format!("Signer({:?})", signer.address()));
    }
}
