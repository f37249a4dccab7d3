//! Values that rules compute with.

use alloy_primitives::{Address, B256};
use ripcord_core::qty::{Qty, Unit};
use ripcord_core::signal::UnknownWhy;
use serde::Serialize;
use std::sync::Arc;

/// A value, or why there is none.
pub type Known<T> = Result<T, UnknownWhy>;

/// The lists that a transaction brings along.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Items {
    /// `tx.calls`
    Calls,
    /// `tx.logs`
    Logs,
    /// `tx.moves`
    Moves,
}

impl Items {
    /// One element's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Calls => "call",
            Self::Logs => "log",
            Self::Moves => "move",
        }
    }

    /// Most elements looked at; what lies beyond is `Unknown{budget}`.
    #[must_use]
    pub const fn bound(self) -> usize {
        match self {
            Self::Calls | Self::Moves => 4_096,
            Self::Logs => 2_048,
        }
    }
}

/// Most values of one list signal; what lies beyond is `Unknown{budget}`.
pub const VALUES_MAX: usize = 256;

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Truth.
    Bool(bool),
    /// A quantity.
    Qty(Qty),
    /// A quantity of which only a lower bound is known, and why: a window that has not been seen in full.
    AtLeast(Qty, UnknownWhy),
    /// An account.
    Address(Address),
    /// 32 bytes.
    Word(B256),
    /// Four bytes.
    Selector([u8; 4]),
    /// One call, log or move, by its index in the transaction's facts.
    Item(Items, usize),
    /// A list.
    List(Arc<List>),
}

/// A list, perhaps with elements that are not known and perhaps cut off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct List {
    /// Elements in order.
    pub items: Vec<Element>,
    /// Why there may be more elements than these; `None` when these are all.
    pub tail: Option<UnknownWhy>,
}

/// One element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Element {
    /// What it is the value of, for evidence: the account of a `for_each` signal.
    pub key: Option<String>,
    /// Its value.
    pub value: Known<Value>,
}

/// Short word for a reason.
#[must_use]
pub const fn why_name(why: UnknownWhy) -> &'static str {
    match why {
        UnknownWhy::MissingState => "missing_state",
        UnknownWhy::Stale => "stale",
        UnknownWhy::SourcesDisagree => "sources_disagree",
        UnknownWhy::Reverted => "reverted",
        UnknownWhy::Budget => "budget",
        UnknownWhy::Shed => "shed",
        UnknownWhy::Overflow => "overflow",
        UnknownWhy::Fault => "fault",
        UnknownWhy::Unwarmed => "unwarmed",
        UnknownWhy::Reorg => "reorg",
    }
}

/// Most elements of a list that evidence spells out.
const SHOWN_MAX: usize = 4;

/// A value for people, with its unit; `token` names a token by its contract.
#[must_use]
pub fn show(value: &Known<Value>, token: &dyn Fn(Address) -> Option<String>) -> String {
    match value {
        Err(why) => format!("unknown: {}", why_name(*why)),
        Ok(Value::Bool(b)) => b.to_string(),
        Ok(Value::Qty(q)) => show_qty(q, token),
        Ok(Value::AtLeast(q, why)) => format!("at least {} ({})", show_qty(q, token), why_name(*why)),
        Ok(Value::Address(a)) => a.to_string(),
        Ok(Value::Word(w)) => w.to_string(),
        Ok(Value::Selector(s)) => format!("0x{}", alloy_primitives::hex::encode(s)),
        Ok(Value::Item(items, index)) => format!("{} {index}", items.name()),
        Ok(Value::List(list)) => {
            let mut parts: Vec<String> = list.items.iter().take(SHOWN_MAX).map(|e| show_element(e, token)).collect();
            if list.items.len() > SHOWN_MAX {
                parts.push(format!("… {} values", list.items.len()));
            }
            if let Some(why) = list.tail {
                parts.push(format!("… cut: {}", why_name(why)));
            }
            format!("[{}]", parts.join(", "))
        }
    }
}

/// One element for people: its key, if it has one, and its value.
#[must_use]
pub fn show_element(element: &Element, token: &dyn Fn(Address) -> Option<String>) -> String {
    let value = show(&element.value, token);
    element.key.as_ref().map_or_else(|| value.clone(), |key| format!("{key}: {value}"))
}

fn show_qty(q: &Qty, token: &dyn Fn(Address) -> Option<String>) -> String {
    match q.unit() {
        Unit::Count | Unit::Height => q.to_string(),
        Unit::Amount(address) => format!("{q} {}", token(address).unwrap_or_else(|| address.to_string())),
        Unit::Bps => match q.checked_mul(&Qty::count(10_000)) {
            Ok(scaled) => format!("{scaled} bps"),
            Err(_) => format!("{q} as a fraction"),
        },
        Unit::Usd | Unit::Native | Unit::Ratio | Unit::Secs => format!("{q} {}", q.unit()),
    }
}
