//! Agreement of independent data sources on the newest blocks of one chain.
//!
//! Owns what each source last claimed, which blocks enough sources agree on, and which source lies, lags, fails or is
//! silent. Must not know how blocks link, what is in them, or what anybody does about a stale chain.

use crate::chain::{BlockRef, Millis, SourceId};
use serde::Serialize;
use std::collections::VecDeque;

/// Claims kept per source; the oldest is forgotten, which only means that it no longer counts towards an agreement.
pub const CLAIMS_PER_SOURCE: usize = 64;
/// Agreed blocks remembered, to tell a source that is late in a reorg from one that lies; older ones are forgotten.
pub const AGREED_KEPT: usize = 64;
/// Sources per chain; further ones are not heard.
pub const SOURCES_MAX: u16 = 16;
/// A source further behind the agreed head than this lags.
pub const LAG_BLOCKS_MAX: u64 = 3;
/// A mark for lying fades after agreeing with the others at this many later heights.
pub const LIE_MEMORY_BLOCKS: u64 = 32;
/// A source that left the agreed block for another one is a liar when the others have moved on by this many blocks.
pub const DISSENT_BLOCKS: u64 = 2;

/// What a change of the claims brought to light.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum QuorumEvent {
    /// Enough sources now name this block.
    Agreed(BlockRef),
    /// The source names another block at a height where the others agree.
    Lied {
        /// Source.
        source: SourceId,
        /// Height.
        number: u64,
    },
    /// The source is more than [`LAG_BLOCKS_MAX`] behind.
    Lagging {
        /// Source.
        source: SourceId,
        /// Height of the agreed head.
        agreed: u64,
    },
    /// The source has told nothing new for the chain's `stale_after`.
    Silent {
        /// Source.
        source: SourceId,
    },
    /// No new agreement for `stale_after`.
    Stale,
    /// Agreement again.
    Fresh,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Source {
    claims: VecDeque<BlockRef>,
    news_at: Millis,
    silent: bool,
    lagging: bool,
    faulty: bool,
    /// Height at which it left the agreed block for another one.
    dissents_at: Option<u64>,
    lied_at: Option<u64>,
}

/// The claims of all sources of one chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Quorum {
    need: usize,
    stale_after_ms: u64,
    sources: Vec<Source>,
    agreed: VecDeque<BlockRef>,
    top: u64,
    fresh_at: Millis,
    stale: bool,
}

impl Quorum {
    /// Nothing claimed yet; the first agreement is due within `stale_after_ms` of `at`.
    #[must_use]
    pub fn new(sources: u16, quorum: u16, stale_after_ms: u64, at: Millis) -> Self {
        let source = Source {
            claims: VecDeque::new(),
            news_at: at,
            silent: false,
            lagging: false,
            faulty: false,
            dissents_at: None,
            lied_at: None,
        };
        Self {
            need: usize::from(quorum.max(1)),
            stale_after_ms,
            sources: vec![source; usize::from(sources.min(SOURCES_MAX))],
            agreed: VecDeque::new(),
            top: 0,
            fresh_at: at,
            stale: false,
        }
    }

    /// Whether no agreement has been reached for too long.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Whether this source is marked as lying.
    #[must_use]
    pub fn is_marked(&self, source: SourceId) -> bool {
        self.sources.get(usize::from(source.0)).is_some_and(|s| s.lied_at.is_some())
    }

    /// Whether enough sources name this block now.
    #[must_use]
    pub fn agrees_on(&self, block: &BlockRef) -> bool {
        self.sources.iter().filter(|s| s.claims.contains(block)).count() >= self.need
    }

    /// A source names its head. `None` when that changes nothing: a repetition, or a source that is not configured.
    pub fn head(&mut self, now: Millis, from: SourceId, block: BlockRef) -> Option<Vec<QuorumEvent>> {
        let source = self.sources.get_mut(usize::from(from.0))?;
        if source.claims.contains(&block) {
            return None;
        }
        let agreed_before: Option<BlockRef> = {
            let old = source.claims.iter().find(|c| c.number == block.number).copied();
            source.claims.retain(|c| c.number != block.number);
            old
        };
        source.claims.push_back(block);
        if source.claims.len() > CLAIMS_PER_SOURCE {
            source.claims.pop_front();
        }
        source.news_at = now;
        source.silent = false;
        source.faulty = false;
        let mut events = Vec::new();
        if self.agrees_on(&block) {
            self.agree(now, from, block, &mut events);
        } else {
            self.contradict(from, block, agreed_before, &mut events);
        }
        Some(events)
    }

