//! Values of signals at one position: views and slots through a cache, lists and flows from facts, and what was read on the way.

use crate::facts;
use crate::window::{Asked, Windows};
use alloy_primitives::{Address, B256, U256};
use ripcord_core::fact::{CallEnd, ReadKey, TxFacts};
use ripcord_core::ports::{Snapshot, ViewCall, ViewError, ViewOutput, Views};
use ripcord_core::qty::{Qty, Unit};
use ripcord_core::signal::UnknownWhy;
use ripcord_policy::Output;
use ripcord_policy::Policy;
use ripcord_policy::eval::Leaves;
use ripcord_policy::ir::{At, ItemField, Leaf, TxField};
use ripcord_policy::policy::{ArgPlace, Event, Source, View};
use ripcord_policy::value::{Element, Items, Known, List, VALUES_MAX, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most view calls of one rule at one position; beyond, `Unknown{budget}`.
const CALLS_MAX: usize = 1_024;
/// Most read keys remembered of one rule; a rule that reads more is always due.
const KEYS_MAX: usize = 4_096;

/// Answers shared by all rules at one position.
#[derive(Debug, Default)]
pub(crate) struct Cache {
    views: BTreeMap<(Snapshot, ViewCall), Result<ViewOutput, ViewError>>,
    slots: BTreeMap<(Snapshot, Address, U256), Result<U256, ViewError>>,
}

/// What an evaluation read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Reads {
    pub(crate) keys: BTreeSet<ReadKey>,
    pub(crate) block_fields: bool,
    /// Something could not be read, so nothing tells when that changes: due every time.
    pub(crate) incomplete: bool,
}

/// Reads for one rule at one position.
pub(crate) struct Reader<'a, V> {
    pub(crate) policy: &'a Policy,
    pub(crate) asked: Asked<'a>,
    pub(crate) windows: &'a Windows,
    pub(crate) cache: &'a mut Cache,
    pub(crate) views: &'a mut V,
    pub(crate) reads: Reads,
    /// Values of leaves, so that one leaf has one value in verdict and evidence.
    pub(crate) memo: BTreeMap<Leaf, Known<Value>>,
    pub(crate) calls: usize,
}

