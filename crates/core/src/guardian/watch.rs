//! One chain as the guardian follows it: quorum, linking, and whether each adopted block is evaluated.
//!
//! Owns when a chain reads `Unknown`. Must not know rules or incidents.

use crate::chain::{BlockRef, Millis, SourceId};
use crate::link::{Link, LinkEvent, WINDOW};
use crate::playbook::ChainSpec;
use crate::quorum::{Quorum, QuorumEvent};
use crate::signal::UnknownWhy;
use alloy_primitives::B256;
use serde::Serialize;
use std::collections::VecDeque;

/// An adopted block that this many further ones follow without an evaluation makes the chain `Unknown`.
pub(crate) const EVALUATION_LAG_MAX: u32 = 3;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
struct Waiting {
    block: BlockRef,
    adopted_at: Millis,
    /// Agreements since that adopted something on top of it.
    followed: u32,
}

/// What the watch noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WatchEvent {
    Quorum(QuorumEvent),
    Link(LinkEvent),
    /// Adopted blocks are not being evaluated.
    Silent,
    /// They are again.
    Heard,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Watch {
    quorum: Quorum,
    link: Link,
    stale_after_ms: u64,
    waiting: VecDeque<Waiting>,
    silent: bool,
    blind: Option<UnknownWhy>,
    evaluated: u64,
}

impl Watch {
    pub(crate) fn new(spec: &ChainSpec, at: Millis) -> Self {
        Self {
            quorum: Quorum::new(spec.sources, spec.quorum, spec.stale_after_ms, at),
            link: Link::default(),
            stale_after_ms: spec.stale_after_ms,
            waiting: VecDeque::new(),
            silent: false,
            blind: None,
            evaluated: 0,
        }
    }

    /// Why all rules of the chain read `Unknown`, if they do.
    pub(crate) fn unknown(&self) -> Option<UnknownWhy> {
        if self.quorum.is_stale() || self.silent {
            Some(UnknownWhy::Stale)
        } else if self.link.is_lost() {
            Some(UnknownWhy::Reorg)
        } else {
            self.blind
        }
    }

    pub(crate) fn adopted(&self, hash: B256) -> Option<&BlockRef> {
        self.link.find(hash)
    }

    /// Whether a block of this height is too old to be remembered, and to be dropped.
    pub(crate) fn is_settled(&self, number: u64) -> bool {
        self.link.blocks().next().is_some_and(|oldest| number < oldest.number)
    }

    pub(crate) fn tip(&self) -> Option<&BlockRef> {
        self.link.tip()
    }

    pub(crate) fn tip_number(&self) -> u64 {
        self.link.tip().map_or(0, |b| b.number)
    }

    /// Height of the newest evaluated block.
    pub(crate) fn evaluated(&self) -> u64 {
        self.evaluated
    }

    pub(crate) fn missing(&self) -> Option<B256> {
        self.link.missing()
    }

    /// Adopted blocks whose evaluation is awaited, oldest first.
    pub(crate) fn unevaluated(&self) -> impl Iterator<Item = &BlockRef> {
        self.waiting.iter().map(|w| &w.block)
    }

    pub(crate) fn head(&mut self, now: Millis, source: SourceId, block: BlockRef) -> Option<Vec<WatchEvent>> {
        let events = match self.quorum.head(now, source, block) {
            Some(events) => events,
            // A repetition counts only when it is the ancestor that is wanted again.
            None if self.link.missing() == Some(block.hash) && self.quorum.agrees_on(&block) => {
                vec![QuorumEvent::Agreed(block)]
            }
            None => return None,
        };
        let mut out = Vec::new();
        for event in events {
            out.push(WatchEvent::Quorum(event));
            if let QuorumEvent::Agreed(agreed) = event {
                self.offer(now, agreed, &mut out);
            }
        }
        Some(out)
    }

    pub(crate) fn fault(&mut self, source: SourceId) -> bool {
        self.quorum.fault(source)
    }

    pub(crate) fn deadline(&self) -> Option<Millis> {
        let evaluation = self.waiting.front().filter(|_| !self.silent).map(|w| w.adopted_at.plus(self.stale_after_ms));
        [self.quorum.deadline(), evaluation].into_iter().flatten().min()
    }

    pub(crate) fn tick(&mut self, now: Millis) -> Vec<WatchEvent> {
        let mut out: Vec<WatchEvent> = self.quorum.tick(now).into_iter().map(WatchEvent::Quorum).collect();
        let overdue = self.waiting.front().is_some_and(|w| w.adopted_at.plus(self.stale_after_ms) <= now);
        if overdue {
            self.fall_silent(&mut out);
        }
        out
    }

    /// The rules due for a block have been evaluated. `None` when nobody waited for that.
    pub(crate) fn evaluated_block(&mut self, block: B256) -> Option<Vec<WatchEvent>> {
        let number = self.answered(block)?;
        self.blind = None;
        self.evaluated = number;
        let mut out = Vec::new();
        if self.silent && self.waiting.is_empty() {
            self.silent = false;
            out.push(WatchEvent::Heard);
        }
        Some(out)
    }

    /// A block could not be evaluated. `None` when nobody waited for that; otherwise whether the chain was not blind before.
    pub(crate) fn blind_block(&mut self, block: B256, why: UnknownWhy) -> Option<bool> {
        self.answered(block)?;
        let news = self.blind.is_none();
        self.blind = Some(why);
        if self.waiting.is_empty() {
            self.silent = false;
        }
        Some(news)
    }

    fn answered(&mut self, block: B256) -> Option<u64> {
        let at = self.waiting.iter().position(|w| w.block.hash == block)?;
        self.waiting.remove(at).map(|w| w.block.number)
    }

    fn offer(&mut self, now: Millis, block: BlockRef, out: &mut Vec<WatchEvent>) {
        let mut adopted = 0;
        for event in self.link.offer(block) {
            match event {
                LinkEvent::Adopt(block) => {
                    if self.silent {
                        // Only the newest block matters for hearing again.
                        self.waiting.clear();
                    }
                    adopted += 1;
                    self.waiting.push_back(Waiting { block, adopted_at: now, followed: 0 });
                }
                LinkEvent::Retract(block) => {
                    self.waiting.retain(|w| w.block.hash != block.hash);
                    self.evaluated = self.evaluated.min(block.number.saturating_sub(1));
                }
                LinkEvent::Missing(_) => {}
                LinkEvent::Lost(_) => self.blind = None,
            }
            out.push(WatchEvent::Link(event));
        }
        // Blocks that one agreement brings together are not counted against each other.
        let before = self.waiting.len().saturating_sub(adopted);
        if adopted > 0 {
            for waiting in self.waiting.iter_mut().take(before) {
                waiting.followed = waiting.followed.saturating_add(1);
            }
        }
        if self.waiting.front().is_some_and(|w| w.followed >= EVALUATION_LAG_MAX) || self.waiting.len() > WINDOW {
            self.fall_silent(out);
        }
    }

    fn fall_silent(&mut self, out: &mut Vec<WatchEvent>) {
        while self.waiting.len() > 1 {
            self.waiting.pop_front();
        }
        if !self.silent {
            self.silent = true;
            out.push(WatchEvent::Silent);
        }
    }
}
