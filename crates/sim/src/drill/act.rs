//! One act: honest traffic, a theft at a moment that the seed chooses, with or without a guardian; figures from the chain itself.

mod figures;

use super::attack::{Attack, Form, Move};
use super::kit::{self, ENTER, failsafeOpenCall};
use super::protocol::{Build, CHAIN, Eyes, GUARDIAN, Protocol, THIEF, genesis, guardian_key, pausedCall};
use super::traffic::{Traffic, USERS};
use super::{BLOCK_SECS, DrillError, scenario};
use crate::devnet::{Devnet, Lane};
use crate::world::{Source, World};
use alloy_primitives::{B256, U256};
use ripcord_core::chain::Millis;
use ripcord_core::ports::Journal;
use ripcord_evm::Tx;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// When the devnet starts, seconds since the Unix epoch.
const GENESIS_SECS: u64 = 1_800_000_000;
/// Blocks of honest traffic in one act.
const BLOCKS: u64 = 60;
/// Honest transactions per block.
const PER_BLOCK: usize = 15;

/// Which act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ActName {
    /// The theft with nobody watching.
    Unguarded,
    /// The same theft with the guardian.
    Guarded,
    /// The same attempt on the fixed contracts, with the guardian: nothing should happen.
    Control,
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// The attacker.
    Attacker,
    /// The guardian.
    Guardian,
    /// The chain.
    Chain,
}

/// A line of the timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Milliseconds since the attacker's first transaction was sent; negative before.
    pub at_ms: i64,
    /// Height of the chain then.
    pub block: u64,
    /// Who.
    pub who: Who,
    /// What, in plain words.
    pub text: String,
}

/// The theft as the chain saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theft {
    /// Transactions sent.
    pub sent: u64,
    /// Of those, past the public mempool.
    pub private: u64,
    /// Blocks from the set-up to the next of them; `None` when there is only one, or when the first was never included.
    pub begins_after_blocks: Option<u64>,
}

/// What an act showed. Money in 1e-8 USD at the prices of the act's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Which.
    pub act: ActName,
    /// Users' assets in the attacker's hands at the end.
    pub stolen_usd_e8: U256,
    /// Users' assets in the pools or lent to honest borrowers at the end.
    pub left_usd_e8: U256,
    /// What the vaults' limits let out at once, all vaults together; `None` without limits.
    pub outflow_cap_usd_e8: Option<U256>,
    /// Distinct senders of honest transactions that were included.
    pub actors: u64,
    /// Honest transactions included.
    pub honest: u64,
    /// Of those, included before the attacker sent anything.
    pub honest_before_theft: u64,
    /// Of those, refused because their class was closed or a limit was used up.
    pub honest_refused: u64,
    /// Of those, refused before the containment.
    pub honest_refused_before: u64,
    /// Incidents that the guardian opened without a theft: before the attacker's first transaction, or at all in the control act.
    pub false_alarms: u64,
    /// Blocks from the attacker's first included transaction to the pause; 0 is the same block; `None` without containment.
    pub blocks_to_contain: Option<u64>,
    /// Guardian time of the attacker's first transaction, from which the timeline counts; zero when there was none.
    pub started: Millis,
    /// What the attacker did.
    pub theft: Theft,
    /// What happened.
    pub timeline: Vec<Line>,
}

struct Stage<J: Journal> {
    name: ActName,
    world: World<J>,
    protocol: Protocol,
    /// Height at which everything stands and the act begins.
    begins: u64,
    honest: BTreeSet<B256>,
    /// The attacker's transactions: number from 1, and lane.
    moves: BTreeMap<B256, (usize, Lane)>,
    /// When the attacker first sent something, and the height then.
    first_move: Option<(Millis, u64)>,
    lines: Vec<(Millis, u64, Who, String)>,
}

