//! Every word that can be journaled survives JSON.

use crate::harness::*;
use alloy_primitives::{Address, B256, I256, U256};
use proptest::prelude::*;
use ripcord_core::chain::{Finality, INTEGER_MAX, Millis, Position, SourceId};
use ripcord_core::fact::{Fact, FactKind, MoveKind, TokenMove};
use ripcord_core::incident::{Ending, IncidentEvent, IncidentId, Mode};
use ripcord_core::io::{Action, Ask, Body, DryRun, Human, Input, Notice, Receipt, Record, Submission};
use ripcord_core::playbook::{RuleMode, Severity};
use ripcord_core::response::End;
use ripcord_core::signal::{Evidence, Signal, UnknownWhy, Verdict};
use ripcord_core::trip::{TripIntent, TripMode};

fn number() -> impl Strategy<Value = u64> {
    0..=INTEGER_MAX
}

fn b256() -> impl Strategy<Value = B256> {
    any::<[u8; 32]>().prop_map(B256::from)
}

fn u256() -> impl Strategy<Value = U256> {
    any::<[u8; 32]>().prop_map(U256::from_be_bytes)
}

fn position() -> impl Strategy<Value = Position> {
    (number(), b256(), prop::option::of(b256()), any::<u32>(), any::<bool>()).prop_map(
        |(n, hash, tx, tx_index, pending)| {
            let finality = if pending { Finality::Pending } else { Finality::Final };
            Position { chain: CHAIN, block_number: n, block_hash: hash, tx, tx_index, finality }
        },
    )
}

fn fact() -> impl Strategy<Value = Input> {
    (position(), u256(), any::<[u8; 32]>(), 0u8..4).prop_map(|(at, amount, usd, kind)| {
        let account = Address::from_slice(&usd[..20]);
        let kind = match kind {
            0 => FactKind::Log { emitter: account, topic0: B256::from(usd) },
            1 => FactKind::Mode { target: account, mode: Mode::Recovering },
            2 => {
                FactKind::Episode { target: account, scope: B256::ZERO, episode: 1, trip_count: INTEGER_MAX, epoch: 0 }
            }
            _ => FactKind::Flow {
                account,
                moved: TokenMove { token: None, from: account, to: pool(), amount, kind: MoveKind::Burn },
                usd_e8: Some(I256::from_be_bytes(usd)),
            },
        };
        Input::Fact(Fact { at, kind })
    })
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        Just(Verdict::Holds),
        Just(Verdict::Unknown { why: UnknownWhy::SourcesDisagree }),
        prop::collection::vec((".*", ".*"), 0..4).prop_map(|values| Verdict::Violated {
            evidence: values.into_iter().map(|(name, value)| Evidence { name, value }).collect()
        }),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    let human = (number(), ".*", b256(), 0u8..5, any::<bool>()).prop_map(|(id, by, digest, kind, true_alarm)| {
        let incident = IncidentId(id);
        Input::Human(match kind {
            0 => Human::Acknowledge { incident, by },
            1 => Human::Approve { incident, by, digest },
            2 => Human::Veto { incident, by, digest },
            3 => Human::Label { incident, by, true_alarm },
            _ => Human::Resolve { incident, by },
        })
    });
    let chain = (number(), b256(), 0u8..5, ".*").prop_map(|(n, hash, kind, why)| match kind {
        0 => Input::Tick,
        1 => Input::Head {
            chain: CHAIN,
            source: SourceId(9),
            block: ripcord_core::chain::BlockRef { number: n, hash, parent: hash, timestamp: n },
        },
        2 => Input::SourceFault { chain: CHAIN, source: SourceId(1), why },
        3 => Input::Blind { chain: CHAIN, block: hash, why: UnknownWhy::Shed },
        _ => Input::Evaluated { chain: CHAIN, block: hash },
    });
    let own = (b256(), number(), u256(), 0u8..6, ".*").prop_map(|(key, n, wei, kind, why)| match kind {
        0 => Input::DryRun { action_key: key, outcome: DryRun::Works { gas_used: n } },
        1 => Input::DryRun { action_key: key, outcome: DryRun::Unknown { why: UnknownWhy::Unwarmed } },
        2 => Input::Account { signer: why, nonce: n, base_fee_wei: wei, block_number: n },
        3 => Input::Submitted { action_key: key, attempt: 3, result: Err(why) },
        4 => Input::Submitted { action_key: key, attempt: 0, result: Ok(key) },
        _ => Input::Receipt(Receipt {
            action_key: key,
            chain: CHAIN,
            tx: key,
            block: key,
            block_number: n,
            success: true,
        }),
    });
    let signal =
        (position(), verdict(), prop::option::of(u256()), b256()).prop_map(|(at, verdict, loss_usd_e8, rule_hash)| {
            Input::Signal(Signal { rule: rule_id("LEND-001"), rule_hash, at, verdict, loss_usd_e8 })
        });
    prop_oneof![human, chain, own, signal, fact(), Just(Input::Restarted)]
}

