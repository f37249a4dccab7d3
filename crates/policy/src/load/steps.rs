//! One step of a playbook: its effect, who must agree, and what follows.

use super::fields::{Field, Table};
use super::playbooks::StepText;
use super::{HiddenText, Loader};
use crate::diagnostic::{Code, suggest};
use alloy_dyn_abi::DynSolValue;
use alloy_primitives::{B256, keccak256};
use ripcord_core::chain::ChainId;
use ripcord_core::playbook::{Approve, Effect, OnTimeout, Stage, Step};
use ripcord_core::signal::RuleId;
use ripcord_core::trip::TripMode;
use toml::de::DeValue;

const KINDS: [&str; 5] = ["call", "trip", "propose", "notify", "restore"];
const LATER_KINDS: [&str; 3] = ["presigned", "limit", "open_exit"];
const COMMON: [&str; 16] = [
    "id",
    "args",
    "via",
    "approve",
    "timeout",
    "on_timeout",
    "veto",
    "when",
    "verify",
    "within",
    "retry",
    "expires",
    "else",
    "stages",
    "scope",
    "to",
];
const TRIP_MODES: [(&str, TripMode); 3] =
    [("WATCH", TripMode::Watch), ("RESTRICTED", TripMode::Restricted), ("HALTED", TripMode::Halted)];
const TIMEOUTS: [(&str, OnTimeout); 3] =
    [("next", OnTimeout::Next), ("auto", OnTimeout::Auto), ("abort", OnTimeout::Abort)];
const TIMEOUT_MS: u64 = 600_000;
const WITHIN_BLOCKS: u32 = 2;
const BUMPS: u32 = 3;
const DWELL_MS: u64 = 600_000;
/// Time of steps on chains that no contract of the step names.
const BLOCK_MS: u64 = 12_000;

