//! Look-ups into the program, made once.

use crate::playbook::Program;
use crate::signal::RuleId;
use alloy_primitives::Address;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Clone)]
pub(crate) struct Index {
    /// Position of each rule in the program.
    pub(crate) rules: BTreeMap<RuleId, usize>,
    /// Contracts that steps call: only their episodes matter.
    pub(crate) targets: BTreeSet<Address>,
}

impl Index {
    pub(crate) fn new(program: &Program) -> Self {
        let steps = program.playbooks.iter().flat_map(|p| &p.steps);
        let targets = steps.filter_map(|s| s.effect.transaction()).map(|(_, target, _)| target);
        Self {
            rules: program.rules.iter().enumerate().map(|(i, r)| (r.id.clone(), i)).collect(),
            targets: targets.collect(),
        }
    }
}
