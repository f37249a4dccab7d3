//! One act: honest traffic, a theft at a moment that the seed chooses, with or without a guardian; figures from the chain itself.

use super::attack::{Attack, Form, Move};
use super::protocol::{
    ASSETS, Build, CHAIN, EMPTY, Eyes, MarketPaused, Protocol, THIEF, balanceOfCall, cashCall, debtOfCall, genesis, pausedCall,
};
use super::traffic::{Traffic, USERS};
use super::{BLOCK_SECS, DrillError, scenario};
use crate::devnet::{Devnet, Lane};
use crate::world::{Source, World};
use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::SolError;
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

/// What an act showed. Money in 1e-8 USD at the prices of the act's start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// Which.
    pub act: ActName,
    /// Users' assets in the attacker's hands at the end.
    pub stolen_usd_e8: U256,
    /// Users' assets in the pools or lent to honest borrowers at the end.
    pub left_usd_e8: U256,
    /// Honest transactions included.
    pub honest: u64,
    /// Of those, refused because the market was paused.
    pub honest_refused: u64,
    /// Of those, refused before the containment.
    pub honest_refused_before: u64,
    /// Incidents that the guardian opened without a theft: before the attacker's first transaction, or at all in the control act.
    pub false_alarms: u64,
    /// Blocks from the attacker's first included transaction to the pause; 0 is the same block; `None` without containment.
    pub blocks_to_contain: Option<u64>,
    /// What happened.
    pub timeline: Vec<Line>,
}