    /// The shell could not use a source. True the first time until the source has news again.
    pub fn fault(&mut self, from: SourceId) -> bool {
        match self.sources.get_mut(usize::from(from.0)) {
            Some(source) if !source.faulty => {
                source.faulty = true;
                true
            }
            Some(_) | None => false,
        }
    }

    /// When silence of a source or of the chain is next due.
    #[must_use]
    pub fn deadline(&self) -> Option<Millis> {
        let chain = (!self.stale).then(|| self.fresh_at.plus(self.stale_after_ms));
        let sources = self.sources.iter().filter(|s| !s.silent).map(|s| s.news_at.plus(self.stale_after_ms));
        sources.chain(chain).min()
    }

    /// Marks what has been silent for too long.
    pub fn tick(&mut self, now: Millis) -> Vec<QuorumEvent> {
        let mut events = Vec::new();
        let span = self.stale_after_ms;
        for (id, source) in (0u16..).zip(self.sources.iter_mut()) {
            if !source.silent && source.news_at.plus(span) <= now {
                source.silent = true;
                events.push(QuorumEvent::Silent { source: SourceId(id) });
            }
        }
        if !self.stale && self.fresh_at.plus(span) <= now {
            self.stale = true;
            events.push(QuorumEvent::Stale);
        }
        events
    }

    /// `block` has the votes. It is news when `from` brought the deciding one or the block was not the agreed one of its height.
    fn agree(&mut self, now: Millis, from: SourceId, block: BlockRef, events: &mut Vec<QuorumEvent>) {
        let votes = self.sources.iter().filter(|s| s.claims.contains(&block)).count();
        if votes == self.need {
            self.agreed.retain(|b| b != &block);
            self.agreed.push_back(block);
            if self.agreed.len() > AGREED_KEPT {
                self.agreed.pop_front();
            }
            self.top = self.top.max(block.number);
            self.fresh_at = now;
            if self.stale {
                self.stale = false;
                events.push(QuorumEvent::Fresh);
            }
            events.push(QuorumEvent::Agreed(block));
            self.judge_others(block, events);
        }
        if let Some(source) = self.sources.get_mut(usize::from(from.0)) {
            source.dissents_at = None;
            if source.lied_at.is_some_and(|n| block.number >= n.saturating_add(LIE_MEMORY_BLOCKS)) {
                source.lied_at = None;
            }
        }
        self.judge_lag(events);
    }

    /// Sources that named another block at the newly agreed height, unless that one was agreed before: then they are only late.
    fn judge_others(&mut self, block: BlockRef, events: &mut Vec<QuorumEvent>) {
        for (id, source) in (0u16..).zip(self.sources.iter_mut()) {
            let other = source.claims.iter().find(|c| c.number == block.number && **c != block);
            let contradicts = other.is_some_and(|c| !self.agreed.contains(c));
            if source.claims.contains(&block) {
                source.dissents_at = None;
            }
            let left_behind = source.dissents_at.is_some_and(|n| block.number >= n.saturating_add(DISSENT_BLOCKS));
            if contradicts || left_behind {
                source.dissents_at = None;
                mark(source, id, block.number, events);
            }
        }
    }

    /// `block` has no quorum. If another one of its height has, the source lies, unless it has just left that one (a reorg that it sees first).
    fn contradict(&mut self, from: SourceId, block: BlockRef, before: Option<BlockRef>, events: &mut Vec<QuorumEvent>) {
        let rival = self.agreed.iter().rev().find(|b| b.number == block.number && **b != block).copied();
        let known = self.agreed.contains(&block);
        let Some(rival) = rival.filter(|r| self.agrees_on(r) && !known) else { return };
        if let Some(source) = self.sources.get_mut(usize::from(from.0)) {
            if before == Some(rival) {
                source.dissents_at = Some(block.number);
            } else {
                mark(source, from.0, block.number, events);
            }
        }
    }

    fn judge_lag(&mut self, events: &mut Vec<QuorumEvent>) {
        let top = self.top;
        for (id, source) in (0u16..).zip(self.sources.iter_mut()) {
            let head = source.claims.iter().map(|c| c.number).max().unwrap_or(0);
            let lags = head.saturating_add(LAG_BLOCKS_MAX) < top;
            if lags && !source.lagging && !source.silent && !source.claims.is_empty() {
                events.push(QuorumEvent::Lagging { source: SourceId(id), agreed: top });
            }
            source.lagging = lags;
        }
    }
}

fn mark(source: &mut Source, id: u16, number: u64, events: &mut Vec<QuorumEvent>) {
    if source.lied_at.is_none() {
        events.push(QuorumEvent::Lied { source: SourceId(id), number });
    }
    source.lied_at = Some(number);
}
