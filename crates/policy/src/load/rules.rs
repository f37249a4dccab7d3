//! `[[rules]]` and the hidden rules of playbook steps.

use super::fields::{Field, Table};
use super::{Loader, hash, triggers};
use crate::diagnostic::{Code, suggest};
use crate::ir::{At, Leaf, Ty};
use crate::lexicon::{Place, Text};
use crate::policy::{Flow, On, Rule, Source, Trigger, Window};
use alloy_primitives::{Address, B256};
use ripcord_core::chain::ChainId;
use ripcord_core::playbook::{Budget, Effect, OnExhausted, RuleMode, RuleSpec, Severity};
use ripcord_core::signal::RuleId;
use std::collections::BTreeSet;

const KNOWN: [&str; 19] = [
    "id",
    "title",
    "expr",
    "on",
    "severity",
    "status",
    "mode",
    "trigger",
    "for",
    "keep_firing_for",
    "playbook",
    "budget",
    "summary",
    "runbook",
    "tags",
    "enabled",
    "template",
    "target",
    "on_unknown",
];
const SEVERITIES: [(&str, Severity); 5] =
    [("P1", Severity::P1), ("P2", Severity::P2), ("P3", Severity::P3), ("P4", Severity::P4), ("P5", Severity::P5)];
const STATUSES: [(&str, ()); 4] = [("experimental", ()), ("test", ()), ("stable", ()), ("deprecated", ())];
const EXHAUSTED: [(&str, OnExhausted); 3] =
    [("demote", OnExhausted::Demote), ("propose", OnExhausted::Propose), ("page", OnExhausted::Page)];
/// Templates whose violation means insolvency or an unauthorised change by definition (grade H).
const HARD: [u64; 25] =
    [11, 27, 29, 30, 32, 33, 34, 36, 37, 38, 40, 42, 43, 44, 48, 49, 50, 51, 52, 53, 54, 56, 57, 58, 59];
const DAY_MS: u64 = 86_400_000;

/// The checked condition of a rule.
struct Condition {
    expr: crate::ir::Node,
    leaves: Vec<Leaf>,
    triggers: Vec<Trigger>,
    chain: ChainId,
    target: Option<Address>,
}