/// An intent with a value in every field.
fn intent(word: B256, n: u64) -> TripIntent {
    TripIntent {
        scope: word,
        mode: TripMode::Restricted,
        mask: TripMode::Restricted.closes(),
        duration_secs: n,
        not_after_secs: n,
        reason: word,
        evidence: word,
        step_hash: word,
        key_episode: 1,
        trip_count: 2,
        incident_block: n,
        epoch: 3,
        deadline_secs: n,
    }
}

fn derived() -> impl Strategy<Value = Body> {
    (b256(), number(), u256(), prop::collection::vec(any::<u8>(), 0..80), ".*", 0u8..9, position()).prop_map(
        |(key, n, wei, calldata, text, kind, at)| {
            let incident = IncidentId(n);
            let action = Action {
                key,
                incident,
                step: text.clone(),
                chain: CHAIN,
                target: pool(),
                intent: calldata.first().map(|_| Box::new(intent(key, n))),
                calldata: calldata.into(),
                via: text.clone(),
                verify: Some(rule_id("a.b.verify")),
            };
            match kind {
                0 => Body::Genesis { project: text, policy_hash: key },
                1 => Body::Intent(Submission {
                    action,
                    attempt: 1,
                    nonce: n,
                    gas_limit: n,
                    max_fee_wei: wei,
                    priority_fee_wei: wei,
                }),
                2 => Body::Asked(Ask {
                    digest: key,
                    incident,
                    step: text.clone(),
                    people: vec![text.clone()],
                    need: 2,
                    deadline: Millis(n),
                    sentence: text,
                }),
                3 => Body::Notified(Notice { dedup: text.clone(), severity: Severity::P5, text, rule_hash: key }),
                4 => Body::Ladder { rule: rule_id("X-1"), mode: RuleMode::Shadow, why: text },
                5 => Body::Chain { chain: CHAIN, block: block(7, 1, 2), retracted: true },
                6 => Body::Shadow { rule: rule_id("X-1"), at },
                7 => Body::Incident(IncidentEvent::PlaybookEnded { incident, playbook: text, end: End::Vetoed }),
                _ => Body::Incident(IncidentEvent::Resolved { incident, how: Ending::Released, loss_usd_e8: wei }),
            }
        },
    )
}

proptest! {
    #[test]
    fn records_survive_json(
        at in number(),
        body in prop_oneof![input().prop_map(Body::Input), derived()],
    ) {
        let record = Record { at: Millis(at), body };
        let text = serde_json::to_string(&record).unwrap();
        prop_assert_eq!(serde_json::from_str::<Record>(&text).unwrap(), record.clone());
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::from_value::<Record>(value).unwrap(), record, "by way of a sorted map, as RFC 8785 makes");
    }
}
