//! The figures of an act, from the chain's own truth and not from what the guardian believes.

use super::super::kit::{ActionClosed, LimitExceeded};
use super::super::protocol::{ASSETS, EMPTY, Eyes, GUARDIAN, MarketPaused, THIEF, balanceOfCall, cashCall, debtOfCall};
use super::{ActName, DrillError, Stage, Theft};
use crate::devnet::Lane;
use alloy_primitives::U256;
use alloy_sol_types::SolError;
use ripcord_core::fact::{CallFact, TxFacts};
use ripcord_core::incident::Incident;
use ripcord_core::ports::Journal;
use std::collections::BTreeSet;

/// What became of the honest users' transactions.
#[derive(Default)]
pub(super) struct Crowd {
    pub(super) actors: u64,
    pub(super) included: u64,
    pub(super) before_theft: u64,
    pub(super) refused: u64,
    pub(super) refused_before_pause: u64,
}

impl<J: Journal> Stage<J> {
    /// Users' assets in the attacker's hands, and in the pools or with honest borrowers.
    pub(super) fn money(&self) -> Result<(U256, U256), DrillError> {
        let (mut stolen, mut left) = (U256::ZERO, U256::ZERO);
        let mut eyes = Eyes::open(&self.world.devnet);
        for (index, asset) in ASSETS.iter().enumerate().take(EMPTY) {
            let (token, vault) = self.protocol.pair(index)?;
            for account in [THIEF, self.protocol.attack] {
                stolen += asset.usd_e8(eyes.view(token, balanceOfCall { account })?);
            }
            left += asset.usd_e8(eyes.view(vault, cashCall {})?);
            for account in self.protocol.users.iter().copied() {
                left += asset.usd_e8(eyes.view(vault, debtOfCall { account })?);
            }
        }
        Ok((stolen, left))
    }

    fn canonical_facts(&self) -> impl Iterator<Item = (u64, &TxFacts)> {
        let devnet = &self.world.devnet;
        (0..=devnet.head().number)
            .filter_map(|number| devnet.canonical(number))
            .flat_map(|b| b.facts.iter().map(|f| (b.block.header.number, f)))
    }

    pub(super) fn pause_block(&self) -> Option<u64> {
        let ours = |(number, f): &(u64, &TxFacts)| *number > self.begins && f.from == GUARDIAN && f.success;
        self.canonical_facts().find(ours).map(|(number, _)| number)
    }

    /// The attacker's transactions that were included, with their blocks.
    fn moves_included(&self) -> impl Iterator<Item = (u64, &TxFacts)> {
        self.canonical_facts().filter(|(_, f)| f.at.tx.is_some_and(|tx| self.moves.contains_key(&tx)))
    }

    pub(super) fn first_success(&self) -> Option<u64> {
        self.moves_included().find(|(_, f)| f.success).map(|(number, _)| number)
    }

    pub(super) fn theft(&self) -> Theft {
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        let mut blocks = self.moves_included().map(|(number, _)| number);
        let begins_after_blocks = blocks.next().zip(blocks.next()).map(|(first, second)| second.saturating_sub(first));
        let private = self.moves.values().filter(|(_, lane)| *lane == Lane::Private).count();
        Theft { sent: count(self.moves.len()), private: count(private), begins_after_blocks }
    }

    pub(super) fn crowd_figures(&self, paused_at: Option<u64>) -> Crowd {
        let mut crowd = Crowd::default();
        let mut actors = BTreeSet::new();
        for (number, facts) in self.canonical_facts() {
            if !facts.at.tx.is_some_and(|tx| self.honest.contains(&tx)) {
                continue;
            }
            actors.insert(facts.from);
            crowd.included += 1;
            crowd.before_theft += u64::from(self.first_move.is_none_or(|(_, height)| number <= height));
            let refusals = [MarketPaused::SELECTOR, ActionClosed::SELECTOR, LimitExceeded::SELECTOR];
            let refused = |c: &CallFact| refusals.iter().any(|selector| c.output.starts_with(selector));
            if !facts.success && facts.calls.first().is_some_and(refused) {
                crowd.refused += 1;
                crowd.refused_before_pause += u64::from(paused_at.is_none_or(|at| number < at));
            }
        }
        crowd.actors = u64::try_from(actors.len()).unwrap_or(u64::MAX);
        crowd
    }

    pub(super) fn false_alarms(&self) -> u64 {
        let Some(engine) = &self.world.engine else { return 0 };
        let early =
            |i: &&Incident| self.name == ActName::Control || self.first_move.is_none_or(|(at, _)| i.opened_at < at);
        u64::try_from(engine.guardian().incidents().filter(early).count()).unwrap_or(u64::MAX)
    }
}
