//! Each template: one case that fires, one honest case near the bound, one that cannot be told.

use crate::recorded::*;
use alloy_primitives::{Address, B256, U256, keccak256};
use ripcord_core::ports::Snapshot;
use ripcord_core::signal::{UnknownWhy, Verdict};
use ripcord_detect::Detector;

/// A vault with assets and shares before and after, in raw units.
fn vault(before: (u128, u128), after: (u128, u128)) -> Recorded {
    let (assets, shares) = (call("totalAssets()", &[]), call("totalSupply()", &[]));
    Recorded::default()
        .answer(Snapshot::PreTx, VAULT, &assets, before.0)
        .answer(Snapshot::PreTx, VAULT, &shares, before.1)
        .answer(Snapshot::PostTx, VAULT, &assets, after.0)
        .answer(Snapshot::PostTx, VAULT, &shares, after.1)
}

const E18: u128 = 1_000_000_000_000_000_000;

#[test]
fn share_price_floor() {
    let run = |before, after| template("CORE-2701", "").on_tx(&idle(1), &mut vault(before, after));
    assert!(
        fired(&run((1_000 * E18, 1_000 * E18), (900 * E18, 1_000 * E18)), "CORE-2701"),
        "assets left, shares stayed"
    );
    assert!(fired(&run((1_000_000, 1_000_000), (999_999, 1_000_000)), "CORE-2701"), "one unit of a small vault");
    assert!(
        held(&run((1_000 * E18, 1_000 * E18), (501 * E18, 500 * E18)), "CORE-2701"),
        "an honest exit that leaves a fee"
    );
    assert!(held(&run((0, 0), (1_000 * E18, 1_000 * E18)), "CORE-2701"), "the first deposit");
    let rounded = (1_000 * E18 + 7, 999 * E18);
    assert!(held(&run(rounded, (rounded.0 + 10, rounded.1 + 10)), "CORE-2701"), "rounding by a unit");
    let blind = template("CORE-2701", "").on_tx(&idle(1), &mut Recorded::default());
    assert_eq!(unknown(&blind, "CORE-2701"), Some(UnknownWhy::MissingState));
}

#[test]
fn share_price_jump() {
    let run = |before, after| template("CORE-2801", "MAX_STEP = \"1.01\"").on_tx(&idle(1), &mut vault(before, after));
    assert!(fired(&run((2, 2), (1_000 * E18, 2)), "CORE-2801"), "a donation to a vault of two shares");
    assert!(fired(&run((1_000 * E18, 1_000 * E18), (1_010 * E18 + E18, 1_000 * E18)), "CORE-2801"), "just above 1 %");
    assert!(held(&run((1_000 * E18, 1_000 * E18), (1_010 * E18, 1_000 * E18)), "CORE-2801"), "just 1 %");
    assert!(held(&run((0, 0), (1_000 * E18, 1_000 * E18)), "CORE-2801"), "the first deposit");
    let reverts = vault((2, 2), (2, 2)).revert(Snapshot::PostTx, VAULT, &call("totalAssets()", &[]));
    let blind = template("CORE-2801", "").on_tx(&idle(1), &mut reverts.clone());
    assert_eq!(unknown(&blind, "CORE-2801"), Some(UnknownWhy::Reverted));
}

fn backing(assets: u128, claims: u128, at: Snapshot) -> Recorded {
    Recorded::default().answer(at, PROBE, &call("collectibleAssets(address)", &[VAULT.into()]), assets).answer(
        at,
        PROBE,
        &call("claims(address)", &[VAULT.into()]),
        claims,
    )
}

#[test]
fn assets_cover_liabilities() {
    let run = |assets, claims| {
        template("CORE-2901", "").on_block(position(1, None), 12, &mut backing(assets, claims, Snapshot::Block))
    };
    assert!(fired(&run(900 * E18, 1_000 * E18), "CORE-2901"));
    assert!(held(&run(1_000 * E18 - 1_000, 1_000 * E18), "CORE-2901"), "dust is not insolvency");
    let tx = template("CORE-2901", "").on_tx(&idle(1), &mut backing(0, E18, Snapshot::PostTx));
    assert!(fired(&tx, "CORE-2901"), "also for one transaction");
    let blind = template("CORE-2901", "").on_block(position(1, None), 12, &mut Recorded::default());
    assert_eq!(unknown(&blind, "CORE-2901"), Some(UnknownWhy::MissingState));
}

const BORROW: &str = "Borrow(address,address,uint256)";
const WITHDRAW: &str = "Withdraw(address,address,address,uint256,uint256)";

fn health(of: &[(Address, u128)]) -> Recorded {
    of.iter().fold(Recorded::default(), |views, (account, factor)| {
        views.answer(Snapshot::PostTx, MARKET, &call("healthFactor(address)", &[(*account).into()]), *factor)
    })
}