/// Plays one act. `journal` is the guardian's; without one nobody watches.
///
/// # Errors
/// [`DrillError`].
pub(super) fn play<J: Journal>(
    name: ActName,
    form: Form,
    seed: u64,
    journal: Option<J>,
) -> Result<(Act, Option<J>), DrillError> {
    let build = if name == ActName::Control { Build::Patched } else { Build::Vulnerable };
    let mut devnet = Devnet::new(CHAIN, genesis(USERS), GENESIS_SECS);
    let protocol = match name {
        ActName::Unguarded => Protocol::deploy(&mut devnet, build, USERS)?,
        ActName::Guarded | ActName::Control => Protocol::deploy_guarded(&mut devnet, build, USERS)?,
    };
    let mut attack = Attack::prepare(&mut devnet, &protocol, form, seed)?;
    let policy = Arc::new(scenario::policy(scenario::POLICY, &protocol)?);
    let mut rng = fastrand::Rng::with_seed(seed);
    let sources = (0..3).map(|_| Source::new(rng.u64(200..900))).collect();
    let clock = Millis(devnet.head().timestamp * 1000);
    let mut world = World::new(devnet, sources, policy, clock);
    world.trust(guardian_key()?);
    if let Some(journal) = journal {
        world.start(journal)?;
    }
    let mut stage = Stage {
        name,
        begins: world.devnet.head().number,
        world,
        protocol,
        honest: BTreeSet::new(),
        moves: BTreeMap::new(),
        first_move: None,
        lines: Vec::new(),
    };
    let mut traffic = Traffic::new(rng.u64(..));
    let attack_at = 34 + rng.u64(..12);
    for slot in 0..BLOCKS {
        let txs = traffic.block(&stage.world.devnet, &stage.protocol, PER_BLOCK)?;
        stage.crowd(txs, &mut rng)?;
        let moves = match slot.checked_sub(attack_at) {
            Some(0) => attack.open(&stage.world.devnet, &stage.protocol)?,
            Some(1) => attack.drain(&stage.world.devnet, &stage.protocol)?,
            _ => Vec::new(),
        };
        stage.assault(moves, &mut rng)?;
        stage.slot()?;
    }
    stage.close()
}

impl<J: Journal> Stage<J> {
    fn crowd(&mut self, txs: Vec<Tx>, rng: &mut fastrand::Rng) -> Result<(), DrillError> {
        for tx in txs {
            let nonce = self.world.devnet.next_nonce(tx.from);
            let hash =
                self.world.submit(Tx { nonce, ..tx }, Lane::Public, rng.u64(50..400)).map_err(DrillError::Refused)?;
            self.honest.insert(hash);
        }
        Ok(())
    }

    fn assault(&mut self, moves: Vec<Move>, rng: &mut fastrand::Rng) -> Result<(), DrillError> {
        for Move { tx, lane, what } in moves {
            let nonce = self.world.devnet.next_nonce(THIEF);
            let hash = self.world.submit(Tx { nonce, ..tx }, lane, rng.u64(50..400)).map_err(DrillError::Refused)?;
            self.first_move.get_or_insert((self.world.now(), self.world.devnet.head().number));
            let number = self.moves.len() + 1;
            self.moves.insert(hash, (number, lane));
            let sent = if lane == Lane::Private { "privately" } else { "publicly" };
            self.note(Who::Attacker, format!("sends tx {number} {sent}: {what}"));
        }
        Ok(())
    }

    fn note(&mut self, who: Who, text: String) {
        self.lines.push((self.world.now(), self.world.devnet.head().number, who, text));
    }

    /// One block interval: pages and pauses are noted as they come.
    fn slot(&mut self) -> Result<(), DrillError> {
        let end = self.world.now().plus(BLOCK_SECS * 1000);
        self.watch(end)?;
        let paused_before: bool = self.paused()?;
        let head = self.world.mine()?;
        let included = self.world.devnet.block(head.hash).map(|b| b.facts.clone()).unwrap_or_default();
        let mut runs: Vec<(bool, Vec<usize>)> = Vec::new();
        for facts in included {
            if !paused_before && facts.from == GUARDIAN && facts.success {
                self.tell_moves(std::mem::take(&mut runs));
                self.note(Who::Chain, "includes the guardian's trip: the market is halted".to_owned());
            }
            let Some((number, _)) = facts.at.tx.and_then(|tx| self.moves.get(&tx)) else { continue };
            match runs.last_mut() {
                Some((success, numbers)) if *success == facts.success => numbers.push(*number),
                _ => runs.push((facts.success, vec![*number])),
            }
        }
        self.tell_moves(runs);
        Ok(())
    }

