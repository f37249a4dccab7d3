//! Keys and digests: the names under which an effect happens once.
//!
//! Owns the byte layout of action keys, step hashes and question digests. Must not know incidents' states or who asks:
//! two guardians that see the same chain state and hold the same step derive the same key, whatever they call the incident.

use crate::chain::{ChainId, Millis};
use crate::incident::IncidentId;
use crate::playbook::{Effect, Step};
use alloy_primitives::{Address, B256, Keccak256, U256, keccak256};

/// The values that an action key is made of, as the contract that fences it would see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyParts {
    /// Chain of the effect.
    pub chain: ChainId,
    /// Controller, module or contract called.
    pub target: Address,
    /// What is restricted: [`scope`] for plain calls.
    pub scope: B256,
    /// The on-chain episode that the effect opens or joins.
    pub episode: u64,
    /// Trips landed in that episode before this one.
    pub trip_count: u64,
    /// [`step_hash`].
    pub step_hash: B256,
}

/// `keccak256(abi.encode(chainId, target, scope, episode, tripCount, stepHash))`.
#[must_use]
pub fn action_key(parts: &KeyParts) -> B256 {
    let mut hash = Keccak256::new();
    hash.update(U256::from(parts.chain.0).to_be_bytes::<32>());
    hash.update(parts.target.into_word());
    hash.update(parts.scope);
    hash.update(U256::from(parts.episode).to_be_bytes::<32>());
    hash.update(U256::from(parts.trip_count).to_be_bytes::<32>());
    hash.update(parts.step_hash);
    hash.finalize()
}

/// Scope of a plain call: `keccak256(abi.encode(target, selector))`; calldata shorter than a selector is padded with zeros.
#[must_use]
pub fn scope(target: Address, calldata: &[u8]) -> B256 {
    let mut selector = [0u8; 32];
    for (to, from) in selector.iter_mut().zip(calldata.iter().take(4)) {
        *to = *from;
    }
    let mut hash = Keccak256::new();
    hash.update(target.into_word());
    hash.update(selector);
    hash.finalize()
}

/// Under which name the trips of a contract are counted: of a scope, where it has scopes.
#[must_use]
pub fn counter(target: Address, scope: B256) -> B256 {
    if scope.is_zero() {
        return target.into_word();
    }
    let mut hash = Keccak256::new();
    hash.update(target.into_word());
    hash.update(scope);
    hash.finalize()
}

/// Hash of what a step does: playbook, step and effect, each with its length in front so that no two texts run together.
#[must_use]
pub fn step_hash(playbook: &str, step: &Step) -> B256 {
    let mut hash = Keccak256::new();
    part(&mut hash, b"ripcord/step/1");
    part(&mut hash, playbook.as_bytes());
    part(&mut hash, step.id.as_bytes());
    match &step.effect {
        Effect::Call { chain, target, calldata, .. } => {
            part(&mut hash, b"call");
            part(&mut hash, &chain.0.to_be_bytes());
            part(&mut hash, target.as_slice());
            part(&mut hash, calldata);
        }
        Effect::Trip { chain, controller, scope, to, mask, .. } => {
            part(&mut hash, b"trip");
            part(&mut hash, &chain.0.to_be_bytes());
            part(&mut hash, controller.as_slice());
            part(&mut hash, scope.as_slice());
            part(&mut hash, &[to.number()]);
            part(&mut hash, &mask.to_be_bytes());
            part(&mut hash, &step.expires_ms.unwrap_or_default().to_be_bytes());
        }
        Effect::Propose { chain, target, calldata, .. } => {
            part(&mut hash, b"propose");
            part(&mut hash, &chain.0.to_be_bytes());
            part(&mut hash, target.as_slice());
            part(&mut hash, calldata);
        }
        Effect::Notify { text } => {
            part(&mut hash, b"notify");
            part(&mut hash, text.as_bytes());
        }
        Effect::Restore { stages } => {
            part(&mut hash, b"restore");
            for stage in stages {
                part(&mut hash, stage.name.as_bytes());
                part(&mut hash, &stage.dwell_ms.to_be_bytes());
            }
        }
    }
    hash.finalize()
}

/// Digest that an approval signs: incident, step, calldata, rule hash and deadline.
#[must_use]
pub fn ask_digest(incident: IncidentId, step: &str, calldata: &[u8], rule_hash: B256, deadline: Millis) -> B256 {
    let mut hash = Keccak256::new();
    part(&mut hash, b"ripcord/ask/1");
    part(&mut hash, &incident.0.to_be_bytes());
    part(&mut hash, step.as_bytes());
    part(&mut hash, keccak256(calldata).as_slice());
    part(&mut hash, rule_hash.as_slice());
    part(&mut hash, &deadline.0.to_be_bytes());
    hash.finalize()
}

fn part(hash: &mut Keccak256, bytes: &[u8]) {
    hash.update(U256::from(bytes.len()).to_be_bytes::<32>());
    hash.update(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::hex;

    /// The layout is a contract's too: six words, computed here by hand.
    #[test]
    fn action_key_is_the_hash_of_six_words() {
        let parts = KeyParts {
            chain: ChainId(1),
            target: Address::repeat_byte(0x11),
            scope: B256::repeat_byte(0x22),
            episode: 3,
            trip_count: 4,
            step_hash: B256::repeat_byte(0x55),
        };
        let words = hex!(
            "0000000000000000000000000000000000000000000000000000000000000001"
            "0000000000000000000000001111111111111111111111111111111111111111"
            "2222222222222222222222222222222222222222222222222222222222222222"
            "0000000000000000000000000000000000000000000000000000000000000003"
            "0000000000000000000000000000000000000000000000000000000000000004"
            "5555555555555555555555555555555555555555555555555555555555555555"
        );
        assert_eq!(action_key(&parts), keccak256(words));
    }
}