impl Loader<'_> {
    pub(super) fn step(&mut self, table: &Table<'_>, playbook: &str) -> Option<StepText> {
        let known: Vec<&str> = COMMON.into_iter().chain(KINDS).collect();
        let later: Vec<&str> = LATER_KINDS.into_iter().chain(["reopen", "haircut"]).collect();
        self.keys(table, &known, &later);
        let id = self.need_text(table, "id");
        let effect = self.effect(table);
        let approve = self.approve(table);
        let or_else = self.text(table, "else");
        let on_timeout = self.word(table, "on_timeout", &TIMEOUTS);
        let veto_ms = self.duration(table, "veto").map_or(0, |f| f.value.as_millis(BLOCK_MS));
        let timeout_ms = self.duration(table, "timeout").map_or(TIMEOUT_MS, |f| f.value.as_millis(BLOCK_MS));
        let within_blocks = self.duration(table, "within").map_or(WITHIN_BLOCKS, |f| f.value.as_blocks(BLOCK_MS));
        let expires_ms = self.duration(table, "expires").map(|f| f.value.as_millis(BLOCK_MS));
        let bumps_max = self.retry(table);
        let id = id?.value;
        let when = self.hidden_text(table, "when", playbook, &id);
        let verify = self.hidden_text(table, "verify", playbook, &id);
        let (effect, approve) = (effect?, approve?);
        self.authority_of(table, &effect, &approve, on_timeout.as_ref());
        let default = if or_else.is_some() { OnTimeout::Next } else { OnTimeout::Abort };
        let on_timeout = on_timeout.map_or(default, |f| f.value);
        let step = Step {
            id,
            effect,
            approve,
            timeout_ms,
            on_timeout,
            veto_ms,
            when,
            verify,
            within_blocks,
            bumps_max,
            expires_ms,
            or_else: None,
        };
        Some(StepText { step, or_else })
    }

    /// What may run by itself only tightens.
    fn authority_of(
        &mut self,
        table: &Table<'_>,
        effect: &Effect,
        approve: &Approve,
        on_timeout: Option<&Field<OnTimeout>>,
    ) {
        let by_itself = matches!(approve, Approve::Auto | Approve::Veto { .. });
        if by_itself && matches!(effect, Effect::Restore { .. }) {
            self.report(
                &table.key_place("approve"),
                Code::E07,
                "recovery is never automatic",
                "use approve = \"safe\" or \"2-of:GROUP\"",
            );
        }
        if let Some(field) = on_timeout.filter(|f| f.value == OnTimeout::Auto && !effect.tightens()) {
            self.report(
                &field.place,
                Code::E07,
                "only a step that tightens may run when nobody answers",
                "use on_timeout = \"next\" or \"abort\"",
            );
        }
    }

    fn hidden_text(&mut self, table: &Table<'_>, key: &str, playbook: &str, step: &str) -> Option<RuleId> {
        let text = self.cel(table, key)?;
        let id = format!("{playbook}.{step}.{key}");
        self.hidden.push(HiddenText { id: id.clone(), text });
        Some(RuleId(id))
    }

    fn effect(&mut self, table: &Table<'_>) -> Option<Effect> {
        let kinds: Vec<&str> = KINDS.into_iter().filter(|k| table.get(k).is_some()).collect();
        let [kind] = kinds.as_slice() else {
            if !(kinds.is_empty() && LATER_KINDS.iter().any(|k| table.get(k).is_some())) {
                self.report(
                    &table.place(),
                    Code::E08,
                    format!("{} has {} kinds", table.what, kinds.len()),
                    format!("give it exactly one of {}", KINDS.join(", ")),
                );
            }
            return None;
        };
        let calls = matches!(*kind, "call" | "propose");
        let trips = *kind == "trip";
        let belonging = [
            ("args", calls),
            ("via", *kind != "notify"),
            ("stages", *kind == "restore"),
            ("scope", trips),
            ("to", trips),
        ];
        for (field, belongs) in belonging {
            if table.get(field).is_some() && !belongs {
                self.report(
                    &table.key_place(field),
                    Code::E08,
                    format!("`{field}` does not go with `{kind}`"),
                    "remove it",
                );
            }
        }
        match *kind {
            "notify" => self.text(table, "notify").map(|f| Effect::Notify { text: f.value }),
            "restore" => self.restore(table),
            "trip" => self.trip(table),
            call => self.call_effect(table, call),
        }
    }

    fn call_effect(&mut self, table: &Table<'_>, kind: &str) -> Option<Effect> {
        let field = self.text(table, kind)?;
        let via = self.need_text(table, "via");
        let call = self.function(table.file, &field)?;
        let args = self.arguments(table, &call.function, &field.place)?;
        if let Some((_, name)) = args.variable {
            self.report(&name.place, Code::E02, "a step has no variables", "write the value");
            return None;
        }
        let chain = call.contract.chain;
        let via = self.signer_on(chain, via?)?;
        let mut calldata = call.function.selector().to_vec();
        calldata.extend(DynSolValue::Tuple(args.values).abi_encode_params());
        let (target, calldata) = (call.contract.address, calldata.into());
        Some(if kind == "call" {
            Effect::Call { chain, target, calldata, via }
        } else {
            Effect::Propose { chain, target, calldata, via }
        })
    }

    /// The name of a signer that can act on a chain.
    fn signer_on(&mut self, chain: ChainId, via: Field<String>) -> Option<String> {
        let Some(signer) = self.signers.get(&via.value) else {
            let names: Vec<String> = self.signers.keys().cloned().collect();
            self.report(
                &via.place,
                Code::E04,
                format!("there is no signer `{}`", via.value),
                suggest(&via.value, names.iter().map(String::as_str)),
            );
            return None;
        };
        if signer.chain != chain {
            self.report(
                &via.place,
                Code::E08,
                format!("signer `{}` is not on the contract's chain", via.value),
                "use a signer of that chain",
            );
        }
        Some(via.value)
    }

    /// `trip = "@controller", scope = "market", to = "RESTRICTED", expires = "24h"`: closes all that the mode may close.
    fn trip(&mut self, table: &Table<'_>) -> Option<Effect> {
        let controller = self.text(table, "trip").and_then(|field| self.contract_ref(table.file, &field));
        let scope = self.need_text(table, "scope").and_then(|field| self.scope(&field));
        if table.get("to").is_none() {
            self.missing(table, "to");
        }
        let to = self.word(table, "to", &TRIP_MODES);
        if table.get("expires").is_none() {
            self.missing(table, "expires");
        }
        let via = self.need_text(table, "via");
        let (controller, scope, to, via) = (controller?, scope?, to?.value, via?);
        let via = self.signer_on(controller.chain, via)?;
        Some(Effect::Trip {
            chain: controller.chain,
            controller: controller.address,
            scope,
            to,
            mask: to.closes(),
            via,
        })
    }

    /// A scope's 32 bytes, or its name, of which they are the hash.
    fn scope(&mut self, field: &Field<String>) -> Option<B256> {
        let scope = match field.value.strip_prefix("0x") {
            None if field.value.is_empty() => None,
            None => Some(keccak256(&field.value)),
            Some(_) => field.value.parse().ok(),
        };
        if scope.is_none_or(|s: B256| s.is_zero()) {
            let text = format!("`{}` is not a scope", field.value);
            self.report(
                &field.place,
                Code::E02,
                text,
                "write its name, or 0x and 64 hexadecimal digits that are not all zero",
            );
            return None;
        }
        scope
    }

    fn restore(&mut self, table: &Table<'_>) -> Option<Effect> {
        if let Some(field) = self.text(table, "restore").filter(|f| f.value != "staged") {
            self.report(
                &field.place,
                Code::E02,
                format!("`{}` is not a way to restore", field.value),
                "write restore = \"staged\"",
            );
        }
        if let Some(via) = self.text(table, "via").filter(|v| !self.signers.contains_key(&v.value)) {
            let names: Vec<String> = self.signers.keys().cloned().collect();
            self.report(
                &via.place,
                Code::E04,
                format!("there is no signer `{}`", via.value),
                suggest(&via.value, names.iter().map(String::as_str)),
            );
        }
        if table.get("stages").is_none() {
            self.missing(table, "stages");
        }
        let entries = self.list(table, "stages");
        let mut stages = Vec::new();
        for entry in entries {
            if let DeValue::Table(_) = entry.get_ref() {
                let stage = self.as_table(table.file, entry, "a stage".to_owned())?;
                self.keys(&stage, &["name", "dwell", "gates"], &[]);
                let name = self.need_text(&stage, "name")?.value;
                let dwell_ms = self.duration(&stage, "dwell").map_or(DWELL_MS, |f| f.value.as_millis(BLOCK_MS));
                let gates = self.texts(&stage, "gates");
                self.gate_refs.extend(gates.iter().map(|g| (g.value.clone(), g.place.clone())));
                stages.push(Stage { name, dwell_ms, gates: gates.into_iter().map(|g| RuleId(g.value)).collect() });
            } else {
                let name = self.entry_text(table, "stages", entry)?.value;
                stages.push(Stage { name, dwell_ms: DWELL_MS, gates: Vec::new() });
            }
        }
        Some(Effect::Restore { stages })
    }

    /// `auto`, `veto(10m)`, `2-of:risk` or `safe`.
    fn approve(&mut self, table: &Table<'_>) -> Option<Approve> {
        let Some(field) = self.text(table, "approve") else {
            return table.get("approve").is_none().then_some(Approve::Safe);
        };
        let veto = field.value.strip_prefix("veto(").and_then(|v| v.strip_suffix(')')).and_then(crate::duration::parse);
        let group = field.value.split_once("-of:").and_then(|(n, group)| n.parse::<u32>().ok().map(|n| (n, group)));
        match (field.value.as_str(), veto, group) {
            ("auto", _, _) => Some(Approve::Auto),
            ("safe", _, _) => Some(Approve::Safe),
            (_, Some(window), _) => Some(Approve::Veto { window_ms: window.as_millis(BLOCK_MS) }),
            (_, _, Some((need, group))) => {
                let Some(people) = self.people.get(group).cloned() else {
                    let names: Vec<String> = self.people.keys().cloned().collect();
                    self.report(
                        &field.place,
                        Code::E04,
                        format!("there is no group `{group}` of people"),
                        suggest(group, names.iter().map(String::as_str)),
                    );
                    return None;
                };
                if need == 0 || need as usize > people.len() {
                    self.report(
                        &field.place,
                        Code::E07,
                        format!("{need} out of {} people", people.len()),
                        "ask for at least one and at most all of the group",
                    );
                }
                Some(Approve::People { need, people })
            }
            (other, None, None) => {
                self.report(
                    &field.place,
                    Code::E02,
                    format!("`{other}` is not a way to approve"),
                    "write \"auto\", \"veto(10m)\", \"1-of:GROUP\" or \"safe\"",
                );
                None
            }
        }
    }

    fn retry(&mut self, table: &Table<'_>) -> u32 {
        let Some(field) = self.text(table, "retry") else { return BUMPS };
        let bumps = field.value.strip_prefix("bump-fee x").and_then(|n| n.parse().ok()).filter(|n| *n <= 16);
        if bumps.is_none() {
            self.report(
                &field.place,
                Code::E02,
                format!("`{}` is not a way to retry", field.value),
                "write for example retry = \"bump-fee x3\", at most x16",
            );
        }
        bumps.unwrap_or(BUMPS)
    }
}
