//! Inputs per second on one core: 80 % facts that touch no incident, 19 % verdicts that change nothing, 1 % state changes.
//! Encoding of records and hashing of the state are measured apart.

use alloy_primitives::{Address, B256, Bytes, I256, U256, keccak256};
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ripcord_core::chain::{BlockRef, ChainId, Finality, Millis, Position, SourceId};
use ripcord_core::fact::{Fact, FactKind, MoveKind, TokenMove};
use ripcord_core::guardian::Guardian;
use ripcord_core::io::{Input, Output};
use ripcord_core::playbook::{
    Approve, ChainSpec, Effect, OnTimeout, OnUnknown, Playbook, Program, RuleMode, RuleSpec, Severity, SignerSpec, Step,
};
use ripcord_core::signal::{RuleId, Signal, Verdict};
use std::cell::RefCell;
use std::hint::black_box;

const CHAIN: ChainId = ChainId(1);
const RULES: u64 = 1_000;
const BATCH: u64 = 10_000;

fn rule(number: u64) -> RuleSpec {
    let id = format!("LEND-{number:03}");
    RuleSpec {
        hash: keccak256(&id),
        id: RuleId(id),
        title: "reserve is backed".to_owned(),
        family: "LEND".to_owned(),
        target: Address::repeat_byte(0xaa),
        chain: CHAIN,
        severity: Severity::P1,
        mode: RuleMode::Armed,
        hard: true,
        on_unknown: OnUnknown::Alert,
        for_blocks: 0,
        keep_firing_ms: 600_000,
        playbook: Some("contain".to_owned()),
        budget: None,
    }
}

fn program() -> Program {
    let effect = Effect::Call {
        chain: CHAIN,
        target: Address::repeat_byte(0xcc),
        calldata: Bytes::from_static(&[1, 2, 3, 4]),
        via: "deputy".to_owned(),
    };
    let step = Step {
        id: "pause".to_owned(),
        effect,
        approve: Approve::People { need: 1, people: vec!["ana".to_owned()] },
        timeout_ms: 1 << 40,
        on_timeout: OnTimeout::Abort,
        veto_ms: 0,
        when: None,
        verify: None,
        within_blocks: 2,
        bumps_max: 3,
        expires_ms: None,
        or_else: None,
    };
    Program {
        project: "bench".to_owned(),
        policy_hash: B256::ZERO,
        chains: vec![ChainSpec { chain: CHAIN, sources: 3, quorum: 2, stale_after_ms: 1 << 40 }],
        rules: (0..RULES).map(rule).collect(),
        playbooks: vec![Playbook { id: "contain".to_owned(), steps: vec![step] }],
        signers: vec![SignerSpec {
            name: "deputy".to_owned(),
            chain: CHAIN,
            account: Address::repeat_byte(0xdd),
            gas_limit: 500_000,
            priority_fee_wei: U256::from(1),
            fee_wei_max: U256::from(1_000_000),
            actions_per_day_max: 10,
        }],
        oncall: Vec::new(),
    }
}

fn hash(number: u64) -> B256 {
    B256::from(U256::from(number + 1))
}

fn position(number: u64) -> Position {
    Position {
        chain: CHAIN,
        block_number: number,
        block_hash: hash(number),
        tx: None,
        tx_index: 0,
        finality: Finality::Head,
    }
}

/// The world that makes the inputs; its clock and its chain go on from batch to batch.
struct Feed {
    number: u64,
    phase: u64,
    count: u64,
}

impl Feed {
    fn next(&mut self) -> Input {
        self.count += 1;
        match self.count % 100 {
            0 => self.change(),
            1..=19 => {
                let id = format!("LEND-{:03}", self.count % RULES);
                let rule_hash = keccak256(&id);
                let at = position(self.number);
                Input::Signal(Signal { rule: RuleId(id), rule_hash, at, verdict: Verdict::Holds, loss_usd_e8: None })
            }
            other => {
                let kind = if other % 2 == 0 {
                    FactKind::Log { emitter: Address::repeat_byte(0x11), topic0: B256::ZERO }
                } else {
                    let moved = TokenMove {
                        token: None,
                        from: Address::repeat_byte(0x11),
                        to: Address::repeat_byte(0x12),
                        amount: U256::from(other),
                        kind: MoveKind::Transfer,
                    };
                    let account = Address::left_padding_from(&self.count.to_be_bytes());
                    FactKind::Flow { account, moved, usd_e8: Some(I256::ONE) }
                };
                Input::Fact(Fact { at: position(self.number), kind })
            }
        }
    }

    /// Two sources bring the next block, it is evaluated, the account is read: each changes the state.
    fn change(&mut self) -> Input {
        self.phase += 1;
        let head = |number, source| {
            let block = BlockRef { number, hash: hash(number), parent: hash(number - 1), timestamp: number };
            Input::Head { chain: CHAIN, source: SourceId(source), block }
        };
        match self.phase % 4 {
            1 => head(self.number + 1, 0),
            2 => {
                self.number += 1;
                head(self.number, 1)
            }
            3 => Input::Evaluated { chain: CHAIN, block: hash(self.number) },
            _ => Input::Account {
                signer: "deputy".to_owned(),
                nonce: 7,
                base_fee_wei: U256::from(self.number),
                block_number: self.number,
            },
        }
    }
}

/// A guardian with an incident open, in the middle of a chain.
fn start() -> (Guardian, Feed) {
    let mut guardian = Guardian::new(program(), Millis(1));
    let mut feed = Feed { number: 100, phase: 0, count: 0 };
    for _ in 0..400 {
        let input = feed.next();
        guardian.handle(Millis(2), input);
    }
    let spec = rule(1);
    let verdict = Verdict::Violated { evidence: Vec::new() };
    let at = position(feed.number);
    guardian.handle(
        Millis(3),
        Input::Signal(Signal { rule: spec.id, rule_hash: spec.hash, at, verdict, loss_usd_e8: None }),
    );
    assert_eq!(guardian.incidents().count(), 1);
    while guardian.poll_output().is_some() {}
    (guardian, feed)
}

fn inputs(criterion: &mut Criterion) {
    let (mut guardian, feed) = start();
    let feed = RefCell::new(feed);
    let mut records = 0u64;
    let mut group = criterion.benchmark_group("guardian");
    group.throughput(Throughput::Elements(BATCH));
    group.bench_function("inputs 80/19/1", |bencher| {
        bencher.iter_batched(
            || (0..BATCH).map(|_| feed.borrow_mut().next()).collect::<Vec<Input>>(),
            |batch| {
                for input in batch {
                    guardian.handle(Millis(4), input);
                    while let Some(output) = guardian.poll_output() {
                        records += u64::from(matches!(black_box(output), Output::Journal(_)));
                    }
                }
            },
            BatchSize::LargeInput,
        );
    });
    assert!(records > 0, "the changes were journaled");
    group.finish();
}

fn aside(criterion: &mut Criterion) {
    let (mut guardian, mut feed) = start();
    let mut record = None;
    while record.is_none() {
        let input = feed.next();
        guardian.handle(Millis(4), input);
        record = guardian.poll_output();
    }
    criterion.bench_function("record to JSON", |b| b.iter(|| serde_json::to_vec(black_box(&record))));
    criterion.bench_function("state hash, 1,000 rules", |b| b.iter(|| guardian.state_hash()));
}

criterion_group!(benches, inputs, aside);
criterion_main!(benches);