#[test]
fn healthy_after_touch() {
    let mut tx = idle(1);
    tx.logs.push(event(MARKET, BORROW, &[ALICE.into(), VAULT.into()], &[1u128.into()]));
    tx.logs.push(event(
        VAULT,
        WITHDRAW,
        &[MALLORY.into(), MALLORY.into(), MALLORY.into()],
        &[1u128.into(), 1u128.into()],
    ));
    tx.logs.push(event(MARKET, BORROW, &[ALICE.into(), VAULT.into()], &[1u128.into()]));
    let run = |tx, mut views: Recorded| {
        let signals = template("CORE-3601", "").on_tx(tx, &mut views);
        (signals, views.views)
    };
    let (signals, views) = run(&tx, health(&[(ALICE, 2 * E18), (MALLORY, E18 - 1)]));
    assert!(fired(&signals, "CORE-3601"), "the account that withdrew is under water");
    assert_eq!(views, 2, "each account is looked at once");
    let Verdict::Violated { evidence } = verdict(&signals, "CORE-3601") else { panic!("fired") };
    assert!(evidence.iter().any(|e| e.value == format!("{MALLORY}: 0.999999999999999999 ratio")), "{evidence:?}");
    assert!(held(&run(&tx, health(&[(ALICE, 2 * E18), (MALLORY, E18)])).0, "CORE-3601"), "exactly 1 is healthy");
    let blind = run(&tx, health(&[(ALICE, 2 * E18)])).0;
    assert_eq!(unknown(&blind, "CORE-3601"), Some(UnknownWhy::MissingState), "one of the two is not known");
    let decisive = run(&tx, health(&[(MALLORY, 0)])).0;
    assert!(fired(&decisive, "CORE-3601"), "a witness decides although another account is not known");
}

/// A transaction padded with accounts beyond the bound must not blind the rule to the witness within it.
#[test]
fn padding_does_not_hide_a_witness() {
    let mut tx = idle(1);
    tx.logs.push(event(MARKET, BORROW, &[MALLORY.into(), VAULT.into()], &[1u128.into()]));
    let mut honest = Vec::new();
    for n in 0..300u64 {
        let account = Address::from_word(keccak256(n.to_be_bytes()));
        honest.push((account, 2 * E18));
        tx.logs.push(event(MARKET, BORROW, &[account.into(), VAULT.into()], &[1u128.into()]));
    }
    let with = |factor| [honest.clone(), vec![(MALLORY, factor)]].concat();
    let run = |factor| template("CORE-3601", "").on_tx(&tx, &mut health(&with(factor)));
    assert!(fired(&run(E18 / 2), "CORE-3601"));
    assert_eq!(unknown(&run(E18), "CORE-3601"), Some(UnknownWhy::Budget), "who lies beyond the bound is not known");
}

#[test]
fn healthy_at_conservative_prices() {
    let mut tx = idle(1);
    tx.logs.push(event(MARKET, BORROW, &[ALICE.into(), VAULT.into()], &[1u128.into()]));
    let ask = call("healthFactorSafe(address,address)", &[MARKET.into(), ALICE.into()]);
    let run = |factor: u128| {
        template("CORE-3602", "").on_tx(&tx, &mut Recorded::default().answer(Snapshot::PostTx, PROBE, &ask, factor))
    };
    assert!(fired(&run(E18 - 1), "CORE-3602"));
    assert!(held(&run(E18), "CORE-3602"));
    let blind = template("CORE-3602", "").on_tx(&tx, &mut Recorded::default());
    assert_eq!(unknown(&blind, "CORE-3602"), Some(UnknownWhy::MissingState));
}

fn implementation_slot() -> U256 {
    U256::from_be_bytes(keccak256("eip1967.proxy.implementation").0) - U256::from(1)
}

fn ownership(after: Address) -> Recorded {
    [Snapshot::PreTx, Snapshot::PostTx].into_iter().fold(Recorded::default(), |views, at| {
        let owner = if at == Snapshot::PreTx { TIMELOCK } else { after };
        views.slot(at, MARKET, U256::ZERO, owner).slot(at, MARKET, implementation_slot(), Address::ZERO)
    })
}

#[test]
fn authorised_change() {
    let id = B256::repeat_byte(9);
    let ready = call("isOperationReady(bytes32)", &[id.into()]);
    let executed = |target: Address| {
        event(
            TIMELOCK,
            "CallExecuted(bytes32,address,bytes)",
            &[id.into(), target.into()],
            &[64u128.into(), 0u128.into()],
        )
    };
    let with = |logs: Vec<_>| {
        let mut tx = idle(1);
        tx.logs = logs;
        tx
    };
    let run = |logs, mut views: Recorded| template("CORE-5601", "").on_tx(&with(logs), &mut views);
    let matured = |yes: bool| ownership(MALLORY).answer(Snapshot::PreTx, TIMELOCK, &ready, yes);
    assert!(fired(&run(vec![], ownership(MALLORY)), "CORE-5601"), "a change out of nowhere");
    assert!(fired(&run(vec![executed(MARKET)], matured(false)), "CORE-5601"), "the operation had not matured");
    assert!(fired(&run(vec![executed(VAULT)], matured(true)), "CORE-5601"), "a matured operation on another contract");
    assert!(held(&run(vec![executed(MARKET)], matured(true)), "CORE-5601"), "announced and matured");
    assert!(held(&run(vec![], ownership(TIMELOCK)), "CORE-5601"), "nothing changed");
    assert_eq!(unknown(&run(vec![executed(MARKET)], ownership(MALLORY)), "CORE-5601"), Some(UnknownWhy::MissingState));
    assert_eq!(unknown(&run(vec![], Recorded::default()), "CORE-5601"), Some(UnknownWhy::MissingState));
}

