//! Hashes over RFC 8785 JSON: what a rule computes, and what a policy may do. Modes and notification texts are not part of them.

use crate::ir::{At, Node, Ty};
use crate::policy::{Rule, Source};
use alloy_dyn_abi::DynSolValue;
use alloy_primitives::{B256, hex, keccak256};
use ripcord_core::playbook::Program;
use serde_json::{Value, json};

/// Canonical form of a signal: ABI fragments and units are in its calldata, outputs and types; probes with their runtime code.
pub(super) fn signal(source: &Source, ty: &Ty, at: At, calc: Option<&str>) -> Value {
    let source = match source {
        Source::View(view) => json!({
            "view": view.target,
            "code": view.code.as_ref().map(keccak256),
            "selector": hex::encode(view.selector),
            "args": hex::encode(DynSolValue::Tuple(view.args.clone()).abi_encode_params()),
            "each": view.each.as_ref().map(|e| json!({ "position": e.position, "type": e.ty.to_string(), "keys": e.keys })),
            "out": view.out,
        }),
        Source::Slot { account, slot, mask, out } => {
            json!({ "slot": slot, "account": account, "mask": mask, "out": out })
        }
        Source::Returns { target, selector, args, out } => {
            json!({ "returns": target, "selector": hex::encode(selector), "args": args, "out": out })
        }
        Source::Log { event, arg } => json!({ "log": event, "arg": arg }),
        Source::Flow(flow) => json!({ "flow": flow }),
        Source::Calc => json!({ "calc": calc }),
    };
    json!({ "source": source, "type": ty, "at": at })
}

/// Canonical form of an expression: signals by name, all else by value.
fn expression(node: &Node, names: &dyn Fn(usize) -> String) -> Value {
    let children: Vec<Value> = node.children().into_iter().map(|c| expression(c, names)).collect();
    let (kind, detail) = match node {
        Node::Bool(b) => ("bool", json!(b)),
        Node::Qty(q) => ("qty", json!(q)),
        Node::Address(a) => ("address", json!(a)),
        Node::Word(w) => ("word", json!(w)),
        Node::Selector(s) => ("selector", json!(hex::encode(s))),
        Node::Signal(leaf) => ("signal", json!([names(leaf.signal), leaf.at])),
        Node::Named(leaf, _) => ("calc", json!(names(leaf.signal))),
        Node::Tx(field) => ("tx", json!(field)),
        Node::Items(items) => ("items", json!(items)),
        Node::Field(_, field) => ("field", json!(field)),
        Node::Var(index) => ("var", json!(index)),
        Node::List(_) => ("list", Value::Null),
        Node::Not(_) => ("not", Value::Null),
        Node::And(_) => ("and", Value::Null),
        Node::Or(_) => ("or", Value::Null),
        Node::Compare(cmp, ..) => ("compare", json!(cmp)),
        Node::Equal(..) => ("equal", Value::Null),
        Node::In(..) => ("in", Value::Null),
        Node::Add(..) => ("add", Value::Null),
        Node::Sub(..) => ("sub", Value::Null),
        Node::Mul(..) => ("mul", Value::Null),
        Node::Neg(_) => ("neg", Value::Null),
        Node::Div(_, _, rounding) => ("div", json!(rounding)),
        Node::Within(..) => ("within", Value::Null),
        Node::Size(_) => ("size", Value::Null),
        Node::All(..) => ("all", Value::Null),
        Node::Exists(..) => ("exists", Value::Null),
    };
    json!([kind, detail, children])
}

/// The rule hash.
pub(super) fn rule(rule: &Rule, signals: &[Option<crate::policy::Signal>]) -> B256 {
    let name = |index: usize| signals.get(index).and_then(Option::as_ref).map_or_else(String::new, |s| s.name.clone());
    let used: serde_json::Map<String, Value> = rule
        .leaves
        .iter()
        .filter_map(|leaf| signals.get(leaf.signal)?.as_ref())
        .map(|s| (s.name.clone(), s.canonical.clone()))
        .collect();
    canonical(&json!({
        "rule": rule.spec.id,
        "chain": rule.spec.chain,
        "target": rule.spec.target,
        "text": rule.text,
        "expr": expression(&rule.expr, &name),
        "on": rule.on,
        "triggers": rule.triggers,
        "for_blocks": rule.spec.for_blocks,
        "signals": used,
    }))
}

/// The policy hash: every rule hash, hidden ones included, playbooks, chains and signers.
pub(super) fn policy(program: &Program, rules: &[Rule]) -> B256 {
    let hashes: Vec<(&str, B256)> = rules.iter().map(|r| (r.spec.id.0.as_str(), r.spec.hash)).collect();
    canonical(&json!({
        "project": program.project,
        "rules": hashes,
        "playbooks": program.playbooks,
        "chains": program.chains,
        "signers": program.signers,
        "oncall": program.oncall,
    }))
}

/// keccak-256 of RFC 8785 JSON. Large integers are text in all our types, so canonicalisation cannot fail; were it to, the
/// hash of plain JSON keeps the result a function of the content.
fn canonical(value: &Value) -> B256 {
    let bytes = serde_json_canonicalizer::to_vec(value).unwrap_or_else(|_| value.to_string().into_bytes());
    keccak256(bytes)
}
