//! What makes a rule due, beside the state it read: the triggers it names and those its signals bring along.

use super::Loader;
use super::fields::{Field, Table};
use crate::policy::{Signal, Source, Trigger};
use alloy_dyn_abi::DynSolValue;
use alloy_primitives::Address;

impl Loader<'_> {
    /// The field `trigger`: `@contract`, `@contract.function(…)` or `@contract.Event(…)`.
    pub(super) fn triggers(&mut self, table: &Table<'_>) -> Vec<Trigger> {
        let fields = self.texts(table, "trigger");
        fields.iter().filter_map(|field| self.trigger(table.file, field)).collect()
    }

    fn trigger(&mut self, file: usize, field: &Field<String>) -> Option<Trigger> {
        let Some((_, rest)) = field.value.split_once('.') else {
            return self.contract_ref(file, field).map(|c| Trigger::Touch(c.address));
        };
        // Solidity style tells events from functions by their first letter.
        if rest.starts_with(|c: char| c.is_ascii_uppercase()) {
            let text = self.event(file, field)?;
            return Some(Trigger::Log(text.contract.address, text.event.selector()));
        }
        let call = self.function(file, field)?;
        Some(Trigger::Call(call.contract.address, call.function.selector().0))
    }
}

/// Triggers that a signal brings along: it reads facts of the transaction, which no read-set shows.
pub(super) fn derived(source: &Source) -> Vec<Trigger> {
    match source {
        Source::View(view) => {
            let keys = view.each.iter().flat_map(|each| each.keys.iter());
            keys.map(|k| Trigger::Log(k.event.emitter, k.event.topic0)).collect()
        }
        Source::Returns { target, selector, .. } => vec![Trigger::Call(*target, *selector)],
        Source::Log { event, .. } => vec![Trigger::Log(event.emitter, event.topic0)],
        Source::Flow(flow) => vec![Trigger::Move(flow.token, flow.account)],
        Source::Slot { .. } | Source::Calc => Vec::new(),
    }
}

/// The account that a signal is about, for the cause of an incident.
pub(super) fn subject(signal: &Signal) -> Option<Address> {
    match &signal.source {
        Source::View(view) if view.code.is_some() => {
            view.args.iter().find_map(|a| if let DynSolValue::Address(address) = a { Some(*address) } else { None })
        }
        Source::View(view) => Some(view.target),
        Source::Slot { account, .. } => Some(*account),
        Source::Returns { target, .. } => Some(*target),
        Source::Log { event, .. } => Some(event.emitter),
        Source::Flow(flow) => Some(flow.account),
        Source::Calc => None,
    }
}
