//! What must hold after every step, on every disk that a crash leaves, and when the world has come to rest.

use super::{Disk, Stage, Stop};
use crate::drill::{CHAIN, DrillError, GUARDIAN, actions};
use crate::world::World;
use alloy_primitives::{Address, B256};
use ripcord_core::chain::BlockRef;
use ripcord_core::guardian::Guardian;
use ripcord_core::incident::{IncidentId, Life};
use ripcord_core::io::Body;
use ripcord_core::ports::Journal;
use ripcord_store::replay;
use std::collections::{BTreeMap, BTreeSet};

/// How the entries that matter here say what they are.
const MARKS: [&[u8]; 2] = [b"\"entry\":\"intent\"", b"\"entry\":\"chain\""];

/// A broken invariant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// An effect left the process without an intent in the journal.
    #[error("action {0} was handed over without an intent in the journal")]
    NoIntent(B256),
    /// The journal on disk lacks the intent of an action that was handed over.
    #[error("the intent of action {0} is not on disk after a crash")]
    IntentLost(B256),
    /// The guardian did something that does not tighten.
    #[error("the guardian sent something else than a pause: {0}")]
    NotTightening(String),
    /// More pauses succeeded than there were action keys.
    #[error("{pauses} pauses succeeded on chain for {keys} action keys")]
    DoneTwice {
        /// Successful transactions.
        pauses: u64,
        /// Distinct keys.
        keys: u64,
    },
    /// One key stands for two different actions.
    #[error("action key {0} was used for two different actions")]
    KeyReused(B256),
    /// A block was adopted that no honest source ever announced.
    #[error("block {} {} was adopted but does not exist", .0.number, .0.hash)]
    AdoptedLie(BlockRef),
    /// An incident counts as contained while the market is open.
    #[error("{0} is called contained, but the market is open")]
    NotContained(IncidentId),
    /// The journal became shorter.
    #[error("the journal shrank from {0} to {1} entries")]
    Shrank(u64, u64),
    /// The journal on disk does not replay.
    #[error("the journal does not replay: {0}")]
    Replay(String),
    /// The journal on disk gives another state than the process had.
    #[error("the replayed state differs from the state before the crash")]
    StateDiffers,
    /// The engine stopped by itself.
    #[error("the engine stopped: {0}")]
    Stopped(String),
    /// At rest the guardian does not stand on the chain's head.
    #[error("at rest the guardian stands at {guardian:?}, the chain at block {chain}")]
    Behind {
        /// Adopted height.
        guardian: Option<u64>,
        /// Height of the chain.
        chain: u64,
    },
    /// At rest an action still hangs in the air.
    #[error("at rest action {0} is still in flight")]
    Hanging(B256),
    /// At rest something for people still waits in the outbox.
    #[error("at rest the outbox still holds {0}")]
    Undelivered(String),
    /// Rules could not be evaluated and nobody was told.
    #[error("state was missing for {0} adopted blocks and nobody was told")]
    SilentlyBlind(u64),
}

/// What the checks remember.
#[derive(Debug, Clone, Default)]
pub(super) struct Checks {
    /// Intents seen in the journal: key and attempt.
    intents: BTreeSet<(B256, u32)>,
    /// Target and calldata by key.
    keys: BTreeMap<B256, (Address, Vec<u8>)>,
    read_to: u64,
    sent: usize,
    head: B256,
    contained: BTreeSet<IncidentId>,
    /// Uses of the guardian's nonce by somebody else.
    foreign: u64,
    /// Blocks on the guardian's adopted chain.
    adopted: BTreeSet<B256>,
    live_hash: Option<B256>,
    /// Whether the engine had refused a write when it died: its state is then one batch ahead of the disk.
    refused: bool,
}

impl Checks {
    /// Somebody else used the guardian's nonce.
    pub(super) fn foreign_nonce(&mut self) {
        self.foreign += 1;
    }

