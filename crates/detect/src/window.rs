//! Sums of token movements over time, kept per block so that a dropped block can be taken out again.

use crate::facts;
use alloy_primitives::{B256, U256};
use ripcord_core::fact::TxFacts;
use ripcord_core::qty::{Qty, Unit};
use ripcord_core::signal::UnknownWhy;
use ripcord_policy::policy::{Direction, Flow, Window};
use ripcord_policy::value::{Known, Value};
use std::collections::{BTreeMap, VecDeque};

/// Most buckets of one flow. At the bound, neighbours in the older half are joined under the younger one's time: they leave
/// the window together, so sums are too large for at most one of the longer buckets, never too small.
pub(crate) const BUCKETS_MAX: usize = 8_192;
/// Most blocks that can be retracted; a deeper reorganisation starts every window anew.
pub(crate) const BLOCKS_MAX: usize = 1_024;
/// Buckets are kept this much longer than their window, because a retracted block turns time back.
const SLACK_SECS: u64 = 3_600;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sums {
    inward: U256,
    outward: U256,
    gross: U256,
    /// A sum did not fit: the value is unknown until the bucket leaves the window.
    overflow: bool,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        let mut plus = |a: U256, b: U256| {
            let sum = a.checked_add(b);
            self.overflow |= sum.is_none();
            sum.unwrap_or(U256::MAX)
        };
        let inward = plus(self.inward, other.inward);
        let outward = plus(self.outward, other.outward);
        let gross = plus(self.gross, other.gross);
        let overflow = self.overflow || other.overflow;
        *self = Self { inward, outward, gross, overflow };
    }

    fn of_tx(facts: &TxFacts, flow: &Flow) -> Self {
        facts::moved(facts, flow).map_or(Self { overflow: true, ..Self::default() }, |(inward, outward)| Self {
            inward,
            outward,
            gross: outward.saturating_sub(inward),
            overflow: false,
        })
    }

    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Debug, Clone)]
struct Bucket {
    block: B256,
    timestamp: u64,
    sums: Sums,
}

/// What a value is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked<'a> {
    /// A transaction of the open block, recorded already.
    Tx(&'a TxFacts),
    /// A pending transaction: its own movements count on top of what is recorded.
    Pending(&'a TxFacts),
    /// The open block as a whole, with its time.
    Block(u64),
}

/// All windows of a policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Windows {
    /// By index of the signal.
    flows: BTreeMap<usize, (Flow, VecDeque<Bucket>, Sums)>,
    /// Block that is being filled.
    open: Option<B256>,
    /// Finished blocks: hash, height, time.
    blocks: VecDeque<(B256, u64, u64)>,
    /// Time of the first block of the unbroken series that ends at the newest one.
    since: Option<u64>,
}

impl Windows {
    pub(crate) fn new(flows: impl Iterator<Item = (usize, Flow)>) -> Self {
        Self {
            flows: flows.map(|(index, flow)| (index, (flow, VecDeque::new(), Sums::default()))).collect(),
            ..Self::default()
        }
    }

    /// Adds a transaction of an adopted block.
    pub(crate) fn record(&mut self, facts: &TxFacts) {
        self.open_block(facts.at.block_hash, facts.at.block_number);
        for (flow, _, open) in self.flows.values_mut() {
            open.add(&Sums::of_tx(facts, flow));
        }
    }

    /// Makes `block` the one being filled; what an unfinished other block left is dropped.
    pub(crate) fn open_block(&mut self, block: B256, number: u64) {
        if self.open != Some(block) {
            self.open = Some(block);
            // Blocks in between were not seen: no window is complete.
            if self.blocks.back().is_none_or(|(_, last, _)| last.checked_add(1) != Some(number)) {
                self.since = None;
            }
            self.flows.values_mut().for_each(|(_, _, open)| *open = Sums::default());
        }
    }

    /// Finishes the open block.
    pub(crate) fn close(&mut self, block: B256, number: u64, timestamp: u64) {
        self.open_block(block, number);
        self.since.get_or_insert(timestamp);
        self.blocks.push_back((block, number, timestamp));
        if self.blocks.len() > BLOCKS_MAX {
            self.blocks.pop_front();
        }
        self.open = None;
        for (flow, buckets, open) in self.flows.values_mut() {
            let sums = std::mem::take(open);
            if !sums.is_empty() {
                buckets.push_back(Bucket { block, timestamp, sums });
            }
            let keep = if let Window::Secs(secs) = flow.window { secs.saturating_add(SLACK_SECS) } else { 0 };
            while buckets.front().is_some_and(|b| b.timestamp.saturating_add(keep) < timestamp) {
                buckets.pop_front();
            }
            if buckets.len() > BUCKETS_MAX {
                coarsen(buckets);
            }
        }
    }

