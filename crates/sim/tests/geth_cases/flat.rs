//! The flat call list in Parity's form: `flatCallTracer`.

use super::Comparison;
use super::calls::{callee, ends_as};
use super::case::{Case, address, bytes, count, hash, number};
use alloy_primitives::{Address, U256};
use revm::primitives::hardfork::SpecId;
use ripcord_core::fact::{CallEnd, CallFact, CallKind};
use serde_json::Value;

/// Facts of the block that surrounded the transaction when the case was recorded; the case does not give them to the executor.
const NOT_GIVEN: [&str; 2] = ["blockHash", "transactionPosition"];

/// Compares the list, in order.
pub(crate) fn compare(case: &Case, comparison: &mut Comparison) {
    let expected = case.expected.as_array().unwrap();
    let shown = shown(case);
    comparison.same("length", expected.len(), shown.len());
    for (position, (expected, (index, address, inner))) in expected.iter().zip(shown).enumerate() {
        let path = format!("[{position}]");
        let told: Vec<u64> = expected["traceAddress"].as_array().unwrap().iter().map(count).collect();
        comparison.same(format!("{path}.traceAddress"), told, address);
        comparison.same(format!("{path}.subtraces"), count(&expected["subtraces"]), inner);
        entry(case, index, expected, &path, comparison);
    }
}

/// Frames that the list shows: index, trace address, shown inner frames. Calls to precompiles are left out unless asked for; the option
/// `onlyTopCall` is not one of this tracer's.
fn shown(case: &Case) -> Vec<(usize, Vec<u64>, u64)> {
    let mut shown: Vec<(usize, Vec<u64>, u64)> = Vec::new();
    for (index, call) in case.facts.calls.iter().enumerate() {
        if call.depth > 0 && hidden(case, call) {
            continue;
        }
        let parent = call.parent.and_then(|parent| shown.iter_mut().find(|(i, _, _)| *i == parent as usize));
        let address = parent.map_or_else(Vec::new, |(_, address, inner)| {
            *inner += 1;
            [address.as_slice(), &[*inner - 1]].concat()
        });
        shown.push((index, address, 0));
    }
    shown
}

fn hidden(case: &Case, call: &CallFact) -> bool {
    let last = match case.spec {
        spec if spec < SpecId::BYZANTIUM => 4_u64,
        spec if spec < SpecId::ISTANBUL => 8,
        _ => 9,
    };
    let precompile = (1..=last).any(|number| call.target == Address::from_word(U256::from(number).into()));
    precompile && matches!(call.kind, CallKind::Call | CallKind::StaticCall) && !case.option("includePrecompiles")
}

fn entry(case: &Case, index: usize, expected: &Value, path: &str, comparison: &mut Comparison) {
    let fact = &case.facts.calls[index];
    for (key, value) in expected.as_object().unwrap() {
        let field = format!("{path}.{key}");
        match key.as_str() {
            "type" => comparison.same(field, value.as_str().unwrap(), type_name(fact.kind)),
            // Zero where the case was recorded without its block.
            "blockNumber" if count(value) == 0 => {}
            "blockNumber" => comparison.same(field, count(value), case.facts.at.block_number),
            "transactionHash" => comparison.same(field, Some(hash(value)), case.facts.at.tx),
            "action" => action(case, index, value, &field, comparison),
            "result" if !value.is_null() => result(case, index, value, &field, comparison),
            "error" if !ends_as(value.as_str(), &fact.end) => {
                comparison.differs(field, format!("expected {value}, got {:?}", fact.end));
            }
            "result" | "error" | "traceAddress" | "subtraces" => {}
            other if NOT_GIVEN.contains(&other) => {}
            _ => comparison.differs(field, "a field that this test does not know"),
        }
    }
    if expected.get("error").is_none() && fact.end != CallEnd::Success {
        comparison.differs(format!("{path}.error"), format!("expected none, got {:?}", fact.end));
    }
}

fn action(case: &Case, index: usize, expected: &Value, path: &str, comparison: &mut Comparison) {
    let fact = &case.facts.calls[index];
    let gas = if index == 0 { case.tx.gas_limit } else { fact.gas_limit };
    let destroyed = fact.kind == CallKind::SelfDestruct;
    let created = matches!(fact.kind, CallKind::Create | CallKind::Create2);
    for (key, value) in expected.as_object().unwrap() {
        let field = format!("{path}.{key}");
        match key.as_str() {
            "callType" => comparison.same(field, value.as_str().unwrap(), call_type(fact.kind)),
            "creationMethod" => comparison.same(field, value.as_str().unwrap(), call_type(fact.kind)),
            "from" => comparison.same(field, address(value), fact.caller),
            "to" => comparison.same(field, address(value), callee(fact)),
            "gas" => comparison.same(field, count(value), gas),
            "value" => comparison.same(field, number(value), fact.value),
            "input" if !created => comparison.same(field, bytes(value), fact.input.clone()),
            "init" if created => comparison.same(field, bytes(value), fact.input.clone()),
            "address" if destroyed => comparison.same(field, address(value), fact.caller),
            "refundAddress" if destroyed => comparison.same(field, address(value), fact.target),
            "balance" if destroyed => comparison.same(field, number(value), fact.value),
            // Parity's form has one structure for all kinds; these belong to other kinds and are zero here.
            "address" | "refundAddress" | "balance" | "author" => comparison.same(field, U256::ZERO, number(value)),
            _ => comparison.differs(field, "a field that this test does not know"),
        }
    }
}

fn result(case: &Case, index: usize, expected: &Value, path: &str, comparison: &mut Comparison) {
    let fact = &case.facts.calls[index];
    let gas_used = if index == 0 { case.facts.gas_used } else { fact.gas_used };
    let created = matches!(fact.kind, CallKind::Create | CallKind::Create2);
    for (key, value) in expected.as_object().unwrap() {
        let field = format!("{path}.{key}");
        match key.as_str() {
            "gasUsed" => comparison.same(field, count(value), gas_used),
            "output" if !created => comparison.same(field, bytes(value), fact.output.clone()),
            "code" if created => comparison.same(field, bytes(value), fact.output.clone()),
            "address" if created => comparison.same(field, address(value), fact.target),
            "address" => comparison.same(field, U256::ZERO, number(value)),
            _ => comparison.differs(field, "a field that this test does not know"),
        }
    }
}

fn type_name(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Call | CallKind::CallCode | CallKind::DelegateCall | CallKind::StaticCall => "call",
        CallKind::Create | CallKind::Create2 => "create",
        CallKind::SelfDestruct => "suicide",
    }
}

fn call_type(kind: CallKind) -> &'static str {
    match kind {
        CallKind::Call => "call",
        CallKind::CallCode => "callcode",
        CallKind::DelegateCall => "delegatecall",
        CallKind::StaticCall => "staticcall",
        CallKind::Create => "create",
        CallKind::Create2 => "create2",
        CallKind::SelfDestruct => "suicide",
    }
}
