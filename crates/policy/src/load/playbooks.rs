//! `[[playbooks]]`: ordered steps and the ways between them.

use super::Loader;
use super::fields::{Field, Table};
use crate::diagnostic::{Code, suggest};
use crate::lexicon::Place;
use ripcord_core::playbook::{Playbook, Step};

/// Most steps of a playbook.
const STEPS_MAX: usize = 16;

/// A step with what can be resolved only when all steps are known.
pub(super) struct StepText {
    pub(super) step: Step,
    pub(super) or_else: Option<Field<String>>,
}

impl Loader<'_> {
    pub(super) fn playbooks(&mut self, files: &[Table<'_>]) {
        for file in files {
            for entry in self.list(file, "playbooks") {
                let Some(mut table) = self.as_table(file.file, entry, "a playbook".to_owned()) else { continue };
                self.keys(&table, &["id", "steps"], &[]);
                let Some(id) = self.need_text(&table, "id") else { continue };
                table.what = format!("playbook {}", id.value);
                if self.playbooks.iter().any(|p| p.id == id.value) {
                    self.report(
                        &id.place,
                        Code::E05,
                        format!("playbook `{}` is defined twice", id.value),
                        "give each playbook its own id",
                    );
                }
                let steps = self.playbook_steps(&table, &id.value);
                self.playbooks.push(Playbook { id: id.value, steps });
            }
        }
        self.signer_scope();
    }

    fn playbook_steps(&mut self, table: &Table<'_>, id: &str) -> Vec<Step> {
        if table.get("steps").is_none() {
            self.missing(table, "steps");
            return Vec::new();
        }
        let entries = self.list(table, "steps");
        if !(1..=STEPS_MAX).contains(&entries.len()) {
            self.report(
                &table.key_place("steps"),
                Code::E07,
                format!("{} steps", entries.len()),
                format!("a playbook has 1 to {STEPS_MAX} steps"),
            );
        }
        let mut steps: Vec<StepText> = Vec::new();
        for entry in entries {
            let Some(step_table) = self.as_table(table.file, entry, format!("a step of {}", table.what)) else {
                continue;
            };
            let Some(step) = self.step(&step_table, id) else { continue };
            if steps.iter().any(|s| s.step.id == step.step.id) {
                self.report(
                    &step_table.key_place("id"),
                    Code::E05,
                    format!("step `{}` is defined twice", step.step.id),
                    "give each step its own id",
                );
            }
            steps.push(step);
        }
        let ids: Vec<String> = steps.iter().map(|s| s.step.id.clone()).collect();
        for text in &mut steps {
            let Some(target) = text.or_else.take() else { continue };
            text.step.or_else = ids.iter().position(|id| *id == target.value);
            if text.step.or_else.is_none() {
                self.report(
                    &target.place,
                    Code::E04,
                    format!("there is no step `{}`", target.value),
                    suggest(&target.value, ids.iter().map(String::as_str)),
                );
            }
        }
        let steps: Vec<Step> = steps.into_iter().map(|s| s.step).collect();
        self.circles(&steps, &table.key_place("steps"));
        steps
    }

    /// `else` must lead out.
    fn circles(&mut self, steps: &[Step], place: &Place) {
        for start in 0..steps.len() {
            let mut at = Some(start);
            for _ in 0..=steps.len() {
                at = at.and_then(|i| steps.get(i)).and_then(|s| s.or_else);
            }
            if at.is_some() {
                self.report(place, Code::E07, "`else` leads in a circle", "let the last step end without `else`");
                return;
            }
        }
    }

    /// A signer with a list of steps signs these and no others.
    fn signer_scope(&mut self) {
        let mut steps: Vec<(String, Option<String>)> = Vec::new();
        for playbook in &self.playbooks {
            for step in &playbook.steps {
                let via = step.effect.transaction().map(|(_, _, via)| via.to_owned());
                steps.push((format!("{}.{}", playbook.id, step.id), via));
            }
        }
        for (signer, (only, place)) in std::mem::take(&mut self.only) {
            for name in &only {
                if !steps.iter().any(|(id, via)| id == name && via.as_deref() == Some(signer.as_str())) {
                    let help = "name playbook.step of a step with `via` of this signer";
                    self.report(&place, Code::E04, format!("`{name}` is not a step of signer `{signer}`"), help);
                }
            }
            for (id, _) in
                steps.iter().filter(|(id, via)| via.as_deref() == Some(signer.as_str()) && !only.contains(id))
            {
                self.report(
                    &place,
                    Code::Rc010,
                    format!("signer `{signer}` may not sign `{id}`"),
                    "add it to `only`, or use another signer",
                );
            }
        }
    }
}