    pub(super) fn after_step<J: Disk>(&mut self, world: &World<J>, stage: &Stage) -> Result<(), Stop> {
        let Some(engine) = &world.engine else { return Ok(()) };
        self.read_new(engine.journal())?;
        for sent in world.sent.iter().skip(self.sent) {
            let action = &sent.submission.action;
            if !self.intents.contains(&(action.key, sent.submission.attempt)) {
                return Err(Breach::NoIntent(action.key).into());
            }
            if action.target != stage.protocol.market || !actions::is_pause(&action.calldata) {
                return Err(Breach::NotTightening(action.step.clone()).into());
            }
            let what = (action.target, action.calldata.to_vec());
            if *self.keys.entry(action.key).or_insert_with(|| what.clone()) != what {
                return Err(Breach::KeyReused(action.key).into());
            }
        }
        self.sent = world.sent.len();
        self.tip(world)?;
        self.containment(world, stage)?;
        if self.head != world.devnet.head().hash {
            self.head = world.devnet.head().hash;
            let (pauses, keys) = (self.seen_pauses(world, stage), u64::try_from(self.keys.len()).unwrap_or(u64::MAX));
            // Where somebody else uses the guardian's nonce and a reorg then drops that use, both attempts of one key can land: the market
            // has no action key of its own to refuse the second. The same holds for a pause in a block that the guardian never saw.
            // Otherwise, one key is one effect.
            if pauses > keys + self.foreign {
                return Err(Breach::DoneTwice { pauses, keys }.into());
            }
        }
        Ok(())
    }

    fn read_new<J: Journal>(&mut self, journal: &J) -> Result<(), Stop> {
        let size = journal.size();
        if size < self.read_to {
            return Err(Breach::Shrank(self.read_to, size).into());
        }
        let count = usize::try_from(size - self.read_to).unwrap_or(usize::MAX);
        let entries = journal.read(self.read_to, count).map_err(|e| Breach::Replay(e.to_string()))?;
        for (index, entry) in (self.read_to..).zip(entries) {
            if !MARKS.iter().any(|mark| entry.windows(mark.len()).any(|w| w == *mark)) {
                continue;
            }
            let record = replay::decode(index, &entry).map_err(|e| Breach::Replay(e.to_string()))?;
            match record.body {
                Body::Intent(submission) => {
                    self.intents.insert((submission.action.key, submission.attempt));
                }
                Body::Chain { block, retracted: false, .. } => {
                    self.adopted.insert(block.hash);
                }
                Body::Chain { block, retracted: true, .. } => {
                    self.adopted.remove(&block.hash);
                }
                Body::Genesis { .. }
                | Body::Input(_)
                | Body::Incident(_)
                | Body::Asked(_)
                | Body::Notified(_)
                | Body::Shadow { .. }
                | Body::Ladder { .. } => {}
            }
        }
        self.read_to = size;
        Ok(())
    }

    fn tip<J: Disk>(&mut self, world: &World<J>) -> Result<(), Breach> {
        let Some(tip) = world.engine.as_ref().and_then(|e| e.guardian().tip(CHAIN)) else { return Ok(()) };
        if !world.devnet.ever_built(tip.hash) {
            return Err(Breach::AdoptedLie(tip));
        }
        Ok(())
    }

    /// When an incident becomes contained, the market is paused on the chain that the guardian has adopted, or was a few blocks ago.
    fn containment<J: Disk>(&mut self, world: &World<J>, stage: &Stage) -> Result<(), Stop> {
        let Some(engine) = &world.engine else { return Ok(()) };
        let contained: BTreeSet<IncidentId> =
            engine.guardian().incidents().filter(|i| matches!(i.life, Life::Contained { .. })).map(|i| i.id).collect();
        let fresh: Vec<IncidentId> = contained.difference(&self.contained).copied().collect();
        self.contained = contained;
        if let (Some(id), Some(tip)) = (fresh.first(), engine.guardian().tip(CHAIN)) {
            let mut hash = tip.hash;
            for _ in 0..16 {
                let Some(built) = world.devnet.block(hash) else { return Ok(()) };
                if actions::is_paused(&built.state, stage.protocol.market, built.block.header.timestamp)? {
                    return Ok(());
                }
                hash = built.block.header.parent;
            }
            return Err(Breach::NotContained(*id).into());
        }
        Ok(())
    }