impl Loader<'_> {
    pub(super) fn rules(&mut self, files: &[Table<'_>]) -> Vec<Rule> {
        let mut rules: Vec<Rule> = Vec::new();
        let mut ids = BTreeSet::new();
        for file in files {
            let mut wanted = self.names.scopes.get(file.file).and_then(|s| s.only.clone());
            for entry in self.list(file, "rules") {
                let Some(mut table) = self.as_table(file.file, entry, "a rule".to_owned()) else { continue };
                let Some(id) = self.need_text(&table, "id") else { continue };
                if wanted.as_mut().is_some_and(|w| !w.remove(&id.value)) {
                    continue;
                }
                table.what = format!("rule {}", id.value);
                let Some(full) = self.rule_id(file.file, &id) else { continue };
                if !ids.insert(full.clone()) {
                    self.report(
                        &id.place,
                        Code::E05,
                        format!("rule {full} is defined twice"),
                        "give each rule its own id",
                    );
                }
                rules.extend(self.rule(&table, full));
            }
            for id in wanted.into_iter().flatten() {
                let place = Place { file: 0, span: 0..0 };
                let name = self.sources.get(file.file).map(|(n, _)| n.clone()).unwrap_or_default();
                self.report(
                    &place,
                    Code::E04,
                    format!("{name} has no rule `{id}`"),
                    "correct `rules` where the file is included",
                );
            }
        }
        self.hidden_rules(&mut rules);
        self.gates(&rules);
        rules
    }

    /// The id under which the rule is known: included files may put their own letters before the number.
    fn rule_id(&mut self, file: usize, id: &Field<String>) -> Option<String> {
        let split = id.value.split_once('-').filter(|(letters, digits)| {
            let all = |s: &str, f: fn(&u8) -> bool| !s.is_empty() && s.as_bytes().iter().all(f);
            all(letters, u8::is_ascii_uppercase) && all(digits, u8::is_ascii_digit)
        });
        let Some((letters, digits)) = split else {
            self.report(
                &id.place,
                Code::E02,
                format!("`{}` is not a rule id", id.value),
                "write capital letters, a hyphen and digits: LEND-001",
            );
            return None;
        };
        let prefix = self.names.scopes.get(file).and_then(|s| s.prefix.as_deref());
        Some(format!("{}-{digits}", prefix.unwrap_or(letters)))
    }

    fn rule(&mut self, table: &Table<'_>, id: String) -> Option<Rule> {
        self.keys(table, &KNOWN, &["except"]);
        let title = self.need_text(table, "title");
        if let Some(title) = title.as_ref().filter(|t| t.value.chars().count() > 90) {
            self.report(&title.place, Code::E07, "the title is longer than 90 characters", "say it shorter");
        }
        if table.get("severity").is_none() {
            self.missing(table, "severity");
        }
        let severity = self.word(table, "severity", &SEVERITIES).map(|f| f.value);
        let _described =
            (self.word(table, "status", &STATUSES), self.text(table, "runbook"), self.texts(table, "tags"));
        let on = self.on(table);
        let written = self.triggers(table);
        let target = self.text(table, "target").map(|f| self.contract_ref(table.file, &f));
        let text = self.cel(table, "expr");
        if table.get("expr").is_none() {
            self.missing(table, "expr");
        }
        let condition = match (&text, on) {
            (Some(text), Some(on)) => self.condition(text, on, written),
            _missing => None,
        };
        let (mode, playbook, budget) = self.authority(table);
        let hard = self.integer(table, "template", 1..=66).is_some_and(|t| HARD.contains(&t.value));
        let lasting = self.duration(table, "for").map_or(self.defaults.lasting, |f| f.value);
        let keep = self.duration(table, "keep_firing_for").map(|f| f.value);
        let unknown_words =
            [("alert", ripcord_core::playbook::OnUnknown::Alert), ("watch", ripcord_core::playbook::OnUnknown::Watch)];
        let on_unknown = self.word(table, "on_unknown", &unknown_words).map_or(self.defaults.on_unknown, |f| f.value);
        let summary = self.text(table, "summary").map(|f| f.value);
        let condition = condition?;
        let block_ms = self.block_ms.get(&condition.chain.0).copied().unwrap_or(12_000);
        let spec = RuleSpec {
            family: id.split_once('-').map_or_else(String::new, |(letters, _)| letters.to_owned()),
            id: RuleId(id),
            hash: B256::ZERO,
            title: title?.value,
            target: match target {
                Some(contract) => contract?.address,
                None => condition.target.unwrap_or(Address::ZERO),
            },
            chain: condition.chain,
            severity: severity?,
            mode,
            hard,
            on_unknown,
            for_blocks: lasting.as_blocks(block_ms),
            keep_firing_ms: keep.map_or(self.defaults.keep_firing_ms, |k| k.as_millis(block_ms)),
            playbook,
            budget,
        };
        Some(self.seal(spec, on?, false, &text?, condition, summary))
    }

    fn seal(
        &self,
        spec: RuleSpec,
        on: On,
        hidden: bool,
        text: &Text,
        condition: Condition,
        summary: Option<String>,
    ) -> Rule {
        let Condition { expr, leaves, triggers, .. } = condition;
        let mut rule = Rule { spec, on, hidden, text: text.source.clone(), expr, leaves, triggers, summary };
        rule.spec.hash = hash::rule(&rule, &self.signals);
        rule
    }

    fn on(&mut self, table: &Table<'_>) -> Option<On> {
        if table.get("on").is_none() {
            self.missing(table, "on");
            return None;
        }
        let mut on = On::default();
        for field in self.texts(table, "on") {
            match field.value.as_str() {
                "pending-tx" => on.pending = true,
                "tx" => on.tx = true,
                "block" => on.block = true,
                later @ ("each-call" | "tick") => {
                    self.report(
                        &field.place,
                        Code::E01,
                        format!("`on = \"{later}\"` is not available yet"),
                        "use \"tx\", \"pending-tx\" or \"block\"",
                    );
                }
                other => self.report(
                    &field.place,
                    Code::E02,
                    format!("`{other}` is not a value of `on`"),
                    suggest(other, ["pending-tx", "tx", "block"]),
                ),
            }
        }
        if on == On::default() {
            return None;
        }
        Some(on)
    }

    /// Mode, playbook and budget, which depend on each other. What the rule leaves open the includer of its file may grant.
    fn authority(&mut self, table: &Table<'_>) -> (RuleMode, Option<String>, Option<Budget>) {
        let grant = self.names.scopes.get(table.file).map(|s| s.grant.clone()).unwrap_or_default();
        let playbook = self.text(table, "playbook").map(|f| (f.value, f.place)).or(grant.playbook);
        if let Some((name, place)) = playbook.as_ref().filter(|(name, _)| self.playbooks.iter().all(|k| k.id != *name))
        {
            let ids: Vec<String> = self.playbooks.iter().map(|p| p.id.clone()).collect();
            self.report(
                place,
                Code::E04,
                format!("there is no playbook `{name}`"),
                suggest(name, ids.iter().map(String::as_str)),
            );
        }
        let budget_written = table.get("budget").is_some() || grant.budget.is_some();
        let budget = self.table(table, "budget", "`budget`").and_then(|b| self.budget(&b)).or(grant.budget);
        let written = self.word(table, "mode", &super::chains::MODES).map(|f| (f.value, f.place)).or(grant.mode);
        let mode = written.as_ref().map_or(self.defaults.mode, |(mode, _)| *mode);
        let complete = playbook.is_some() && budget_written;
        if let Some((_, place)) = written.filter(|(mode, _)| *mode == RuleMode::Armed && !complete) {
            self.report(
                &place,
                Code::E07,
                "an armed rule has a playbook and a budget",
                "add both, or use mode = \"alert\"",
            );
        }
        let enabled = self.boolean(table, "enabled").is_none_or(|e| e.value);
        (if enabled { mode } else { RuleMode::Off }, playbook.map(|(name, _)| name), budget)
    }

    pub(super) fn budget(&mut self, table: &Table<'_>) -> Option<Budget> {
        self.keys(table, &["false_alarms", "per", "on_exhausted"], &[]);
        for key in ["false_alarms", "per"] {
            if table.get(key).is_none() {
                self.missing(table, key);
            }
        }
        let alarms = self.integer(table, "false_alarms", 0..=u64::from(u32::MAX));
        let per = self.duration(table, "per");
        if let Some(per) = per.as_ref().filter(|p| p.value.as_millis(12_000) < DAY_MS) {
            self.report(&per.place, Code::E07, "a budget covers at least one day", "write for example per = \"365d\"");
        }
        let on_exhausted = self.word(table, "on_exhausted", &EXHAUSTED).map_or(OnExhausted::Demote, |f| f.value);
        let false_alarms = u32::try_from(alarms?.value).ok()?;
        Some(Budget { false_alarms, per_ms: per?.value.as_millis(12_000), on_exhausted })
    }

    /// Checks the text and what it reads against when it is evaluated.
    fn condition(&mut self, text: &Text, on: On, written: Vec<Trigger>) -> Option<Condition> {
        let expr = match crate::check::check(text, &self.names, &Ty::Bool) {
            Ok(expr) => expr,
            Err(findings) => {
                self.report_text(text, findings);
                return None;
            }
        };
        let leaves = expr.leaves();
        let place = text.place.clone();
        if expr.reads_tx() && written.is_empty() {
            self.report(
                &place,
                Code::Rc009,
                "no trigger can see what this rule looks at",
                "add `trigger = [\"@contract\"]`: a rule over tx.… has no state read that would select it",
            );
        }
        if expr.reads_tx() && on.block {
            self.report(&place, Code::E08, "a block has no `tx`", "evaluate the rule with on = [\"tx\"]");
        }
        let mut derived = written;
        let (mut chains, mut target) = (BTreeSet::new(), None);
        for leaf in &leaves {
            let Some(signal) = self.signals.get(leaf.signal).cloned().flatten() else { continue };
            chains.extend(signal.chain);
            target = target.or_else(|| triggers::subject(&signal));
            derived.extend(triggers::derived(&signal.source));
            self.timing(&signal, *leaf, on, &place);
        }
        derived.sort();
        derived.dedup();
        if chains.is_empty() && self.chains.len() == 1 {
            chains.extend(self.chains.values().map(|c| c.chain));
        }
        let [chain] = chains.iter().copied().collect::<Vec<_>>().as_slice().try_into().unwrap_or_else(|_| {
            self.report(
                &place,
                Code::E08,
                format!("the rule reads {} chains", chains.len()),
                "a rule reads exactly one chain",
            );
            [ChainId(0)]
        });
        Some(Condition { expr, leaves, triggers: derived, chain, target })
    }

    /// Whether a signal has a value when the rule is evaluated.
    fn timing(&mut self, signal: &crate::policy::Signal, leaf: Leaf, on: On, place: &Place) {
        let per_tx = match &signal.source {
            Source::View(view) => view.each.is_some(),
            Source::Returns { .. } | Source::Log { .. } => true,
            Source::Flow(Flow { window, .. }) => *window == Window::Tx,
            Source::Slot { .. } | Source::Calc => false,
        };
        if per_tx && on.block {
            self.report(
                place,
                Code::E08,
                format!("signal `{}` belongs to one transaction, the rule to a block", signal.name),
                "evaluate the rule with on = [\"tx\"]",
            );
        }
        if leaf.at == At::Block && (on.tx || on.pending) && signal.source != Source::Calc {
            self.report(
                place,
                Code::E08,
                format!("signal `{}` is read at the end of the block, the rule at a transaction", signal.name),
                "read it at \"post-tx\", which in a block rule means the end of the block",
            );
        }
    }

    /// Conditions of steps become rules that only playbooks see. They are evaluated once per block.
    fn hidden_rules(&mut self, rules: &mut Vec<Rule>) {
        let on = On { pending: false, tx: false, block: true };
        for hidden in std::mem::take(&mut self.hidden) {
            let Some(condition) = self.condition(&hidden.text, on, Vec::new()) else { continue };
            let spec = RuleSpec {
                family: hidden.id.split('.').next().unwrap_or_default().to_owned(),
                title: format!("condition {}", hidden.id),
                id: RuleId(hidden.id),
                hash: B256::ZERO,
                target: condition.target.unwrap_or(Address::ZERO),
                chain: condition.chain,
                severity: Severity::P5,
                mode: RuleMode::Shadow,
                hard: false,
                on_unknown: self.defaults.on_unknown,
                for_blocks: 0,
                keep_firing_ms: 0,
                playbook: None,
                budget: None,
            };
            let rule = self.seal(spec, on, true, &hidden.text, condition, None);
            rules.push(rule);
        }
    }

    /// Stages that name no gates wait for every rule that uses the playbook.
    fn gates(&mut self, rules: &[Rule]) {
        for playbook in &mut self.playbooks {
            let users: Vec<RuleId> = rules
                .iter()
                .filter(|r| r.spec.playbook.as_ref() == Some(&playbook.id))
                .map(|r| r.spec.id.clone())
                .collect();
            for step in &mut playbook.steps {
                if let Effect::Restore { stages } = &mut step.effect {
                    stages.iter_mut().filter(|s| s.gates.is_empty()).for_each(|s| s.gates.clone_from(&users));
                }
            }
        }
        for (gate, place) in std::mem::take(&mut self.gate_refs) {
            if !rules.iter().any(|r| r.spec.id.0 == gate) {
                let ids: Vec<&str> = rules.iter().filter(|r| !r.hidden).map(|r| r.spec.id.0.as_str()).collect();
                let help = suggest(&gate, ids);
                self.report(&place, Code::E04, format!("there is no rule `{gate}`"), help);
            }
        }
    }
}