const CAPS: &str = "CAP_TX = \"100\", CAP_BLOCK = \"150\", CAP_BLOCK_GROSS = \"200\", CAP_1H = \"300\", CAP_1H_GROSS = \"400\", CAP_24H = \"1\", CAP_24H_GROSS = \"1\"";

fn pay(detector: &mut Detector, block: u64, out: u64, back: u64) -> Vec<ripcord_core::signal::Signal> {
    let mut tx = idle(block);
    tx.moves = vec![moved(VAULT, MALLORY, out), moved(MALLORY, VAULT, back)];
    detector.on_tx(&tx, &mut Recorded::default())
}

#[test]
fn outflow_cap_per_transaction() {
    let run = |out, back| pay(&mut template("CORE-6001", CAPS), 1, out, back);
    assert!(fired(&run(101, 0), "CORE-6001"));
    assert!(held(&run(100, 0), "CORE-6001"), "the cap itself may leave");
    assert!(held(&run(5_000, 4_950), "CORE-6001"), "a flash loan that comes back");
    let mut tx = idle(1);
    tx.moves = vec![moved(VAULT, MALLORY, 1); 2];
    tx.moves.iter_mut().for_each(|m| m.amount = U256::MAX);
    let overflow = template("CORE-6001", CAPS).on_tx(&tx, &mut Recorded::default());
    assert_eq!(unknown(&overflow, "CORE-6001"), Some(UnknownWhy::Overflow));
}

#[test]
fn outflow_cap_per_block() {
    let mut detector = template("CORE-6002", CAPS);
    assert!(held(&pay(&mut detector, 1, 100, 0), "CORE-6002"));
    assert!(fired(&pay(&mut detector, 1, 51, 0), "CORE-6002"), "151 net in one block");
    detector.on_block(position(1, None), 12, &mut Recorded::default());
    assert!(held(&pay(&mut detector, 2, 150, 0), "CORE-6002"), "a new block");
    assert!(held(&pay(&mut detector, 2, 0, 150), "CORE-6002"));
    assert!(fired(&pay(&mut detector, 2, 51, 0), "CORE-6002"), "net is low again, gross is not");
}

#[test]
fn outflow_cap_per_hour() {
    let mut detector = template("CORE-6003", CAPS);
    assert_eq!(
        unknown(&pay(&mut detector, 1, 100, 0), "CORE-6003"),
        Some(UnknownWhy::Unwarmed),
        "the hour has not been seen"
    );
    detector.on_block(position(1, None), 1_000, &mut Recorded::default());
    let early = pay(&mut detector, 2, 301, 0);
    assert!(fired(&early, "CORE-6003"), "what was seen is over the gross cap already: {early:?}");
    let signals = detector.on_block(position(2, None), 5_000, &mut Recorded::default());
    assert!(fired(&signals, "CORE-6003"), "301 within the hour");
    let signals = detector.on_block(position(3, None), 8_700, &mut Recorded::default());
    assert!(held(&signals, "CORE-6003"), "the payment of block 2 is older than an hour");
}

/// The whole example: it loads, and its program says what the guardian may do.
#[test]
fn the_drill_policy_loads() {
    let policy = policy_of(include_str!("drill.toml"));
    let program = policy.program();
    let ids: Vec<&str> = program.rules.iter().map(|r| r.id.0.as_str()).collect();
    assert_eq!(
        ids,
        [
            "MARKET-1",
            "DRILL-2701",
            "DRILL-2801",
            "DRILL-2901",
            "DRILL-3601",
            "DRILL-3602",
            "DRILL-5601",
            "DRILL-6001",
            "DRILL-6002",
            "DRILL-6003",
            "DRILL-6004"
        ]
    );
    let pause = &program.playbooks[0].steps[0];
    assert_eq!(pause.verify.as_ref().map(|v| v.0.as_str()), Some("contain.pause.verify"));
    let ripcord_core::playbook::Effect::Call { target, calldata, .. } = &pause.effect else { panic!("a call") };
    assert_eq!((*target, calldata.to_vec()), (MARKET, call("pauseFor(uint64)", &[21_600u128.into()])));
    let paused = Recorded::default().answer(Snapshot::Block, MARKET, &call("paused()", &[]), true);
    let detector = Detector::new(policy);
    assert_eq!(detector.check(pause.verify.as_ref().unwrap(), 1, &mut paused.clone()), Some(Verdict::Holds));
}