impl<'a, V: Views> Reader<'a, V> {
    fn facts(&self) -> Known<&'a TxFacts> {
        match self.asked {
            Asked::Tx(facts) | Asked::Pending(facts) => Ok(facts),
            Asked::Block(_) => Err(UnknownWhy::Fault),
        }
    }

    const fn snapshot(&self, at: At) -> Snapshot {
        match (at, self.asked) {
            (At::PreTx, _) => Snapshot::PreTx,
            (At::PostTx | At::EachCall, Asked::Tx(_) | Asked::Pending(_)) => Snapshot::PostTx,
            (At::PostTx | At::EachCall, Asked::Block(_)) | (At::Block, _) => Snapshot::Block,
        }
    }

    fn unknown(&mut self, error: &ViewError) -> UnknownWhy {
        self.reads.incomplete = true;
        if matches!(error, ViewError::Reverted { .. }) {
            UnknownWhy::Reverted
        } else if matches!(error, ViewError::Budget { .. }) {
            UnknownWhy::Budget
        } else {
            UnknownWhy::MissingState
        }
    }

    fn remember(&mut self, output: &ViewOutput) {
        self.reads.keys.extend(output.reads.keys.iter().copied());
        self.reads.block_fields |= output.reads.block_fields;
        self.reads.incomplete |= self.reads.keys.len() > KEYS_MAX;
    }

    fn call(&mut self, at: Snapshot, call: ViewCall) -> Known<ViewOutput> {
        self.calls += 1;
        if self.calls > CALLS_MAX {
            self.reads.incomplete = true;
            return Err(UnknownWhy::Budget);
        }
        let key = (at, call);
        let answer = match self.cache.views.get(&key) {
            Some(answer) => answer.clone(),
            None => {
                let answer = self.views.view(at, &key.1);
                self.cache.views.insert(key, answer.clone());
                answer
            }
        };
        match answer {
            Ok(output) => {
                self.remember(&output);
                Ok(output)
            }
            Err(error) => Err(self.unknown(&error)),
        }
    }

    fn view(&mut self, at: Snapshot, view: &View) -> Known<Value> {
        let Some(each) = &view.each else {
            let call = view.call(None).ok_or(UnknownWhy::Fault)?;
            let output = self.call(at, call)?;
            return view.out.decode(&output.output);
        };
        let (keys, cut) = facts::keys(self.facts()?, &each.keys, VALUES_MAX);
        let mut items = Vec::with_capacity(keys.len());
        for key in keys {
            let call = view.call(Some(key));
            let value = match call {
                Some(call) => self.call(at, call).and_then(|output| view.out.decode(&output.output)),
                None => Err(UnknownWhy::Reverted),
            };
            items.push(Element { key: Some(key_name(&each.ty, key)), value });
        }
        Ok(Value::List(Arc::new(List { items, tail: cut.then_some(UnknownWhy::Budget) })))
    }

    fn slot(&mut self, at: Snapshot, account: Address, slot: U256, mask: U256, out: &Output) -> Known<Value> {
        let answer = match self.cache.slots.get(&(at, account, slot)) {
            Some(answer) => answer.clone(),
            None => {
                let answer = self.views.slot(at, account, slot);
                self.cache.slots.insert((at, account, slot), answer.clone());
                answer
            }
        };
        let word = match answer {
            Ok(word) => word,
            Err(error) => return Err(self.unknown(&error)),
        };
        self.reads.keys.insert(ReadKey { account, slot: Some(slot) });
        let mut raw = (word & mask) >> mask.trailing_zeros();
        let bits = mask.bit_len().saturating_sub(mask.trailing_zeros());
        if matches!(out.raw, ripcord_policy::Raw::Int(_)) && bits > 0 && bits < 256 && raw.bit(bits - 1) {
            raw |= U256::MAX << bits;
        }
        out.word(B256::from(raw))
    }

    fn returns(&mut self, target: Address, selector: [u8; 4], args: Option<&[u8]>, out: &Output) -> Known<Value> {
        let calls = facts::calls(self.facts()?, target, selector);
        let mut matching = calls.filter(|c| args.is_none_or(|want| c.input.get(4..) == Some(want)));
        let items: Vec<Element> =
            matching.by_ref().take(VALUES_MAX).map(|c| Element { key: None, value: out.decode(&c.output) }).collect();
        let tail = matching.next().map(|_| UnknownWhy::Budget);
        Ok(Value::List(Arc::new(List { items, tail })))
    }

    fn log(&mut self, event: &Event, arg: Option<&(ArgPlace, Output)>) -> Known<Value> {
        let mut matching = self.facts()?.logs.iter().filter(|l| facts::is_event(l, event));
        let Some((place, out)) = arg else {
            let count = i64::try_from(matching.count()).map_err(|_| UnknownWhy::Overflow)?;
            return Ok(Value::Qty(Qty::count(count)));
        };
        let decode = |log| facts::argument(log, *place).ok_or(UnknownWhy::Reverted).and_then(|word| out.word(word));
        let items = matching.by_ref().take(VALUES_MAX).map(|l| Element { key: None, value: decode(l) }).collect();
        let tail = matching.next().map(|_| UnknownWhy::Budget);
        Ok(Value::List(Arc::new(List { items, tail })))
    }

    fn read(&mut self, leaf: Leaf) -> Known<Value> {
        let policy = self.policy;
        let signal = policy.signals().get(leaf.signal).ok_or(UnknownWhy::Fault)?;
        let at = self.snapshot(leaf.at);
        match &signal.source {
            Source::View(view) => self.view(at, view),
            Source::Slot { account, slot, mask, out } => self.slot(at, *account, *slot, *mask, out),
            Source::Returns { target, selector, args, out } => {
                self.returns(*target, *selector, args.as_ref().map(|a| a.as_ref()), out)
            }
            Source::Log { event, arg } => self.log(event, arg.as_ref()),
            Source::Flow(_) => self.windows.value(leaf.signal, self.asked),
            Source::Calc => Err(UnknownWhy::Fault),
        }
    }
}

