//! What may happen in one step.

use super::{Disk, Run, Stop};
use crate::devnet::Lane;
use crate::drill::{GUARDIAN, OWNER, THIEF, actions};
use crate::world::Fault;
use alloy_primitives::U256;
use ripcord_core::chain::Millis;
use ripcord_core::incident::IncidentId;
use ripcord_core::io::Human;
use ripcord_evm::Tx;

/// One step of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Time passes, ms.
    Pass(u64),
    /// A block.
    Mine,
    /// A user does something.
    Honest,
    /// Somebody inflates a share price.
    Attack,
    /// The owners reopen the market.
    Reopen,
    /// The newest blocks are replaced.
    Reorg(u64),
    /// A source changes its ways.
    Source(usize, Fault),
    /// The clock jumps, ms; backwards when negative.
    Jump(i64),
    /// The guardian's transactions are not included for some blocks.
    Stuck(u64),
    /// The mempool forgets the guardian's transactions.
    Forgotten,
    /// Somebody else uses the guardian's key for a harmless transaction.
    ForeignNonce,
    /// A person says something, sensible or not.
    Word(u8, u64),
    /// The process dies.
    Crash,
    /// The process dies and comes back to a state with a hole.
    CrashBlind,
}

impl Trouble {
    /// Draws a step. Quiet ones are the most frequent.
    pub(super) fn draw(rng: &mut fastrand::Rng, crash_every: u32) -> Self {
        if crash_every > 0 && rng.u32(..crash_every) == 0 {
            return if rng.u8(..5) == 0 { Self::CrashBlind } else { Self::Crash };
        }
        match rng.u32(..1000) {
            0..380 => Self::Pass(rng.u64(50..4000)),
            380..640 => Self::Mine,
            640..820 => Self::Honest,
            820..845 => Self::Attack,
            845..855 => Self::Reopen,
            855..885 => Self::Reorg(rng.u64(1..5)),
            885..935 => {
                let fault = match rng.u8(..8) {
                    0 => Fault::Lags(rng.u64(1..8)),
                    1 => Fault::Lies,
                    2 => Fault::Silent,
                    3 => Fault::Fails,
                    _ => Fault::None,
                };
                Self::Source(rng.usize(..3), fault)
            }
            935..945 => Self::Jump(if rng.u8(..4) == 0 { rng.i64(0..100_000_000) } else { rng.i64(-60_000..600_000) }),
            945..960 => Self::Stuck(rng.u64(1..8)),
            960..965 => Self::Forgotten,
            965..970 => Self::ForeignNonce,
            _ => Self::Word(rng.u8(..6), rng.u64(1..6)),
        }
    }
}

