//! Inputs about chains: heads, faults, evaluations; and what a change of the adopted chain takes back.

use super::Guardian;
use crate::chain::{BlockRef, ChainId, Position, SourceId};
use crate::io::{Body, Output};
use crate::link::LinkEvent;
use crate::playbook::Severity;
use crate::quorum::QuorumEvent;
use crate::signal::UnknownWhy;
use crate::submission::FlightEvent;
use alloy_primitives::B256;

use super::watch::WatchEvent;

impl Guardian {
    pub(super) fn head(&mut self, chain: ChainId, source: SourceId, block: BlockRef) {
        let now = self.desk.at;
        let Some(events) = self.state.chains.get_mut(&chain).and_then(|w| w.head(now, source, block)) else { return };
        self.desk.touch();
        self.watch_events(chain, events);
    }

    pub(super) fn source_fault(&mut self, chain: ChainId, source: SourceId, why: &str) {
        if self.state.chains.get_mut(&chain).is_some_and(|w| w.fault(source)) {
            let text = format!("{chain}: source {}: {why}", source.0);
            self.desk.notify(&format!("source/{chain}/{}", source.0), Severity::P3, B256::ZERO, &text);
        }
    }

    pub(super) fn tick_chains(&mut self) {
        let chains: Vec<ChainId> = self.state.chains.keys().copied().collect();
        for chain in chains {
            let now = self.desk.at;
            if let Some(events) = self.state.chains.get_mut(&chain).map(|w| w.tick(now)) {
                self.watch_events(chain, events);
            }
        }
    }

    pub(super) fn evaluated(&mut self, chain: ChainId, block: B256) {
        let Some(watch) = self.state.chains.get_mut(&chain) else { return };
        let Some(at) = watch.adopted(block).copied() else { return };
        let Some(events) = watch.evaluated_block(block) else { return };
        self.desk.touch();
        self.watch_events(chain, events);
        self.count_streaks(chain, at);
    }

    pub(super) fn blind(&mut self, chain: ChainId, block: B256, why: UnknownWhy) {
        let Some(news) = self.state.chains.get_mut(&chain).and_then(|w| w.blind_block(block, why)) else { return };
        self.desk.touch();
        self.shut_gates(chain);
        if news {
            self.tell_chain(
                chain,
                "blind",
                Severity::P2,
                &format!("a block cannot be evaluated ({why:?}): all rules read unknown"),
            );
        }
    }

    /// Whether a position stands on the adopted chain (for a pending one: whether its head does).
    pub(super) fn is_adopted(&self, at: &Position) -> bool {
        let watch = self.state.chains.get(&at.chain);
        watch.and_then(|w| w.adopted(at.block_hash)).is_some_and(|b| b.number == at.block_number)
    }

    fn watch_events(&mut self, chain: ChainId, events: Vec<WatchEvent>) {
        for event in events {
            match event {
                WatchEvent::Quorum(event) => self.quorum_event(chain, event),
                WatchEvent::Link(event) => self.link_event(chain, event),
                WatchEvent::Silent => {
                    self.shut_gates(chain);
                    let text = "adopted blocks are not being evaluated: all rules read unknown";
                    self.tell_chain(chain, "silent", Severity::P2, text);
                }
                WatchEvent::Heard => self.tell_chain(chain, "silent", Severity::P4, "blocks are being evaluated again"),
            }
        }
    }

    fn quorum_event(&mut self, chain: ChainId, event: QuorumEvent) {
        match event {
            QuorumEvent::Agreed(_) => self.desk.touch(),
            QuorumEvent::Lied { source, number } => {
                let text = format!("source {} names another block {number} than the others agree on", source.0);
                self.tell_chain(chain, &format!("source-{}", source.0), Severity::P2, &text);
            }
            QuorumEvent::Lagging { source, agreed } => {
                let text = format!("source {} lags behind block {agreed}", source.0);
                self.tell_chain(chain, &format!("source-{}", source.0), Severity::P3, &text);
            }
            QuorumEvent::Silent { source } => {
                let text = format!("source {} is silent", source.0);
                self.tell_chain(chain, &format!("source-{}", source.0), Severity::P3, &text);
            }
            QuorumEvent::Stale => {
                self.shut_gates(chain);
                let text = "no agreed block for too long: all rules read unknown, nothing that loosens starts";
                self.tell_chain(chain, "stale", Severity::P2, text);
            }
            QuorumEvent::Fresh => self.tell_chain(chain, "stale", Severity::P4, "the sources agree again"),
        }
    }

    fn link_event(&mut self, chain: ChainId, event: LinkEvent) {
        match event {
            LinkEvent::Adopt(block) => {
                self.desk.record(Body::Chain { chain, block, retracted: false });
                self.desk.emit(Output::Adopt { chain, block });
            }
            LinkEvent::Retract(block) => {
                self.desk.record(Body::Chain { chain, block, retracted: true });
                self.desk.emit(Output::Retract { chain, block });
                self.retract(chain, &block);
            }
            LinkEvent::Missing(hash) => self.desk.emit(Output::Missing { chain, hash }),
            LinkEvent::Lost(block) => {
                self.shut_gates(chain);
                let text = format!(
                    "block {} does not connect within the window: all rules read unknown until the next agreed block, and blocks between are not evaluated",
                    block.number
                );
                self.tell_chain(chain, "lost", Severity::P1, &text);
            }
        }
    }

    fn retract(&mut self, chain: ChainId, block: &BlockRef) {
        for state in &mut self.state.rules {
            state.retract(block);
        }
        for event in self.state.submissions.retract(chain, block) {
            if let FlightEvent::Reorged(key) = event {
                self.lose_effect(key);
            }
            self.desk.fly(event);
        }
        self.retract_signals(chain, block);
    }

    /// Gates read as `Holds` before the chain went dark are not believed afterwards.
    fn shut_gates(&mut self, chain: ChainId) {
        for incident in self.state.incidents.values_mut() {
            for run in incident.runs.iter_mut().filter(|r| r.chain() == chain) {
                if run.retract(None) {
                    self.desk.touch();
                }
            }
        }
    }

    fn tell_chain(&mut self, chain: ChainId, topic: &str, severity: Severity, text: &str) {
        self.desk.notify(&format!("chain/{chain}/{topic}"), severity, B256::ZERO, &format!("{chain}: {text}"));
    }
}