fn key_name(ty: &impl std::fmt::Display, key: B256) -> String {
    if ty.to_string() == "address" { Address::from_word(key).to_string() } else { key.to_string() }
}

fn native(value: U256) -> Known<Value> {
    Qty::new(false, value, 18, Unit::Native).map(Value::Qty).map_err(|_| UnknownWhy::Overflow)
}

impl<V: Views> Leaves for Reader<'_, V> {
    fn signal(&mut self, leaf: Leaf) -> Known<Value> {
        if let Some(value) = self.memo.get(&leaf) {
            return value.clone();
        }
        let value = self.read(leaf);
        self.memo.insert(leaf, value.clone());
        value
    }

    fn tx(&mut self, field: TxField) -> Known<Value> {
        let facts = self.facts()?;
        Ok(match field {
            TxField::From => Value::Address(facts.from),
            TxField::To => Value::Address(facts.to.unwrap_or_default()),
            TxField::Value => return native(facts.value),
            TxField::Success => Value::Bool(facts.success),
            TxField::Selector => Value::Selector(facts.calls.first().and_then(|c| c.selector()).unwrap_or_default()),
        })
    }

    fn items(&mut self, items: Items) -> Known<usize> {
        let facts = self.facts()?;
        Ok(match items {
            Items::Calls => facts.calls.len(),
            Items::Logs => facts.logs.len(),
            Items::Moves => facts.moves.len(),
        })
    }

    fn field(&mut self, items: Items, index: usize, field: ItemField) -> Known<Value> {
        let facts = self.facts()?;
        match items {
            Items::Calls => {
                let call = facts.calls.get(index).ok_or(UnknownWhy::Fault)?;
                Ok(match field {
                    ItemField::From => Value::Address(call.caller),
                    ItemField::To => Value::Address(call.target),
                    ItemField::Code => Value::Address(call.code_address),
                    ItemField::Selector => Value::Selector(call.selector().unwrap_or_default()),
                    ItemField::Value => return native(call.value),
                    ItemField::Depth => Value::Qty(Qty::count(i64::from(call.depth))),
                    ItemField::Success => Value::Bool(call.end == CallEnd::Success),
                    ItemField::Emitter | ItemField::Topic0 | ItemField::Token | ItemField::Raw => {
                        return Err(UnknownWhy::Fault);
                    }
                })
            }
            Items::Logs => {
                let log = facts.logs.get(index).ok_or(UnknownWhy::Fault)?;
                if field == ItemField::Emitter {
                    Ok(Value::Address(log.emitter))
                } else if field == ItemField::Topic0 {
                    Ok(Value::Word(facts::topic0(log)))
                } else {
                    Err(UnknownWhy::Fault)
                }
            }
            Items::Moves => {
                let moved = facts.moves.get(index).ok_or(UnknownWhy::Fault)?;
                match field {
                    ItemField::Token => Ok(Value::Address(moved.token.unwrap_or_default())),
                    ItemField::From => Ok(Value::Address(moved.from)),
                    ItemField::To => Ok(Value::Address(moved.to)),
                    ItemField::Raw => {
                        Qty::new(false, moved.amount, 0, Unit::Count).map(Value::Qty).map_err(|_| UnknownWhy::Overflow)
                    }
                    ItemField::Code
                    | ItemField::Selector
                    | ItemField::Value
                    | ItemField::Depth
                    | ItemField::Success
                    | ItemField::Emitter
                    | ItemField::Topic0 => Err(UnknownWhy::Fault),
                }
            }
        }
    }
}
