//! One small world around a guardian: a program, three sources, an obedient engine, and a journal.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use ripcord_core::chain::{BlockRef, ChainId, Finality, Millis, Position, SourceId};
use ripcord_core::guardian::Guardian;
use ripcord_core::incident::{IncidentEvent, IncidentId};
use ripcord_core::io::{Ask, Body, DryRun, Human, Input, Notice, Output, Receipt, Record, Submission};
use ripcord_core::playbook::{
    Approve, Budget, ChainSpec, Effect, OnExhausted, OnTimeout, OnUnknown, Playbook, Program, RuleMode, RuleSpec,
    Severity, SignerSpec, Stage, Step,
};
use ripcord_core::signal::{Evidence, RuleId, Signal, UnknownWhy, Verdict};
use std::collections::BTreeMap;

pub(crate) const CHAIN: ChainId = ChainId(1);
pub(crate) const MINUTE: u64 = 60_000;
pub(crate) const DAY: u64 = 24 * 60 * MINUTE;
pub(crate) const START: u64 = 1_800_000_000_000;
pub(crate) const STALE: u64 = 36_000;

pub(crate) fn pool() -> Address {
    Address::repeat_byte(0xaa)
}

pub(crate) fn rule_id(id: &str) -> RuleId {
    RuleId(id.to_owned())
}

pub(crate) fn step(id: &str) -> Step {
    Step {
        id: id.to_owned(),
        effect: Effect::Call {
            chain: CHAIN,
            target: Address::repeat_byte(0xcc),
            calldata: Bytes::from(keccak256(id).to_vec()),
            via: "deputy".to_owned(),
        },
        approve: Approve::Auto,
        timeout_ms: 10 * MINUTE,
        on_timeout: OnTimeout::Abort,
        veto_ms: 0,
        when: None,
        verify: None,
        within_blocks: 2,
        bumps_max: 3,
        expires_ms: None,
        or_else: None,
    }
}

pub(crate) fn people(need: u32) -> Approve {
    Approve::People { need, people: ["ana", "bo", "chi"].map(str::to_owned).to_vec() }
}

pub(crate) fn restore(stages: &[(&str, u64, &[&str])]) -> Effect {
    let stages = stages.iter().map(|(name, dwell_ms, gates)| Stage {
        name: (*name).to_owned(),
        dwell_ms: *dwell_ms,
        gates: gates.iter().map(|g| rule_id(g)).collect(),
    });
    Effect::Restore { stages: stages.collect() }
}

pub(crate) fn rule(id: &str) -> RuleSpec {
    RuleSpec {
        id: rule_id(id),
        hash: keccak256(id),
        title: format!("title of {id}"),
        family: id.split('-').next().unwrap().to_owned(),
        target: pool(),
        chain: CHAIN,
        severity: Severity::P1,
        mode: RuleMode::Armed,
        hard: false,
        on_unknown: OnUnknown::Alert,
        for_blocks: 0,
        keep_firing_ms: 10 * MINUTE,
        playbook: Some("contain".to_owned()),
        budget: Some(Budget { false_alarms: 1, per_ms: 365 * DAY, on_exhausted: OnExhausted::Demote }),
    }
}

/// One chain with 2 of 3 sources, rule LEND-001, playbook `contain` with these steps, signer `deputy`.
pub(crate) fn program(steps: Vec<Step>) -> Program {
    Program {
        project: "test".to_owned(),
        policy_hash: keccak256("policy"),
        chains: vec![ChainSpec { chain: CHAIN, sources: 3, quorum: 2, stale_after_ms: STALE }],
        rules: vec![rule("LEND-001")],
        playbooks: vec![Playbook { id: "contain".to_owned(), steps }],
        signers: vec![SignerSpec {
            name: "deputy".to_owned(),
            chain: CHAIN,
            account: Address::repeat_byte(0xdd),
            gas_limit: 500_000,
            priority_fee_wei: U256::from(2_000_000_000u64),
            fee_wei_max: U256::from(500_000_000_000u64),
            actions_per_day_max: 10,
        }],
        oncall: vec!["ana".to_owned(), "bo".to_owned()],
    }
}

pub(crate) fn block(number: u64, fork: u8, parent_fork: u8) -> BlockRef {
    BlockRef { number, hash: hash(number, fork), parent: hash(number - 1, parent_fork), timestamp: number * 12 }
}

