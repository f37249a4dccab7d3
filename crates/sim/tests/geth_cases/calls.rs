//! The nested call tree: `callTracer` with and without logs, its older form, and the call tree of `erc7562Tracer`.

use super::Comparison;
use super::case::{Case, address, bytes, count, hash, number, word};
use alloy_primitives::{Address, B256, Bytes, U256};
use ripcord_core::fact::{CallEnd, CallFact, CallKind, StateKey};
use ripcord_core::ports::StateSource;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Fields of a frame that are compared.
const COMPARED: [&str; 15] = [
    "type",
    "from",
    "to",
    "value",
    "gas",
    "gasUsed",
    "input",
    "output",
    "error",
    "revertReason",
    "calls",
    "logs",
    "outOfGas",
    "accessedSlots",
    "time",
];
/// Fields that facts do not carry: they come from hooks on single opcodes.
const NOT_CARRIED: [&str; 4] = ["usedOpcodes", "contractSize", "extCodeAccessInfo", "keccak"];

/// Compares the call tree, the logs and the accessed slots.
pub(crate) fn compare(case: &Case, comparison: &mut Comparison) {
    frame(case, 0, &case.expected, "root", comparison);
    if case.option("withLog") {
        logs(case, comparison);
    }
    if case.expected.get("accessedSlots").is_some() {
        accessed_slots(case, comparison);
    }
}

fn frame(case: &Case, index: u32, expected: &Value, path: &str, comparison: &mut Comparison) {
    let fact = &case.facts.calls[index as usize];
    let fields = expected.as_object().unwrap();
    for unknown in fields.keys().filter(|key| !COMPARED.contains(&key.as_str()) && !NOT_CARRIED.contains(&key.as_str()))
    {
        comparison.differs(format!("{path}.{unknown}"), "a field that this test does not know");
    }
    comparison.same(format!("{path}.type"), expected["type"].as_str().unwrap(), kind_name(fact.kind));
    comparison.same(format!("{path}.from"), address(&expected["from"]), fact.caller);
    let created = matches!(fact.kind, CallKind::Create | CallKind::Create2);
    match fields.get("to") {
        Some(to) => comparison.same(format!("{path}.to"), address(to), callee(fact)),
        // geth shows no address for a creation that failed.
        None => comparison.same(format!("{path}.to"), (true, true), (created, fact.end != CallEnd::Success)),
    }
    match fields.get("value") {
        Some(value) => comparison.same(format!("{path}.value"), number(value), fact.value),
        None => comparison.same(format!("{path}.value"), (CallKind::StaticCall, U256::ZERO), (fact.kind, fact.value)),
    }
    // geth shows the transaction's own frame with the transaction's limit and the receipt's gas.
    let root = index == 0;
    let gas = if root { case.tx.gas_limit } else { fact.gas_limit };
    let gas_used = if root { case.facts.gas_used } else { fact.gas_used };
    for (key, got) in [("gas", gas), ("gasUsed", gas_used)] {
        match fields.get(key) {
            Some(value) => comparison.same(format!("{path}.{key}"), count(value), got),
            None => comparison.differs(format!("{path}.{key}"), format!("not given by geth, ours is {got}")),
        }
    }
    comparison.same(format!("{path}.input"), bytes(&expected["input"]), fact.input.clone());
    comparison.same(format!("{path}.output"), fields.get("output").map(bytes).unwrap_or_default(), fact.output.clone());
    ending(fact, fields, path, comparison);
    if !case.option("onlyTopCall") {
        children(case, index, fields, path, comparison);
    }
}

fn children(case: &Case, index: u32, fields: &Map<String, Value>, path: &str, comparison: &mut Comparison) {
    let inner: Vec<u32> =
        (0_u32..).zip(&case.facts.calls).filter(|(_, call)| call.parent == Some(index)).map(|(i, _)| i).collect();
    let expected = fields.get("calls").and_then(Value::as_array).cloned().unwrap_or_default();
    comparison.same(format!("{path}.calls"), expected.len(), inner.len());
    let depth = case.facts.calls[index as usize].depth + 1;
    for (position, (expected, inner)) in expected.iter().zip(inner).enumerate() {
        let path = format!("{path}.calls[{position}]");
        comparison.same(format!("{path}.depth"), depth, case.facts.calls[inner as usize].depth);
        frame(case, inner, expected, &path, comparison);
    }
}

fn ending(fact: &CallFact, fields: &Map<String, Value>, path: &str, comparison: &mut Comparison) {
    let error = fields.get("error").map(|error| error.as_str().unwrap());
    if !ends_as(error, &fact.end) {
        comparison.differs(format!("{path}.error"), format!("expected {error:?}, got {:?}", fact.end));
    }
    if let Some(reason) = fields.get("revertReason") {
        let reason = reason.as_str().unwrap().as_bytes();
        let told = fact.output.windows(reason.len()).any(|window| window == reason);
        comparison.same(format!("{path}.revertReason"), true, told);
    }
    if let Some(out_of_gas) = fields.get("outOfGas") {
        comparison.same(
            format!("{path}.outOfGas"),
            out_of_gas.as_bool().unwrap(),
            ends_as(Some("out of gas"), &fact.end),
        );
    }
}

