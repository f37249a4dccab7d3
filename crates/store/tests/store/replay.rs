//! Records out of entries, strictly.

use crate::support::{batch, closed_store, entry, open, record};
use ripcord_core::io::{Body, Input, Record};
use ripcord_core::ports::{Batch, Journal as _};
use ripcord_store::MemoryJournal;
use ripcord_store::replay::{EncodeError, ReplayError, decode, encode, records};

#[test]
fn a_journal_gives_back_the_records_that_were_put_in() {
    let dir = closed_store(600);
    let journal = open(dir.path());
    let all: Vec<(u64, Record)> = records(&journal, 0).collect::<Result<_, _>>().unwrap();
    assert_eq!(all.len(), 600);
    assert!(all.iter().enumerate().all(|(n, (index, found))| *index == n as u64 && *found == record(*index)));
    let tail: Vec<u64> = records(&journal, 598).map(|item| item.unwrap().0).collect();
    assert_eq!(tail, [598, 599]);
}

fn check_refused(text: &str, offset: usize, why: &str) {
    let ReplayError::Entry { index, offset: at, why: found } = decode(7, text.as_bytes()).unwrap_err() else {
        panic!("another error");
    };
    assert_eq!((index, at), (7, offset), "{text}: {found}");
    assert!(found.contains(why), "{text}: {found}");
}

#[test]
fn what_is_not_exactly_a_record_is_refused_with_its_place() {
    let good = String::from_utf8(entry(3)).unwrap();
    decode(7, good.as_bytes()).unwrap();
    check_refused(&good.replace("\"entry\"", "\"more\":1,\"entry\""), good.find("entry").unwrap(), "canonical");
    check_refused(&good.replace("\"project\":", "\"project\": "), good.find("project").unwrap() + 9, "canonical");
    check_refused(&good.replace("genesis", "exodus"), good.len() - 2, "exodus");
    check_refused(&good[..good.len() - 1], good.len() - 1, "EOF");
    check_refused(&format!("{good} "), good.len(), "canonical");
    check_refused("{}", 1, "missing field");
}

#[test]
fn an_error_ends_the_iteration() {
    let mut journal = MemoryJournal::new();
    journal.commit(&batch(0, 2)).unwrap();
    journal.commit(&Batch { entries: vec![b"{}".to_vec(), entry(3)], ..Batch::default() }).unwrap();
    let items: Vec<_> = records(&journal, 0).collect();
    assert_eq!(items.len(), 3);
    let error = items.into_iter().next_back().unwrap().unwrap_err();
    assert!(error.to_string().starts_with("entry 2, byte "), "{error}");
}

/// RFC 8785 numbers are doubles: a block number beyond 2^53 would come back as another one.
#[test]
fn a_record_that_canonical_json_cannot_carry_is_refused() {
    let mut wide = record(0);
    wide.at.0 = (1 << 53) + 1;
    assert!(matches!(encode(&wide), Err(EncodeError::Lossy(_))));
    let long = Record { body: Body::Input(Input::Tick), ..record(0) };
    decode(0, &encode(&long).unwrap()).unwrap();
    let mut large = record(0);
    large.body = Body::Genesis { project: "x".repeat(70_000), policy_hash: alloy_primitives::B256::ZERO };
    assert!(matches!(encode(&large), Err(EncodeError::TooLarge(70_000..))));
}
