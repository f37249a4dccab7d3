//! What signals see of a transaction's facts: matching events, calls and movements.

use alloy_primitives::{Address, B256, U256};
use ripcord_core::fact::ReadKey;
use ripcord_core::fact::{CallEnd, CallFact, LogFact, StateKey, TxFacts};
use ripcord_policy::policy::{ArgPlace, Event, Flow, KeySource, Trigger};
use std::collections::BTreeSet;

/// Keys whose value a transaction changed.
pub(crate) fn changed(facts: &TxFacts) -> BTreeSet<ReadKey> {
    let moved = facts.writes.iter().filter(|w| w.before != w.after);
    moved
        .map(|w| ReadKey {
            account: w.account,
            slot: match w.key {
                StateKey::Slot(slot) => Some(slot),
                StateKey::Balance | StateKey::Nonce | StateKey::CodeHash => None,
            },
        })
        .collect()
}

pub(crate) fn topic0(log: &LogFact) -> B256 {
    log.topics.first().copied().unwrap_or_default()
}

pub(crate) fn is_event(log: &LogFact, event: &Event) -> bool {
    log.emitter == event.emitter && log.topics.len() == event.topics && topic0(log) == event.topic0
}

/// The word of an event's argument; `None` when the log is too short to hold it.
pub(crate) fn argument(log: &LogFact, place: ArgPlace) -> Option<B256> {
    match place {
        ArgPlace::Topic(index) => log.topics.get(index).copied(),
        ArgPlace::Data(word) => ripcord_policy::word_at(&log.data, word).ok(),
    }
}

/// Distinct keys in order of first appearance, at most `max`, and whether there were more.
pub(crate) fn keys(facts: &TxFacts, sources: &[KeySource], max: usize) -> (Vec<B256>, bool) {
    let (mut seen, mut keys) = (BTreeSet::new(), Vec::new());
    for log in &facts.logs {
        for source in sources.iter().filter(|s| is_event(log, &s.event)) {
            let wanted = source.filters.iter().all(|(place, want)| argument(log, *place) == Some(*want));
            let Some(key) = argument(log, source.arg).filter(|_| wanted) else { continue };
            if seen.insert(key) {
                if keys.len() == max {
                    return (keys, true);
                }
                keys.push(key);
            }
        }
    }
    (keys, false)
}

/// Calls of a function that succeeded.
pub(crate) fn calls(facts: &TxFacts, target: Address, selector: [u8; 4]) -> impl Iterator<Item = &CallFact> {
    let matches =
        move |c: &&CallFact| c.target == target && c.selector() == Some(selector) && c.end == CallEnd::Success;
    facts.calls.iter().filter(matches)
}

/// What one transaction moved, seen from a flow's account: in and out. `None` on overflow.
pub(crate) fn moved(facts: &TxFacts, flow: &Flow) -> Option<(U256, U256)> {
    let (mut inward, mut outward) = (U256::ZERO, U256::ZERO);
    for moved in facts.moves.iter().filter(|m| m.token == flow.token && m.from != m.to) {
        let with = |party: Address| flow.other.is_none_or(|other| other == party);
        if moved.to == flow.account && with(moved.from) {
            inward = inward.checked_add(moved.amount)?;
        }
        if moved.from == flow.account && with(moved.to) {
            outward = outward.checked_add(moved.amount)?;
        }
    }
    Some((inward, outward))
}

/// Every trigger that a transaction pulls, some of them more than once.
pub(crate) fn each_trigger(facts: &TxFacts, pulled: &mut impl FnMut(Trigger)) {
    for call in &facts.calls {
        pulled(Trigger::Touch(call.target));
        if call.code_address != call.target {
            pulled(Trigger::Touch(call.code_address));
        }
        if let Some(selector) = call.selector() {
            pulled(Trigger::Call(call.target, selector));
        }
    }
    for log in &facts.logs {
        pulled(Trigger::Touch(log.emitter));
        pulled(Trigger::Log(log.emitter, topic0(log)));
    }
    for written in facts.writes.iter().filter(|w| w.before != w.after) {
        pulled(Trigger::Touch(written.account));
    }
    for moved in &facts.moves {
        pulled(Trigger::Move(moved.token, moved.from));
        pulled(Trigger::Move(moved.token, moved.to));
    }
}