/// Whether geth's word for an error describes an end.
pub(crate) fn ends_as(error: Option<&str>, end: &CallEnd) -> bool {
    let halt = match end {
        CallEnd::Success => return error.is_none(),
        CallEnd::Revert => return matches!(error, Some("execution reverted" | "Reverted")),
        CallEnd::Halt(halt) => halt.as_str(),
    };
    match error {
        Some("out of gas" | "Out of gas") => {
            matches!(halt, "OutOfGas" | "MemoryOOG" | "PrecompileOOG" | "InvalidOperandOOG" | "ReentrancySentryOOG")
        }
        Some("out of gas: not enough gas for reentrancy sentry") => halt == "ReentrancySentryOOG",
        Some("contract creation code storage out of gas") => halt == "OutOfGas",
        Some("invalid jump destination" | "Bad jump destination") => halt == "InvalidJump",
        Some("invalid opcode: INVALID") => halt == "InvalidFEOpcode",
        Some("insufficient balance for transfer") => halt == "OutOfFunds",
        Some("invalid input length") => halt == "PrecompileError",
        // The older tracer's word for what failed without a word of its own.
        Some("internal failure") => true,
        Some(_) | None => false,
    }
}

/// The account that geth calls `to`: whose code runs in a delegate call, else the account called.
pub(crate) fn callee(fact: &CallFact) -> Address {
    match fact.kind {
        CallKind::DelegateCall | CallKind::CallCode => fact.code_address,
        CallKind::Call | CallKind::StaticCall | CallKind::Create | CallKind::Create2 | CallKind::SelfDestruct => {
            fact.target
        }
    }
}

pub(crate) fn kind_name(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Call => "CALL",
        CallKind::CallCode => "CALLCODE",
        CallKind::DelegateCall => "DELEGATECALL",
        CallKind::StaticCall => "STATICCALL",
        CallKind::Create => "CREATE",
        CallKind::Create2 => "CREATE2",
        CallKind::SelfDestruct => "SELFDESTRUCT",
    }
}

type Log = (Address, Vec<B256>, Bytes);

/// Logs in order of emission. With `onlyTopCall` geth keeps the logs of the transaction's own frame only.
fn logs(case: &Case, comparison: &mut Comparison) {
    let mut expected = Vec::new();
    collect(&case.expected, &mut expected);
    let root = callee(&case.facts.calls[0]);
    let all = case.facts.logs.iter().map(|log| (log.emitter, log.topics.clone(), log.data.clone()));
    let got: Vec<Log> = all.filter(|log| !case.option("onlyTopCall") || log.0 == root).collect();
    comparison.same("logs", expected, got);
}

/// A frame's logs stand between its calls: `position` is the number of calls before the log.
fn collect(frame: &Value, into: &mut Vec<Log>) {
    let list = |key: &str| frame.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let (calls, logs) = (list("calls"), list("logs"));
    for position in 0..=calls.len() {
        for log in logs.iter().filter(|log| log.get("position").map_or(0, count) == position as u64) {
            let topics = log["topics"].as_array().unwrap().iter().map(hash).collect();
            into.push((address(&log["address"]), topics, bytes(&log["data"])));
        }
        if let Some(call) = calls.get(position) {
            collect(call, into);
        }
    }
}

/// What the frames of a case did to one slot: the values read, and whether it was written.
type Touched = BTreeMap<(Address, U256), (Vec<U256>, bool)>;

/// Slots read and written, by the account whose storage they are.
fn accessed_slots(case: &Case, comparison: &mut Comparison) {
    let mut touched = Touched::new();
    let mut frames = vec![(0_u32, &case.expected)];
    while let Some((index, expected)) = frames.pop() {
        touch(&case.facts.calls[index as usize], expected, &mut touched);
        let inner = (0_u32..).zip(&case.facts.calls).filter(|(_, call)| call.parent == Some(index)).map(|(i, _)| i);
        frames.extend(inner.zip(expected.get("calls").and_then(Value::as_array).into_iter().flatten()));
    }
    let expected: Vec<(Address, U256)> = touched.keys().copied().collect();
    let slots = case.facts.reads.iter().filter_map(|read| read.slot.map(|slot| (read.account, slot)));
    comparison.same("accessedSlots", expected, slots.collect());
    let changed: BTreeMap<(Address, U256), U256> = case
        .facts
        .writes
        .iter()
        .filter_map(|write| match write.key {
            StateKey::Slot(slot) => Some(((write.account, slot), write.before)),
            StateKey::Balance | StateKey::Nonce | StateKey::CodeHash => None,
        })
        .collect();
    for (key, (read, written)) in touched {
        let before = case.state.storage(key.0, key.1).unwrap();
        if !read.is_empty() {
            comparison.same(format!("accessedSlots.reads.{key:?}"), true, read.contains(&before));
        }
        match changed.get(&key) {
            Some(told) => comparison.same(format!("accessedSlots.writes.{key:?}"), (true, before), (written, *told)),
            None if !written => comparison.same(format!("accessedSlots.reads.{key:?}"), vec![before; read.len()], read),
            // Written, and the same as before in the end.
            None => {}
        }
    }
}

fn touch(fact: &CallFact, expected: &Value, touched: &mut Touched) {
    let slots = &expected["accessedSlots"];
    for (slot, values) in slots["reads"].as_object().unwrap() {
        let entry = touched.entry((fact.target, word(slot))).or_default();
        entry.0.extend(values.as_array().unwrap().iter().map(number));
    }
    for slot in slots["writes"].as_object().unwrap().keys() {
        touched.entry((fact.target, word(slot))).or_default().1 = true;
    }
}