    /// Successful pauses of the guardian in canonical blocks that it has adopted.
    fn seen_pauses<J: Disk>(&self, world: &World<J>, stage: &Stage) -> u64 {
        Self::count_pauses(world, stage, |hash| self.adopted.contains(&hash))
    }

    /// Successful pauses of the guardian on the canonical chain.
    pub(super) fn pauses<J: Disk>(world: &World<J>, stage: &Stage) -> u64 {
        Self::count_pauses(world, stage, |_| true)
    }

    fn count_pauses<J: Disk>(world: &World<J>, stage: &Stage, counts: impl Fn(B256) -> bool) -> u64 {
        let from = stage.devnet.head().number;
        let blocks = (from + 1..=world.devnet.head().number)
            .filter_map(|n| world.devnet.canonical(n))
            .filter(|b| counts(b.block.header.hash));
        let ours =
            |f: &&ripcord_core::fact::TxFacts| f.from == GUARDIAN && f.to == Some(stage.protocol.market) && f.success;
        u64::try_from(blocks.flat_map(|b| &b.facts).filter(ours).count()).unwrap_or(u64::MAX)
    }

    pub(super) fn before_crash<J: Disk>(&mut self, world: &World<J>) {
        self.live_hash = world.engine.as_ref().map(|e| e.guardian().state_hash());
        self.refused = world.engine.as_ref().is_some_and(|e| e.has_stopped());
    }

    /// What a crash left must hold every intent that was handed over, and give the state that the process had.
    pub(super) fn on_disk<J: Disk>(&mut self, journal: &J, stage: &Stage) -> Result<(), Stop> {
        let size = journal.size();
        if size == 0 {
            return if self.keys.is_empty() { Ok(()) } else { Err(Breach::Shrank(self.read_to, 0).into()) };
        }
        if size < self.read_to {
            let lost = self.keys.keys().next().copied().unwrap_or_default();
            return Err(Breach::IntentLost(lost).into());
        }
        let records =
            replay::records(journal, 0).collect::<Result<Vec<_>, _>>().map_err(|e| Breach::Replay(e.to_string()))?;
        let replayed = Guardian::replay(stage.policy.program(), records.into_iter().map(|(_, record)| record));
        let (guardian, _) = replayed.map_err(|e| Breach::Replay(e.to_string()))?;
        let same = self.live_hash.is_none_or(|hash| hash == guardian.state_hash());
        if !same && !self.refused {
            return Err(Breach::StateDiffers.into());
        }
        Ok(())
    }

    /// The world is quiet: the guardian has caught up, nothing hangs, and whatever it could not see it has said.
    pub(super) fn at_rest<J: Disk>(&mut self, world: &World<J>, _stage: &Stage) -> Result<(), Stop> {
        let Some(engine) = &world.engine else { return Err(Breach::Stopped("no engine at rest".to_owned()).into()) };
        let tip = engine.guardian().tip(CHAIN);
        let head = world.devnet.head();
        if tip.is_none_or(|t| t.hash != head.hash) {
            return Err(Breach::Behind { guardian: tip.map(|t| t.number), chain: head.number }.into());
        }
        if let Some(flight) = engine.guardian().flights().find(|f| f.is_open()) {
            return Err(Breach::Hanging(flight.action().key).into());
        }
        if let Some(effect) = engine.undelivered().map_err(|e| Breach::Stopped(e.to_string()))?.first() {
            return Err(Breach::Undelivered(format!("{effect:?}")).into());
        }
        let told = world.pages.iter().any(|p| p.notice.text.contains("blind"));
        if world.blind_blocks > 0 && !told {
            return Err(Breach::SilentlyBlind(world.blind_blocks).into());
        }
        Ok(())
    }
}

impl From<DrillError> for Breach {
    fn from(error: DrillError) -> Self {
        Self::Stopped(error.to_string())
    }
}