impl<J: Disk> Run<'_, J> {
    pub(super) fn suffer(&mut self, trouble: Trouble) -> Result<(), Stop> {
        match trouble {
            Trouble::Pass(span_ms) => self.pass(span_ms)?,
            Trouble::Mine => self.mine()?,
            Trouble::Honest => self.honest(),
            Trouble::Attack => self.attack(),
            Trouble::Reopen => {
                let tx = actions::unpause(&self.stage.protocol);
                self.send(OWNER, tx, Lane::Private);
            }
            Trouble::Reorg(depth) => self.reorg(depth)?,
            Trouble::Source(index, fault) => self.turn(index, fault),
            Trouble::Jump(by_ms) => {
                let now = self.world.now().0.saturating_add_signed(by_ms);
                self.world.jump(Millis(now));
            }
            Trouble::Stuck(blocks) => {
                let until = self.world.devnet.head().number + blocks;
                self.world.devnet.hold(GUARDIAN, until);
            }
            Trouble::Forgotten => self.world.devnet.drop_waiting(GUARDIAN),
            Trouble::ForeignNonce => {
                let tx = actions::nothing(GUARDIAN);
                self.send(GUARDIAN, tx, Lane::Private);
                self.checks.foreign_nonce();
            }
            Trouble::Word(kind, pick) => {
                let open: Vec<IncidentId> = self
                    .world
                    .engine
                    .iter()
                    .flat_map(|e| e.guardian().incidents().filter(|i| !i.is_over()).map(|i| i.id))
                    .collect();
                let known = usize::try_from(pick).ok().and_then(|p| open.get(p % open.len().max(1)));
                let word = word(kind, known.copied().unwrap_or(IncidentId(pick)));
                self.world.say_later(10, word);
            }
            Trouble::Crash => {
                self.world.heal_state();
                self.crash()?;
            }
            Trouble::CrashBlind => {
                let (token, _) = self.stage.protocol.pair(crate::drill::EMPTY)?;
                self.world.hide_state(token);
                self.crash()?;
            }
        }
        Ok(())
    }

    /// The world's own parties send what they like; a refusal is theirs to bear.
    fn send(&mut self, from: alloy_primitives::Address, tx: Tx, lane: Lane) {
        let nonce = self.world.devnet.next_nonce(from);
        drop(self.world.submit(Tx { nonce, from, ..tx }, lane, 100));
    }

    fn honest(&mut self) {
        let index = self.rng.usize(..self.stage.protocol.users.len());
        let account = self.stage.protocol.users.get(index).copied().unwrap_or_default();
        let asset = self.rng.usize(..crate::drill::EMPTY);
        let tx = match self.rng.u8(..4) {
            0 => actions::deposit(&self.stage.protocol, asset, account, self.rng.u64(1..500)),
            1 => actions::withdraw(&self.stage.protocol, asset, account, self.rng.u64(1..300)),
            2 => actions::borrow(&self.stage.protocol, asset, self.rng.u64(1..100)),
            _ => actions::repay(&self.stage.protocol, asset, self.rng.u64(1..100)),
        };
        self.send(account, tx, Lane::Public);
    }

    /// A large donation to one vault: the first step of an inflation attack.
    fn attack(&mut self) {
        let asset = self.rng.usize(..crate::drill::EMPTY);
        let lane = if self.rng.bool() { Lane::Private } else { Lane::Public };
        let (mint, donate) = actions::donation(&self.stage.protocol, asset, U256::from(self.rng.u64(20..200)));
        self.send(OWNER, mint, Lane::Private);
        self.send(THIEF, donate, lane);
    }

    /// Another branch, one block longer than the dropped one.
    fn reorg(&mut self, depth: u64) -> Result<(), Stop> {
        // The market's own deployment is never undone.
        let floor = self.stage.devnet.head().number;
        let room = self.world.devnet.head().number.saturating_sub(floor);
        let dropped = self.world.devnet.rewind(depth.min(room));
        if dropped > 0 {
            self.tally.reorgs += 1;
            for _ in 0..=dropped {
                self.mine()?;
            }
        }
        Ok(())
    }

    /// At most one source lies at a time: two of three would be the quorum itself.
    fn turn(&mut self, index: usize, fault: Fault) {
        let liar = self.world.sources.iter().enumerate().any(|(i, s)| i != index && s.fault == Fault::Lies);
        if fault == Fault::Lies && liar {
            return;
        }
        if let Some(source) = self.world.sources.get_mut(index) {
            source.fault = fault;
        }
    }
}

fn word(kind: u8, incident: IncidentId) -> Human {
    let by = "ana".to_owned();
    match kind {
        0 => Human::Acknowledge { incident, by },
        1 => Human::Label { incident, by, true_alarm: true },
        2 => Human::Resolve { incident, by },
        3 => Human::Approve { incident, by, digest: alloy_primitives::B256::repeat_byte(1) },
        4 => Human::Veto { incident, by: "mallory".to_owned(), digest: alloy_primitives::B256::repeat_byte(2) },
        _ => Human::Label { incident, by: "mallory".to_owned(), true_alarm: false },
    }
}
