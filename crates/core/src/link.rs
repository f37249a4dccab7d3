//! Linking agreed blocks into one adopted chain.
//!
//! Owns the adopted window and the agreed blocks that wait for their ancestors. Must not know sources, time, or what a
//! block holds: it answers an agreed block with what to retract, what to adopt and what is missing.

use crate::chain::BlockRef;
use alloy_primitives::B256;
use serde::Serialize;
use std::collections::VecDeque;

/// Adopted blocks kept. A reorg or gap deeper than this cannot be followed: the chain goes blind, loudly, and starts anew.
pub const WINDOW: usize = 256;

/// What an agreed block changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkEvent {
    /// The adopted tip is dropped.
    Retract(BlockRef),
    /// The block extends the adopted chain.
    Adopt(BlockRef),
    /// This ancestor of the agreed head is wanted.
    Missing(B256),
    /// The agreed head cannot be connected within [`WINDOW`] blocks, or its number does not follow its parent's. Everything
    /// adopted has been retracted; the next agreed block starts anew.
    Lost(BlockRef),
}

/// The adopted chain.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Link {
    adopted: VecDeque<BlockRef>,
    /// Agreed blocks that do not connect yet, in order of arrival, at most [`WINDOW`]; the oldest is forgotten and asked for again.
    loose: VecDeque<BlockRef>,
    goal: Option<BlockRef>,
    lost: bool,
}

enum Walk {
    /// Position of the fork in the adopted chain, and the blocks above it, newest first.
    Connects(usize, Vec<BlockRef>),
    Missing(B256),
    Hopeless,
}

impl Link {
    /// The newest adopted block.
    #[must_use]
    pub fn tip(&self) -> Option<&BlockRef> {
        self.adopted.back()
    }

    /// The adopted block with this hash, if it is in the window.
    #[must_use]
    pub fn find(&self, hash: B256) -> Option<&BlockRef> {
        self.adopted.iter().rev().find(|b| b.hash == hash)
    }

    /// The adopted window, oldest first.
    pub fn blocks(&self) -> impl Iterator<Item = &BlockRef> {
        self.adopted.iter()
    }

    /// Whether the chain was lost and has not started anew.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost
    }

    /// The ancestor that is being waited for.
    #[must_use]
    pub fn missing(&self) -> Option<B256> {
        match self.walk(self.goal?) {
            Walk::Missing(hash) => Some(hash),
            Walk::Connects(..) | Walk::Hopeless => None,
        }
    }

    /// Takes a block that the sources agree on.
    pub fn offer(&mut self, block: BlockRef) -> Vec<LinkEvent> {
        if self.adopted.is_empty() {
            self.lost = false;
            self.adopted.push_back(block);
            return vec![LinkEvent::Adopt(block)];
        }
        // What stands at or below the window's floor is settled: a late word about it changes nothing.
        let settled = self.adopted.front().is_some_and(|b| block.number <= b.number);
        if settled || self.find(block.hash).is_some() {
            return Vec::new();
        }
        let requested = self.missing() == Some(block.hash);
        self.loose.retain(|b| b.hash != block.hash);
        self.loose.push_back(block);
        if self.loose.len() > WINDOW {
            self.loose.pop_front();
        }
        let goal = if requested { self.goal.unwrap_or(block) } else { block };
        self.goal = Some(goal);
        match self.walk(goal) {
            Walk::Connects(fork, path) => self.switch(fork, &path),
            Walk::Missing(hash) => vec![LinkEvent::Missing(hash)],
            Walk::Hopeless => self.lose(goal),
        }
    }

    /// Follows parents from `goal` through the loose blocks down to the adopted chain.
    fn walk(&self, goal: BlockRef) -> Walk {
        let floor = self.adopted.front().map_or(0, |b| b.number);
        let reach = self.tip().map_or(0, |b| b.number).saturating_add(WINDOW as u64);
        if goal.number > reach {
            return Walk::Hopeless;
        }
        let mut path = vec![goal];
        let mut low = goal;
        while path.len() <= WINDOW {
            if let Some(fork) = self.adopted.iter().rposition(|b| b.hash == low.parent) {
                let follows = self.adopted.get(fork).is_some_and(|b| b.number.checked_add(1) == Some(low.number));
                return if follows { Walk::Connects(fork, path) } else { Walk::Hopeless };
            }
            if low.number <= floor {
                return Walk::Hopeless;
            }
            match self.loose.iter().find(|b| b.hash == low.parent) {
                Some(parent) if parent.number.checked_add(1) == Some(low.number) => {
                    path.push(*parent);
                    low = *parent;
                }
                Some(_) => return Walk::Hopeless,
                // The branch leaves the chain at the window's floor or below: no ancestor can connect it any more.
                None if low.number.saturating_sub(1) <= floor => return Walk::Hopeless,
                None => return Walk::Missing(low.parent),
            }
        }
        Walk::Hopeless
    }

    fn switch(&mut self, fork: usize, path: &[BlockRef]) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        while self.adopted.len() > fork.saturating_add(1) {
            if let Some(block) = self.adopted.pop_back() {
                events.push(LinkEvent::Retract(block));
            }
        }
        for block in path.iter().rev() {
            self.adopted.push_back(*block);
            events.push(LinkEvent::Adopt(*block));
        }
        while self.adopted.len() > WINDOW {
            self.adopted.pop_front();
        }
        self.loose.retain(|b| !path.contains(b));
        self.goal = None;
        events
    }

    fn lose(&mut self, goal: BlockRef) -> Vec<LinkEvent> {
        let mut events: Vec<LinkEvent> = self.adopted.drain(..).rev().map(LinkEvent::Retract).collect();
        self.loose.clear();
        self.goal = None;
        self.lost = true;
        events.push(LinkEvent::Lost(goal));
        events
    }
}
