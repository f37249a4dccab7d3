//! Trips: what a guardian signs so that a `FailSafeController` tightens a scope, whoever relays it.
//!
//! Owns the byte layout of the intent (EIP-712) and of the controller's calls. Must not know keys or signatures' making.
//! The Solidity side is `contracts/src/kit/Types.sol`; `contracts/test/vectors/trip.json` holds both to the same bytes.

use crate::chain::{ChainId, Millis};
use alloy_primitives::{Address, B256, Bytes, Keccak256, U256, keccak256};
use serde::{Deserialize, Serialize};

/// Signature of [`TripIntent`] in EIP-712's `encodeType`.
const TYPE: &str = "TripIntent(bytes32 scope,uint8 mode,uint32 mask,uint40 duration,uint40 notAfter,bytes32 reason,\
bytes32 evidence,bytes32 stepHash,uint32 keyEpisode,uint16 tripCount,uint40 incidentBlock,uint32 epoch,uint40 deadline)";
const DOMAIN: &str = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
const NAME: &str = "FailSafeController";
const VERSION: &str = "1";
const TRIP_BY_SIG: &str = "tripBySig((bytes32,uint8,uint32,uint40,uint40,bytes32,bytes32,bytes32,uint32,uint16,uint40,uint32,\
uint40),bytes[])";
const EPISODE_OF: &str = "episodeOf(bytes32)";
/// Words of an intent.
const WORDS: usize = 13;

/// How tight a trip makes a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum TripMode {
    /// Limits only.
    Watch,
    /// New risk and transfers closed, withdrawals limited.
    Restricted,
    /// All but repayment and claims closed.
    Halted,
}

impl TripMode {
    /// The number that Solidity's `Mode` gives it.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::Watch => 1,
            Self::Restricted => 2,
            Self::Halted => 3,
        }
    }

    /// All standard classes that the mode may close, bit n = class n.
    #[must_use]
    pub fn closes(self) -> u32 {
        match self {
            Self::Watch => 0,
            // ENTER, INCREASE_RISK, TRANSFER, BRIDGE_OUT, ADMIN, UPGRADE, PULL_FROM.
            Self::Restricted => 0b1110_1010_0101,
            // All but REDUCE_RISK and CLAIM.
            Self::Halted => 0b1110_1111_0111,
        }
    }
}

/// What a guardian signs. Times are seconds since the Unix epoch, as the chain counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TripIntent {
    /// Scope of the controller.
    pub scope: B256,
    /// Mode asked for.
    pub mode: TripMode,
    /// Classes to close.
    pub mask: u32,
    /// Seconds from the block in which it lands.
    pub duration_secs: u64,
    /// The restriction ends here at the latest.
    pub not_after_secs: u64,
    /// Short code of the cause.
    pub reason: B256,
    /// Hash of what explains it.
    pub evidence: B256,
    /// [`crate::key::step_hash`].
    pub step_hash: B256,
    /// Episode that it opens or joins.
    pub key_episode: u32,
    /// Guardian trips landed in that episode.
    pub trip_count: u16,
    /// Block of the first malicious transaction; 0 for the block in which it lands.
    pub incident_block: u64,
    /// Council releases so far.
    pub epoch: u32,
    /// The intent is void after this second.
    pub deadline_secs: u64,
}

impl TripIntent {
    fn words(&self) -> [B256; WORDS] {
        let number = |value: u64| B256::from(U256::from(value));
        [
            self.scope,
            number(u64::from(self.mode.number())),
            number(u64::from(self.mask)),
            number(self.duration_secs),
            number(self.not_after_secs),
            self.reason,
            self.evidence,
            self.step_hash,
            number(u64::from(self.key_episode)),
            number(u64::from(self.trip_count)),
            number(self.incident_block),
            number(u64::from(self.epoch)),
            number(self.deadline_secs),
        ]
    }

    /// EIP-712 digest for a controller on a chain.
    #[must_use]
    pub fn digest(&self, chain: ChainId, controller: Address) -> B256 {
        let mut domain = Keccak256::new();
        for word in [keccak256(DOMAIN), keccak256(NAME), keccak256(VERSION), B256::from(U256::from(chain.0))] {
            domain.update(word);
        }
        domain.update(controller.into_word());
        let mut message = Keccak256::new();
        message.update(keccak256(TYPE));
        for word in self.words() {
            message.update(word);
        }
        let mut digest = Keccak256::new();
        digest.update([0x19, 0x01]);
        digest.update(domain.finalize());
        digest.update(message.finalize());
        digest.finalize()
    }

    /// Calldata of `tripBySig` with these signatures, in the order of their signers' addresses.
    #[must_use]
    pub fn calldata(&self, signatures: &[Bytes]) -> Bytes {
        let mut out = self.head();
        let word = |out: &mut Vec<u8>, value: usize| out.extend(U256::from(value).to_be_bytes::<32>());
        word(&mut out, (WORDS + 1) * 32);
        word(&mut out, signatures.len());
        let mut offset = signatures.len() * 32;
        for signature in signatures {
            word(&mut out, offset);
            offset += 32 + signature.len().div_ceil(32) * 32;
        }
        for signature in signatures {
            word(&mut out, signature.len());
            out.extend_from_slice(signature);
            out.resize(out.len() + (32 - signature.len() % 32) % 32, 0);
        }
        out.into()
    }

    /// Whether calldata is a trip with this very intent, whoever signed it.
    #[must_use]
    pub fn is_in(&self, calldata: &[u8]) -> bool {
        calldata.starts_with(&self.head())
    }

    fn head(&self) -> Vec<u8> {
        let mut out = selector(TRIP_BY_SIG).to_vec();
        for word in self.words() {
            out.extend(word);
        }
        out
    }
}

/// Where a scope stands, as its controller tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// Episode that a trip opens or joins.
    pub key_episode: u64,
    /// Guardian trips landed in it.
    pub trip_count: u64,
    /// Council releases so far.
    pub epoch: u64,
}

impl Episode {
    /// Calldata of the view that tells it.
    #[must_use]
    pub fn question(scope: B256) -> Bytes {
        let mut out = selector(EPISODE_OF).to_vec();
        out.extend(scope);
        out.into()
    }

    /// Reads the view's answer; `None` when it is not one.
    #[must_use]
    pub fn answer(output: &[u8]) -> Option<Self> {
        let word = |index: usize| -> Option<u64> {
            let bytes = output.get(index * 32..index * 32 + 32)?;
            u64::try_from(U256::from_be_slice(bytes)).ok()
        };
        let (id, trips, epoch, mode) = (word(0)?, word(1)?, word(2)?, word(6)?);
        // A scope at rest opens its next episode.
        let (key_episode, trip_count) = if mode == 0 { (id.checked_add(1)?, 0) } else { (id, trips) };
        Some(Self { key_episode, trip_count, epoch })
    }
}

/// Seconds of a guardian's time, rounded down.
#[must_use]
pub fn secs(at: Millis) -> u64 {
    at.0 / 1000
}

fn selector(signature: &str) -> [u8; 4] {
    let hash = keccak256(signature);
    let mut out = [0; 4];
    for (to, from) in out.iter_mut().zip(hash) {
        *to = from;
    }
    out
}
