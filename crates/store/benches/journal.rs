//! How long a commit takes, flush included, and how long an audit.
#![expect(clippy::unwrap_used, reason = "a benchmark stops at the first surprise")]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use ripcord_core::chain::Millis;
use ripcord_core::io::{Body, Record};
use ripcord_core::ports::{Batch, Journal as _, OutboxRow};
use ripcord_store::checkpoint::Checkpoint;
use ripcord_store::{LogKey, MemoryJournal, SqliteJournal};

const ORIGIN: &str = "ripcord.example.org/bench";

/// About the size of a notice or an intent.
fn entry(n: u64) -> Vec<u8> {
    format!("{{\"at\":{n},\"data\":{{\"text\":\"{}\"}},\"entry\":\"notified\"}}", "x".repeat(300)).into_bytes()
}

fn batch(first: u64, entries: u64, intent: bool) -> Batch {
    let row =
        OutboxRow { key: alloy_primitives::U256::from(first).into(), kind: "submit".to_owned(), payload: entry(first) };
    Batch {
        entries: (first..first + entries).map(entry).collect(),
        outbox: if intent { vec![row] } else { Vec::new() },
        cursor: Some(first.to_be_bytes().to_vec()),
    }
}

fn open(dir: &std::path::Path) -> SqliteJournal {
    SqliteJournal::open(dir, LogKey::from_seed([1; 32]), ORIGIN).unwrap()
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit");
    for (name, entries, intent) in [("1", 1, false), ("1+intent", 1, true), ("64", 64, false), ("256", 256, false)] {
        let dir = tempfile::tempdir().unwrap();
        let mut journal = open(dir.path());
        group.throughput(Throughput::Elements(entries));
        group.bench_function(format!("sqlite/{name}"), |b| {
            b.iter_batched(
                || (),
                |()| {
                    let first = journal.size();
                    journal.commit(&batch(first, entries, intent)).unwrap()
                },
                BatchSize::PerIteration,
            );
        });
    }
    for entries in [1, 64] {
        let mut journal = MemoryJournal::new();
        group.throughput(Throughput::Elements(entries));
        group.bench_function(format!("memory/{entries}"), |b| {
            b.iter(|| {
                let first = journal.size();
                if first > 100_000 {
                    journal = MemoryJournal::new();
                }
                journal.commit(&batch(first, entries, false)).unwrap()
            });
        });
    }
    group.finish();
}

fn signature(c: &mut Criterion) {
    let key = LogKey::from_seed([1; 32]);
    let root = ripcord_store::merkle::Frontier::default().root();
    let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size: 1_000_000, root };
    c.bench_function("checkpoint/sign", |b| b.iter(|| checkpoint.sign(&key).unwrap()));
    c.bench_function("replay/decode", |b| {
        let entry = entry_of_a_record();
        b.iter(|| ripcord_store::replay::decode(0, &entry).unwrap());
    });
}

fn entry_of_a_record() -> Vec<u8> {
    let body = Body::Genesis { project: "x".repeat(300), policy_hash: alloy_primitives::B256::ZERO };
    ripcord_store::replay::encode(&Record { at: Millis(1_700_000_000_000), body }).unwrap()
}

fn audit(c: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = open(dir.path());
    for n in 0..100 {
        journal.commit(&batch(n * 100, 100, true)).unwrap();
    }
    journal.close().unwrap();
    let mut group = c.benchmark_group("audit");
    group.throughput(Throughput::Elements(10_000)).sample_size(10);
    group.bench_function("10000 entries", |b| b.iter(|| ripcord_store::verify(dir.path()).unwrap()));
    group.finish();
}

criterion_group!(benches, commits, signature, audit);
criterion_main!(benches);