    /// Notes what became of the attacker's transactions, neighbours with the same fate together.
    fn tell_moves(&mut self, runs: Vec<(bool, Vec<usize>)>) {
        for (success, numbers) in runs {
            let fate = match (success, numbers.len()) {
                (true, 1) => "it succeeds",
                (false, 1) => "it FAILS",
                (true, _) => "all succeed",
                (false, _) => "all FAIL",
            };
            let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            self.note(Who::Chain, format!("includes tx {}: {fate}", numbers.join(", ")));
        }
    }

    fn watch(&mut self, until: Millis) -> Result<(), DrillError> {
        let (pages, sent) = (self.world.pages.len(), self.world.sent.len());
        self.world.run_until(until)?;
        let block = self.world.devnet.head().number;
        let pages: Vec<_> = self
            .world
            .pages
            .iter()
            .skip(pages)
            .map(|p| (p.at, block, Who::Guardian, format!("pages {:?}: {}", p.notice.severity, p.notice.text)))
            .collect();
        let sent: Vec<_> = self
            .world
            .sent
            .iter()
            .skip(sent)
            .map(|s| {
                let tip = s.submission.priority_fee_wei / U256::from(1_000_000_000);
                (
                    s.at,
                    block,
                    Who::Guardian,
                    format!("signs and sends {} with a tip of {tip} gwei", s.submission.action.step),
                )
            })
            .collect();
        self.lines.extend(pages);
        self.lines.extend(sent);
        Ok(())
    }

    fn paused(&self) -> Result<bool, DrillError> {
        let mut eyes = Eyes::open(&self.world.devnet);
        match self.protocol.kit {
            None => eyes.view(self.protocol.market, pausedCall {}),
            Some(_) => eyes.view(self.protocol.market, failsafeOpenCall { class: ENTER }).map(|open| !open),
        }
    }

    fn close(mut self) -> Result<(Act, Option<J>), DrillError> {
        self.watch(self.world.now().plus(BLOCK_SECS * 1000))?;
        let (stolen_usd_e8, left_usd_e8) = self.money()?;
        let paused_at = self.pause_block();
        let crowd = self.crowd_figures(paused_at);
        let blocks_to_contain = match (self.first_success(), paused_at) {
            (Some(first), Some(paused)) => Some(paused.saturating_sub(first)),
            // The pause came before the attacker's first transaction could be included.
            (None, Some(_)) => Some(0),
            (_, None) => None,
        };
        let started = self.first_move.map_or(Millis::default(), |(at, _)| at);
        self.lines.sort_by_key(|(at, block, ..)| (*at, *block));
        let since =
            |at: Millis| i64::try_from(at.0).unwrap_or(i64::MAX).saturating_sub(i64::try_from(started.0).unwrap_or(0));
        let timeline = self
            .lines
            .iter()
            .map(|(at, block, who, text)| Line { at_ms: since(*at), block: *block, who: *who, text: text.clone() })
            .collect();
        let act = Act {
            act: self.name,
            stolen_usd_e8,
            left_usd_e8,
            outflow_cap_usd_e8: self.protocol.kit.map(|_| kit::outflow_cap_usd_e8(USERS)),
            actors: crowd.actors,
            honest: crowd.included,
            honest_before_theft: crowd.before_theft,
            honest_refused: crowd.refused,
            honest_refused_before: crowd.refused_before_pause,
            false_alarms: self.false_alarms(),
            blocks_to_contain,
            started,
            theft: self.theft(),
            timeline,
        };
        Ok((act, self.world.crash()))
    }
}
