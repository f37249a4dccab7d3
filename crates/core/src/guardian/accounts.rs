//! Inputs about the guardian's own transactions: accounts, answers of the submitter, receipts, dry-runs, restarts.

use super::Guardian;
use crate::io::{DryRun, Output, Receipt};
use crate::playbook::Severity;
use alloy_primitives::{B256, U256};
use std::sync::Arc;

impl Guardian {
    pub(super) fn account(&mut self, signer: &str, nonce: u64, base_fee_wei: U256, block_number: u64) {
        let program = Arc::clone(&self.program);
        let Some(spec) = program.signers.iter().find(|s| s.name == signer) else { return };
        let Some(events) = self.state.submissions.account(spec, nonce, base_fee_wei, block_number) else { return };
        self.desk.touch();
        for event in events {
            self.desk.fly(event);
        }
    }

    pub(super) fn submitted(&mut self, key: B256, attempt: u32, result: &Result<B256, String>) {
        if !self.state.submissions.submitted(key, attempt, result) {
            return;
        }
        self.desk.touch();
        if let Err(why) = result {
            let text = format!("action {key}: attempt {attempt} was refused: {why}");
            self.desk.notify(&format!("action/{key}"), Severity::P2, B256::ZERO, &text);
        }
    }

    pub(super) fn receipt(&mut self, receipt: &Receipt) {
        let Some(watch) = self.state.chains.get(&receipt.chain) else { return };
        let adopted = watch.adopted(receipt.block).is_some_and(|b| b.number == receipt.block_number);
        if !adopted && !watch.is_settled(receipt.block_number) {
            return;
        }
        if let Some(event) = self.state.submissions.receipt(receipt) {
            self.desk.fly(event);
        }
    }

    pub(super) fn absent(&mut self, key: B256) {
        if self.state.submissions.absent(key) {
            self.desk.touch();
        }
    }

    pub(super) fn dry_run(&mut self, key: B256, outcome: &DryRun) {
        for incident in self.state.incidents.values_mut() {
            for run in &mut incident.runs {
                if run.dry_run(key, outcome) {
                    self.desk.touch();
                }
            }
        }
    }

    /// Everything under way is put out again: the same keys, the same nonces, the same questions.
    pub(super) fn restarted(&mut self) {
        for (chain, watch) in &self.state.chains {
            for block in watch.unevaluated() {
                self.desk.emit(Output::Adopt { chain: *chain, block: *block });
            }
            if let Some(hash) = watch.missing() {
                self.desk.emit(Output::Missing { chain: *chain, hash });
            }
        }
        for event in self.state.submissions.resume() {
            self.desk.fly(event);
        }
        for incident in self.state.incidents.values().filter(|i| !i.is_over()) {
            for run in &incident.runs {
                run.resume(&mut self.desk);
            }
        }
    }
}
