//! The desk: what one input puts out, in order.
//!
//! Owns the rule that a record stands before its effect. Must not decide anything.

use crate::chain::Millis;
use crate::incident::IncidentEvent;
use crate::io::{Ask, Body, Notice, Output, Record, Submission};
use crate::playbook::Severity;
use crate::submission::FlightEvent;
use alloy_primitives::B256;

/// Longest text of a notice, bytes; longer ones are cut.
const TEXT_MAX: usize = 1024;

#[derive(Debug, Clone)]
pub(crate) struct Desk {
    pub(crate) at: Millis,
    project: String,
    out: Vec<Output>,
    dirty: bool,
}

impl Desk {
    pub(crate) fn new(project: String) -> Self {
        Self { at: Millis(0), project, out: Vec::new(), dirty: false }
    }

    /// The state has changed.
    pub(crate) fn touch(&mut self) {
        self.dirty = true;
    }

    pub(crate) fn record(&mut self, body: Body) {
        self.dirty = true;
        self.out.push(Output::Journal(Record { at: self.at, body }));
    }

    pub(crate) fn incident(&mut self, event: IncidentEvent) {
        self.record(Body::Incident(event));
    }

    /// An effect that has no record of its own.
    pub(crate) fn emit(&mut self, output: Output) {
        self.dirty = true;
        self.out.push(output);
    }

    /// Tells people; `topic` becomes `{project}/{topic}`, under which the page is updated in place.
    pub(crate) fn notify(&mut self, topic: &str, severity: Severity, rule_hash: B256, text: &str) {
        let dedup = format!("{}/{topic}", self.project);
        let notice = Notice { dedup, severity, text: cut(text, TEXT_MAX), rule_hash };
        self.record(Body::Notified(notice.clone()));
        self.out.push(Output::Notify(notice));
    }

    pub(crate) fn ask(&mut self, ask: Ask) {
        self.record(Body::Asked(ask.clone()));
        self.out.push(Output::AskApproval(ask));
    }

    pub(crate) fn submit(&mut self, submission: Submission) {
        self.record(Body::Intent(submission.clone()));
        self.out.push(Output::Submit(submission));
    }

    pub(crate) fn is_dirty(&self) -> bool {
        self.dirty
    }

    /// What a flight asks for.
    pub(crate) fn fly(&mut self, event: FlightEvent) {
        let (severity, key, text) = match event {
            FlightEvent::Send(submission) => return self.submit(*submission),
            FlightEvent::Mined(_) => return self.touch(),
            FlightEvent::Find(submission, hashes) => {
                return self.emit(Output::Find { submission: *submission, hashes });
            }
            FlightEvent::Exhausted(key) => (Severity::P2, key, "it was not included after the last attempt"),
            FlightEvent::AtCeiling(key) => (Severity::P1, key, "the fee ceiling forbids a further bump"),
            FlightEvent::Resynced(key) => {
                (Severity::P2, key, "somebody else used its nonce: sent again with a new one")
            }
            FlightEvent::Reorged(key) => (Severity::P2, key, "the block that held it was dropped: sent again"),
        };
        self.notify(&format!("action/{key}"), severity, B256::ZERO, &format!("action {key}: {text}"));
    }

    /// Ends the input: what it put out, and whether it changed anything.
    pub(crate) fn take(&mut self) -> (bool, Vec<Output>) {
        (std::mem::take(&mut self.dirty), std::mem::take(&mut self.out))
    }
}

/// The longest prefix of at most `max` bytes that ends between characters.
pub(crate) fn cut(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.char_indices().map(|(i, _)| i).take_while(|i| *i <= max).last().unwrap_or(0);
    text.get(..end).unwrap_or("").to_owned()
}