    /// Takes a dropped block out again.
    pub(crate) fn retract(&mut self, block: B256) {
        if self.open == Some(block) {
            self.open = None;
        }
        self.flows.values_mut().for_each(|(_, buckets, open)| {
            buckets.retain(|b| b.block != block);
            *open = Sums::default();
        });
        if self.blocks.back().is_some_and(|(hash, _, _)| *hash == block) {
            self.blocks.pop_back();
        }
        if self.blocks.is_empty() {
            self.since = None;
        }
    }

    /// A flow's value. A window that has not been seen in full yields a lower bound; a net flow has none.
    pub(crate) fn value(&self, signal: usize, asked: Asked<'_>) -> Known<Value> {
        let (flow, buckets, open) = self.flows.get(&signal).ok_or(UnknownWhy::Fault)?;
        let own = |facts: &TxFacts| Sums::of_tx(facts, flow);
        let mut sums = match (flow.window, asked) {
            (Window::Tx, Asked::Tx(facts) | Asked::Pending(facts)) | (Window::Block, Asked::Pending(facts)) => {
                own(facts)
            }
            (Window::Tx, Asked::Block(_)) => return Err(UnknownWhy::Fault),
            (Window::Block | Window::Secs(_), Asked::Tx(_) | Asked::Block(_)) => *open,
            (Window::Secs(_), Asked::Pending(facts)) => {
                let mut sums = *open;
                sums.add(&own(facts));
                sums
            }
        };
        let mut unwarmed = None;
        if let Window::Secs(secs) = flow.window {
            // A transaction's block has no time yet: the newest finished block's is used, so the window is one block longer.
            let now =
                if let Asked::Block(timestamp) = asked { Some(timestamp) } else { self.blocks.back().map(|b| b.2) };
            let seen =
                now.zip(self.since).is_some_and(|(now, since)| since.checked_add(secs).is_some_and(|full| full <= now));
            unwarmed = (!seen).then_some(UnknownWhy::Unwarmed);
            let inside = |b: &&Bucket| now.is_none_or(|now| b.timestamp.saturating_add(secs) > now);
            buckets.iter().rev().take_while(inside).for_each(|b| sums.add(&b.sums));
        }
        render(flow, &sums, unwarmed)
    }
}

fn render(flow: &Flow, sums: &Sums, unwarmed: Option<UnknownWhy>) -> Known<Value> {
    if sums.overflow {
        return Err(UnknownWhy::Overflow);
    }
    let unit = flow.token.map_or(Unit::Native, Unit::Amount);
    let qty = |neg, mag| Qty::new(neg, mag, flow.decimals, unit).map_err(|_| UnknownWhy::Overflow);
    let value = match flow.direction {
        Direction::In => qty(false, sums.inward)?,
        Direction::Out => qty(false, sums.outward)?,
        Direction::Gross => qty(false, sums.gross)?,
        Direction::Net if sums.outward >= sums.inward => qty(false, sums.outward.saturating_sub(sums.inward))?,
        Direction::Net => qty(true, sums.inward.saturating_sub(sums.outward))?,
    };
    match (unwarmed, flow.direction) {
        (None, _) => Ok(Value::Qty(value)),
        (Some(why), Direction::Net) => Err(why),
        (Some(why), Direction::In | Direction::Out | Direction::Gross) => Ok(Value::AtLeast(value, why)),
    }
}

fn coarsen(buckets: &mut VecDeque<Bucket>) {
    let half = buckets.len() / 2;
    let mut joined = VecDeque::with_capacity(buckets.len());
    let mut pending: Option<Bucket> = None;
    for (index, mut bucket) in buckets.drain(..).enumerate() {
        if let Some(older) = pending.take() {
            bucket.sums.add(&older.sums);
            joined.push_back(bucket);
        } else if index < half {
            pending = Some(bucket);
        } else {
            joined.push_back(bucket);
        }
    }
    joined.extend(pending);
    *buckets = joined;
}

#[cfg(test)]
mod tests;