pub(crate) fn hash(number: u64, fork: u8) -> B256 {
    let mut bytes = [fork; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    B256::from(bytes)
}

pub(crate) fn at(block: &BlockRef) -> Position {
    Position {
        chain: CHAIN,
        block_number: block.number,
        block_hash: block.hash,
        tx: None,
        tx_index: 0,
        finality: Finality::Head,
    }
}

pub(crate) fn violated() -> Verdict {
    Verdict::Violated { evidence: vec![Evidence { name: "backing".to_owned(), value: "0.93".to_owned() }] }
}

pub(crate) fn signal(rule: &str, block: &BlockRef, verdict: Verdict) -> Signal {
    Signal { rule: rule_id(rule), rule_hash: keccak256(rule), at: at(block), verdict, loss_usd_e8: None }
}

/// A guardian with its journal and what it has put out.
pub(crate) struct World {
    pub(crate) guardian: Guardian,
    pub(crate) program: Program,
    pub(crate) now: u64,
    pub(crate) head: BlockRef,
    pub(crate) journal: Vec<Record>,
    /// Outputs that are not journal records.
    pub(crate) outputs: Vec<Output>,
    pub(crate) sent: Vec<Submission>,
    pub(crate) dry_run: Option<DryRun>,
    /// Standing verdicts that the engine repeats for every evaluated block.
    pub(crate) verdicts: BTreeMap<String, Verdict>,
    pub(crate) nonce: u64,
    /// Whether the shell answers at once that no block holds what it is asked to find; otherwise it stays silent.
    pub(crate) finds_nothing: bool,
}

impl World {
    /// Genesis and a first adopted, evaluated block 100.
    pub(crate) fn new(program: Program) -> Self {
        let mut world = Self::bare(program);
        world.block();
        world
    }

    pub(crate) fn bare(program: Program) -> Self {
        let guardian = Guardian::new(program.clone(), Millis(START));
        let mut world = Self {
            guardian,
            program,
            now: START,
            head: block(99, 0, 0),
            journal: Vec::new(),
            outputs: Vec::new(),
            sent: Vec::new(),
            dry_run: Some(DryRun::Works { gas_used: 90_000 }),
            verdicts: BTreeMap::new(),
            nonce: 7,
            finds_nothing: true,
        };
        world.collect();
        world
    }

    /// Hands in one input, journals, and answers dry-runs.
    pub(crate) fn put(&mut self, input: Input) {
        self.guardian.handle(Millis(self.now), input);
        self.collect();
    }

    fn collect(&mut self) {
        while let Some(output) = self.guardian.poll_output() {
            match &output {
                Output::Journal(record) => {
                    self.journal.push(record.clone());
                    continue;
                }
                Output::Submit(submission) => {
                    let intent = self.journal.iter().any(|r| r.body == Body::Intent(submission.clone()));
                    assert!(intent, "a submission without its intent in the journal");
                    self.sent.push(submission.clone());
                }
                Output::DryRun(action) => {
                    if let Some(outcome) = self.dry_run.clone() {
                        let action_key = action.key;
                        self.guardian.handle(Millis(self.now), Input::DryRun { action_key, outcome });
                    }
                }
                Output::Find { submission, .. } => {
                    if self.finds_nothing {
                        let action_key = submission.action.key;
                        self.guardian.handle(Millis(self.now), Input::Absent { action_key });
                    }
                }
                Output::Notify(notice) => {
                    assert!(self.journal.iter().any(|r| r.body == Body::Notified(notice.clone())))
                }
                Output::AskApproval(ask) => assert!(self.journal.iter().any(|r| r.body == Body::Asked(ask.clone()))),
                Output::Adopt { .. } | Output::Retract { .. } | Output::Missing { .. } | Output::Cancel { .. } => {}
            }
            self.outputs.push(output);
        }
    }

    pub(crate) fn head_of(&mut self, source: u16, block: BlockRef) {
        self.put(Input::Head { chain: CHAIN, source: SourceId(source), block });
    }

    /// The sources agree on `block`; it is evaluated with the standing verdicts, and the account is read.
    pub(crate) fn adopt(&mut self, block: BlockRef) {
        for source in 0..3 {
            self.head_of(source, block);
        }
        self.head = block;
        self.evaluate(block);
    }

    pub(crate) fn evaluate(&mut self, block: BlockRef) {
        for (rule, verdict) in self.verdicts.clone() {
            self.put(Input::Signal(signal(&rule, &block, verdict)));
        }
        self.put(Input::Evaluated { chain: CHAIN, block: block.hash });
        self.account(self.nonce);
    }

    pub(crate) fn account(&mut self, nonce: u64) {
        self.nonce = nonce;
        self.put(Input::Account {
            signer: "deputy".to_owned(),
            nonce,
            base_fee_wei: U256::from(20_000_000_000u64),
            block_number: self.head.number,
        });
    }

    /// 12 s later, the next block.
    pub(crate) fn block(&mut self) {
        self.now += 12_000;
        let fork = self.head.hash.0[31];
        self.adopt(block(self.head.number + 1, fork, fork));
    }

    /// Blocks until this much time has passed.
    pub(crate) fn wait(&mut self, span_ms: u64) {
        let end = self.now + span_ms;
        while self.now < end {
            self.block();
        }
    }

    /// The rule says this about the head.
    pub(crate) fn says(&mut self, rule: &str, verdict: Verdict) {
        let signal = signal(rule, &self.head, verdict);
        self.put(Input::Signal(signal));
    }

    /// The last submission is included in the next block.
    pub(crate) fn include(&mut self, success: bool) {
        let last = self.sent.last().expect("nothing was sent").clone();
        self.now += 12_000;
        let fork = self.head.hash.0[31];
        let next = block(self.head.number + 1, fork, fork);
        self.nonce = last.nonce + 1;
        for source in 0..3 {
            self.head_of(source, next);
        }
        self.head = next;
        self.put(Input::Receipt(receipt(&last, &next, success)));
        self.evaluate(next);
    }

    pub(crate) fn approve(&mut self, by: &str, ask: &Ask) {
        self.put(Input::Human(Human::Approve { incident: ask.incident, by: by.to_owned(), digest: ask.digest }));
    }

    pub(crate) fn veto(&mut self, by: &str, ask: &Ask) {
        self.put(Input::Human(Human::Veto { incident: ask.incident, by: by.to_owned(), digest: ask.digest }));
    }

    pub(crate) fn label(&mut self, incident: u64, true_alarm: bool) {
        self.put(Input::Human(Human::Label { incident: IncidentId(incident), by: "ana".to_owned(), true_alarm }));
    }

    pub(crate) fn asks(&self) -> Vec<Ask> {
        let asks = self.outputs.iter().filter_map(|o| match o {
            Output::AskApproval(ask) => Some(ask.clone()),
            _ => None,
        });
        asks.collect()
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        let notices = self.outputs.iter().filter_map(|o| match o {
            Output::Notify(notice) => Some(notice.clone()),
            _ => None,
        });
        notices.collect()
    }

    pub(crate) fn told(&self, text: &str) -> usize {
        self.notices().iter().filter(|n| n.text.contains(text)).count()
    }

    /// Events of incidents so far, as `opened`, `step-done contain.pause` and so on.
    pub(crate) fn events(&self) -> Vec<String> {
        let events = self.journal.iter().filter_map(|r| match &r.body {
            Body::Incident(event) => Some(event_line(event)),
            _ => None,
        });
        events.collect()
    }

    /// The same machine from its journal; its state must be the same.
    pub(crate) fn check_replay(&self) {
        let (mut guardian, tail) = Guardian::replay(self.program.clone(), self.journal.clone()).unwrap();
        assert_eq!(guardian.state_hash(), self.guardian.state_hash());
        // Deadlines that came to nothing left no trace; time alone brings the copy to the same point.
        guardian.handle(Millis(self.now), Input::Tick);
        assert_eq!(guardian.poll_output(), None);
        assert_eq!(guardian.next_deadline(), self.guardian.next_deadline());
        assert!(!tail.iter().any(|o| matches!(o, Output::Journal(_))), "a record is missing: {tail:?}");
    }
}

pub(crate) fn receipt(submission: &Submission, block: &BlockRef, success: bool) -> Receipt {
    Receipt {
        action_key: submission.action.key,
        chain: CHAIN,
        tx: keccak256(submission.nonce.to_be_bytes()),
        block: block.hash,
        block_number: block.number,
        success,
    }
}

pub(crate) fn unknown() -> Verdict {
    Verdict::Unknown { why: UnknownWhy::MissingState }
}

fn event_line(event: &IncidentEvent) -> String {
    match event {
        IncidentEvent::Opened { rule, .. } => format!("opened {rule}"),
        IncidentEvent::Joined { rule, .. } => format!("joined {rule}"),
        IncidentEvent::SignalsRetracted { left, .. } => format!("signals-retracted {left}"),
        IncidentEvent::StepStarted { step, .. } => format!("started {step}"),
        IncidentEvent::StepDone { step, .. } => format!("done {step}"),
        IncidentEvent::StepFailed { step, why, .. } => format!("failed {step}: {why}"),
        IncidentEvent::PlaybookEnded { end, .. } => format!("ended {end:?}"),
        IncidentEvent::Contained { blocks_to_contain, .. } => format!("contained after {blocks_to_contain}"),
        IncidentEvent::Uncontained { .. } => "uncontained".to_owned(),
        IncidentEvent::Exiting { .. } => "exiting".to_owned(),
        IncidentEvent::Recovering { stage, .. } => format!("recovering {}", stage.as_deref().unwrap_or("-")),
        IncidentEvent::Reopened { trip, .. } => format!("reopened {trip}"),
        IncidentEvent::Acknowledged { by, .. } => format!("acknowledged {by}"),
        IncidentEvent::Labelled { true_alarm, .. } => format!("labelled {true_alarm}"),
        IncidentEvent::Resolved { how, .. } => format!("resolved {how:?}"),
    }
}