struct Stage<J: Journal> {
    name: ActName,
    world: World<J>,
    protocol: Protocol,
    honest: BTreeSet<B256>,
    moves: BTreeMap<B256, String>,
    first_move: Option<Millis>,
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
    let protocol = Protocol::deploy(&mut devnet, build, USERS)?;
    let mut attack = Attack::prepare(&mut devnet, &protocol, form, seed)?;
    let policy = Arc::new(scenario::policy(&protocol)?);
    let mut rng = fastrand::Rng::with_seed(seed);
    let sources = (0..3).map(|_| Source::new(rng.u64(200..900))).collect();
    let clock = Millis(devnet.head().timestamp * 1000);
    let mut world = World::new(devnet, sources, policy, clock);
    if let Some(journal) = journal {
        world.start(journal)?;
    }
    let mut stage = Stage {
        name,
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
            let hash = self.world.submit(Tx { nonce, ..tx }, Lane::Public, rng.u64(50..400)).map_err(DrillError::Refused)?;
            self.honest.insert(hash);
        }
        Ok(())
    }

    fn assault(&mut self, moves: Vec<Move>, rng: &mut fastrand::Rng) -> Result<(), DrillError> {
        for Move { tx, lane, what } in moves {
            let nonce = self.world.devnet.next_nonce(THIEF);
            let hash = self.world.submit(Tx { nonce, ..tx }, lane, rng.u64(50..400)).map_err(DrillError::Refused)?;
            self.first_move.get_or_insert(self.world.now());
            let sent = if lane == Lane::Private { "privately" } else { "publicly" };
            self.note(Who::Attacker, format!("sends {sent}: {what}"));
            self.moves.insert(hash, what);
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
        let included: Vec<(B256, bool)> = self
            .world
            .devnet
            .block(head.hash)
            .map(|b| b.facts.iter().filter_map(|f| f.at.tx.map(|tx| (tx, f.success))).collect())
            .unwrap_or_default();
        for (tx, success) in included {
            if let Some(what) = self.moves.get(&tx).cloned() {
                let verdict = if success { "succeeds" } else { "FAILS" };
                self.note(Who::Chain, format!("block {}: the attacker {what}: {verdict}", head.number));
            }
        }
        if !paused_before && self.paused()? {
            self.note(Who::Chain, format!("block {}: the guardian's pause is included: the market is closed", head.number));
        }
        Ok(())
    }

    fn watch(&mut self, until: Millis) -> Result<(), DrillError> {
        let (pages, sent) = (self.world.pages.len(), self.world.sent.len());
        self.world.run_until(until)?;
        let block = self.world.devnet.head().number;
        let pages: Vec<_> =
            self.world.pages.iter().skip(pages).map(|p| (p.at, block, Who::Guardian, format!("pages {:?}: {}", p.notice.severity, p.notice.text))).collect();
        let sent: Vec<_> = self
            .world
            .sent
            .iter()
            .skip(sent)
            .map(|s| {
                let tip = s.submission.priority_fee_wei / U256::from(1_000_000_000);
                (s.at, block, Who::Guardian, format!("signs and sends {} with a tip of {tip} gwei", s.submission.action.step))
            })
            .collect();
        self.lines.extend(pages);
        self.lines.extend(sent);
        Ok(())
    }

    fn paused(&self) -> Result<bool, DrillError> {
        Eyes::open(&self.world.devnet).view(self.protocol.market, pausedCall {})
    }

    fn close(mut self) -> Result<(Act, Option<J>), DrillError> {
        self.watch(self.world.now().plus(BLOCK_SECS * 1000))?;
        let (stolen_usd_e8, left_usd_e8) = self.money()?;
        let paused_at = self.pause_block();
        let counted = self.count(paused_at);
        let first_included = self.first_included();
        let blocks_to_contain = match (first_included, paused_at) {
            (Some(first), Some(paused)) => Some(paused.saturating_sub(first)),
            // The pause came before the attacker's first transaction could be included.
            (None, Some(_)) => Some(0),
            (_, None) => None,
        };
        let false_alarms = self.false_alarms();
        let start = self.first_move.map_or(0, |m| m.0);
        self.lines.sort_by_key(|(at, block, ..)| (*at, *block));
        let since = |at: Millis| i64::try_from(at.0).unwrap_or(i64::MAX).saturating_sub(i64::try_from(start).unwrap_or(0));
        let timeline = self
            .lines
            .iter()
            .map(|(at, block, who, text)| Line { at_ms: since(*at), block: *block, who: *who, text: text.clone() })
            .collect();
        let act = Act {
            act: self.name,
            stolen_usd_e8,
            left_usd_e8,
            honest: counted.0,
            honest_refused: counted.1,
            honest_refused_before: counted.2,
            false_alarms,
            blocks_to_contain,
            timeline,
        };
        Ok((act, self.world.crash()))
    }

    /// Users' assets in the attacker's hands, and in the pools or with honest borrowers.
    fn money(&self) -> Result<(U256, U256), DrillError> {
        let (mut stolen, mut left) = (U256::ZERO, U256::ZERO);
        let mut eyes = Eyes::open(&self.world.devnet);
        for (index, asset) in ASSETS.iter().enumerate().take(EMPTY) {
            let (token, vault) = self.protocol.pair(index)?;
            for account in [THIEF, self.protocol.attack] {
                stolen += asset.usd_e8(eyes.view(token, balanceOfCall { account })?);
            }
            left += asset.usd_e8(eyes.view(vault, cashCall {})?);
            for account in self.borrowers() {
                left += asset.usd_e8(eyes.view(vault, debtOfCall { account })?);
            }
        }
        Ok((stolen, left))
    }

    fn borrowers(&self) -> impl Iterator<Item = Address> {
        self.protocol.users.iter().copied()
    }

    fn canonical_facts(&self) -> impl Iterator<Item = (u64, &ripcord_core::fact::TxFacts)> {
        let devnet = &self.world.devnet;
        (0..=devnet.head().number)
            .filter_map(|number| devnet.canonical(number))
            .flat_map(|b| b.facts.iter().map(|f| (b.block.header.number, f)))
    }

    fn pause_block(&self) -> Option<u64> {
        self.canonical_facts().find(|(_, f)| f.from == super::GUARDIAN && f.success).map(|(number, _)| number)
    }

    fn first_included(&self) -> Option<u64> {
        self.canonical_facts()
            .find(|(_, f)| f.success && f.at.tx.is_some_and(|tx| self.moves.contains_key(&tx)))
            .map(|(number, _)| number)
    }

    /// Honest transactions included, refused, and refused before the pause.
    fn count(&self, paused_at: Option<u64>) -> (u64, u64, u64) {
        let (mut included, mut refused, mut before) = (0, 0, 0);
        for (number, facts) in self.canonical_facts() {
            if !facts.at.tx.is_some_and(|tx| self.honest.contains(&tx)) {
                continue;
            }
            included += 1;
            let paused = |c: &ripcord_core::fact::CallFact| c.output.starts_with(&MarketPaused::SELECTOR);
            if !facts.success && facts.calls.first().is_some_and(paused) {
                refused += 1;
                before += u64::from(paused_at.is_none_or(|at| number < at));
            }
        }
        (included, refused, before)
    }

    fn false_alarms(&self) -> u64 {
        let Some(engine) = &self.world.engine else { return 0 };
        let first = self.first_move.unwrap_or(Millis::MAX);
        let early = |i: &&ripcord_core::incident::Incident| self.name == ActName::Control || i.opened_at < first;
        u64::try_from(engine.guardian().incidents().filter(early).count()).unwrap_or(u64::MAX)
    }
}
